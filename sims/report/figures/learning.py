"""A training: learning curves, accuracies with intervals, confusions, thinking budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from sims.report.figures.style import (
    EMBER,
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
from sims.report.wording import words

__all__ = ["accuracies", "confusion", "halting", "learning_curves"]

Result = Mapping[str, Any]
"""`result.json` of a training's folder; see `sims.train.spikes.results`."""

ARMS = {
    "phase": "counts and timing",
    "untimed": "timing destroyed, counts equal",
    "counts": "counts alone",
    "shuffled": "shuffled labels",
}
SETS = {
    "train": "training items",
    "validation": "validation speakers",
    "test": "test speakers",
    "untimed": "test, timing destroyed",
    "extra": "recordings of a person",
}
COLOURS = dict(zip(("counts", "phase", "untimed", "shuffled"), PALETTE, strict=False))
TEXT_UP_TO = 12  # classes; more numbers than 12 × 12 cannot be read at this size


@styled
def learning_curves(result: Result) -> Picture:
    """Loss, accuracy and steps thought over the training, for each model.

    Solid: test items, with the averaged weights and the whole budget. Dotted: the training
    batches since the last point. Dashed grey: always answering the commonest class. Thin upright:
    the step whose weights validation chose.
    """
    figure = picture(2.1)
    loss, accuracy, halted = figure.subplots(1, 3)
    for arm, model in result["models"].items():
        curve, colour = model["curve"], COLOURS[arm]
        steps = curve["step"]
        loss.plot(steps, curve["test_loss"], color=colour, label=ARMS[arm])
        accuracy.plot(steps, curve["train_accuracy"], ":", color=colour, alpha=0.8)
        accuracy.plot(steps, curve["test_accuracy"], color=colour)
        halted.plot(steps, curve["halted_after"], color=colour)
        if "step" in model:  # results of older versions kept the last step
            for axis in (loss, accuracy):
                axis.axvline(model["step"], color=colour, linewidth=0.6, alpha=0.6, zorder=0)
    chance = result.get("baseline", {}).get("test", {}).get("accuracy")
    if chance is not None:
        accuracy.axhline(chance, color=MUTED, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    accuracy.set_ylim(0.0, 1.02)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    loss.set_ylim(bottom=0.0)
    halted.set_ylim(bottom=0.0)
    for axis, title, detail in (
        (loss, "loss", "test"),
        (accuracy, "accuracy", "dotted: training"),
        (halted, "steps thought", "mean, training"),
    ):
        heading(axis, title, detail)
        axis.set_xlabel("training step")
        axis.locator_params(axis="x", nbins=5)
        axis.margins(x=0.02)
    figure.legend(*loss.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


@styled
def accuracies(result: Result) -> Picture:
    """Accuracy of every model on every set, with 95 % Wilson intervals and the baseline."""
    sets = [name for name in SETS if name in result["models"]["phase"]["sets"]]
    arms = [arm for arm in ARMS if arm in result["models"]]
    few = len(arms) <= 2
    places = np.linspace(1, -1, len(arms)) * (0.14 if few else 0.27) if len(arms) > 1 else [0.0]
    figure = picture((0.42 if few else 0.6) * len(sets) + (0.75 if few else 0.95))
    axis = figure.subplots()
    for row, name in enumerate(reversed(sets)):
        for offset, arm in zip(places, arms, strict=True):
            found = result["models"][arm]["sets"][name]
            axis.plot(found["interval"], [row + offset] * 2, color=COLOURS[arm], linewidth=1.4)
            axis.plot(
                found["accuracy"], row + offset, "o", color=COLOURS[arm], markersize=5,
                label=ARMS[arm] if row == 0 else None,
            )  # fmt: skip
        chance = result["baseline"][name]["accuracy"]
        axis.plot(
            [chance, chance], [row - 0.36, row + 0.36], color=MUTED, linewidth=1.0, zorder=0,
            label="commonest answer" if row == 0 else None,
        )  # fmt: skip
    axis.set_yticks(range(len(sets)), [SETS[name] for name in reversed(sets)])
    axis.tick_params(axis="y", length=0)
    axis.set_xlim(0.0, 1.02)
    axis.set_ylim(-0.5, len(sets) - 0.5)
    axis.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.set_xlabel("items answered rightly, with 95 % interval")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


@styled
def confusion(result: Result, on: str = "test") -> Picture:
    """Confusion matrices of every model on one set: rows the truth, columns the answer.

    Numbers are items; the shade is the share of the row.

    Raises:
        KeyError: if there is no such set.
    """
    classes = [words(name) for name in result["data"]["classes"]]
    side = float(np.clip(0.34 * len(classes), 1.3, 3.0))
    across = min(2, len(result["models"]))
    down = -(-len(result["models"]) // across)
    figure = picture(down * (side + 1.0))
    table = figure.subplots(down, across, squeeze=False)
    for axis in table.flat[len(result["models"]) :]:
        axis.set_axis_off()
    for axis, (arm, model) in zip(table.flat, result["models"].items(), strict=False):
        counts = np.array(model["sets"][on]["confusion"], dtype=np.float64)
        heading(axis, ARMS[arm], f"{model['sets'][on]['accuracy']:.0%} right")
        _draw_matrix(axis, counts, classes)
    for axis in table[:, 0]:
        axis.set_ylabel("what it was")
    return figure


def _draw_matrix(axis: Axes, counts: np.ndarray, classes: list[str]) -> None:
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    axis.imshow(share, cmap=EMBER, vmin=0.0, vmax=1.0)
    n = len(classes)
    slanted = n > 4 or max(map(len, classes)) > 12
    axis.set_xticks(range(n), classes, rotation=45 if slanted else 0,
                    ha="right" if slanted else "center", rotation_mode="anchor")  # fmt: skip
    axis.set_yticks(range(n), classes)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(True)
    axis.spines[:].set_color(FAINT)
    axis.set_xlabel("what the model answered")
    if n <= TEXT_UP_TO:
        for (row, column), value in np.ndenumerate(counts):
            colour = "white" if share[row, column] > 0.5 else INK
            axis.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour)


@styled
def halting(result: Result) -> Picture:
    """Accuracy against the thinking budget that modulation leaves, and steps really thought.

    Filled: the whole budget is used. Open, on the left: the halt head may stop earlier, drawn
    at the mean steps it took. Grey line: the budget of this training's modulation. On the
    right, the factor on the budget (the number a modulator sets) against steps thought.
    """
    figure = picture(2.3, width=WIDTH)
    left, right = figure.subplots(1, 2)
    shifts = np.linspace(0.03, -0.03, len(result["models"]))  # so that equal intervals stay visible
    for shift, (arm, model) in zip(shifts, result["models"].items(), strict=True):
        colour, course = COLOURS[arm], model["budget"]
        steps = np.array([entry["mean_steps"] for entry in course])
        early = np.array([entry["early"]["mean_steps"] for entry in course])
        accuracy = np.array([entry["accuracy"] for entry in course])
        interval = np.array([entry["interval"] for entry in course]).T
        left.errorbar(
            steps + shift, accuracy, yerr=np.abs(interval - accuracy), color=colour, marker="o",
            markersize=4, elinewidth=0.9, capsize=1.8, label=ARMS[arm],
        )  # fmt: skip
        left.plot(
            early + shift, [entry["early"]["accuracy"] for entry in course], "o", color=colour,
            markersize=5, fillstyle="none", markeredgewidth=0.9, linestyle="none",
        )  # fmt: skip
        factors = [entry["factor"] for entry in course]
        right.plot(factors, steps, "-", color=colour, marker="o", markersize=4)
        right.plot(factors, early, ":", color=colour, marker="o", fillstyle="none", markersize=5)
    left.axvline(result["modulation"]["budget"], color=MUTED, linewidth=0.7, zorder=0)
    right.axvline(result["modulation"]["factor"], color=MUTED, linewidth=0.7, zorder=0)
    heading(left, "accuracy", "test; open: may halt early")
    heading(right, "steps thought", "dotted: may halt early")
    left.set_xlabel("steps thought (mean)")
    left.set_ylim(0.0, 1.02)
    left.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_xlabel("modulator's factor on the budget")
    right.set_ylim(bottom=0.0)
    for axis in (left, right):
        axis.margins(x=0.06)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure
