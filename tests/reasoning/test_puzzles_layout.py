"""The public layout, written and read; what is foreign and wrong in it; how epochs go."""

from __future__ import annotations

import errno
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuro.errors import StoreError
from sims.puzzles.epochs import EpochSampler, collate, epoch_batches, epoch_order, in_order
from sims.puzzles.maze_set import MazePlan, make_maze
from sims.puzzles.npy_layout import read_puzzles
from sims.puzzles.npy_writer import write_puzzles, writing_puzzles
from sims.puzzles.puzzle_set import (
    IGNORED,
    PuzzleError,
    PuzzleFormat,
    PuzzleSet,
    PuzzleSplit,
)
from sims.puzzles.sudoku_set import SudokuPlan, make_sudoku

FIELDS = ("inputs", "labels", "puzzle_identifiers", "puzzle_indices", "group_indices")
PUBLIC_KEYS = {
    "pad_id", "ignore_label_id", "blank_identifier_id", "vocab_size", "seq_len",
    "num_puzzle_identifiers", "total_groups", "mean_puzzle_examples", "total_puzzles", "sets",
}  # fmt: skip


def toy() -> PuzzleSet:
    """Three groups: puzzles of 3, 1, 4, 2 and 2 examples, told apart by their tokens."""

    def split(shift: int) -> PuzzleSplit:
        tokens = (np.arange(24, dtype=np.uint8).reshape(12, 2) + shift) % 29 + 1
        return PuzzleSplit(
            tokens, tokens[:, ::-1].copy(), np.array([1, 2, 3, 4, 5], np.int32),
            np.array([0, 3, 4, 8, 10, 12]), np.array([0, 2, 4, 5]),
        )  # fmt: skip

    names = ("<blank>", "a", "b", "c", "d", "e")
    format = PuzzleFormat("other", 1, 2, 31, n_identifiers=6)
    return PuzzleSet(format, split(0), split(5), names, {"made": "by hand"})


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A set as the public builder writes it: int64 tokens, no word of ours."""
    folder = tmp_path / "foreign"
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
        about = {
            "pad_id": 0, "ignore_label_id": 0, "blank_identifier_id": 0, "vocab_size": 11,
            "seq_len": 81, "num_puzzle_identifiers": 1, "total_groups": 2,
            "mean_puzzle_examples": 1, "total_puzzles": 2, "sets": ["all"],
        }  # fmt: skip
        (folder / split / "dataset.json").write_text(json.dumps(about), encoding="utf-8")
        tokens = np.random.default_rng(1).integers(2, 11, (4, 81))
        arrays = {
            "inputs": tokens, "labels": tokens, "puzzle_identifiers": np.zeros(4, np.int32),
            "puzzle_indices": np.arange(5, dtype=np.int32), "group_indices": np.array([0, 2, 4]),
        }  # fmt: skip
        for field, values in arrays.items():
            np.save(folder / split / f"all__{field}.npy", values)
    (folder / "identifiers.json").write_text('["<blank>"]', encoding="utf-8")
    return folder


def assert_equal(a: PuzzleSet, b: PuzzleSet) -> None:
    assert (a.format, a.identifiers, dict(a.about)) == (b.format, b.identifiers, dict(b.about))
    for name in ("train", "test"):
        for field in FIELDS:
            x, y = (getattr(puzzles.split(name), field) for puzzles in (a, b))
            assert np.array_equal(x, y), field


def test_a_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = toy()
    read = read_puzzles(write_puzzles(tmp_path / "toy", written))
    assert_equal(read, written)
    again = read_puzzles(write_puzzles(tmp_path / "again", read))
    assert_equal(again, written)
    other = toy()
    other.train.inputs[0, 0] += 1
    with pytest.raises(AssertionError):  # the comparison sees one token
        assert_equal(read, other)


@pytest.mark.parametrize("kind", ["sudoku", "maze"])
def test_what_public_trainers_read_is_there(kind: str, tmp_path: Path) -> None:
    """Plain `np.load` without pickles, the public keys and no other, the documented types."""
    folder = tmp_path / "set"
    if kind == "sudoku":
        make_sudoku(SudokuPlan(6, train=7, test=3, augment=2), folder)
    else:
        make_maze(MazePlan(6, train=7, test=3, augment=2, steps=(8, None)), folder)
    for split, groups, puzzles in (("train", 7, 21), ("test", 3, 3)):
        about = json.loads((folder / split / "dataset.json").read_text("utf-8"))
        assert about.keys() == PUBLIC_KEYS and about["seq_len"] == 36
        arrays = {
            field: np.load(folder / split / f"all__{field}.npy", allow_pickle=False)
            for field in FIELDS
        }
        assert arrays["inputs"].shape == arrays["labels"].shape == (puzzles, 36)
        assert arrays["inputs"].dtype == np.uint8
        assert arrays["puzzle_indices"].dtype == arrays["group_indices"].dtype == np.int32
        assert arrays["puzzle_indices"].tolist() == list(range(puzzles + 1))
        assert arrays["group_indices"].tolist() == list(range(0, puzzles + 1, puzzles // groups))
        assert arrays["labels"].min() >= 1 and arrays["inputs"].min() >= 1
        assert about["vocab_size"] > arrays["inputs"].max()
    assert json.loads((folder / "identifiers.json").read_text("utf-8")) == ["<blank>"]


def test_boards_stay_on_the_disk(tmp_path: Path) -> None:
    read = read_puzzles(write_puzzles(tmp_path / "toy", toy()))
    assert isinstance(read.train.inputs, np.memmap) and isinstance(read.test.labels, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        read.train.inputs[0, 0] = 1


def test_a_foreign_set_is_read(foreign: Path) -> None:
    read = read_puzzles(foreign)
    assert read.format.kind == "sudoku" and read.format.box == (3, 3)
    assert (read.train.n_groups, read.train.n_puzzles, len(read.train)) == (2, 4, 4)
    batch = next(in_order(read.test, read.format, 3))
    assert batch.inputs.dtype == np.int32 and batch.inputs.shape == (3, 81)


def save(file: Path, change: Any) -> None:
    np.save(file, change(np.load(file)))


def set_label(values: np.ndarray) -> np.ndarray:
    values[2, 40] = 11
    return values


WRONG_ARRAYS = [
    ("labels", set_label, r"hold 0 to vocab_size - 1 = 10, found 11 \(row 2 is the first"),
    ("inputs", lambda v: -v, "found -"),
    ("inputs", lambda v: v.astype(float), "whole numbers, found float64"),
    ("inputs", lambda v: v[:, :80], "rows of seq_len = 81 tokens, found 80"),
    ("inputs", lambda v: v[0], r"2 axes, found shape \(81,\)"),
    ("labels", lambda v: v[:3], "a label row for each input row, found 3 for 4"),
    ("puzzle_indices", lambda v: v[[0, 2, 1, 3, 4]], "must ascend, found 2 and then 1 at 2"),
    ("puzzle_indices", lambda v: v[[0, 1, 1, 3, 4]], "must ascend, found 1 and then 1 at 2"),
    ("puzzle_indices", lambda v: v + 1, "0 to 4, the number of examples, found 1 to 5"),
    ("puzzle_indices", lambda v: v[:0], "found nothing"),
    ("group_indices", lambda v: v[:-1], "0 to 4, the number of puzzles, found 0 to 2"),
    ("puzzle_identifiers", lambda v: v[:2], "one entry for each of 4 puzzles, found 2"),
    ("puzzle_identifiers", lambda v: v + 1, "num_puzzle_identifiers - 1 = 0, found 1"),
]


@pytest.mark.parametrize(("field", "change", "message"), WRONG_ARRAYS)
def test_wrong_arrays_are_refused_in_a_line(
    field: str, change: Any, message: str, foreign: Path
) -> None:
    save(foreign / "test" / f"all__{field}.npy", change)
    with pytest.raises(StoreError, match=message) as caught:
        read_puzzles(foreign)
    assert "test" in str(caught.value) and "\n" not in str(caught.value)


WRONG_WORDS = [
    ("vocab_size", "many", "`vocab_size` must be a whole number, found 'many'"),
    ("vocab_size", True, "found True"),
    ("seq_len", -81, "found -81"),
    ("pad_id", None, "`pad_id` must be a whole number, found None"),
    ("vocab_size", 12, "same vocab_size, found 12 in train and 11 in test"),
    ("sets", ["a", "b"], "must name one subset"),
    ("sets", ["../../etc"], "plain name"),
]


@pytest.mark.parametrize(("key", "value", "message"), WRONG_WORDS)
def test_wrong_metadata_is_refused(key: str, value: Any, message: str, foreign: Path) -> None:
    file = foreign / "train" / "dataset.json"
    file.write_text(
        json.dumps({**json.loads(file.read_text("utf-8")), key: value}), encoding="utf-8"
    )
    with pytest.raises(StoreError, match=message):
        read_puzzles(foreign)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train/dataset.json", b"{", "as JSON"),
        ("train/dataset.json", b"[]", "must hold an object, found list"),
        ("train/dataset.json", b"[" * 100_000, "as JSON"),
        ("train/all__inputs.npy", b"", "must be a whole array"),
        ("train/all__inputs.npy", b"PK\x03\x04 no array", "must be a whole array"),
        ("train/all__labels.npy", None, "must be there, as the public layout has it"),
        ("test/dataset.json", None, "there is no such file"),
        ("identifiers.json", b'["<blank>", "a"]', "= 1 names, found 2"),
        ("identifiers.json", b"[1]", "must be a list of names"),
        ("ember.json", b'{"format": 7}', "must be of format 1, found 7"),
        ("ember.json", b'{"format": 1, "rows": 9, "columns": 8}', "81 cells, found 9 x 8"),
        ("ember.json", b'{"format": 1, "rows": "9", "columns": 9}', "found 9 x 9"),
        ("ember.json", b'{"format": 1, "box": [3, "x"]}', "rows and columns, found"),
        ("ember.json", b'{"format": 1, "box": [0, 3]}', "rows and columns, found"),
        ("ember.json", b'{"format": 1, "box": [2, 3]}', "board of 9 x 9, found 2 x 3"),
        ("ember.json", b'{"format": 1, "about": 7}', "must be an object, found 7"),
    ],
)
def test_damaged_files_are_refused(
    name: str, content: bytes | None, message: str, foreign: Path
) -> None:
    if content is None:
        (foreign / name).unlink()
    else:
        (foreign / name).write_bytes(content)
    with pytest.raises(StoreError, match=message):
        read_puzzles(foreign)


def test_a_truncated_array_is_refused(foreign: Path) -> None:
    file = foreign / "train" / "all__inputs.npy"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(StoreError, match=r"all__inputs\.npy. must be a whole array"):
        read_puzzles(foreign)


@pytest.mark.parametrize("n", [1, 5000])
def test_a_pickle_is_refused_unopened(n: int, foreign: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "opened",)

    np.save(
        foreign / "train" / "all__inputs.npy", np.array([Trap()] * n, object), allow_pickle=True
    )
    with pytest.raises(StoreError, match=r"found object of"):
        read_puzzles(foreign)
    assert not (tmp_path / "opened").exists()


def test_what_is_no_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"folder with train/dataset\.json, found none"):
        read_puzzles(tmp_path)


def test_a_set_that_was_not_finished_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with writing_puzzles(tmp_path / "set") as writer:
            writer.train.group(np.ones((1, 4), np.uint8), np.ones((1, 4), np.uint8))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sims.puzzles.npy_writer._GrowingNpy.append", full)
    with pytest.raises(StoreError, match=r"cannot write .*set`: No space left on device"):
        make_sudoku(SudokuPlan(4, train=2, test=2, clues=(5, 8)), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_only_a_puzzle_set_is_replaced(tmp_path: Path) -> None:
    path = write_puzzles(tmp_path / "toy", toy())
    with pytest.raises(StoreError, match="already exists"):
        write_puzzles(path, toy())
    write_puzzles(path, toy(), force=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(StoreError, match="already exists"):
        write_puzzles(other, toy(), force=True)
    assert (other / "thesis.txt").read_text("utf-8") == "years of work"


def test_an_epoch_draws_one_puzzle_of_each_group() -> None:
    split = toy().train
    drawn: Counter[int] = Counter()
    for epoch in range(400):
        examples = epoch_order(split, seed=1, epoch=epoch)
        puzzles = list(dict.fromkeys(split.puzzle_of(examples).tolist()))
        groups = np.searchsorted(split.group_indices, puzzles, side="right") - 1
        assert sorted(groups.tolist()) == [0, 1, 2]
        whole = [e for p in puzzles for e in range(*split.puzzle_indices[[p, p + 1]])]
        assert sorted(examples.tolist()) == sorted(whole)
        drawn.update(puzzles)
    # Each puzzle of a pair is drawn 200 times, give or take 5 standard deviations of 10.
    assert drawn[4] == 400 and all(abs(drawn[puzzle] - 200) < 50 for puzzle in range(4))
    orders = {tuple(epoch_order(split, seed=1, epoch=epoch)) for epoch in range(20)}
    assert len(orders) > 10 and (split.puzzle_of(np.array([0, 3, 11])) == [0, 1, 4]).all()


def test_a_sampler_goes_on_where_it_was() -> None:
    split = toy().train
    whole = EpochSampler(split, seed=3)
    drawn = whole.draw(100)
    for cut in (1, 7, 13, 50):
        first = EpochSampler(split, seed=3)
        start = first.draw(cut)
        second = EpochSampler(split, seed=3, epoch=first.epoch, position=first.position)
        assert np.array_equal(np.concatenate([start, second.draw(100 - cut)]), drawn)
        assert (second.epoch, second.position) == (whole.epoch, whole.position)
    assert not np.array_equal(EpochSampler(split, seed=4).draw(100), drawn)
    epochs = [epoch_order(split, seed=3, epoch=epoch) for epoch in range(30)]
    assert np.array_equal(drawn, np.concatenate(epochs)[:100])
    assert whole.draw(0).size == 0


def test_batches_are_what_was_drawn() -> None:
    puzzles = toy()
    split = puzzles.train
    batches = list(epoch_batches(split, puzzles.format, 4, seed=1, epoch=5))
    order = epoch_order(split, seed=1, epoch=5)
    assert [len(batch.inputs) for batch in batches[:-1]] == [4] * (len(batches) - 1)
    assert np.array_equal(np.concatenate([batch.inputs for batch in batches]), split.inputs[order])
    numbers = np.concatenate([batch.puzzles for batch in batches])
    assert np.array_equal(numbers, split.puzzle_identifiers[split.puzzle_of(order)])
    tested = np.concatenate([batch.inputs for batch in in_order(split, puzzles.format, 5)])
    assert np.array_equal(tested, split.inputs)


def test_labels_that_are_not_marked_are_ignored() -> None:
    puzzles = toy()
    split = puzzles.train
    split.labels[2] = [0, 7]
    assert collate(split, puzzles.format, np.array([2])).labels.tolist() == [[IGNORED, 7]]
    marked = PuzzleFormat("other", 1, 2, 31, ignore_label_id=None)
    assert collate(split, marked, np.array([2])).labels.tolist() == [[0, 7]]


def test_what_cannot_be_drawn_is_refused() -> None:
    puzzles = toy()
    none = np.zeros((0, 2), np.uint8)
    empty = PuzzleSplit(none, none, np.zeros(0, int), np.zeros(1, int), np.zeros(1, int))
    with pytest.raises(PuzzleError, match="found none"):
        EpochSampler(empty, seed=1)
    with pytest.raises(PuzzleError, match="at least 1 example, found 0"):
        next(in_order(puzzles.train, puzzles.format, 0))
    with pytest.raises(PuzzleError, match="found `valid`"):
        puzzles.split("valid")
