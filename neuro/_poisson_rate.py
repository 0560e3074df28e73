"""Poisson cells draw once a step, so their rate must be low against the step."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from neuro.errors import NetworkError
from neuro.modulation import Effect
from neuro.network import Population

__all__ = ["check_poisson_rate"]

# With at most one spike a step the variance of spike counts falls short of a Poisson process's by
# the fraction rate*dt; above 1 spikes are lost. Engineering choice: up to a tenth is borne.
_MOST = 0.1


def check_poisson_rate(
    population: Population, rate: ArrayLike, effects: Iterable[Effect], dt_ms: float
) -> None:
    """Refuse cells that spike with probability `rate*dt` if that is no small number.

    Args:
        rate: Rates bound to the cells, per ms.
        effects: Modulation of the network; what acts on the rate may raise it.

    Raises:
        NetworkError: if the rate is not a number of 0 or more, or above a tenth of a spike a step.
    """
    lowest, highest = float(np.min(rate)), float(np.max(rate))
    if lowest < 0:
        raise NetworkError(
            f"population `{population.name}`: rate must not be negative, found {lowest * 1e3:g} Hz"
        )
    ours = [e for e in effects if (e.target, e.parameter) == (population.name, "rate")]
    # Receptors may saturate together: p*max(0, 1 + sum(at_saturation - 1)).
    highest *= 1 + sum(max(0.0, e.at_saturation - 1) for e in ours)
    if highest * dt_ms > _MOST:
        raise NetworkError(
            f"population `{population.name}`: a Poisson cell needs a rate of at most "
            f"{_MOST / dt_ms * 1e3:g} Hz at a dt of {dt_ms:g} ms, found {highest * 1e3:g} Hz; "
            f"lower dt, use more cells, or a background, which has no such limit"
        )
