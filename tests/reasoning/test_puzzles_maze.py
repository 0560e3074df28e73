"""Mazes: the shortest path is the shortest and the only one, and symmetric mazes are one."""

from __future__ import annotations

from collections import deque
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.puzzles.dihedral import INVERSE, dihedral, undone
from sims.puzzles.maze_path import is_shortest_path, maze_text, shortest
from sims.puzzles.maze_set import HARD, MazePlan, make_maze, mazes
from sims.puzzles.npy_layout import read_puzzles
from sims.puzzles.puzzle_set import PuzzleError

RING = np.array([[3, 2, 2], [2, 1, 2], [2, 2, 4]], np.uint8)
"""Two ways around a wall, equally long."""


def paths(board: np.ndarray) -> list[list[tuple[int, int]]]:
    """All shortest paths, by going through every path breadth first: a second, plain solver."""
    size = len(board)
    start, goal = (tuple(map(int, np.argwhere(board == token)[0])) for token in (3, 4))
    found: list[list[tuple[int, int]]] = []
    seen = {start: 0}
    queue = deque([[start]])
    while queue:
        path = queue.popleft()
        if found and len(path) > len(found[0]):
            break
        row, column = path[-1]
        if (row, column) == goal:
            found.append(path)  # type: ignore[arg-type]
            continue
        for r, c in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            inside = 0 <= r < size and 0 <= c < size and board[r, c] != 1
            if inside and seen.setdefault((r, c), len(path)) == len(path):
                queue.append([*path, (r, c)])
    return found


@pytest.mark.parametrize("walls", ["carved", "scattered"])
@pytest.mark.parametrize("unique", [True, False])
def test_the_answer_is_a_shortest_path_and_the_only_one(walls: str, unique: bool) -> None:
    plan = MazePlan(10, train=12, test=4, steps=(12, 30), walls=walls, unique=unique)  # type: ignore[arg-type]
    several = 0
    for maze in mazes(plan).kept["train"]:
        theirs = paths(maze.board)
        several += len(theirs) > 1
        assert 12 <= maze.steps <= 30 and len(theirs[0]) - 1 == maze.steps
        marked = {(int(r), int(c)) for r, c in np.argwhere(maze.answer == 5)}
        assert marked in [set(path[1:-1]) for path in theirs]
        assert (np.where(maze.answer == 5, 2, maze.answer) == maze.board).all()
        assert shortest(maze.board) == (maze.steps, min(2, len(theirs)))
        assert is_shortest_path(maze.board, maze.answer)
    assert bool(several) == (not unique)  # the control: unless asked for, paths are not unique


def test_the_default_is_hard() -> None:
    kept = mazes(MazePlan(10, train=5, test=5)).kept
    assert min(maze.steps for maze in kept["train"] + kept["test"]) >= round(HARD * 10) == 37


def answer(*cells: tuple[int, int]) -> np.ndarray:
    marked = RING.copy()
    for cell in cells:
        marked[cell] = 5
    return marked


def test_a_path_is_judged_by_its_length_alone() -> None:
    assert shortest(RING) == (4, 2)
    assert is_shortest_path(RING, answer((0, 1), (0, 2), (1, 2)))
    assert is_shortest_path(RING, answer((1, 0), (2, 0), (2, 1)))
    wrong = [
        answer(),
        answer((0, 1), (0, 2)),  # broken off
        answer((0, 1), (0, 2), (1, 2), (2, 1)),  # more than the path
        answer((0, 1), (1, 1), (1, 2)),  # through the wall
        answer((0, 1), (0, 2), (1, 2), (2, 2)),  # over the goal
        answer((0, 1), (0, 2), (1, 2))[:2],
    ]
    assert not any(is_shortest_path(RING, marked) for marked in wrong)
    walled = np.array([[3, 1], [1, 4]], np.uint8)
    assert shortest(walled) == (-1, 0) and not is_shortest_path(walled, walled)


