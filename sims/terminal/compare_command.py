"""`ember compare`: refuse early, run every back end, write the folder, and say who agrees."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from neuro.errors import ConfigError, UnitError
from neuro.units import TIME, parse_quantity
from sims.config import Loaded
from sims.store.atomic import check_not_read
from sims.terminal.display import progress_on

__all__ = ["compare_and_write"]


def compare_and_write(
    loaded: Loaded,
    backends: str,
    out: Path | None,
    *,
    reference: str = "",
    seeds: int | None = None,
    jitter: str = "",
    timeout: str = "",
    imports: Sequence[str] = (),
    force: bool = False,
    as_json: bool = False,
) -> int:
    """Compare, write the folder, and print the table, or the report as one line of JSON.

    Args:
        jitter, timeout: Times with their units; the defaults of `sims.compare` if empty.

    Returns:
        The exit status, as `sims.compare.report.Report.status`.

    Raises:
        EmberError: if nothing could be compared; nothing is written then.
    """
    from sims.compare.comparing import TIMEOUT_S, compared
    from sims.compare.plan import plan_comparison
    from sims.compare.report import to_json
    from sims.compare.table import show
    from sims.compare.write import check_folder, comparison_folder, write_comparison
    from sims.interrupt import terminable

    folder = out or Path("runs") / f"{loaded.config.name}_compare"
    jitter_ms = _time_ms("--jitter", jitter) if jitter else None
    timeout_s = _time_ms("--timeout", timeout) / 1000.0 if timeout else TIMEOUT_S
    if not timeout_s > 0:
        raise ConfigError(f"--timeout must be positive, found `{timeout}`")
    check_not_read(folder, loaded.reads, folder=True)
    check_folder(folder, force=force)
    with terminable():
        with progress_on(sys.stderr) as progress:
            plan = plan_comparison(
                loaded, backends, reference=reference, seeds=seeds, jitter_ms=jitter_ms,
                imports=imports, progress=progress,
            )  # fmt: skip
        with comparison_folder(folder, force=force) as hidden:
            with progress_on(sys.stderr) as progress:
                found = compared(plan, hidden, timeout_s=timeout_s, progress=progress)
            undrawn = write_comparison(hidden, found)
    if undrawn:
        print(f"ember: note: {undrawn}", file=sys.stderr)
    if as_json:
        print(json.dumps(to_json(found.report), ensure_ascii=False, allow_nan=False))
    else:
        from rich.console import Console

        show(found.report, Console(highlight=False))
        picture = "" if undrawn else "compare.png, "
        print(f"written to {folder}: {picture}compare.json, compare.txt, runs, logs")
    return found.report.status


def _time_ms(option: str, text: str) -> float:
    try:
        return float(parse_quantity(text, TIME))
    except UnitError as error:
        raise ConfigError(f"{option}: {error}") from None
