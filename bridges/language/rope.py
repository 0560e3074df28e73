"""Rotary positions: a pair of numbers turns by an angle that grows with the position.

    angle(p, i) = p * theta^(-2i / width)
    (a, b) -> (a cos - b sin, b cos + a sin)

The product of a turned query and a turned key depends on how far apart they are, not on where.
The pair of number i is i + width/2, as in Llama's weights. Su et al. 2021, RoFormer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from bridges.language.settings import LanguageSettings, RopeScaling

__all__ = ["Rotation", "frequencies", "rotation", "turn"]


class Rotation(NamedTuple):
    """Cosine and sine of each token's angles, `(batch, 1, token, head_width / 2)`."""

    cos: Tensor
    sin: Tensor


def rotation(positions: Tensor, settings: LanguageSettings, dtype: torch.dtype) -> Rotation:
    """The rotations of tokens at `(batch, token)` positions.

    Angles are computed in single precision at least: half precision has no room for position
    2000 and a tenth of a radian in one number.
    """
    precise = torch.float64 if dtype == torch.float64 else torch.float32
    per_position = frequencies(settings).to(device=positions.device, dtype=precise)
    angles = positions[:, None, :, None].to(precise) * per_position
    return Rotation(angles.cos().to(dtype), angles.sin().to(dtype))


def turn(values: Tensor, by: Rotation) -> Tensor:
    """Rotate `(batch, head, token, head_width)` queries or keys to their positions."""
    a, b = values.chunk(2, dim=-1)
    return torch.cat([a * by.cos - b * by.sin, b * by.cos + a * by.sin], dim=-1)


def frequencies(settings: LanguageSettings) -> Tensor:
    """Radians a position of each pair, `(head_width / 2,)` in double precision."""
    # On the CPU even where another device is the default: a dozen numbers.
    pairs = torch.arange(0, settings.head_width, 2, dtype=torch.float64, device="cpu")
    plain = settings.rope_theta ** (-pairs / settings.head_width)
    scaling = settings.rope_scaling
    if scaling is None:
        return plain
    if scaling.kind == "linear":
        return plain / scaling.factor
    return _llama3(plain, scaling)


def _llama3(plain: Tensor, scaling: RopeScaling) -> Tensor:
    turns = scaling.original * plain / (2 * math.pi)
    kept = ((turns - scaling.low) / (scaling.high - scaling.low)).clamp(0, 1)
    return kept * plain + (1 - kept) * plain / scaling.factor
