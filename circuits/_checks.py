"""Refusals that circuits share: a setting must make sense before anything is wired."""

from __future__ import annotations

from neuro.errors import NetworkError

__all__ = ["counts", "not_negative", "positive"]


def counts(circuit: str, **values: int) -> None:
    """Refuse a count below one.

    Raises:
        NetworkError: naming the circuit, the setting and what was found.
    """
    for name, value in values.items():
        if value < 1:
            raise NetworkError(f"{circuit} needs {name} of at least 1, found {value}")


def positive(circuit: str, **values: float) -> None:
    """Refuse a quantity that is zero, negative or not finite.

    Raises:
        NetworkError: naming the circuit, the setting and what was found.
    """
    for name, value in values.items():
        if not 0 < value < float("inf"):
            raise NetworkError(f"{circuit} needs a finite {name} above 0, found {value}")


def not_negative(circuit: str, **values: float) -> None:
    """Refuse a quantity that is negative or not finite; zero switches a thing off.

    Raises:
        NetworkError: naming the circuit, the setting and what was found.
    """
    for name, value in values.items():
        if not 0 <= value < float("inf"):
            raise NetworkError(f"{circuit} needs a finite {name} of 0 or more, found {value}")
