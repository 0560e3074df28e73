"""One seed, one set, on any machine: hashes of sets as they were when they were first made.

A change here means that a seed no longer makes the set it made before; say so in the changelog.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from sims.puzzles.arc_set import ArcPlan, make_arc
from sims.puzzles.arc_tasks import ArcTask
from sims.puzzles.maze_set import MazePlan, make_maze
from sims.puzzles.sudoku_set import SudokuPlan, make_sudoku
from sims.store.atomic import write_json

FROZEN = {
    "sudoku4": "ce8cb5da511fb5c1",
    "sudoku4_grid": "5e36579ace5aa595",
    "sudoku6": "e46e8f6f0e72d7df",
    "sudoku9": "ea89aaefe6a70f9e",
    "maze": "726d26aa6ff4e479",
    "scattered": "be0d6a2838e80e31",
    "arc": "673a7e042a97223e",
}


def tasks() -> dict[str, dict[str, ArcTask]]:
    def grid(n: int) -> np.ndarray:
        return (np.arange(n, n + 12, dtype=np.uint8) ** 2 % 10).reshape(3, 4)

    def task(name: str, n: int) -> ArcTask:
        return ArcTask(name, ((grid(n), grid(n + 1)), (grid(n + 2), grid(n + 3))),
                       ((grid(n + 4), grid(n + 5)),))  # fmt: skip

    return {"training": {"a": task("a", 1)}, "evaluation": {"b": task("b", 40)}}


def make(name: str, path: Path, workers: int = 1) -> Path:
    small = {"train": 12, "test": 6, "augment": 3, "seed": 7}
    if name == "sudoku4":
        return make_sudoku(SudokuPlan(4, clues=(4, 8), **small), path, workers=workers)
    if name == "sudoku4_grid":
        plan = SudokuPlan(4, clues=(4, 8), held_out="grid", **small)
        return make_sudoku(plan, path, workers=workers)
    if name == "sudoku6":
        return make_sudoku(SudokuPlan(6, clues=(8, 14), **small), path, workers=workers)
    if name == "sudoku9":
        return make_sudoku(SudokuPlan(9, guesses=(2, None), **small), path, workers=workers)
    if name == "maze":
        return make_maze(MazePlan(12, **small), path, workers=workers)
    if name == "scattered":
        plan = MazePlan(10, walls="scattered", unique=False, steps=(15, None), **small)
        return make_maze(plan, path, workers=workers)
    return make_arc(ArcPlan(augment=5, seed=7), tasks(), path)


def digest(folder: Path) -> str:
    """Of the names and the bytes of all files, but for the sums that `ember.json` holds of them."""
    found = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            name = file.relative_to(folder).as_posix()
            content = file.read_bytes()
            if file.name == "ember.json":
                said = json.loads(content)
                assert said.pop("sums")
                write_json(file, said, force=True)
                content = file.read_bytes()
            found.update(f"{name} {len(content)}\n".encode() + content)
    return found.hexdigest()[:16]


@pytest.mark.parametrize("name", FROZEN)
def test_a_seed_makes_the_set_that_it_made_before(name: str, tmp_path: Path) -> None:
    assert digest(make(name, tmp_path / "set", workers=2)) == FROZEN[name]


def test_another_seed_makes_another_set(tmp_path: Path) -> None:
    """The control: the digest sees it."""
    plan = SudokuPlan(4, train=12, test=6, augment=3, clues=(4, 8), seed=8)
    assert digest(make_sudoku(plan, tmp_path / "set")) != FROZEN["sudoku4"]
