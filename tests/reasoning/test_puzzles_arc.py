"""ARC: reading, augmenting and undoing it, voting, and the official score."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuro.errors import StoreError
from sims.puzzles.arc_augment import (
    Augmentation,
    augmentations,
    canonical_pair,
    grid_of_tokens,
    tokens_of_grid,
)
from sims.puzzles.arc_set import ArcPlan, make_arc, views
from sims.puzzles.arc_tasks import ArcTask, read_arc, shared_tasks
from sims.puzzles.npy_layout import read_puzzles
from sims.puzzles.puzzle_set import IGNORED, PuzzleError
from sims.puzzles.scoring import arc_score, right, submission, to_json
from sims.puzzles.voting import ArcBallot, ranked

Grid = list[list[int]]


def pair(size: int, seed: int) -> dict[str, Grid]:
    rng = np.random.default_rng(seed)
    return {
        "input": rng.integers(0, 10, (size, size + 1)).tolist(),
        "output": rng.integers(0, 10, (size + 2, 3)).tolist(),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four tasks in the public files: two to train on, two to test on."""
    for n, (subset, name) in enumerate(
        [("training", "aa"), ("training", "bb"), ("evaluation", "cc"), ("evaluation", "dd")]
    ):
        file = tmp_path / "arc" / "data" / subset / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        task = {
            "train": [pair(3 + n, 10 * n + k) for k in range(3)],
            "test": [pair(4, 10 * n + 5), pair(5, 10 * n + 6)][: 1 + n % 2],
        }
        file.write_text(json.dumps(task), encoding="utf-8")
    return tmp_path / "arc"


grids = st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32)).map(
    lambda t: np.random.default_rng(t[2]).integers(0, 10, t[:2]).astype(np.uint8)
)
changes = st.builds(Augmentation, st.integers(0, 7), st.permutations(range(10)).map(tuple))


@given(grids, changes)
def test_an_augmentation_is_undone(grid: np.ndarray, change: Augmentation) -> None:
    there = change(grid)
    assert (change.inverse(there) == grid).all() and there.dtype == np.uint8
    assert sorted(np.bincount(there.ravel(), minlength=10)) == sorted(
        np.bincount(grid.ravel(), minlength=10)
    )
    assert Augmentation.of(change.name("ab|c")) == ("ab|c", change)


@given(grids, st.data())
def test_a_grid_is_read_back_from_its_tokens(grid: np.ndarray, data: st.DataObject) -> None:
    tokens = tokens_of_grid(grid)
    assert (grid_of_tokens(tokens) == grid).all() and grid_of_tokens(tokens).shape == grid.shape
    row, column = (data.draw(st.integers(0, 30 - side)) for side in grid.shape)
    board = tokens_of_grid(grid, row, column).reshape(30, 30)
    height, width = grid.shape
    assert (board[row : row + height, column : column + width] == grid + 2).all()
    below, right_ = row + height, column + width
    ends = width * (below < 30) + height * (right_ < 30)
    assert (board == 1).sum() == ends and (board >= 2).sum() == grid.size
    assert below == 30 or (board[below, column:right_] == 1).all()
    with pytest.raises(PuzzleError, match="must fit on 30 x 30"):
        tokens_of_grid(grid, 31 - height, 0)


def test_the_largest_rectangle_of_colours_is_the_answer() -> None:
    board = np.zeros((30, 30), np.uint8)
    assert grid_of_tokens(board).size == 0
    board[:2, :5], board[:7, :2] = 3, 4  # 2 x 5 against 7 x 2
    assert grid_of_tokens(board.ravel()).shape == (7, 2)
    board[0, 0] = 1
    assert grid_of_tokens(board).size == 0


def test_augmentations_follow_the_name_and_the_seed_and_keep_black() -> None:
    symmetries, colours = augmentations("aa", 2000, seed=1)
    later = augmentations("aa", 10, seed=1, first=500)
    assert (later[0] == symmetries[500:510]).all() and (later[1] == colours[500:510]).all()
    assert (colours[:, 0] == 0).all() and (np.sort(colours) == np.arange(10)).all()
    # 2000 draws of 8: 250 each, give or take 5 standard deviations of 14.8
    assert (np.abs(np.bincount(symmetries, minlength=8) - 250) < 74).all()
    for other in (augmentations("ab", 2000, seed=1), augmentations("aa", 2000, seed=2)):
        assert not (other[1] == colours).all()


