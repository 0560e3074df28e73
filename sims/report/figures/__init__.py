"""Pictures of runs, sweeps and trainings as matplotlib figures.

Each function gives a `Picture`, a `matplotlib.figure.Figure` that needs no window system,
leaves matplotlib's settings alone and shows itself at the end of a notebook cell:

    from sims.report import figures
    from sims.store import read_run

    picture = figures.overview(read_run("runs/startle.h5"))
    picture.savefig("startle.png")

    overview        a run on one page: stimulus, spikes, modulation, reasoner
    stimulus        sound pressure, temperature, path, over time
    neurogram       rate over time and characteristic frequency
    raster          spikes of each population
    rates           population rates over time
    modulators      concentrations, and the factors they put on parameters
    traces          recorded variables of single cells
    rate_maps       firing over an arena, and spikes on the path
    dose_response   a sweep's measures against what was varied
    learning_curves, accuracies, confusion, halting     a training on spikes
    puzzle_curves, refined_board    a training on puzzles

`style` is how they all look, for pictures of your own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sims.report.figures.doses import dose_response
    from sims.report.figures.learning import accuracies, confusion, halting, learning_curves
    from sims.report.figures.modulation import modulators
    from sims.report.figures.neurograms import neurogram
    from sims.report.figures.puzzles import puzzle_curves, refined_board
    from sims.report.figures.rasters import raster
    from sims.report.figures.rate_panels import rates
    from sims.report.figures.space import rate_maps
    from sims.report.figures.stimuli import stimulus
    from sims.report.figures.story import overview
    from sims.report.figures.style import Picture, png, written_png
    from sims.report.figures.trace_panels import traces

__all__ = [
    "Picture", "accuracies", "confusion", "dose_response", "halting", "learning_curves",
    "modulators", "neurogram", "overview", "png", "puzzle_curves", "raster", "rate_maps", "rates",
    "refined_board", "stimulus", "traces", "written_png",
]  # fmt: skip

# No module may share its name with a function: importing it would hide the function.
_HOME = {
    "Picture": "style", "accuracies": "learning", "confusion": "learning",
    "dose_response": "doses",
    "halting": "learning", "learning_curves": "learning", "modulators": "modulation",
    "neurogram": "neurograms", "overview": "story", "png": "style", "puzzle_curves": "puzzles",
    "raster": "rasters", "rate_maps": "space", "rates": "rate_panels",
    "refined_board": "puzzles", "stimulus": "stimuli", "traces": "trace_panels",
    "written_png": "style",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
