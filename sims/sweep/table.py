"""The result of a sweep as one tidy table: a row a point, in the order of the plan.

Columns: each varied key (a number in the unit that `sweep.json` and the Parquet field's metadata
give, or text), `seed`, `id`, `software` (the name under which `sweep.json` lists the versions that
a finished point ran under), then the measures. A point that is not done has empty measures.
Nothing in the table depends on when or where a point ran.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sims.store.atomic import atomic_path, write_text
from sims.store.home import without_home
from sims.sweep.ledger import Ledger
from sims.sweep.plan import Plan
from sims.sweep.versions import software_of_points

__all__ = ["Table", "make_table", "write_table"]

Table = dict[str, list[Any]]
"""Column name to one value a point; None where there is none."""


def make_table(plan: Plan, ledger: Ledger) -> Table:
    """Collect the job files of a plan's points.

    The order of the measures is that of the first point which has each.
    """
    table: Table = {column.key: without_home(list(column.values)) for column in plan.columns}
    if "seed" not in table:
        table["seed"] = [point.seed for point in plan.points]
    table["id"] = [point.id for point in plan.points]
    ran = software_of_points(ledger, table["id"])
    table["software"] = [ran.get(point) for point in table["id"]]
    rows: list[Mapping[str, Any]] = []
    for point in plan.points:
        job = ledger.job(point.id)
        rows.append(job["measures"] if job is not None and job["status"] == "done" else {})
    for name in _in_order(rows):
        table[name] = [row.get(name) for row in rows]
    return table


def write_table(table: Table, plan: Plan, ledger: Ledger) -> tuple[Path, Path]:
    """Write `table.csv` and `table.parquet`, each in one step; their paths.

    CSV numbers are the shortest text that reads back to the same bits.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    for row in zip(*table.values(), strict=True):
        writer.writerow(["" if value is None else _text(value) for value in row])
    csv_path = write_text(ledger.folder / "table.csv", text.getvalue(), force=True)
    parquet_path = ledger.folder / "table.parquet"
    with atomic_path(parquet_path, force=True) as temporary:
        _write_parquet(temporary, table, {column.key: column.unit for column in plan.columns})
    return csv_path, parquet_path


_GROUPS = ("rate_hz.", "spikes.", "modulator.", "factor.")


def _in_order(rows: list[Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row))

    def group(name: str) -> int:
        return next((k for k, start in enumerate(_GROUPS) if name.startswith(start)), len(_GROUPS))

    return sorted(names, key=group)  # stable: within a group as first met


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _write_parquet(path: Path, table: Table, units: Mapping[str, str]) -> None:
    import pyarrow
    import pyarrow.parquet

    fields, arrays = [], []
    for name, values in table.items():
        present = [value for value in values if value is not None]
        floats = not present or any(isinstance(value, float) for value in present)
        array = pyarrow.array(values, type=pyarrow.float64() if floats else None)
        metadata = {"unit": units[name]} if units.get(name) else None
        fields.append(pyarrow.field(name, array.type, metadata=metadata))
        arrays.append(array)
    pyarrow.parquet.write_table(pyarrow.table(arrays, schema=pyarrow.schema(fields)), path)
