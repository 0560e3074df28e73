"""What a network lost on its way into Loihi's whole numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro.recording import Recording
from neuro.spikes import Spikes
from neuro.units import admit, quantities

__all__ = ["CellLoss", "Pair", "Report", "SpikeLoss", "WeightLoss", "coincidence", "with_spikes"]


class Pair(NamedTuple):
    """A number as it was wanted, and as it is."""

    wanted: float
    got: float


@dataclass(frozen=True)
class CellLoss:
    """One population.

    Attributes:
        membrane_ms, synapse_ms: Time constants; the second is None without decaying synapses.
        threshold_mv: Potential above which cells spike.
        settles_mv: Largest error of the potential at which a cell without input and threshold
            would settle.
        bit_mv: What the lowest bit of the membrane potential stands for.
        lowest_mv: Below this the potential is cut off.
        starts_cut: Cells whose first potential was cut off.
    """

    population: str
    membrane_ms: Pair
    synapse_ms: Pair | None
    threshold_mv: Pair
    settles_mv: float
    bit_mv: float
    lowest_mv: float
    starts_cut: int

    def __post_init__(self) -> None:
        admit(self)


@dataclass(frozen=True)
class WeightLoss:
    """One projection, in its weights' own `unit`.

    No weight is cut off, for one that does not fit is refused. `zeroed` ones were below half of
    `step`, the smallest difference between two weights.
    """

    projection: str
    unit: str
    n: int
    exponent: int
    sign_mode: str
    step: float
    rms: float
    rms_relative: float
    worst: float
    zeroed: int


@dataclass(frozen=True)
class SpikeLoss:
    """One population's spikes beside those of a run in floating point."""

    population: str
    rate_hz: Pair
    coincidence: float

    def __post_init__(self) -> None:
        admit(self)


@dataclass(frozen=True)
class Report:
    """All that was lost.

    Attributes:
        spikes: Filled by `with_spikes`.
        jitter_ms: Within which two spikes counted as one there.
        cut: Per population, how often a potential was cut off from below in the run.
    """

    network: str
    cells: tuple[CellLoss, ...]
    weights: tuple[WeightLoss, ...]
    spikes: tuple[SpikeLoss, ...] = ()
    jitter_ms: float = 0.0
    cut: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        admit(self)

    def to_json(self) -> str:
        """The report as JSON; pairs are `[wanted, got]`, and what is infinite is null."""
        return json.dumps(_finite(asdict(self)), indent=1, allow_nan=False)

    def __str__(self) -> str:
        lines = [f"{self.network} in Loihi's whole numbers"]
        for c in self.cells:
            lines.append(f"  {c.population}")
            lines.append(f"    membrane   {_times(c.membrane_ms)}")
            if c.synapse_ms is not None:
                lines.append(f"    synapses   {_times(c.synapse_ms)}")
            lines.append(
                f"    potential  {c.bit_mv:.2g} mV a bit, cut off below {c.lowest_mv:.4g} mV, "
                f"settles within {c.settles_mv:.2g} mV"
            )
            if cut := self.cut.get(c.population, 0) + c.starts_cut:
                lines.append(f"    cut off    {cut} times")
        for w in self.weights:
            lines.append(
                f"  {w.projection}: {w.n:,} weights ({w.sign_mode}, exponent {w.exponent}), "
                f"off by {w.rms:.2g} {w.unit} RMS ({w.rms_relative:.2%}), {w.worst:.2g} at most; "
                f"{w.zeroed:,} became 0"
            )
        for s in self.spikes:
            lines.append(
                f"  {s.population}: {s.rate_hz.got:.4g} Hz, {s.rate_hz.wanted:.4g} Hz in floating "
                f"point; coincidence {s.coincidence:.2f} within {self.jitter_ms:g} ms"
            )
        return "\n".join(lines)


def _times(pair: Pair) -> str:
    return f"{pair.wanted:.4g} ms wanted, {pair.got:.4g} ms got"


def _finite(value: object) -> object:
    match value:
        case dict():
            return {key: _finite(part) for key, part in value.items()}
        case list() | tuple():
            return [_finite(part) for part in value]
        case float() if not math.isfinite(value):
            return None
    return value


@quantities
def with_spikes(
    report: Report, ours: Recording, reference: Recording, *, jitter_ms: float = 2.0
) -> Report:
    """The report with rates and coincidences of two runs of the network.

    Args:
        ours: In fixed point.
        reference: In floating point, for instance of `numba` with `precision: float64`.
    """
    populations: Iterable[str] = [cells.population for cells in report.cells]
    spikes = tuple(
        SpikeLoss(
            name,
            Pair(reference.spikes[name].rate_hz, ours.spikes[name].rate_hz),
            coincidence(ours.spikes[name], reference.spikes[name], jitter_ms),
        )
        for name in populations
    )
    return replace(report, spikes=spikes, jitter_ms=jitter_ms)


@quantities
def coincidence(ours: Spikes, reference: Spikes, jitter_ms: float) -> float:
    """How many spikes coincide, beyond chance: 1 if all do, 0 if no more than chance has it.

    Unit by unit, a spike of each train is taken at most once; summed over units, and scaled as
    in Kistler, Gerstner & van Hemmen 1997, Neural Comput 9:1015. Two silences coincide: 1.
    """
    found, chance, total = 0.0, 0.0, len(ours) + len(reference)
    if not total:
        return 1.0
    window = 2 * jitter_ms / max(reference.duration_ms, 1e-12)
    for unit in range(reference.n_units):
        mine, theirs = ours.of(unit), reference.of(unit)
        found += _matched(mine, theirs, jitter_ms)
        chance += mine.size * min(1.0, theirs.size * window)
    scale = total / 2 - chance
    return float((found - chance) / scale) if scale > 0 else 0.0


def _matched(one: NDArray[np.float64], other: NDArray[np.float64], jitter_ms: float) -> int:
    """Pairs within the jitter, each spike in one pair at most, taken in order of time."""
    i = j = found = 0
    while i < one.size and j < other.size:
        apart = one[i] - other[j]
        if abs(apart) <= jitter_ms + 1e-9:
            found, i, j = found + 1, i + 1, j + 1
        elif apart < 0:
            i += 1
        else:
            j += 1
    return found
