"""What kills, fails or disturbs a sweep, and what is left then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from rich.console import Console

from neuro.errors import ConfigError, SimulationError, StoreError
from sims.config import Loaded, load
from sims.interrupt import exit_status, terminable
from sims.sweep import pools, run_sweep, show_status, sweep_counts
from sims.sweep.worker import Job, PointResult

HERE = Path(__file__).parent
TOY = HERE / "toy_sweep.yaml"
FAULTS = str(HERE / "sweep_of_faults.py")
AMOUNT, UPTAKE = "modulation.noradrenaline.per_spike", "modulation.noradrenaline.uptake"
EMBER = "from sims.cli import main; main()"
SIX = f"sweep.vary={{{AMOUNT}: [0 nM, 20 nM, 60 nM], {UPTAKE}: [100 ms, 1 s]}}"
FOUR = 'sweep.vary={"modulation.noradrenaline.per_spike": [0 nM, 20 nM, 40 nM, 60 nM]}'


def toy(*overrides: str) -> Loaded:
    return load(TOY, overrides)


def sweep(loaded: Loaded, out: Path, point: Callable[[Job], PointResult], **options: Any) -> Any:
    """Run it in this process; exit status and what was said."""
    said = Console(file=StringIO(), width=200)
    status = run_sweep(loaded, out, workers=0, run_point=point, console=said, **options)
    return status, said.file.getvalue()  # type: ignore[attr-defined]


def status_of(folder: Path) -> tuple[int, str]:
    said = Console(file=StringIO(), width=200)
    return show_status(folder, said), said.file.getvalue()  # type: ignore[attr-defined]


def fine(job: Job) -> PointResult:
    return PointResult({"amount": float(job.values[AMOUNT].removesuffix(" nM"))})


def not_40(job: Job) -> PointResult:
    print("about to try", job.values[AMOUNT], file=sys.stderr)
    if job.values[AMOUNT] == "40 nM":
        raise SimulationError("`v` must stay finite, found NaN")
    return fine(job)


def job_files(out: Path) -> dict[str, tuple[int, int, bytes]]:
    """Identity and content of each finished point's file."""
    return {
        file.stem: (file.stat().st_ino, file.stat().st_mtime_ns, file.read_bytes())
        for file in (out / "jobs").glob("*.json")
    }


@contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A process that leads a group of its own; the group is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, *command], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for_jobs(out: Path, n: int, process: subprocess.Popen[str]) -> None:
    """Until `n` points are finished, or the process has ended."""
    for _ in range(30000):
        if len(list((out / "jobs").glob("*.json"))) >= n or process.poll() is not None:
            return
        time.sleep(0.01)
    pytest.fail(f"{n} points did not finish in five minutes")


