"""From the densities a paper gives to the quantities of a cell of a chosen area."""

from __future__ import annotations

from typing import NamedTuple

from neuro.units import Quantity, nS, pA, pF

__all__ = ["Membrane"]


class Membrane(NamedTuple):
    """A patch of membrane of `area` cm².

    >>> patch = Membrane(area=1e-4)
    >>> patch.c(1), patch.g(35), patch.i(0.5)
    (100 pF, 3500 nS, 50 pA)
    """

    area: float

    def c(self, uf_per_cm2: float) -> Quantity:
        """Capacitance of the patch."""
        return pF(round(uf_per_cm2 * self.area * 1e6, 9))

    def g(self, ms_per_cm2: float) -> Quantity:
        """Conductance of the patch."""
        return nS(round(ms_per_cm2 * self.area * 1e6, 9))

    def i(self, ua_per_cm2: float) -> Quantity:
        """Current through the patch."""
        return pA(round(ua_per_cm2 * self.area * 1e6, 9))
