"""The pictures of the page on speed, drawn from saved results in the house style."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["draw"]


def draw(found: dict[str, Any], docs: Path) -> None:
    """Draw what this result has a picture for, and the ratios of all that are saved."""
    kinds = {"growth": growth, "memory": memory}
    if found["benchmark"] in kinds:
        _save(kinds[found["benchmark"]](found), docs / f"images/speed_{found['benchmark']}.png")
    saved = [json.loads(path.read_text("utf-8")) for path in sorted(docs.glob("benchmarks/*.json"))]
    compared = [one for one in saved if any(row["ratio"] is not None for row in one["rows"])]
    if compared := [one for one in compared if one["benchmark"] != "bandwidth"]:
        _save(ratios(compared), docs / "images/speed_ratios.png")


def growth(found: dict[str, Any]) -> Any:
    """Simulation, building and memory against size, with the fitted lines."""
    from matplotlib.ticker import LogLocator

    from sims.report.figures.style import MUTED, PALETTE, heading, picture, styled

    points, fits = found["data"]["points"], found["data"]["fits"]
    points = [p for p in points if p["input"] == "poisson"]
    panels = (
        ("simulation", "simulate_s", "events", "synaptic events (million)", "s", 1.0),
        ("build", "building_s", "synapses", "synapses (million)", "s", 1.0),
        ("memory", "peak_bytes", "synapses", "synapses (million)", "GB", 1e9),
    )

    @styled
    def drawn() -> Any:
        figure = picture(2.5)
        for axis, (name, key, size, label, unit, scale), colour in zip(
            figure.subplots(1, 3), panels, PALETTE, strict=False
        ):
            x = np.array([p[size] for p in points])
            fit = fits[name]
            terms = fit["terms"].items()
            line = np.array([sum(value * p[term] for term, value in terms) for p in points])
            x /= 1e6
            axis.plot(x, line / scale, color=MUTED, lw=1.0, label="linear fit")
            measured = [p[key] / scale for p in points]
            axis.plot(x, measured, "o", ms=4, color=colour, label="measured")
            axis.set(xscale="log", yscale="log", xlabel=label)
            axis.margins(0.08)
            for ruler in (axis.xaxis, axis.yaxis):  # the house style parses no powers of ten
                ruler.set_major_formatter(lambda value, _: f"{value:g}")
            for ruler, shown in ((axis.xaxis, ()), (axis.yaxis, (2, 5))):
                ruler.set_minor_locator(LogLocator(subs=shown))
                ruler.set_minor_formatter(lambda value, _: f"{value:g}")
            worst = max(map(abs, fit["residuals"]))
            heading(axis, f"{name} ({unit})", f"residuals ≤ {worst:.0%}")
        figure.axes[0].legend(loc="upper left")
        return figure

    return drawn()


def memory(found: dict[str, Any]) -> Any:
    """Resident memory over wall-clock time, and the spikes that were not kept."""
    from sims.report.figures.style import MUTED, PALETTE, heading, picture, styled

    data = found["data"]
    times, resident = np.array(data["times_s"]), np.array(data["resident"]) / 1e6
    kept = data["spikes"] * data["spike_bytes"] / 1e6
    start = max(0.0, data["wall_s"] - data["simulate_s"])

    @styled
    def drawn() -> Any:
        figure = picture(2.4)
        axis = figure.subplots()
        axis.plot([start, data["wall_s"]], [0.0, kept], color=MUTED, lw=1.0, ls="--")
        middle = ((start + data["wall_s"]) / 2, kept / 2)
        axis.annotate("the spikes, if they were kept", middle, xytext=(-6, 4),
                      textcoords="offset points", ha="right", va="bottom", color=MUTED)  # fmt: skip
        axis.plot(times, resident, color=PALETTE[0])
        axis.set(xlim=(0, data["wall_s"]), ylim=(0, None), xlabel="wall-clock time (s)")
        heading(axis, "resident memory (MB)", f"{data['minutes']:g} biological minutes")
        return figure

    return drawn()


def ratios(saved: list[dict[str, Any]]) -> Any:
    """How many times faster (or smaller) each case was than its peer, all on one axis."""
    from sims.report.figures.style import INK, MUTED, PALETTE, heading, picture, styled

    bars = [
        (f"{found['benchmark'].replace('_', '-')}: {row['case']}", row["ratio"], row["peer_name"])
        for found in saved
        for row in found["rows"]
        if row["ratio"] is not None
    ]

    @styled
    def drawn() -> Any:
        figure = picture(0.55 + 0.2 * len(bars))
        axis = figure.subplots()
        low = min(0.5, *(ratio for _, ratio, _ in bars)) * 0.8
        for k, (_, ratio, peer) in enumerate(bars):
            colour = PALETTE[0] if ratio >= 1 else PALETTE[1]
            axis.barh(k, ratio - 1, left=1, height=0.62, color=colour)
            axis.annotate(f"{_three(ratio)} × {peer}", (max(ratio, 1), k), xytext=(4, 0),
                          textcoords="offset points", va="center", size=7, color=INK)  # fmt: skip
        axis.axvline(1, color=MUTED, lw=0.8)
        axis.set_yticks(range(len(bars)), [case for case, _, _ in bars])
        axis.set(xscale="log", xlim=(low, 12 * max(2, *(ratio for _, ratio, _ in bars))))
        axis.set_xlabel("ratio; same machine, same run")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.tick_params(axis="y", length=0)
        axis.invert_yaxis()
        heading(axis, "times less", "than the named one needs")
        return figure

    return drawn()


def _three(ratio: float) -> str:
    """Three figures, and a whole number above a thousand."""
    return f"{ratio:,.0f}" if ratio >= 1000 else f"{ratio:.3g}"


def _save(figure: Any, path: Path) -> None:
    from sims.report.figures import png

    path.write_bytes(png(figure))
