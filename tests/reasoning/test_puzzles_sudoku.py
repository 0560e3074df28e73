"""Sudoku: the solver against another one, what is unique, what is equivalent, what is held out."""

from __future__ import annotations

from collections import Counter
from itertools import islice, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims.puzzles.npy_layout import read_puzzles
from sims.puzzles.puzzle_set import PuzzleError, PuzzleSet
from sims.puzzles.sudoku_grid import grid_of
from sims.puzzles.sudoku_set import SudokuPlan, make_sudoku, sudokus
from sims.puzzles.sudoku_solve import grade, level, solve, sudoku_board
from sims.puzzles.sudoku_symmetry import Symmetry, canonical, copies, drawn, line_orders
from sims.puzzles.voting import ranked
from tests.reasoning._exact_cover import all_solutions

SIZES = (4, 6, 9)
INKALA = "8........ ..36..... .7..9.2.. .5...7... ....457.. ...1...3. ..1....68 ..85...1. .9....4.."
"""Known to be hard for people and solvers alike (A. Inkala 2012)."""


def full_grids() -> list[np.ndarray]:
    """All solutions of the empty 4x4 board."""
    return list(all_solutions(np.zeros((4, 4), int), (2, 2)))


@pytest.fixture(scope="module")
def made() -> dict[int, list[tuple[np.ndarray, np.ndarray, int]]]:
    """`(board, solution, guesses)` of some boards of each size."""
    result = {}
    for size in SIZES:
        found = sudokus(SudokuPlan(size=size, train=20, test=5, seed=11)).kept
        result[size] = [
            (s.board.reshape(size, size), s.solution.reshape(size, size), s.guesses)
            for s in found["train"] + found["test"]
        ]
    return result


@pytest.mark.parametrize("size", SIZES)
def test_every_board_has_its_solution_and_no_other(
    size: int, made: dict[int, list[tuple[np.ndarray, np.ndarray, int]]]
) -> None:
    grid = grid_of(size)
    for board, solution, _ in made[size]:
        assert grid.solved(solution)
        assert 0 < (board > 0).sum() < grid.cells
        assert (solution[board > 0] == board[board > 0]).all()
        assert [x.tolist() for x in islice(all_solutions(board, grid.box), 2)] == [
            solution.tolist()
        ]


@pytest.mark.parametrize("size", [4, 6])
def test_no_clue_can_be_spared(
    size: int, made: dict[int, list[tuple[np.ndarray, np.ndarray, int]]]
) -> None:
    for board, _, _ in made[size][:10]:
        for cell in np.argwhere(board > 0):
            fewer = board.copy()
            fewer[tuple(cell)] = 0
            assert len(list(islice(all_solutions(fewer, grid_of(size).box), 2))) == 2


@given(st.data())
@settings(max_examples=150)
def test_the_solver_agrees_with_another_one_on_any_board(data: st.DataObject) -> None:
    """Boards with none, one and many solutions, contradictory ones among them."""
    size = data.draw(st.sampled_from([4, 6]))
    grid = grid_of(size)
    solution = drawn(grid, seed=data.draw(st.integers(0, 99)))(
        solve(np.zeros((size, size), int)).solution  # type: ignore[arg-type]
    )
    share = data.draw(st.sampled_from([0.3, 0.5, 0.8]))
    keep = np.array(data.draw(st.lists(st.floats(0, 1), min_size=grid.cells, max_size=grid.cells)))
    board = np.where(keep.reshape(size, size) < share, solution, 0)
    for _ in range(data.draw(st.integers(0, 2))):  # errors
        cell = tuple(data.draw(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))))
        board[cell] = data.draw(st.integers(0, size))
    theirs = [x.tolist() for x in islice(all_solutions(board, grid.box), 2)]
    ours = solve(board)
    assert ours.n_solutions == len(theirs)
    assert (ours.solution is None) == (not theirs)
    if len(theirs) == 1:
        assert ours.solution is not None and ours.solution.tolist() == theirs[0]
    elif ours.solution is not None:
        assert grid.solved(ours.solution)
        assert (ours.solution[board > 0] == board[board > 0]).all()


def test_the_other_solver_is_sound() -> None:
    assert len(full_grids()) == 288  # known
    assert len({grid.tobytes() for grid in full_grids()}) == 288
    contradiction = sudoku_board("11.. .... .... ....")
    assert list(all_solutions(contradiction, (2, 2))) == [] and solve(contradiction).guesses == 0


