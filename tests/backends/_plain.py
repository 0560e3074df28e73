"""Run the numba back end's kernels as plain Python: the printed code itself, nothing compiled.

    with plain_kernels() as sources:
        simulate(network, duration_ms=50, backend="numba")

A run of few cells and steps takes a fraction of a second, where a compilation takes two. The
arithmetic is that of the compiled kernel in its precision, but for what LLVM may fuse and the C
library's float32 functions. One thread only: nothing waits at the barrier.
"""

from __future__ import annotations

import builtins
import importlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from neuro.backends.numba import kernel

__all__ = ["plain_kernels", "plain_module"]

_PLACE = "neuro.backends.numba."
_COMPILED = {"delivery", "mathematics", "random"}
_modules: dict[str, Any] = {}


@contextmanager
def plain_kernels() -> Iterator[list[str]]:
    """Let kernels be run as plain Python; yields the sources of those that were loaded."""
    sources: list[str] = []

    def load(source: str) -> Any:
        sources.append(source)
        return plain_module(source)

    with (
        mock.patch.object(kernel, "load_kernel", load),
        np.errstate(all="ignore"),
    ):
        yield sources


def plain_module(source: str, name: str = "plain_kernel") -> ModuleType:
    """A module of printed code, or one of those that it imports, with nothing compiled."""
    module = ModuleType(name)
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return module


def _import(name: str, *rest: Any) -> Any:
    if name == "numba":
        return SimpleNamespace(njit=_as_it_is)
    if name == "math":
        return _MATH
    if name == "neuro.compiled":
        return SimpleNamespace(kept=lambda function: function)
    if name == _PLACE + "intrinsics":
        return _INTRINSICS
    if name.removeprefix(_PLACE) in _COMPILED and name.startswith(_PLACE):
        if name not in _modules:
            path = importlib.import_module(name).__file__ or ""
            with open(path, encoding="utf-8") as file:
                _modules[name] = plain_module(file.read(), name)
        return _modules[name]
    return builtins.__import__(name, *rest)


def _as_it_is(*function: Any, **options: object) -> Any:
    """`@njit` and `@njit(…)` that compile nothing."""
    if not function:
        return _as_it_is
    function[0].py_func = function[0]
    return function[0]


def _typed(function: Callable[..., float]) -> Callable[..., Any]:
    """A function of `math` that keeps its argument's precision, and gives NaN where C does."""

    def typed(x: Any) -> Any:
        real = type(x) if isinstance(x, np.floating) else float
        try:
            return real(function(x))
        except (ValueError, OverflowError):
            return real(getattr(np, _NUMPY.get(function.__name__, function.__name__))(float(x)))

    return typed


_NUMPY = {"acos": "arccos", "asin": "arcsin", "atan": "arctan"}
_WHOLE = {"floor", "ceil", "trunc"}
_MATH = SimpleNamespace(**{
    name: function if name in _WHOLE or not callable(function) else _typed(function)
    for name, function in vars(math).items()
    if not name.startswith("__")
})  # fmt: skip


def _bits(source: type[Any], result: type[Any]) -> Callable[[Any], Any]:
    return lambda x: np.array(x, source).view(result)[()]


_INTRINSICS = SimpleNamespace(
    select=lambda condition, this, other: this if condition else other,
    await_all=lambda counter, target: None,
    prefetch=lambda array, index: None,
    float32_of=_bits(np.uint32, np.float32),
    bits32=_bits(np.float32, np.uint32),
    float64_of=_bits(np.uint64, np.float64),
    bits64=_bits(np.float64, np.uint64),
)
