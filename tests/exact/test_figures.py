"""What pictures show is what the data say; they disturb nothing and need no window."""

from __future__ import annotations

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from neuro.recording import Course, Recording, Trace
from neuro.signal import Signal
from neuro.spikes import Spikes
from neuro.wiring import generator
from sims.report import figures, wording
from sims.report.figures import _data, doses, neurograms, rasters, space, story
from sims.report.figures.style import EMBER, PALETTE
from sims.result import Provenance, Run

ABOUT = Provenance("tale", "", "", (), {}, "", {}, "", "")


def tale(seed: int = 3) -> Run:
    """A tone makes a low and then a high part of an ear fire, one nucleus bursts, another hums."""
    rng = generator(seed, "tale")
    low, high = np.sort(rng.uniform(0, 50, 400)), np.sort(rng.uniform(50, 100, 400))
    ear = Spikes(np.concatenate([low, high]), np.repeat([0, 3], 400), n_units=4, t_stop_ms=100)
    second = Spikes(rng.uniform(0, 100, 900), rng.integers(0, 90, 900), n_units=90, t_stop_ms=100)
    burst = Spikes(rng.uniform(40, 42, 80), rng.integers(0, 20, 80), n_units=20, t_stop_ms=100)
    hum = Spikes(np.linspace(0, 99, 800), np.arange(800) % 20, n_units=20, t_stop_ms=100)
    course = Course("na", "nM", 1.0, np.linspace(10, 90, 100))
    factor = Course("f", "1", 1.0, np.linspace(1, 0.6, 100))
    recording = Recording(
        100.0, 0.1, seed, "numba",
        {"ear": ear, "second": second, "hum": hum, "burst": burst, "nucleus": hum},
        traces={"hum.v": Trace("hum", "v", "mV", np.arange(6), 1.0, rng.normal(size=(100, 6)))},
        modulators={"na": course},
        factors={"second.g_L": factor, "reasoner.budget": factor},
    )  # fmt: skip
    resolved = {"modulation": {"na": {"released_by": "nucleus"}}}
    return Run(
        recording,
        Provenance("tale", "", "", (), resolved, "", {}, "", ""),
        {"sound.waveform": Signal(np.sin(np.arange(4000)), 0.025, "Pa")},
        {"ear": {"cf_hz": np.array([200.0, 400.0, 800.0, 1600.0])},
         "second": {"cf_hz": np.geomspace(1600, 200, 90)}},
    )  # fmt: skip


RUN = tale()


def texts(figure: figures.Picture) -> str:
    """Every text of a picture that is not a tick's."""
    from matplotlib.offsetbox import TextArea

    found = [t.get_text() for axis in figure.axes for t in axis.texts]
    found += [a.get_text() for a in figure.findobj(TextArea)]
    found += [axis.get_ylabel() for axis in figure.axes]
    return "\n".join(found)


def test_an_overview_goes_from_the_sound_to_the_reasoner() -> None:
    figure = figures.overview(RUN)
    told = texts(figure)
    names = ["sound waveform", "ear", "second", "burst", "na", "modulated parameters"]
    where = [told.index(f"{name}\n") for name in names]
    assert where == sorted(where)
    (legend,) = [axis.get_legend() for axis in figure.axes if axis.get_legend()]
    assert [text.get_text() for text in legend.get_texts()] == ["second g_L", "reasoner budget"]


def test_an_overview_shows_who_releases_and_who_bursts() -> None:
    assert story.telling(RUN, 3) == ["second", "burst", "nucleus"]
    assert story.telling(RUN, 4) == ["second", "hum", "burst", "nucleus"]


def test_an_overview_of_chosen_populations() -> None:
    told = texts(figures.overview(RUN, ["hum"]))
    assert "hum\n" in told and "burst\n" not in told
    with pytest.raises(KeyError):
        figures.overview(RUN, ["nobody"])


def test_a_raster_image_hides_no_spike() -> None:
    spikes = Spikes([0.0, 99.99, 50.0], [0, 499, 250], n_units=500, t_stop_ms=100)
    rows = _data.rows_of({}, 500)
    image = rasters._density(spikes, rows, PALETTE[0], 100.0)
    assert np.count_nonzero(image[..., 3]) == 3
    assert image[..., 3][image[..., 3] > 0].min() >= 0.4
    assert image[0, 0, 3] > 0 and image[-1, -1, 3] > 0


