"""The picture of `howto/compare.md`:  python docs/_compare_picture.py"""

from __future__ import annotations

from pathlib import Path

from sims.compare import compare, comparison_picture
from sims.compare.table import as_text
from sims.config import load
from sims.report.figures import png

CHANGES = ("circuits.cuba.n_cells=400", "duration=300 ms")
BACKENDS = "brian,numba,numba:precision=float64,norse"


def main() -> None:
    """Run what the page shows, print its table, and write its picture."""
    found = compare(load("cuba", CHANGES), BACKENDS)
    print(as_text(found.report))
    target = Path(__file__).parent / "images" / "compare.png"
    target.write_bytes(png(comparison_picture(found)))


if __name__ == "__main__":
    main()
