"""Reports: one self-contained HTML page for a run, a sweep or a training, and its pictures.

write.py          write_report: what is at the path? -> the page and its pictures, on disk
run_page.py       a run file   -> what the page says
sweep_page.py     a sweep      -> what the page says
training_page.py  a training   -> what the page says; puzzle_page.py, of one on puzzles
provenance.py     what was run, and how to do it again, on every page
wording.py        names, numbers and units as a person reads them
page.py           pictures, tables and texts -> HTML
figures/          Run, Recording, table -> matplotlib figures, for notebooks as well
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sims.report.write import write_report

__all__ = ["write_report"]


def __getattr__(name: str) -> Any:
    if name == "write_report":
        from sims.report.write import write_report  # matplotlib and jinja2 load when first needed

        return write_report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
