"""Learned windows: how far back, and how sharply, each token looks is found by training."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bridges.features._steps import floating, steps_of
from bridges.features.batch import SpikeBatch
from neuro.errors import ConfigError
from neuro.units import quantities

__all__ = ["LearnedWindows"]


class LearnedWindows(torch.nn.Module):
    """Weighted counts of recent spikes through smooth windows whose place and width are learned.

    A window is a Gaussian of the logarithm of a spike's age, so that recent spikes are told apart
    finely and old ones coarsely, as cosine bumps on a logarithmic axis do (Pillow et al. 2008,
    Nature 454:995) and as time cells do. At the start the windows tile the span evenly.

    Args:
        n_windows: Windows of each unit; all units share them.
        span_ms: Oldest spike that is looked at.
        hop_ms: Time between two tokens.
        finest_ms: Age below which time is not told apart; engineering choice.

    Raises:
        ConfigError: if a length is not positive, or there is no window.

    The learned parameters are `centre` and `log_width`, `(n_windows,)`, on the logarithmic axis.
    """

    @quantities
    def __init__(
        self, n_windows: int, *, span_ms: float, hop_ms: float, finest_ms: float = 1.0
    ) -> None:
        super().__init__()
        if n_windows < 1 or not (span_ms > 0 and hop_ms > 0 and finest_ms > 0):
            raise ConfigError(
                "learned windows must be one or more, of a span, a hop and a finest age above "
                f"0 ms, found {n_windows} of {span_ms:g}, {hop_ms:g} and {finest_ms:g} ms"
            )
        self.span_ms, self.hop_ms, self.finest_ms = span_ms, hop_ms, finest_ms
        reach = math.log1p(span_ms / finest_ms)
        self.centre = torch.nn.Parameter((torch.arange(n_windows) + 0.5) * (reach / n_windows))
        self.log_width = torch.nn.Parameter(torch.full((n_windows,), math.log(reach / n_windows)))

    @quantities
    def weights(self, ages_ms: Tensor) -> Tensor:
        """`(…, n_windows)`: what a spike of each age counts in each window; 0 outside the span."""
        place = torch.log1p(ages_ms.clamp(min=0) / self.finest_ms).unsqueeze(-1)
        away = (place - self.centre) * torch.exp(-self.log_width)
        seen = (ages_ms > 0) & (ages_ms <= self.span_ms)
        return torch.exp(-0.5 * away.square()) * seen.unsqueeze(-1)

    def forward(self, spikes: SpikeBatch) -> Tensor:
        """Tokens of stored spikes, from their times themselves.

        Returns:
            `(n_items, n_tokens, n_units, n_windows)`; a token is read at the end of its hop.

        Raises:
            ConfigError: if the window of the spikes is no whole number of hops.
        """
        n_tokens = steps_of("a window of spikes", spikes.duration_ms, self.hop_ms)
        ahead = math.ceil(self.span_ms / self.hop_ms) + 1
        dtype, device = self.centre.dtype, self.centre.device
        since = spikes.times_ms.to(device)  # float64: ages are differences
        first = spikes.bins(self.hop_ms).to(device)
        tokens = first.unsqueeze(-1) + torch.arange(ahead, device=device)
        ages = (tokens + 1) * self.hop_ms - since.unsqueeze(-1)
        inside = tokens < n_tokens
        weights = self.weights(ages.to(dtype)) * inside.unsqueeze(-1)
        rows = spikes.items.to(device).unsqueeze(-1) * n_tokens + tokens.clamp(max=n_tokens - 1)
        cells = rows * spikes.n_units + spikes.units.to(device).unsqueeze(-1)
        n_windows = self.centre.numel()
        summed = torch.zeros(
            spikes.n_items * n_tokens * spikes.n_units, n_windows, dtype=dtype, device=device
        ).index_add(0, cells.reshape(-1), weights.reshape(-1, n_windows))
        return summed.reshape(spikes.n_items, n_tokens, spikes.n_units, n_windows)

    @quantities
    def of_raster(self, raster: Tensor, *, dt_ms: float) -> Tensor:
        """The same of a raster `(n_steps, …, n)`, with gradients into the spikes as well.

        Returns:
            `(n_tokens, …, n, n_windows)`; a spike is at the start of its step.

        Raises:
            ConfigError: if the hop is no whole number of steps, or the raster of hops, or not
                floating point.
        """
        floating(raster)
        hop = steps_of("a hop", self.hop_ms, dt_ms)
        steps_of("a raster", raster.shape[0] * dt_ms, self.hop_ms)
        back = math.ceil(self.span_ms / dt_ms)
        ages = torch.arange(back, 0, -1, dtype=raster.dtype, device=raster.device) * dt_ms
        silence = raster.new_zeros(back - hop if back > hop else 0, *raster.shape[1:])
        whole = torch.cat([silence, raster])[max(hop - back, 0) :]
        looks = whole.unfold(0, back, hop)  # (n_tokens, …, n, back)
        return looks @ self.weights(ages)