def test_views_of_a_task_differ() -> None:
    """A task of one black cell has one view; one that is its own mirror has half of them."""
    black = np.zeros((1, 1), np.uint8)
    only = ArcTask("only", ((black, black),), ((black, black),))
    assert views(only, 50, seed=1)[0].size == 1
    coloured = ArcTask("nine", ((black + 4, black),), ((black, black),))
    assert views(coloured, 50, seed=1)[0].size == 9
    grid = np.arange(9, dtype=np.uint8).reshape(3, 3)
    free = ArcTask("free", ((grid, grid),), ((grid, grid),))
    symmetries, colours = views(free, 50, seed=1)
    assert symmetries.size == 51 and symmetries[0] == 0 and (colours[0] == np.arange(10)).all()
    seen = {
        Augmentation(int(s), tuple(map(int, c)))(grid).tobytes()
        for s, c in zip(symmetries, colours, strict=True)
    }
    assert len(seen) == 51


def test_a_set_holds_what_its_names_say(folder: Path, tmp_path: Path) -> None:
    tasks = read_arc(folder)
    made = read_puzzles(make_arc(ArcPlan(augment=6, seed=3), tasks, tmp_path / "set"))
    everything = {**tasks["training"], **tasks["evaluation"]}
    assert (made.train.n_groups, made.test.n_groups) == (4, 2)
    assert made.format.n_identifiers == len(made.identifiers) == 1 + 4 * 7
    moved = 0
    for split, part in (("train", made.train), ("test", made.test)):
        for p in range(part.n_puzzles):
            task, change = Augmentation.of(made.identifiers[part.puzzle_identifiers[p]])
            source = everything[task]
            pairs = source.test if split == "test" else source.train
            if split == "train" and task in tasks["training"]:
                pairs = (*source.train, *source.test)
            rows = slice(*part.puzzle_indices[[p, p + 1]])
            in_corner = 0
            for x, y, (i, o) in zip(part.inputs[rows], part.labels[rows], pairs, strict=True):
                boards = np.reshape(x, (30, 30)), np.reshape(y, (30, 30))
                corners = [np.argwhere(board >= 2).min(axis=0) for board in boards]
                assert (corners[0] == corners[1]).all()  # moved together
                in_corner += not corners[0].any()
                for board, grid in zip(boards, (i, o), strict=True):
                    there = board[corners[0][0] :, corners[0][1] :]
                    shape = change(grid).shape
                    assert (there[: shape[0], : shape[1]] == change(grid) + 2).all()
                    assert (board >= 2).sum() == grid.size
            assert in_corner >= (len(pairs) if split == "test" else 1)
            moved += len(pairs) - in_corner
    assert moved > 50  # the control: in training most are not in the corner
    asked = json.loads((tmp_path / "set" / "test_puzzles.json").read_text("utf-8"))
    assert asked == {name: task.to_json() for name, task in tasks["evaluation"].items()}


def test_what_is_tested_on_is_not_trained_on(folder: Path, tmp_path: Path) -> None:
    tasks = read_arc(folder)
    made = read_puzzles(make_arc(ArcPlan(augment=4), tasks, tmp_path / "set"))
    train = {np.sort(row).tobytes() for row in made.train.labels}
    for task in tasks["evaluation"].values():
        for _, output in task.test:
            for s, c in zip(*views(task, 4, seed=0), strict=True):
                answer = Augmentation(int(s), tuple(map(int, c)))(output)
                assert np.sort(tokens_of_grid(answer)).tobytes() not in train
    shown = tokens_of_grid(tasks["evaluation"]["cc"].train[0][1])
    assert np.sort(shown).tobytes() in train  # the control: demonstrations are


def test_a_pair_that_is_tested_elsewhere_is_not_trained_on(folder: Path, tmp_path: Path) -> None:
    """As it stands in another task's file, and turned and recoloured."""
    tasks = read_arc(folder)
    a, b = tasks["training"].values()
    stolen = tasks["evaluation"]["cc"].test[0]
    change = Augmentation(3, (0, 2, 3, 4, 5, 6, 7, 8, 9, 1))
    tasks["training"] = {
        "aa": ArcTask("aa", a.train, (stolen,)),
        "bb": ArcTask("bb", ((change(stolen[0]), change(stolen[1])), *b.train), b.test),
    }
    made = read_puzzles(make_arc(ArcPlan(augment=0), tasks, tmp_path / "set"))
    assert made.about["left_out"] == ["aa", "bb"]
    assert np.diff(made.train.puzzle_indices).tolist() == [3, 5, 3, 3]
    alone = {"aa": ArcTask("aa", (stolen,), (stolen,)), "bb": b}
    made = read_puzzles(
        make_arc(ArcPlan(augment=0), {**tasks, "training": alone}, tmp_path / "alone")
    )
    assert made.train.n_groups == 3


