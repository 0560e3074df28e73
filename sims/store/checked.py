"""Values of an HDF5 file, each checked when it is taken out and refused by its name."""

from __future__ import annotations

from math import isfinite
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro.errors import EmberError

__all__ = [
    "Damaged", "array", "attribute_text", "decoded", "group", "member", "member_names", "number",
    "numbers", "text", "texts", "whole_number",
]  # fmt: skip


class Damaged(EmberError, ValueError):
    """Something in a file is missing or another; the text names it, but not the file."""


_KINDS = {"f": "numbers", "u": "whole numbers", "i": "whole numbers"}


def group(parent: h5py.Group, name: str) -> h5py.Group:
    """The group `name` in `parent`.

    Raises:
        Damaged: if it is missing or no group.
    """
    return _member(parent, name, h5py.Group, "group")


def member_names(parent: h5py.Group) -> list[str]:
    """Names of what is in a group, in the file's order.

    Raises:
        Damaged: if one is no UTF-8.
    """
    names = list(parent)
    for name in names:
        if not isinstance(name, str) or any("\ud800" <= c <= "\udfff" for c in name):
            raise _wrong(parent, "must have names in UTF-8", repr(name))
    return names


def array(parent: h5py.Group, name: str, kinds: str, shape: tuple[int | None, ...]) -> h5py.Dataset:
    """The dataset `name` in `parent`, not read yet.

    Args:
        kinds: Of its type, as numpy names them: `f`, `iu` or `fiu`.
        shape: Length of each axis; None where any will do.

    Raises:
        Damaged: if it is missing or another.
    """
    data = member(parent, name, kinds)
    found = data.shape
    fits = len(found) == len(shape) and all(
        b is None or a == b for a, b in zip(found, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise _wrong(data, f"must have the shape ({wanted})", found)
    return data


def member(parent: h5py.Group, name: str, kinds: str) -> h5py.Dataset:
    """The dataset `name` in `parent`, of any shape, not read yet.

    Raises:
        Damaged: if it is missing or of another type.
    """
    data = _member(parent, name, h5py.Dataset, "dataset")
    if data.dtype.kind not in kinds:
        raise _wrong(data, f"must hold {_KINDS[kinds[0]]}", data.dtype)
    return data


def numbers(
    parent: h5py.Group, name: str, kinds: str, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """The values of `array`."""
    values: NDArray[Any] = array(parent, name, kinds, shape)[()]
    return values


def number(thing: Any, name: str, low: float = -np.inf, *, above: float = -np.inf) -> float:
    """A finite attribute of a group or dataset, at least `low` and larger than `above`.

    Raises:
        Damaged: if it is missing or another.
    """
    value = _attribute(thing, name)
    if np.shape(value) != () or np.asarray(value).dtype.kind not in "fiu":
        raise _wrong(thing, "must be a number", f"{value!r:.60}", name)
    found = float(value)
    if not isfinite(found) or found < low or found <= above:
        limit = f"above {above:g}" if above > -np.inf else f"at least {low:g}"
        limit = "finite" if above == low == -np.inf else limit
        raise _wrong(thing, f"must be {limit}", f"{found:g}", name)
    return found


def whole_number(thing: Any, name: str, low: int, high: int) -> int:
    """A whole attribute within its limits.

    Raises:
        Damaged: if it is missing or another.
    """
    found = number(thing, name)
    if found % 1 or not low <= found <= high:
        raise _wrong(thing, f"must be a whole number from {low:,} to {high:,}",
                     f"{found:.15g}", name)  # fmt: skip
    return int(_attribute(thing, name))


def attribute_text(thing: Any, name: str, default: str | None = None) -> str:
    """A text attribute, of either kind of HDF5 text.

    Raises:
        Damaged: if it is missing and has no default, or is no text.
    """
    if default is not None and name not in thing.attrs:
        return default
    value = _attribute(thing, name)
    if not isinstance(value, str | bytes):
        raise _wrong(thing, "must be text", f"{value!r:.60}", name)
    return decoded(value)


def text(parent: h5py.Group, name: str) -> str:
    """The one text of a dataset.

    Raises:
        Damaged: if it is missing or no text.
    """
    value = _text_data(parent, name, ())[()]
    return decoded(value)


def texts(parent: h5py.Group, name: str) -> tuple[str, ...]:
    """The list of texts of a dataset.

    Raises:
        Damaged: if it is missing or no list of texts.
    """
    return tuple(decoded(value) for value in _text_data(parent, name, (None,))[()])


def decoded(value: str | bytes) -> str:
    """What HDF5 text says; a file name that is no valid text survives."""
    return value if isinstance(value, str) else value.decode("utf-8", errors="surrogatepass")


def _text_data(parent: h5py.Group, name: str, shape: tuple[None, ...]) -> h5py.Dataset:
    data = _member(parent, name, h5py.Dataset, "dataset")
    if data.dtype.kind != "S" and h5py.check_string_dtype(data.dtype) is None:
        empty_list = shape and data.size == 0
        if not empty_list:
            raise _wrong(data, "must hold text", data.dtype)
    if len(data.shape) != len(shape):
        raise _wrong(data, "must be a list of texts" if shape else "must be one text", data.shape)
    return data


def _member(parent: h5py.Group, name: str, kind: type[Any], called: str) -> Any:
    where = f"{parent.name.rstrip('/')}/{name}"
    if name not in parent:
        raise Damaged(f"`{where[1:]}` must be a {called}, found nothing there")
    found = parent[name]
    if not isinstance(found, kind):
        raise Damaged(f"`{where[1:]}` must be a {called}, found a {type(found).__name__.lower()}")
    return found


def _attribute(thing: Any, name: str) -> Any:
    if name not in thing.attrs:
        raise _wrong(thing, "must be there", "none", name)
    return thing.attrs[name]


def _wrong(thing: Any, must: str, found: Any, attribute: str = "") -> Damaged:
    where = thing.name.strip("/") or "/"
    subject = f"`{attribute}` of `{where}`" if attribute else f"`{where}`"
    return Damaged(f"{subject} {must}, found {found}")
