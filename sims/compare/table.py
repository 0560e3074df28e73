"""A comparison as a person reads it: a table, and below it what decided."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sims.compare.report import BackendReport, Check, Report

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

__all__ = ["as_text", "show"]

_WIDTH = 120
"""Of the table in a file."""

_FAILED = 6
"""Failed conditions of a back end that are told; the file has all. Engineering choice."""

_COLOURS = {
    "reference": "cyan", "agrees": "green", "differs": "red", "refused": "yellow",
    "failed": "magenta", "timed out": "magenta",
}  # fmt: skip


def show(report: Report, console: Console) -> None:
    """Print the table and what decided."""
    for part in _parts(report):
        console.print(part)


def as_text(report: Report) -> str:
    """The same as plain text."""
    from rich.console import Console

    out = io.StringIO()
    show(report, Console(file=out, width=_WIDTH, highlight=False, color_system=None))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _parts(report: Report) -> Iterator[RenderableType]:
    from rich.text import Text

    n = len(report.seeds)
    first, last = report.seeds[0], report.seeds[-1]
    seeds = f"seed {first}" if n == 1 else f"seeds {first} to {last}"
    yield Text(
        f"{report.name}, {report.duration_ms:g} ms in steps of {report.dt_ms:g} ms, {seeds}",
        style="bold",
    )
    agreement = _table("verdict", *_columns(report))
    cost = _table("arithmetic", "build", "compile", "simulate", "memory")
    for one in report.backends:
        verdict = Text(one.verdict, style=_COLOURS[one.verdict])
        agreement.add_row(one.label, verdict, *_found(report, one))
        cost.add_row(one.label, one.arithmetic, *_costs(one))
    yield agreement
    yield Text()
    yield cost
    yield Text()
    yield Text(f"reference: {report.reference} ({report.reference_because})")
    yield Text(_expected(report))
    for one in report.backends:
        if one.error:
            yield Text(f"{one.label} {one.verdict}: {one.error}")
        failed = [check for check in one.checks if not check.passed]
        for check in failed[:_FAILED]:
            yield Text(f"{one.label} differs: {_told(check, n)}")
        if len(failed) > _FAILED:
            yield Text(f"{one.label} differs: {len(failed) - _FAILED} more, see compare.json")
    for note in report.notes:
        yield Text(f"note: {note}")


def _table(first: str, *numbers: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("back end", overflow="fold")
    table.add_column(first, no_wrap=True)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _columns(report: Report) -> tuple[str, ...]:
    if report.random:
        return ("spikes", "distance", "least p")
    return ("spikes", "matched", "first moved", "trace error")


def _found(report: Report, one: BackendReport) -> tuple[str, ...]:
    spikes = "" if one.spikes is None else f"{one.spikes:,}"
    if one.f is None:
        return (spikes, *("" for _ in _columns(report)[1:]))
    if report.random:
        distance = max((t.statistic for t in one.distributions), default=0.0)
        p = min((t.p_corrected for t in one.distributions), default=1.0)
        return spikes, f"{distance:.3f}", f"{p:.2g}"
    first = "never" if one.first_moved is None else f"{one.first_moved.time_ms:g} ms"
    traces = [t.relative for t in one.traces if t.relative is not None]
    worst = f"{max(traces):.1e}" if traces else ""
    return spikes, _percent(one.f), first, worst


def _percent(part: float) -> str:
    """A part of one; never rounded up to all of it."""
    text = f"{part:.2%}"
    return "99.99%" if part < 1 and text == "100.00%" else text


def _costs(one: BackendReport) -> tuple[str, ...]:
    if one.cost is None:
        return ("", "", "", "")
    cost = one.cost
    seconds = (cost.encode_s + cost.build_s, cost.compile_s, cost.simulate_s)
    memory = "" if cost.peak_memory_bytes is None else f"{cost.peak_memory_bytes / 1e6:,.0f} MB"
    return (*(f"{s:.2f} s" if s >= 0.1 else f"{1000 * s:.0f} ms" for s in seconds), memory)


def _expected(report: Report) -> str:
    t = report.tolerances
    if report.random:
        return (
            f"expected: the same distributions, not the same spikes, since there are "
            f"{', '.join(report.random)}; Kolmogorov-Smirnov over {len(report.seeds)} seeds, "
            f"corrected by Holm, at {t.alpha:g}"
        )
    return (
        f"expected: the same spikes within {t.jitter_ms:g} ms, since nothing is random; no further "
        f"apart than {t.twins} runs of the reference with each number moved by a rounding (traces: "
        f"{t.factor:g} times)"
    )


def _told(check: Check, n_seeds: int) -> str:
    return check.text if check.seed is None or n_seeds == 1 else f"seed {check.seed}: {check.text}"