def test_a_demonstration_that_another_task_tests_on_is_not_trained_on(
    folder: Path, tmp_path: Path
) -> None:
    """As it stands, turned and recoloured; a task keeps what it shows of its own test."""
    tasks = read_arc(folder)
    c, d = tasks["evaluation"].values()
    change = Augmentation(5, (0, 3, 2, 1, 4, 9, 6, 7, 8, 5))
    turned = (change(c.test[0][0]), change(c.test[0][1]))
    for stolen in (c.test[0], turned):
        tasks["evaluation"] = {
            "cc": ArcTask("cc", (c.test[0], *c.train), c.test),
            "dd": ArcTask("dd", (stolen, *d.train), d.test),
        }
        out = make_arc(ArcPlan(augment=0), tasks, tmp_path / f"set{len(list(tmp_path.iterdir()))}")
        made = read_puzzles(out)
        assert made.about["left_out"] == ["dd"]
        shown = np.diff(made.train.puzzle_indices).tolist()
        assert shown[-2:] == [len(c.train) + 1, len(d.train)]  # control: its own stays
    alone = {"cc": c, "dd": ArcTask("dd", (turned,), d.test)}
    made = read_puzzles(
        make_arc(ArcPlan(augment=0), {**tasks, "evaluation": alone}, tmp_path / "alone")
    )
    assert made.train.n_groups == 3 and made.test.n_groups == 2  # it is tested all the same


@given(grids, grids, st.integers(0, 7), st.permutations(range(1, 10)))
def test_pairs_are_equivalent_by_augmentation_alone(
    i: np.ndarray, o: np.ndarray, symmetry: int, colours: list[int]
) -> None:
    change = Augmentation(symmetry, (0, *colours))
    assert canonical_pair((change(i), change(o))) == canonical_pair((i, o))
    black = o.copy()
    black[0, 0] = 0 if o[0, 0] else 1  # another number of black cells
    assert canonical_pair((i, black)) != canonical_pair((i, o))


def test_a_part_of_the_tasks_is_drawn_by_the_seed(folder: Path, tmp_path: Path) -> None:
    tasks = read_arc(folder)
    names = set()
    for seed in range(6):
        path = make_arc(ArcPlan(augment=0, tasks=1, seed=seed), tasks, tmp_path / str(seed))
        names.add(read_puzzles(path).identifiers)
    assert len(names) > 1
    with pytest.raises(PuzzleError, match="3 tasks in `training`, found 2"):
        make_arc(ArcPlan(tasks=3), tasks, tmp_path / "more")
    assert not (tmp_path / "more").exists()


def votes(made: Any, predictions: np.ndarray, q: np.ndarray) -> ArcBallot:
    part = made.test
    ballot = ArcBallot(made.identifiers)
    numbers = part.puzzle_identifiers[part.puzzle_of(np.arange(len(part)))]
    for rows in (slice(0, 5), slice(5, None)):
        ballot.cast(part.inputs[rows], numbers[rows], predictions[rows], q[rows])
    return ballot


def test_the_official_score_is_that_of_two_attempts(folder: Path, tmp_path: Path) -> None:
    tasks = read_arc(folder)
    made = read_puzzles(make_arc(ArcPlan(augment=6), tasks, tmp_path / "set"))
    asked, labels = tasks["evaluation"], np.array(made.test.labels)
    q = np.full(len(labels), 0.5)
    perfect = arc_score(submission(votes(made, labels, q), asked), asked)
    assert (perfect.score, perfect.outputs, perfect.whole_tasks, perfect.n_tasks) == (1, 1, 1, 2)
    copied = arc_score(submission(votes(made, np.array(made.test.inputs), q), asked), asked)
    assert copied.score == copied.outputs == copied.whole_tasks == 0
    silent = submission(votes(made, np.zeros_like(labels), q), asked)
    assert arc_score(silent, asked).score == 0 and arc_score({}, asked).score == 0

    # One right answer among seven, the others all alike: the second attempt finds it.
    numbers = made.test.puzzle_of(np.arange(len(labels)))
    wrong = np.array([tokens_of_grid(np.full((2, 2), 0, np.uint8)) for _ in labels])
    once = wrong.copy()
    first = np.isin(numbers, made.test.group_indices[:-1])
    once[first] = labels[first]
    assert arc_score(submission(votes(made, once, q), asked), asked).score == 1
    # … but not if two other answers were given more often.
    for group in made.test.group_indices[:-1]:
        two = np.isin(numbers, [group + 1, group + 2])
        once[two] = tokens_of_grid(np.zeros((3, 3), np.uint8))
    assert arc_score(submission(votes(made, once, q), asked), asked).score == 0


