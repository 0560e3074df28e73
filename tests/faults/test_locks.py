"""Two processes never write one output: the second is refused, and a dead lock holds nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from neuro.errors import StoreError
from neuro.files import lock as locks
from neuro.files.lock import holder, is_held, locked, locked_output
from sims.compare.write import comparison_folder
from sims.config import load
from sims.dataset import build
from sims.long_run import run_to_file
from sims.sweep import run_sweep, show_status
from sims.sweep.worker import PointResult
from sims.train import run_training

HOLD = """
import sys, time
from pathlib import Path
from neuro.files.lock import locked, locked_output
what, place = sys.argv[1:]
held = locked_output(place) if what == "output" else locked(Path(place), str)
with held:
    print("held", flush=True)
    time.sleep(600)
"""


def refused(who: str) -> str:
    return f"in use ({who})"


@contextmanager
def held_elsewhere(place: Path, what: str = "file") -> Iterator[subprocess.Popen[str]]:
    """Another process holds the lock within the block; it is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, what, str(place)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.communicate()


def toy_sweep(out: Path) -> int:
    toy = Path(__file__).parent / "toy_sweep.yaml"
    console = Console(file=StringIO())
    return run_sweep(
        load(toy, ()), out, workers=0, run_point=lambda job: PointResult({}), console=console
    )


def toy_training(out: Path) -> int:
    return run_training(load("voices_tiny", ()), out, console=Console(file=StringIO()))


def toy_comparison(out: Path) -> int:
    with comparison_folder(out, force=True):
        return 0


def toy_run(out: Path) -> Any:
    return run_to_file(load(Path(__file__).parent / "long_run.yaml", ()), out, force=True)


# ------------------------------------------------------------------ every output


@pytest.mark.parametrize(
    ("begin", "name"), [(toy_sweep, "sweep.lock"), (toy_training, "training.lock")]
)
def test_a_folder_in_use_refuses_the_second(begin: Any, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with held_elsewhere(folder / name) as other:
        with pytest.raises(
            StoreError, match=rf"in use by another .*process {other.pid} on"
        ) as told:
            begin(folder)
        assert "\n" not in str(told.value)
        assert {file.name for file in folder.iterdir()} <= {name, "jobs", "logs"}


@pytest.mark.parametrize("begin", [toy_run, toy_comparison])
def test_an_output_in_the_making_refuses_the_second(begin: Any, tmp_path: Path) -> None:
    with (
        held_elsewhere(tmp_path / "out", "output") as other,
        pytest.raises(StoreError, match=rf"being made by process {other.pid} on"),
    ):
        begin(tmp_path / "out")
    assert begin(tmp_path / "out") is not None
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_the_second_waits_for_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trainings with one cache are no mistake: the data set is built once."""
    monkeypatch.setattr(locks, "_WAIT_S", 0.01)
    config = load("voices_tiny", ()).config
    sounds = build.material(config.data, seed=1)
    file = build.dataset_file(tmp_path, build.identity(config.data, sounds, seed=1))
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) >= 3

    with held_elsewhere(file.with_suffix(".lock")), pytest.raises(build.Stopped):
        build.spike_dataset(config.data, seed=1, folder=tmp_path, stop=stop)
    assert not file.exists() and not file.with_suffix(".parts").exists()


# ------------------------------------------------------------------ what holds nothing


@pytest.mark.parametrize("left", [b"", b"{", b'{"pid": 1}', b'{"host": "a", "pid": "x"}', b"\xff"])
def test_what_a_full_disk_or_a_kill_left_holds_nothing(left: bytes, tmp_path: Path) -> None:
    (tmp_path / "sweep.lock").write_bytes(left)
    assert holder(tmp_path / "sweep.lock") == ""
    assert toy_sweep(tmp_path) == 0
    assert not (tmp_path / "sweep.lock").exists()
    said = Console(file=StringIO(), width=200)
    assert show_status(tmp_path, said) == 0
    assert "at work" not in said.file.getvalue()  # type: ignore[attr-defined]


def test_a_killed_process_lets_go_at_once(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    with held_elsewhere(place) as other:
        assert holder(place).startswith(f"process {other.pid} on ")
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert place.exists() and not is_held(place)
        with locked(place, refused):
            assert holder(place).startswith(f"process {os.getpid()} on ")
    assert not place.exists()


def test_a_lock_on_a_full_disk_holds_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(locks.os, "pwrite", full)
    with locked(tmp_path / "lock", refused):
        assert holder(tmp_path / "lock") == "another process"
        with (
            pytest.raises(StoreError, match=r"in use \(another process\)"),
            locked(tmp_path / "lock", refused),
        ):
            pass


def test_a_lock_that_is_removed_meanwhile_is_not_held_by_two(tmp_path: Path) -> None:
    """Who opens the file before its holder removes it must not hold what has no name any more."""
    place = tmp_path / "lock"
    asked: list[int] = []
    with held_elsewhere(place) as other:

        def wait() -> None:
            if not asked:
                other.kill()
                other.wait()
                place.unlink()  # as a holder does at its end
            asked.append(1)

        with locked(place, refused, wait=wait):
            assert is_held(place)
    assert asked


def test_a_lock_that_is_removed_between_opening_and_locking_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system lets a file be locked that no longer has a name, which would keep nobody out."""
    place = tmp_path / "lock"
    asked: list[int] = []

    def take(handle: int) -> bool:
        if not asked:
            place.unlink()  # as a holder does at its end
        asked.append(handle)
        return real(handle)

    real = locks.take
    monkeypatch.setattr(locks, "take", take)
    with locked(place, refused):
        assert len(asked) == 2
        assert is_held(place)


# ------------------------------------------------------------------ shared folders


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept", encoding="utf-8")
    (tmp_path / "lock").symlink_to(precious)
    with pytest.raises(StoreError, match="cannot write"), locked(tmp_path / "lock", refused):
        pass
    assert precious.read_text("utf-8") == "kept"


def test_a_file_system_without_locks_is_refused_unless_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with (
        pytest.raises(StoreError, match=r"No locks available.*EMBER_NO_LOCKS=1"),
        locked_output(tmp_path / "out"),
    ):
        pass
    monkeypatch.setenv("EMBER_NO_LOCKS", "1")
    with locked_output(tmp_path / "out"):
        pass
