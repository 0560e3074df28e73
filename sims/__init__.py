"""Experiments: read from a config, run, stored, swept, trained and reported.

    >>> import sims
    >>> loaded = sims.load("phase_code", ["duration=100 ms"])
    >>> loaded.config.duration
    100 ms

`config` reads and checks · `assembly` builds · `run` simulates, `long_run` into a file · `sweep` ·
`train` · `sensing` hears again what a model asks for · `store` writes and reads files · `report`
pictures · `cli` the command `ember`, `terminal` what it shows
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sims.config import Loaded, from_resolved, load
    from sims.long_run import run_to_file
    from sims.report import write_report
    from sims.result import Provenance, Run
    from sims.run import run_experiment
    from sims.store import export, read_run, write_run
    from sims.sweep import run_sweep
    from sims.train import run_training

__all__ = [
    "Loaded", "Provenance", "Run", "export", "from_resolved", "load", "read_run",
    "run_experiment", "run_sweep", "run_to_file", "run_training", "write_report", "write_run",
]  # fmt: skip

_HOMES = {
    "sims.config": ("Loaded", "from_resolved", "load"),
    "sims.long_run": ("run_to_file",),
    "sims.report": ("write_report",),
    "sims.result": ("Provenance", "Run"),
    "sims.run": ("run_experiment",),
    "sims.store": ("export", "read_run", "write_run"),
    "sims.sweep": ("run_sweep",),
    "sims.train": ("run_training",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module `sims` has no attribute `{name}`")