def test_a_sweep_killed_in_the_middle_ends_as_if_undisturbed(tmp_path: Path) -> None:
    out, quiet = tmp_path / "killed", tmp_path / "undisturbed"
    long = "duration=30 s"  # so that the kill falls between points, not after the last
    command = ("-c", EMBER, "sweep", str(TOY), long, SIX, "--out", str(out), "--workers", "2")
    with started(*command) as process:
        wait_for_jobs(out, 2, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = job_files(out)
    assert 2 <= len(before) < 6  # it was in the middle
    assert status_of(out)[0] == 1
    assert not (out / "table.csv").exists()

    loaded = toy(long, SIX)
    assert run_sweep(loaded, out, workers=0, console=Console(file=StringIO())) == 0
    after = job_files(out)
    assert len(after) == 6
    assert {point: after[point] for point in before} == before
    for point in before:
        assert (out / "logs" / f"{point}.log").read_text("utf-8").count("=== attempt") == 1
    assert status_of(out)[0] == 0

    assert run_sweep(loaded, quiet, workers=0, console=Console(file=StringIO())) == 0
    table = (out / "table.csv").read_bytes()
    assert table == (quiet / "table.csv").read_bytes()
    assert table.count(b"\n") == 7
    columns = pyarrow.parquet.read_table(out / "table.parquet")
    assert columns.equals(pyarrow.parquet.read_table(quiet / "table.parquet"))
    rates = columns["rate_hz.cells"].to_pylist()
    assert min(rates) > 0  # the cells are not silent
    assert max(rates[2:]) > max(rates[:2])  # and more noradrenaline has its effect


def test_a_worker_that_dies_is_retried_and_then_counted(tmp_path: Path) -> None:
    with started(FAULTS, "die", str(TOY), str(tmp_path / "out"), FOUR) as run:
        said = run.communicate(timeout=120)[1]
    assert run.returncode == 1
    counts = sweep_counts(tmp_path / "out")
    assert (len(counts.done), len(counts.failed), len(counts.missing)) == (3, 1, 0)
    job = json.loads((tmp_path / "out" / "jobs" / f"{counts.failed[0]}.json").read_text("utf-8"))
    assert job["values"][AMOUNT] == "20 nM"
    assert job["attempt"] == 2
    assert "worker process died" in said
    assert "worker process died" in status_of(tmp_path / "out")[1]


def test_ctrl_c_keeps_what_is_done_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with started(FAULTS, "hang", str(TOY), str(out)) as run:
        wait_for_jobs(out, 3, run)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does, to the workers as well
        said = run.communicate(timeout=60)[1]
    assert run.returncode == 130
    assert "3 of 12 points are done" in said
    assert "Traceback" not in said
    assert not (out / "sweep.lock").exists()
    counts = sweep_counts(out)
    assert (len(counts.done), len(counts.missing)) == (3, 9)


def test_a_failing_point_does_not_stop_the_others(tmp_path: Path) -> None:
    status, said = sweep(toy(FOUR), tmp_path / "s", not_40)
    assert status == 1
    assert "3 of 4 points are done, 1 failed, 0 missing" in said
    assert "per_spike=40 nM): `v` must stay finite" in said
    code, shown = status_of(tmp_path / "s")
    assert code == 1
    assert "expected 4  done 3  failed 1  missing 0" in shown
    failed = sweep_counts(tmp_path / "s").failed[0]
    line = next(line for line in shown.splitlines() if failed in line)
    assert line.endswith("SimulationError: `v` must stay finite, found NaN")
    log = (tmp_path / "s" / "logs" / f"{failed}.log").read_text("utf-8")
    assert "about to try 40 nM" in log
    assert "Traceback" in log
    assert log.count("=== attempt") == 1  # what is refused once is not tried again
    rows = (tmp_path / "s" / "table.csv").read_text("utf-8").splitlines()
    assert rows[0] == f"{AMOUNT},seed,id,software,amount"
    assert [row.split(",")[-1] for row in rows[1:]] == ["0.0", "20.0", "", "60.0"]


def test_stop_leaves_the_rest_missing_and_the_next_run_goes_on(tmp_path: Path) -> None:
    status, said = sweep(toy(FOUR), tmp_path / "s", not_40, on_error="stop")
    assert status == 1
    assert "2 of 4 points are done, 1 failed, 1 missing" in said
    tried: list[str] = []

    def mended(job: Job) -> PointResult:
        tried.append(job.values[AMOUNT])
        return fine(job)

    assert sweep(toy(FOUR), tmp_path / "s", mended)[0] == 0
    assert tried == ["40 nM", "60 nM"]
    assert status_of(tmp_path / "s")[0] == 0
    assert sweep(toy(FOUR), tmp_path / "s", mended)[0] == 0
    assert tried == ["40 nM", "60 nM"]


@pytest.mark.parametrize(("retries", "attempts", "status"), [(0, 1, 1), (2, 3, 0)])
def test_an_accident_is_tried_again(
    tmp_path: Path, retries: int, attempts: int, status: int
) -> None:
    tried: list[int] = []

    def flaky(job: Job) -> PointResult:
        if job.values[AMOUNT] == "0 nM":
            tried.append(job.attempt)
            if job.attempt < 3:
                raise OSError("the disk did not answer")
        return fine(job)

    assert sweep(toy(FOUR, f"sweep.retries={retries}"), tmp_path / "s", flaky)[0] == status
    assert tried == list(range(1, attempts + 1))


def test_a_changed_config_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    sweep(toy(FOUR), tmp_path / "s", fine)
    before = {file: file.read_bytes() for file in (tmp_path / "s").rglob("*") if file.is_file()}
    with pytest.raises(StoreError, match=r"the config has changed.*--out") as caught:
        sweep(toy(FOUR, "duration=100 ms"), tmp_path / "s", fine)
    assert "\n" not in str(caught.value)
    after = {file: file.read_bytes() for file in (tmp_path / "s").rglob("*") if file.is_file()}
    assert after == before


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("do not touch", encoding="utf-8")
    with pytest.raises(StoreError, match=r"thesis\.tex"):
        sweep(toy(FOUR), tmp_path, fine)
    with pytest.raises(StoreError, match="needs a folder"):
        sweep(toy(FOUR), tmp_path / "thesis.tex", fine)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["thesis.tex"]
    with pytest.raises(StoreError, match=r"no `sweep\.json`"):
        show_status(tmp_path)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("sweep.vary={modulation.noradrenaline.per_spoke: [1 nM]}", "did you mean `per_spike`"),
        ("sweep.vary={modulation.noradrenaline.per_spike: [1 nM, 2 mV]}", "concentration"),
        ("sweep.vary={circuits.net.populations.cells.n: [4, -1]}", "n=-1"),
    ],
)
def test_a_bad_point_refuses_the_sweep_before_anything_runs(
    tmp_path: Path, override: str, says: str
) -> None:
    def never(job: Job) -> PointResult:
        pytest.fail("a point ran")

    with pytest.raises(ConfigError, match=says) as caught:
        sweep(toy(override), tmp_path / "s", never)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "s").exists()


def test_a_run_config_is_no_sweep(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ember run"):
        sweep(toy("sweep=null"), tmp_path / "s", fine)


def test_a_torn_job_file_is_run_again(tmp_path: Path) -> None:
    sweep(toy(FOUR), tmp_path / "s", fine)
    table = (tmp_path / "s" / "table.csv").read_bytes()
    torn = next((tmp_path / "s" / "jobs").iterdir())
    torn.write_text(torn.read_text("utf-8")[:40], encoding="utf-8")
    assert status_of(tmp_path / "s")[0] == 1
    assert sweep(toy(FOUR), tmp_path / "s", fine)[0] == 0
    assert (tmp_path / "s" / "table.csv").read_bytes() == table


def test_no_scheduler_at_the_address_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "_CONNECT_S", 0.5)
    with pytest.raises(
        SimulationError, match=r"expected a Dask scheduler at `tcp://127\.0\.0\.1:1`"
    ):
        run_sweep(toy(FOUR), tmp_path / "s", cluster="tcp://127.0.0.1:1", run_point=fine)
    assert not (tmp_path / "s" / "sweep.lock").exists()


def test_the_end_of_the_wall_time_is_an_interrupt() -> None:
    def reach_the_wall_time() -> None:
        with terminable():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as caught:
        reach_the_wall_time()
    assert exit_status(caught.value) == 143
    assert exit_status(KeyboardInterrupt()) == 130
    assert signal.getsignal(signal.SIGTERM) == before
