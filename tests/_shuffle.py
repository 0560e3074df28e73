"""Another order of the tests, drawn from a seed: modules, and the tests within each."""

from __future__ import annotations

from hashlib import blake2b

import pytest

__all__ = ["shuffle"]


def shuffle(items: list[pytest.Item], seed: str) -> None:
    """Reorder in place; a module stays together, since its fixtures are made once."""

    def place(name: str) -> bytes:
        return blake2b(f"{seed} {name}".encode()).digest()

    items.sort(key=lambda item: (place(item.nodeid.partition("::")[0]), place(item.nodeid)))
