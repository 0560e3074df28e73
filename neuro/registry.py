"""Named things a config can address: models, synapses, circuits, encoders."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Generic, TypeVar

from neuro.errors import ConfigError, nearest

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """A mapping from public names to things of one `kind`, with helpful look-up errors."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> T:
        """Register `item`; a second item of the same name is a programming error."""
        if name in self._items:
            raise ValueError(f"{self.kind} `{name}` is registered twice")
        self._items[name] = item
        return item

    def __getitem__(self, name: str) -> T:
        """The item of that name.

        Raises:
            ConfigError: if there is none; the text names the nearest one.
        """
        try:
            return self._items[name]
        except KeyError:
            raise ConfigError(
                f"unknown {self.kind} `{name}`{nearest(name, self._items)} "
                f"(see `ember list {self.kind}s`)"
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._items))

    def summary(self, name: str) -> str:
        """First line of the item's documentation, or its `source`."""
        item = self[name]
        text = getattr(item, "source", "") or inspect.getdoc(item) or ""
        return text.strip().splitlines()[0] if text.strip() else ""
