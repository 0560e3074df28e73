"""Spikes as the tokens a reasoner reads: one token a time bin, counts first, then timing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from bridges.features.phase import phase_counts
from bridges.features.pitch import CYCLE_FEATURES, cycle_features, rhythm
from neuro.errors import ConfigError
from neuro.spikes import Spikes
from neuro.units import admit

__all__ = ["TokenLayout", "tokens"]


@dataclass(frozen=True)
class TokenLayout:
    """What a token holds.

    Attributes:
        n_channels: Channels of the nerve.
        bin_ms: Time covered by a token.
        phase_parts: Parts of the cycle in which spikes are told apart.
        pitch_low_hz, pitch_high_hz: Where the common rhythm is sought.
    """

    n_channels: int
    bin_ms: float
    phase_parts: int = 4
    pitch_low_hz: float = 70.0
    pitch_high_hz: float = 500.0

    def __post_init__(self) -> None:
        admit(self)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each column: `count_3`, `phase_3_0`, `jitter` …"""
        channels, parts = range(self.n_channels), range(self.phase_parts)
        return (
            *(f"count_{channel}" for channel in channels),
            *(f"phase_{channel}_{part}" for channel in channels for part in parts),
            *CYCLE_FEATURES,
        )

    @property
    def size(self) -> int:
        """Numbers a token."""
        return len(self.names)

    @property
    def loudness(self) -> Tensor:
        """`(size,)` weights of columns of unit variance, mean square 1.

        They make counts as loud as timing, and within timing the phases as loud as the course of
        the rhythm, however many columns each has.
        """
        groups = (self.n_channels, self.n_channels * self.phase_parts, len(CYCLE_FEATURES))
        shares = (0.5, 0.25, 0.25)
        weights = [
            math.sqrt(self.size * share / n) for share, n in zip(shares, groups, strict=True)
        ]
        return torch.repeat_interleave(torch.tensor(weights), torch.tensor(groups))

    @property
    def timed(self) -> Tensor:
        """`(size,)` True for the columns that need more than spike counts."""
        return torch.arange(self.size) >= self.n_channels


def tokens(spikes: Spikes, channels: ArrayLike, layout: TokenLayout) -> Tensor:
    """`(n_bins, layout.size)` float32.

    Columns: the square root of each channel's count, which makes the variance of Poisson counts
    even; then, per channel and part of the cycle of the population's own rhythm, how far the
    count in that part is from an even share, in standard deviations of the multinomial (0 for a
    silent bin); then the course of the rhythm (`pitch.cycle_features`).

    The first are functions of the counts alone. The reference of the phases is made from the
    spikes themselves, so phases of untimed spikes are not uniform either: compare with
    `surrogate.untimed`, not with zero.

    Raises:
        ConfigError: if the spikes' window or channels do not fit the layout.
    """
    found = rhythm(
        spikes, low_hz=layout.pitch_low_hz, high_hz=layout.pitch_high_hz, channels=channels
    )
    parts = layout.phase_parts
    split = phase_counts(
        spikes, found.phases_rad, bin_ms=layout.bin_ms, parts=parts, channels=channels
    )
    absent = layout.n_channels - split.shape[1]
    if absent < 0:
        raise ConfigError(
            f"channels must be those of the layout, 0 to {layout.n_channels - 1}, found "
            f"{split.shape[1] - 1}"
        )
    split = torch.nn.functional.pad(split, (0, 0, 0, absent))  # channels without a unit are silent
    total = split.sum(-1, keepdim=True)
    spread = torch.sqrt(torch.clamp(total * (1 / parts) * (1 - 1 / parts), min=1e-6))
    even = torch.where(total > 0, (split - total / parts) / spread, torch.zeros_like(split))
    return torch.cat(
        [
            torch.sqrt(total.squeeze(-1)),
            even.flatten(1),
            cycle_features(found, spikes, bin_ms=layout.bin_ms),
        ],
        dim=1,
    )
