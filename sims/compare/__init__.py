"""One config on several back ends, and a report on how far they agree.

named           `numba:precision=float64,brian` -> back ends, and which is the reference
plan            what is random, which cells to watch, how many seeds
worker          one back end's runs, in a process of their own (`processes` starts it)
twins           networks that differ by a `rounding`: what rounding alone can do
matching        which spike is which; `deviation`: all that differs between two runs
distributions   rates and intervals by Kolmogorov and Smirnov
verdict         conditions of agreement; `analyse`: all of a back end; `report`: the JSON
write           the folder: `table`, `picture`, JSON
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sims.compare.comparing import Comparison, compare
    from sims.compare.picture import comparison_picture
    from sims.compare.report import Report, report_schema
    from sims.compare.write import write_comparison

__all__ = [
    "Comparison", "Report", "compare", "comparison_picture", "report_schema", "write_comparison",
]  # fmt: skip

_HOME = {
    "Comparison": "comparing", "Report": "report", "compare": "comparing",
    "comparison_picture": "picture", "report_schema": "report", "write_comparison": "write",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
