"""Do the back ends do what the text of a network says? Ask many generated ones.

    python -m tests.validation.generated_programs --first 0 --count 500 --show

Each seed is one network (`programs.network`), run by the interpreter of its text and by back ends;
numba's kernels run as plain Python, so that nothing is compiled. `make validate` runs 10,000, in
parts.

Two runs are equal if they have the same spikes and their traces differ by no more than `TOLERANCE`
relative to the largest value. What is drawn decays towards rest or is bounded, so that of 200
steps of some 50 operations no more than 200 * 50 * 2**-53 = 1e-12 gathers; the reset's and the
edges' gains of up to 2 repeat that a few times. A comparison with sides closer than `TIE` may be
decided by rounding: such a run is a tie, and is counted and not compared.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from random import Random

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the matrices are tiny

import numpy as np

from neuro import Network, Record, Recording, simulate
from neuro.errors import EmberError
from tests.backends._plain import plain_kernels
from tests.validation.interpreter import Outcome, interpret
from tests.validation.programs import DT_MS, network
from tests.validation.row import Result, Row

__all__ = ["N_STEPS", "ROW", "Verdict", "differences", "verdict"]

N_STEPS = 200
TOLERANCE = 1e-8
TIE = 1e-9
PART = 500
BRIAN_EVERY = 50


@dataclass(frozen=True)
class Verdict:
    """`agree`, `tie`, `refused` or `disagree`, and what differs."""

    kind: str
    text: str = ""


def records_of(generated: Network) -> list[Record]:
    """Every state of every population, and every variable that edges have, at every step."""
    found = [
        Record(p.name, line.split("/dt")[0].strip()[1:], DT_MS)
        for p in generated.populations
        for line in p.model.equations.splitlines()
        if "/dt" in line
    ]
    return found + [
        Record(p.name, name, DT_MS)
        for p in generated.projections
        for name in _edge_variables(p.synapse.edges)
    ]


def _edge_variables(text: str) -> list[str]:
    found = []
    for line in filter(str.strip, text.splitlines()):
        left = line.split(":")[0]
        if "/dt" in left:
            found.append(left.split("/dt")[0].strip()[1:])
        elif "=" not in left:
            found.append(left.strip())
    return found


def differences(ours: Recording, theirs: Outcome, generated: Network) -> list[str]:
    """What a recording has otherwise than the interpreter, the earliest first; empty if nothing."""
    found: list[tuple[int, str]] = []
    for name, expected in theirs.spikes.items():
        spikes = ours.spikes[name]
        steps = np.rint(spikes.times_ms / DT_MS).astype(int)
        got = sorted(zip(steps.tolist(), spikes.units.tolist(), strict=True))
        if got != expected:
            odd = min(set(got) ^ set(expected))
            whose = "only the back end" if odd in set(got) else "only the text"
            found.append((odd[0], f"spike of {name}: cell {odd[1]}, {whose}"))
    everything = theirs.traces | theirs.edges
    for record in records_of(generated):
        name = f"{record.population}.{record.variable}"
        got_values = np.asarray(ours.traces[name].data, float)
        wanted = np.asarray(everything[name], float)
        scale = np.maximum(np.abs(wanted).max(initial=1e-3), 1e-3)
        odd_at = np.argwhere(~(np.abs(got_values - wanted) <= TOLERANCE * scale))
        if odd_at.size:
            step, cell = odd_at[0]
            found.append((
                int(step), f"{name}[{cell}] is {got_values[step, cell]!r}, "
                f"the text gives {wanted[step, cell]!r}",
            ))  # fmt: skip
    return [f"step {step}: {text}" for step, text in sorted(found)]


def verdict(
    generated: Network,
    backends: Sequence[str] = ("numba",),
    *,
    compiled: bool = False,
    n_steps: int = N_STEPS,
) -> Verdict:
    """Run a network every way and compare; numba's kernels as plain Python unless `compiled`."""
    try:
        expected = interpret(generated, n_steps=n_steps, dt_ms=DT_MS)
    except OverflowError:
        return Verdict("tie", "not finite")
    for backend in backends:
        options = {} if backend == "brian" else {"precision": "float64"}
        try:
            with nullcontext() if compiled else plain_kernels():
                got = simulate(
                    generated, duration_ms=n_steps * DT_MS, dt_ms=DT_MS, backend=backend,
                    record=records_of(generated), options=options,
                )  # fmt: skip
        except EmberError as error:
            return Verdict("refused", f"{backend}: {error}")
        found = differences(got, expected, generated)
        if found and expected.nearest < TIE:
            return Verdict("tie", f"{expected.nearest:.2g}")
        if found:
            return Verdict("disagree", f"{backend}: " + "\n  ".join(found[:4]))
    return Verdict("agree")


