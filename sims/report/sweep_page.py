"""What the report of a sweep says, finished or still under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuro.errors import StoreError
from sims.report import figures
from sims.report.figures.doses import responding
from sims.report.page import Block, Code, Image, Page, Section, Table, Text
from sims.report.provenance import config_blocks
from sims.report.wording import labelled, plain
from sims.store.home import as_typed

__all__ = ["read_sweep", "sweep_page"]

MOST_ROWS = 200
GROUPS = (
    ("dose-response-rates", "rate_hz.", "Rates of populations"),
    ("dose-response-modulators", "modulator.", "Concentrations"),
    ("dose-response-factors", "factor.", "Factors on modulated parameters"),
    ("dose-response-measures", "", "The sweep's own measures"),
)


def read_sweep(folder: Path) -> tuple[dict[str, Any], dict[str, list[Any]], list[dict[str, Any]]]:
    """A sweep's plan, its table so far (a column to a list), and the jobs that failed.

    Raises:
        StoreError: if the plan is not one, or lacks what a plan has.
    """
    from sims.sweep.ledger import Ledger
    from sims.sweep.versions import software_of_points

    ledger = Ledger(folder)
    plan = ledger.read_plan()
    if plan is None:
        raise StoreError(f"expected the folder of a sweep, found no `sweep.json` in `{folder}`")
    try:
        points, vary = plan["points"], plan["vary"]
        table: dict[str, list[Any]] = {
            key: [_number(point["values"][key], about["unit"]) for point in points]
            for key, about in vary.items()
        }
        table.setdefault("seed", [point["seed"] for point in points])
        table["id"] = [point["id"] for point in points]
    except (KeyError, TypeError) as error:
        raise StoreError(
            f"`{ledger.plan_file}` must be a whole plan of a sweep, found no {error}; "
            "start the sweep again in another folder"
        ) from None
    jobs = [ledger.job(point) or {"id": point, "status": "missing"} for point in table["id"]]
    table["status"] = [job["status"] for job in jobs]
    measured = [job["measures"] if job["status"] == "done" else {} for job in jobs]
    for name in dict.fromkeys(name for measures in measured for name in measures):
        table[name] = [measures.get(name) for measures in measured]
    ran = software_of_points(ledger, table["id"])
    if len(set(ran.values())) > 1:
        table["software"] = [ran.get(point) for point in table["id"]]
    failed = [job for job in jobs if job["status"] == "failed"]
    for job in failed:
        job["error"] = job.get("error") or ledger.last_line(job["id"])
    return plan, table, failed


def sweep_page(folder: Path) -> Page:
    """The page of the sweep in `folder`.

    Raises:
        StoreError: if there is none.
    """
    plan, table, failed = read_sweep(folder)
    units = {key: about["unit"] for key, about in plan["vary"].items()}
    n = len(table["id"])
    done = table["status"].count("done")
    seeds = sorted(set(table["seed"]))
    sections = [
        Section("Dose and response", _pictures(table, units)),
        *([Section("Failures", [_failures(failed)])] if failed else []),
        Section("Points", _points(table, units)),
        Section("What was run", _provenance(plan, folder)),
    ]
    varied = " and ".join(units) or "nothing but the seed"
    return Page(
        title=str(plan.get("name", folder.name)),
        what="Sweep",
        summary=f"{n} runs of one config that differ in {varied}.",
        facts=[
            ("points", f"{n:,}"),
            ("done", f"{done:,}"),
            ("failed", f"{len(failed):,}"),
            ("missing", f"{n - done - len(failed):,}"),
            ("seeds", f"{len(seeds):,}"),
        ],
        sections=sections,
    )


def _number(value: Any, unit: str) -> Any:
    """A varied value as the number before the unit of its column, or as text."""
    from neuro.units import parse_quantity
    from sims.sweep.axes import surface

    if unit and isinstance(value, str):
        return surface(parse_quantity(value))
    return value if isinstance(value, (int, float, str)) else str(value)


def _pictures(table: Mapping[str, Sequence[Any]], units: Mapping[str, str]) -> list[Block]:
    keys = units or {"seed": "1"}
    changing = responding(table, keys)
    replicated = max(Counter(zip(*(table[key] for key in keys), strict=True)).values()) >= 3
    bars = ", and bars are 95 % intervals of the mean" if replicated else ""
    blocks: list[Block] = []
    for name, start, what in GROUPS:
        others = [first for _, first, _ in GROUPS if first]
        mine = [m for m in changing if m.startswith(start or "")]
        if not start:
            mine = [m for m in changing if not m.startswith((*others, "spikes."))]
        if mine:
            caption = (
                f"{what} against the dose. Small points are single runs; the line joins their "
                f"means{bars}."
            )
            blocks.append(Image(name, caption, figures.png(
                figures.dose_response(table, keys, mine)
            )))  # fmt: skip
    skip = {*units, "seed", "id", "software", "status"}
    constant = [m for m in table if m not in skip and not m.startswith("spikes.")]
    constant = [m for m in constant if m not in changing]
    if constant:
        blocks.append(Text("Not changed by what was varied: " + ", ".join(constant) + "."))
    if not changing:
        blocks.insert(0, Text("No finished points differ yet, so there is nothing to draw."))
    return blocks


def _failures(failed: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [
            ", ".join(f"{key} = {value}" for key, value in job.get("values", {}).items()),
            str(job.get("seed", "")),
            str(job["error"]),
            f"logs/{job['id']}.log",
        ]
        for job in failed
    ]
    return Table(["point", "seed", "error", "log"], rows)


def _points(table: Mapping[str, Sequence[Any]], units: Mapping[str, str]) -> list[Block]:
    ran = ["software"] if "software" in table else []
    shown = ["seed", *ran, "status", *responding(table, units or ["seed"])]
    columns = [*(key for key in units if key != "seed"), *shown]
    rows = [
        [_cell(table[column][row]) for column in columns]
        for row in range(min(len(table["id"]), MOST_ROWS))
    ]
    heads = [labelled(_short(key), units[key]) if key in units else key for key in columns]
    numbers = frozenset(
        head
        for head, column in zip(heads, columns, strict=True)
        if any(isinstance(value, (int, float)) for value in table[column])
    )
    left_out = len(table["id"]) - len(rows)
    note = (
        f"The first {len(rows)} points; {left_out} more, and every measure, are in table.csv."
        if left_out
        else "Measures that nothing changes are left out; table.csv has them all."
    )
    return [Table(heads, rows, numbers, caption=note)]


def _short(key: str) -> str:
    """The last two parts of a dotted key, which is what tells it from the others."""
    return ".".join(key.split(".")[-2:])


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return plain(value)
    return str(value)


def _provenance(plan: Mapping[str, Any], folder: Path) -> list[Block]:
    from sims.sweep.ledger import Ledger
    from sims.sweep.versions import ran_under

    overrides = [str(text) for text in plan.get("overrides", ())]
    path = str(plan.get("config_path", ""))
    # A page is passed on: where the folder lies on this machine is nobody else's affair.
    place = folder.name if folder.is_absolute() else str(folder)
    rows = [
        ["config", path],
        ["overrides", as_typed(overrides) or "none"],
        ["plan hash", str(plan.get("plan_hash", ""))],
        ["folder", place],
        *(
            [f"software {name}", f"{n} points: {about}"]
            for name, n, about in ran_under(Ledger(folder), plan)
        ),
    ]
    again = as_typed(["ember", "sweep", path, *overrides, "--out", place])
    return [
        Table((), rows),
        Text("The same command goes on where the sweep stopped, and repeats nothing that is done:"),
        Code(again),
        *config_blocks(str(plan.get("config_text", "")), plan.get("resolved", {}), path),
    ]
