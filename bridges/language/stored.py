"""A sensor over stored activity: a closer look at what was recorded once.

    time        a token is the mean activity over the part of the window that it tells
    frequency   `width` places evenly spaced in octaves across the band, each between the two
                recorded channels beside it

A narrow band is therefore seen in more detail than a wide one, up to what was recorded. Both are
continuous in every argument, so gradient reaches what was asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from bridges.language.requests import Limits, Requests
from neuro.errors import ConfigError, SignalError
from neuro.units import quantities

__all__ = ["StoredSensor"]


class StoredSensor:
    """Serves requests from activity over time and place along the cochlea.

    Args:
        activity: `(item, step, channel)`, such as firing rates of a nerve.
        cf_hz: Characteristic frequency of each channel, rising.
        step_ms: Time of one step.
        width: Numbers a token, as the sense has.
        narrowest: Least width of a band, in octaves.

    Attributes:
        limits: From the lowest to the highest channel, from one step to all of them.

    Raises:
        ConfigError: if shapes disagree, frequencies do not rise, or there is a single channel.
        SignalError: if the activity is not finite.
    """

    @quantities
    def __init__(
        self,
        activity: Tensor,
        cf_hz: Sequence[float],
        *,
        step_ms: float,
        width: int,
        narrowest: float = 1 / 3,
    ) -> None:
        if activity.ndim != 3 or activity.shape[2] != len(cf_hz) or activity.shape[1] < 1:
            raise ConfigError(
                f"stored activity must be (item, step, {len(cf_hz)} channels), found "
                f"{tuple(activity.shape)}"
            )
        if len(cf_hz) < 2 or not all(0 < a < b < math.inf for a, b in pairwise(cf_hz)):
            raise ConfigError(
                "channels must be 2 or more with finite frequencies that rise, found not so"
            )
        if not 0 < step_ms < math.inf or width < 1:
            raise ConfigError(
                f"stored activity needs a positive step and width, found {step_ms} ms and {width}"
            )
        if not bool(torch.isfinite(activity).all()):
            raise SignalError("stored activity must be finite, found NaN or infinity in it")
        self.width, self.step_ms = width, step_ms
        self.duration_ms = step_ms * activity.shape[1]
        self.limits = Limits(
            float(cf_hz[0]), float(cf_hz[-1]), step_ms, self.duration_ms, step_ms,
            self.duration_ms, narrowest,
        )  # fmt: skip
        self._octave = torch.tensor(cf_hz, dtype=torch.float64, device=activity.device).log2()
        # What has been by the end of each step, in double precision: a mean is a difference of two.
        summed = activity.double().cumsum(dim=1) * step_ms
        self._until = torch.nn.functional.pad(summed, (0, 0, 1, 0))

    def sense(self, items: Sequence[int], requests: Requests) -> list[Tensor]:
        """`(token, width)` of each item; the window ends where what was stored ends.

        Raises:
            SignalError: if there is no such item, or not one request for each.
        """
        if len(items) != requests.low_hz.shape[0]:
            raise SignalError(
                f"each item must have one request, found {len(items)} items and "
                f"{requests.low_hz.shape[0]} requests"
            )
        for item in items:
            if not 0 <= item < self._until.shape[0]:
                raise SignalError(
                    f"an item must be 0 to {self._until.shape[0] - 1}, as many as were stored, "
                    f"found {item}; store the activity of the batch that looks"
                )
        return [self._closer(item, requests.of([row])) for row, item in enumerate(items)]

    def _closer(self, item: int, request: Requests) -> Tensor:
        device = self._octave.device
        low, high, window, resolution = (part[0].to(device) for part in request[2:6])
        tokens = max(1, math.floor(float((window / resolution).detach()) + 0.5))
        edges = torch.linspace(0, 1, tokens + 1, dtype=torch.float64, device=device)
        until = _between(
            self._until[item], (self.duration_ms - window * (1 - edges)) / self.step_ms
        )
        mean = (until[1:] - until[:-1]) * (tokens / window)
        spread = torch.linspace(0, 1, self.width, dtype=torch.float64, device=device)
        octave = low.log2() + (high / low).log2() * spread
        above = torch.searchsorted(self._octave, octave.detach()).clamp(1, len(self._octave) - 1)
        left, right = self._octave[above - 1], self._octave[above]
        return _between(mean.T, above - 1 + (octave - left) / (right - left)).T


def _between(rows: Tensor, at: Tensor) -> Tensor:
    """Rows of `(n, …)` at `(m,)` fractional places, from the two beside each."""
    below = at.detach().floor().clamp(0, rows.shape[0] - 2).long()
    part = (at - below).clamp(0, 1)[:, None]
    return (1 - part) * rows[below] + part * rows[below + 1]