def described(generated: Network) -> str:
    """The text of a generated network, for a report."""
    parts = []
    for p in generated.populations:
        m = p.model
        parts.append(
            f"population {p.name} ({m.method}):\n{m.equations}\nthreshold {m.threshold}\n"
            f"reset {m.reset!r}\nrefractory {m.refractory}\n{dict(p.parameters)}"
        )
    for q in generated.projections:
        s = q.synapse
        parts.append(
            f"projection {q.name}: {q.source} -> {q.target} {s.name}: {s.equations}\n"
            f"on_pre {s.on_pre!r} on_post {s.on_post!r}\n{s.edges}\n"
            f"{q.rule.source} {q.rule.target} delay {q.delay} weight {q.weight}"
        )
    return "\n".join(parts)


def count(seeds: Sequence[int], backends: Sequence[str], *, show: bool = False) -> Result:
    """How many programs have which verdict, and what is said of those that do not agree."""
    counts: Result = dict.fromkeys(("agree", "tie", "refused", "disagree"), 0)
    odd = []
    for seed in seeds:
        generated = network(Random(seed))  # noqa: S311  # a seed is the name of a program
        every = [*backends, "brian"] if seed % BRIAN_EVERY == 0 else backends
        try:
            found = verdict(generated, every)
        except Exception:  # a traceback is a disagreement of its own
            found = Verdict("disagree", traceback.format_exc())
        counts[found.kind] += 1
        if found.kind in ("disagree", "refused"):
            odd.append(f"seed {seed} {found.kind}: {found.text}")
            print(odd[-1], flush=True)
            if show and found.kind == "disagree":
                print(described(generated), flush=True)
    return {**counts, "odd": odd}


def _part(name: str) -> Result:
    first = int(name)
    return count(range(first, first + PART), ("numba", "norse"))


def _judge(parts: Sequence[Result]) -> tuple[bool, Result]:
    sums = {k: sum(part[k] for part in parts) for k in ("agree", "tie", "refused", "disagree")}
    odd = [line for part in parts for line in part["odd"]]
    most = sums["agree"] >= 0.98 * PART * len(parts)
    return most and not sums["disagree"] and not sums["refused"], {**sums, "odd": odd[:20]}


ROW = Row(
    name="generated_programs",
    claim=(
        "10,000 generated networks, run by numba and norse, and every fiftieth by brian, do what "
        "an interpreter of their text does"
    ),
    sources=(
        "neuro/equations/**/*.py",
        "neuro/backends/numba/*.py",
        "neuro/backends/norse/*.py",
        "neuro/backends/brian/*.py",
        "neuro/*.py",
        "neuro/models/*.py",
        "neuro/synapses/*.py",
        "tests/backends/_plain.py",
        "tests/validation/generated_programs.py",
        "tests/validation/interpreter.py",
        "tests/validation/programs.py",
        "tests/validation/_text.py",
        "tests/validation/_schemes.py",
    ),
    parts=tuple(f"{first:05}" for first in range(0, 10_000, PART)),
    run=_part,
    judge=_judge,
)


def main(arguments: Sequence[str]) -> int:
    """Count verdicts over a range of seeds; 1 if any disagrees."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=PART)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--backends", default="numba,norse")
    parser.add_argument("--show", action="store_true", help="print what disagrees in full")
    chosen = parser.parse_args(arguments)
    seeds = range(chosen.first, chosen.first + chosen.count)
    found = count(seeds, chosen.backends.split(","), show=chosen.show)
    print({kind: number for kind, number in found.items() if kind != "odd"})
    return 1 if found["disagree"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
