"""What the numbers of a NIR file stand for.

NIR gives its equations without units; its time constants are seconds (Pedersen et al. 2024, Nat
Commun 15:8122). Voltages and currents are plain numbers in every tool that trains, and volts and
amperes in none, so a file must say what it means or its reader be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from neuro.errors import UnitError
from neuro.nir.errors import NirError
from neuro.units import CURRENT, TIME, VOLTAGE, Quantity, mV, pA, parse_quantity
from neuro.units import ms as _ms

__all__ = ["CHOICES", "OWN", "Units", "units_of"]


class Units(NamedTuple):
    """How much one of a file's units of time, voltage and current is.

    >>> Units().time, Units().voltage, Units().current
    (1000 ms, 1 mV, 1 pA)
    """

    time: Quantity = _ms(1000)
    voltage: Quantity = mV(1)
    current: Quantity = pA(1)

    @property
    def resistance(self) -> float:
        """One unit of `r` in mV/pA."""
        return float(self.voltage) / float(self.current)

    def metadata(self) -> dict[str, str]:
        """As it is noted in a file, to be read by `units_of`."""
        return {name: value.text for name, value in self._asdict().items()}


@dataclass(frozen=True)
class _Choice:
    units: Units
    about: str


CHOICES: dict[str, _Choice] = {
    "plain": _Choice(Units(), "tau in seconds, plain numbers else: 1 is read as 1 mV and 1 pA"),
    "SI": _Choice(Units(voltage=mV(1e3), current=pA(1e12)), "seconds, volts, amperes and ohms"),
    "norse": _Choice(
        Units(), "plain, as `norse.torch.to_nir` writes: every tau is multiplied by dt"
    ),
}
"""Names for the units of files that do not say."""

OWN = Units()
"""What Ember writes: seconds, and millivolts counted from where each cell starts."""


def units_of(metadata: Mapping[str, Any]) -> Units | None:
    """The units that a file notes in its metadata, or None if it does not say.

    Raises:
        NirError: if what it notes is no unit of the right kind.
    """
    noted = metadata.get("units")
    if noted is None:
        return None
    if not isinstance(noted, Mapping):
        raise NirError(f"the metadata `units` must name units, found {noted!r:.60}")
    found = {}
    for name, dimension in (("time", TIME), ("voltage", VOLTAGE), ("current", CURRENT)):
        if name not in noted:
            raise NirError(f"the metadata `units` must have `{name}`, found {sorted(noted)}")
        try:
            found[name] = parse_quantity(noted[name], dimension)
        except UnitError as error:
            raise NirError(f"the metadata `units/{name}`: {error}") from None
        if not float(found[name]) > 0:
            raise NirError(f"the metadata `units/{name}` must be positive, found {noted[name]}")
    return Units(**found)
