"""What is wrong with a training on puzzles is said in one line; what was good stays as it was."""

from __future__ import annotations

import json
import pickle
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from neuro.errors import ConfigError, EmberError, StoreError
from sims.config import load
from sims.puzzles.puzzle_set import PuzzleError
from sims.train import load_model
from sims.train.loop.checkpoint import read_tensors
from sims.train.loop.device import chosen_device
from sims.train.loop.non_finite import TrainingError
from sims.train.loop.trainer import Trainer
from sims.train.puzzles.model import PuzzleModel
from tests.reasoning._trained import TINY, outcome, run_config

SHORT = ("training.steps=6", "training.evaluate_every=3")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def finished(config: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "out"
    assert run_config(config, out, *SHORT, f"output.cache={cache}")[0] == 0
    return out


@pytest.fixture
def stopped(finished: Path, tmp_path: Path) -> Path:
    """A training with a checkpoint and no result."""
    out = tmp_path / "stopped"
    shutil.copytree(finished, out)
    (out / "result.json").unlink()
    return out


def one_line(caught: pytest.ExceptionInfo[EmberError]) -> str:
    text = str(caught.value)
    assert "\n" not in text and len(text) < 400
    return text


class _Wicked:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (print, ("unpickled",))


@pytest.mark.parametrize("damage", ["truncated", "a pickle", "of another config", "empty"])
def test_a_checkpoint_that_is_none_of_ours_is_refused(
    damage: str, config: Path, cache: Path, stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, own = stopped / "checkpoint.safetensors", f"output.cache={cache}"
    whole = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "a pickle":
        file.write_bytes(pickle.dumps(_Wicked()))
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        other = stopped.with_name("other")
        assert run_config(config, other, *SHORT, own, "training.clip=2.0")[0] == 0
        file.write_bytes((other / file.name).read_bytes())
    with pytest.raises(StoreError) as caught:
        run_config(config, stopped, *SHORT, own)
    assert "checkpoint.safetensors" in one_line(caught)
    assert "start over" in one_line(caught)
    assert "unpickled" not in capsys.readouterr().out
    file.write_bytes(whole)
    assert run_config(config, stopped, *SHORT, own)[0] == 0


def test_a_disk_that_is_full_leaves_the_last_checkpoint(
    config: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit on the size of files stands for the disk: the system itself refuses to write."""
    out, own = tmp_path / "out", f"output.cache={cache}"
    advance, limits = Trainer.advance, resource.getrlimit(resource.RLIMIT_FSIZE)
    kept: list[bytes] = []

    def filling(self: Trainer) -> None:
        if self.step == 4:  # the second checkpoint is next
            kept.append((out / "checkpoint.safetensors").read_bytes())
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept[0]) // 2, limits[1]))
        advance(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", filling)
        try:
            with pytest.raises(StoreError) as caught:
                run_config(config, out, *SHORT, own)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot write" in one_line(caught) and "File too large" in str(caught.value)
    assert (out / "checkpoint.safetensors").read_bytes() == kept[0]
    assert not [file.name for file in out.iterdir() if file.name.startswith(".")]
    status, said = run_config(config, out, *SHORT, own)
    assert status == 0 and "going on" in said


def test_votes_on_puzzles_that_are_not_arcs_are_refused_before_training(
    config: Path, cache: Path, finished: Path, tmp_path: Path
) -> None:
    """And the folder is not spoilt by it: without them, the training has it."""
    folder = next(cache.iterdir())
    own = (*SHORT, f"data={{source: folder, path: {folder}}}")
    with pytest.raises(ConfigError) as caught:
        run_config(config, tmp_path / "out", *own, "evaluation={validation: 8, votes: 4}")
    assert "evaluation.votes: expected puzzles of ARC" in one_line(caught)
    assert not (tmp_path / "out").exists()
    assert run_config(config, tmp_path / "out", *own)[0] == 0


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("training.device=cpu", "training.device is cpu, where it was auto"),
        ("training.threads=2", "training.threads is 2, where it was 1"),
        ("training.checkpoint_every=100", ""),
        ("evaluation={validation: 8, batch: 5}", ""),
        ("output.tensorboard=true", ""),
    ],
)
def test_what_does_not_decide_the_weights_may_change(
    config: Path, cache: Path, stopped: Path, override: str, said: str
) -> None:
    if "tensorboard" in override:
        pytest.importorskip("tensorboard")
    status, text = run_config(config, stopped, *SHORT, f"output.cache={cache}", override)
    assert status == 0 and "going on" in text and said in text
    assert said or "where it was" not in text
    (stopped / "result.json").unlink()
    own = (*SHORT, f"output.cache={cache}", override)
    with pytest.raises(StoreError, match=r"training of another config: training\.clip"):
        run_config(config, stopped, *own, "training.clip=2.0")


def test_other_versions_than_it_was_begun_with_stop_it(
    config: Path, cache: Path, stopped: Path
) -> None:
    own = (*SHORT, f"output.cache={cache}")
    claim = stopped / "training.json"
    started = json.loads(claim.read_text("utf-8"))
    begun = started["about"]["software"][0]
    begun["versions"] |= {"torch": "1.0", "gone": "3.1"}
    begun["sources"] = "0"
    claim.write_text(json.dumps(started), encoding="utf-8")
    before = {file.name: file.read_bytes() for file in stopped.iterdir()}
    with pytest.raises(StoreError, match=r"gone was 3\.1 and is not there, and 2 more") as caught:
        run_config(config, stopped, *own)
    assert "--allow-version-change" in one_line(caught)
    assert {file.name: file.read_bytes() for file in stopped.iterdir()} == before

    status, text = run_config(config, stopped, *own, allow_version_change=True)
    assert status == 0 and "torch was 1.0 and is 2." in text
    assert "Ember's own code has changed" in text
    result = json.loads((stopped / "result.json").read_text("utf-8"))
    assert [one["versions"]["torch"][:2] for one in result["software"]] == ["1.", "2."]
    assert run_config(config, stopped, *own)[0] == 0  # what is done is done


START_OVER = "start over"


def before(more: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(more + file.read_bytes())


DAMAGE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "log gone": ("log.jsonl", Path.unlink, "found no point of step 3"),
    "log of other bytes": ("log.jsonl", before(b"\xff\xfe\n"), "something else in line 1"),
    "log of a list": ("log.jsonl", before(b"[]\n"), "something else in line 1"),
    "log without keys": ("log.jsonl", before(b"{}\n"), "something else in line 1"),
    "log of other keys": (
        "log.jsonl", before(b'{"arm": "", "step": 1}\n'), "something else in line 2"
    ),
    "best truncated": (
        "best.safetensors", lambda file: file.write_bytes(file.read_bytes()[:500]),
        "must be a whole model of Ember, found: ",
    ),
    "best gone": ("best.safetensors", Path.unlink, "found: no such file"),
    "checkpoint a folder": (
        "checkpoint.safetensors", lambda file: (file.unlink(), file.mkdir()), "found: a folder"
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_told_by_its_file_and_the_advice_helps(
    damage: str, config: Path, cache: Path, finished: Path, stopped: Path
) -> None:
    """What was damaged is named, before any step; what it says to delete, deleted, starts over."""
    name, act, words = DAMAGE[damage]
    act(stopped / name)
    own = f"output.cache={cache}"
    for _ in range(2):  # nothing of it has made it worse
        with pytest.raises(StoreError) as caught:
            run_config(config, stopped, *SHORT, own)
        text = one_line(caught)
        assert name in text and words in text and START_OVER in text
    if "folder" in damage:
        (stopped / name).rmdir()
    elif "something else" in words:
        (stopped / name).unlink()
        (stopped / "checkpoint.safetensors").unlink()
    else:
        assert f"delete `{stopped / 'checkpoint.safetensors'}`" in text
        (stopped / "checkpoint.safetensors").unlink()
    assert run_config(config, stopped, *SHORT, own)[0] == 0
    (one, _, _), (other, _, _) = outcome(stopped), outcome(finished)
    assert all(torch.equal(part, other[name]) for name, part in one.items())


def test_a_model_that_is_not_there_is_not_to_be_deleted(finished: Path) -> None:
    for path, words in ((finished / "none.safetensors", "no such file"), (finished, "a folder")):
        with pytest.raises(StoreError) as caught:
            load_model(path)
        text = one_line(caught)
        assert words in text and "delete" not in text and "`model.safetensors`" in text


def test_a_loss_that_is_no_number_stops_and_saves_nothing(
    config: Path, cache: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, own, advance = tmp_path / "out", f"output.cache={cache}", Trainer.advance

    def poisoned(self: Trainer) -> None:
        if self.step == 4:
            with torch.no_grad():
                self.model.head.weight[0, 0] = torch.inf
        advance(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", poisoned)
        with pytest.raises(TrainingError) as caught:
            run_config(config, out, *SHORT, own)
    assert "the parameter `head.weight` not finite at step 5" in one_line(caught)
    assert read_tensors(out / "checkpoint.safetensors", kind="checkpoint")[1]["state"]["step"] == 3
    assert run_config(config, out, *SHORT, own)[0] == 0  # the good one is good
    (one, _, _), (other, _, _) = outcome(out), outcome(finished)
    assert all(torch.equal(part, other[name]) for name, part in one.items())


def test_labels_beyond_the_vocabulary_are_named(
    config: Path, cache: Path, finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(next(cache.iterdir()), folder)
    own = f"data={{source: folder, path: {folder}}}"
    assert run_config(config, tmp_path / "fine", *SHORT, own)[0] == 0
    file = folder / "train" / "all__labels.npy"
    labels = np.load(file)
    labels[7, 3] = 6
    np.save(file, labels)
    with pytest.raises(StoreError, match="does not fit its checksum"):
        run_config(config, tmp_path / "out", *SHORT, own)
    about = folder / "ember.json"
    said = json.loads(about.read_text(encoding="utf-8"))
    del said["sums"]  # as in a set of somebody else's, where only the values can be judged
    about.write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(StoreError) as caught:
        run_config(config, tmp_path / "out", *SHORT, own)
    assert "all__labels.npy" in one_line(caught) and "found 6 (row 7" in str(caught.value)


def test_a_gpu_that_is_not_there_is_said(
    config: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError) as caught:
        run_config(config, tmp_path / "out", *SHORT, "training.device=cuda")
    assert "training.device: expected 1 or more GPUs" in one_line(caught)
    assert not (tmp_path / "out").exists()
    assert chosen_device("auto") == chosen_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert chosen_device("auto", 1) == torch.device("cuda", 1)
    assert [chosen_device("auto", rank, 3) for rank in range(3)] == [torch.device("cpu")] * 3
    with pytest.raises(ConfigError, match="expected 3 or more GPUs for `cuda`, found 2"):
        chosen_device("cuda", 0, 3)  # though there is one for this process
    with pytest.raises(ConfigError, match="expected 3 or more GPUs for `cuda`, found 2"):
        chosen_device("cuda", 2)


def test_boards_that_the_model_does_not_know_are_refused(finished: Path) -> None:
    model = load_model(finished / "best.safetensors")
    assert isinstance(model, PuzzleModel)
    assert model.solve(np.ones((2, 16), np.int64)).shape == (2, 16)
    with pytest.raises(ConfigError, match=r"`tokens` of shape \(2, 16\), found of shape \(2, 81\)"):
        model.solve(np.ones((2, 81), np.int64))
    with pytest.raises(ConfigError, match=r"`tokens` must lie in 0\.\.5, found 1\.\.9"):
        model.solve(np.array([[9] + [1] * 15]))
    with pytest.raises(ConfigError, match="whole numbers"):
        model.solve(np.ones((2, 16)))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.source=sudokuu", "expected one of `voices`, `digits`, `sudoku`"),
        ("data.size=5", "data.size"),
        ("data.clues=[4]", "data.clues"),
        ("reasoner.hiden=32", "reasoner.hiden: unknown key; did you mean `hidden`?"),
        ("reasoner.heads=3", "reasoner.hidden: expected a multiple of `heads` (3)"),
        ("reasoner.rounds=0", "reasoner.rounds: expected a number of at least 1"),
        ("training.optimizer=adam", "training.optimizer"),
        ("training.final_rate=2", "training.final_rate"),
        ("training.fall=0.3", "training.fall: expected 1 with the schedule `constant`"),
        ("training.final_rate=0.1", "training.final_rate: expected 0 with the schedule"),
        ("training.noise=0.1", "training.noise: unknown key"),
        ("evaluation.votes=3", "evaluation.votes: expected the data `arc`"),
        ("data={source: maze, size: 4}", "data.size: expected a number of at least 5"),
        ("data={source: arc}", "data: the key `path` is missing"),
    ],
)
def test_wrong_settings_are_refused_with_their_key(config: Path, override: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(config, [override])
    assert words in one_line(caught)


def test_settings_that_contradict_are_refused_before_training(
    config: Path, cache: Path, tmp_path: Path
) -> None:
    own, empty = f"output.cache={cache}", tmp_path / "puzzles"
    with pytest.raises(ConfigError, match="with the mixer `mlp`"):
        run_config(config, tmp_path / "a", f"output.cache={empty}", "reasoner.positions=rope")
    assert not empty.exists()  # nor were puzzles made for it
    with pytest.raises(ConfigError, match=r"training\.accumulate: expected a divisor of the 8"):
        run_config(config, tmp_path / "b", own, "training.accumulate=3")
    with pytest.raises(PuzzleError, match="clues must be a range"):
        run_config(config, tmp_path / "c", own, "data.clues=[8, 4]")
    with pytest.raises(StoreError, match="nowhere"):
        run_config(config, tmp_path / "d", own, "data={source: arc, path: nowhere}")


def test_a_training_that_fails_before_it_keeps_anything_leaves_the_folder_free(
    config: Path, cache: Path, tmp_path: Path
) -> None:
    out, own = tmp_path / "out", f"output.cache={cache}"
    with pytest.raises(PuzzleError, match="clues must be a range"):
        run_config(config, out, own, "data.clues=[8, 4]")
    assert not out.exists()
    run_config(config, out, own)
    with pytest.raises(StoreError, match="training of another config"):
        run_config(config, out, own, "data.clues=[8, 4]")
    assert (out / "result.json").is_file()  # what was kept is not let go


def test_tensorboard_that_is_not_installed_is_named(
    config: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError) as caught:
        run_config(config, tmp_path / "out", f"output.cache={cache}", "output.tensorboard=true")
    assert "ember-neuro[tensorboard]" in one_line(caught)


def test_the_log_and_the_curve_are_there(finished: Path) -> None:
    points = [json.loads(line) for line in (finished / "log.jsonl").read_text("utf-8").splitlines()]
    assert [point["step"] for point in points] == [3, 6]
    assert {"loss", "rate", "test_loss", "test_accuracy", "thought"} <= points[0].keys()
    assert (finished / "curve.png").read_bytes().startswith(b"\x89PNG")
