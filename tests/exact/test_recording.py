"""A recording in the field's own containers: equal counts, silent cells kept, units said."""

from __future__ import annotations

import neo
import numpy as np
import pytest
import quantities as pq

from neuro.recording import Course, Recording, Trace
from neuro.spikes import Spikes


@pytest.fixture
def recording() -> Recording:
    rng = np.random.default_rng(3)
    return Recording(
        duration_ms=200.0,
        dt_ms=0.1,
        seed=3,
        backend="numba",
        spikes={
            "fibres": Spikes(
                rng.uniform(50, 200, 700), rng.integers(1, 6, 700),
                n_units=7, t_start_ms=50, t_stop_ms=200,
            ),
            "mute": Spikes([], [], n_units=3, t_stop_ms=200),
            "nobody": Spikes([], [], n_units=0, t_stop_ms=200),
        },
        traces={
            "fibres.v": Trace("fibres", "v", "mV", np.array([5, 2]), 0.5, rng.random((400, 2))),
            "fibres.m": Trace("fibres", "m", "1", np.array([0]), 1.0, rng.random((200, 1))),
        },
        modulators={"noradrenaline": Course("noradrenaline", "nM", 1.0, rng.random(200) * 50)},
        # The same bare name as a trace: both must survive.
        factors={"fibres.v": Course("fibres.v", "1", 1.0, rng.random(200))},
        timings={"simulate": 0.5},
    )  # fmt: skip


SILENT = Recording(duration_ms=1.0, dt_ms=0.1, seed=0, backend="numba", spikes={})


# ------------------------------------------------------------------ neo


def trains_of(block: neo.Block, population: str) -> list[neo.SpikeTrain]:
    trains = block.segments[0].spiketrains
    return [train for train in trains if train.annotations["population"] == population]


def test_neo_has_a_train_for_every_cell(recording: Recording) -> None:
    block = recording.to_neo()
    for name, spikes in recording.spikes.items():
        trains = trains_of(block, name)
        assert [train.annotations["unit"] for train in trains] == list(range(spikes.n_units))
        assert [len(train) for train in trains] == spikes.counts().tolist()
        for unit, train in enumerate(trains):
            assert np.array_equal(train.rescale("ms").magnitude, spikes.of(unit))
            assert (train.t_start, train.t_stop) == (spikes.t_start_ms * pq.ms, 200 * pq.ms)
    assert [len(train) for train in trains_of(block, "mute")] == [0, 0, 0]
    assert len(trains_of(block, "fibres")[0]) == len(trains_of(block, "fibres")[6]) == 0


def test_neo_rates_are_those_of_the_recording(recording: Recording) -> None:
    """In seconds and Hz, through quantities: a slip of 1000 would show."""
    spikes = recording.spikes["fibres"]
    trains = trains_of(recording.to_neo(), "fibres")
    rates = [(len(t) / (t.t_stop - t.t_start)).rescale("Hz").magnitude for t in trains]
    assert np.mean(rates) == pytest.approx(spikes.rate_hz)


def test_neo_signals_carry_units_and_cells(recording: Recording) -> None:
    signals = {
        (s.name, s.annotations.get("course")): s
        for s in recording.to_neo().segments[0].analogsignals
    }
    assert len(signals) == 4
    for key, trace in recording.traces.items():
        signal = signals[key, None]
        assert np.array_equal(signal.magnitude, trace.data)
        assert np.array_equal(signal.array_annotations["cell"], trace.cells)
        assert np.allclose(signal.times.rescale("ms").magnitude, trace.times_ms)
    assert signals["fibres.v", None].units == pq.mV
    assert signals["fibres.m", None].units == pq.dimensionless
    concentration = signals["noradrenaline", "concentration"]
    course = recording.modulators["noradrenaline"]
    in_molar = concentration.rescale("mol/l").magnitude[:, 0]
    assert np.allclose(in_molar, course.values * 1e-9, rtol=1e-12)
    factor = signals["fibres.v", "factor"]
    assert np.array_equal(factor.magnitude[:, 0], recording.factors["fibres.v"].values)


def test_neo_of_nothing() -> None:
    segment = SILENT.to_neo().segments[0]
    assert len(segment.spiketrains) == len(segment.analogsignals) == 0


# ------------------------------------------------------------------ pandas


def test_pandas_has_a_row_for_every_spike(recording: Recording) -> None:
    frame = recording.to_pandas()
    assert list(frame.columns) == ["population", "unit", "time_ms"]
    assert frame["unit"].dtype == np.int64
    counts = frame.groupby("population", observed=False).size()
    assert counts.to_dict() == {name: len(s) for name, s in recording.spikes.items()}
    assert frame.attrs["n_units"] == {"fibres": 7, "mute": 3, "nobody": 0}
    fibres = frame[frame["population"] == "fibres"]
    assert np.array_equal(fibres["time_ms"], recording.spikes["fibres"].times_ms)
    assert np.array_equal(fibres["unit"], recording.spikes["fibres"].units)


def test_pandas_of_nothing() -> None:
    frame = SILENT.to_pandas()
    assert frame.shape == (0, 3)
    assert frame["unit"].dtype == np.int64


# ------------------------------------------------------------------ xarray


def test_xarray_labels_every_trace_and_course(recording: Recording) -> None:
    data = recording.to_xarray()
    assert set(data.data_vars) == {"fibres.v", "fibres.m", "noradrenaline", "factor.fibres.v"}
    for key, trace in recording.traces.items():
        assert np.array_equal(data[key], trace.data)
        assert data[key].attrs["units"] == trace.unit
        assert np.array_equal(data[key][f"time_{key}"], trace.times_ms)
        assert data[key][f"time_{key}"].attrs["units"] == "ms"
    assert np.array_equal(
        data["fibres.v"].sel({"cell_fibres.v": 2}), recording.traces["fibres.v"].data[:, 1]
    )
    assert data["noradrenaline"].attrs["units"] == "nM"
    assert np.array_equal(data["noradrenaline"], recording.modulators["noradrenaline"].values)
    assert np.array_equal(data["factor.fibres.v"], recording.factors["fibres.v"].values)
    assert data.attrs == {"duration_ms": 200.0, "dt_ms": 0.1}


def test_xarray_of_nothing() -> None:
    assert not SILENT.to_xarray().data_vars


# ------------------------------------------------------------------ times


def test_frames_start_at_zero() -> None:
    trace = Trace("p", "v", "mV", np.array([0]), 0.5, np.zeros((4, 1)))
    course = Course("c", "nM", 2.0, np.zeros(3))
    assert trace.times_ms.tolist() == [0.0, 0.5, 1.0, 1.5]
    assert course.times_ms.tolist() == [0.0, 2.0, 4.0]