def test_cells_are_ordered_by_characteristic_frequency() -> None:
    cf_hz = np.array([4000.0, 250.0, 1000.0])
    rows = _data.rows_of({"x_m": np.arange(3.0), "cf_hz": cf_hz}, 3)
    assert rows.row.tolist() == [2, 0, 1]
    assert rows.label == "CF (kHz)"
    assert rows.ticks == [(0, "0.25"), (1, "1"), (2, "4")]  # labels that would touch are left out
    assert _data.rows_of({"cf_hz": np.full(3, 500.0)}, 3).label == "cell"  # tells nobody apart


@pytest.mark.parametrize(
    ("name", "label"),
    [("cf_hz", "cf (Hz)"), ("x_m", "x (m)"), ("velocity_m_per_s", "velocity (m/s)"),
     ("threshold_c", "threshold (°C)"), ("peak_ms", "peak (ms)"), ("module", "module")],
)  # fmt: skip
def test_a_coordinate_is_labelled_with_its_unit(name: str, label: str) -> None:
    assert wording.coordinate_label(name) == label


def test_a_neurogram_shows_rates() -> None:
    """400 spikes of one fibre in 50 ms are 8000 spikes/s, in its band and its time alone."""
    figure = figures.neurogram(RUN, "ear", bin_ms=50.0)
    rate = figure.axes[0].collections[0].get_array().filled(-1)
    assert rate.tolist() == [[8000, 0], [0, 0], [0, 0], [0, 8000]]
    low, high = figure.axes[0].get_ylim()
    assert low == pytest.approx(0.2 / 2**0.5) and high == pytest.approx(1.6 * 2**0.5)


def test_many_fibres_share_bands_without_loss() -> None:
    cf_hz = np.geomspace(100, 8000, 500)
    edges, band = neurograms._bands(cf_hz)
    assert edges.size - 1 == neurograms.BANDS
    assert (edges[band] <= cf_hz * (1 + 1e-9)).all() and (cf_hz <= edges[band + 1] * 1.000001).all()


def test_a_neurogram_needs_frequencies() -> None:
    with pytest.raises(ValueError, match="ear, second"):
        figures.neurogram(RUN, "hum")


@given(
    st.lists(st.floats(0, 99.999), max_size=200),
    st.integers(1, 9),
    st.floats(0.5, 150),
)
def test_a_rate_course_accounts_for_every_spike(
    times: list[float], n_units: int, bin_ms: float
) -> None:
    spikes = Spikes(times, np.zeros(len(times)), n_units=n_units, t_stop_ms=100)
    edges, rate = _data.rate_course(spikes, bin_ms)
    assert edges[0] == 0 and edges[-1] == pytest.approx(100)
    assert np.sum(rate * np.diff(edges)) / 1000 * n_units == pytest.approx(len(times))


def test_a_window_that_is_not_the_run_s_takes_no_endless_memory() -> None:
    """As a file may give it that somebody has changed."""
    spikes = Spikes([1.0, 2.0**61], [0, 0], n_units=1, t_stop_ms=2.0**62)
    edges, rate = _data.rate_course(spikes, 0.3)
    assert edges.size <= 1e6 + 1
    assert float((rate * np.diff(edges)).sum()) / 1000.0 == pytest.approx(2)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(1, 40))
def test_an_envelope_keeps_every_extreme(values: list[float], columns: int) -> None:
    data = np.array(values)
    at, low, high = _data.envelope(data, columns)
    assert len(at) <= columns and (np.diff(at) > 0).all()
    assert (low.min(), high.max()) == (data.min(), data.max())
    assert (low <= high).all()


@given(st.floats(1, 1e7), st.integers(2, 500))
def test_a_nice_bin_is_round_and_large_enough(duration_ms: float, most: int) -> None:
    width = _data.nice_bin(duration_ms, most=most)
    assert width >= 1 and duration_ms / width <= most * (1 + 1e-6)
    assert f"{width:e}"[:8] in {"1.000000", "2.000000", "5.000000"}


