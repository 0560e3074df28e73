"""Names have three owners, and none can reach another's.

A user's name is ASCII letters, digits and underscores, never two underscores in a row
(`check_name`). Composition and derivation join their own names with two: `tau__p1` is the `tau` of
a population's first port, `v__new` the `v` after a step. Printed code writes a program's `v` as
`u_v` (`printed`); its own names (loop variables, helpers, imports) do not begin so.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable

from neuro.errors import EquationError

__all__ = [
    "CONSTANTS", "ELAPSED", "FUNCTIONS", "WEIGHT", "check_name", "check_read", "is_noise", "plain",
    "plain_text", "printed", "printed_text", "renamed",
]  # fmt: skip

FUNCTIONS = frozenset({
    "exp", "log", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos",
    "arctan", "abs", "sign", "floor", "ceil", "clip", "expm1", "exprel", "int", "rand",
    "randn",
})  # fmt: skip
CONSTANTS = {"pi": 3.141592653589793, "e": 2.718281828459045}
WEIGHT = "w__arriving"  # `w` in on_pre; a neuron may have a variable `w` of its own
ELAPSED = "elapsed__"  # the time since an edge was last brought up to date

_MEANINGS = {
    "t": "it is the time", "dt": "it is the time step", "i": "it is the number of the cell",
    "N": "it is the number of cells", "inf": "it is infinity",
    "lastspike": "it is a variable of Brian2's", "not_refractory": "it is a variable of Brian2's",
}  # fmt: skip
_PREFIX = "u_"
_OWN = frozenset({"t", "dt", "i", "N", WEIGHT, ELAPSED})
_WORD = re.compile(r"\b[A-Za-z_]\w*")
_NO_VARIABLES = FUNCTIONS | CONSTANTS.keys() | {*keyword.kwlist}


def check_name(name: str, where: str) -> None:
    """Check that a variable or parameter of a model may be called so, on every back end.

    What Brian2 refuses is refused here too; unit names are refused where dimensions are checked.

    Raises:
        EquationError: naming the reason.
    """
    reason = _MEANINGS.get(name, "")
    if keyword.iskeyword(name):
        reason = "it is a word of Python"
    elif name in FUNCTIONS:
        reason = "it is a function"
    elif name in CONSTANTS:
        reason = "it is a constant"
    elif is_noise(name):
        reason = "xi and names that begin with xi_ are white noise"
    elif name.endswith(("_pre", "_post")):
        reason = "_pre and _post mean variables of the two cells of a synapse"
    if reason:
        raise EquationError(f"{where}: the name `{name}` is reserved, since {reason}; use another")
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or "__" in name:
        raise EquationError(
            f"{where}: a name must begin with a letter and go on with letters, digits and single "
            f"underscores (ASCII), found `{name}`"
        )


def check_read(name: str, where: str) -> None:
    """Check that text may read such a name: the names of composition are out of its reach.

    Raises:
        EquationError: if it holds two underscores in a row.
    """
    if "__" in name.removesuffix("_post").removesuffix("_pre"):
        raise EquationError(f"{where}: a name cannot hold two underscores in a row, found `{name}`")


def is_noise(name: str) -> bool:
    """Whether text means white noise by a name: `xi` or `xi_…`, as in Brian2."""
    return name == "xi" or name.startswith("xi_")


def printed(name: str) -> str:
    """What printed code calls a program's name: `v` is `u_v`, and `v_post` is `u_v_post`."""
    own = name.removesuffix("_post").removesuffix("_pre") in _OWN
    return name if own else _PREFIX + name


def plain(name: str) -> str:
    """The program's name for one of printed code."""
    return name.removeprefix(_PREFIX)


def printed_text(text: str) -> str:
    """An expression with its variables as printed code calls them."""
    return renamed(text, printed)


def plain_text(text: str) -> str:
    """An expression of printed code with the program's names, for a message."""
    return renamed(text, plain)


def renamed(text: str, new: Callable[[str], str]) -> str:
    """An expression with `new` of each of its variables in its place."""
    return _WORD.sub(lambda m: m[0] if m[0] in _NO_VARIABLES else new(m[0]), text)
