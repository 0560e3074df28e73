"""A study of spoken digits: learning curves, what each part is worth, how fine timing matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter, ScalarFormatter

from sims.report.figures.style import MUTED, PALETTE, Picture, heading, picture, styled

__all__ = ["speech_study"]

ARMS = {
    "trained": "all trained",
    "frozen": "readout trained",
    "untimed": "timing destroyed",
    "shuffled": "shuffled labels",
}
COLOURS = dict(zip(ARMS, PALETTE, strict=False))


@styled
def speech_study(result: Mapping[str, Any]) -> Picture:
    """`result.json` of a study (`sims.train.speech.run`).

    Left: validation voices over the epochs, a line a seed. Middle: voices never met, with 95 %
    intervals over these voices; a dot a seed. Right: the trained network on spikes whose timing was
    destroyed within windows of so many milliseconds. Dashed grey: the commonest answer.
    """
    figure = picture(2.3)
    curves, arms, timing = figure.subplots(1, 3, width_ratios=[1.25, 1.1, 1.0])
    _curves(curves, result)
    _arms(arms, result)
    _timing(timing, result)
    for axis in (curves, timing):
        axis.axhline(result["chance"], color=MUTED, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
        axis.set_ylim(0.0, 1.02)
        axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    figure.legend(*curves.get_legend_handles_labels(), loc="outside upper right", ncols=4)
    return figure


def _curves(axis: Axes, result: Mapping[str, Any]) -> None:
    for arm, trials in result["trials"].items():
        for k, trial in enumerate(trials):
            axis.plot(
                [point["epoch"] for point in trial["curve"]],
                [point["validation"] for point in trial["curve"]],
                color=COLOURS[arm], linewidth=0.9, alpha=0.85,
                label=ARMS[arm] if k == 0 else None,
            )  # fmt: skip
    heading(axis, "learning", "validation voices")
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.margins(x=0.02)


def _arms(axis: Axes, result: Mapping[str, Any]) -> None:
    names = [name for name in ARMS if name in result["arms"]]
    for row, name in enumerate(reversed(names)):
        test, colour = result["arms"][name]["sets"]["test"], COLOURS[name]
        axis.plot(test["voices"]["interval"], [row, row], color=colour, linewidth=1.6, alpha=0.6)
        axis.plot(test["seeds"]["mean"], row, "|", color=colour, markersize=11, markeredgewidth=1.6)
        each = [trial["sets"]["test"]["accuracy"] for trial in result["trials"][name]]
        axis.plot(each, [row] * len(each), "o", color=colour, markersize=3.2)
        axis.annotate(
            f"{test['seeds']['mean']:.0%}", (test["seeds"]["mean"], row), (0, 7),
            textcoords="offset points", ha="center", color=colour, size=7,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip
    axis.axvline(result["chance"], color=MUTED, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlim(0.0, 1.04)
    axis.set_ylim(-0.6, len(names) - 0.3)
    axis.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    heading(axis, "held-out voices", "95 % over voices")
    axis.set_xlabel("digits told rightly")


def _timing(axis: Axes, result: Mapping[str, Any]) -> None:
    heading(axis, "timing destroyed", "within windows")
    axis.set_xlabel("window (ms)")
    trained = result["arms"].get("trained", {})
    if "scrambled" not in trained:
        return
    widths = [entry["window_ms"] for entry in trained["scrambled"]]
    mean = np.array([entry["mean"] for entry in trained["scrambled"]])
    interval = np.array([entry["interval"] for entry in trained["scrambled"]]).T
    colour = COLOURS["trained"]
    if len(result["trials"]["trained"]) > 1:
        axis.fill_between(widths, *interval, color=colour, alpha=0.18, linewidth=0)
    axis.plot(widths, mean, "-o", color=colour, markersize=3.2)
    kept = trained["sets"]["test"]["seeds"]["mean"]
    axis.axhline(kept, color=colour, linewidth=0.7, linestyle=":")
    axis.annotate(
        "as heard", (widths[-1], kept), (0, 2.5), textcoords="offset points", ha="right",
        color=colour, size=6.5,
    )  # fmt: skip
    axis.set_xscale("log")
    axis.set_xticks(widths)
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.margins(x=0.06)
