"""From the runs of one back end, and of twins, to what the report says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neuro.recording import Recording
from sims.compare.deviation import Deviation, Difference
from sims.compare.distributions import Test, compare_distributions, holm
from sims.compare.plan import Plan
from sims.compare.report import (
    Check,
    DistributionTest,
    FirstDifference,
    PopulationMatch,
    TraceError,
    finite,
)
from sims.compare.verdict import Twins, distribution_checks, rise_per_step, spike_checks

__all__ = ["Found", "analysed", "costs"]


@dataclass(frozen=True)
class Found:
    """What one back end's runs are, beside the reference's."""

    populations: tuple[PopulationMatch, ...]
    first_moved: FirstDifference | None
    first_divergence: FirstDifference | None
    traces: tuple[TraceError, ...]
    distributions: tuple[DistributionTest, ...]
    checks: tuple[Check, ...]

    @property
    def f(self) -> float:
        """Harmonic mean of precision and recall over all populations."""
        spikes = sum(p.reference_spikes + p.spikes for p in self.populations)
        return 2 * sum(p.matched for p in self.populations) / spikes if spikes else 1.0


def analysed(
    plan: Plan,
    label: str,
    reference: Sequence[Recording],
    other: Sequence[Recording],
    deviations: Sequence[Deviation],
    twins: Sequence[Twins],
) -> Found:
    """Everything about one back end, over all seeds.

    Args:
        reference, other: Runs, in the order of seeds.
        deviations: Of the other's runs, for each seed.
        twins: For each seed; empty where something is random.
    """
    checks, tests = list[Check](), list[Test]()
    if not plan.random:
        for seed, run, mine, beside in zip(plan.seeds, reference, deviations, twins, strict=True):
            checks += spike_checks(seed, mine, beside, run, rise_per_step(run))
    if plan.random:
        tests = _tests(plan, label, reference, other, 0.0)
    elif (after_ms := min(d.diverged_ms for d in deviations)) < np.inf:
        tests = _after(plan, label, reference, other, deviations, after_ms)
    checks += distribution_checks(tests)
    return Found(
        populations=tuple(_matched(name, deviations) for name in plan.spiking),
        first_moved=_first(plan, [sorted([*d.moves[:1], *d.lone[:1]])[:1] for d in deviations]),
        first_divergence=_first(plan, [d.lone[:1] for d in deviations]),
        traces=_traces(deviations) if not plan.random else (),
        distributions=tuple(
            DistributionTest(
                t.population, t.measure, t.n_reference, t.n_other, t.statistic, t.p, p, t.how
            )
            for t, p in zip(tests, holm([t.p for t in tests]), strict=True)
        ),
        checks=tuple(checks),
    )


def _tests(
    plan: Plan, label: str, reference: Sequence[Recording], other: Sequence[Recording],
    after_ms: float,
) -> list[Test]:  # fmt: skip
    return [
        test
        for name in plan.spiking
        for test in compare_distributions(
            name,
            [run.spikes[name].between(after_ms, run.duration_ms) for run in reference],
            [run.spikes[name].between(after_ms, run.duration_ms) for run in other],
            stream=label,
        )
    ]


def _after(
    plan: Plan, label: str, reference: Sequence[Recording], other: Sequence[Recording],
    deviations: Sequence[Deviation], after_ms: float,
) -> list[Test]:  # fmt: skip
    """Distributions after spikes have come apart: over runs if there are enough, or of one run."""
    if len(plan.seeds) >= plan.needed:
        return _tests(plan, label, reference, other, after_ms)
    k = min(range(len(deviations)), key=lambda k: deviations[k].diverged_ms)
    return _tests(plan, label, reference[k : k + 1], other[k : k + 1], after_ms)


def _matched(name: str, deviations: Sequence[Deviation]) -> PopulationMatch:
    parts = [d.populations[name] for d in deviations]
    a, b = sum(len(p.reference) for p in parts), sum(len(p.other) for p in parts)
    apart = np.abs(np.concatenate([p.offsets_ms for p in parts]))
    pairs = apart.size
    return PopulationMatch(
        population=name,
        n_cells=parts[0].reference.n_units,
        reference_spikes=a,
        spikes=b,
        matched=pairs,
        precision=pairs / b if b else 1.0,
        recall=pairs / a if a else 1.0,
        f=2 * pairs / (a + b) if a + b else 1.0,
        mean_ms=float(apart.mean()) if pairs else 0.0,
        max_ms=float(apart.max(initial=0.0)),
        identical=all(p.identical for p in parts),
    )


def _first(plan: Plan, each: Sequence[Sequence[Difference]]) -> FirstDifference | None:
    found = [
        (first.time_ms, first, seed)
        for seed, firsts in zip(plan.seeds, each, strict=True)
        for first in firsts
    ]
    if not found:
        return None
    _, first, seed = min(found)
    return FirstDifference(first.kind, first.time_ms, first.population, first.cell, seed)


def _traces(deviations: Sequence[Deviation]) -> tuple[TraceError, ...]:
    return tuple(_trace(key, deviations) for key in deviations[0].traces)


def _trace(key: str, deviations: Sequence[Deviation]) -> TraceError:
    worst = max(deviations, key=lambda d: d.traces[key].rms)
    trace = worst.traces[key]
    before = trace.until(worst.moved_ms)
    last_ms = (before.error.shape[0] - 1) * trace.every_ms
    return TraceError(
        trace=key,
        unit=trace.unit,
        n_cells=int(trace.cells.size),
        rms=trace.rms,
        largest=trace.largest,
        relative=finite(trace.rms / trace.spread) if trace.spread > 0 else None,
        rms_before=before.rms,
        largest_before=before.largest,
        until_ms=max(0.0, last_ms),
    )


def costs(timings: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each stage, as a report has them."""
    return {f"{stage}_s": round(timings.get(stage, 0.0), 6)
            for stage in ("encode", "build", "compile", "simulate")}  # fmt: skip
