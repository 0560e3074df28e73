"""Runs to a file on an engine of a few lines, killed where the arguments say; run as a script.

python run_of_faults.py every-step FOLDER      killed before one operation on the disk, in turn
python run_of_faults.py full FOLDER BYTES      with a disk on which files of that size have room
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from neuro.backends import BACKENDS, Backend
from neuro.build import Built
from neuro.errors import EmberError
from neuro.network import Record
from neuro.raw_run import RawRun
from neuro.sink import Sink
from sims.config import Loaded, load
from sims.long_run import Told, run_to_file
from sims.store import columns

CONFIG = Path(__file__).with_name("long_run.yaml")
STRETCH = 100  # steps


class Toy(Backend):
    """A back end whose every number depends on all that came before it."""

    def load(self) -> Any:
        """This file, for its `run`."""
        return sys.modules[__name__]


def run(
    built: Built, *, n_steps: int, threads: int, records: Sequence[Record], every_ms: float,
    sink: Sink, progress: Callable[[float], None],
    resume: Mapping[str, Any] | None = None,
    checkpoint: Callable[[Callable[[], dict[str, Any]]], None] | None = None,
    **options: Any,
) -> RawRun:  # fmt: skip
    """A cell is a chain of numbers; it spikes when its number is high."""
    step, chains = 0, {p.name: np.arange(1, p.n + 1, dtype=np.uint64) for p in built.populations}
    if resume is not None:
        step = int(resume["step"])
        chains = {name: resume[f"cells/{name}"].copy() for name in chains}
    n_courses = len(built.network.transmitters), len(built.network.effects)
    while step < n_steps:
        frames = []
        for name, chain in chains.items():
            steps, units = [], []
            for now in range(step, step + STRETCH):
                chain *= np.uint64(6364136223846793005)
                chain += np.uint64(1442695040888963407)
                fired = np.flatnonzero(chain >> np.uint64(60) == 0)
                steps.append(np.full(fired.size, now))
                units.append(fired)
                if name == built.populations[0].name:
                    frames.append(chain.astype(np.float64) / 2**64)
            sink.spikes(name, np.concatenate(steps), np.concatenate(units).astype(np.int32))
        for number, record in enumerate(records):
            sink.trace(number, np.array(frames)[:, list(record.cells)])
        values = np.array(frames)[:: round(every_ms / built.dt_ms), :1]
        sink.courses(*(np.repeat(values, n, axis=1) for n in n_courses))
        step += STRETCH
        progress(step * built.dt_ms)
        if checkpoint is not None:
            checkpoint(partial(_state, step, chains))
    return RawRun(step, 0.0, 0.0, 0.0)


def _state(step: int, chains: Mapping[str, Any]) -> dict[str, Any]:
    return {"step": step, **{f"cells/{name}": chain for name, chain in chains.items()}}


def loaded() -> Loaded:
    """The config all of these run."""
    return load(CONFIG)


def go(path: Path, loaded: Loaded, **options: Any) -> Told:
    """One run with a checkpoint after each stretch."""
    return run_to_file(loaded, path, checkpoint_every_s=1e-9, **options)


def content(path: Path) -> dict[str, Any]:
    """Every dataset of a file but those about the process that wrote it."""
    found = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("provenance"):
            attributes = {key: str(value) for key, value in item.attrs.items()}
            found[name] = (str(item.dtype), item.shape, item[()].tobytes(), attributes)

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def operations(path: Path, loaded: Loaded, kill_before: int = 0) -> int:
    """Run in a child of this process, and count its operations on the disk.

    Args:
        kill_before: The operation before which it dies; 0 if it does not.

    Returns:
        How many there were; 0 if it died.
    """
    theirs, ours = os.pipe()
    child = os.fork()
    if child:
        os.close(ours)
        with os.fdopen(theirs) as pipe:
            said = pipe.read()
        died = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        # A stretch of a run ends by the clock, so one may have an operation less than another.
        ended = not died and int(said) < (kill_before or int(said) + 1)
        assert ended or (died and kill_before), (kill_before, said)
        return int(said or 0)
    seen = 0

    def counted(operate: Callable[..., Any]) -> Callable[..., Any]:
        def one(*args: Any, **kwargs: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == kill_before:
                os.kill(os.getpid(), signal.SIGKILL)
            return operate(*args, **kwargs)

        return one

    for name in ("pwrite", "ftruncate", "fsync", "replace", "rename", "link", "unlink", "rmdir"):
        setattr(os, name, counted(getattr(os, name)))
    try:
        go(path, loaded)
        os.write(ours, str(seen).encode())
    finally:
        os._exit(0)


def every_step(folder: Path) -> dict[str, Any]:
    """Kill runs before one operation on the disk after the other, and go on each time."""
    job = loaded()
    path = folder / "run.h5"
    total = operations(path, job)
    path.rename(folder / "whole.h5")
    wanted = content(folder / "whole.h5")
    resumed, published, wrong = [], 0, []
    # Most are writes to the data; the last ones bring the file to its place.
    for operation in sorted({*range(1, total, 12), *range(total - 10, total + 1)}):
        operations(path, job, kill_before=operation)
        if path.exists():
            published += 1
        else:
            resumed.append(go(path, job).resumed_ms)
            if sorted(file.name for file in folder.iterdir()) != ["run.h5", "whole.h5"]:
                wrong.append(operation)
        if content(path) != wanted:
            wrong.append(operation)
        path.unlink()
        shutil.rmtree(folder / "run.h5.partial", ignore_errors=True)
    return {"resumed": resumed, "published": published, "wrong": wrong,
            "datasets": {name: shape for name, (_, shape, _, _) in wanted.items()}}  # fmt: skip


def full(folder: Path, size: int) -> dict[str, Any]:
    """Run where no file may become larger than `size`; then where it may."""
    job = loaded()
    go(folder / "whole.h5", job)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    said = ""
    try:
        go(folder / "run.h5", job)
    except EmberError as error:
        said = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    left = sorted(str(file.relative_to(folder)) for file in folder.rglob("*"))
    told = go(folder / "run.h5", job)
    same = content(folder / "run.h5") == content(folder / "whole.h5")
    return {"said": said, "left": left, "resumed": told.resumed_ms, "same": same}


if __name__ == "__main__":
    about = BACKENDS["numba"]
    BACKENDS["numba"] = Toy(**{key: getattr(about, key) for key in about.__dataclass_fields__})
    columns.CHUNK_BYTES = 1 << 11  # so that a short run has chunks in the file and rows in memory
    kind, where, *more = sys.argv[1:]
    done = every_step(Path(where)) if kind == "every-step" else full(Path(where), int(more[0]))
    print(json.dumps(done))
