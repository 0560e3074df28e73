"""Whether a back end agrees with the reference, by tolerances that follow from rounding.

Where nothing is random, the reference is run again on twins, networks whose numbers differ by
roundings (`sims.compare.twins`). A back end agrees if it is no further from the reference than
they are:

    traces      before any spike has moved, at most `FACTOR` times as far as a twin
    steps       no more spikes moved by a step than goes by chance with twice as many as in a twin,
                or with as many as errors of that size carry over the threshold a step too soon
    divergence  the first spike without a partner not before half the time of the first twin's; in
                a chaotic network errors grow exponentially, so that this takes an error of
                about the square root of a rounding
    after it    rates and intervals are alike in distribution

Where something is random, only distributions can agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuro.recording import Recording
from sims.compare.deviation import Deviation
from sims.compare.distributions import Test, holm
from sims.compare.report import Check, finite
from sims.compare.rounding import Rounding

__all__ = ["ALPHA", "FACTOR", "Twins", "distribution_checks", "rise_per_step", "spike_checks"]

ALPHA = 0.01
"""Chance of a false alarm over all tests of a back end; engineering choice."""

FACTOR = 4.0
"""Engineering choice: twins move each number once by up to a rounding; two back ends round each
number and step in ways of their own, and two twins do not find the worst direction."""

_CHANCE = 1e-3
"""Chance of more moved spikes than rounding explains; engineering choice."""

_EARLY = 0.5
"""Part of the time of a twin's divergence before which no back end may diverge."""


@dataclass(frozen=True, eq=False)
class Twins:
    """How far twins are from the reference, for one seed and one size of roundings.

    `near` ones have their numbers moved by `1/scale` of the roundings, so that their spikes stay
    longer in place; as long as they do, errors are proportional to what was moved. `far` ones
    have their numbers moved by the roundings.
    """

    rounding: Rounding
    scale: float
    near: Sequence[Deviation]
    far: Sequence[Deviation]

    @property
    def diverged_ms(self) -> float:
        """When the first of them diverges."""
        return min(twin.diverged_ms for twin in self.far)


def spike_checks(
    seed: int, mine: Deviation, twins: Twins, reference: Recording, rise: float
) -> list[Check]:
    """The conditions for one seed of a network in which nothing is random.

    Args:
        rise: Of the membrane within a step before a spike, in mV; from `rise_per_step`.
    """
    until = _until(mine, twins)
    found = [
        _trace(seed, key, mine, twins, until, what)
        for key in mine.traces
        for what in ("largest", "typical")
    ]
    off_mv = max(
        [twins.scale * _far_as(twins, key, until, "rms")
         for key, trace in mine.traces.items() if key.endswith(".v") and trace.unit == "mV"],
        default=0.0,
    )  # fmt: skip
    chance = off_mv / rise if rise > 0 else 0.0
    return [*found, _steps(seed, mine, twins, reference, chance),
            _divergence(seed, mine, twins, reference, chance)]  # fmt: skip


def distribution_checks(tests: Sequence[Test], alpha: float = ALPHA) -> list[Check]:
    """A condition for each test, after correction for their number."""
    corrected = holm([test.p for test in tests])
    return [
        Check(
            "distribution", test.population, None, p, alpha, p >= alpha,
            f"{test.measure} of {test.population}: D = {test.statistic:.3f}, p = {p:.2g} after "
            f"correction, at least {alpha:g} allowed",
        )
        for test, p in zip(tests, corrected, strict=True)
    ]  # fmt: skip


def rise_per_step(reference: Recording) -> float:
    """Median rise of `v` in the step before a spike, over recorded cells; 0 if not recorded."""
    rises = []
    for trace in reference.traces.values():
        spikes = reference.spikes.get(trace.population)
        each_step = bool(np.isclose(trace.every_ms, reference.dt_ms))
        if spikes is None or not each_step or (trace.variable, trace.unit) != ("v", "mV"):
            continue
        steps = np.rint(spikes.times_ms / reference.dt_ms).astype(np.int64)
        for column, cell in enumerate(trace.cells):
            at = steps[spikes.units == cell]
            at = at[(at > 0) & (at < trace.data.shape[0])]
            rises.append(trace.data[at, column] - trace.data[at - 1, column])
    found = np.abs(np.concatenate([np.zeros(0), *rises]))
    return float(np.median(found)) if found.size else 0.0


def _until(mine: Deviation, twins: Twins) -> float:
    """Up to when traces can be compared: no spike has moved, here or in some near twin."""
    return min(mine.moved_ms, max(twin.moved_ms for twin in twins.near))


def _far_as(twins: Twins, key: str, until: float, what: str) -> float:
    """How far a trace is in near twins whose spikes are all still in place."""
    return max(
        float(getattr(twin.traces[key].until(until), what))
        for twin in twins.near
        if twin.moved_ms >= until
    )


def _trace(seed: int, key: str, mine: Deviation, twins: Twins, until: float, what: str) -> Check:
    """The largest difference finds what is wrong for a while; the typical one, what is small
    beside the upswing of a spike, where roundings are amplified most."""
    trace = mine.traces[key].until(until)
    found = float(getattr(trace, what))
    far = twins.scale * _far_as(twins, key, until, what)
    # Of a trace that no twin moves, such as a concentration, at least its own rounding.
    limit = FACTOR * max(far, twins.rounding.others * trace.size)
    when = f"until {until:g} ms" if np.isfinite(until) else "to the end"
    return Check(
        "trace", key, seed, found, limit, found <= limit,
        f"{key} {when}: {what} difference {found:.2g} {trace.unit}, {limit:.2g} allowed",
    )  # fmt: skip


def _steps(seed: int, mine: Deviation, twins: Twins, reference: Recording, chance: float) -> Check:
    """Spikes that moved, as long as neither this back end nor a twin has diverged."""
    until = min(mine.diverged_ms, twins.diverged_ms)
    found = _moves(mine, until)
    of_twins = max(_moves(twin, until) for twin in twins.far)
    limit = _most(max(2.0 * of_twins, chance * _spikes(mine, reference, until)))
    when = f"until {until:g} ms" if np.isfinite(until) else "to the end"
    return Check(
        "steps", "", seed, found, limit, found <= limit,
        f"spikes moved by a step {when}: {found}, {limit} allowed",
    )  # fmt: skip


def _divergence(
    seed: int, mine: Deviation, twins: Twins, reference: Recording, chance: float
) -> Check:
    by_chance = _most(chance * _spikes(mine, reference, np.inf))
    alone = len(mine.lone)
    limit = _EARLY * twins.diverged_ms
    if alone <= by_chance:
        text = f"spikes without a partner: {alone}, {by_chance} allowed"
        return Check("divergence", "", seed, finite(mine.diverged_ms), finite(limit), True, text)
    when = f"not before {limit:g} ms" if np.isfinite(limit) else "in no twin"
    return Check(
        "divergence", "", seed, mine.diverged_ms, finite(limit), mine.diverged_ms >= limit,
        f"first spike without a partner at {mine.diverged_ms:g} ms, {alone} in all; {when} allowed",
    )  # fmt: skip


def _moves(run: Deviation, until: float) -> int:
    return sum(move.time_ms < until for move in run.moves)


def _spikes(mine: Deviation, reference: Recording, until: float) -> int:
    return sum(int((reference.spikes[name].times_ms < until).sum()) for name in mine.populations)


def _most(expected: float) -> int:
    """The most rare events that still go by chance."""
    from scipy.stats import poisson

    return int(poisson.isf(_CHANCE, expected)) if expected > 0 else 0