def test_guesses_grade_what_is_known_to_be_hard() -> None:
    hard = sudoku_board(INKALA)
    assert solve(hard).n_solutions == 1 and level(grade(hard)) == "extreme"
    full = solve(hard).solution
    assert full is not None
    easy = np.where(np.eye(9, dtype=bool), 0, full)  # nine blanks, each alone in its row
    assert solve(easy).guesses == 0 and level(grade(easy)) == "easy"
    for board, found in ((np.zeros((4, 4), int), "several"), (np.full((4, 4), 1), "none")):
        with pytest.raises(PuzzleError, match=f"one solution to be graded, found {found}"):
            grade(board)


def test_a_grade_says_more_than_a_single_search() -> None:
    """Of 40 boards that take guesses: copies of a board differ less in grade than in guesses."""
    grid = grid_of(9)
    kept = sudokus(SudokuPlan(9, train=40, test=1, guesses=(4, None), seed=8)).kept["train"]
    spreads = []
    for item, sudoku in enumerate(kept):
        assert grade(sudoku.board.reshape(9, 9)) == sudoku.guesses >= 4
        turned = copies(grid, sudoku.board, sudoku.solution, 12, seed=1, item=item)[0]
        boards = turned.reshape(-1, 9, 9)
        spreads.append(
            [np.std([measure(board) for board in boards]) for measure in (grade, guesses_of)]
        )
    graded, single = np.mean(spreads, axis=0)
    # The mean of 8 spreads 1/sqrt(8) = 0.35 as much; between that and 1 half-way is 0.68.
    assert 0 < graded < 0.68 * single


def guesses_of(board: np.ndarray) -> int:
    return solve(board).guesses


def test_whether_a_board_takes_guesses_does_not_depend_on_the_view() -> None:
    for least, most in ((0, 0), (1, None)):
        plan = SudokuPlan(9, train=15, test=1, guesses=(least, most), seed=3)
        for item, sudoku in enumerate(sudokus(plan).kept["train"]):
            turned = copies(grid_of(9), sudoku.board, sudoku.solution, 6, seed=2, item=item)[0]
            taken = [guesses_of(board) > 0 for board in turned.reshape(-1, 9, 9)]
            assert taken == [least > 0] * 6


def test_all_boards_of_4x4_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """2 kinds of grids of 96 and 192; the 36 kinds of boards that can spare no clue are known."""
    grid = grid_of(4)
    kinds = Counter(canonical(grid, full) for full in full_grids())
    assert sorted(kinds.values()) == [96, 192]
    plan = SudokuPlan(size=4, train=30, test=6, seed=1)
    assert len({s.key for part in sudokus(plan).kept.values() for s in part}) == 36
    monkeypatch.setattr("sims.puzzles.division.BARREN", 20_000)
    with pytest.raises(PuzzleError, match=r"found 36 of 37 puzzles"):
        sudokus(SudokuPlan(size=4, train=31, test=6, seed=1))


@given(
    size=st.sampled_from(SIZES),
    seed=st.integers(0, 2**70),
    copy=st.integers(0, 2**31),
    clues=st.floats(0.2, 1),
)
@settings(max_examples=60)
def test_a_symmetry_keeps_a_board_what_it_is(size: int, seed: int, copy: int, clues: float) -> None:
    grid = grid_of(size)
    full = solve(np.zeros((size, size), int)).solution
    assert full is not None
    kept = np.random.default_rng(seed).random(full.shape) < clues
    board = np.where(kept, full, 0).astype(np.uint8)
    symmetry = drawn(grid, seed=seed, copy=copy)
    assert grid.solved(symmetry(full))
    turned = symmetry(board)
    assert (symmetry.inverse()(turned) == board).all()
    assert (symmetry(symmetry.inverse()(board)) == board).all()
    assert (turned > 0).sum() == (board > 0).sum()
    if clues > 0.3:  # emptier boards of 9x9 have too many ties to be brief about
        assert canonical(grid, turned) == canonical(grid, board)
    boards, answers = copies(grid, board, full, 2, seed=seed, item=0, first=copy)
    assert (boards[0] == turned.ravel()).all() and (answers[0] == symmetry(full).ravel()).all()


def test_the_canonical_form_is_the_least_of_all_symmetric_boards() -> None:
    """Against every one of them, in the plainest way; boards that differ in a clue differ."""
    for size in (4, 6):
        grid = grid_of(size)
        plan = SudokuPlan(size=size, train=3, test=1, seed=2)
        for sudoku in sudokus(plan).kept["train"]:
            board = sudoku.board.reshape(size, size)
            least = None
            for transpose, rows, columns in product(
                (False, True) if size == 4 else (False,),
                line_orders(size, grid.box[0]),
                line_orders(size, grid.box[1]),
            ):
                turned = Symmetry(rows, columns, np.arange(size + 1), transpose)(board).ravel()
                names = {0: 0}
                named = bytes(names.setdefault(int(value), len(names)) for value in turned)
                least = named if least is None else min(least, named)
            assert canonical(grid, board) == least == sudoku.key
            other = board.copy()
            other[tuple(np.argwhere(board > 0)[0])] = 0
            assert canonical(grid, other) != least


