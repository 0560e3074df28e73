"""Checkpoints: one safetensors file that holds all a training needs to go on, or none of it.

Tensors lie under their owner's name (`model.`, `ema.`, `optimizer.`, `slots.`), everything else
as JSON in the header. No pickle is written or read. The file is replaced in one step, so a kill
leaves the old one or the new one.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuro.errors import StoreError
from sims.store.atomic import atomic_path

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["prefixed", "read_tensors", "under", "write_tensors"]

_HEADER, _SUM = "ember", "ember_sum"


_TYPES = {
    "float64": "F64", "float32": "F32", "bfloat16": "BF16", "float16": "F16", "int64": "I64",
    "int32": "I32", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any], *, kind: str
) -> None:
    """Write tensors and a JSON header of one `kind` to `path`, replacing what is there.

    Tensors go to the disk one after the other, without a copy of them all in memory.

    Raises:
        StoreError: if the file cannot be written; the one that was there stays.
    """
    text = json.dumps({"kind": kind, "summed": True, **header}, allow_nan=False)
    # Widest types first, so that each lies on a multiple of its own width.
    ordered = sorted(tensors.items(), key=lambda named: (-named[1].element_size(), named[0]))
    entries: dict[str, Any] = {}
    end = 0
    for name, tensor in ordered:
        begin, end = end, end + tensor.numel() * tensor.element_size()
        entries[name] = {
            "dtype": _TYPES[str(tensor.dtype).removeprefix("torch.")],
            "shape": list(tensor.shape), "data_offsets": [begin, end],
        }  # fmt: skip
    entries["__metadata__"] = {_HEADER: text, _SUM: _sum(text, dict(ordered))}
    said = json.dumps(entries).encode()
    said += b" " * (-len(said) % 8)
    with atomic_path(path, force=True) as temporary, temporary.open("wb") as file:
        file.write(len(said).to_bytes(8, "little") + said)
        for _, tensor in ordered:
            file.write(_bytes(tensor))


def _sum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """A digest of everything a file holds, which one damaged byte changes."""
    digest = hashlib.blake2b(text.encode(), digest_size=20)
    for name, tensor in sorted(tensors.items()):
        about = json.dumps(
            [name, str(tensor.dtype), list(tensor.shape), zlib.crc32(_bytes(tensor))]
        )
        digest.update(about.encode())
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def read_tensors(
    path: Path, *, kind: str, advice: str = "delete it to start over"
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the header that `write_tensors` wrote.

    Args:
        advice: What to do where the file is none of ours.

    Raises:
        StoreError: if the file is missing, truncated, damaged, foreign or of another kind, or a
            model has a weight that is not finite.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        if not path.is_file():
            raise OSError("a folder" if path.is_dir() else "no such file")
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            text = metadata.get(_HEADER, "null")
            header = json.loads(text)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        summed = isinstance(header, dict) and header.pop("summed", False)
        if (summed or _SUM in metadata) and metadata.get(_SUM) != _sum(text, tensors):
            raise ValueError("its checksum does not fit its content, so it was damaged")
    except (SafetensorError, ValueError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise StoreError(
            f"`{path}` must be a whole {kind} of Ember, found: {reason}; {advice}"
        ) from None
    if not isinstance(header, dict) or header.get("kind") != kind:
        found = header.get("kind") if isinstance(header, dict) else "no header of Ember"
        raise StoreError(f"`{path}` must be a {kind} of Ember, found: {found}; {advice}")
    for name, tensor in tensors.items():
        if kind == "model" and not bool(torch.isfinite(tensor).all()):
            raise StoreError(
                f"`{path}`: `{name}` must be finite, found NaN or infinity; its training has "
                f"diverged; {advice}"
            )
    return tensors, header


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with `prefix.` before each name."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix.`, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
