"""The inner hair cell: stereocilia open channels, the membrane low-passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro.denormals import flush_denormals
from neuro.units import admit, quantities

__all__ = ["BUNDLE_NM_PER_PA", "HAIR_CELL", "HairCell"]

# Engineering choice: a tone of 5 dB SPL at its own place then just raises the rate of a fibre
# with high spontaneous rate, as in a good human ear at 1 kHz.
BUNDLE_NM_PER_PA = 3e4


@dataclass(frozen=True)
class HairCell:
    """Transduction and membrane of one inner hair cell.

    G(u) = G_a + G_max / (1 + e^((u0−u)/s0) · (1 + e^((u1−u)/s1)))
    C dV/dt = −G(u)·(V − E_t) − G_k·(V − E_k − R_pc·E_t)

    The asymmetric conductance rectifies; the membrane (C/(G + G_k), 0.15–0.2 ms) is the first
    of the low-passes that end phase locking at high frequencies.

    Source: Meddis 2006, J Acoust Soc Am 119:406; values as in MAP 1.14.
    """

    u0_nm: float = 5.0
    s0_nm: float = 30.0
    u1_nm: float = 1.0
    s1_nm: float = 1.0
    g_max_ns: float = 6.0
    g_a_ns: float = 0.8
    g_k_ns: float = 20.0
    e_t_mv: float = 100.0
    e_k_mv: float = -80.0
    c_pf: float = 4.0
    r_pc: float = 0.04

    def __post_init__(self) -> None:
        admit(self)

    @quantities
    def potential_mv(self, bundle_nm: NDArray[np.float64], dt_ms: float) -> NDArray[np.float64]:
        """`(n,)` membrane potential that follows from `(n,)` bundle displacement, from rest."""
        from encoders.cochlea._kernels import receptor_potential

        with flush_denormals():
            potential: NDArray[np.float64] = receptor_potential(
                np.ascontiguousarray(bundle_nm, dtype=np.float64),
                dt_ms,
                self.u0_nm, self.s0_nm, self.u1_nm, self.s1_nm,
                self.g_max_ns, self.g_a_ns, self.g_k_ns,
                self.e_t_mv, self.e_k_mv + self.r_pc * self.e_t_mv, self.c_pf,
            )  # fmt: skip
        return potential

    @property
    def rest_mv(self) -> float:
        """Potential in silence."""
        return float(self.potential_mv(np.zeros(1), 1e6)[0])


HAIR_CELL = HairCell()
