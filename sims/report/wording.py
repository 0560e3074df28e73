"""Names, numbers and units as a person reads them, in pages and in pictures."""

from __future__ import annotations

__all__ = ["coordinate_label", "labelled", "plain", "pretty_unit", "words"]

_PRETTY_UNITS = {"degC": "°C", "1": "", "uS": "µS"}
_SUFFIXES = {
    "m_per_s": "m/s", "hz": "Hz", "m": "m", "ms": "ms", "s": "s", "rad": "rad", "deg": "°",
    "mV": "mV", "pA": "pA", "nS": "nS", "nM": "nM", "c": "°C",
}  # fmt: skip


def pretty_unit(unit: str) -> str:
    """A unit as a person prints it."""
    return _PRETTY_UNITS.get(unit, unit)


def labelled(name: str, unit: str) -> str:
    """`name (unit)`, or the name alone for a pure number."""
    shown = pretty_unit(unit)
    return f"{name} ({shown})" if shown else name


def plain(value: float) -> str:
    """A number with three digits that never needs an exponent to be read."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def words(name: str) -> str:
    """A population's or parameter's name as words."""
    return name.replace("_", " ")


def coordinate_label(name: str) -> str:
    """`cf_hz` -> `cf (Hz)`: the unit is the suffix of the name."""
    for suffix, unit in _SUFFIXES.items():
        if name.endswith(f"_{suffix}"):
            return labelled(words(name.removesuffix(f"_{suffix}")), unit)
    return words(name)
