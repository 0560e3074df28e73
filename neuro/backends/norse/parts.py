"""The modules that a network is made of, by the names that its parts have."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from typing import Generic, TypeVar, cast

import torch

__all__ = ["Parts", "key_of"]

_M = TypeVar("_M", bound=torch.nn.Module)


def key_of(name: str) -> str:
    """A name as PyTorch takes one: without a full stop."""
    return name.replace(".", "/")


class Parts(torch.nn.Module, Generic[_M]):
    """Modules by name, as `torch.nn.ModuleDict`, whose names may hold a full stop or be `keys`."""

    def __init__(self, modules: Mapping[str, _M]) -> None:
        super().__init__()
        self._keys = {name: _free(self, key_of(name)) for name in modules}
        for name, module in modules.items():
            self.add_module(self._keys[name], module)

    def __getitem__(self, name: str) -> _M:
        return cast(_M, self._modules[self._keys[name]])

    def __contains__(self, name: object) -> bool:
        return name in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def values(self) -> list[_M]:
        """The modules."""
        return [self[name] for name in self._keys]

    def items(self) -> ItemsView[str, _M]:
        """Names and modules."""
        return {name: self[name] for name in self._keys}.items()


def _free(module: torch.nn.Module, key: str) -> str:
    # `half_` gets one more as well, so that it stays another than `half`.
    return f"{key}_" if hasattr(module, key.rstrip("_") or key) else key
