"""A recorded path, read from a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuro.errors import SignalError, nearest
from neuro.files.home import expanded
from neuro.units import quantities

__all__ = ["COLUMNS", "read_path"]

COLUMNS = ("t", "x", "y")


@quantities
def read_path(
    path: str | Path, *, width_m: float, height_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read positions over time.

    The first row names the columns; `t` (seconds, increasing), `x` and `y` (metres from the
    arena's lower left corner) must be among them, in any order. Other columns are ignored.

    Returns:
        `(n,)` times in ms, counted from the first row's, and `(n, 2)` positions in metres.

    Raises:
        SignalError: naming the row, if the file is missing, not such a table, has fewer than
            two rows, times that do not increase, or a position that is no number or lies
            outside the arena.
    """
    path = expanded(path, SignalError)
    if not path.is_file():
        raise SignalError(f"a path file must be at `{path}`, found nothing there; check the path")
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(_rows(csv.reader(lines), path))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SignalError(f"`{path}` must be a CSV text, found something else ({error})") from None
    if len(rows) < 2:
        raise SignalError(f"`{path}` must hold at least two positions, found {len(rows)}")
    table = np.array([values for _, values in rows])
    for (line, _), before, (t, x, y) in zip(
        rows, [-np.inf, *table[:-1, 0]], table, strict=True
    ):  # in file order, so that the first fault is the one reported
        if t <= before:
            raise SignalError(
                f"`{path}` row {line}: t must increase, found {t:g} s after {before:g} s"
            )
        if not (0 <= x <= width_m and 0 <= y <= height_m):
            raise SignalError(
                f"`{path}` row {line}: a position must lie in the arena of {width_m:g} m by "
                f"{height_m:g} m, found x {x:g} m, y {y:g} m; positions are in metres from the "
                f"lower left corner: mend the row or set `width` and `height`"
            )
    return 1000.0 * (table[:, 0] - table[0, 0]), table[:, 1:]


def _rows(reader, path: Path):  # type: ignore[no-untyped-def]
    """Yield the line number and (t, x, y) of each row that is not blank."""
    header = [name.strip() for name in next(reader, [])]
    for name in COLUMNS:
        if name not in header:
            raise SignalError(
                f"`{path}` row 1: the columns must include t (s), x (m) and y (m), `{name}` is "
                f"missing among {', '.join(header) or '(nothing)'}{nearest(name, header)}"
            )
    where = [header.index(name) for name in COLUMNS]
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        values = []
        for name, column in zip(COLUMNS, where, strict=True):
            cell = row[column].strip() if column < len(row) else ""
            try:
                value = float(cell)
            except ValueError:
                value = np.nan
            if not np.isfinite(value):
                raise SignalError(
                    f"`{path}` row {reader.line_num}: {name} must be a finite number, "
                    f"found `{cell}`"
                )
            values.append(value)
        yield reader.line_num, values
