"""What the report of a run says."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sims.report import figures
from sims.report.figures.modulation import is_for_reasoner
from sims.report.figures.neurograms import tonotopic
from sims.report.figures.space import spatial, walk_of
from sims.report.figures.story import telling
from sims.report.page import Block, Code, Image, Page, Section, Table, Text
from sims.report.provenance import config_blocks, seconds, stage_times
from sims.report.wording import plain, words
from sims.result import Run
from sims.store.home import as_typed

__all__ = ["run_page"]

PANELS = 12
MOST_MAPS = 12  # one picture a population
MOST_PANELS = 60  # of one kind: five pictures, beyond which nobody looks; an engineering choice
STAGES = ("encode", "build", "compile", "simulate")


Counts: TypeAlias = Mapping[str, NDArray[np.int64]]


def run_page(run: Run, path: Path, counts: Counts | None = None, notes: Sequence[str] = ()) -> Page:
    """The page of a run that was read from `path`.

    Args:
        run: Of a large run what pictures need, see `sims.store.sketch`.
        counts: Per population the spikes of each cell; those of `run` if None.
        notes: What of the run the pictures do not show.
    """
    recording, about = run.recording, run.provenance
    if counts is None:
        counts = {name: spikes.counts() for name, spikes in recording.spikes.items()}
    n_cells = sum(each.size for each in counts.values())
    n_spikes = sum(int(each.sum()) for each in counts.values())
    sections = [
        Section("Overview", [*_unfinished(run), *_left_out(notes), _overview(run)]),
        Section("Cells and spikes", _spiking(run, counts)),
        *_if_any("Stimulus", _stimulus(run)),
        *_if_any("Modulation", _modulation(run)),
        *_if_any("Space", _space(run)),
        *_if_any("Traces", _traces(run)),
        Section("What was run", _provenance(run, path)),
    ]
    return Page(
        title=about.name,
        what="Run",
        summary=(
            f"{_duration(recording.duration_ms)} of {n_cells:,} cells in "
            f"{len(recording.spikes)} populations, simulated on {recording.backend} with seed "
            f"{recording.seed} and steps of {recording.dt_ms:g} ms."
        ),
        facts=[
            (
                "simulated",
                _duration(recording.duration_ms) + (", unfinished" * bool(about.failure)),
            ),
            ("cells", f"{n_cells:,}"),
            ("spikes", f"{n_spikes:,}"),
            ("back end", recording.backend),
            ("took", seconds(sum(recording.timings.values()))),
        ],
        sections=[section for section in sections if section.blocks],
    )


def _if_any(title: str, blocks: list[Block]) -> list[Section]:
    return [Section(title, blocks)] if blocks else []


def _unfinished(run: Run) -> list[Block]:
    """Why a run has less than its config asked for."""
    failure = run.provenance.failure
    if not failure:
        return []
    reached = _duration(run.recording.duration_ms)
    wanted = run.provenance.resolved.get("duration", "a longer run")
    return [Text(f"This run ended before its time, at {reached} of {wanted}: {failure}.")]


def _left_out(notes: Sequence[str]) -> list[Block]:
    if not notes:
        return []
    return [Text(f"A large run: {' '.join(notes)} Tables count everything.")]


def _overview(run: Run) -> Image:
    return Image(
        "overview",
        "The run from top to bottom on one time axis: what was presented, how cells answered, "
        "what was released, and what it changed.",
        figures.png(figures.overview(run)),
    )


def _spiking(run: Run, counts: Counts) -> list[Block]:
    recording = run.recording
    rows = []
    for name, spikes in recording.spikes.items():
        each = counts[name]
        active = np.count_nonzero(each) / max(each.size, 1)
        watched_s = each.size * spikes.duration_ms / 1000.0
        rate_hz = each.sum() / watched_s if watched_s else 0.0
        rows.append(
            [words(name), f"{each.size:,}", f"{each.sum():,}", f"{rate_hz:.2f}", f"{active:.0%}"]
        )
    columns = ["population", "cells", "spikes", "mean rate (spikes/s)", "cells that fired"]
    blocks: list[Block] = [Table(columns, rows, frozenset(columns[1:]))]
    drawn = list(recording.spikes)
    if len(drawn) > MOST_PANELS:
        drawn = telling(run, MOST_PANELS)
        blocks.append(
            Text(
                f"Pictures show {len(drawn)} of {len(recording.spikes):,} populations, those whose "
                f"rate peaks highest above its mean; the table has all."
            )
        )
    blocks += _in_parts(
        "raster",
        "Spikes of each population. Cells are ordered by the quantity on the axis; in large "
        "populations darker pixels hold more spikes.",
        drawn,
        lambda names: figures.raster(run, names),
    )
    if tonotopic(run):
        blocks.append(Image(
            "neurogram",
            "Firing rate over time and characteristic frequency (CF). The scale ends where 99.5 % "
            "of the bins do.",
            figures.png(figures.neurogram(run)),
        ))  # fmt: skip
    blocks += _in_parts(
        "rates",
        "Mean rate of a cell in each population.",
        drawn,
        lambda names: figures.rates(run, names),
    )
    return blocks


def _in_parts(
    name: str, caption: str, keys: list[str], draw: Callable[[list[str]], figures.Picture]
) -> list[Block]:
    """One picture for every twelve panels: a taller one cannot be seen at once."""
    parts = [keys[start : start + PANELS] for start in range(0, len(keys), PANELS)]
    return [
        Image(f"{name}-{number}" if number > 1 else name, caption, figures.png(draw(part)))
        for number, part in enumerate(parts, start=1)
    ]


def _stimulus(run: Run) -> list[Block]:
    if not run.signals:
        return []
    return [Image("stimulus", "What was presented.", figures.png(figures.stimulus(run)))]


def _modulation(run: Run) -> list[Block]:
    recording = run.recording
    if not (recording.modulators or recording.factors):
        return []
    columns = ["quantity", "start", "lowest", "highest", "mean", "end"]
    rows = []
    for name, course in recording.modulators.items():
        rows.append([f"{words(name)} (nM)", *_summary(course.values)])
    for key, course in recording.factors.items():
        target, _, parameter = key.partition(".")
        handed = ", handed to the reasoning model" if is_for_reasoner(key) else ""
        rows.append([f"factor on {words(target)} {parameter}{handed}", *_summary(course.values)])
    caption = (
        "Concentrations, and the factors that occupied receptors put on parameters; at 1 "
        "(dashed) a parameter is as written."
    )
    return [
        Table(columns, rows, frozenset(columns[1:])),
        Image("modulators", caption, figures.png(figures.modulators(run))),
    ]


def _summary(values: np.ndarray) -> list[str]:
    numbers = (values[0], values.min(), values.max(), values.mean(), values[-1])
    return [plain(float(number)) for number in numbers]


def _space(run: Run) -> list[Block]:
    if walk_of(run) is None:
        return []
    names = spatial(run)
    blocks: list[Block] = _first("populations", names, MOST_MAPS)
    for index, name in enumerate(names[:MOST_MAPS]):
        caption = (
            "Top: firing rate over the arena, from 0 (paper) to each cell's peak (darkest); grey "
            "was never visited. Bottom: spikes on the path."
            if index == 0
            else f"The same for the population {words(name)}."
        )
        file = f"rate-maps-{index + 1}-{_slug(name)}"
        blocks.append(Image(file, caption, figures.png(figures.rate_maps(run, name))))
    return blocks


def _traces(run: Run) -> list[Block]:
    names = list(run.recording.traces)
    return _first("recorded variables", names, MOST_PANELS) + _in_parts(
        "traces",
        "Recorded variables of single cells.",
        names[:MOST_PANELS],
        lambda keys: figures.traces(run, keys),
    )


def _first(what: str, names: Sequence[str], most: int) -> list[Block]:
    """A remark where not all of `names` are drawn."""
    if len(names) <= most:
        return []
    return [Text(f"Pictures show the first {most} of {len(names):,} {what}.")]


def _provenance(run: Run, path: Path) -> list[Block]:
    recording, about = run.recording, run.provenance
    rows = [
        ["name", about.name],
        ["config", about.config_path],
        ["overrides", " ".join(shlex.quote(text) for text in about.overrides) or "none"],
        ["config hash", about.config_hash],
        ["seed", str(recording.seed)],
        ["back end", f"{recording.backend}, steps of {recording.dt_ms:g} ms"],
        ["written", about.created],
        ["git commit", about.git_commit or "not from a git checkout"],
        ["largest memory", f"{about.peak_memory_bytes / 2**20:,.0f} MiB"],
        ["versions", ", ".join(f"{name} {which}" for name, which in about.versions.items())],
    ]
    blocks: list[Block] = [Table((), rows)]
    if sum(recording.timings.values()) > 0:
        stages = sorted(recording.timings.items(), key=lambda stage: _place(stage[0]))
        blocks.append(stage_times(stages))
    blocks.append(Text("The same run again, with the same spikes, from the run file alone:"))
    again = path.with_name(f"{path.stem}-again{path.suffix}")
    blocks.append(Code(as_typed(["ember", "run", str(path), "--out", str(again)])))
    return [*blocks, *config_blocks(about.config_text, about.resolved, about.config_path)]


def _place(stage: str) -> int:
    """Where a stage comes in a run; a file keeps them by name."""
    return STAGES.index(stage) if stage in STAGES else len(STAGES)


def _slug(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())


def _duration(duration_ms: float) -> str:
    if duration_ms < 1000:
        return f"{duration_ms:g} ms"
    return f"{duration_ms / 1000:g} s"
