"""Names that configs, files and programs can all hold, made of the names in a graph."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["free_name", "plain_names"]


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """A distinct identifier for each name.

    >>> plain_names(["0", "lif.1", "lif_1", "out"])
    {'0': 'n0', 'lif.1': 'lif_1_2', 'lif_1': 'lif_1', 'out': 'out'}
    """
    names = list(names)
    found = {name: name for name in names if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)}
    taken = set(found)
    for name in names:
        if name not in found:
            plain = re.sub(r"\W", "_", name, flags=re.ASCII)
            plain = plain if re.match(r"[A-Za-z_]", plain) else f"n{plain}"
            found[name] = free_name(plain, taken)
            taken.add(found[name])
    return {name: found[name] for name in names}


def free_name(name: str, taken: Iterable[str]) -> str:
    """`name`, or with a number behind it if it is taken."""
    taken, chosen, number = set(taken), name, 1
    while chosen in taken:
        number += 1
        chosen = f"{name}_{number}"
    return chosen
