"""What was begun under one software does not silently continue under another."""

from __future__ import annotations

import csv
import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from rich.console import Console

from neuro.errors import StoreError
from sims.config import load
from sims.report.sweep_page import sweep_page
from sims.store import software
from sims.store.software import changes, software_id, sources
from sims.sweep import run as run_module
from sims.sweep import run_sweep, show_status, versions, worker
from sims.sweep.worker import Job, PointResult

TOY = Path(__file__).parent / "toy_sweep.yaml"
AMOUNT = "modulation.noradrenaline.per_spike"
FOUR = f'sweep.vary={{"{AMOUNT}": [0 nM, 20 nM, 40 nM, 60 nM]}}'


def rate_of_the_code(job: Job) -> PointResult:
    return PointResult({"rate": 2.75})


def other_rate(job: Job) -> PointResult:
    return PointResult({"rate": 17.5})


def half(job: Job) -> PointResult:
    if job.values[AMOUNT] in ("40 nM", "60 nM"):
        raise StoreError("not now")
    return rate_of_the_code(job)


def sweep(out: Path, point: Any, **options: Any) -> tuple[int, str]:
    said = StringIO()
    status = run_sweep(
        load(TOY, (FOUR, "sweep.retries=0")), out, workers=0, run_point=point,
        console=Console(file=said, width=300), **options,
    )  # fmt: skip
    return status, said.getvalue()


def change(patch: pytest.MonkeyPatch, **other: Any) -> str:
    """From here on this process runs another software; its name."""
    now = {**software.simulating(), **other}
    for module in (versions, run_module):
        patch.setattr(module, "simulating", lambda: now)
    return software_id(now)


@pytest.fixture
def half_done(tmp_path: Path) -> Path:
    assert sweep(tmp_path / "s", half)[0] == 1
    return tmp_path / "s"


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"sources": "0"}, "Ember's own code has changed"),
        ({"precision": {"norse": "float32"}}, "precision of numba was float32 and is not there"),
        ({"versions": {"python": "3.10"}}, "and is not there"),
        ({"machine": "other"}, "machine"),
    ],
)
def test_a_sweep_does_not_mix_two_softwares(
    half_done: Path, other: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {file: file.read_bytes() for file in half_done.rglob("*") if file.is_file()}
    change(monkeypatch, **other)
    with pytest.raises(StoreError, match=says) as caught:
        sweep(half_done, other_rate)
    assert "--allow-version-change" in str(caught.value) and "\n" not in str(caught.value)
    assert {file: file.read_bytes() for file in half_done.rglob("*") if file.is_file()} == before


def test_a_mixture_that_is_allowed_is_written_down(
    half_done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = software_id(software.simulating())
    second = change(monkeypatch, sources="0123456789abcdef")
    assert sweep(half_done, other_rate, allow_version_change=True)[0] == 0
    with (half_done / "table.csv").open(encoding="utf-8") as file:
        rows = [(row["software"], row["rate"]) for row in csv.DictReader(file)]
    assert rows == [(first, "2.75")] * 2 + [(second, "17.5")] * 2
    parquet = pyarrow.parquet.read_table(half_done / "table.parquet")
    assert parquet["software"].to_pylist() == [first, first, second, second]
    plan = json.loads((half_done / "sweep.json").read_text("utf-8"))
    assert plan["software"][second]["sources"] == "0123456789abcdef"
    assert plan["software"][first]["versions"]["numpy"]
    said = StringIO()
    assert show_status(half_done, Console(file=said, width=500)) == 0
    assert f"2 points ran under {first} (" in said.getvalue()
    assert "source 0123456789" in said.getvalue()
    page = repr(sweep_page(half_done))
    assert first in page and second in page
    assert sweep(half_done, other_rate)[0] == 0  # nothing is left to mix


def test_points_of_an_unknown_software_count_as_of_another(half_done: Path) -> None:
    for file in (half_done / "jobs").iterdir():  # as an Ember before this one left it
        job = json.loads(file.read_text("utf-8"))
        del job["software"]
        file.write_text(json.dumps(job), encoding="utf-8")
    with pytest.raises(StoreError, match="was not written down"):
        sweep(half_done, other_rate)


def test_failed_points_alone_do_not_bind_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(job: Job) -> PointResult:
        raise StoreError("no")

    assert sweep(tmp_path / "s", never)[0] == 1
    change(monkeypatch, sources="0")
    assert sweep(tmp_path / "s", other_rate)[0] == 0


def test_a_worker_of_another_software_refuses_its_point(
    half_done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that was started after the source was edited."""
    plan = json.loads((half_done / "sweep.json").read_text("utf-8"))
    job = Job("a" * 32, {}, 0, {}, str(half_done), plan["plan_hash"], software={"sources": "0"})
    with pytest.raises(StoreError, match="worker must run the software"):
        worker.run_job(job, rate_of_the_code)


# ------------------------------------------------------------------ what is seen


def test_a_changed_source_is_seen_without_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(software.__file__).parents[2]
    for room in ("neuro", "circuits", "encoders", "bridges", "sims"):
        shutil.copytree(root / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(software, "__file__", str(tmp_path / "sims" / "store" / "software.py"))

    def seen() -> dict[str, str]:
        kinds = {"run": software.simulating, "train": software.training, "hear": software.hearing}
        return {what: kind.__wrapped__()["sources"] for what, kind in kinds.items()}

    def changed_by(file: str) -> set[str]:
        before, path = seen(), tmp_path / file
        text = path.read_text("utf-8")
        path.write_text(text.replace("e", "E", 1), encoding="utf-8")
        after = seen()
        path.write_text(text, encoding="utf-8")
        return {what for what in before if before[what] != after[what]}

    assert changed_by("neuro/models/lif.py") == {"run", "train", "hear"}
    assert changed_by("bridges/reasoning/halting.py") == {"train"}
    assert changed_by("sims/report/page.py") == set()


def test_a_renamed_file_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "__file__", str(tmp_path / "sims" / "store" / "software.py"))
    (tmp_path / "neuro").mkdir()
    found = []
    for files in (
        {"a.py": "1", "b.py": "2"},
        {"a.py": "12", "b.py": ""},
        {"a.py": "1", "c.py": "2"},
    ):
        for old in (tmp_path / "neuro").iterdir():
            old.unlink()
        for name, text in files.items():
            (tmp_path / "neuro" / name).write_text(text, encoding="utf-8")
        found.append(sources("neuro"))
    assert len(set(found)) == 3


def test_the_same_software_has_no_changes() -> None:
    now = software.simulating()
    assert changes(json.loads(json.dumps(now)), now) == []
    assert software_id(json.loads(json.dumps(now))) == software_id(now)
    moved = {**now, "git_commit": "another"}  # a commit that changes no source
    assert changes(moved, now) == [] and software_id(moved) == software_id(now)
