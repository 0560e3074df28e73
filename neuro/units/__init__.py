"""The closed unit system: ms, mV, pA, nS, pF, nM, plus metre, degree Celsius and dB SPL.

Every number inside Ember is in this one coherent system (pA/pF = mV/ms, nS·mV = pA), so no
conversion factor appears in a kernel. A frequency is therefore per millisecond inside; names
such as `rate_hz` mark the places at the surface where a plain number per second is meant.

`dimension`  powers of the base units        `number`    plain numbers and arrays
`quantity`   a number with its dimension     `named`     ms, mV, …; Time, Voltage, …
`text`       text with a unit                `foreign`   quantities of other packages
`gate`       what a public function takes    `declared`  the gate of a function or dataclass
"""

from neuro.units.declared import admit, quantities
from neuro.units.dimension import (
    CAPACITANCE,
    CONCENTRATION,
    CONDUCTANCE,
    CURRENT,
    FREQUENCY,
    LENGTH,
    LEVEL,
    NUMBER,
    SPEED,
    TEMPERATURE,
    TIME,
    VOLTAGE,
    Dimension,
    coherent_factor,
    dimension_from_si,
)
from neuro.units.gate import number_in, parse_quantity, read, read_in
from neuro.units.named import (
    Capacitance,
    Concentration,
    Conductance,
    Current,
    Frequency,
    Hz,
    Length,
    Level,
    Speed,
    Temperature,
    Time,
    Unit,
    Voltage,
    celsius,
    dB,
    m,
    m_per_s,
    ms,
    mV,
    nM,
    nS,
    pA,
    pF,
)
from neuro.units.number import coherent
from neuro.units.quantity import Quantity

__all__ = [
    "CAPACITANCE", "CONCENTRATION", "CONDUCTANCE", "CURRENT", "FREQUENCY", "LENGTH", "LEVEL",
    "NUMBER", "SPEED", "TEMPERATURE", "TIME", "VOLTAGE",
    "Capacitance", "Concentration", "Conductance", "Current", "Dimension", "Frequency", "Length",
    "Level", "Quantity", "Speed", "Temperature", "Time", "Unit", "Voltage",
    "Hz", "admit", "celsius", "coherent", "coherent_factor", "dB", "dimension_from_si", "m",
    "m_per_s", "ms", "mV", "nM", "nS", "number_in", "pA", "pF", "parse_quantity", "quantities",
    "read", "read_in",
]  # fmt: skip