def test_copies_of_a_board_vote_for_its_answer() -> None:
    """Answers to symmetric copies, brought back: three are right, two wrong, each in its way."""
    grid = grid_of(6)
    sudoku = sudokus(SudokuPlan(6, train=1, test=1, seed=5)).kept["train"][0]
    answers = []
    for copy in range(5):
        symmetry = drawn(grid, seed=1, copy=copy)
        answer = solve(symmetry(sudoku.board.reshape(6, 6))).solution
        assert answer is not None
        if copy >= 3:
            answer[copy, 0] = answer[copy, 0] % 6 + 1
        answers.append((symmetry.inverse()(answer).astype(np.uint8), 0.9 if copy >= 3 else 0.1))
    votes = ranked(answers)
    assert [vote.count for vote in votes] == [3, 1, 1]
    assert (votes[0].grid.ravel() == sudoku.solution).all()


def keys(puzzles: PuzzleSet, split: str, *, labels: bool = False) -> set[bytes]:
    """Canonical forms of all boards of a split, the augmented ones too."""
    size = puzzles.format.rows
    part = puzzles.split(split)
    rows = (part.labels if labels else part.inputs) - 1
    return {canonical(grid_of(size), np.ascontiguousarray(row)) for row in rows}


@pytest.mark.parametrize("held_out", ["board", "grid", "class"])
def test_what_is_held_out_is_held_out(held_out: str, tmp_path: Path) -> None:
    plan = SudokuPlan(4, train=60, test=40, augment=5, clues=(5, 8), held_out=held_out)  # type: ignore[arg-type]
    made = read_puzzles(make_sudoku(plan, tmp_path / "set"))
    assert (made.train.n_groups, made.train.n_puzzles, made.test.n_groups) == (60, 360, 40)
    assert not keys(made, "train") & keys(made, "test")
    grids = {s: {row.tobytes() for row in made.split(s).labels} for s in ("train", "test")}
    kinds = {s: keys(made, s, labels=True) for s in ("train", "test")}
    # The controls: without being asked for, solutions are shared at 4x4, and always were.
    assert bool(grids["train"] & grids["test"]) == (held_out == "board")
    assert bool(kinds["train"] & kinds["test"]) == (held_out != "class")
    clues = (made.train.inputs > 1).sum(axis=1)
    assert clues.min() >= 5 and clues.max() <= 8


def test_a_larger_training_set_is_tested_on_the_same_boards() -> None:
    small, large = (sudokus(SudokuPlan(6, train=n, test=10, seed=3)).kept for n in (5, 40))
    assert [s.key for s in small["test"]] == [s.key for s in large["test"]]
    assert [s.key for s in small["train"]] == [s.key for s in large["train"]][:5]
    other = sudokus(SudokuPlan(6, train=5, test=10, seed=4)).kept
    assert not {s.key for s in other["test"]} & {s.key for s in small["test"]}


def test_any_number_of_workers_makes_the_same_boards() -> None:
    plan = SudokuPlan(6, train=700, test=100, guesses=(0, 0), seed=5)
    one, three = (sudokus(plan, workers=n).kept["train"] for n in (1, 3))
    assert [s.board.tobytes() for s in one] == [s.board.tobytes() for s in three]
    assert all(s.guesses == 0 for s in one)


def test_only_boards_of_the_grade_asked_for_are_kept() -> None:
    kept = sudokus(SudokuPlan(9, train=4, test=2, guesses=(8, None), seed=1)).kept
    for sudoku in kept["train"] + kept["test"]:
        assert grade(sudoku.board.reshape(9, 9)) == sudoku.guesses >= 8


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"size": 5}, "4, 6 or 9, found 5"),
        ({"train": 0}, "`train` must be at least 1, found 0"),
        ({"size": 4, "clues": (9, 4)}, "clues must be a range in 0 to 16, found 9 to 4"),
        ({"guesses": (3, 2)}, "found 3 to 2"),
        ({"held_out": "all"}, "found `all`"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(plan: dict[str, object], message: str) -> None:
    with pytest.raises(PuzzleError, match=message):
        SudokuPlan(**plan)  # type: ignore[arg-type]


@pytest.mark.parametrize("board", [[[1, 2], [2, 1]], [[0.5] * 4] * 4, [[7] * 4] * 4, [1, 2, 3]])
def test_what_is_no_board_is_refused(board: object) -> None:
    with pytest.raises(PuzzleError):
        solve(board)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["123", "5" * 16, "x" * 81, ""])
def test_what_is_no_text_of_a_board_is_refused(text: str) -> None:
    with pytest.raises(PuzzleError, match="16, 36 or 81 marks"):
        sudoku_board(text)
