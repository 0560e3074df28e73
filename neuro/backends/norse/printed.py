"""Printed source as a module, in memory: nothing is written to disk, and nothing read from it."""

from __future__ import annotations

import hashlib
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import CodeType, ModuleType

__all__ = ["module_of"]

_loaded: dict[str, ModuleType] = {}


def module_of(source: str) -> ModuleType:
    """The module that the source is; the same one for the same source.

    Tracebacks, `inspect.getsource` and `torch.compile` see its lines. Printing takes
    milliseconds, so unlike machine code it is not kept on disk.
    """
    name = "ember_step_" + hashlib.blake2b(source.encode(), digest_size=8).hexdigest()
    if name not in _loaded:
        loader = _Printed(name, source)
        module = module_from_spec(ModuleSpec(name, loader, origin=f"<{name}>"))
        module.__file__ = f"<{name}>"
        loader.exec_module(module)
        _loaded[name] = module
    return _loaded[name]


class _Printed(InspectLoader):
    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source

    def get_source(self, fullname: str) -> str:
        return self._source

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, f"<{self._name}>")
