"""Files that are killed, cut, foreign, in the way or without room: one line, nothing half-done."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from neuro.errors import StoreError
from neuro.files.seal import add_seal
from neuro.recording import Course, Recording, Trace
from neuro.signal import Signal
from neuro.spikes import Spikes
from sims.result import Provenance, Run
from sims.store import (
    atomic_folder,
    atomic_hdf5,
    atomic_path,
    check_writable,
    read_provenance,
    read_run,
    write_json,
    write_run,
    write_text,
)


def make_run(seed: int = 1) -> Run:
    rng = np.random.default_rng(seed)
    n = 5000
    spikes = Spikes(rng.uniform(0, 100, n), rng.integers(0, 9, n), n_units=9, t_stop_ms=100)
    data = rng.normal(size=(2000, 2))
    return Run(
        Recording(
            duration_ms=100.0, dt_ms=0.05, seed=seed, backend="numba",
            spikes={"cells": spikes},
            traces={"cells.v": Trace("cells", "v", "mV", np.arange(2), 0.05, data)},
            modulators={"noradrenaline": Course("noradrenaline", "nM", 1.0, rng.random(2000))},
        ),
        Provenance("x", "seed: 1\n", "x.yaml", (), {"seed": seed}, "h", {}, "", "2025-01-01"),
        {"sound.waveform": Signal(rng.random(3000), 0.05, "Pa")},
    )  # fmt: skip


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run.h5", make_run())


def refusal(call: Callable[[], object]) -> str:
    """The text of the StoreError that `call` must raise: one line."""
    with pytest.raises(StoreError) as caught:
        call()
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text


# ------------------------------------------------------------------ killed while writing

KILL_AT_EVERY_STEP = """
import json, os, signal, sys
from sims.store import read_run, write_run

source, target, force = sys.argv[1], sys.argv[2], sys.argv[3] == "force"
folder = os.path.dirname(target)
new, old = read_run(source), read_run(target) if force else None

def write_and_die_at(step):
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        if event == "open" or event.startswith("os."):
            if any(folder in os.fsdecode(a) for a in arguments if isinstance(a, (str, bytes))):
                seen += 1
                if seen == step:
                    os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    write_run(target, new, force=force)
    os._exit(0)

states = []
while True:
    child = os.fork()
    if child == 0:
        write_and_die_at(len(states) + 1)
    _, status = os.waitpid(child, 0)
    if status == 0:
        break
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
    if not os.path.exists(target):
        states.append("none")
        continue
    spikes = read_run(target).recording.spikes
    whole = {1: new, 2: old}[read_run(target).recording.seed]
    assert spikes == whole.recording.spikes
    states.append("new" if whole is new else "old")
    if whole is new:
        break
