"""What the report of a training on puzzles says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sims.report import figures
from sims.report.page import Block, Image, Page, Section, Table, Text
from sims.report.provenance import training_provenance

__all__ = ["puzzle_page"]

_KINDS = {"sudoku": "Sudoku", "maze": "mazes", "arc": "ARC", "other": "puzzles"}
_SETS = {
    "best": "every step of thinking",
    "halting": "may stop by itself",
    "last": "weights of the last step",
}


def puzzle_page(result: Mapping[str, Any], started: Mapping[str, Any], folder: Path) -> Page:
    """The page of a finished training, from its two JSON files."""
    data, reasoner, best = result["data"], result["reasoner"], result["sets"]["best"]
    what = f"{_KINDS[data['kind']]} of {data['rows']} × {data['columns']}"
    return Page(
        title=str(result["name"]),
        what="Training",
        summary=(
            f"A recursive reasoner of {reasoner['parameters']:,} parameters learned {what} from "
            f"{data['train']:,} puzzles."
        ),
        facts=[
            ("solved whole", f"{best['accuracy']:.1%}"),
            ("cells right", f"{best['cells']:.2%}"),
            ("held-out puzzles", f"{data['test']:,}"),
            ("steps of thinking", f"{best['steps']:.0f}"),
            ("when it may stop", f"{result['sets']['halting']['steps']:.1f}"),
        ],
        sections=[
            Section("What it solves", _solved(result)),
            Section("Learning", _learning(result)),
            Section("One puzzle, refined", _refined(result)),
            Section("What was run", training_provenance(result, started, folder)),
        ],
    )


def _solved(result: Mapping[str, Any]) -> list[Block]:
    rows = []
    for name, what in _SETS.items():
        found = result["sets"][name]
        low, high = found["interval"]
        rows.append([
            what, f"{found['right']} of {found['of']}", f"{found['accuracy']:.1%}",
            f"{low:.1%} to {high:.1%}", f"{found['cells']:.2%}", f"{found['steps']:.1f}",
        ])  # fmt: skip
    columns = ["answers with", "solved", "share", "95 % interval", "cells", "steps"]
    blocks: list[Block] = [
        Table(columns, rows, frozenset(columns[1:])),
        Text(
            f"The first two are of the averaged weights of step {result['best_step']:,}, the best "
            "by validation on other puzzles. Intervals (Wilson) are over puzzles of this one "
            "training; another seed gives another model."
        ),
    ]
    if vote := result.get("vote"):
        blocks.append(Text(
            f"By a vote of up to {vote['votes']} augmentations of each task, two attempts: "
            f"{vote['score']:.1%} of {vote['n_tasks']} tasks, {vote['outputs']:.1%} of outputs."
        ))  # fmt: skip
    return blocks


def _learning(result: Mapping[str, Any]) -> list[Block]:
    caption = (
        "Solid: puzzles of the validation, with averaged weights and every step of thinking; "
        "faint: their cells. Dotted: items of the training, as they halted. Grey: the weights "
        "that were kept."
    )
    return [Image("learning-curves", caption, figures.png(figures.puzzle_curves(result)))]


def _refined(result: Mapping[str, Any]) -> list[Block]:
    caption = (
        "A held-out puzzle and the answer after some steps of thinking, the last included. Dark: "
        "given; blue: right; red: wrong."
    )
    return [Image("refined", caption, figures.png(figures.refined_board(result)))]
