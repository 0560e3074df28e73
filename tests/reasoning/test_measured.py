"""What is measured of a reasoner on puzzles, against counting by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bridges.reasoning.reasoner import build
from neuro.errors import ConfigError
from sims.dataset.build import Stopped
from sims.puzzles.arc_augment import Augmentation
from sims.puzzles.arc_set import ArcPlan, make_arc
from sims.puzzles.arc_tasks import ArcTask
from sims.puzzles.npy_layout import read_puzzles
from sims.train.puzzles.arc_vote import tasks_of, voted
from sims.train.puzzles.data import digest_of, examples_of, held_out
from sims.train.puzzles.measure import answered, measured
from tests.reasoning._small import awake, small
from tests.reasoning._trained import SETTINGS, puzzles


def test_shares_are_counted_by_hand() -> None:
    made, model = puzzles(), awake(SETTINGS)
    examples = np.arange(11)
    found = measured(model, made.test, made.format, examples, batch=4)
    given = list(answered(model, made.test, made.format, examples, batch=11))
    ((batch, answers),) = given
    right = answers.predictions == batch.labels
    assert found["right"] == int(right.all(1).sum()) and found["of"] == 11
    assert found["cells"] == pytest.approx(float(right.double().mean()))
    assert found["steps"] == SETTINGS.steps_max
    assert 0 < found["cells"] < 1 and found["loss"] > 0
    low, high = found["interval"]
    assert low <= found["accuracy"] <= high
    early = measured(model, made.test, made.format, examples, batch=4, halting=True)
    assert 1 <= early["steps"] <= SETTINGS.steps_max


def test_validation_and_test_share_no_group() -> None:
    made = puzzles(groups=20)
    chosen, tested = held_out(made.test, validation=6, seed=1)
    assert len(chosen) == 6 and len(tested) == 14
    assert not set(chosen) & set(tested) and set(chosen) | set(tested) == set(range(20))
    again, _ = held_out(made.test, validation=6, seed=1)
    other, _ = held_out(made.test, validation=6, seed=2)
    assert np.array_equal(chosen, again) and not np.array_equal(chosen, other)
    few, rest = held_out(puzzles(groups=3).test, validation=100, seed=1)
    assert len(few) == 1 and len(rest) == 2
    # The first puzzle of a group is the one that is no augmentation.
    assert examples_of(made.test, np.array([0, 3])).tolist() == [0, 6]


def test_a_set_is_known_again_by_its_content() -> None:
    assert digest_of(puzzles(seed=1)) == digest_of(puzzles(seed=1))
    assert digest_of(puzzles(seed=1)) != digest_of(puzzles(seed=2))
    changed = puzzles(seed=1)
    changed.train.labels[5, 0] = (changed.train.labels[5, 0] + 1) % SETTINGS.vocabulary
    assert digest_of(changed) != digest_of(puzzles(seed=1))


def grid(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.uint8)


def test_votes_go_through_augmentations_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that copies its input solves the task whose output is its input, and no other."""
    pairs = [(grid([1, 2], [3, 0]),) * 2, (grid([4, 0, 0], [0, 5, 0]),) * 2]
    same = ArcTask("aaaaaaaa", tuple(pairs), ((grid([6, 7]), grid([6, 7])),))
    turned = ArcTask("bbbbbbbb", tuple(pairs), ((grid([6, 7]), grid([7, 6])),))
    tasks = {"training": {}, "evaluation": {task.name: task for task in (same, turned)}}
    made = read_puzzles(make_arc(ArcPlan(augment=5, seed=3), tasks, tmp_path / "arc"))
    read = tasks_of(made, np.arange(made.test.n_groups))
    assert sorted(read) == ["aaaaaaaa", "bbbbbbbb"]
    assert np.array_equal(read["bbbbbbbb"].test[0][1], grid([7, 6]))

    settings = small(
        SETTINGS, length=900, vocabulary=12, puzzle_ids=made.format.n_identifiers, slots=1
    )
    model = build(settings)

    def copying(model, batch, *, halting=False):  # type: ignore[no-untyped-def]
        from bridges.reasoning.evaluation import Answered

        rows = batch.tokens.shape[0]
        return Answered(batch.tokens, torch.zeros(1), torch.zeros(rows), torch.ones(rows))

    monkeypatch.setattr("sims.train.puzzles.measure.evaluate", copying)
    found = voted(model, made, np.arange(2), votes=4, batch=3)
    assert found == {"score": 0.5, "outputs": 0.5, "whole_tasks": 0.5, "n_tasks": 2, "votes": 4}
    with pytest.raises(ConfigError, match="puzzles of ARC"):
        voted(model, puzzles(), np.arange(2), votes=4, batch=3)

    def right_when_augmented(model, batch, *, halting=False):  # type: ignore[no-untyped-def]
        """Copies, but for a puzzle as it was made, of which it moves every colour by one."""
        from bridges.reasoning.evaluation import Answered

        names = [made.identifiers[int(puzzle)] for puzzle in batch.puzzle]
        plain = torch.tensor([Augmentation.of(name)[1] == Augmentation() for name in names])
        tokens = batch.tokens
        other = torch.where(tokens >= 2, 2 + (tokens - 1) % 10, tokens)
        answers = torch.where(plain[:, None], other, tokens)
        rows = len(names)
        return Answered(answers, torch.zeros(1), torch.zeros(rows), torch.ones(rows))

    monkeypatch.setattr("sims.train.puzzles.measure.evaluate", right_when_augmented)
    scores = [voted(model, made, np.arange(2), votes=n, batch=3)["score"] for n in (1, 2, 4)]
    assert scores == [0.0, 0.5, 0.5]  # an augmentation more, and one of two attempts is right


def test_a_stop_ends_answering_after_the_batch_in_hand(tmp_path: Path) -> None:
    made, model, asked = puzzles(), awake(SETTINGS), []

    def stop() -> bool:
        asked.append(True)
        return len(asked) == 2

    with pytest.raises(Stopped):
        measured(model, made.test, made.format, np.arange(11), batch=2, stop=stop)
    assert len(asked) == 2  # of six batches

    pair = (grid([1, 2], [3, 0]),) * 2
    tasks = {"training": {}, "evaluation": {"aaaaaaaa": ArcTask("aaaaaaaa", (pair,), (pair,))}}
    arc = read_puzzles(make_arc(ArcPlan(augment=5, seed=3), tasks, tmp_path / "arc"))
    settings = small(SETTINGS, length=900, vocabulary=12, slots=1)
    with pytest.raises(Stopped):
        voted(build(settings), arc, np.arange(1), votes=4, batch=1, stop=lambda: True)
