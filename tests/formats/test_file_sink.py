"""A file that was filled piece by piece is the file that is written at once."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path

import h5py
import libsonata
import numpy as np
import pytest
from bmtk.utils.reports.compartment import CompartmentReport
from bmtk.utils.reports.spike_trains import SpikeTrains
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.errors import StoreError
from neuro.recording import Course, Recording, Trace
from neuro.spikes import Spikes
from sims.result import Run
from sims.store import columns, read_run, write_run
from sims.store.file_sink import FileSink, Outline
from sims.store.growing import growing_file
from sims.store.run_file import write_provenance
from sims.store.sketch import read_sketch

SameRun = Callable[[Run, Run], None]
DT_MS, N_STEPS = 0.1, 1000


def recorded(seed: int = 1, exact_from: int = 400) -> Recording:
    """A recording on the grid; the trace needs float64 from some frame on."""
    rng = np.random.default_rng(seed)
    steps = np.sort(rng.integers(0, N_STEPS, 3000))
    units = rng.integers(0, 6, 3000)
    order = np.lexsort((units, steps))
    voltages = rng.normal(-65, 5, (N_STEPS, 2)).astype(np.float32).astype(np.float64)
    voltages[exact_from:] += 1e-12
    return Recording(
        duration_ms=100.0, dt_ms=DT_MS, seed=7, backend="numba",
        spikes={
            "sound": Spikes([3.3, 99.5, 0.2], [0, 1, 2], n_units=3, t_stop_ms=100),
            "cells": Spikes(steps[order] * DT_MS, units[order], n_units=6, t_stop_ms=100.0),
            "silent": Spikes([], [], n_units=3, t_stop_ms=100),
        },
        traces={
            "cells.v": Trace("cells", "v", "mV", np.array([4, 0]), DT_MS, voltages),
            "learned.w": Trace("learned", "w", "nS", np.array([1]), 1.0, np.full((100, 1), 0.5),
                               of_edges=True),
        },
        modulators={"noradrenaline": Course("noradrenaline", "nM", 0.1, rng.random(N_STEPS))},
        factors={"cells.I": Course("cells.I", "1", 0.1, rng.random(N_STEPS))},
        timings={"build": 0.1, "simulate": 0.3},
    )  # fmt: skip


def outline(run: Run) -> Outline:
    recording = run.recording
    blank = np.zeros(0)
    return Outline(
        dt_ms=DT_MS,
        sources={"sound": recording.spikes["sound"]},
        spiking={"cells": 6, "silent": 3},
        traces=[
            Trace(t.population, t.variable, t.unit, t.cells, t.every_ms,
                  np.zeros((0, t.cells.size)), of_edges=t.of_edges)
            for t in recording.traces.values()
        ],
        concentrations=[Course(c.name, "nM", 0.1, blank) for c in recording.modulators.values()],
        factors=[Course(c.name, "1", 0.1, blank) for c in recording.factors.values()],
        coordinates=run.coordinates, signals=run.signals,
    )  # fmt: skip


def feed(sink: FileSink, recording: Recording, first: int, stop: int) -> None:
    """What a back end hands over for the steps from `first` to before `stop`."""
    cells = recording.spikes["cells"]
    steps = np.rint(cells.times_ms / DT_MS).astype(np.int64)
    now = (steps >= first) & (steps < stop)
    sink.spikes("cells", steps[now], cells.units[now].astype(np.int32))
    sink.trace(0, recording.traces["cells.v"].data[first:stop])
    sink.trace(1, recording.traces["learned.w"].data[-(-first // 10) : -(-stop // 10)])
    sink.courses(
        recording.modulators["noradrenaline"].values[first:stop, np.newaxis],
        recording.factors["cells.I"].values[first:stop, np.newaxis],
    )


def streamed(path: Path, run: Run, cuts: list[int]) -> Path:
    with growing_file(path) as growing:
        sink = FileSink(growing.file, outline(run), writing=growing.writing)
        for first, stop in zip([0, *cuts], [*cuts, N_STEPS], strict=True):
            feed(sink, run.recording, first, stop)
        sink.finish(100.0)
        write_provenance(growing.file, run.provenance, run.recording)
        growing.publish(force=True)
    return path


@pytest.fixture
def whole(run: Run) -> Run:
    """The small run of these tests, with a recording that a back end could hand over."""
    return Run(recorded(), run.provenance, run.signals, {"cells": {"x_m": np.arange(6) * 1e-5}})


@settings(max_examples=25)
@given(
    cuts=st.lists(st.integers(0, N_STEPS), max_size=12).map(sorted),
    chunk=st.sampled_from([64, 1000, 4096, 1 << 18]),
    exact_from=st.sampled_from([0, 1, 500, N_STEPS]),
)
def test_pieces_make_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, assert_same_run: SameRun,
    cuts: list[int], chunk: int, exact_from: int,
) -> None:  # fmt: skip
    from tests.formats.conftest import tiny_run

    tiny, folder = tiny_run(), tmp_path_factory.mktemp("pieces")
    whole = Run(recorded(exact_from=exact_from), tiny.provenance, tiny.signals)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "CHUNK_BYTES", chunk)
        path = streamed(folder / "run.h5", whole, cuts)
    assert_same_run(read_run(path), whole)
    with h5py.File(path) as a, h5py.File(write_run(folder / "b.h5", whole)) as b:
        ours, theirs = [], []
        a.visititems(lambda name, item: ours.append((name, kind(item))))
        b.visititems(lambda name, item: theirs.append((name, kind(item))))
    assert sorted(ours) == sorted(theirs)
    assert sorted(file.name for file in folder.iterdir()) == ["b.h5", "run.h5"]


def kind(item: h5py.HLObject) -> tuple[object, ...]:
    """Types, shapes and attributes, which readers go by."""
    attributes = {
        key: (str(value), np.asarray(value).dtype.str) for key, value in item.attrs.items()
    }
    if not isinstance(item, h5py.Dataset):
        return ("group", str(sorted(attributes.items())))
    return (str(item.dtype), item.shape, str(sorted(attributes.items())))


def test_chunks_are_resizable_and_bounded(
    tmp_path: Path, whole: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "CHUNK_BYTES", 1 << 10)
    with h5py.File(streamed(tmp_path / "run.h5", whole, [300, 600])) as file:
        times = file["spikes/cells/timestamps"]
        assert times.maxshape == (None,)
        assert times.chunks == (128,)
        assert times.compression is None  # the HDF5 inside libsonata has no gzip
        assert file["modulation/concentration/noradrenaline"].compression == "gzip"
        assert file["report/cells.v/data"].chunks == (128, 2)


def test_memory_holds_less_than_a_chunk_of_each_dataset(tmp_path: Path, whole: Run) -> None:
    with growing_file(tmp_path / "run.h5") as growing:
        sink = FileSink(growing.file, outline(whole), writing=growing.writing)
        rng = np.random.default_rng(1)
        for k in range(40):
            steps = np.sort(rng.integers(0, 1000, 50_000)) + 1000 * k
            sink.spikes("cells", steps, rng.integers(0, 6, 50_000).astype(np.int32))
        assert sink.counts["cells"] == 2_000_000
        assert sum(tail.nbytes for tail in sink.tails().values()) < 3 * columns.CHUNK_BYTES
        on_disk = sum(file.stat().st_size for file in tmp_path.rglob("run.h5"))
        assert on_disk > 30_000_000
    assert list(tmp_path.iterdir()) == []  # neither published nor kept


def test_other_readers_take_the_streamed_file(
    tmp_path: Path, whole: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "CHUNK_BYTES", 1 << 10)
    path = str(streamed(tmp_path / "run.h5", whole, [1, 2, 500]))
    spikes = whole.recording.spikes["cells"]
    population = libsonata.SpikeReader(path)["cells"]
    assert population.sorting == "by_time"
    assert population.get() == list(zip(spikes.units, spikes.times_ms, strict=True))
    bmtk = SpikeTrains.from_sonata(path)
    assert {name: bmtk.n_spikes(population=name) for name in bmtk.populations} == {
        name: len(each) for name, each in whole.recording.spikes.items() if len(each)
    } | {name: 0 for name in bmtk.populations if name == "silent"}
    trace = whole.recording.traces["cells.v"]
    frames = libsonata.ElementReportReader(path)["cells.v"].get()
    assert np.array_equal(frames.data, trace.data.astype(np.float32))
    report = CompartmentReport.load(path)["cells.v"]
    assert report.n_steps() == N_STEPS
    assert np.array_equal(report.data(node_id=4).ravel(), trace.data[:, 0].astype(np.float32))


# ------------------------------------------------------------------ reading large files


def test_a_large_file_is_read_when_asked_for(
    tmp_path: Path, whole: Run, assert_same_run: SameRun
) -> None:
    path = write_run(tmp_path / "run.h5", whole)
    lazy = read_run(path, lazy=True)
    assert not isinstance(lazy.recording.spikes, dict)
    assert_same_run(lazy, whole)
    nobody_holds = weakref.ref(lazy.recording.spikes["cells"])
    assert nobody_holds() is None
    held = lazy.recording.spikes["cells"]
    assert lazy.recording.spikes["cells"] is held
    with pytest.raises(KeyError):
        lazy.recording.spikes["nobody"]
    write_run(path, Run(recorded(seed=2), whole.provenance), force=True)
    with pytest.raises(StoreError, match="has changed since it was read"):
        lazy.recording.spikes["silent"]
    path.unlink()
    with pytest.raises(StoreError, match="has changed"):
        lazy.recording.traces["cells.v"]


def test_the_size_decides_if_nobody_says(
    tmp_path: Path, whole: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_run(tmp_path / "run.h5", whole)
    assert isinstance(read_run(path).recording.spikes, dict)
    monkeypatch.setattr("sims.store.run_file.LAZY_BYTES", 1000)
    assert not isinstance(read_run(path).recording.spikes, dict)


def test_a_sketch_counts_everything_and_keeps_what_fits(tmp_path: Path, whole: Run) -> None:
    path = write_run(tmp_path / "run.h5", whole)
    sketch = read_sketch(path, most=1100)
    spikes = whole.recording.spikes
    assert {name: counts.tolist() for name, counts in sketch.counts.items()} == {
        name: each.counts().tolist() for name, each in spikes.items()
    }
    kept = sketch.run.recording
    assert kept.spikes["cells"] == spikes["cells"].select([0, 3])
    assert kept.spikes["sound"] == spikes["sound"]
    assert sketch.run.coordinates["cells"]["x_m"].tolist() == [0.0, 3 * 1e-5]
    trace = kept.traces["cells.v"]
    assert np.array_equal(trace.data, whole.recording.traces["cells.v"].data[::2])
    assert trace.every_ms == 2 * DT_MS
    assert kept.modulators["noradrenaline"].values.size == N_STEPS
    assert sketch.notes == (
        "Pictures show every 3rd cell of cells.",
        "Of the trace cells.v pictures show every other value.",
    )


def test_a_sketch_of_blocks_is_a_sketch(
    tmp_path: Path, whole: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_run(tmp_path / "run.h5", whole)
    at_once = read_sketch(path, most=150).run.recording
    monkeypatch.setattr(columns, "BLOCK_BYTES", 1000)
    in_blocks = read_sketch(path, most=150).run.recording
    assert in_blocks.spikes == at_once.spikes
    for key, trace in at_once.traces.items():
        assert np.array_equal(trace.data, in_blocks.traces[key].data)
    course = whole.recording.factors["cells.I"].values[:: -(-N_STEPS // 150)]
    assert np.array_equal(in_blocks.factors["cells.I"].values, course)
