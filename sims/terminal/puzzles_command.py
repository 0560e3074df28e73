"""`ember puzzles`: make a set of Sudoku, mazes or ARC tasks, and show what is in one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from sims.interrupt import terminable
from sims.puzzles.arc_set import ArcPlan, make_arc
from sims.puzzles.arc_tasks import read_arc
from sims.puzzles.division import Progress
from sims.puzzles.maze_set import MazePlan, make_maze
from sims.puzzles.npy_layout import read_puzzles
from sims.puzzles.npy_writer import check_place
from sims.puzzles.puzzle_set import PuzzleError, PuzzleSet, PuzzleSplit
from sims.puzzles.sudoku_set import SudokuPlan, make_sudoku
from sims.puzzles.sudoku_solve import LEVELS, level
from sims.store.atomic import check_not_read
from sims.terminal.display import columns, stderr
from sims.terminal.puzzle_boards import boards

__all__ = ["arc", "maze", "show", "span", "sudoku", "summary"]


def span(what: str, text: str) -> tuple[int, int | None]:
    """A range that was typed: `4-8`, `16-` for 16 and more, or `5` alone.

    Raises:
        PuzzleError: if it is none.

    >>> span("clues", "4-8"), span("clues", "16-"), span("clues", "5")
    ((4, 8), (16, None), (5, 5))
    """
    found = re.fullmatch(r"(\d{1,9})(-(\d{1,9})?)?", text.strip())
    if not found:
        raise PuzzleError(f"{what} must be a range such as 4-8 or 16-, found `{text}`")
    low, dash, high = found.groups()
    return int(low), int(high) if high else None if dash else int(low)


def sudoku(
    out: Path, *, clues: str, guesses: str, workers: int | None, force: bool, **plan: Any
) -> str:
    """Make a Sudoku set; says what was made."""
    if clues:
        low, high = span("clues", clues)
        plan["clues"] = (low, plan["size"] ** 2 if high is None else high)
    if guesses:
        plan["guesses"] = span("guesses", guesses)
    wanted = SudokuPlan(**plan)
    return _made(
        out, force, f"making {wanted.size}x{wanted.size} boards",
        lambda progress: make_sudoku(
            wanted, out, workers=workers or _cores(), force=force, progress=progress
        ),
    )  # fmt: skip


def maze(out: Path, *, steps: str, workers: int | None, force: bool, **plan: Any) -> str:
    """Make a set of mazes; says what was made."""
    if steps:
        plan["steps"] = span("steps", steps)
    wanted = MazePlan(**plan)
    return _made(
        out, force, f"making {wanted.size}x{wanted.size} mazes",
        lambda progress: make_maze(
            wanted, out, workers=workers or _cores(), force=force, progress=progress
        ),
    )  # fmt: skip


def arc(source: Path, out: Path, *, force: bool, **plan: Any) -> str:
    """Make a set of ARC tasks; says what was made."""
    wanted = ArcPlan(**plan)
    check_not_read(out, [source], folder=True)
    return _made(
        out, force, "augmenting tasks",
        lambda progress: make_arc(wanted, read_arc(source), out, force=force, progress=progress),
    )  # fmt: skip


def show(path: Path, *, split: str, first: int, number: int) -> None:
    """Print what a set holds, and some of its examples with their answers.

    Raises:
        StoreError: if it is no puzzle set.
        PuzzleError: if there is no such example.
    """
    puzzles = read_puzzles(path)
    part = puzzles.split(split)
    if not 0 <= first < len(part):
        raise PuzzleError(f"the first example must be 0 to {len(part) - 1}, found {first}")
    console = Console(highlight=False)
    print(summary(path, puzzles))
    for example in range(first, min(first + number, len(part))):
        console.print()
        console.print(_title(puzzles, part, split, example), markup=False, soft_wrap=True)
        both = part.inputs[example], part.labels[example]
        console.print(boards(puzzles.format, *both, width=console.width))


def summary(path: Path, puzzles: PuzzleSet) -> str:
    """What a set holds, in a few lines."""
    form = puzzles.format
    rows = [("split", "puzzles", "with copies", "examples", "grades")]
    for name in ("train", "test"):
        part = puzzles.split(name)
        groups, copies, examples = (f"{n:,}" for n in (part.n_groups, part.n_puzzles, len(part)))
        rows.append((name, groups, copies, examples, _grades(puzzles, part)))
    what = {"sudoku": "Sudoku", "maze": "mazes", "arc": "ARC tasks"}.get(form.kind, "puzzles")
    table = columns(rows, right=(1, 2, 3))
    return f"{path}: {what}, {form.rows}x{form.columns}, {form.vocabulary} tokens\n{table}"


def _made(out: Path, force: bool, what: str, make: Callable[[Progress], Path]) -> str:
    check_place(out, force=force)
    with terminable(), _bar(what) as progress:
        made = make(progress)
    return summary(made, read_puzzles(made, check_tokens=False))


def _grades(puzzles: PuzzleSet, part: PuzzleSplit) -> str:
    if part.grades is None or not len(part.grades):
        return "none"
    low, middle, high = (int(q) for q in np.quantile(part.grades, (0, 0.5, 1), method="nearest"))
    if puzzles.format.kind == "maze":
        return f"{low} to {high} steps, median {middle}"
    levels = [level(int(guesses)) for guesses in part.grades]
    counted = [f"{levels.count(name):,} {name}" for name, _ in LEVELS if name in levels]
    return f"{', '.join(counted)} ({low} to {high} guesses, median {middle})"


def _title(puzzles: PuzzleSet, part: PuzzleSplit, split: str, example: int) -> str:
    puzzle = int(part.puzzle_of(np.array([example]))[0])
    identifier = int(part.puzzle_identifiers[puzzle])
    words = [f"{split} {example}"]
    if identifier and identifier < len(puzzles.identifiers):
        words.append(puzzles.identifiers[identifier])
    if part.grades is not None:
        group = int(np.searchsorted(part.group_indices, puzzle, side="right")) - 1
        grade = int(part.grades[group])
        maze_steps = puzzles.format.kind == "maze"
        words.append(f"{grade} steps" if maze_steps else f"{grade} guesses, {level(grade)}")
    return ", ".join(words)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    bar = Bar(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn(), console=stderr(),
    )  # fmt: skip
    with bar:
        task = bar.add_task(what, total=None)

        def progress(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        yield progress
