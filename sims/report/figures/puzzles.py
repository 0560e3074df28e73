"""A training on puzzles: its learning curve, and a board being refined step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.ticker import MaxNLocator, PercentFormatter

from sims.report.figures.style import (
    FAINT,
    INK,
    MUTED,
    PALETTE,
    WIDTH,
    Picture,
    heading,
    picture,
    styled,
)

__all__ = ["puzzle_curves", "refined_board"]

Result = Mapping[str, Any]
"""`result.json` of a training on puzzles; see `sims.train.puzzles.results`."""

_BLUE, _ORANGE = PALETTE[0], PALETTE[1]
_WRONG = "#C0392B"
_MAZE = ["#ffffff", "#3a3a44", "#f4f1ea", "#008F68", "#0072B2", "#EA6A32"]
_ARC = ["#ffffff", "#d8d8dc", "#000000", "#0074D9", "#FF4136", "#2ECC40", "#FFDC00", "#AAAAAA",
        "#F012BE", "#FF851B", "#7FDBFF", "#870C25"]  # fmt: skip
_STEPS_SHOWN = 4
_SMALL = 10  # columns of a board of which five fit side by side


@styled
def puzzle_curves(result: Result) -> Picture:
    """Loss, puzzles solved and steps thought over the training.

    Solid: held-out puzzles that choose the best weights, with averaged weights and every step of
    thinking; fainter: their cells. Dotted: items of the training as they halted. Grey line: the
    step of the best weights.
    """
    curve = result["curve"]
    figure = picture(2.1)
    loss, solved, thought = figure.subplots(1, 3)
    steps = curve["step"]
    loss.plot(steps, curve["loss"], ":", color=_ORANGE)
    loss.plot(steps, curve["test_loss"], color=_ORANGE)
    solved.plot(steps, curve["test_cells"], color=_BLUE, alpha=0.35)
    solved.plot(steps, curve["exact"], ":", color=_BLUE)
    solved.plot(steps, curve["test_accuracy"], color=_BLUE)
    thought.plot(steps, curve["thought"], ":", color=PALETTE[2])
    solved.set_ylim(0.0, 1.02)
    solved.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    for axis, title, detail in (
        (loss, "loss", "dotted: training"),
        (solved, "solved whole", "faint: cells"),
        (thought, "steps thought", "mean, training"),
    ):
        heading(axis, title, detail)
        axis.axvline(result["best_step"], color=FAINT, linewidth=0.8, zorder=0)
        axis.set_xlabel("training step")
        axis.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        axis.margins(x=0.02)
    loss.set_ylim(bottom=0.0)
    thought.set_ylim(bottom=0.0)
    return figure


@styled
def refined_board(result: Result) -> Picture:
    """One held-out puzzle, and the answer after some of the steps of thinking, the last included.

    Cells that were given are dark, answered rightly blue, wrongly red.
    """
    data, example = result["data"], result["example"]
    steps = np.array(example["steps"])
    last_change = int(np.flatnonzero((steps != steps[-1]).any(axis=1)).max(initial=-1)) + 1
    early = np.linspace(0, last_change, _STEPS_SHOWN - 1).round().astype(int)
    shown = sorted({*early, len(steps) - 1})
    boards = [np.array(example["puzzle"]), *(steps[step] for step in shown)]
    titles = ["puzzle", *(f"after step {step + 1}" for step in shown)]
    columns = 5 if data["columns"] <= _SMALL else 3
    rows = -(-len(boards) // columns)
    side = WIDTH / columns
    figure = picture(rows * (side * data["rows"] / data["columns"] + 0.2), width=WIDTH)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, board, title in zip(axes, boards, titles, strict=False):
        _draw_board(axis, data, board, np.array(example["puzzle"]), np.array(example["solution"]))
        heading(axis, title, "")
    for axis in axes[len(boards) :]:
        axis.set_axis_off()
    return figure


def _draw_board(
    axis: Axes, data: Mapping[str, Any], board: np.ndarray, puzzle: np.ndarray, truth: np.ndarray
) -> None:
    rows, columns = data["rows"], data["columns"]
    axis.set_aspect("equal")
    axis.set_xlim(-0.5, columns - 0.5)
    axis.set_ylim(rows - 0.5, -0.5)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(True)
    axis.spines[:].set_color(MUTED)
    if data["kind"] != "sudoku":
        colours = _MAZE if data["kind"] == "maze" else _ARC
        axis.imshow(board.reshape(rows, columns), cmap=ListedColormap(colours), vmin=0,
                    vmax=len(colours) - 1, interpolation="nearest")  # fmt: skip
        return
    down, across = data["box"]
    for line in range(1, rows):
        axis.axhline(line - 0.5, color=MUTED if line % down == 0 else FAINT, linewidth=0.7)
    for line in range(1, columns):
        axis.axvline(line - 0.5, color=MUTED if line % across == 0 else FAINT, linewidth=0.7)
    for cell, token in enumerate(board):
        if token < 2:  # blank
            continue
        given, right = puzzle[cell] == token, truth[cell] < 0 or truth[cell] == token
        axis.text(
            cell % columns, cell // columns, str(token - 1), ha="center", va="center",
            color=INK if given else _BLUE if right else _WRONG,
            fontsize=min(11.0, 44.0 / columns + 3.0), fontweight="normal" if given else "bold",
        )  # fmt: skip
