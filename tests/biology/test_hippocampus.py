"""Place, grid and time cells follow an animal's path."""

from __future__ import annotations

import math

import numpy as np
import pytest

from circuits import Port, assemble
from circuits.hippocampus import grid_cells, place_cells, time_cells
from circuits.hippocampus.time_cells import time_cell_model
from encoders import arena_path
from neuro import simulate
from neuro.errors import NetworkError, SignalError
from neuro.measures import (
    circular_linear,
    gridness,
    phases,
    positions_at,
    rate_map,
    skaggs_information,
)
from neuro.network import Drive, Network, Population, Record
from neuro.signal import Signal
from neuro.spikes import Spikes
from neuro.units import Hz, m, ms
from tests.biology._stimuli import run

WALK_MS, DT_MS, THETA_HZ = 400_000.0, 2.0, 8.0


@pytest.fixture(scope="module")
def walk() -> dict[str, Signal]:
    """A rat's path through a square metre, long enough to see all of it."""
    return dict(arena_path(duration_ms=WALK_MS, seed=11, every=ms(10)).signals)


def shifted(spikes: np.ndarray, by_ms: float) -> np.ndarray:
    """The same train against another part of the path: rate and bursts stay, place goes."""
    return np.sort((spikes + by_ms) % WALK_MS)


def map_of(times: np.ndarray, walk: dict[str, Signal]):  # type: ignore[no-untyped-def]
    x, y = walk["x"], walk["y"]
    return rate_map(times, x.values, y.values, dt_ms=x.dt_ms, width_m=1.0)


# place cells


def test_place_fields_are_single_sharp_and_tied_to_the_path(walk: dict[str, Signal]) -> None:
    circuit = place_cells(walk["x"], walk["y"], walk["heading"], n_cells=12)
    centres = circuit.populations[0].coordinates
    spikes = run(circuit, sources=[], duration_ms=WALK_MS, dt_ms=DT_MS, seed=1).spikes["place"]
    visited = map_of(np.zeros(0), walk).occupancy_s > 0
    assert visited.mean() > 0.6  # the animal saw most of the arena

    distances = []
    for cell in range(spikes.n_units):
        times = spikes.of(cell)
        assert times.size > 50
        found = map_of(times, walk)
        info = skaggs_information(found.rate_hz, found.occupancy_s)
        row, column = np.unravel_index(np.nanargmax(found.rate_hz), found.rate_hz.shape)
        y, x = (np.array([row, column]) + 0.5) * found.bin_m
        distances.append(math.hypot(x - centres["x_m"][cell], y - centres["y_m"][cell]))
        rows, columns = np.indices(found.rate_hz.shape)
        away = np.hypot((columns + 0.5) * found.bin_m - x, (rows + 0.5) * found.bin_m - y) > 0.35
        assert 5 < np.nanmax(found.rate_hz) < 40
        assert np.nanmean(found.rate_hz[away]) < 0.5
        assert info > 0.5
        moved = map_of(shifted(times, 137_000.0), walk)
        assert skaggs_information(moved.rate_hz, moved.occupancy_s) < 0.6 * info
    assert np.median(distances) < 0.08


def laps(n: int, *, speed_m_per_s: float = 0.25, backward: bool = False) -> dict[str, Signal]:
    """Straight runs over one metre along y = 0.5, one after another."""
    dt_ms, lap_ms = 5.0, 1000.0 / speed_m_per_s
    x = (np.arange(round(n * lap_ms / dt_ms)) * dt_ms % lap_ms) / lap_ms
    heading = np.full(x.size, math.pi if backward else 0.0)
    return {
        "x": Signal(1 - x if backward else x, dt_ms, "m"),
        "y": Signal(np.full(x.size, 0.5), dt_ms, "m"),
        "heading": Signal(heading, dt_ms, "rad"),
    }


def spikes_of_one_cell(path: dict[str, Signal], *, length_m: float, seed: int) -> Spikes:
    circuit = place_cells(
        path["x"], path["y"], path["heading"], n_cells=1, precession_length=m(length_m)
    )
    circuit.populations[0].parameters.update(x_0=np.array([0.5]), y_0=np.array([0.5]))  # type: ignore[attr-defined]
    duration_ms = path["x"].duration_ms
    return run(circuit, sources=[], duration_ms=duration_ms, dt_ms=1.0, seed=seed).spikes["place"]