left = sorted(os.listdir(folder))
write_run(target, new, force=True)
print(json.dumps({"states": states, "left": left, "in the end": sorted(os.listdir(folder))}))
"""


def script(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("mode", ["new", "force"])
def test_kill_at_every_step_leaves_no_file_or_a_whole_one(
    tmp_path: Path, run_file: Path, mode: str
) -> None:
    """kill -9 before each operation on the folder, one after the other."""
    target = tmp_path / "there" / "run.h5"
    target.parent.mkdir()
    if mode == "force":
        write_run(target, make_run(seed=2))
    done = script(KILL_AT_EVERY_STEP, run_file, target, mode)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    before = "none" if mode == "new" else "old"
    assert found["states"].count(before) >= 5  # there were steps to be killed at
    assert found["states"][-1] == "new"  # and one was after the file had appeared
    assert set(found["states"]) == {before, "new"}
    assert len(found["left"]) == 2  # the file, and the folder of the last one killed
    assert found["in the end"] == ["run.h5"]  # what the killed ones left is gone


def test_kill_in_the_middle_of_the_bytes(tmp_path: Path, run_file: Path) -> None:
    """The kernel kills a process that exceeds its file size limit, with half a file written."""
    target = tmp_path / "there" / "run.h5"
    target.parent.mkdir()
    code = (
        "import resource, signal, sys; from sims.store import read_run, write_run; "
        "run = read_run(sys.argv[1]); signal.signal(signal.SIGXFSZ, signal.SIG_DFL); "
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); write_run(sys.argv[2], run)"
    )
    done = script(code, run_file, target)
    assert done.returncode < 0, done.stderr
    assert not target.exists()
    (leftover,) = target.parent.iterdir()
    (half,) = leftover.iterdir()
    assert 40_000 < half.stat().st_size <= 50_000
    write_text(target.parent / "other.txt", "x")  # any next write tidies up
    assert [file.name for file in target.parent.iterdir()] == ["other.txt"]


def test_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "slow.txt") as slow:
        slow.write_text("first half, ", encoding="utf-8")
        write_text(tmp_path / "quick.txt", "x")
        with slow.open("a", encoding="utf-8") as file:
            file.write("second half")
    assert (tmp_path / "slow.txt").read_text("utf-8") == "first half, second half"


def test_a_failing_block_leaves_nothing(tmp_path: Path) -> None:
    def fail_in(opener: AbstractContextManager[object]) -> None:
        with opener as inside:
            if isinstance(inside, Path):
                (inside / "x" if inside.is_dir() else inside).write_text("half", encoding="utf-8")
            raise ZeroDivisionError

    for opener in (
        atomic_path(tmp_path / "a"), atomic_folder(tmp_path / "b"), atomic_hdf5(tmp_path / "c"),
    ):  # fmt: skip
        with pytest.raises(ZeroDivisionError):
            fail_in(opener)
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------ no room, no permission


def test_disk_full_is_one_line_and_leaves_nothing(tmp_path: Path, run_file: Path) -> None:
    """A file size limit gives the same failing `write` as a full disk."""
    target = tmp_path / "there" / "run.h5"
    target.parent.mkdir()
    code = (
        "import resource, sys; from neuro.errors import EmberError; "
        "from sims.store import read_run, write_run\n"
        "run = read_run(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try: write_run(sys.argv[2], run)\n"
        "except EmberError as error: sys.exit(str(error))"
    )
    done = script(code, run_file, target)
    assert done.returncode == 1
    assert done.stderr == f"cannot write `{target}`: {os.strerror(errno.EFBIG)}\n"
    assert not list(target.parent.iterdir())


def test_an_existing_file_is_kept_without_force(tmp_path: Path) -> None:
    path = write_text(tmp_path / "x.txt", "old")
    assert "`--force`" in refusal(lambda: check_writable(path))
    assert "`--force`" in refusal(lambda: write_text(path, "new"))
    assert path.read_text("utf-8") == "old"
    check_writable(path, force=True)
    write_text(path, "new", force=True)
    assert path.read_text("utf-8") == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["x.txt"]


@pytest.mark.parametrize("links", [True, False])
def test_of_two_writers_the_first_to_finish_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    path = tmp_path / "x.txt"
    if not links:  # as on FAT and some network file systems

        def no_links(*_: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", no_links)

    def second() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("second", encoding="utf-8")
            write_text(path, "first")

    assert "already exists" in refusal(second)
    assert path.read_text("utf-8") == "first"
    assert [file.name for file in tmp_path.iterdir()] == ["x.txt"]


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("missing/deeper/x.h5", "does not exist"),
        ("file/x.h5", "is not a folder"),
        ("file/deeper/x.h5", "is not a folder"),
        ("folder", "it is a folder"),
        ("n" * 300 + ".h5", "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_early(
    tmp_path: Path, where: str, why: str
) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    path = tmp_path / where
    assert why in refusal(lambda: check_writable(path, force=True))
    text = refusal(lambda: write_run(path, make_run(), force=True))
    assert why in text
    assert str(path)[:100] in text  # a message of a very long name leaves out its middle
    assert sorted(tmp_path.rglob("*")) == before


def test_devices_and_system_folders_are_refused() -> None:
    assert "no regular file" in refusal(lambda: check_writable("/dev/null", force=True))
    refusal(lambda: check_writable("/proc/x.h5"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert "Permission denied" in refusal(lambda: check_writable(tmp_path / "x.h5"))
    finally:
        tmp_path.chmod(0o700)


def test_one_missing_folder_is_made_when_written_not_when_checked(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "x.json"
    check_writable(path)
    assert not path.parent.exists()
    write_json(path, {"µ": [1, 2]})
    assert json.loads(path.read_text("utf-8")) == {"µ": [1, 2]}


def test_json_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_link_is_written_through(tmp_path: Path) -> None:
    """Like `open`: the link stays, the file it names changes."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "real" / "x.txt")
    write_text(link, "through")
    assert link.is_symlink()
    assert (tmp_path / "real" / "x.txt").read_text("utf-8") == "through"


