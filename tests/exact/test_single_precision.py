"""Every model, synapse and rule in single against double precision; long runs: `make validate`."""

from __future__ import annotations

import pytest

from neuro.models import MODELS
from neuro.synapses import SYNAPSES
from neuro.units import ms
from tests.backends._plain import plain_kernels
from tests.validation.single_precision import CASES, differences

SHORT_MS = {"numba": {"models": 5, "synapses": 50, "rules": 100, "scaling": 100},
            "norse": {"models": 5, "synapses": 10, "rules": 10, "scaling": 20}}  # fmt: skip


@pytest.mark.parametrize("backend", SHORT_MS)
@pytest.mark.parametrize("name", CASES)
def test_single_precision_follows_double(name: str, backend: str) -> None:
    with plain_kernels():
        found = differences(CASES[name], backend, SHORT_MS[backend][name])
    assert found
    assert {key: share for key, share in found.items() if not share <= 1} == {}


def test_every_part_runs_for_five_of_its_slowest_constants() -> None:
    registered = {name: MODELS[name] for name in MODELS} | {n: SYNAPSES[n] for n in SYNAPSES}
    assert sorted(part for case in CASES.values() for part in case.parts) == sorted(registered)
    for case in CASES.values():
        for part in case.parts:
            constants = registered[part].parameters.items()
            slowest = max([float(x) for n, x in constants if n.startswith("tau")], default=0.0)
            assert case.horizon_ms >= 5 * slowest, part
    assert (
        CASES["scaling"].horizon_ms * ms
        == 5 * SYNAPSES["synaptic_scaling"].parameters["tau_activity"]
    )
