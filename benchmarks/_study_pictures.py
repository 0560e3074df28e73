"""Pictures of a study, drawn from what was saved of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from sims.report.figures import Picture, png, refined_board
from sims.report.figures.style import MUTED, PALETTE, heading, picture, styled

__all__ = ["draw"]

FEW = 3
"""Variants whose single seeds are drawn too."""
HUES = (*PALETTE[:4], PALETTE[6])  # the other two are too like the first two for thin lines
DASHES = ("-", (0, (3, 1.2)))


def draw(found: dict[str, Any], folder: Path) -> None:
    """Write `folder/images/results_STUDY_*.png`."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    pictures = {"curves": curves(found)}
    if look := found["inside"]:
        pictures |= {
            "refined": refined_board(look), "halting": halting(look), "latent": latent(look)
        }  # fmt: skip
    for name, drawn in pictures.items():
        (images / f"results_{found['study']}_{name}.png").write_bytes(png(drawn))


@styled
def curves(found: dict[str, Any]) -> Picture:
    """Items right over the training: the mean over seeds, and where few lines are, each seed.

    These are the items that choose the weights.
    """
    figure = picture(2.6)
    axis = figure.subplots()
    variants = list(dict.fromkeys(curve["variant"] for curve in found["curves"]))
    few = len(variants) <= FEW
    for number, variant in enumerate(variants):
        colour, dash = HUES[number % len(HUES)], DASHES[number // len(HUES) % len(DASHES)]
        mine = [curve for curve in found["curves"] if curve["variant"] == variant]
        for curve in mine if few else ():
            axis.plot(curve["step"], curve["solved"], color=colour, alpha=0.3, lw=0.7)
        mean = np.mean([curve["solved"] for curve in mine], axis=0)
        axis.plot(mine[0]["step"], mean, color=colour, ls=dash, label=variant, lw=1.4)
    seeds = f"mean of {len(mine)} seeds{'; faint: each' * few}" if len(mine) > 1 else "one seed"
    heading(axis, "items right", seeds)
    axis.set_ylim(-0.02, 1.02)
    axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.set_xlabel("training step")
    axis.margins(x=0.02)
    if len(variants) > 1:
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=1.2)
    return figure


@styled
def halting(look: dict[str, Any]) -> Picture:
    """After how many steps held-out puzzles halted, those solved and those not."""
    figure = picture(2.2, width=4.6)
    axis = figure.subplots()
    right, wrong = (np.array(look["halting"][name]) for name in ("right", "wrong"))
    steps = np.arange(1, right.size + 1)
    axis.bar(steps, right, color=PALETTE[0], label="solved", width=0.8)
    axis.bar(steps, wrong, bottom=right, color=PALETTE[1], label="not solved", width=0.8)
    heading(axis, "halting", f"{int(right.sum() + wrong.sum())} held-out puzzles")
    axis.set_xlabel("steps of thinking when it stops")
    axis.set_ylabel("puzzles")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axis.margins(x=0.02)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=1.2)
    return figure


@styled
def latent(look: dict[str, Any]) -> Picture:
    """The way of the latent state, step by step, in its first two principal components."""
    figure = picture(3.4, width=4.6)
    axis = figure.subplots()
    found = look["latent"]
    # All end at one place: only a line's colour can tell how it ended.
    labels = {True: "solved", False: "not solved"}
    for path, solved in zip(np.array(found["paths"]), found["solved"], strict=True):
        colour = PALETTE[0] if solved else PALETTE[1]
        axis.plot(*path.T, color=colour, lw=0.7, alpha=0.6, label=labels.pop(solved, None))
        axis.plot(*path[0], "o", color=MUTED, ms=2.5, mec="none")
    heading(axis, "z while it thinks", "from where it ends (0, 0); grey: after step 1")
    one, two = found["share"]
    axis.set_xlabel(f"first component ({one:.0%} of the variance)")
    axis.set_ylabel(f"second component ({two:.0%})")
    axis.margins(0.06)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=1.0)
    return figure
