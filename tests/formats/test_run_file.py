"""A run file gives back the run bit for bit, and the field's own readers agree on its content."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import libsonata
import numpy as np
import pytest
from bmtk.utils.reports.compartment import CompartmentReport
from bmtk.utils.reports.spike_trains import SpikeTrains
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from neuro.errors import StoreError
from neuro.recording import Course, Recording, Trace
from neuro.signal import Signal
from neuro.spikes import Spikes
from sims.result import Provenance, Run
from sims.store import read_provenance, read_run, write_run

SameRun = Callable[[Run, Run], None]


# ------------------------------------------------------------------ the round trip


def test_round_trip(run: Run, run_file: Path, assert_same_run: SameRun) -> None:
    assert_same_run(run, read_run(run_file))
    assert read_provenance(run_file) == run.provenance


def test_the_comparator_sees_one_changed_bit(run: Run, assert_same_run: SameRun) -> None:
    trace = run.recording.traces["bushy.v"]
    data = trace.data.copy()
    data[3, 1] = np.nextafter(data[3, 1], 0)
    traces = {**run.recording.traces, "bushy.v": replace(trace, data=data)}
    with pytest.raises(AssertionError):
        assert_same_run(run, replace(run, recording=replace(run.recording, traces=traces)))

    nerve = run.recording.spikes["sound_nerve"]
    times = nerve.times_ms.copy()
    times[5] = np.nextafter(times[5], 0)
    moved = Spikes(times, nerve.units, n_units=4, t_start_ms=0.25, t_stop_ms=100)
    spikes = {**run.recording.spikes, "sound_nerve": moved}
    with pytest.raises(AssertionError):
        assert_same_run(run, replace(run, recording=replace(run.recording, spikes=spikes)))


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12
).filter(lambda name: name not in {".", ".."})
TEXTS = st.text(st.characters(exclude_characters="\0"), max_size=40)  # lone surrogates as well
FINITE = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(1e-3, 1e3)
FRAMES = st.integers(0, 40)
# Any bit pattern: NaN with its payload, infinities, values beyond float32.
VALUES = st.floats(width=64)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.just(math.inf) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def spikes(draw: st.DrawFn) -> Spikes:
    n_units = draw(st.integers(1, 30))
    start = draw(st.floats(-1e3, 1e3))
    stop = start + draw(POSITIVE)
    within = st.floats(start, stop, exclude_max=True)
    pairs = draw(st.lists(st.tuples(within, st.integers(0, n_units - 1)), max_size=50))
    return Spikes(
        [time for time, _ in pairs], [unit for _, unit in pairs],
        n_units=n_units, t_start_ms=start, t_stop_ms=stop,
    )  # fmt: skip


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    cells = draw(arrays(np.int64, st.integers(0, 5), elements=st.integers(0, 99)))
    shape = (draw(FRAMES), cells.size)
    data = draw(arrays(np.float64, shape, elements=VALUES))
    return Trace(draw(NAMES), draw(NAMES), draw(NAMES), cells, draw(POSITIVE), data)


COURSES = st.builds(
    Course, NAMES, NAMES, POSITIVE, FRAMES.flatmap(lambda n: arrays(np.float64, n, elements=VALUES))
)
SIGNALS = st.builds(
    Signal,
    arrays(np.float64, array_shapes(max_dims=2), elements=FINITE),
    POSITIVE,
    NAMES,
)
PROVENANCES = st.builds(
    Provenance,
    name=NAMES, config_text=TEXTS, config_path=TEXTS, overrides=st.lists(TEXTS).map(tuple),
    resolved=st.dictionaries(TEXTS, JSON, max_size=4), config_hash=NAMES,
    versions=st.dictionaries(NAMES, NAMES, max_size=12), git_commit=NAMES, created=NAMES,
    peak_memory_bytes=st.integers(0, 2**62),
)  # fmt: skip


@st.composite
def runs(draw: st.DrawFn) -> Run:
    trains = draw(st.dictionaries(NAMES, spikes(), max_size=3))
    with_place = draw(st.lists(st.sampled_from(list(trains)), unique=True)) if trains else []
    coordinates = {
        population: draw(
            st.dictionaries(
                NAMES, arrays(np.float64, trains[population].n_units, elements=VALUES), max_size=2
            )
        )
        for population in with_place
    }
    recording = Recording(
        duration_ms=draw(POSITIVE),
        dt_ms=draw(POSITIVE),
        seed=draw(st.integers(0, 2**70)),
        backend=draw(NAMES),
        spikes=trains,
        traces=draw(st.dictionaries(NAMES, traces(), max_size=2)),
        modulators=draw(st.dictionaries(NAMES, COURSES, max_size=2)),
        factors=draw(st.dictionaries(NAMES, COURSES, max_size=2)),
        timings=draw(st.dictionaries(NAMES, FINITE, max_size=10)),
    )
    signals = draw(st.dictionaries(NAMES, SIGNALS, max_size=2))
    return Run(recording, draw(PROVENANCES), signals, coordinates)


@settings(max_examples=60)
@given(runs())
def test_any_run_survives(assert_same_run: SameRun, run: Run) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_run(Path(folder) / "any.h5", run)
        assert_same_run(run, read_run(path))


@pytest.mark.parametrize("name", ["a/b", "", ".", "a\0b"])
def test_a_name_that_cannot_be_stored_is_refused(run: Run, tmp_path: Path, name: str) -> None:
    recording = replace(run.recording, spikes={name: run.recording.spikes["bushy"]})
    with pytest.raises(StoreError, match="rename it"):
        write_run(tmp_path / "x.h5", replace(run, recording=recording))
    assert not list(tmp_path.iterdir())


def test_a_coordinate_of_another_length_is_refused(run: Run, tmp_path: Path) -> None:
    wrong = replace(run, coordinates={"bushy": {"x_m": np.zeros(5)}})
    with pytest.raises(StoreError, match=r"one number for each of its 6 cells.*\(5,\)"):
        write_run(tmp_path / "x.h5", wrong)


# ------------------------------------------------------------------ other people's readers


def test_three_readers_count_the_same_spikes(run: Run, run_file: Path) -> None:
    wanted = {name: len(spikes) for name, spikes in run.recording.spikes.items()}
    assert sum(wanted.values()) > 3000
    with h5py.File(run_file) as file:
        by_h5py = {name: group["timestamps"].size for name, group in file["spikes"].items()}
    reader = libsonata.SpikeReader(str(run_file))
    by_libsonata = {name: len(reader[name].get()) for name in reader.get_population_names()}
    bmtk = SpikeTrains.from_sonata(str(run_file))
    by_bmtk = {name: bmtk.n_spikes(population=name) for name in bmtk.populations}
    assert by_h5py == by_libsonata == by_bmtk == wanted


def test_readers_see_times_and_units_bit_for_bit(run: Run, run_file: Path) -> None:
    spikes = run.recording.spikes["bushy"]
    population = libsonata.SpikeReader(str(run_file))["bushy"]
    assert population.sorting == "by_time"
    assert population.time_units == "ms"
    seen = population.get_dict()
    assert np.array_equal(seen["timestamps"], spikes.times_ms)
    assert np.array_equal(seen["node_ids"], spikes.units)

    bmtk = SpikeTrains.from_sonata(str(run_file))
    assert bmtk.units("bushy") == "ms"
    for unit in range(spikes.n_units):
        times = bmtk.get_times(unit, population="bushy")
        assert np.array_equal(np.sort(times), spikes.of(unit))


def test_libsonata_selects_a_window(run: Run, run_file: Path) -> None:
    """It trusts `sorting`: a file that is not sorted by time would come out wrong here."""
    seen = libsonata.SpikeReader(str(run_file))["bushy"].get(tstart=20.0, tstop=40.0)
    wanted = run.recording.spikes["bushy"].between(20, 40)
    assert len(wanted) > 100
    assert len(seen) == len(wanted)


def test_the_file_says_what_it_is(run_file: Path) -> None:
    with h5py.File(run_file) as file:
        assert file.attrs["magic"] == 0x0A7A
        assert file.attrs["magic"].dtype == np.uint32
        assert list(file.attrs["version"]) == [0, 1]
        group = file["spikes/bushy"]
        assert h5py.check_enum_dtype(group.attrs.get_id("sorting").dtype) == {
            "none": 0, "by_id": 1, "by_time": 2,
        }  # fmt: skip
        assert group["timestamps"].dtype == np.float64
        assert group["node_ids"].dtype == np.uint64
        assert "provenance" in file


@pytest.mark.parametrize("reader", [libsonata.ElementReportReader, libsonata.SomaReportReader])
def test_libsonata_reads_the_traces(run: Run, run_file: Path, reader: type) -> None:
    reports = reader(str(run_file))
    assert set(reports.get_population_names()) == set(run.recording.traces)
    for key, trace in run.recording.traces.items():
        report = reports[key]
        frame = report.get()
        nodes = frame.ids[:, 0] if frame.ids.ndim == 2 else frame.ids
        assert np.array_equal(nodes, trace.cells)
        assert np.array_equal(frame.data, trace.data.astype(np.float32))
        assert report.data_units == trace.unit
        assert report.time_units == "ms"
        assert report.times == (0.0, 100.0, trace.every_ms)
        assert np.allclose(frame.times, trace.times_ms)


def test_libsonata_selects_one_cell_of_an_unsorted_report(run: Run, run_file: Path) -> None:
    """Cells were recorded as 4, 0: asking for 0 must give the second column."""
    frame = libsonata.SomaReportReader(str(run_file))["bushy.v"].get(node_ids=[0])
    wanted = run.recording.traces["bushy.v"].data[:, 1].astype(np.float32)
    assert np.array_equal(frame.data[:, 0], wanted)


def test_bmtk_reads_the_traces(run: Run, run_file: Path) -> None:
    reports = CompartmentReport.load(str(run_file))
    for key, trace in run.recording.traces.items():
        report = reports[key]
        assert report.units() == trace.unit
        assert report.variable() == trace.variable
        assert report.n_steps() == trace.data.shape[0]
        for column, cell in enumerate(trace.cells):
            seen = report.data(node_id=cell)[:, 0]
            assert np.array_equal(seen, trace.data[:, column].astype(np.float32))


@pytest.mark.parametrize("every_ms", [0.1, 0.3, 0.7, 1 / 3, 0.025, 1.1])
def test_bmtk_counts_every_frame(tmp_path: Path, run: Run, every_ms: float) -> None:
    """It takes `int(stop / dt)`, which is one short wherever the quotient rounds down."""
    for n_frames in (1, 3, 7, 15, 43, 57):  # each short for one of the steps
        trace = Trace("p", "v", "mV", np.array([0]), every_ms, np.zeros((n_frames, 1)))
        recording = replace(run.recording, traces={"p.v": trace})
        path = write_run(tmp_path / "x.h5", replace(run, recording=recording), force=True)
        assert CompartmentReport.load(str(path))["p.v"].n_steps() == n_frames
        assert libsonata.SomaReportReader(str(path))["p.v"].get().data.shape == (n_frames, 1)


def test_libsonata_reads_the_coordinates(run: Run, run_file: Path) -> None:
    storage = libsonata.NodeStorage(str(run_file))
    assert storage.population_names == set(run.coordinates)
    for name, coordinates in run.coordinates.items():
        nodes = storage.open_population(name)
        assert nodes.size == run.recording.spikes[name].n_units
        assert nodes.attribute_names == set(coordinates)
        for key, values in coordinates.items():
            assert np.array_equal(nodes.get_attribute(key, nodes.select_all()), values)


def test_a_run_without_any_spike_or_population(
    run: Run, tmp_path: Path, assert_same_run: SameRun
) -> None:
    empty = replace(run, recording=replace(run.recording, spikes={}, traces={}), coordinates={})
    path = write_run(tmp_path / "empty.h5", empty)
    assert_same_run(empty, read_run(path))
    assert libsonata.SpikeReader(str(path)).get_population_names() == []
