"""Sweeps: many runs of one config, kept as plain files, gathered in one table.

`run_sweep` runs one, `show_status` says how far it is, `sweep_counts` gives that as numbers.
The files are described in `sims.sweep.ledger`, the table in `sims.sweep.table`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sims.sweep.run import run_sweep
    from sims.sweep.status import show_status, sweep_counts

__all__ = ["run_sweep", "show_status", "sweep_counts"]


def __getattr__(name: str) -> Any:
    if name == "run_sweep":
        from sims.sweep.run import run_sweep

        return run_sweep
    if name in ("show_status", "sweep_counts"):
        from sims.sweep import status

        return getattr(status, name)
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
