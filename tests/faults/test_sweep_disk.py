"""A full disk ends a sweep in one line; what was finished is kept, and room lets it continue."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from neuro.errors import StoreError
from sims.config import load
from sims.sweep import run_sweep, sweep_counts
from sims.sweep.worker import Job, PointResult

TOY = Path(__file__).parent / "toy_sweep.yaml"
Disk = Callable[[str], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """`disk("40k")`: a folder on a file system of its own with so much room; again to resize."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(size: str) -> Path:
        how = ["-o", f"remount,size={size}"] if place.is_mount() else [
            "-t", "tmpfs", "-o", f"size={size}", "tmpfs",
        ]  # fmt: skip
        done = subprocess.run(["mount", *how, str(place)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("this process may not mount a small disk")
        return place

    yield mount
    if place.is_mount():
        subprocess.run(["umount", str(place)], check=True)


def noisy(job: Job) -> PointResult:
    """A point with some kilobytes of log."""
    for line in range(40):
        print(f"{line:100}", file=sys.stderr if line % 2 else sys.stdout)
    return PointResult({"amount": 1.0})


@pytest.mark.parametrize("size", ["4k", "20k", "40k", "64k", "88k", "104k", "120k", "150k"])
def test_a_full_disk_is_one_line_and_a_rerun_completes(
    size: str, disk: Disk, capfd: pytest.CaptureFixture[str]
) -> None:
    out = disk(size) / "sweep"
    said = StringIO()

    def sweep() -> int:
        console = Console(file=said, width=300)
        return run_sweep(load(TOY, ()), out, workers=0, run_point=noisy, console=console)

    refusal = "No space left on device"
    try:
        assert sweep() == 1  # every point could be counted, if only as failed
    except StoreError as error:
        refusal = str(error)
    assert "No space left on device" in refusal and "\n" not in refusal
    assert "Traceback" not in said.getvalue() + "".join(capfd.readouterr())
    assert not (out / "sweep.lock").exists()
    done = {file.name: file.read_bytes() for file in (out / "jobs").glob("*.json")
            if b'"done"' in file.read_bytes()}  # fmt: skip
    assert len(done) < 12

    disk("10m")
    assert sweep() == 0
    assert len(sweep_counts(out).done) == 12
    assert {name: (out / "jobs" / name).read_bytes() for name in done} == done
