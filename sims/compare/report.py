"""What a comparison found, as inert data: the very content of `compare.json`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = [
    "AGREE", "DIFFER", "ERROR", "FORMAT", "INCOMPLETE", "BackendReport", "Check", "Cost",
    "DistributionTest", "FirstDifference", "PopulationMatch", "Report", "Tolerances", "TraceError",
    "finite", "report_schema", "to_json",
]  # fmt: skip

FORMAT = 1
"""Version of this layout."""

AGREE, DIFFER, ERROR, INCOMPLETE = 0, 1, 2, 3
"""Exit status: all agree; some differ; nothing could be compared; some could not be run."""

Verdict = Literal["reference", "agrees", "differs", "refused", "failed", "timed out"]


@dataclass(frozen=True)
class Tolerances:
    """What the verdicts rest on.

    Attributes:
        jitter_ms: Within which two spikes of a cell may be one.
        alpha: Chance that back ends which agree in distribution are said to differ.
        factor: How many times further apart than twins a trace may be.
        twins: Of each size, how many networks with moved numbers the reference ran.
        memory_ms: For which time roundings are taken to add up.
        seeds_needed: Fewest seeds with which distributions can be compared over runs.
    """

    jitter_ms: float
    alpha: float
    factor: float
    twins: int
    memory_ms: float
    seeds_needed: int


@dataclass(frozen=True)
class Check:
    """One condition of agreement, with what was found and what was allowed.

    Attributes:
        subject: Trace or population it is about; empty if all.
        seed: Of the run it is about; None if all.
        text: The condition and what was found, in one line.
    """

    name: str
    subject: str
    seed: int | None
    found: float | None
    limit: float | None
    passed: bool
    text: str


@dataclass(frozen=True)
class PopulationMatch:
    """Spikes of one population that belong together, over all seeds.

    Attributes:
        precision: Of this back end's spikes, the part that the reference has.
        recall: Of the reference's spikes, the part that this back end has.
        f: Harmonic mean of both.
        mean_ms, max_ms: Of the time differences of pairs, without their sign.
        identical: Whether every spike is at the same step.
    """

    population: str
    n_cells: int
    reference_spikes: int
    spikes: int
    matched: int
    precision: float
    recall: float
    f: float
    mean_ms: float
    max_ms: float
    identical: bool


@dataclass(frozen=True)
class FirstDifference:
    """The first spike that is not where the reference has it.

    Attributes:
        kind: `moved` by a step or more, `missing`, or `extra`.
    """

    kind: str
    time_ms: float
    population: str
    cell: int
    seed: int


@dataclass(frozen=True)
class TraceError:
    """A recorded variable's differences from the reference; those of the seed with the largest.

    Attributes:
        rms: Root mean square over time, of the cell where it is largest.
        relative: `rms` in units of the standard deviation of the reference's own values.
        rms_before, largest_before: The same until `until_ms`, before any spike had moved.
    """

    trace: str
    unit: str
    n_cells: int
    rms: float
    largest: float
    relative: float | None
    rms_before: float
    largest_before: float
    until_ms: float


@dataclass(frozen=True)
class DistributionTest:
    """Two samples of rates or intervals.

    Attributes:
        statistic: Kolmogorov and Smirnov's distance.
        p_corrected: After Holm's correction for all tests of this back end.
    """

    population: str
    measure: str
    n_reference: int
    n: int
    statistic: float
    p: float
    p_corrected: float
    how: str


@dataclass(frozen=True)
class Cost:
    """Of the first run: seconds, and the largest resident memory of its process.

    Attributes:
        peak_memory_bytes: None where the run had no process of its own.
    """

    encode_s: float
    build_s: float
    compile_s: float
    simulate_s: float
    peak_memory_bytes: int | None


@dataclass(frozen=True)
class BackendReport:
    """One back end beside the reference.

    Attributes:
        label: As it was named.
        arithmetic: In what it computes.
        rounding: Relative size of what its roundings and the reference's amount to.
        error: Why there is nothing to compare, in one line; empty otherwise.
        spikes: Of the first seed, all populations.
        identical: Whether every spike of every seed is at the same step.
        first_moved: Over all seeds.
        first_divergence: The first spike without a partner within the jitter, over all seeds.
    """

    label: str
    backend: str
    options: Mapping[str, Any]
    threads: int
    arithmetic: str
    rounding: float | None
    verdict: Verdict
    error: str
    cost: Cost | None
    spikes: int | None
    identical: bool | None
    f: float | None
    populations: tuple[PopulationMatch, ...]
    first_moved: FirstDifference | None
    first_divergence: FirstDifference | None
    traces: tuple[TraceError, ...]
    distributions: tuple[DistributionTest, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Report:
    """A network on several back ends.

    Attributes:
        format: Version of this layout.
        reference: Label of the back end that the others are compared with.
        reference_because: Why that one.
        random: What draws random numbers while the network runs; spikes agree only in
            distribution if anything does.
        status: The command's exit status: 0 all agree, 1 some differ, 3 none differs but some
            could not be run.
        notes: What a reader must know beside the verdicts.
        provenance: What was run, when, with which versions.
    """

    format: int
    kind: Literal["comparison"]
    name: str
    reference: str
    reference_because: str
    random: tuple[str, ...]
    duration_ms: float
    dt_ms: float
    seeds: tuple[int, ...]
    tolerances: Tolerances
    backends: tuple[BackendReport, ...]
    status: int
    notes: tuple[str, ...]
    provenance: Mapping[str, Any]


def finite(value: float) -> float | None:
    """The number, or None where JSON has no word for it."""
    return float(value) if math.isfinite(value) else None


def to_json(report: Report) -> dict[str, Any]:
    """The report as JSON-ready data."""
    return asdict(report)


def report_schema() -> dict[str, Any]:
    """JSON Schema of `compare.json`, with what the docstrings here say of each key."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(Report).json_schema()
    for cls in _PARTS:
        schema["$defs"][cls.__name__]["description"] = inspect.cleandoc(cls.__doc__ or "")
    return {
        **schema,
        "title": "Ember comparison",
        "description": inspect.cleandoc(Report.__doc__ or ""),
    }


_PARTS = (
    Tolerances, Check, PopulationMatch, FirstDifference, TraceError, DistributionTest, Cost,
    BackendReport,
)  # fmt: skip