def test_neighbours_need_no_path() -> None:
    beside = np.array([[3, 4], [1, 1]], np.uint8)
    assert shortest(beside) == (1, 1) and is_shortest_path(beside, beside)


@given(st.integers(0, 7), st.integers(1, 6), st.integers(1, 6))
def test_a_symmetry_of_the_square_is_undone(number: int, rows: int, columns: int) -> None:
    grid = np.arange(rows * columns).reshape(rows, columns)
    assert (undone(dihedral(grid, number), number) == grid).all()
    assert (dihedral(np.stack([grid, grid]), number)[1] == dihedral(grid, number)).all()


def test_the_symmetries_of_the_square_are_a_group_of_eight() -> None:
    grid = np.arange(9).reshape(3, 3)
    views = [dihedral(grid, number).tobytes() for number in range(8)]
    assert len(set(views)) == 8
    for a, b in product(range(8), repeat=2):
        assert dihedral(dihedral(grid, a), b).tobytes() in views
    assert [views.index(undone(grid, number).tobytes()) for number in range(8)] == list(INVERSE)
    with pytest.raises(PuzzleError, match="0 to 7, found 8"):
        dihedral(grid, 8)


def views(board: np.ndarray) -> set[bytes]:
    """All sides of a maze, start for goal too."""
    swapped = np.array([0, 1, 2, 4, 3, 5], np.uint8)[board]
    return {dihedral(side, k).tobytes() for side in (board, swapped) for k in range(8)}


def test_mazes_are_held_out_and_augmented(tmp_path: Path) -> None:
    plan = MazePlan(6, train=150, test=50, augment=7, steps=(8, None), seed=9)
    made = read_puzzles(make_maze(plan, tmp_path / "set"))
    assert (made.train.n_groups, made.train.n_puzzles, made.test.n_puzzles) == (150, 1200, 50)
    train = {row.tobytes() for row in made.train.inputs}
    for row in made.test.inputs:
        assert not views(np.array(row).reshape(6, 6)) & train
    originals = made.train.inputs[made.train.group_indices[:-1]]
    assert len({min(views(np.array(row).reshape(6, 6))) for row in originals}) == 150
    for row, label in zip(made.train.inputs[:64], made.train.labels[:64], strict=True):
        assert is_shortest_path(row.reshape(6, 6), label.reshape(6, 6))
    assert made.train.grades is not None and made.train.grades.min() >= 8


def test_any_number_of_workers_makes_the_same_mazes() -> None:
    plan = MazePlan(12, train=300, test=20, steps=(30, None), seed=2)
    one, three = (mazes(plan, workers=n).kept["train"] for n in (1, 3))
    assert [maze.answer.tobytes() for maze in one] == [maze.answer.tobytes() for maze in three]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"size": 4}, "5 to 60, found 4"),
        ({"augment": 8}, "0 to 7, found 8"),
        ({"test": 0}, "at least 1, found 0"),
        ({"steps": (9, 3)}, "found 9 to 3"),
        ({"walls": "hedges"}, "found `hedges`"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(plan: dict[str, object], message: str) -> None:
    with pytest.raises(PuzzleError, match=message):
        MazePlan(**plan)  # type: ignore[arg-type]


def test_mazes_that_do_not_exist_are_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sims.puzzles.division.BARREN", 2000)
    with pytest.raises(PuzzleError, match="found 0 of 2 puzzles"):
        mazes(MazePlan(6, train=1, test=1, steps=(36, None)))


@pytest.mark.parametrize("board", [RING[:2], RING[:2, :2], np.full((3, 3), 3, np.uint8)])
def test_what_is_no_maze_is_refused(board: np.ndarray) -> None:
    with pytest.raises(PuzzleError):
        shortest(board)


def test_a_maze_as_text() -> None:
    assert maze_text(RING) == "S\n #\n  G"
