"""Names have three owners, and none can reach another's.

The user's names are those of `check_name`: ASCII letters, digits and underscores, never two
underscores in a row. Composition and derivation join their own names with two: `tau__p1` is the
`tau` of a population's first port, `v__new` the `v` after a step. Printed code writes a program's
`v` as `u_v` (`printed`); its own names (loop variables, helpers, what it imports) do not begin so.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable

from neuro.equations.syntax import CONSTANTS, FUNCTIONS

__all__ = ["ELAPSED", "WEIGHT", "plain", "plain_text", "printed", "printed_text", "renamed"]

WEIGHT = "w__arriving"  # `w` in on_pre; a neuron may have a variable `w` of its own
ELAPSED = "elapsed__"  # the time since an edge was last brought up to date
_OWN = frozenset({"t", "dt", "i", "N", WEIGHT, ELAPSED})
_PREFIX = "u_"
_WORD = re.compile(r"\b[A-Za-z_]\w*")
_NO_NAMES = FUNCTIONS | CONSTANTS.keys() | {*keyword.kwlist}


def printed(name: str) -> str:
    """What printed code calls a program's name: `v` is `u_v`, and `v_post` is `u_v_post`."""
    own = name.removesuffix("_post").removesuffix("_pre") in _OWN
    return name if own else _PREFIX + name


def plain(name: str) -> str:
    """The program's name for one of printed code."""
    return name.removeprefix(_PREFIX)


def plain_text(text: str) -> str:
    """An expression of printed code with the program's names, for a message."""
    return renamed(text, plain)


def printed_text(text: str, names: Iterable[str] | None = None) -> str:
    """An expression with its variables as printed code calls them.

    Args:
        names: The variables; all that is no function or constant if None.
    """
    known = None if names is None else frozenset(names)
    return renamed(text, lambda name: printed(name) if known is None or name in known else name)


def renamed(text: str, new: Callable[[str], str]) -> str:
    """An expression with `new` of each of its variables in its place."""
    return _WORD.sub(lambda m: m[0] if m[0] in _NO_NAMES else new(m[0]), text)
