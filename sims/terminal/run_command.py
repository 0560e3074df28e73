"""`ember run`: refuse early, run, write, and say what came out and where it is."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from neuro.errors import ConfigError, UnitError
from neuro.files.home import expanded
from sims.config import Loaded
from sims.config.shipped import RUN_FILE_SUFFIXES
from sims.store.atomic import check_not_read, check_writable
from sims.terminal.display import columns, progress_on, run_summary
from sims.terminal.startup import import_numba

__all__ = ["output_of", "run_and_write"]

STAGES = ("encode", "build", "compile", "simulate")


def run_and_write(
    loaded: Loaded,
    out: Path | None,
    *,
    force: bool,
    threads: int | None,
    as_json: bool,
    checkpoint_every: str = "",
) -> None:
    """Run a config and write its run file; figures go to the standard output.

    A config that came out of a run file, unchanged, is compared with it spike for spike.

    Args:
        checkpoint_every: A time with its unit, or `never`; a minute if empty.

    Raises:
        EmberError: before anything is simulated where that can be known.
        KeyboardInterrupt: saying what is kept.
    """
    path = out or output_of(loaded)
    every_s = _interval_s(checkpoint_every)
    check_not_read(path, loaded.reads)
    check_writable(path, force=force)
    import_numba()
    from sims.long_run import run_to_file

    with progress_on(sys.stderr) as progress:
        told = run_to_file(
            loaded, path, force=force, threads=threads, checkpoint_every_s=every_s,
            progress=progress,
        )  # fmt: skip
    try:
        figures = {**run_summary(told), "output": str(path)}
        if _from_run_file(loaded) and not loaded.changed:
            from sims.store.compare import same_spikes

            figures["same_spikes"] = same_spikes(loaded.path, path)
        if as_json:
            print(json.dumps(figures))
        else:
            print(_as_text(figures, loaded))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{path} is written and whole") from None


def _interval_s(text: str) -> float | None:
    if not text:
        return None
    if text == "never":
        return math.inf
    from neuro.units import TIME, parse_quantity

    try:
        every_ms = float(parse_quantity(text, TIME))
    except UnitError as error:
        raise ConfigError(f"--checkpoint-every: {error}; or `never`") from None
    if not every_ms > 0:
        raise ConfigError(f"--checkpoint-every must be positive or `never`, found `{text}`")
    return every_ms / 1000.0


def output_of(loaded: Loaded) -> Path:
    """Where a run goes if nobody says: its config's choice, `runs/NAME.h5`, or beside its file."""
    if _from_run_file(loaded):
        path = Path(loaded.path)
        return path.with_name(f"{path.stem}_again{path.suffix}")
    file = loaded.resolved.get("output", {}).get("file")
    return expanded(file) if file else Path("runs") / f"{loaded.config.name}.h5"


def _from_run_file(loaded: Loaded) -> bool:
    return Path(loaded.path).suffix.lower() in RUN_FILE_SUFFIXES


def _as_text(figures: dict[str, Any], loaded: Loaded) -> str:
    rows = [("population", "cells", "spikes", "rate")]
    for name, found in figures["populations"].items():
        rows.append((name, f"{found['n']:,}", f"{found['spikes']:,}", f"{found['rate_hz']:.1f} Hz"))
    stages = ", ".join(f"{stage} {figures[f'{stage}_s']:.2f} s" for stage in STAGES)
    lines = [
        columns(rows, right=(1, 2, 3)),
        "",
        f"{figures['duration_ms']:g} ms on {figures['backend']}: {stages}",
        *_went_on(figures["resumed_ms"]),
        *(f"note: {note}" for note in figures["notes"]),
        f"written to {figures['output']}",
    ]
    if "same_spikes" in figures:
        same = "the same as" if figures["same_spikes"] else "NOT the same as"
        lines.append(f"the spikes are {same} those in {loaded.path}")
    lines.append(f"see it with: ember report {figures['output']}")
    return "\n".join(lines)


def _went_on(resumed_ms: float) -> list[str]:
    return [f"went on from {resumed_ms:g} ms, where it had been ended"] if resumed_ms else []
