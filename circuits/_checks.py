"""Refusals that circuits share: a setting must make sense before anything is wired."""

from __future__ import annotations

from neuro.errors import NetworkError

__all__ = ["counts", "fan_in", "not_negative", "positive"]


def counts(circuit: str, **values: int) -> None:
    """Refuse a count below one.

    Raises:
        NetworkError: naming the circuit, the setting and what was found.
    """
    for name, value in values.items():
        if value < 1:
            raise NetworkError(f"{circuit} needs {name} of at least 1, found {value}")


def fan_in(circuit: str, name: str, given: int, usual: int, n: int, what: str) -> int:
    """How many of the `n` there are reach a cell: what is given, or the usual number or all.

    Raises:
        NetworkError: if another than the usual number is given and there are fewer.
    """
    if given != usual and given > n:
        raise NetworkError(
            f"{circuit} needs {name} of at most {n}, the number of {what}, found {given}"
        )
    return min(given, n)


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
