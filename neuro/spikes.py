"""Spikes: the one currency between the rooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.errors import SignalError
from neuro.units import quantities
from neuro.units.number import is_real, refuse_masked

__all__ = ["Spikes"]


@dataclass(frozen=True, eq=False)
class Spikes:
    """Spike times of `n_units` units, sorted by time and then by unit.

    Args:
        times_ms: `(n_spikes,)` float64, each in `[t_start_ms, t_stop_ms)`; in any order.
        units: `(n_spikes,)` the unit of each spike, `0 <= unit < n_units`.
        n_units: How many units were watched; silent ones count.
        t_start_ms, t_stop_ms: The window that was watched.

    Raises:
        SignalError: if lengths differ, a time is not finite or outside the window, or a unit
            is out of range or no whole number.

    The arrays are copied, sorted and made read-only.
    """

    times_ms: NDArray[np.float64]
    units: NDArray[np.int64]
    n_units: int
    t_start_ms: float
    t_stop_ms: float

    @quantities
    def __init__(
        self,
        times_ms: ArrayLike,
        units: ArrayLike,
        *,
        n_units: int,
        t_stop_ms: float,
        t_start_ms: float = 0.0,
    ) -> None:
        times = np.array(times_ms, dtype=np.float64, ndmin=1)
        which = _whole(units)
        if times.ndim != 1 or times.shape != which.shape:
            raise SignalError(
                f"spike times and units must be two lists of one length, "
                f"found {times.shape} and {which.shape}"
            )
        if not (is_real(n_units) and n_units >= 0 and n_units % 1 == 0):
            raise SignalError(f"n_units must be a whole number, at least 0, found {n_units}")
        if not -np.inf < t_start_ms <= t_stop_ms < np.inf:
            raise SignalError(
                f"the window must be finite and t_start <= t_stop, found "
                f"{t_start_ms}..{t_stop_ms} ms"
            )
        if times.size:
            if not np.isfinite(times).all():
                raise SignalError("spike times must be finite, found NaN or infinity")
            if times.min() < t_start_ms or times.max() >= t_stop_ms:
                raise SignalError(
                    f"spike times must lie in [{t_start_ms}, {t_stop_ms}) ms, "
                    f"found {times.min()}..{times.max()} ms"
                )
            if which.min() < 0 or which.max() >= n_units:
                raise SignalError(
                    f"units must lie in 0..{n_units - 1}, found {which.min()}..{which.max()}"
                )
        order = np.lexsort((which, times))
        times, which = times[order], which[order]
        times.flags.writeable = which.flags.writeable = False
        for name, value in (
            ("times_ms", times),
            ("units", which),
            ("n_units", int(n_units)),
            ("t_start_ms", float(t_start_ms)),
            ("t_stop_ms", float(t_stop_ms)),
        ):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return int(self.times_ms.size)

    def __eq__(self, other: object) -> bool:
        """Equal when the window, the units and every time agree bit for bit."""
        return (
            isinstance(other, Spikes)
            and (self.n_units, self.t_start_ms, self.t_stop_ms)
            == (other.n_units, other.t_start_ms, other.t_stop_ms)
            and np.array_equal(self.times_ms, other.times_ms)
            and np.array_equal(self.units, other.units)
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def __repr__(self) -> str:
        return (
            f"Spikes({len(self)} spikes of {self.n_units} units, "
            f"{self.t_start_ms:g}..{self.t_stop_ms:g} ms, {self.rate_hz:.3g} Hz)"
        )

    @property
    def duration_ms(self) -> float:
        """Length of the window."""
        return self.t_stop_ms - self.t_start_ms

    @property
    def rate_hz(self) -> float:
        """Mean rate per unit and second; 0 for an empty window."""
        watched_s = self.n_units * self.duration_ms / 1000.0
        return len(self) / watched_s if watched_s else 0.0

    def counts(self) -> NDArray[np.int64]:
        """`(n_units,)` spikes of each unit."""
        return np.bincount(self.units, minlength=self.n_units)

    def of(self, unit: int) -> NDArray[np.float64]:
        """The sorted times of one unit, in ms.

        Raises:
            SignalError: if there is no such unit.
        """
        if not 0 <= unit < self.n_units:
            raise SignalError(f"unit must lie in 0..{self.n_units - 1}, found {unit}")
        return self.times_ms[self.units == unit]

    @quantities
    def between(self, t_start_ms: float, t_stop_ms: float) -> Spikes:
        """The spikes of `[t_start_ms, t_stop_ms)`, in a window of that size; times unchanged."""
        keep = (self.times_ms >= t_start_ms) & (self.times_ms < t_stop_ms)
        return Spikes(
            self.times_ms[keep],
            self.units[keep],
            n_units=self.n_units,
            t_start_ms=t_start_ms,
            t_stop_ms=t_stop_ms,
        )

    def select(self, units: ArrayLike) -> Spikes:
        """Only the given units, renumbered 0, 1, 2 … in the order given.

        Raises:
            SignalError: if a unit is not there, or is given twice.
        """
        chosen = _whole(units)
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < self.n_units):
            raise SignalError(
                f"units must lie in 0..{self.n_units - 1}, found {chosen.min()}..{chosen.max()}"
            )
        if np.unique(chosen).size != chosen.size:
            raise SignalError(f"a unit can be selected once, found {chosen.tolist()}")
        new = np.full(self.n_units, -1, dtype=np.int64)
        new[chosen] = np.arange(chosen.size)
        keep = new[self.units] >= 0
        return Spikes(
            self.times_ms[keep],
            new[self.units[keep]],
            n_units=chosen.size,
            t_start_ms=self.t_start_ms,
            t_stop_ms=self.t_stop_ms,
        )


def _whole(units: ArrayLike) -> NDArray[np.int64]:
    """A fresh array of unit numbers; a mask or a fraction is refused instead of cut to a number."""
    refuse_masked(units)
    found = np.array(units, ndmin=1)
    if not found.size:
        return np.zeros(found.shape, dtype=np.int64)
    if found.dtype.kind not in "iuf" or (found % 1 != 0).any():
        raise SignalError(f"units must be whole numbers, found {found.ravel()[:3].tolist()} …")
    return found.astype(np.int64)
