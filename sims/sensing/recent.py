"""Recent values within a size: what was not asked for longest goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Recent"]

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Values by key, as many as fit into `limit` bytes.

    >>> kept = Recent[str](10)
    >>> for name in ("one", "two", "three"):
    ...     kept.put(name, name.upper(), 4)
    >>> kept.get("one"), kept.get("three"), kept.n_bytes
    (None, 'THREE', 8)
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.n_bytes = limit, 0
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """The value, which is now the most recent; None if it is not there."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: Hashable, value: Value, n_bytes: int) -> None:
        """Keep a value; one larger than all there is room for is not kept, and displaces none."""
        if key in self._kept:
            self.n_bytes -= self._kept.pop(key)[1]
        if n_bytes > self.limit:
            return
        self._kept[key] = (value, n_bytes)
        self.n_bytes += n_bytes
        while self.n_bytes > self.limit:
            self.n_bytes -= self._kept.popitem(last=False)[1][1]
