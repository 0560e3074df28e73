"""Keep the machine code of Numba's functions in Ember's cache instead of Numba's own.

Numba's cache has no digest, so a damaged file ends in an error or in other code, and it does not
look at who owns a file that it hands to `pickle`.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, TypeVar

import numpy as np
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.registry import CPUDispatcher
from numba.core.serialize import dumps
from numba.extending import _Intrinsic  # type: ignore[attr-defined]

from neuro.cache import read_entry, write_entry

__all__ = ["kept"]

D = TypeVar("D")
_rebuilt: Any = CompileResult._rebuild
_pickled: Any = dumps
_PLAIN = (bool, int, float, complex, str, tuple, np.generic)


def kept(function: D) -> D:
    """Keep a function's machine code; a decorator above `@njit` without `cache=True`.

    The code is kept under a digest of the text of the function's module and of every module whose
    compiled functions it calls, the plain values that these read from their modules, the types of
    the arguments, the processor, and the versions of Python, Numba, LLVM and numpy.
    """
    if isinstance(function, CPUDispatcher):  # with NUMBA_DISABLE_JIT it is a plain function
        dispatcher: Any = function
        dispatcher._cache = _KeptCode(dispatcher.py_func)
    return function


class _KeptCode(_Cache):
    """What Numba asks of a cache."""

    cache_path = None

    def __init__(self, function: Any) -> None:
        self._function = function

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """The code for these types of arguments, or None."""
        target_context.refresh()  # Numba's registries, which loading needs
        content = read_entry("code", self._key(signature, target_context.codegen()))
        if content is None:
            return None
        # `read_entry` reads nothing that another user could have written.
        return _rebuilt(target_context, *pickle.loads(content))  # noqa: S301

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep the code, unless it holds addresses of this process."""
        if not result.library.has_dynamic_globals and all(x.can_cache for x in result.lifted):
            content = _pickled(result._reduce())
            write_entry("code", self._key(signature, result.library.codegen), content)
            if printed := getattr(sys.modules[self._function.__module__], "PRINTED", ""):
                write_entry("kernel", printed, printed.encode())  # for people to read

    def _key(self, signature: Any, codegen: Any) -> str:
        function = self._function
        return repr((
            function.__module__, function.__qualname__, str(signature), codegen.magic_tuple(),
            sys.version, version("numba"), version("llvmlite"), version("numpy"),
            _text_digest(function),
        ))  # fmt: skip

    def enable(self) -> None: ...
    def disable(self) -> None: ...
    def flush(self) -> None: ...


def _text_digest(function: Any) -> str:
    """A digest of everything written down that the function's machine code depends on."""
    digest = hashlib.blake2b(digest_size=16)
    modules: dict[str, None] = {}
    seen: set[Any] = set()
    ahead = [function]
    while ahead:
        one = ahead.pop()
        if one in seen:
            continue
        seen.add(one)
        modules[one.__module__] = None
        for name in sorted(_names(one.__code__)):
            value = one.__globals__.get(name)
            if isinstance(value, CPUDispatcher):
                ahead.append(value.py_func)
            elif isinstance(value, _Intrinsic):
                ahead.append(value._defn)
            elif isinstance(value, _PLAIN):
                digest.update(f"{one.__module__}.{name}={value!r}\n".encode())
    for name in sorted(modules):
        digest.update(f"{name}\n{_text(sys.modules[name])}\n".encode())
    return digest.hexdigest()


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _text(module: ModuleType) -> str:
    printed: str | None = getattr(module, "PRINTED", None)
    return _file_text(module.__file__ or "") if printed is None else printed


@lru_cache(maxsize=64)
def _file_text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")
