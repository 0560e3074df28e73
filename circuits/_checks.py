"""Refusals that circuits share: a setting must make sense before anything is wired."""

from __future__ import annotations

import math

from neuro.errors import NetworkError
from neuro.units import Quantity

__all__ = ["counts", "fan_in", "not_negative", "positive", "spread"]


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


def spread(circuit: str, n_cells: int, usual: Quantity, **ends: Quantity) -> None:
    """Refuse a range, its low and its high end, that runs backwards or is not finite.

    One cell is at the low end: a high end other than that or the `usual` one, its default, has
    no effect.

    Raises:
        NetworkError: naming the circuit, both settings and what was found.
    """
    (low, first), (high, last) = ends.items()
    if n_cells == 1:
        if last not in (usual, first):
            raise NetworkError(
                f"{circuit} needs n_cells of at least 2 for `{high}`: its one cell is at `{low}`, "
                f"{first}, found {high} {last}; leave `{high}` out or set more cells"
            )
    elif not first <= last < Quantity(math.inf, last.dimension):
        raise NetworkError(
            f"{circuit} needs finite {low} <= {high}, found {low} {first} and {high} {last}; "
            f"set a lower `{low}` or a higher, finite `{high}`"
        )
