"""Each measure on data whose answer is known."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from neuro import measures
from neuro.errors import SignalError
from neuro.measures import (
    autocorrelogram,
    circular_linear,
    entropy,
    first_spikes,
    gridness,
    interval_cv,
    intervals,
    mutual_information,
    positions_at,
    psth,
    rate_map,
    rayleigh_p,
    shuffled_information,
    skaggs_information,
    vector_strength,
)
from neuro.spikes import Spikes
from neuro.wiring import generator


def spikes(times: object, units: object | None = None, n_units: int = 1) -> Spikes:
    times = np.asarray(times, float)
    which = np.zeros(times.size, int) if units is None else units
    return Spikes(times, which, n_units=n_units, t_stop_ms=1000.0)  # type: ignore[arg-type]


def test_vector_strength_of_one_phase_two_phases_and_all_phases() -> None:
    tone_hz = 500.0
    period = 2.0
    assert vector_strength(np.arange(100) * period + 0.3, tone_hz) == pytest.approx(1.0)
    assert vector_strength(np.arange(200) * period / 2, tone_hz) == pytest.approx(0.0, abs=1e-9)
    assert vector_strength(np.arange(400) * period / 4, tone_hz) < 1e-9
    # Half the spikes a quarter cycle late: two unit vectors at a right angle.
    quarter = np.concatenate([np.arange(50) * period, np.arange(50) * period + period / 4])
    assert vector_strength(quarter, tone_hz) == pytest.approx(np.sqrt(0.5))
    assert np.isnan(vector_strength([], tone_hz))


def test_vector_strength_of_gaussian_jitter_is_its_characteristic_function() -> None:
    rng = generator(3, "jitter")
    n, tone_hz, sd_ms = 20_000, 250.0, 0.5
    times = np.arange(n) * 4.0 + rng.normal(0, sd_ms, n)
    expected = np.exp(-0.5 * (2 * np.pi * tone_hz / 1000 * sd_ms) ** 2)
    # The length of a mean of n unit vectors varies by less than 1/sqrt(2n).
    assert vector_strength(times, tone_hz) == pytest.approx(expected, abs=4 / np.sqrt(2 * n))


def test_rayleigh_p_is_uniform_without_locking_and_tiny_with_it() -> None:
    rng = generator(1, "rayleigh")
    p = np.array([rayleigh_p(rng.uniform(0, 1000, 60), 100.0) for _ in range(400)])
    assert 0.02 <= (p < 0.05).mean() <= 0.085  # 0.05 within 3 binomial SD
    assert rayleigh_p(np.arange(60) * 10.0, 100.0) < 1e-20
    assert rayleigh_p([], 100.0) == 1.0


def test_intervals_stay_within_a_unit_and_a_clock_has_cv_zero() -> None:
    train = spikes([0, 10, 20, 30, 40, 5, 6, 16, 17], [0] * 5 + [1] * 4, n_units=3)
    assert sorted(intervals(train)) == [1, 1, 10, 10, 10, 10, 10]
    cv = interval_cv(train)
    assert cv[0] == 0
    assert cv[1] == pytest.approx(np.std([1, 10, 1]) / 4)
    assert np.isnan(cv[2])


def test_interval_cv_of_poisson_and_gamma_trains() -> None:
    rng = generator(5, "cv")
    for shape, expected in ((1, 1.0), (4, 0.5), (16, 0.25)):
        times = np.cumsum(rng.gamma(shape, 1 / shape, 5000))
        train = Spikes(times, np.zeros(5000, int), n_units=1, t_stop_ms=times[-1] + 1)
        assert interval_cv(train)[0] == pytest.approx(expected, rel=0.06)


def test_psth_counts_per_unit_repetition_and_second() -> None:
    train = spikes([1, 2, 11, 101, 112], [0, 1, 0, 0, 1], n_units=2)
    result = psth(train, bin_ms=10, onsets_ms=(0, 100), window_ms=20)
    assert result.times_ms.tolist() == [0, 10]
    # 3 and 2 spikes over 2 units and 2 repetitions in 10 ms.
    assert result.rate_hz == pytest.approx([75, 50])
    with pytest.raises(SignalError, match="one bin"):
        psth(train, bin_ms=10, window_ms=5)


def test_first_spikes_skip_what_came_before_and_mark_silence() -> None:
    train = spikes([1, 7, 4, 9], [0, 0, 1, 1], n_units=3)
    assert first_spikes(train, after_ms=5)[:2].tolist() == [2, 4]
    assert np.isnan(first_spikes(train)[2])


@pytest.mark.parametrize("slope", [-5.0, -1.3, 0.0, 2.7])
def test_circular_linear_recovers_an_exact_line(slope: float) -> None:
    x = np.linspace(0, 1, 80)
    fit = circular_linear(x, np.mod(1.0 + slope * x, 2 * np.pi), max_slope=4 * np.pi)
    assert fit.slope == pytest.approx(slope, abs=1e-3)
    assert fit.offset == pytest.approx(1.0, abs=1e-3)
    assert np.sign(fit.rho) == np.sign(slope) or slope == 0
    if slope:
        assert abs(fit.rho) == pytest.approx(1.0, abs=1e-3)
        assert fit.p < 1e-6


def test_circular_linear_p_is_even_for_unrelated_data() -> None:
    rng = generator(2, "unrelated")
    p = []
    for _ in range(200):
        x, phi = rng.uniform(0, 1, 100), rng.uniform(0, 2 * np.pi, 100)
        # A fixed slope would give p < .05 in 5 %; fitting it first raises that (Kempter 2012).
        p.append(circular_linear(x, phi, max_slope=2 * np.pi, n_slopes=201).p)
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.35
    with pytest.raises(SignalError, match="three points"):
        circular_linear([0, 1], [0, 1], max_slope=1)


def test_a_slope_steeper_than_allowed_is_marked() -> None:
    x = np.linspace(0, 1, 80)
    phi = np.mod(1.0 - 5.03 * x, 2 * np.pi)
    assert circular_linear(x, phi, max_slope=2).at_bound
    free = circular_linear(x, phi, max_slope=8)
    assert not free.at_bound and free.slope == pytest.approx(-5.03, abs=1e-3)


@pytest.mark.parametrize(
    ("x", "phi", "max_slope", "says"),
    [
        ([3, 3, 3], [0, 1, 2], 1, "positions that differ"),
        ([0, np.nan, 2], [0, 1, 2], 1, "finite positions"),
        ([0, 1, 2], [0, 1, np.inf], 1, "finite positions"),
        ([0, 1, 2], [0, 1, 2], 0, "max_slope above 0"),
        ([0, 1, 2], [0, 1, 2], -4, "max_slope above 0"),
        # In cm: slopes 0.02 rad/cm apart turn by 20 rad from one end of the track to the other.
        ([0, 500, 1000], [0, 1, 2], 20, "40001 slopes or more"),
    ],
)
def test_a_circular_linear_fit_that_would_be_arbitrary_is_refused(
    x: list[float], phi: list[float], max_slope: float, says: str
) -> None:
    with pytest.raises(SignalError, match=says):
        circular_linear(x, phi, max_slope=max_slope)


def visit_every_bin(side: int = 4, bin_m: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    centres = (np.arange(side) + 0.5) * bin_m
    x, y = np.meshgrid(centres, centres)
    return x.ravel(), y.ravel()


def test_rate_map_divides_spikes_by_time_spent_in_each_bin() -> None:
    x, y = visit_every_bin()
    times = np.array([0.5, 0.7, 100.2])  # frames of 100 ms: two spikes in bin 0, one in bin 1
    result = rate_map(times, x, y, dt_ms=100, width_m=1, bin_m=0.25, smooth_m=0)
    assert result.occupancy_s == pytest.approx(np.full((4, 4), 0.1))
    assert result.rate_hz[0, :3] == pytest.approx([20, 10, 0])
    assert result.rate_hz[1:].sum() == 0


def test_rate_map_of_a_constant_rate_stays_constant_when_smoothed() -> None:
    rng = generator(8, "path")
    x, y = rng.uniform(0, 0.9, 5000), rng.uniform(0, 0.9, 5000)
    every_frame = np.arange(5000) * 20.0
    result = rate_map(every_frame, x, y, dt_ms=20, width_m=1, bin_m=0.05, smooth_m=0.07)
    assert np.nanmax(np.abs(result.rate_hz - 50)) < 1e-9
    assert np.isnan(result.rate_hz[-1, -1])  # never visited


def test_rate_map_bins_are_divisions_of_whole_steps() -> None:
    """Positions on a grid of 0.1 m, the far wall with the last bin; each frame has one spike."""
    steps = np.arange(11)
    x, every = steps * 0.1, np.arange(11) * 0.1
    found = rate_map(every, x, x, dt_ms=0.1, width_m=1, bin_m=0.1, smooth_m=0)
    assert np.round(np.diag(found.occupancy_s) * 1e4).tolist() == [1] * 9 + [2]
    assert found.rate_hz[found.occupancy_s > 0] == pytest.approx(np.full(10, 1e4))
    oblong = rate_map(every, x, 0 * x, dt_ms=0.1, width_m=1.2, height_m=0.3, bin_m=0.3)
    assert oblong.rate_hz.shape == (1, 4) and oblong.bin_m == 0.3


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"bin_m": 0.3}, "whole number of bins of 0.3 m, found a side of 1 m"),
        ({"height_m": 0.9}, "whole number of bins of 0.25 m, found a side of 0.9 m"),
        ({"width_m": 0.75, "height_m": 1}, "found 4 of 16 frames outside"),
        ({"x": np.full(16, -0.01)}, "found 16 of 16 frames outside"),
        ({"y": np.full(16, np.nan)}, "found 16 of 16 frames outside"),
        ({"times_ms": [5.0, 1600.0]}, r"0\.\.1600 ms, found 1 of 2 outside, first at 1600 ms"),
        ({"times_ms": [-0.5, 3.0]}, "found 1 of 2 outside, first at -0.5 ms"),
        ({"dt_ms": 0.0}, "longer than 0 ms"),
        ({"bin_m": 0.0}, "wider than 0 m"),
        ({"smooth_m": -0.1}, "smoothing of 0 m or more"),
    ],
)
def test_rate_map_refuses_what_it_would_leave_out(changed: dict[str, object], says: str) -> None:
    x, y = visit_every_bin()
    given = {"times_ms": [5.0], "x": x, "y": y, "dt_ms": 100, "width_m": 1, "bin_m": 0.25}
    rate_map(**given)  # type: ignore[arg-type]
    with pytest.raises(SignalError, match=says):
        rate_map(**{**given, **changed})  # type: ignore[arg-type]


def test_the_spacing_that_a_refusal_names_fits() -> None:
    x, y = visit_every_bin()
    with pytest.raises(SignalError) as refused:
        rate_map([5.0], x, y, dt_ms=100, width_m=1, bin_m=0.3)
    named = float(str(refused.value).split("bins of ")[-1].split()[0])
    assert rate_map([5.0], x, y, dt_ms=100, width_m=1, bin_m=named).rate_hz.shape == (3, 3)


def test_positions_are_those_of_the_path_alone() -> None:
    at = positions_at([0.0, 0.3, 3 * 0.1, 0.95], np.arange(10.0), -np.arange(10.0), dt_ms=0.1)
    assert at[0].tolist() == [0, 3, 3, 9] and at[1].tolist() == [0, -3, -3, -9]
    for outside in (-0.01, 1.0, np.nan):
        with pytest.raises(SignalError, match="while the path lasts"):
            positions_at([0.5, outside], np.arange(10.0), np.arange(10.0), dt_ms=0.1)


def test_skaggs_information_weighs_by_the_time_spent() -> None:
    """Two bins, three quarters and a quarter of the time, all spikes in the second: log2(4)."""
    found = skaggs_information(np.array([[0.0, 8.0]]), np.array([[3.0, 1.0]]))
    assert found == pytest.approx(2.0)
    # 2 Hz for 3 s and 6 Hz for 1 s: mean 3 Hz, so 0.5 log2(2/3) + 0.5 log2(2).
    found = skaggs_information(np.array([[2.0, 6.0]]), np.array([[3.0, 1.0]]))
    assert found == pytest.approx(0.5 * np.log2(2 / 3) + 0.5)


def test_skaggs_information_of_uniform_and_single_bin_maps() -> None:
    occupancy = np.ones((4, 8))
    assert skaggs_information(np.full((4, 8), 7.0), occupancy) == pytest.approx(0)
    single = np.zeros((4, 8))
    single[2, 3] = 11
    assert skaggs_information(single, occupancy) == pytest.approx(np.log2(32))
    for rate, times in ((-single, occupancy), (single, -occupancy), (single, occupancy[:, :1])):
        with pytest.raises(SignalError, match="maps of one shape"):
            skaggs_information(rate, times)
    half = np.zeros((4, 8))
    half[:2] = 5
    assert skaggs_information(half, occupancy) == pytest.approx(1.0)
    assert np.isnan(skaggs_information(np.zeros((4, 8)), occupancy))


def lattice(angle_deg: float, spacing: float, n: int = 40, waves: int = 3) -> np.ndarray:
    y, x = np.mgrid[0:n, 0:n].astype(float)
    step = 180 / waves
    k = 4 * np.pi / (np.sqrt(3) * spacing) if waves == 3 else 2 * np.pi / spacing
    turns = np.deg2rad(angle_deg + step * np.arange(waves))
    return sum(np.cos(k * (x * np.cos(t) + y * np.sin(t))) for t in turns) + waves


@pytest.mark.parametrize("angle", [0, 13, 30])
def test_gridness_of_a_hexagonal_lattice_is_high_and_of_a_square_one_negative(
    angle: float,
) -> None:
    assert gridness(lattice(angle, 14)) > 1.2
    assert gridness(lattice(angle, 14, waves=2)) < 0


def test_gridness_of_one_bump_is_low_and_of_a_flat_map_undefined() -> None:
    y, x = np.mgrid[0:40, 0:40]
    bump = np.exp(-((x - 15) ** 2 + (y - 22) ** 2) / 50)
    assert not gridness(bump) > 0.3
    assert np.isnan(gridness(np.ones((30, 30))))


def test_autocorrelogram_is_one_in_the_centre_and_symmetric() -> None:
    image = generator(4, "image").normal(size=(12, 15))
    image[3, 4] = np.nan
    result = autocorrelogram(image)
    assert result.shape == (23, 29)
    assert result[11, 14] == pytest.approx(1)
    assert np.allclose(result, result[::-1, ::-1], equal_nan=True)


@pytest.mark.parametrize("shape", [(5,), (), (2, 3, 4), (0, 4)])
def test_only_a_map_has_an_autocorrelogram(shape: tuple[int, ...]) -> None:
    for measure in (autocorrelogram, gridness):
        with pytest.raises(SignalError, match=r"\(n_y, n_x\), of one bin or more, found shape"):
            measure(np.ones(shape))


def test_entropy_of_fair_coin_and_certainty() -> None:
    assert entropy([5, 5]) == 1
    assert entropy([5, 0]) == 0
    assert entropy(np.ones(8)) == pytest.approx(3)
    assert np.isnan(entropy([0, 0])) and np.isnan(entropy([]))
    for wrong in ([-1, 2], [1, np.nan], [1, np.inf]):
        with pytest.raises(SignalError, match="finite and 0 or more"):
            entropy(wrong)


def test_information_of_identity_is_the_stimulus_entropy() -> None:
    s = np.repeat(np.arange(4), 50)
    assert mutual_information(s, s, correction="none") == pytest.approx(2)
    # A binary symmetric channel with error e carries 1 - H(e).
    e, n = 0.1, 1000
    r = np.concatenate([np.arange(n) < e * n, np.arange(n) >= e * n]).astype(int)
    channel = 1 + e * np.log2(e) + (1 - e) * np.log2(1 - e)
    found = mutual_information(np.repeat([0, 1], n), r, correction="none")
    assert found == pytest.approx(channel)


def test_bias_correction_removes_the_information_of_independent_responses() -> None:
    rng = generator(6, "independent")
    s = np.repeat(np.arange(10), 30)
    plain, corrected = [], []
    for _ in range(60):
        r = rng.integers(0, 5, s.size)
        plain.append(mutual_information(s, r, correction="none"))
        corrected.append(mutual_information(s, r))
    assert np.mean(plain) > 0.05
    assert abs(np.mean(corrected)) < 0.02
    null = shuffled_information(s, s, rng=rng, repeats=20)
    assert abs(null.mean()) < 0.1 and mutual_information(s, s) > 3
    with pytest.raises(SignalError, match="one response a trial"):
        mutual_information([1, 2], [1])
    # Each rate occurs once, so rates would seem to tell every stimulus.
    with pytest.raises(SignalError, match=r"whole numbers, found 0\.25"):
        mutual_information([0, 1, 0, 1], [0.25, 0.5, 0.75, 2])


def test_importing_the_measures_loads_nothing_heavy() -> None:
    code = (
        f"import sys, {measures.__name__}; "
        "print(*{'scipy', 'torch', 'brian2', 'matplotlib', 'elephant'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
