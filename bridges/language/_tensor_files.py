"""Tensors of a model's folder, in one safetensors file or in several with an index.

A safetensors file is a table of names, shapes and places, and numbers; reading one runs nothing.
A pickle does, so a folder that has nothing else is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from neuro.errors import StoreError
from neuro.files.regular import open_regular, read_text

__all__ = [
    "INDEX", "MOST_JSON_BYTES", "SENSES", "SENSE_WEIGHTS", "SINGLE", "Stored",
    "files_of_a_model", "read_table", "stored_tensors", "total_bytes", "write_json",
    "write_tensors",
]  # fmt: skip

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
SENSES, SENSE_WEIGHTS = "ember.json", "ember.safetensors"
MOST_JSON_BYTES = 1 << 28
"""Of a file that describes a model; engineering choice, far above any."""
_FLOATS = {"F64", "F32", "F16", "BF16"}


@dataclass(frozen=True)
class Stored:
    """A tensor that has not been read yet."""

    path: Path
    name: str
    shape: tuple[int, ...]

    def read(self) -> Tensor:
        """Its numbers."""
        from safetensors import SafetensorError, safe_open

        open_regular(self.path).close()
        try:
            with safe_open(self.path, framework="pt") as file:
                return file.get_tensor(self.name)
        except (SafetensorError, OSError, RuntimeError, ValueError) as error:
            raise _unreadable(self.path, error) from None

    def into(self, part: Tensor) -> None:
        """Put its numbers into `part`, of the same shape, in its precision and on its device.

        Raises:
            StoreError: if one is NaN or infinite, in the file or in that precision.
        """
        part.copy_(self.read())
        if not bool(torch.isfinite(part).all()):
            raise StoreError(
                f"`{self.path}`: `{self.name}` must be finite in {_short(part.dtype)}, found NaN "
                "or infinity; its training has diverged, or the file is damaged"
            )


def stored_tensors(folder: Path) -> dict[str, Stored]:
    """What the folder's weight files hold, by name; nothing is read but their tables.

    Raises:
        StoreError: if there is none, one is missing, truncated or no safetensors file, does not
            hold what the index says, or holds other than floating point numbers.
    """
    index = folder / INDEX
    if not index.exists():
        if not (folder / SINGLE).exists():
            pickles = sorted(path.name for path in folder.glob("*.bin"))
            raise StoreError(
                f"a model's folder must hold `{SINGLE}` or `{INDEX}`, found "
                + (
                    f"only a pickle, `{pickles[0]}`, which could run anything; convert it to "
                    "safetensors where it comes from"
                    if pickles
                    else f"neither in `{folder}`"
                )
            )
        return read_table(folder / SINGLE)
    places = _read_index(index)
    tables = {name: read_table(folder / name) for name in sorted(set(places.values()))}
    for tensor, shard in places.items():
        if tensor not in tables[shard]:
            raise StoreError(
                f"`{folder / shard}` must hold `{tensor}` as the index says, found it is not "
                "there; fetch all files again"
            )
    return {tensor: tables[shard][tensor] for tensor, shard in places.items()}


def read_table(path: Path) -> dict[str, Stored]:
    """Names and shapes in one safetensors file."""
    from safetensors import SafetensorError, safe_open

    found: dict[str, Stored] = {}
    open_regular(path).close()
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                part = file.get_slice(name)
                if part.get_dtype() not in _FLOATS:
                    raise StoreError(
                        f"`{path}`: `{name}` must be of floating point numbers, found "
                        f"{part.get_dtype()}; quantised weights are not supported"
                    )
                found[name] = Stored(path, name, tuple(part.get_shape()))
    except StoreError:
        raise
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise _unreadable(path, error) from None
    return found


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors to a safetensors file; the library's own errors go through."""
    from safetensors.torch import save_file

    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.touch()
    mode = path.stat().st_mode
    save_file(whole, path, metadata={"format": "pt"})
    path.chmod(mode)  # the library lets nobody else read what it writes


def write_json(path: Path, content: object) -> None:
    """Write JSON; the system's own errors go through."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def total_bytes(tensors: Mapping[str, Tensor]) -> int:
    """Memory of all of them."""
    return sum(tensor.numel() * torch.finfo(tensor.dtype).bits // 8 for tensor in tensors.values())


def files_of_a_model(folder: Path) -> list[Path]:
    """What a saved model may have there beside its config."""
    names = (SINGLE, INDEX, "tokenizer.json", SENSES, SENSE_WEIGHTS)
    return [
        *folder.glob("model-?????-of-?????.safetensors"),
        *(folder / name for name in names if (folder / name).exists()),
    ]


def _read_index(path: Path) -> dict[str, str]:
    try:
        places = json.loads(read_text(path, MOST_JSON_BYTES))["weight_map"]
        if not (places and all(isinstance(name, str) for name in places.values())):
            raise ValueError("no file names")
    except StoreError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"`{path}` must hold a `weight_map` from tensors to files, found: "
            f"{' '.join(str(error).split())}; fetch it again"
        ) from None
    for name in places.values():
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise StoreError(
                f"`{path}` must name safetensors files beside it, found `{name}`; fetch it again"
            )
    return places


def _unreadable(path: Path, error: Exception) -> StoreError:
    reason = " ".join(str(error).split())
    return StoreError(f"`{path}` must be a whole safetensors file, found: {reason}; fetch it again")


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
