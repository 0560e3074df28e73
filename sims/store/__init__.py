"""Files on disk: run files, exports, provenance, and the atomic writing they share."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sims.store.atomic import (
    atomic_folder,
    atomic_path,
    check_writable,
    write_bytes,
    write_json,
    write_text,
)

if TYPE_CHECKING:
    from sims.store.exports import FORMATS, export
    from sims.store.hdf5 import atomic_hdf5, reading_hdf5
    from sims.store.provenance import collect
    from sims.store.run_file import read_provenance, read_run, write_run

__all__ = [
    "FORMATS", "atomic_folder", "atomic_hdf5", "atomic_path", "check_writable", "collect", "export",
    "read_provenance", "read_run", "reading_hdf5", "write_bytes", "write_json", "write_run",
    "write_text",
]  # fmt: skip

# Those that need h5py, loaded when first asked for: `check_writable` must stay cheap.
_HOME = {
    "FORMATS": "exports",
    "atomic_hdf5": "hdf5",
    "collect": "provenance",
    "export": "exports",
    "read_provenance": "run_file",
    "read_run": "run_file",
    "reading_hdf5": "hdf5",
    "write_run": "run_file",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
