"""`ember run`: refuse early, run, write, and say what came out and where it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sims.config import Loaded
from sims.config.shipped import RUN_FILE_SUFFIXES
from sims.result import Run
from sims.store.atomic import check_writable
from sims.terminal.display import columns, progress_on, run_summary, stderr

__all__ = ["output_of", "run_and_write"]

STAGES = ("encode", "build", "compile", "simulate")


def run_and_write(
    loaded: Loaded, out: Path | None, *, force: bool, threads: int | None, as_json: bool
) -> None:
    """Run a config and write its run file; figures go to the standard output.

    A config that came out of a run file, unchanged, is compared with it spike for spike.

    Raises:
        EmberError: before anything is simulated where that can be known.
        KeyboardInterrupt: saying what is kept, once the file is written.
    """
    path = out or output_of(loaded)
    check_writable(path, force=force)
    from sims.run import run_experiment
    from sims.store import write_run

    with progress_on(stderr()) as progress:
        run = run_experiment(loaded, threads=threads, progress=progress)
        progress(f"writing {path}")
        write_run(path, run, force=force)
    try:
        figures = {**run_summary(run), "output": str(path)}
        if _from_run_file(loaded) and not loaded.changed:
            figures["same_spikes"] = _same_spikes(loaded.path, run)
        if as_json:
            print(json.dumps(figures))
        else:
            print(_as_text(figures, loaded))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{path} is written and whole") from None


def output_of(loaded: Loaded) -> Path:
    """Where a run goes if nobody says: its config's choice, `runs/NAME.h5`, or beside its file."""
    if _from_run_file(loaded):
        path = Path(loaded.path)
        return path.with_name(f"{path.stem}_again{path.suffix}")
    file = loaded.resolved.get("output", {}).get("file")
    return Path(file).expanduser() if file else Path("runs") / f"{loaded.config.name}.h5"


def _from_run_file(loaded: Loaded) -> bool:
    return Path(loaded.path).suffix.lower() in RUN_FILE_SUFFIXES


def _same_spikes(path: str, run: Run) -> bool:
    from sims.store import read_run

    return dict(read_run(path).recording.spikes) == dict(run.recording.spikes)


def _as_text(figures: dict[str, Any], loaded: Loaded) -> str:
    rows = [("population", "cells", "spikes", "rate")]
    for name, found in figures["populations"].items():
        rows.append((name, f"{found['n']:,}", f"{found['spikes']:,}", f"{found['rate_hz']:.1f} Hz"))
    stages = ", ".join(f"{stage} {figures[f'{stage}_s']:.2f} s" for stage in STAGES)
    lines = [
        columns(rows, right=(1, 2, 3)),
        "",
        f"{figures['duration_ms']:g} ms on {figures['backend']}: {stages}",
        f"written to {figures['output']}",
    ]
    if "same_spikes" in figures:
        same = "the same as" if figures["same_spikes"] else "NOT the same as"
        lines.append(f"the spikes are {same} those in {loaded.path}")
    lines.append(f"see it with: ember report {figures['output']}")
    return "\n".join(lines)
