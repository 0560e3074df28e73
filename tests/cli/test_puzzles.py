"""`ember puzzles`: sets are made and shown, and every wrong word is one line."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from sims.cli import app
from sims.puzzles.npy_layout import read_puzzles
from sims.puzzles.puzzle_set import PuzzleError, PuzzleFormat
from sims.puzzles.sudoku_solve import solve
from sims.terminal.puzzle_boards import boards
from sims.terminal.puzzles_command import span

ROOT = Path(__file__).parents[2]


def ember(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_sudoku_set_is_made_and_shown(here: Path) -> None:
    done = ember("puzzles", "make", "sudoku", "--size", "6", "--train", "20", "--test", "5",
                 "--augment", "2", "--clues", "10-12", "--seed", "3", "--out", "set")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert re.search(r"^train +20 +60 +60 ", done.stdout, re.MULTILINE)
    assert re.search(r"^test +5 +5 +5 ", done.stdout, re.MULTILINE)
    made = read_puzzles("set")
    clues = (made.test.inputs > 1).sum(axis=1)
    assert clues.min() >= 10 and clues.max() <= 12

    shown = ember("puzzles", "show", "set", "--split", "test", "--first", "1", "--number", "1")
    assert shown.exit_code == 0, shown.output
    rows = [line for line in shown.stdout.splitlines() if "│" in line]
    assert len(rows) == 6 and "test 1, " in shown.stdout
    found = np.array([re.findall(r"[.\d]", row) for row in rows])
    assert found.shape == (6, 12)  # the puzzle and its answer beside each other
    puzzle, answer = (np.where(half == ".", "0", half).astype(int) for half in np.hsplit(found, 2))
    assert (puzzle.ravel() + 1 == made.test.inputs[1]).all()
    solution = solve(puzzle).solution
    assert solution is not None and (solution == answer).all()


def test_a_set_of_mazes_is_made_and_shown(here: Path) -> None:
    words = ["--size", "8", "--train", "6", "--test", "2", "--steps", "12-20", "--walls",
             "scattered", "--paths", "any", "--out", "set"]  # fmt: skip
    done = ember("puzzles", "make", "maze", *words)
    assert done.exit_code == 0, done.output
    shown = ember("puzzles", "show", "set", "--number", "1")
    assert shown.exit_code == 0, shown.output
    steps = int(read_puzzles("set").test.grades[0])  # type: ignore[index]
    assert 12 <= steps <= 20 and f"test 0, {steps} steps" in shown.stdout
    assert shown.stdout.count("•") == steps - 1


def test_a_set_of_arc_tasks_is_made_and_shown(here: Path) -> None:
    grid = [[0, 1, 2], [3, 4, 5]]
    task = {"train": [{"input": grid, "output": grid}], "test": [{"input": grid, "output": [[7]]}]}
    for subset in ("training", "evaluation"):
        Path("arc", subset).mkdir(parents=True)
        Path("arc", subset, f"of_{subset}.json").write_text(json.dumps(task), encoding="utf-8")
    done = ember("puzzles", "make", "arc", "arc", "--augment", "3", "--out", "set")
    assert done.exit_code == 0, done.output
    shown = ember("puzzles", "show", "set", "--number", "1")
    assert "of_evaluation" in shown.stdout and "0 1 2" in shown.stdout and "7 " in shown.stdout


def test_the_answer_goes_below_where_the_terminal_is_narrow() -> None:
    format = PuzzleFormat("sudoku", 4, 4, 6, box=(2, 2))
    puzzle, answer = np.array([2, 1, 1, 1] * 4), np.array([2, 3, 4, 5] * 4)

    def lines(width: int) -> list[str]:
        out = io.StringIO()
        Console(file=out, width=width).print(boards(format, puzzle, answer, width=width))
        return out.getvalue().splitlines()

    assert len(lines(80)) == 5 and "1 . │ . .       1 2 │ 3 4" in lines(80)[0]
    assert len(lines(20)) == 11 and lines(20)[6].rstrip() == "1 2 │ 3 4"


def test_what_is_wrong_is_red() -> None:
    format = PuzzleFormat("sudoku", 4, 4, 6, box=(2, 2))
    puzzle, answer = np.array([2, 1, 1, 1] * 4), np.array([2, 3, 4, 5] * 4)
    truth = answer.copy()
    truth[[1, 6]] = [5, -100]  # one mistake, and one cell that is not judged

    def red(truth: np.ndarray | None) -> int:
        out = io.StringIO()
        console = Console(file=out, width=80, force_terminal=True, color_system="standard")
        console.print(boards(format, puzzle, answer, width=80, truth=truth))
        return out.getvalue().count("\x1b[1;31m")

    assert red(truth) == 1 and red(answer) == red(None) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["make", "sudoku", "--size", "5", "--out", "set"], "size 4, 6 or 9, found 5"),
        (["make", "sudoku", "--clues", "few", "--out", "set"], "such as 4-8 or 16-, found `few`"),
        (["make", "sudoku", "--clues", "90-", "--out", "set"], "0 to 81, found 90 to 81"),
        (["make", "maze", "--size", "99", "--out", "set"], "size 5 to 60, found 99"),
        (["make", "maze", "--out", "a/b/c/set"], "does not exist; make it"),
        (["make", "arc", "nowhere", "--out", "set"], "found none in `training`"),
        (["show", "nowhere"], "must be a puzzle set"),
    ],
)
def test_a_wrong_word_is_one_line(words: list[str], message: str, here: Path) -> None:
    done = ember("puzzles", *words)
    assert done.exit_code == 1 and not list(here.iterdir())
    assert message in done.stderr and done.stderr.strip().splitlines()[-1].startswith("ember: ")


def test_a_set_is_replaced_only_when_asked(here: Path) -> None:
    words = ["puzzles", "make", "sudoku", "--size", "4", "--clues", "5-8", "--train", "5",
             "--test", "5", "--out", "set"]  # fmt: skip
    assert ember(*words).exit_code == 0
    before = np.array(read_puzzles("set").test.inputs)
    again = ember(*words, "--seed", "1")
    assert again.exit_code == 1 and "already holds a puzzle set" in again.stderr
    assert ember(*words, "--seed", "1", "--force").exit_code == 0
    assert not np.array_equal(before, read_puzzles("set").test.inputs)
    beyond = ember("puzzles", "show", "set", "--first", "5")
    assert beyond.exit_code == 1 and "0 to 4, found 5" in beyond.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_making_that_is_stopped_leaves_nothing(number: signal.Signals, here: Path) -> None:
    """Boards so hard that the making would take hours."""
    code = (
        f"import signal, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from sims.cli import main; main()"
    )
    words = ["puzzles", "make", "sudoku", "--guesses", "50-", "--workers", "1", "--out", "set"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 120
        while not list(here.glob(".ember-*/set/train/*")):  # it has begun to write
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 128 + number
    assert "ember: interrupted: nothing was written" in said and "Traceback" not in said
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("text", ["", "-", "-8", "8-4-2", "1.5", "²-3", "9" * 30])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(PuzzleError, match="must be a range"):
        span("clues", text)
