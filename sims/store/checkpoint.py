"""A checkpoint: all that a run needs, beside its unfinished file, to go on from where it was.

One sealed npz file of plain arrays; nothing in it is pickled. Whatever is wrong with it becomes
one line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.errors import StoreError
from neuro.files.regular import open_regular
from neuro.files.seal import SealState, add_seal, seal_state
from sims.store.atomic import atomic_path
from sims.store.journal import Patches

__all__ = ["Checkpoint", "read_checkpoint", "read_patches", "write_checkpoint", "write_patches"]

FORMAT = 2
_STATE, _TAIL = "state:", "tail:"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The moment between two steps at which a run can go on.

    Attributes:
        identity: What must be the same in the process that goes on, see `sims.store.identity`.
        reached_ms: Simulated time.
        simulate_s: Seconds it took to come so far.
        rows: Of each dataset of the run file.
        tails: Those rows that are not in the file yet.
        state: The back end's own; numbers and arrays.
        floor, patches, sums: How the file was, see `sims.store.journal`.
    """

    identity: Mapping[str, Any]
    reached_ms: float
    simulate_s: float
    rows: Mapping[str, int]
    tails: Mapping[str, NDArray[Any]]
    state: Mapping[str, Any]
    floor: int = 0
    patches: Patches = ()
    sums: Sequence[int] = ()


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write it to `path`, replacing the one before in one step.

    Raises:
        StoreError: if it cannot be written.
        TypeError: if the state holds anything but numbers, texts and arrays of them.
    """
    arrays, plain = {}, {}
    for name, value in checkpoint.state.items():
        if isinstance(value, (np.ndarray, np.generic)):
            if np.asarray(value).dtype.hasobject:
                raise TypeError(f"the state `{name}` must be of numbers, found Python objects")
            arrays[_STATE + name] = np.asarray(value)
        else:
            plain[name] = value  # json keeps every bit of an int or a float, and refuses the rest
    about = {
        "kind": "ember checkpoint",
        "format": FORMAT,
        "identity": dict(checkpoint.identity),
        "reached_ms": checkpoint.reached_ms,
        "simulate_s": checkpoint.simulate_s,
        "rows": dict(checkpoint.rows),
        "state": plain,
        "floor": checkpoint.floor,
    }
    arrays |= {_TAIL + name: tail for name, tail in checkpoint.tails.items()}
    arrays["sums"] = np.array(checkpoint.sums, np.uint32)
    _write(path, about, arrays | _packed(checkpoint.patches))


def read_checkpoint(path: Path) -> Checkpoint:
    """What `write_checkpoint` wrote.

    Raises:
        StoreError: if it is missing, truncated, damaged, foreign or of a later format.
    """
    about, arrays = _read(path)
    if about.get("format") != FORMAT:
        raise _wrong(path, f"format {about.get('format')}, this Ember knows {FORMAT}")
    try:
        return Checkpoint(
            identity=about["identity"],
            reached_ms=about["reached_ms"],
            simulate_s=about["simulate_s"],
            rows=about["rows"],
            tails=_under(_TAIL, arrays),
            state=about["state"] | {k: v[()] for k, v in _under(_STATE, arrays).items()},
            floor=about["floor"],
            patches=_unpacked(arrays),
            sums=[int(crc) for crc in arrays["sums"]],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _wrong(path, f"no {error}") from None


def write_patches(path: Path, patches: Patches) -> None:
    """Write patches alone to `path`, in one step.

    Raises:
        StoreError: if they cannot be written.
    """
    _write(path, {"kind": "ember checkpoint"}, _packed(patches))


def read_patches(path: Path) -> Patches:
    """What `write_patches` wrote; none if there is no such file.

    Raises:
        StoreError: if it is damaged.
    """
    return _unpacked(_read(path)[1]) if path.exists() else []


def _packed(patches: Patches) -> dict[str, NDArray[Any]]:
    return {
        "offsets": np.array([offset for offset, _ in patches], np.int64),
        "lengths": np.array([len(content) for _, content in patches], np.int64),
        "contents": np.frombuffer(b"".join(content for _, content in patches), np.uint8),
    }


def _unpacked(arrays: Mapping[str, NDArray[Any]]) -> Patches:
    contents, ends = arrays["contents"].tobytes(), np.cumsum(arrays["lengths"])
    starts = ends - arrays["lengths"]
    return [
        (int(offset), contents[start:end])
        for offset, start, end in zip(arrays["offsets"], starts, ends, strict=True)
    ]


def _under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def _write(path: Path, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with atomic_path(path, force=True) as temporary, temporary.open("wb") as file:
        np.savez(file, about=text, **arrays)  # type: ignore[arg-type]  # no array is a switch
        file.close()
        add_seal(temporary)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        with open_regular(path) as file:
            if seal_state(file.fileno()) is not SealState.WHOLE:
                raise ValueError("its checksum does not fit its content")
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        about = json.loads(arrays.pop("about").tobytes())
    except Exception as error:  # zip, npy and JSON fail in a dozen ways
        raise _wrong(path, " ".join(str(error).split())) from None
    if not isinstance(about, dict) or about.get("kind") != "ember checkpoint":
        raise _wrong(path, "something else")
    return about, arrays


def _wrong(path: Path, found: str) -> StoreError:
    return StoreError(
        f"`{path}` must be a whole checkpoint of Ember, found: {found}; start over with `--force`"
    )
