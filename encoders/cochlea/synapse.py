"""The inner hair cell's ribbon synapse: calcium opens, vesicle pools adapt."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.cochlea.hair_cell import HAIR_CELL, HairCell
from neuro.denormals import flush_denormals
from neuro.units import admit, quantities

__all__ = [
    "HIGH", "LOW", "MAP_POOLS", "MEDIUM", "SUMNER_POOLS", "SYNAPSES", "Calcium", "Pools", "Synapse",
]  # fmt: skip


@dataclass(frozen=True)
class Calcium:
    """Third-order activated calcium channels of the presynaptic membrane.

    m∞ = 1 / (1 + e^(−γV) / β), τ_m dm/dt = m∞ − m, I = G m³ (E_Ca − V)

    Source: Sumner et al. 2002, J Acoust Soc Am 111:2178; values as in MAP 1.14.
    """

    g_ns: float = 14.0
    e_mv: float = 66.0
    beta: float = 400.0
    gamma_per_mv: float = 0.1
    tau_m_ms: float = 0.05

    def __post_init__(self) -> None:
        admit(self)

    @quantities
    def current_pa(self, potential_mv: NDArray[np.float64], dt_ms: float) -> NDArray[np.float64]:
        """`(n,)` inward current that follows from `(n,)` membrane potential."""
        from encoders.cochlea._kernels import calcium_current

        with flush_denormals():
            current: NDArray[np.float64] = calcium_current(potential_mv, dt_ms, *astuple(self))
        return current


@dataclass(frozen=True)
class Pools:
    """Vesicles in the free pool q, the cleft c and the reprocessing store w.

    dq/dt = y(M − q) + xw − kq,  dc/dt = kq − (l + r)c,  dw/dt = rc − xw

    Rates are per second. Released vesicles drain q, so release falls after an onset; what is
    recovered from the cleft comes back with a delay. Expectations, not single vesicles.
    Driven without limit, release settles at yM(l + r)/l.

    Source: Meddis 1986, J Acoust Soc Am 79:702.
    """

    size: float
    replenish_hz: float  # y
    reprocess_hz: float  # x
    loss_hz: float  # l
    recovery_hz: float  # r
    source: str = ""

    def __post_init__(self) -> None:
        admit(self)

    @property
    def saturated_hz(self) -> float:
        """Vesicles per second when the drive has no limit."""
        return self.replenish_hz * self.size * (self.loss_hz + self.recovery_hz) / self.loss_hz


MAP_POOLS = Pools(12, 6, 60, 250, 500, source="MAP 1.14 (Meddis laboratory)")
SUMNER_POOLS = Pools(10, 10, 66.3, 2580, 6580, source="Sumner et al. 2002")


@dataclass(frozen=True)
class Synapse:
    """From calcium current to vesicles per second: k = z · max(0, Ca³ − threshold³).

    Calcium follows the current with time constant `tau_ca_ms`; this and the threshold are what
    set a fibre's class (spontaneous rate and threshold).
    """

    name: str
    tau_ca_ms: float
    threshold_pa_ms: float = 0.0
    z: float = 2e-6  # per ms and (pA·ms)³; 2e42 per s and (A·s)³ in MAP 1.14
    pools: Pools = MAP_POOLS

    def __post_init__(self) -> None:
        admit(self)

    @quantities
    def release_hz(self, current_pa: NDArray[np.float64], dt_ms: float) -> NDArray[np.float64]:
        """`(n,)` expected vesicles per second, from the pools' steady state at the first sample."""
        from encoders.cochlea._kernels import release

        pools = self.pools
        rates_per_ms = [
            rate / 1000.0
            for rate in (pools.replenish_hz, pools.reprocess_hz, pools.loss_hz, pools.recovery_hz)
        ]
        with flush_denormals():
            released: NDArray[np.float64] = release(
                current_pa, dt_ms, self.tau_ca_ms, self.threshold_pa_ms, self.z, pools.size,
                *rates_per_ms,
            )  # fmt: skip
        return 1000.0 * released

    def resting_hz(self, cell: HairCell = HAIR_CELL, calcium: Calcium | None = None) -> float:
        """Vesicles per second in silence: the spontaneous rate before refractoriness."""
        calcium = calcium or Calcium()
        rest = np.full(1, cell.rest_mv)
        return float(self.release_hz(calcium.current_pa(rest, 0.025), 0.025)[0])


# Classes by spontaneous rate (Liberman 1978). MAP 1.14 distinguishes two, by tau_Ca 80 and
# 30 µs; a calcium threshold (as in Sumner et al. 2002) makes the third. Its value is an
# engineering choice: silent at rest, threshold 10 to 20 dB above the first class's.
HIGH = Synapse("high", tau_ca_ms=0.08)
MEDIUM = Synapse("medium", tau_ca_ms=0.03)
LOW = Synapse("low", tau_ca_ms=0.03, threshold_pa_ms=8.0)
SYNAPSES = {synapse.name: synapse for synapse in (HIGH, MEDIUM, LOW)}
