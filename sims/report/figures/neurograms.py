"""Neurograms: firing rate over time and characteristic frequency, the ear's spectrogram."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.ticker import MaxNLocator

from neuro.recording import Recording
from neuro.spikes import Spikes
from sims.report.figures._data import (
    OCTAVES_HZ,
    Array,
    coordinates_of,
    nice_bin,
    recording_of,
    time_bins,
)
from sims.report.figures.style import EMBER, Picture, heading, stack, styled, time_scale
from sims.report.wording import words
from sims.result import Run

__all__ = ["draw_neurogram", "neurogram", "tonotopic"]

BANDS = 64  # more CF bands than this cannot be told apart at page width


def tonotopic(run: Run | Recording) -> list[str]:
    """The populations whose cells have a characteristic frequency, in the run's order."""
    return [
        name
        for name, spikes in recording_of(run).spikes.items()
        if np.size(coordinates_of(run, name).get("cf_hz", ())) == spikes.n_units > 1
        and float(np.ptp(coordinates_of(run, name)["cf_hz"])) > 0
    ]


@styled
def neurogram(run: Run, population: str | None = None, *, bin_ms: float | None = None) -> Picture:
    """Mean firing rate (spikes/s) over time and characteristic frequency, log axis.

    Args:
        run: A run whose population has the coordinate `cf_hz`.
        population: Which one; every population with `cf_hz` if None.
        bin_ms: Width of the time bins; about 300 bins if None.

    Raises:
        ValueError: if the population, or every one, lacks `cf_hz`.
    """
    names = tonotopic(run) if population is None else [population]
    if not names or not set(names) <= set(tonotopic(run)):
        raise ValueError(
            f"a neurogram needs a population with the coordinate `cf_hz`, "
            f"found {population or 'none'}; this run has {', '.join(tonotopic(run)) or 'none'}"
        )
    figure, axes = stack([1.5] * len(names), duration_ms=run.recording.duration_ms)
    for axis, name in zip(axes, names, strict=True):
        mesh = draw_neurogram(
            axis, run.recording.spikes[name], run.coordinates[name]["cf_hz"], name,
            run.recording.duration_ms, bin_ms,
        )  # fmt: skip
        rate_bar(mesh, axis)
    return figure


def draw_neurogram(
    axis: Axes,
    spikes: Spikes,
    cf_hz: Array,
    name: str,
    duration_ms: float,
    bin_ms: float | None = None,
) -> QuadMesh:
    """One neurogram into an axis; gives the mesh, for a colour bar."""
    width_ms = bin_ms or nice_bin(spikes.duration_ms, most=300)
    edges_ms, bins = time_bins(spikes, width_ms)
    edges_hz, band = _bands(np.asarray(cf_hz, dtype=np.float64))
    n_bands = edges_hz.size - 1
    cells = np.bincount(band, minlength=n_bands)
    counts = np.zeros((n_bands, edges_ms.size - 1))
    np.add.at(counts, (band[spikes.units], bins), 1.0)
    rate = counts / np.maximum(cells, 1)[:, None] / (np.diff(edges_ms) / 1000.0)
    shown = np.ma.masked_array(rate, np.broadcast_to((cells == 0)[:, None], rate.shape))
    # One bin of one fibre can hold a spike by chance; the scale ends where 99.5 % of bins do.
    top = max(float(np.quantile(rate, 0.995)), 1.0)
    scale, _ = time_scale(duration_ms)
    mesh = axis.pcolormesh(
        edges_ms / scale, edges_hz / 1000.0, shown, cmap=EMBER, vmin=0.0, vmax=top, rasterized=True
    )
    axis.set_yscale("log")
    axis.set_ylim(edges_hz[0] / 1000.0, edges_hz[-1] / 1000.0)
    marks = [cf / 1000.0 for cf in OCTAVES_HZ if edges_hz[0] <= cf <= edges_hz[-1]]
    axis.set_yticks(marks[:: 2 if len(marks) > 5 else 1])
    axis.yaxis.set_major_formatter("{x:g}")
    axis.minorticks_off()
    axis.set_ylabel("CF (kHz)")
    heading(axis, words(name), f"firing rate, bins of {width_ms:g} ms")
    return mesh


def rate_bar(mesh: QuadMesh, axis: Axes) -> None:
    """A narrow colour bar beside a neurogram; inset, so that time axes stay aligned."""
    bar = axis.figure.colorbar(mesh, cax=axis.inset_axes((1.008, 0.0, 0.012, 1.0)), extend="max")
    bar.set_label("spikes/s")
    bar.locator = MaxNLocator(3)
    bar.outline.set_visible(False)


def _bands(cf_hz: Array) -> tuple[Array, np.ndarray]:
    """Edges of CF bands, and the band of each cell; one band a distinct CF where few differ."""
    distinct = np.unique(cf_hz)
    if distinct.size <= BANDS:
        middle = np.sqrt(distinct[1:] * distinct[:-1])
        first, last = distinct[0] ** 2 / middle[0], distinct[-1] ** 2 / middle[-1]
        edges = np.concatenate([[first], middle, [last]])
        return edges, np.searchsorted(distinct, cf_hz)
    edges = np.geomspace(distinct[0], distinct[-1], BANDS + 1)
    return edges, np.clip(np.searchsorted(edges, cf_hz, side="right") - 1, 0, BANDS - 1)
