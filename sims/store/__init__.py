"""Files on disk: run files, exports, and the atomic writing they share."""

from __future__ import annotations

from sims.store.atomic import (
    atomic_folder,
    atomic_path,
    check_writable,
    write_bytes,
    write_json,
    write_text,
)

__all__ = [
    "atomic_folder", "atomic_path", "check_writable", "write_bytes", "write_json", "write_text",
]  # fmt: skip