def test_scores_differ_by_what_they_count() -> None:
    """One task of one test input is solved; of another with two, one."""
    one, two = np.ones((1, 1), np.uint8), np.full((1, 2), 2, np.uint8)
    tasks = {
        "a": ArcTask("a", ((one, one),), ((one, two),)),
        "b": ArcTask("b", ((one, one),), ((one, two), (two, one))),
    }
    score = arc_score({"a": [[one, two]], "b": [[two], [two]]}, tasks)
    assert (score.score, score.outputs, score.whole_tasks) == (0.75, pytest.approx(2 / 3), 0.5)
    for attempt in (two[:, :1], np.full((2, 1), 2), np.full((1, 2), 3)):  # another shape, colour
        assert arc_score({"a": [[attempt]]}, {"a": tasks["a"]}).score == 0
    with pytest.raises(PuzzleError, match="at most 2 attempts"):
        arc_score({"a": [[one, two, two]]}, tasks)
    with pytest.raises(PuzzleError, match="at most 2 attempts at each of its 1"):
        arc_score({"a": [[two], [two]]}, tasks)
    with pytest.raises(PuzzleError, match="found `z`"):
        arc_score({"z": []}, tasks)
    with pytest.raises(PuzzleError, match="found none"):
        arc_score({}, {})
    assert to_json({"a": [[two], []]}) == {
        "a": [
            {"attempt_1": [[2, 2]], "attempt_2": [[2, 2]]},
            {"attempt_1": [[0]], "attempt_2": [[0]]},
        ]
    }


def test_votes_are_ranked_by_count_and_then_by_certainty() -> None:
    a, b, c = (np.full((1, 1), n, np.uint8) for n in range(3))
    order = ranked([(c, 0.99), (a, 0.1), (b, 0.5), (a, 0.2), (b, 0.4)])
    assert [(int(v.grid[0, 0]), v.count) for v in order] == [(1, 2), (0, 2), (2, 1)]
    assert [v.q for v in order] == pytest.approx([0.45, 0.15, 0.99])
    flat, tall = np.zeros((1, 4), np.uint8), np.zeros((4, 1), np.uint8)
    assert len(ranked([(flat, 0.1), (tall, 0.1)])) == 2  # the same bytes, another grid
    assert ranked([]) == []


def test_what_fills_up_a_batch_has_no_vote() -> None:
    ballot = ArcBallot(["<blank>", "aa"])
    grid = np.ones((2, 2), np.uint8)
    tokens = np.stack([tokens_of_grid(grid)] * 2)
    ballot.cast(tokens, np.array([0, 1]), tokens, [0.9, 0.3])
    assert [(v.count, v.q) for v in ballot.ranked("aa", grid)] == [(1, 0.3)]
    assert ballot.ranked("aa", grid[:1]) == ballot.ranked("bb", grid) == []
    with pytest.raises(PuzzleError, match="found 2 inputs, 1 puzzles"):
        ballot.cast(tokens, np.array([1]), tokens, [0.9, 0.3])
    with pytest.raises(PuzzleError, match="0 to 1, found 2"):
        ballot.cast(tokens, np.array([1, 2]), tokens, [0.9, 0.3])
    with pytest.raises(PuzzleError, match="finite"):
        ballot.cast(tokens, np.array([1, 1]), tokens, [0.9, np.nan])


def test_a_board_is_right_in_all_that_is_marked() -> None:
    labels = np.array([[1, 2, 3], [1, IGNORED, 3], [1, 2, 3]])
    answers = np.array([[1, 2, 3], [1, 9, 3], [1, 2, 4]])
    assert right(answers, labels).tolist() == [True, True, False]
    with pytest.raises(PuzzleError, match=r"\(3, 3\), found \(2, 3\)"):
        right(answers[:2], labels)


