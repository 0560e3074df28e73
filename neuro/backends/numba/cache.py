"""Printed kernels on disk, where Numba keeps their machine code beside them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from neuro.equations import cache_folder
from neuro.errors import SimulationError

__all__ = ["forget_kernel", "load_kernel", "seal_kernel"]

_PARTS = ("delivery", "intrinsics", "mathematics", "random")
_loaded: dict[str, ModuleType] = {}


def load_kernel(source: str) -> ModuleType:
    """Import a printed module from the cache.

    Its folder is named by a digest of everything the machine code depends on but the CPU, which
    Numba looks after. A module is put in place whole and never changed, so that processes that
    print the same kernel do not disturb each other.
    """
    parts = [source, version("numba"), version("llvmlite"), version("numpy"), sys.version]
    here = Path(__file__).parent
    parts += [(here / f"{name}.py").read_text() for name in _PARTS]
    name = "kernel_" + hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()
    if name not in _loaded:
        _loaded[name] = _import(name, source, cache_folder() / "kernels" / name)
    return _loaded[name]


def forget_kernel(module: ModuleType) -> None:
    """Remove a kernel whose machine code turned out to be damaged."""
    _loaded.pop(module.__name__, None)
    sys.modules.pop(module.__name__, None)
    shutil.rmtree(Path(module.__file__ or "").parent, ignore_errors=True)


def seal_kernel(module: ModuleType) -> None:
    """Note a digest of the machine code beside it, by which damage is seen before it is run."""
    folder = Path(module.__file__ or "").parent
    seal = folder / "digest"
    digest = _digest(folder)
    try:
        if not seal.exists() or seal.read_text() != digest:
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=".digest-")
            with os.fdopen(handle, "w") as file:
                file.write(digest)
            os.replace(temporary, seal)
    except OSError:  # a full disk costs the next process a compilation
        pass


def _digest(folder: Path) -> str:
    files = sorted(folder.glob("__pycache__/*.nb[ci]"))
    contents = b"".join(file.name.encode() + file.read_bytes() for file in files)
    return hashlib.blake2b(contents, digest_size=16).hexdigest()


def _import(name: str, source: str, folder: Path) -> ModuleType:
    path = folder / f"{name}.py"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        seal = folder / "digest"
        if not seal.exists() or seal.read_text() != _digest(folder):
            shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        if not path.exists() or path.read_text() != source:
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=".kernel-")
            with os.fdopen(handle, "w") as file:
                file.write(source)
            os.replace(temporary, path)
    except OSError as error:
        raise SimulationError(
            f"the kernel cache must be a folder to write in, found {error}; set EMBER_CACHE"
        ) from None
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SimulationError(f"the kernel cache at {folder} cannot be read; set EMBER_CACHE")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Numba looks the module up when it caches
    spec.loader.exec_module(module)
    return module