@pytest.mark.parametrize(("backward", "seed"), [(False, 1), (False, 2), (True, 3)])
def test_phase_precesses_along_the_way(backward: bool, seed: int) -> None:
    """-200 to -400 degrees a field, faster than theta by v/L (Kempter et al. 2012)."""
    path = laps(40, backward=backward)
    slopes = {}
    for length_m in (0.4, 1e6):
        spikes = spikes_of_one_cell(path, length_m=length_m, seed=seed)
        assert len(spikes) > 300
        at_x, _ = positions_at(
            spikes.times_ms, path["x"].values, path["y"].values, dt_ms=path["x"].dt_ms
        )
        # A Gaussian of 0.08 m; 60 Hz at its centre and best phase, of which von Mises locking of
        # 1.5 leaves exp(-1.5) I0(1.5) = 0.367 on the mean.
        assert at_x.std() == pytest.approx(0.08, rel=0.1)
        expected = 40 * 60 * 0.367 * np.sqrt(2 * np.pi) * 0.08 / 0.25
        assert abs(len(spikes) - expected) < 5 * np.sqrt(expected)
        travelled = 1 - at_x if backward else at_x
        fit = circular_linear(travelled, phases(spikes, THETA_HZ), max_slope=8 * np.pi)
        slopes[length_m] = fit
    per_field = math.degrees(slopes[0.4].slope) * 4 * 0.08
    assert -400 < per_field < -200
    assert math.degrees(slopes[0.4].slope) == pytest.approx(-360 / 0.4, rel=0.1)
    assert slopes[0.4].rho < -0.4 and slopes[0.4].p < 1e-6
    # f_c - f_theta = v / L, in the range Kempter et al. give
    assert 0.3 < -slopes[0.4].slope / (2 * np.pi) * 0.25 < 1.5
    # Control: an oscillator that ignores movement keeps to one phase of theta.
    assert abs(math.degrees(slopes[1e6].slope) * 4 * 0.08) < 30


# grid cells


def test_grids_are_hexagonal_and_modules_keep_their_ratio(walk: dict[str, Signal]) -> None:
    circuit = grid_cells(walk["x"], walk["y"], n_modules=2, cells_per_module=3)
    spacing = circuit.populations[0].coordinates["spacing_m"]
    assert spacing[3] / spacing[0] == pytest.approx(1.42)
    spikes = run(circuit, sources=[], duration_ms=WALK_MS, dt_ms=DT_MS, seed=2).spikes["grid"]
    assert spikes.rate_hz > 2

    scores = []
    for cell in range(spikes.n_units):
        scores.append(gridness(map_of(spikes.of(cell), walk).rate_hz))
    assert min(scores) > 0.8
    by_chance = [
        gridness(map_of(shifted(spikes.of(0), k * WALK_MS / 21), walk).rate_hz)
        for k in range(1, 21)
    ]
    assert np.nanquantile(by_chance, 0.95) < min(scores)
    place = place_cells(walk["x"], walk["y"], walk["heading"], n_cells=1)
    single = run(place, sources=[], duration_ms=WALK_MS, dt_ms=DT_MS, seed=2).spikes["place"]
    assert not gridness(map_of(single.times_ms, walk).rate_hz) > 0.5


# time cells


@pytest.mark.parametrize("k", [1, 4])
def test_time_cell_answers_an_impulse_exactly_as_the_theory_says(k: int, exact: None) -> None:
    """t^k e^{-st}: peak k/s, mean (k+1)/s, CV 1/sqrt(k+1) (Shankar & Howard 2012)."""
    dt_ms, peak_ms, duration_ms = 0.5, 200.0, 4000.0
    event = np.zeros(round(duration_ms / dt_ms))
    event[0] = 1 / dt_ms
    network = Network(
        populations=(Population("time", time_cell_model(k), 1, {"s": Hz(1000 * k / peak_ms)}),),
        drives=(Drive("time", "event", event, dt_ms),),
    )
    kept = [Record("time", f"F_{k}", every_ms=dt_ms)]
    recording = simulate(network, duration_ms=duration_ms, dt_ms=dt_ms, record=kept)
    trace = recording.traces[f"time.F_{k}"]
    t, f = trace.times_ms, trace.data[:, 0]

    s = k / peak_ms
    mean = (t * f).sum() / f.sum()
    sd = math.sqrt(((t - mean) ** 2 * f).sum() / f.sum())
    # The impulse is one step wide, so everything comes half a step late; the tail cut off at
    # 20 peak times holds less than 1e-6.
    late = dt_ms / 2
    assert t[f.argmax()] == pytest.approx(k / s + late, abs=dt_ms)
    assert mean == pytest.approx((k + 1) / s + late, abs=1e-3 * peak_ms)
    assert sd / (mean - late) == pytest.approx(1 / math.sqrt(k + 1), rel=2e-3)
    exact = (s * (t - late)) ** k * np.exp(-s * (t - late)) / math.factorial(k)
    # A box instead of an impulse differs by its second moment, f'' dt²/24; f'' < s² here.
    assert np.abs(f[2:] - exact[2:]).max() < 2 * (s * dt_ms) ** 2 / 24 + 1e-12


