"""Which software each point of a sweep ran under, and whether points of another may join them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from neuro.errors import StoreError
from sims.store.software import (
    ALLOW,
    changes,
    described,
    shown_change,
    simulating,
    software_id,
)
from sims.sweep.ledger import Ledger
from sims.sweep.plan import Plan

__all__ = [
    "check_worker", "ran_under", "refuse_mixture", "software_of_points", "softwares",
]  # fmt: skip

UNKNOWN = "unknown"
"""The software of a point that an Ember ran which did not write it down."""


def software_of_points(ledger: Ledger, ids: list[str]) -> dict[str, str]:
    """Of each finished point, the name of the software it ran under."""
    jobs = {point: ledger.job(point) for point in ids}
    return {
        point: str(job.get("software") or UNKNOWN)
        for point, job in jobs.items()
        if job is not None and job["status"] == "done"
    }


def softwares(plan: Mapping[str, Any] | None) -> dict[str, Any]:
    """What `sweep.json` says of each software, by name."""
    found = (plan or {}).get("software")
    return dict(found) if isinstance(found, Mapping) else {}


def ran_under(ledger: Ledger, plan: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """Name, number of finished points and description of each software of a sweep."""
    ids = [str(point["id"]) for point in plan["points"]]
    known = softwares(plan)
    counts = Counter(software_of_points(ledger, ids).values())
    return [(name, n, described(known.get(name, {}))) for name, n in counts.most_common()]


def refuse_mixture(ledger: Ledger, plan: Plan, *, allowed: bool) -> None:
    """Stop before points of this software stand in one table with points of another.

    Raises:
        StoreError: if some points are finished under another one, others are not finished, and
            it was not allowed.
    """
    ids = [point.id for point in plan.points]
    ran = software_of_points(ledger, ids)
    now = simulating()
    others = {point: name for point, name in ran.items() if name != software_id(now)}
    if allowed or not others or len(ran) == len(ids):
        return
    then = softwares(ledger.read_plan()).get(next(iter(others.values())))
    found = changes(then, now) if isinstance(then, Mapping) else []
    what = shown_change(found) if found else "which one was not written down"
    raise StoreError(
        f"all points of a sweep must run under one version of the software, found {len(others)} in "
        f"`{ledger.folder}` that ran under another ({what}); give another --out, or add {ALLOW}, "
        "and the table says which point ran under which"
    )


def check_worker(then: Mapping[str, Any], *, allowed: bool) -> str:
    """The name of this process's software, which runs a point of a sweep begun under `then`.

    Raises:
        StoreError: if it is another one and that was not allowed.
    """
    now = simulating()
    found = changes(then, now)
    if found and not allowed:
        raise StoreError(
            "a worker must run the software that the sweep was started with, found that "
            f"{shown_change(found)}; start the sweep again, with {ALLOW} if that is meant"
        )
    return software_id(now)
