"""Rasters, time first: cut into bins, summed with a memory that decays; shared by the features."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuro.errors import ConfigError

__all__ = ["checked_tau", "decayed", "floating", "in_bins", "steps_of"]

_BLOCK = 128  # steps summed by one product; engineering choice


def steps_of(what: str, length_ms: float, dt_ms: float) -> int:
    """How many steps a length of time is.

    Raises:
        ConfigError: if it is no whole number of them, or none.
    """
    steps = round(length_ms / dt_ms) if dt_ms > 0 and math.isfinite(length_ms) else 0
    if steps < 1 or abs(steps * dt_ms - length_ms) > 1e-6 * dt_ms:
        raise ConfigError(
            f"{what} must be a whole number of time steps, found {length_ms:g} ms "
            f"in steps of {dt_ms:g} ms"
        )
    return steps


def floating(raster: Tensor) -> Tensor:
    """The raster.

    Raises:
        ConfigError: if it is not floating point: weights between 0 and 1 would be cut to 0.
    """
    if not raster.is_floating_point():
        raise ConfigError(
            f"a raster must be of a floating point type, found {raster.dtype}; give raster.float()"
        )
    return raster


def in_bins(raster: Tensor, *, bin_ms: float, dt_ms: float) -> Tensor:
    """`(n_steps, …)` as `(n_bins, steps of a bin, …)`.

    Raises:
        ConfigError: if the bins are no whole number of steps, or the raster of bins, or not
            floating point.
    """
    floating(raster)
    steps = steps_of("a time bin", bin_ms, dt_ms)
    if raster.ndim < 2 or raster.shape[0] == 0 or raster.shape[0] % steps:
        raise ConfigError(
            f"a raster must be (steps, …, units) of a whole number of bins of {steps} steps, "
            f"found shape {tuple(raster.shape)}"
        )
    return raster.unflatten(0, (-1, steps))


def decayed(raster: Tensor, *, tau_ms: float, dt_ms: float) -> Tensor:
    """At each step, the sum of `exp(-age/tau)` over all spikes so far, that of the step included.

    Args:
        raster: `(n_steps, …)`.

    Raises:
        ConfigError: if the raster is not floating point.

    A product with a triangle of decays for each block of steps: exact, with no loop over steps.
    """
    floating(raster)
    ages = torch.arange(_BLOCK, dtype=raster.dtype, device=raster.device) * (dt_ms / tau_ms)
    apart = ages[:, None] - ages
    triangle = torch.where(apart >= 0, torch.exp(-apart), torch.zeros_like(apart))
    before = torch.exp(-(ages + dt_ms / tau_ms)).reshape(-1, *(1,) * (raster.ndim - 1))
    kept = torch.zeros_like(raster[0])
    parts = []
    for block in raster.split(_BLOCK):
        n = block.shape[0]
        part = torch.einsum("ts,s...->t...", triangle[:n, :n], block) + before[:n] * kept
        kept = part[-1]
        parts.append(part)
    return torch.cat(parts)


def checked_tau(tau_ms: float) -> float:
    """The time constant.

    Raises:
        ConfigError: if it is not a positive number.
    """
    if not 0 < tau_ms < math.inf:
        raise ConfigError(f"a time constant must be longer than 0 ms, found {tau_ms:g} ms")
    return tau_ms
