"""Generated networks do what their text says: numba against an interpreter of the text.

Of the first, kernels run as plain Python, so that nothing is compiled; of the others four
are compiled, and each runs fifty networks that differ in what a kernel is given. Ten thousand:
`make validate`.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from neuro import Network, simulate
from tests.validation.generated_programs import (
    N_STEPS,
    differences,
    records_of,
    verdict,
)
from tests.validation.interpreter import interpret
from tests.validation.programs import DT_MS, network, variant

N_PLAIN = 30
SHAPES = (390, 179, 167, 236)
"""Seeds of networks that have, together, each kind of text, wiring and method that
`programs.network` draws, and compile in little time."""
N_VARIANTS = 50


def _generated(seed: int) -> Network:
    return network(Random(seed))  # noqa: S311  # a seed is the name of a program


@pytest.mark.parametrize("first", range(0, N_PLAIN, 10))
def test_printed_kernels_do_what_the_text_says(first: int) -> None:
    found = [(seed, verdict(_generated(seed))) for seed in range(first, first + 10)]
    assert not [each for each in found if each[1].kind not in ("agree", "tie")]
    assert sum(each[1].kind == "agree" for each in found) >= 8


@pytest.mark.parametrize("shape", SHAPES)
def test_compiled_kernels_do_what_the_text_says(shape: int) -> None:
    generated = _generated(shape)
    found = []
    for k in range(N_VARIANTS):
        other = variant(generated, Random(1000 * shape + k))  # noqa: S311  # a name, too
        found.append((k, verdict(other, compiled=True, n_steps=120)))
    assert not [each for each in found if each[1].kind not in ("agree", "tie")]
    assert sum(each[1].kind == "agree" for each in found) >= 0.9 * N_VARIANTS


def test_the_comparison_finds_another_reset() -> None:
    generated = _generated(4)
    (first, *rest) = generated.populations
    model = replace(first.model, reset=f"{first.model.reset}; v -= 0.01*mV")
    other = replace(generated, populations=(replace(first, model=model), *rest))
    expected = interpret(generated, n_steps=N_STEPS, dt_ms=DT_MS)
    assert expected.spikes[first.name]
    got = simulate(other, duration_ms=N_STEPS * DT_MS, dt_ms=DT_MS, backend="norse",
                   record=records_of(other), options={"precision": "float64"})  # fmt: skip
    assert differences(got, expected, generated)
