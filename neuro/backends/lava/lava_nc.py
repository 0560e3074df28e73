"""Networks run by the real lava-nc, in a process and a Python of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuro.backends.lava.exchange import read_runs, write_job
from neuro.backends.lava.processes import FixedNetwork
from neuro.backends.lava.python310 import environment
from neuro.backends.lava.runs import FixedRun
from neuro.errors import SimulationError

__all__ = ["TIMEOUT_S", "everything", "run_lava"]

TIMEOUT_S = 600.0
_SAID = 600  # characters of its last words in a message
_WORKER = Path(__file__).with_name("worker.py")


def everything(network: FixedNetwork) -> dict[str, NDArray[np.int64]]:
    """All cells of all processes, to watch."""
    return {cells.name: np.arange(cells.n) for cells in network.cells}


def run_lava(
    networks: Sequence[FixedNetwork],
    n_steps: Sequence[int],
    *,
    watched: Sequence[Mapping[str, NDArray[np.int64]]] | None = None,
    python: str = "",
    timeout_s: float = TIMEOUT_S,
) -> list[FixedRun]:
    """Run networks with lava-nc 0.10.0, one after another in one process.

    Args:
        n_steps: Of each network.
        watched: Per network, the cells of each process whose states to keep after every step;
            all cells if None.
        python: A Python 3.10; found if empty (`python310.find_python`).
        timeout_s: For all of them together.

    Raises:
        ConfigError: if there is no Python 3.10.
        SimulationError: if Lava cannot be installed, dies, or does not end in time, with its last
            words.
    """
    kept = [everything(network) for network in networks] if watched is None else watched
    interpreter = environment(python)
    with tempfile.TemporaryDirectory(prefix="ember-lava-") as name:
        folder = Path(name)
        write_job(folder, networks, n_steps, kept)
        shutil.copy(_WORKER, folder)
        _run([str(interpreter), "-I", str(folder / _WORKER.name), name], folder, timeout_s)
        return read_runs(folder, networks, n_steps, kept)


def _run(command: Sequence[str], folder: Path, timeout_s: float) -> None:
    """Run the worker in a session of its own, so that Lava's children end with it."""
    calm = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    said = folder / "said.txt"
    with said.open("wb") as words:
        try:
            process = subprocess.Popen(
                command, cwd=folder, env=os.environ | calm, stdin=subprocess.DEVNULL,
                stdout=words, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise SimulationError(
                f"lava-nc could not be started: {error}; or use the emulator: `runner: emulator`"
            ) from None
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise SimulationError(
                f"lava-nc must end within {timeout_s:g} s, found it still running and stopped it; "
                f"raise the option `timeout_s`, or use the emulator: `runner: emulator`; "
                f"{_last_words(said)}"
            ) from None
        finally:
            _end(process)
    if code:
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        raise SimulationError(
            f"lava-nc must run to its end, found it dead with {how}; run again, or use the "
            f"emulator: `runner: emulator`; {_last_words(said)}"
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the worker and whatever it started.

    First politely: Python's own helper then removes the shared memory that Lava has taken.
    """
    for kind, grace_s in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 1.0)):
        given_up = time.monotonic() + grace_s
        try:
            os.killpg(process.pid, kind)
            while time.monotonic() < given_up:
                process.poll()  # a child that nobody waits for stays in its group
                os.killpg(process.pid, 0)
                time.sleep(0.02)
        except (ProcessLookupError, PermissionError):
            break
    process.wait()


def _last_words(said: Path) -> str:
    """The end of what it wrote, in one line."""
    lines = said.read_text(errors="replace", encoding="utf-8").split("\n")
    text = " | ".join(line.strip() for line in lines if line.strip())
    if not text:
        return "it said nothing"
    return f"it said: {'… ' if len(text) > _SAID else ''}{text[-_SAID:]}"