def test_a_folder_appears_whole_and_only_where_nothing_is(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()  # empty: taken over
    with atomic_folder(target) as folder:
        (folder / "a").write_text("1", encoding="utf-8")
        assert not list(target.iterdir())
    assert [file.name for file in target.iterdir()] == ["a"]

    def again() -> None:
        with atomic_folder(target):
            pass

    assert "already exists" in refusal(again)

    def raced() -> None:
        with atomic_folder(tmp_path / "raced") as folder:
            (folder / "a").write_text("mine", encoding="utf-8")
            (tmp_path / "raced").mkdir()
            (tmp_path / "raced" / "b").write_text("theirs", encoding="utf-8")

    assert "already exists" in refusal(raced)
    assert [file.name for file in (tmp_path / "raced").iterdir()] == ["b"]


# ------------------------------------------------------------------ files that are no run files


@pytest.mark.parametrize("length", [1, 7, 8, 20, 96, 800, 4000, 0.5, 0.99, -1])
def test_a_truncated_file_is_named_as_such(run_file: Path, length: float) -> None:
    whole = run_file.read_bytes()
    if length < 0:
        length += len(whole)
    elif isinstance(length, float):
        length *= len(whole)
    run_file.write_bytes(whole[: int(length)])
    for read in (read_run, read_provenance):
        text = refusal(lambda read=read: read(run_file))
        assert "truncated or damaged" in text or "checksum is gone" in text
        assert str(run_file) in text


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"name: startle\n", "not an HDF5 file"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt " + bytes(100), "not an HDF5 file"),
        (b"\x89HDF\r\n\x1a\n" + b"\xff" * 4000, "truncated or damaged"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(content)
    assert why in refusal(lambda: read_run(path))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(lambda: read_run(tmp_path / "x.h5"))
    assert "found a folder" in refusal(lambda: read_run(tmp_path))


def test_a_foreign_hdf5_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w") as file:  # a SONATA file of somebody else
        file["spikes/cells/timestamps"] = [1.0]
    assert "not an Ember run file" in refusal(lambda: read_run(path))
    with h5py.File(path, "w") as file:
        file["provenance"] = [1.0]
    assert "not an Ember run file" in refusal(lambda: read_run(path))


def test_a_newer_format_is_refused_and_an_older_reader_says_what_to_do(run_file: Path) -> None:
    with h5py.File(run_file, "r+") as file:
        file["provenance"].attrs["format"] = 99
    assert "format 99 is newer" in refusal(lambda: read_run(run_file))
    assert "update Ember" in refusal(lambda: read_provenance(run_file))


def _drop_spikes(file: h5py.File) -> None:
    del file["spikes/cells/node_ids"]


def _spikes_out_of_range(file: h5py.File) -> None:
    file["spikes/cells"].attrs["n_units"] = 2


def _a_group_where_data_belong(file: h5py.File) -> None:
    del file["stimulus/sound.waveform"]
    file.create_group("stimulus/sound.waveform")


def _data_where_a_group_belongs(file: h5py.File) -> None:
    del file["spikes/cells"]
    file["spikes/cells"] = 1.0


def _broken_json(file: h5py.File) -> None:
    del file["provenance/resolved"]
    file["provenance/resolved"] = "{"


def _no_seed(file: h5py.File) -> None:
    del file["provenance"].attrs["seed"]


@pytest.mark.parametrize(
    "damage",
    [
        _drop_spikes,
        _spikes_out_of_range,
        _a_group_where_data_belong,
        _data_where_a_group_belongs,
        _broken_json,
        _no_seed,
    ],
)
def test_a_damaged_content_is_one_line(run_file: Path, damage: Callable[[h5py.File], None]) -> None:
    with h5py.File(run_file, "r+") as file:
        damage(file)
    assert "checksum is gone" in refusal(lambda: read_run(run_file))
    add_seal(run_file)
    assert "its content is damaged (" in refusal(lambda: read_run(run_file))


@pytest.mark.parametrize(
    "dataset", ["spikes/cells/timestamps", "report/cells.v/data_float64", "stimulus/sound.waveform"]
)
def test_one_flipped_bit_in_the_data_is_found(run_file: Path, dataset: str) -> None:
    with h5py.File(run_file) as file:
        data = file[dataset].id
        start = data.get_chunk_info(0).byte_offset if file[dataset].chunks else data.get_offset()
        where = start + 100
    content = bytearray(run_file.read_bytes())
    content[where] ^= 1
    run_file.write_bytes(content)
    assert "damaged" in refusal(lambda: read_run(run_file))


def test_a_write_does_not_change_the_run(tmp_path: Path) -> None:
    """Writing twice gives the same spikes: nothing is consumed, nothing appended."""
    run = make_run()
    first = read_run(write_run(tmp_path / "a.h5", run))
    second = read_run(write_run(tmp_path / "a.h5", replace(run), force=True))
    assert first.recording.spikes == second.recording.spikes == run.recording.spikes
