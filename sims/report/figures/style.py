"""How every picture looks: size, type, colours, and the frame of small multiples.

For pictures of your own: draw in a function that is `styled`, on a `picture`, and it looks alike.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from sims.store.atomic import write_bytes

__all__ = [
    "DPI", "EMBER", "FAINT", "INK", "MUTED", "PALETTE", "Picture", "UNVISITED", "WIDTH", "above",
    "colour_of", "heading", "picture", "png", "stack", "styled", "time_axis", "time_scale",
    "written_png",
]  # fmt: skip

WIDTH = 7.2  # inches: two journal columns
DPI = 200  # sharp at 1400 px, enough for a page and a paper draft
INK, MUTED, FAINT = "#1c1c22", "#6a6a72", "#dcdce0"

# Okabe & Ito 2008, colour-blind safe; without yellow, and with pink, sky and orange darkened,
# so that a single spike of one pixel still shows on paper.
PALETTE = ("#0072B2", "#D55E00", "#008F68", "#B0508C", "#2E96D0", "#C78200", "#4A4A55")

# Rate maps start at paper white, so that silence looks empty; lightness falls monotonically.
EMBER = LinearSegmentedColormap.from_list(
    "ember", ["#ffffff", "#ffe3b8", "#fbb05a", "#ea6a32", "#bb2f3f", "#761550", "#2b0b3f"]
)
UNVISITED = "#e9e9ec"

_RC: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "text.usetex": False,
    "text.parse_math": False,  # a `$` in a name is a `$`
    "text.color": INK,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.bbox": None,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.titlesize": 8.0,
    "axes.titleweight": "normal",
    "axes.titlepad": 3.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.xmargin": 0.0,
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "legend.fontsize": 7.0,
    "image.interpolation": "nearest",
}

P = ParamSpec("P")


class Picture(Figure):
    """A matplotlib figure that needs no window system and shows itself in a notebook."""

    # Ticks are made when they are first drawn, so the style has to hold then as well.
    def draw(self, renderer: RendererBase) -> None:
        """Draw in Ember's style, whatever the caller's settings are."""
        with matplotlib.rc_context(_RC):
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        return png(self)


def styled(draw: Callable[P, Picture]) -> Callable[P, Picture]:
    """Run a drawing function in Ember's style and leave the caller's settings as they were."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Picture:
        with matplotlib.rc_context(_RC):
            return draw(*args, **kwargs)

    return drawn


def picture(height: float, *, width: float = WIDTH) -> Picture:
    """An empty picture, `width` by `height` inches, with room made for labels by itself."""
    figure = Picture(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.03, hspace=0.02, wspace=0.03)  # type: ignore[union-attr, call-arg]
    return figure


def stack(heights: Sequence[float], *, duration_ms: float) -> tuple[Picture, list[Axes]]:
    """Panels one above the other on one time axis, `heights` inches each."""
    figure = picture(sum(heights) + 0.2 * len(heights) + 0.35)
    axes = figure.subplots(
        len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": list(heights)}
    )[:, 0]
    panels = list(axes)
    for axis in panels[:-1]:
        axis.tick_params(labelbottom=False)
    time_axis(panels[-1], duration_ms)
    return figure, panels


def time_scale(duration_ms: float) -> tuple[float, str]:
    """Milliseconds per plotted unit, and that unit: seconds for a second or more."""
    return (1000.0, "s") if duration_ms >= 1000.0 else (1.0, "ms")


def time_axis(axis: Axes, duration_ms: float) -> None:
    """Limits and label of a time axis that covers the whole run."""
    scale, unit = time_scale(duration_ms)
    axis.set_xlim(0.0, max(duration_ms, 1e-9) / scale)
    axis.set_xlabel(f"time ({unit})")


def heading(axis: Axes, title: str, detail: str = "") -> None:
    """The panel's name above its left end, with a quieter remark after it."""
    from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea

    parts: list[Artist] = [TextArea(title, textprops={"weight": "bold", "size": 8.0, "color": INK})]
    if detail:
        parts.append(TextArea(detail, textprops={"size": 7.0, "color": MUTED}))
    box = AnchoredOffsetbox(
        loc="lower left",
        child=HPacker(children=parts, pad=0, sep=5, align="baseline"),
        bbox_to_anchor=(0.0, 1.0),
        bbox_transform=axis.transAxes,
        frameon=False,
        pad=0.0,
        borderpad=0.15,
    )
    axis.add_artist(box)


def above(axis: Axes) -> None:
    """A legend in the line of the panel's name, or beside the panel where it is long."""
    n = len(axis.get_legend_handles_labels()[1])
    if n <= 3:
        axis.legend(
            loc="lower right", bbox_to_anchor=(1.0, 0.97), ncols=n, handlelength=1.2, borderpad=0.0
        )
    else:
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=1.2)


def colour_of(names: Sequence[str]) -> dict[str, str]:
    """One colour a name, the same in every picture of one run."""
    return {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(names)}


def png(figure: Figure) -> bytes:
    """The picture as PNG bytes; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": "Ember"})
    return buffer.getvalue()


def written_png(path: Path, draw: Callable[[], Figure]) -> str:
    """Write a picture of a result that is kept whether or not it can be drawn.

    An older picture there is replaced, or removed if the new one cannot be drawn.

    Returns:
        Why it could not be drawn, in one line; empty if it was.
    """
    try:
        drawn = png(draw())
    except Exception as error:  # matplotlib fails in many ways, and the result took hours
        path.unlink(missing_ok=True)
        reason = " ".join(str(error).split()) or type(error).__name__
        return f"`{path.name}` could not be drawn ({reason}); the result is kept without it"
    write_bytes(path, drawn, force=True)
    return ""
