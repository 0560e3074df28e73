"""The course of a training: which weights are kept, what a refusal keeps, what a curve shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bridges.reasoning.reasoner import Reasoner
from sims.dataset.build import Stopped
from sims.train.loop.checkpoint import read_tensors, write_tensors
from sims.train.loop.non_finite import TrainingError
from sims.train.loop.trainer import Trainer
from sims.train.session.course import Point, follow, resume
from sims.train.session.folder import TrainingFolder
from sims.train.session.interrupt import Interrupt
from sims.train.session.tensorboard import Board
from tests.reasoning._trained import SPEC, trainer

SHORT = SPEC.model_copy(update={"steps": 10, "evaluate_every": 2, "checkpoint_every": 4})
ABOUT = {"config_hash": "0"}


@pytest.fixture
def folder(tmp_path: Path) -> TrainingFolder:
    return TrainingFolder(tmp_path)


def level(model: Reasoner) -> Point:
    return {"score": 0.0}


def followed(one: Trainer, folder: TrainingFolder, point=level) -> Trainer:  # type: ignore[no-untyped-def]
    follow(one, folder, "", point=point, interrupt=Interrupt(), about=ABOUT)
    return one


def resumed(folder: TrainingFolder) -> Trainer:
    one = trainer(SHORT)
    resume(one, folder, "", config_hash="0")
    return one


def assert_same(one: Trainer, other: Trainer) -> None:
    (tensors, numbers), (others, other_numbers) = one.state(), other.state()
    assert numbers == other_numbers and tensors.keys() == others.keys()
    assert all(torch.equal(part, others[name]) for name, part in tensors.items())


def test_weights_are_kept_whenever_no_score_was_higher(folder: TrainingFolder) -> None:
    """Of equal scores the later one; a lower one keeps what is there."""
    scores, kept = iter([1.0, 3.0, 2.0, 3.0, 0.0]), []

    def point(model: Reasoner) -> Point:
        return {"score": next(scores)}

    def keep(model: Reasoner, step: int) -> None:
        kept.append(step)

    one = trainer(SHORT)
    follow(one, folder, "", point=point, keep_best=keep, interrupt=Interrupt(), about=ABOUT)
    assert kept == [2, 4, 8] and one.best == (3.0, 8)


def test_the_rate_of_a_point_is_that_of_its_step(folder: TrainingFolder) -> None:
    """Warm-up over four steps: the second has half of the peak."""
    followed(trainer(SHORT), folder)
    rates = [json.loads(line)["rate"] for line in folder.log_file.read_text("utf-8").splitlines()]
    assert rates == pytest.approx([share * SPEC.learning_rate for share in (0.5, 1, 1, 1, 1)])


def test_a_step_that_is_no_number_keeps_the_one_before(folder: TrainingFolder) -> None:
    """Step 7 of 10, two after a checkpoint: 6 is kept, and leads to where 10 undisturbed do."""
    one, advance = trainer(SHORT), Trainer.advance

    def poisoned(self: Trainer) -> None:
        if self.step == 6:
            self.model.head.weight.register_hook(lambda gradient: gradient * torch.nan)
        advance(self)

    one.advance = poisoned.__get__(one)  # type: ignore[method-assign]
    with pytest.raises(TrainingError) as caught:
        followed(one, folder)
    said = str(caught.value)
    assert (
        "`head.weight` not finite at step 7" in said
        and "step 6, the last good one, is kept" in said
    )
    assert "\n" not in said and len(said) < 400
    again = resumed(folder)
    assert again.step == 6
    other = TrainingFolder(folder.path / "other")
    other.path.mkdir()
    assert_same(followed(again, folder), followed(trainer(SHORT), other))
    assert folder.log_file.read_text("utf-8") == other.log_file.read_text("utf-8")


def test_weights_that_are_no_numbers_are_not_kept(folder: TrainingFolder) -> None:
    one, advance = trainer(SHORT), Trainer.advance

    def poisoned(self: Trainer) -> None:
        if self.step == 6:
            self.model.head.weight.data[0, 0] = torch.inf
        advance(self)

    one.advance = poisoned.__get__(one)  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="the last checkpoint is as it was"):
        followed(one, folder)
    assert resumed(folder).step == 4


def test_a_stop_while_a_point_is_measured_keeps_the_step_and_measures_again(
    folder: TrainingFolder,
) -> None:
    """At step 6, which is no checkpoint; neither the point nor what it averages over is lost."""
    one = trainer(SHORT)

    def stopped(model: Reasoner) -> Point:
        if one.step == 6:
            raise Stopped("asked")
        return level(model)

    with pytest.raises(Stopped, match="6 of 10 steps of the model are kept"):
        followed(one, folder, stopped)
    again = resumed(folder)
    assert again.step == 6 and again.due
    other = TrainingFolder(folder.path / "other")
    other.path.mkdir()
    assert_same(followed(again, folder), followed(trainer(SHORT), other))
    assert folder.log_file.read_text("utf-8") == other.log_file.read_text("utf-8")


def test_a_checkpoint_of_before_points_were_due_is_read(folder: TrainingFolder) -> None:
    followed(trainer(SHORT), folder)
    tensors, header = read_tensors(folder.checkpoint_file(""), kind="checkpoint")
    del header["state"]["due"]
    write_tensors(folder.checkpoint_file(""), tensors, header, kind="checkpoint")
    assert not resumed(folder).due


def test_tensorboard_forgets_what_will_be_done_again(folder: TrainingFolder) -> None:
    """A training that ran to step 6 and goes on from 3: steps 4 to 6 are there once."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with Board(folder, True) as board:
        for step in range(1, 7):
            board.write({"step": step, "loss": 1.0})
    with Board(folder, True, step=3) as board:
        for step in range(4, 8):
            board.write({"step": step, "loss": 2.0})
    found = EventAccumulator(str(folder.path / "tensorboard"))
    found.Reload()
    points = [(event.step, event.value) for event in found.Scalars("loss")]
    assert points == [(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (5, 2.0), (6, 2.0), (7, 2.0)]
