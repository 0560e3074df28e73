"""Printed kernels as modules; their machine code is kept by `neuro.compiled`."""

from __future__ import annotations

import hashlib
import linecache
import sys
from types import ModuleType

__all__ = ["load_kernel"]


def load_kernel(source: str) -> ModuleType:
    """The module of a printed text, which is made once and holds that text as `PRINTED`.

    It is never read from a file, so nothing on the disk can change what it does.
    """
    name = "kernel_" + hashlib.blake2b(source.encode(), digest_size=12).hexdigest()
    if name not in sys.modules:
        module = ModuleType(name)
        file = f"<{name}>"
        module.__dict__.update(PRINTED=source, __file__=file)
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(source, file, "exec"), module.__dict__)  # noqa: S102 - text printed by us
        sys.modules[name] = module  # Numba looks the module up when it loads machine code
    return sys.modules[name]
