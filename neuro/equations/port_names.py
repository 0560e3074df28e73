"""What people call a variable or parameter that a synapse has on its target.

In a population's program it is `I_syn__p1`, of its first port. People write `ff.I_syn`, after any
of the projections and backgrounds that share the port, and read it after the first of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from neuro.equations.names import WEIGHT
from neuro.errors import EquationError

if TYPE_CHECKING:
    from neuro.equations.compose import Port

__all__ = ["inside", "of_port", "outside", "without_ports"]

_PORT = "__p"


def of_port(number: int) -> str:
    """What is put behind the names of a population's port; ports are counted from 1."""
    return f"{_PORT}{number}"


def inside(name: str, known: Iterable[str], ports: Sequence[Port]) -> str | None:
    """The program's name for what a person calls `name`, if it is one of `known`."""
    owner, dot, bare = name.rpartition(".")
    if not dot:
        return name if name in known and "__" not in name else None
    for port in ports:
        if owner in port.projections and bare + port.suffix in known:
            return bare + port.suffix
    return None


def outside(name: str, ports: Sequence[Port]) -> str:
    """What a person calls the program's `name`."""
    bare, separator, number = name.rpartition(_PORT)
    for port in ports if separator else ():
        if port.suffix == _PORT + number and port.projections:
            return f"{port.projections[0]}.{bare}"
    return name


@contextmanager
def without_ports() -> Iterator[None]:
    """Errors about equations name a synapse's variables as its own text does."""
    try:
        yield
    except EquationError as error:
        text = str(error).replace(WEIGHT, "w")
        raise EquationError(re.sub(rf"{_PORT}\d+\b", "", text)) from error.__cause__
