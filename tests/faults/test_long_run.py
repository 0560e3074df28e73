"""Runs that are killed, interrupted or fail, what is left of them, and how they go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neuro.backends import BACKENDS
from neuro.errors import EmberError, SimulationError, StoreError
from sims.config import Loaded, load
from sims.long_run import NEVER, Told, run_to_file
from sims.run import run_experiment
from sims.store import identity, read_run, software
from sims.store.compare import same_spikes

HERE = Path(__file__).parent
CONFIG = HERE / "long_run.yaml"
FAULTS = HERE / "run_of_faults.py"
EMBER = "from sims.cli import main; main()"


def job(*overrides: str) -> Loaded:
    return load(CONFIG, overrides)


def script(*arguments: object) -> Any:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True, text=True, cwd=HERE.parents[1], env=os.environ | {"PYTHONPATH": "."},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def content(path: Path) -> dict[str, tuple[Any, ...]]:
    """Every dataset of a file but those about the process that wrote it."""
    found = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("provenance"):
            attributes = {key: str(value) for key, value in item.attrs.items()}
            found[name] = (str(item.dtype), item.shape, item[()].tobytes(), attributes)

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def stop_at(stretch: int) -> Callable[..., None]:
    """A progress that is interrupted as by ctrl-C in one of its calls."""
    seen = 0

    def progress(stage: str, done: float = 0.0, total: float | None = None) -> None:
        nonlocal seen
        seen += stage == "simulating"
        if stage == "simulating" and seen == stretch:
            os.kill(os.getpid(), signal.SIGINT)

    return progress


def interrupted(path: Path, loaded: Loaded, stretch: int = 1, **options: Any) -> str:
    """Run until a stretch of steps is over, press ctrl-C, and return what is said."""
    with pytest.raises(KeyboardInterrupt) as caught:
        run_to_file(loaded, path, progress=stop_at(stretch), **options)
    return str(caught.value)


LONG = ("duration=2 s",)  # a kernel takes a thousand steps of 0.1 ms between two visits


# ------------------------------------------------------------------ killed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_killed_before_any_operation_it_goes_on_to_the_same_file(tmp_path: Path) -> None:
    found = script(FAULTS, "every-step", tmp_path)
    assert found["wrong"] == []
    assert found["published"] >= 3  # some kills came after the file was in its place
    assert {0.0, 10.0, 30.0, 60.0} <= set(found["resumed"])  # before, between, after checkpoints
    for name in ("spikes/cells/timestamps", "report/cells.v/data_float64"):
        assert found["datasets"][name][0] > 500  # more than a chunk of what the script allows


@contextmanager
def ember(*words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", EMBER, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HERE.parents[1],
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_kill_9_at_any_moment_and_the_command_again(tmp_path: Path) -> None:
    """The command itself, with its own kernel and a different number of threads each time."""
    path, whole = tmp_path / "run.h5", tmp_path / "whole.h5"
    long = "duration=40 s"
    words = ("run", str(CONFIG), long, "record.traces=[]", "--checkpoint-every", "20 ms")
    run_to_file(job(long, "record.traces=[]"), whole)
    checkpoint = tmp_path / "run.h5.partial" / "checkpoint.npz"
    moments, seen = np.random.default_rng(3), set[int]()
    for kill in range(3):
        threads = str(1 + kill % 2)
        with ember(*words, "--out", str(path), "--threads", threads) as process:
            before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
            while (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before) and (
                process.poll() is None
            ):
                time.sleep(0.002)
            time.sleep(moments.uniform(0, 0.1))
            assert process.poll() is None, process.communicate()  # it was in the middle
            process.kill()
        assert not path.exists()
        seen.add(checkpoint.stat().st_mtime_ns)
    assert len(seen) == 3  # each came further
    with ember(*words, "--out", str(path), "--json") as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    figures = json.loads(out)
    assert 0 < figures["resumed_ms"] < 40_000
    assert content(path) == content(whole)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["run.h5", "whole.h5"]
    spikes = read_run(path).recording.spikes
    assert figures["populations"]["cells"]["spikes"] == len(spikes["cells"]) > 1000


def test_what_a_kill_leaves_is_named_when_it_is_read(tmp_path: Path) -> None:
    interrupted(tmp_path / "run.h5", job(*LONG))
    kept = tmp_path / "run.h5.partial" / "run.h5"
    with h5py.File(kept, "r+") as file:  # as if it had been killed before it was closed
        del file["provenance"]
    with pytest.raises(StoreError, match=r"ended before .* goes on from its last checkpoint"):
        read_run(kept)


# ------------------------------------------------------------------ ctrl-C


@pytest.mark.parametrize("stretch", [1, 2, 7, 20])
def test_ctrl_c_keeps_a_run_file_and_goes_on(tmp_path: Path, stretch: int) -> None:
    path = tmp_path / "run.h5"
    whole = run_experiment(job(*LONG)).recording
    said = interrupted(path, job(*LONG), stretch)
    kept = tmp_path / "run.h5.partial" / "run.h5"
    assert f"in `{kept}`; the same command goes on from" in said
    part = read_run(kept)
    reached_ms = part.recording.duration_ms
    assert 0 < reached_ms <= 2000
    assert f"until {reached_ms:g} ms" in said or f"until {reached_ms / 1000:g} s" in said
    assert part.provenance.failure == "interrupted"
    with h5py.File(kept) as file:
        assert file["provenance"].attrs["reached_ms"] == reached_ms
    for name, spikes in whole.spikes.items():
        assert part.recording.spikes[name] == spikes.between(0.0, reached_ms)
        assert len(spikes) > 100

    told = run_to_file(job(*LONG), path, threads=2)
    assert told.resumed_ms == reached_ms
    assert sorted(file.name for file in tmp_path.iterdir()) == ["run.h5"]
    assert dict(read_run(path).recording.spikes) == dict(whole.spikes)
    assert read_run(path).provenance.failure == ""


def test_without_checkpoints_what_was_recorded_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    said = interrupted(path, job(*LONG), 3, checkpoint_every_s=NEVER)
    assert "goes on" not in said
    folder = tmp_path / "run.h5.partial"
    assert [file.name for file in folder.iterdir()] == ["run.h5"]
    assert read_run(folder / "run.h5").recording.duration_ms > 0
    assert run_to_file(job(*LONG), path).resumed_ms == 0
    assert [file.name for file in tmp_path.iterdir()] == ["run.h5"]  # the part was a part of it


def test_a_back_end_that_hands_over_at_the_end_keeps_nothing(tmp_path: Path) -> None:
    said = interrupted(tmp_path / "run.h5", job("backend=brian"))
    assert said == ""  # the command says that nothing was written
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ failures


def test_a_variable_that_is_not_finite_leaves_what_was_recorded(tmp_path: Path) -> None:
    config = tmp_path / "explodes.yaml"
    config.write_text(
        "seed: 1\nduration: 2 s\ncircuits: {net: {populations: {\n"
        "  cells: {n: 3, equations: 'dv/dt = v*v*v/(tau*k*k) : volt',\n"
        "          parameters: {tau: 1 s, k: 1 mV}, initial: {v: 1 mV}},\n"
        "  others: {n: 3, model: lif, parameters: {I_ext: 600 pA}}}}}\n"
        "record: {traces: [{population: cells, variable: v}]}\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    with pytest.raises(SimulationError, match=r"`cells`: `v` of cell 0 became") as caught:
        run_to_file(load(config), out / "x.h5", checkpoint_every_s=1e-9)
    said, kept = str(caught.value), out / "x.h5.partial" / "x.h5"
    assert "\n" not in said
    assert str(kept) in said
    assert [str(file.relative_to(out)) for file in sorted(out.rglob("*"))] == [
        "x.h5.partial", "x.h5.partial/x.h5",
    ]  # fmt: skip
    run = read_run(kept)
    assert 400 < run.recording.duration_ms < 700  # by hand: 1 / v**2 falls from 1 by 2 a second
    assert "became" in run.provenance.failure
    assert len(run.recording.spikes["others"]) > 10
    values = run.recording.traces["cells.v"].data[:, 0]
    assert abs(values[400] - 5**0.5) < 0.01
    with pytest.raises(SimulationError, match="became"):  # nothing to go on from: the same again
        run_to_file(load(config), out / "x.h5")


@pytest.mark.parametrize("size", [4_000, 14_000, 25_000])
def test_a_full_disk_is_one_line_and_room_lets_it_go_on(tmp_path: Path, size: int) -> None:
    """A file size limit gives the same failing `write` as a full disk."""
    found = script(FAULTS, "full", tmp_path, size)
    assert found["said"].startswith("cannot write `")
    assert "\n" not in found["said"]
    assert "File too large" in found["said"]
    assert ("goes on from" in found["said"]) == (found["resumed"] > 0) == (size > 4_000)
    assert found["left"] == ["whole.h5"] or "run.h5.partial/checkpoint.npz" in found["left"]
    assert found["same"]


# ------------------------------------------------------------------ what does not fit


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("seed=6",), "`seed` was 5 and is 6"),
        (("duration=3 s",), "`duration` was 2000 ms and is 3000 ms"),
        (("modulation.noradrenaline.per_spike=30 nM",), "`modulation.noradrenaline.per_spike` was"),
        (("backend=brian",), "`backend.name` was numba and is brian"),
    ],
)
def test_another_run_is_refused_and_nothing_changes(
    tmp_path: Path, overrides: tuple[str, ...], says: str
) -> None:
    path = tmp_path / "run.h5"
    interrupted(path, job(*LONG), 2)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    other = job(*LONG, *overrides)
    with pytest.raises(StoreError, match=says) as caught:
        run_to_file(other, path)
    assert "\n" not in str(caught.value)
    assert "--force" in str(caught.value)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_force_starts_over_and_a_fitting_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    interrupted(path, job(*LONG), 2)
    free = job(*LONG, f"output.file={tmp_path / 'else.h5'}", "backend.threads=2")
    assert run_to_file(free, path).resumed_ms > 0
    path.unlink()
    interrupted(path, job(*LONG), 2)
    assert run_to_file(job(*LONG, "seed=6"), path, force=True).resumed_ms == 0
    assert [file.name for file in tmp_path.iterdir()] == ["run.h5"]
    assert read_run(path).recording.seed == 6


def test_other_versions_and_other_code_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.h5"
    interrupted(path, job(*LONG), 2)
    now = software.simulating()
    for other, says in (
        ({"versions": {**now["versions"], "numpy": "1.0"}}, r"numpy was .* and is 1\.0"),
        ({"sources": "0"}, "Ember's own code has changed"),
        (
            {"precision": {**now["precision"], "numba": "float64"}},
            "precision of numba was float32",
        ),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(identity, "simulating", lambda other=other: {**now, **other})
            with pytest.raises(StoreError, match=says):
                run_to_file(job(*LONG), path)
    assert run_to_file(job(*LONG), path).resumed_ms > 0


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _foreign(path: Path) -> None:
    np.savez(path.open("wb"), about=np.frombuffer(b"{}", np.uint8))


def _pickled(path: Path) -> None:
    np.savez(path.open("wb"), about=np.array({"kind": "ember checkpoint"}, dtype=object))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut, _flip, _foreign, _pickled, _empty])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "run.h5"
    interrupted(path, job(*LONG), 2)
    damage(tmp_path / "run.h5.partial" / "checkpoint.npz")
    with pytest.raises(StoreError, match="must be a whole checkpoint of Ember") as caught:
        run_to_file(job(*LONG), path)
    assert "\n" not in str(caught.value)
    assert run_to_file(job(*LONG), path, force=True).resumed_ms == 0
    assert [file.name for file in tmp_path.iterdir()] == ["run.h5"]


def test_a_run_that_is_going_on_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    said: list[str] = []

    def meanwhile(stage: str, done: float = 0.0, total: float | None = None) -> None:
        folder = tmp_path / "run.h5.partial"
        if stage == "simulating" and folder.exists() and not said:
            for force in (False, True):
                with pytest.raises(StoreError) as caught:
                    run_to_file(job(*LONG), path, force=force)
                said.append(str(caught.value))
            with pytest.raises(StoreError) as caught:
                read_run(folder / "run.h5")
            said.append(str(caught.value))

    run_to_file(job(*LONG), path, checkpoint_every_s=1e-9, progress=meanwhile)
    assert f"being made by process {os.getpid()} on" in said[0]
    assert said[1] == said[0]
    assert "another process is writing it" in said[2]
    assert dict(read_run(path).recording.spikes) == dict(
        run_experiment(job(*LONG)).recording.spikes
    )


def test_a_back_end_that_cannot_be_resumed_says_so(tmp_path: Path) -> None:
    with pytest.raises(EmberError, match="`brian` cannot be resumed; use numba"):
        run_to_file(job("backend=brian"), tmp_path / "run.h5", checkpoint_every_s=1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_was_taken_meanwhile_does_not_lose_the_run(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"

    def take(stage: str, done: float = 0.0, total: float | None = None) -> None:
        if stage == "simulating":
            path.write_text("somebody's", encoding="utf-8")

    with pytest.raises(StoreError, match=r"already exists.*whole in `(.*)`") as caught:
        run_to_file(job(), path, progress=take)
    assert path.read_text("utf-8") == "somebody's"
    kept = tmp_path / "run.h5.partial" / "run.h5"
    assert str(kept) in str(caught.value)
    assert read_run(kept).provenance.failure == ""


# ------------------------------------------------------------------ the same as in memory


@pytest.mark.parametrize(
    ("backend", "precision"), [("numba", "float32"), ("numba", "float64"), ("brian", "float32")]
)
def test_a_streamed_run_is_the_run_in_memory(
    tmp_path: Path, backend: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKENDS["numba"].options, "precision", precision)
    loaded = job("duration=300 ms", f"backend={backend}")
    run_to_file(loaded, tmp_path / "run.h5")
    streamed, whole = read_run(tmp_path / "run.h5"), run_experiment(loaded)
    a, b = streamed.recording, whole.recording
    assert list(a.spikes.items()) == list(b.spikes.items())
    assert min(len(spikes) for spikes in a.spikes.values()) > 10
    for ours, theirs in (
        (a.traces, b.traces),
        (a.modulators, b.modulators),
        (a.factors, b.factors),
    ):
        assert list(ours) == list(theirs)
        for key, part in ours.items():
            name = "data" if hasattr(part, "data") else "values"
            assert getattr(part, name).tobytes() == getattr(theirs[key], name).tobytes()
            blank = {name: None, "cells": None}
            assert vars(part) | blank == vars(theirs[key]) | blank
    assert replace(streamed.provenance, created="", peak_memory_bytes=0) == replace(
        whole.provenance, created="", peak_memory_bytes=0
    )


def test_a_run_again_is_compared_with_what_there_was(tmp_path: Path) -> None:
    interrupted(tmp_path / "part.h5", job(*LONG), 4)
    run_to_file(job(*LONG), tmp_path / "whole.h5")
    run_to_file(job(*LONG, "seed=6"), tmp_path / "other.h5")
    part = tmp_path / "part.h5.partial" / "part.h5"
    whole, other = tmp_path / "whole.h5", tmp_path / "other.h5"
    assert same_spikes(part, whole)
    assert same_spikes(whole, whole)
    assert not same_spikes(whole, part)
    assert not same_spikes(part, other)
    assert not same_spikes(whole, other)


def test_told_is_what_the_file_holds(tmp_path: Path) -> None:
    told: Told = run_to_file(job(), tmp_path / "run.h5")
    run = read_run(tmp_path / "run.h5")
    assert told.provenance == run.provenance
    assert dict(told.recording.timings) == dict(run.recording.timings)
    assert dict(told.populations) == {
        name: (spikes.n_units, len(spikes)) for name, spikes in run.recording.spikes.items()
    }


def test_memory_does_not_grow_with_the_run(tmp_path: Path) -> None:
    """Two processes, of which the second records twenty times as much."""
    config = tmp_path / "busy.yaml"
    config.write_text(
        "seed: 1\nduration: 4 s\ncircuits: {net: {populations: {\n"
        "  cells: {n: 400, model: lif, parameters: {I_ext: 600 pA},\n"
        "          initial: {v: {uniform: {low: -70 mV, high: -50 mV}}}}}}}\n",
        encoding="utf-8",
    )
    peaks, spikes = [], []
    for duration in ("duration=4 s", "duration=80 s"):
        with ember("run", str(config), duration, "--json", "--out",
                   str(tmp_path / f"{len(peaks)}.h5")) as process:  # fmt: skip
            out, err = process.communicate()
        assert process.returncode == 0, err
        figures = json.loads(out)
        peaks.append(figures["peak_memory_bytes"])
        spikes.append(figures["populations"]["cells"]["spikes"])
    in_memory = 12 * (spikes[1] - spikes[0])  # bytes of a step and a unit
    assert in_memory > 15e6
    assert peaks[1] - peaks[0] < in_memory / 2
    assert (tmp_path / "1.h5").stat().st_size > 16 * spikes[1]
