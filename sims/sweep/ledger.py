"""The folder of a sweep: plain files, each written whole, are all the book-keeping there is.

sweep.json        what was asked for: the config, the varied keys, every point's id
jobs/<id>.json    one finished or failed point: status, measures, timings
logs/<id>.log     what that point wrote to stdout and stderr, each attempt after a header
runs/<id>.h5      its whole run file, with `keep: runs`
table.csv, table.parquet, *.png    made of the job files at the end
sweep.lock        while a sweep is at work, see `neuro.files.lock`
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuro.errors import StoreError
from neuro.files.regular import open_regular, read_json
from sims.store.atomic import write_json

__all__ = ["Counts", "Ledger"]

FORMAT = "ember-sweep"
VERSION = 1

_BEFORE_PLAN = {"sweep.lock", "jobs", "logs", "runs"}
"""What a sweep killed at its very start may have left."""

START = "=== attempt"
"""What each attempt's part of a log begins with."""


@dataclass(frozen=True)
class Counts:
    """How far a sweep is; failed and missing points keep the order of the plan."""

    expected: int
    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every point is done."""
        return len(self.done) == self.expected


@dataclass(frozen=True)
class Ledger:
    """Reads and writes the files of one sweep's folder."""

    folder: Path
    jobs: Path = field(init=False)
    logs: Path = field(init=False)
    runs: Path = field(init=False)

    def __post_init__(self) -> None:
        for name in ("jobs", "logs", "runs"):
            object.__setattr__(self, name, self.folder / name)

    @property
    def lock_file(self) -> Path:
        """`sweep.lock`."""
        return self.folder / "sweep.lock"

    @property
    def plan_file(self) -> Path:
        """`sweep.json`."""
        return self.folder / "sweep.json"

    def check_free_for(self, plan_hash: str) -> None:
        """Refuse a folder that holds another sweep, or anything that is not of a sweep.

        Raises:
            StoreError: saying what to do instead.
        """
        folder = self.folder
        if folder.exists() and not folder.is_dir():
            raise StoreError(
                f"a sweep needs a folder, found the file `{folder}`; give another --out"
            )
        plan = self.read_plan()
        if plan is not None and plan.get("plan_hash") != plan_hash:
            raise StoreError(
                f"`{folder}` holds another sweep, or the config has changed since; give another "
                "--out, or remove that folder to start over"
            )
        if plan is None and folder.is_dir():
            found = {file.name for file in folder.iterdir() if not file.name.startswith(".")}
            if found - _BEFORE_PLAN:
                raise StoreError(
                    f"a sweep needs an empty folder or its own, found "
                    f"`{min(found - _BEFORE_PLAN)}` in `{folder}`; give another --out"
                )

    def make_folders(self, *, runs: bool) -> None:
        """Make the folders that jobs write to.

        Raises:
            StoreError: if one cannot be made.
        """
        for folder in (self.folder, self.jobs, self.logs, *([self.runs] if runs else [])):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = os.strerror(error.errno or 0)
                raise StoreError(f"cannot make the folder `{folder}`: {reason}") from error

    def read_plan(self) -> dict[str, Any] | None:
        """`sweep.json`, or None if the folder has none.

        Raises:
            StoreError: if it is not the plan of a sweep, or of a later version.
        """
        if not os.path.lexists(self.plan_file):
            return None
        plan = read_json(self.plan_file)
        if not isinstance(plan, dict) or plan.get("format") != FORMAT:
            raise StoreError(f"`{self.plan_file}` must be the plan of a sweep; give another folder")
        if plan.get("version") != VERSION:
            raise StoreError(
                f"`{self.plan_file}` must be of version {VERSION}, found {plan.get('version')}; "
                "read it with the Ember that wrote it"
            )
        return plan

    def write_plan(self, plan: dict[str, Any]) -> None:
        """Write `sweep.json` in one step."""
        write_json(self.plan_file, {"format": FORMAT, "version": VERSION, **plan}, force=True)

    def job(self, point_id: str) -> dict[str, Any] | None:
        """The job file of a point; None if there is none, or none that can be used."""
        try:
            job = read_json(self.jobs / f"{point_id}.json")
        except StoreError:
            return None
        usable = isinstance(job, dict) and job.get("id") == point_id
        return job if usable and job.get("status") in ("done", "failed") else None

    def write_job(self, job: dict[str, Any]) -> None:
        """Write a point's job file in one step; a failure never replaces a finished point."""
        if job["status"] == "failed":
            before = self.job(job["id"])
            if before is not None and before["status"] == "done":
                return
        write_json(self.jobs / f"{job['id']}.json", job, force=True)

    def log(self, point_id: str) -> Path:
        """Where a point's stdout and stderr go."""
        return self.logs / f"{point_id}.log"

    def starts(self, point_id: str) -> int:
        """How often a point was started, by its log."""
        try:
            with open_regular(self.log(point_id)) as file:
                return sum(line.startswith(START.encode()) for line in file)
        except (OSError, StoreError):
            return 0

    def last_line(self, point_id: str) -> str:
        """The last line of a point's log that is not blank."""
        try:
            with open_regular(self.log(point_id)) as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - 8192))
                lines = file.read().decode("utf-8", errors="replace").splitlines()
        except (OSError, StoreError):
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def results(self) -> list[Path]:
        """The table and the pictures that are there."""
        tables = [self.folder / "table.csv", self.folder / "table.parquet"]
        return [path for path in tables if path.exists()] + sorted(self.folder.glob("*.png"))

    def counts(self, ids: Iterable[str]) -> Counts:
        """How many of these points are done, failed or missing, from the job files alone."""
        found: dict[str, list[str]] = {"done": [], "failed": [], "missing": []}
        for point_id in ids:
            job = self.job(point_id)
            found["missing" if job is None else job["status"]].append(point_id)
        return Counts(
            sum(len(ids) for ids in found.values()),
            tuple(found["done"]),
            tuple(found["failed"]),
            tuple(found["missing"]),
        )