def visits(n: int, every_ms: float) -> tuple[Signal, Signal]:
    """A path that jumps to the landmark in the middle, briefly, every `every_ms`."""
    dt_ms = 10.0
    x = np.full(round(n * every_ms / dt_ms), 0.1)
    x[:: round(every_ms / dt_ms)] = 0.5
    return Signal(x, dt_ms, "m"), Signal(np.full(x.size, 0.5), dt_ms, "m")


@pytest.mark.parametrize("seed", [1, 2])
def test_time_fields_widen_in_proportion_to_their_time(seed: int) -> None:
    """Width is linear in peak time, R² > .9, and centres are even in log time (Cao et al. 2022)."""
    every_ms, n = 12_000.0, 50
    x, y = visits(n, every_ms)
    circuit = time_cells(x, y, n_cells=8, earliest=ms(200), latest=ms(2000))
    peaks = circuit.populations[0].coordinates["peak_ms"]
    spikes = run(circuit, sources=[], duration_ms=n * every_ms, dt_ms=2.0, seed=seed).spikes["time"]
    # The trace of an event holds 1/s = peak/4; its own peak, 4^4 e^-4/4!, is scaled to 20 Hz.
    expected = n * 20e-3 / (4**4 * math.exp(-4) / 24) * peaks / 4
    assert (np.abs(spikes.counts() - expected) < 5 * np.sqrt(expected)).all()

    since = [spikes.of(cell) % every_ms for cell in range(spikes.n_units)]
    means, widths = (np.array([measure(t) for t in since]) for measure in (np.mean, np.std))
    # Mean of t^k e^{-st} is (k+1)/k of its peak time; the event lasts 10 ms.
    assert means == pytest.approx(1.25 * peaks + 5, rel=0.08)
    assert widths / means == pytest.approx(np.full(8, 1 / math.sqrt(5)), rel=0.15)
    assert np.corrcoef(means, widths)[0, 1] ** 2 > 0.9
    assert np.diff(np.log(peaks)) == pytest.approx(np.full(7, np.log(10) / 7))
    # Control: against another clock the same spikes have no time field.
    foreign = [(spikes.of(cell) * 1.37) % every_ms for cell in range(spikes.n_units)]
    foreign_means = np.array([np.mean(t) for t in foreign])
    assert abs(np.corrcoef(foreign_means, means)[0, 1]) < 0.9
    assert np.std(foreign[0]) > 5 * widths[0]


def test_without_the_event_time_cells_are_silent() -> None:
    away = Signal(np.full(2000, 0.1), 10.0, "m")
    circuit = time_cells(away, away, n_cells=5)
    assert len(run(circuit, sources=[], duration_ms=20_000, dt_ms=2.0).spikes["time"]) == 0
    x, y = visits(2, 10_000.0)
    circuit = time_cells(x, y, n_cells=5)
    assert len(run(circuit, sources=[], duration_ms=20_000, dt_ms=2.0).spikes["time"]) > 20


# what is refused


def test_what_does_not_fit_together_is_refused() -> None:
    x, y = Signal(np.zeros(10), 10.0, "m"), Signal(np.zeros(11), 10.0, "m")
    with pytest.raises(SignalError, match="one length"):
        grid_cells(x, y)
    with pytest.raises(SignalError, match="one length"):
        place_cells(x, x, y)
    with pytest.raises(NetworkError, match="earliest"):
        time_cells(x, x, earliest=ms(500), latest=ms(100))
    with pytest.raises(NetworkError, match=r"finite earliest <= latest, found .* inf ms"):
        time_cells(x, x, latest=ms(math.inf))
    for locking in (-1.5, math.inf):  # e^3 times the peak rate, and none
        with pytest.raises(NetworkError, match=f"locking of 0 or more, found {locking}"):
            place_cells(x, x, x, locking=locking)
    with pytest.raises(NetworkError, match="n_modules"):
        grid_cells(x, x, n_modules=0)


def test_layouts_are_rooms_of_their_own(walk: dict[str, Signal]) -> None:
    def centres(layout: int) -> np.ndarray:
        circuit = place_cells(walk["x"], walk["y"], walk["heading"], n_cells=50, layout=layout)
        return np.stack(list(circuit.populations[0].coordinates.values()))

    first, again, other = centres(0), centres(0), centres(1)
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first[0], other[0])[0, 1]) < 0.4
    assert first.min() >= 0 and first.max() <= 1
    network = assemble("rooms", [place_cells(walk["x"], walk["y"], walk["heading"], n_cells=5)])
    assert Port.of(network.populations[0]).n == 5
