"""Printed source as a module, in memory: nothing is written to disk, and nothing read from it."""

from __future__ import annotations

import hashlib
import sys
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import CodeType, ModuleType
from typing import Any

__all__ = ["Printed"]


class Printed:
    """Printed code, its functions as attributes; can be copied, as a module cannot.

    Tracebacks, `inspect.getsource` and `torch.compile` see its lines. The same source is the same
    module. Printing takes milliseconds, so unlike machine code it is not kept on disk.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        functions = vars(_module_of(source)).items()
        vars(self).update({name: each for name, each in functions if not name.endswith("__")})

    def __getattr__(self, name: str) -> Any:  # for those who check types: there is no other
        raise AttributeError(f"the printed code has no `{name}`")

    def __reduce__(self) -> tuple[type[Printed], tuple[str]]:
        return Printed, (self.source,)


def _module_of(source: str) -> ModuleType:
    name = "ember_step_" + hashlib.blake2b(source.encode(), digest_size=8).hexdigest()
    if name not in sys.modules:
        loader = _Loader(name, source)
        module = module_from_spec(ModuleSpec(name, loader, origin=f"<{name}>"))
        module.__file__ = f"<{name}>"
        loader.exec_module(module)
        sys.modules[name] = module  # where `torch.compile` looks it up
    return sys.modules[name]


class _Loader(InspectLoader):
    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source

    def get_source(self, fullname: str) -> str:
        return self._source

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, f"<{self._name}>")
