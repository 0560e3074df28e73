"""Rates that theory gives for integrate-and-fire cells: what a simulation is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.errors import NetworkError
from neuro.units import VOLTAGE, admit, quantities

__all__ = ["BalancedNetwork", "siegert_rate"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_ROOT_PI = np.sqrt(np.pi)


@quantities
def siegert_rate(
    mean: Annotated[ArrayLike, VOLTAGE],
    noise: Annotated[ArrayLike, VOLTAGE],
    *,
    threshold: Annotated[float, VOLTAGE],
    reset: Annotated[float, VOLTAGE],
    tau_ms: float,
    refractory_ms: float = 0.0,
) -> NDArray[np.float64]:
    """Stationary rate of a leaky integrate-and-fire cell whose input is Gaussian white noise.

        1/rate = refractory + tau √π ∫ e^(u²) (1 + erf u) du,  u from (reset - mean)/noise
                                                                to (threshold - mean)/noise

    (Siegert 1951, Phys Rev 81:617; Brunel & Hakim 1999, Neural Comput 11:1621.) It is the limit
    of many small inputs without memory: a large jump at a spike, a synaptic time constant or a
    coarse time step move a simulated rate away from it.

    Args:
        mean: Mean of the free membrane, from rest, as `threshold` and `reset`; mV.
        noise: Brunel's σ, √2 times the standard deviation of the free membrane; mV. At 0 it is
            the rate of a constant current.
        threshold, reset: mV.
        tau_ms, refractory_ms: Of the membrane, and after a spike.

    Returns:
        Rate in Hz, of the shape that `mean` and `noise` have together; exact to about 1e-10 of
        itself, and 0 where it is too small for a double.

    Raises:
        NetworkError: if times or noise are negative, or `reset` is not under `threshold`.

    >>> round(float(siegert_rate(15.0, 10.0, threshold=20, reset=10, tau_ms=20)), 3)
    25.881
    """
    mean, noise = np.broadcast_arrays(np.asarray(mean, float), np.asarray(noise, float))
    if not reset < threshold:
        raise NetworkError(f"a reset must be under the threshold of {threshold}, found {reset}")
    if not (tau_ms > 0 and refractory_ms >= 0 and np.all(noise >= 0)):
        raise NetworkError(
            f"a Siegert rate needs tau above 0, and refractory time and noise of 0 or more, found "
            f"tau {tau_ms} ms, refractory {refractory_ms} ms, noise down to {noise.min()}"
        )
    passage = np.full(mean.shape, np.inf)
    noisy = noise > 0
    lower, upper = (
        (level - mean[noisy]) / noise[noisy] for level in (float(reset), float(threshold))
    )
    passage[noisy] = _ROOT_PI * _passage(lower, upper)
    steady = ~noisy & (mean > threshold)
    passage[steady] = np.log((mean[steady] - reset) / (mean[steady] - threshold))
    return np.asarray(1000.0 / (refractory_ms + tau_ms * passage))


def _passage(lower: NDArray[np.float64], upper: NDArray[np.float64]) -> NDArray[np.float64]:
    """∫ e^(u²) (1 + erf u) du, which is ∫ erfcx(-u) du."""
    from scipy.special import dawsn

    # Below 0 the integrand is tame. Above, it is 2 e^(u²) - erfcx(u), the first half of which
    # has Dawson's integral for its own; only the last factor can overflow, to a rate of 0.
    below = _tail(-np.minimum(upper, 0), -np.minimum(lower, 0))
    a, b = np.maximum(lower, 0), np.maximum(upper, 0)
    with np.errstate(over="ignore"):
        grown = 2 * np.exp(b * b)
    above = dawsn(b) - np.exp(a * a - b * b) * dawsn(a)
    return np.asarray(below + np.where(above > 0, grown * above, 0.0) - _tail(a, b))


def _tail(start: NDArray[np.float64], stop: NDArray[np.float64]) -> NDArray[np.float64]:
    """∫ erfcx from `start` to `stop`, both at least 0.

    In s = asinh u the integrand goes smoothly from 1 to 1/√π, however far the ends are apart.
    """
    from scipy.special import erfcx

    s0, s1 = np.arcsinh(start), np.arcsinh(stop)
    half = (s1 - s0) / 2
    s = (s0 + s1)[..., None] / 2 + half[..., None] * _NODES
    return np.asarray(half * (erfcx(np.sinh(s)) * np.cosh(s) @ _WEIGHTS))


@dataclass(frozen=True)
class BalancedNetwork:
    """A sparse network of excitatory and inhibitory cells that all hear the same (Brunel 2000).

    Each cell takes `n_excitatory` inputs of `jump` and `n_inhibitory` of `-g * jump` from the
    network, and `n_external` of `jump` from outside; all jumps act on the membrane at once.

    Attributes:
        jump, threshold, reset: mV; the rest is at 0.
        g: Strength of inhibition, as a multiple of excitation.
        tau_ms, refractory_ms: Of the membrane, and after a spike.
        offset: Constant input that moves the mean of the membrane; mV.
    """

    n_excitatory: int
    n_inhibitory: int
    n_external: int
    jump: Annotated[float, VOLTAGE]
    g: float
    threshold: Annotated[float, VOLTAGE] = 20.0
    reset: Annotated[float, VOLTAGE] = 10.0
    tau_ms: float = 20.0
    refractory_ms: float = 2.0
    offset: Annotated[float, VOLTAGE] = 0.0

    def __post_init__(self) -> None:
        admit(self)

    @property
    def threshold_rate_hz(self) -> float:
        """Rate of each external cell whose mean input alone just reaches threshold.

        Raises:
            NetworkError: if there is no such input.
        """
        if not self.jump * self.n_external * self.tau_ms > 0:
            raise NetworkError(
                f"a threshold rate needs n_external, jump and tau above 0, found "
                f"{self.n_external}, {self.jump} mV and {self.tau_ms} ms"
            )
        return 1000.0 * self.threshold / (self.jump * self.n_external * self.tau_ms)

    @quantities
    def mean(self, rate_hz: ArrayLike, external_hz: float) -> NDArray[np.float64]:
        """Mean of the free membrane, in mV, when the network fires at `rate_hz`."""
        own = (self.n_excitatory - self.g * self.n_inhibitory) * np.asarray(rate_hz, float)
        arrivals = (own + self.n_external * external_hz) / 1000.0
        return np.asarray(self.offset + self.jump * self.tau_ms * arrivals)

    @quantities
    def noise(self, rate_hz: ArrayLike, external_hz: float) -> NDArray[np.float64]:
        """Brunel's σ, in mV, when the network fires at `rate_hz`."""
        own = (self.n_excitatory + self.g**2 * self.n_inhibitory) * np.asarray(rate_hz, float)
        arrivals = (own + self.n_external * external_hz) / 1000.0
        return np.asarray(self.jump * np.sqrt(self.tau_ms * arrivals))

    @quantities
    def response_hz(self, rate_hz: ArrayLike, external_hz: float) -> NDArray[np.float64]:
        """How fast a cell fires when the network fires at `rate_hz`."""
        return siegert_rate(
            self.mean(rate_hz, external_hz), self.noise(rate_hz, external_hz),
            threshold=self.threshold, reset=self.reset,
            tau_ms=self.tau_ms, refractory_ms=self.refractory_ms,
        )  # fmt: skip

    @quantities
    def rate_hz(self, external_hz: float) -> float:
        """The self-consistent rate: the highest at which a cell's response falls below it.

        Where several rates are self-consistent (strong excitation, or little input), it is the
        one that a network started at a high rate comes to rest at.

        Raises:
            NetworkError: if there is none below the limit that the refractory time sets.
        """
        from scipy.optimize import brentq

        def excess(rate: float) -> float:
            return float(self.response_hz(rate, external_hz)) - rate

        fastest = 1000.0 / self.refractory_ms if self.refractory_ms else 1e4
        rates = np.concatenate([[0.0], np.geomspace(1e-4, fastest, 2000)])
        above = self.response_hz(rates, external_hz) - rates
        crossings = np.flatnonzero((above[:-1] > 0) & (above[1:] <= 0))
        if not crossings.size:
            if above[0] <= 0:  # without input, silence
                return 0.0
            raise NetworkError(
                f"the network has no self-consistent rate below {fastest:g} Hz; give it a "
                f"refractory time, more inhibition or less input"
            )
        last = crossings[-1]
        return float(brentq(excess, rates[last], rates[last + 1], xtol=1e-10))