def test_an_archive_is_read_like_its_folder(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "arc.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, "arc")
    for where in (archive, folder, folder / "data"):
        read = read_arc(where)
        assert {s: list(tasks) for s, tasks in read.items()} == {
            "training": ["aa", "bb"], "evaluation": ["cc", "dd"],
        }  # fmt: skip
        first = read["training"]["aa"].train[0][0].tolist()
        assert first == pair(3, 0)["input"]


def test_tasks_that_two_sets_share_are_found(folder: Path) -> None:
    tasks = read_arc(folder)
    evaluation = tasks["evaluation"]
    renamed = {"x": ArcTask("x", tasks["training"]["aa"].train, evaluation["cc"].test)}
    assert shared_tasks(evaluation, renamed) == {"cc"}
    assert shared_tasks(evaluation, tasks["training"]) == set()


BAD: list[tuple[Any, str]] = [
    ("{", "as JSON"),
    ([], "found list"),
    ({"train": []}, "`train` must be a list of pairs, found none"),
    ({"train": [pair(2, 1)], "test": [{"input": [[1]]}]}, "test 0` must have an input and an out"),
    ({"train": [{"input": [[1], [1, 2]], "output": [[1]]}]}, "all as long"),
    ({"train": [{"input": [[1] * 31], "output": [[1]]}]}, "1 to 30 rows of 1 to 30 colours"),
    ({"train": [{"input": [[]], "output": [[1]]}]}, "1 to 30 rows of 1 to 30 colours"),
    ({"train": [{"input": [[10]], "output": [[1]]}]}, "0 to 9, found '10'"),
    ({"train": [{"input": [[True]], "output": [[1]]}]}, "found 'True'"),
    ({"train": [{"input": "1", "output": [[1]]}]}, "train 0`: a grid"),
]


@pytest.mark.parametrize(("content", "message"), BAD)
def test_a_bad_task_is_refused_by_name(content: Any, message: str, folder: Path) -> None:
    file = folder / "data" / "training" / "bb.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.raises(StoreError, match=message) as caught:
        read_arc(folder)
    assert "bb.json" in str(caught.value)


def test_folders_that_hold_no_set_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="found none in `training`"):
        read_arc(tmp_path / "nothing")
    (tmp_path / "no.tar.gz").write_bytes(b"not an archive")
    with pytest.raises(StoreError, match=r"as a \.tar\.gz"):
        read_arc(tmp_path / "no.tar.gz")
    source = folder / "data" / "training" / "aa.json"
    (folder / "data" / "evaluation" / "aa.json").write_text(
        source.read_text("utf-8"), encoding="utf-8"
    )
    with pytest.raises(StoreError, match="must be one task, found it in training too"):
        read_arc(folder)


@pytest.mark.parametrize("name", ["a|||t8|||0123456789", "a|||t1", "a|||t1|||012345678x",
                                  "a|||t1|||0123456788", "|||"])  # fmt: skip
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(PuzzleError):
        Augmentation.of(name)


@pytest.mark.skipif("EMBER_ARC" not in os.environ, reason="EMBER_ARC: folder with arc-agi-*.tar.gz")
def test_the_public_tasks_overlap_as_the_documentation_says(tmp_path: Path) -> None:
    one, two = (read_arc(Path(os.environ["EMBER_ARC"]) / f"arc-agi-{n}.tar.gz") for n in (1, 2))
    assert [len(one[s]) for s in one] == [400, 400] and [len(two[s]) for s in two] == [1000, 120]
    assert len(shared_tasks(one["evaluation"], two["training"])) == 376
    assert len(shared_tasks(two["evaluation"], one["evaluation"])) == 6
    assert len(shared_tasks(two["evaluation"], one["training"])) == 0
    assert shared_tasks(one["evaluation"], one["training"]) == {"070dd51e"}
    assert not shared_tasks(two["evaluation"], two["training"])
    left_out = {1: {"40853293", "caa06a1f"}, 2: set()}
    for number, tasks in ((1, one), (2, two)):
        made = read_puzzles(make_arc(ArcPlan(augment=0), tasks, tmp_path / f"arc{number}"))
        assert set(made.about["left_out"]) == left_out[number]
        assert made.test.n_groups == len(tasks["evaluation"])
