"""The spikes of several items as one flat batch, which is as large as the spikes are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bridges.features._steps import steps_of
from neuro.bins import HAIR, hair
from neuro.errors import SignalError
from neuro.spikes import Spikes
from neuro.units import admit, quantities

__all__ = ["SpikeBatch"]


@dataclass(frozen=True, eq=False)
class SpikeBatch:
    """Spikes of items that share their units and the length of their window.

    Attributes:
        times_ms: `(n_spikes,)` float64, from the start of the item's window.
        units: `(n_spikes,)` int64.
        items: `(n_spikes,)` int64, whose spike it is; ascending.
        n_items, n_units: How many there are of each, silent ones too.
        duration_ms: Length of each window.
        rounding_ms: How far times are off that were taken from late windows of a recording.
    """

    times_ms: Tensor
    units: Tensor
    items: Tensor
    n_items: int
    n_units: int
    duration_ms: float
    rounding_ms: float = 0.0

    def __post_init__(self) -> None:
        admit(self)

    @classmethod
    def of(cls, spikes: Sequence[Spikes]) -> SpikeBatch:
        """Join the spikes of one or more items.

        Raises:
            SignalError: if there is none, or they differ in units or length.
        """
        shapes = {(one.n_units, round(one.duration_ms, 6)) for one in spikes}
        if len(shapes) != 1:
            raise SignalError(
                "a batch needs items of the same units and duration, found "
                + (", ".join(f"{n} units for {ms:g} ms" for n, ms in sorted(shapes)) or "none")
            )
        return cls(
            torch.from_numpy(np.concatenate([one.times_ms - one.t_start_ms for one in spikes])),
            torch.from_numpy(np.concatenate([one.units for one in spikes])),
            torch.from_numpy(np.repeat(np.arange(len(spikes)), [len(one) for one in spikes])),
            n_items=len(spikes), n_units=spikes[0].n_units, duration_ms=spikes[0].duration_ms,
            rounding_ms=float(hair([[s.t_start_ms, s.t_stop_ms] for s in spikes], 0.0).max()),
        )  # fmt: skip

    def to(self, device: torch.device | str) -> SpikeBatch:
        """The same on a device."""
        return replace(
            self, times_ms=self.times_ms.to(device), units=self.units.to(device),
            items=self.items.to(device),
        )  # fmt: skip

    def pin_memory(self) -> SpikeBatch:
        """The same in memory that a GPU reads directly; a `DataLoader` asks for it."""
        return replace(
            self, times_ms=self.times_ms.pin_memory(), units=self.units.pin_memory(),
            items=self.items.pin_memory(),
        )  # fmt: skip

    @quantities
    def bins(self, bin_ms: float) -> Tensor:
        """`(n_spikes,)` the bin of each spike, by the rule of `neuro.bins`."""
        return torch.floor((self.times_ms + self.rounding_ms) / bin_ms + HAIR).long()

    @quantities
    def raster(self, *, dt_ms: float, dtype: torch.dtype = torch.float32) -> Tensor:
        """`(n_steps, n_items, n_units)` of 0 and 1, as the inputs of a network in torch.

        Spikes of one unit in one step count once.

        Raises:
            ConfigError: if the window is no whole number of steps.
        """
        n_steps = steps_of("a window of spikes", self.duration_ms, dt_ms)
        steps = self.bins(dt_ms)
        out = torch.zeros(n_steps, self.n_items, self.n_units, dtype=dtype)
        out = out.to(self.times_ms.device)
        out[steps.clamp(max=n_steps - 1), self.items, self.units] = 1
        return out
