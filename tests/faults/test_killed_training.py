"""A training that is killed again and again ends where an undisturbed one does, bit for bit."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sims.train.loop.checkpoint import read_tensors
from sims.train.puzzles import data, measure
from tests.reasoning._trained import PATIENCE_S, TINY, outcome, run_config, server, started

KILLS = 20


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"output.cache={tmp_path_factory.mktemp('cache')}"


@pytest.fixture(scope="module")
def undisturbed(config: Path, cache: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert run_config(config, out, cache)[0] == 0
    return out


def assert_bit_identical(one: Path, other: Path) -> None:
    (tensors, log, result), (others, other_log, other_result) = outcome(one), outcome(other)
    assert tensors.keys() == others.keys() and len(tensors) > 50
    for name, part in tensors.items():
        assert part.dtype == others[name].dtype and torch.equal(part, others[name]), name
    assert log == other_log and result == other_result


def reached(out: Path) -> int:
    file = out / "checkpoint.safetensors"
    return read_tensors(file, kind="checkpoint")[1]["state"]["step"] if file.is_file() else 0


def mark(out: Path) -> float:
    """When the checkpoint was last replaced; 0 if there is none."""
    file = out / "checkpoint.safetensors"
    return file.stat().st_mtime if file.is_file() else 0.0


def lived(process: BaseProcess, out: Path) -> tuple[float, float]:
    """Seconds until the process replaced the checkpoint, and from then to its end."""
    begun, before = time.monotonic(), mark(out)
    while process.is_alive() and mark(out) == before and time.monotonic() < begun + PATIENCE_S:
        time.sleep(0.002)
    going = time.monotonic()
    process.join(PATIENCE_S)
    assert process.exitcode == 0
    return going - begun, time.monotonic() - going


def test_killed_at_twenty_random_moments(
    config: Path, cache: str, undisturbed: Path, tmp_path: Path
) -> None:
    """SIGKILL at whatever the process is doing: every fourth time a random while after its start,
    else a random while after its first checkpoint; each life begins where the last checkpoint of
    the one before was. A training that ends before all kills are dealt begins anew, and must end
    alike too."""
    draw, context = np.random.default_rng(7), server()
    for name in ("warm", "timed"):  # the server imports once
        out = tmp_path / name
        waking_s, going_s = lived(started(context, config, out, cache), out)

    kills, ended, steps = 0, 0, []
    while kills < KILLS:
        out = tmp_path / f"killed{ended}"
        before, process = mark(out), started(context, config, out, cache)
        if kills % 4 == 3:
            process.join(draw.uniform(0.0, waking_s))
        else:
            while process.is_alive() and mark(out) == before:
                time.sleep(0.001)
            process.join(draw.uniform(0.0, 0.3 * going_s))
        process.kill()
        process.join(PATIENCE_S)
        if process.exitcode == -signal.SIGKILL:
            kills += 1
            steps.append(reached(out))
        else:  # it was done
            assert process.exitcode == 0
            ended += 1
    assert len({step for step in steps if 0 < step < 60}) > 3, steps  # in the midst of it
    last = started(context, config, tmp_path / f"killed{ended}", cache)
    last.join(PATIENCE_S)
    assert last.exitcode == 0
    for life in range(ended + 1):
        assert_bit_identical(undisturbed, tmp_path / f"killed{life}")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_step_in_hand(
    config: Path, cache: str, undisturbed: Path, tmp_path: Path, number: int, status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from sims.train.loop.trainer import Trainer

    out, advance = tmp_path / "stopped", Trainer.advance

    def interrupted(self: Trainer) -> None:
        advance(self)
        if self.step == 17:  # between two checkpoints and two points of the curve
            signal.raise_signal(number)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", interrupted)
        found, said = run_config(config, out, cache)
    assert found == status and "17 of 60 steps of the model are kept" in said
    assert reached(out) == 17 and not (out / "result.json").exists()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    found, said = run_config(config, out, cache)
    assert found == 0 and "going on" in said
    assert_bit_identical(undisturbed, out)


def raising(number: int, at: int, act: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which sends this process a signal when it is called the `at`-th time."""
    calls: list[int] = []

    def counted(*given: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == at:
            signal.raise_signal(number)
        return act(*given, **more)

    return counted


@pytest.mark.parametrize(
    ("at", "words"),
    [(2, "20 of 60 steps of the model are kept"), (7, "will be measured again")],
    ids=["of the curve", "at the end"],
)
def test_a_signal_ends_a_measurement_between_two_batches(
    config: Path, cache: str, undisturbed: Path, tmp_path: Path, at: int, words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Eight boards choose among weights, in one batch of 256; there are six such points."""
    out = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(measure, "evaluate", raising(signal.SIGTERM, at, measure.evaluate))
        found, said = run_config(config, out, cache)
    assert found == 143 and words in said
    assert not (out / "result.json").exists()
    assert run_config(config, out, cache)[0] == 0
    assert_bit_identical(undisturbed, out)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_puzzles_are_made_ends_the_making(
    config: Path, undisturbed: Path, tmp_path: Path, number: int, status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out, own = tmp_path / "out", f"output.cache={tmp_path / 'cache'}"
    with monkeypatch.context() as patch:
        patch.setattr(data, "make_sudoku", raising(number, 1, data.make_sudoku))
        found, said = run_config(config, out, own)
    assert found == status and "of 64 puzzles were made, none of them is kept" in said
    assert not list((tmp_path / "cache").iterdir())
    assert [file.name for file in out.iterdir()] == ["training.json"]
    assert run_config(config, out, own)[0] == 0
    assert_bit_identical(undisturbed, out)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_does_not_wait(
    config: Path, cache: str, tmp_path: Path, number: int, status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from sims.interrupt import exit_status
    from sims.train.loop.trainer import Trainer

    advance = raising(number, 4, raising(number, 4, Trainer.advance))
    monkeypatch.setattr(Trainer, "advance", lambda self: advance(self))
    with pytest.raises(KeyboardInterrupt, match="the same command goes on") as caught:
        run_config(config, tmp_path / "out", cache)
    assert exit_status(caught.value) == status
    assert reached(tmp_path / "out") == 3


def test_a_folder_that_was_moved_goes_on(
    config: Path, cache: str, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file of it says where it, its config or its puzzles were."""
    from sims.train.loop.trainer import Trainer

    advance = Trainer.advance

    def interrupted(self: Trainer) -> None:
        advance(self)
        if self.step == 31:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", interrupted)
        assert run_config(config, tmp_path / "here", cache)[0] == 143
    (tmp_path / "far").mkdir()
    shutil.move(tmp_path / "here", tmp_path / "far" / "away")
    moved = config.rename(tmp_path / "tiny.yaml")
    try:
        other = f"output.cache={tmp_path / 'other cache'}"  # made again, the same
        assert run_config(moved, tmp_path / "far" / "away", other)[0] == 0
    finally:
        moved.rename(config)
    assert_bit_identical(undisturbed, tmp_path / "far" / "away")
    for file in (tmp_path / "far" / "away").iterdir():
        content = file.read_bytes()
        assert str(tmp_path.parent).encode() not in content, file.name
        assert file.suffix != ".json" or b'"/' not in content, file.name  # any absolute path


def test_a_finished_training_is_not_done_again(config: Path, cache: str, undisturbed: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in undisturbed.iterdir()}
    status, said = run_config(config, undisturbed, cache)
    assert status == 0 and "already trained" in said
    assert {file.name: file.stat().st_mtime_ns for file in undisturbed.iterdir()} == before
    assert json.loads((undisturbed / "result.json").read_text("utf-8"))["task"] == "puzzles"
