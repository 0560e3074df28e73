"""Signal: something continuous over time, such as a sound, a temperature or a position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.errors import SignalError
from neuro.units import Quantity, admit
from neuro.units.foreign import from_foreign
from neuro.units.number import refuse_masked

__all__ = ["Signal"]


@dataclass(frozen=True, eq=False)
class Signal:
    """Regular samples: frame k holds from `k * dt_ms` to the next.

    Args:
        values: `(n_frames,)` or `(n_frames, n_channels)`, finite.
        dt_ms: Interval between frames.
        unit: What the values are in; coherent units where a circuit is to be driven.
        bounds: The least and the greatest value there can be, such as the walls of an arena; None
            if nobody knows.

    Raises:
        UnitError: if values are masked.
        SignalError: if it is empty, not 1-d or 2-d, not finite, or has a unit of its own.
    """

    values: NDArray[np.float64]
    dt_ms: float
    unit: str = "1"
    bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        admit(self)
        refuse_masked(self.values)
        if not _plain(self.values):
            raise SignalError(
                f"a signal's values must be plain real numbers, in the unit that `unit` names "
                f"(`{self.unit}`), found {self.values!r:.60}"
            )
        values = np.array(self.values, dtype=np.float64)
        if values.ndim not in (1, 2) or values.size == 0:
            raise SignalError(f"a signal must be 1-d or 2-d and not empty, found {values.shape}")
        if not np.isfinite(values).all():
            raise SignalError("a signal must be finite, found NaN or infinity")
        if not 0 < self.dt_ms < np.inf:
            raise SignalError(f"a signal's dt must be finite and above 0, found {self.dt_ms} ms")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @property
    def times_ms(self) -> NDArray[np.float64]:
        """`(n_frames,)` start of each frame."""
        return np.asarray(np.arange(self.values.shape[0]) * self.dt_ms, np.float64)

    @property
    def duration_ms(self) -> float:
        """Time covered."""
        return self.values.shape[0] * self.dt_ms


def _plain(values: Any) -> bool:
    """Whether nothing in it has a unit of its own, which an array of numbers would lose."""
    if isinstance(values, (list, tuple)):
        return all(map(_plain, values))
    if isinstance(values, Quantity) or from_foreign(values) is not None:
        return False
    return isinstance(values, (int, float)) or np.asarray(values).dtype.kind in "iufb"