def test_a_field_is_where_the_cell_fired() -> None:
    """A cell that fires only on the left of a there-and-back walk has its map there."""
    x = np.concatenate([np.linspace(0, 1, 500), np.linspace(1, 0, 500)])
    walk = space.Walk(x, np.full(1000, 0.5), 10.0)
    left = np.flatnonzero(x < 0.3) * 10.0
    found = space.field_of(walk, left)
    rate = np.nanmean(found.rate_hz, axis=0)
    n = rate.size
    assert rate[: n // 5].min() > 50 and rate[n // 2 :].max() < 1  # one spike a frame is 100 Hz
    assert found.information > 1.0  # log2(1 / 0.3) = 1.74 for a sharp field
    assert space.field_of(walk, np.arange(0, 1e4, 10.0)).information < 0.05


@pytest.mark.parametrize("width", [0.0, 0.01, 0.3, 0.9876])
def test_the_arena_of_a_field_is_the_path_s_to_whole_bins(width: float) -> None:
    x = 0.2 + np.linspace(0, width, 100)
    found = space.field_of(space.Walk(x, np.full(100, 0.5), 10.0), np.array([5.0, 15.0]))
    left, right, bottom, top = found.extent_m
    n_y, n_x = found.rate_hz.shape
    assert (n_y, n_x) == (1, max(1, int(np.ceil(round(width / 0.025, 6)))))
    assert (right - left, top - bottom) == (pytest.approx(n_x * 0.025), pytest.approx(0.025))
    assert left == 0.2 and right >= x.max() - 1e-12


def test_spikes_after_the_end_of_the_path_are_not_on_it() -> None:
    walk = space.Walk(np.zeros(10), np.zeros(10), 10.0)
    long = Spikes([5.0, 99.9, 100.0, 150.0], [0, 0, 0, 0], n_units=1, t_stop_ms=200)
    assert walk.during(long).times_ms.tolist() == [5.0, 99.9]
    short = Spikes([5.0], [0], n_units=1, t_stop_ms=50)
    assert walk.during(short) == short


def test_rate_maps_need_a_path() -> None:
    with pytest.raises(ValueError, match="path"):
        figures.rate_maps(RUN, "hum")


def test_traces_say_which_cells_are_left_out() -> None:
    assert "cells 0, 1, 2, 3; 2 more recorded" in texts(figures.traces(RUN))


def test_factors_for_the_reasoner_are_named_as_such() -> None:
    told = texts(figures.modulators(RUN))
    assert "factor on budget, furthest ×0.6, handed to the reasoning model" in told
    assert "factor on g_L, furthest ×0.6\n" in told + "\n"


@pytest.mark.parametrize("draw", [figures.modulators, figures.traces, figures.stimulus])
def test_a_picture_of_what_is_not_there_is_refused(draw: object) -> None:
    bare = Run(Recording(10.0, 0.1, 1, "numba", {}), ABOUT)
    with pytest.raises(ValueError, match="found none"):
        draw(bare)  # type: ignore[operator]


TABLE = {
    "dose": [0.0, 0.0, 0.0, 10.0, 10.0, 10.0],
    "seed": [1, 2, 3, 1, 2, 3],
    "id": list("abcdef"),
    "rate_hz.cells": [1.0, 2.0, 3.0, 11.0, 12.0, 16.0],
    "spikes.cells": [1, 2, 3, 11, 12, 16],
    "rate_hz.noise": [1.0, 2.0, 3.0, 1.0, 2.0, 3.0],
    "factor.a.g.mean": [1.0, 1.0, 1.0, 0.5, None, 0.5],
}


def test_an_interval_is_student_s() -> None:
    (series,) = doses.series_of(TABLE, "dose", [], "rate_hz.cells", {"dose": "nM"})
    levels, mean, half = series.summary()
    assert levels.tolist() == [0, 10] and mean.tolist() == [2, 13]
    for values, middle, width in zip(([1, 2, 3], [11, 12, 16]), mean, half, strict=True):
        low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
        assert (middle - width, middle + width) == pytest.approx((low, high))


def test_two_runs_have_no_interval_and_missing_ones_no_point() -> None:
    (series,) = doses.series_of(TABLE, "dose", [], "factor.a.g.mean", {"dose": "nM"})
    assert series.dose.size == 5
    _, mean, half = series.summary()
    assert mean.tolist() == [1, 0.5] and half[0] == 0 and np.isnan(half[1])


def test_only_what_answers_to_the_dose_is_drawn() -> None:
    assert doses.responding(TABLE, ["dose"]) == ["rate_hz.cells", "factor.a.g.mean"]
    told = texts(figures.dose_response(TABLE, {"dose": "nM"}))
    assert "cells" in told and "noise" not in told


def test_a_second_key_has_a_line_a_value_and_too_many_share_one() -> None:
    def table(n: int) -> dict[str, list[float]]:
        rows = [(d, k) for d in (1.0, 2.0, 3.0) for k in range(n)]
        return {"dose": [d for d, _ in rows], "level": [float(k) for _, k in rows],
                "rate_hz.c": [d * k for d, k in rows]}  # fmt: skip

    few = doses.series_of(table(3), "dose", ["level"], "rate_hz.c", {})
    assert [series.label for series in few] == ["0", "1", "2"]
    (many,) = doses.series_of(table(9), "dose", ["level"], "rate_hz.c", {})
    assert many.dose.size == 27
    figure = figures.dose_response(table(3), {"dose": "1", "level": "dB"})
    assert figure.legends[0].get_title().get_text() == "level (dB)"


def test_doses_may_be_names_factors_or_random() -> None:
    named = {"circuit": ["on", "off"], "rate_hz.c": [1.0, 2.0]}
    axis = figures.dose_response(named, ["circuit"]).axes[0]
    assert [t.get_text() for t in axis.get_xticklabels()] == ["on", "off"]
    grown = {"dose": [1.0, 10.0, 100.0], "rate_hz.c": [1.0, 2.0, 3.0]}
    assert figures.dose_response(grown, {"dose": "nM"}).axes[0].get_xscale() == "log"
    with_none = {"dose": [0.0, 10.0, 100.0], "rate_hz.c": [1.0, 2.0, 3.0]}
    assert figures.dose_response(with_none, {"dose": "nM"}).axes[0].get_xscale() == "symlog"
    drawn = generator(1, "doses").uniform(1, 2, 40)
    random = {"dose": drawn.tolist(), "rate_hz.c": drawn.tolist()}
    lines = figures.dose_response(random, {"dose": "nM"}).axes[0].lines
    assert all(line.get_linestyle() == "None" for line in lines)  # nothing joins random doses


def test_a_dose_response_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="measure that changes"):
        figures.dose_response({"dose": [1.0, 2.0], "rate_hz.c": [3.0, 3.0]}, ["dose"])
    with pytest.raises(ValueError, match="varied key"):
        figures.dose_response(TABLE, [])
    with pytest.raises(KeyError):
        figures.dose_response(TABLE, ["dose"], ["no such measure"])


def test_the_colour_of_rates_falls_in_lightness_from_paper() -> None:
    rgb = EMBER(np.linspace(0, 1, 64))[:, :3]
    luminance = rgb @ [0.2126, 0.7152, 0.0722]
    assert luminance[0] == pytest.approx(1.0) and luminance[-1] < 0.1
    assert (np.diff(luminance) < 0).all()


def test_drawing_leaves_the_caller_s_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 30.0, "xtick.labelsize": 30.0, "text.usetex": False}):
        picture = figures.png(figures.rates(RUN, ["hum"]))
    assert picture == figures.png(figures.rates(RUN, ["hum"]))  # nor do they change the picture
    assert dict(matplotlib.rcParams) == before


def test_a_name_with_dollars_is_no_formula() -> None:
    spikes = Spikes([1.0], [0], n_units=1, t_stop_ms=10)
    recording = Recording(10.0, 0.1, 1, "numba", {"a$b_{$": spikes})
    assert figures.raster(recording)._repr_png_().startswith(b"\x89PNG")


def test_pictures_need_no_window_system() -> None:
    code = (
        "import sys; from sims.report import figures; from neuro.recording import Recording; "
        "figures.png(figures.raster(Recording(10.0, 0.1, 1, 'numba', {}))); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
