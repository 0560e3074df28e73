"""The random walk against the rats of Sargolini et al. 2006, as George et al. 2024 fitted them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from encoders import arena_path
from encoders.navigation.walk import RAT, random_walk
from neuro.units import m, m_per_s, ms

DT_S = 0.01


@pytest.fixture(scope="module")
def walk() -> dict[str, np.ndarray]:
    """20 min in a box of 1 m, in steps of 10 ms."""
    signals = arena_path(duration_ms=1.2e6, seed=4).signals
    return {name: signal.values for name, signal in signals.items()}


def test_running_speed_is_a_rat_s(walk: dict[str, np.ndarray]) -> None:
    """Rayleigh with scale 0.08 m/s: mean 0.10 m/s, decorrelating within about 0.7 s."""
    speed = 1000 * walk["speed"]  # m/ms to m/s
    assert speed.mean() == pytest.approx(0.1, rel=0.05)
    assert speed.std() == pytest.approx(0.08 * np.sqrt(2 - np.pi / 2), rel=0.08)
    apart = speed[::500]  # 5 s: independent
    assert stats.kstest(apart, stats.rayleigh(scale=0.08).cdf).pvalue > 0.01
    assert stats.kstest(apart, stats.expon(scale=0.1).cdf).pvalue < 1e-3  # the test can fail
    centred = speed - speed.mean()
    shared = [(centred[:-lag] * centred[lag:]).mean() / centred.var() for lag in (10, 70, 500)]
    assert shared[0] > 0.75
    assert 0.2 < shared[1] < 0.5
    assert abs(shared[2]) < 0.1


def test_turning_is_a_rat_s() -> None:
    """In the open, rotational velocity has an SD of 120°/s and a time constant of 80 ms."""
    path = random_walk(60_000, 10.0, width_m=1e4, height_m=1e4, seed=2)
    heading = np.unwrap(np.arctan2(*np.diff(path, axis=0).T[::-1]))
    turn = np.diff(heading) / DT_S
    assert np.degrees(turn.std()) == pytest.approx(120, rel=0.05)
    lag = 8
    assert (turn[:-lag] * turn[lag:]).mean() / turn.var() == pytest.approx(np.exp(-1), abs=0.06)


def test_the_walk_covers_its_arena_and_keeps_near_its_walls(walk: dict[str, np.ndarray]) -> None:
    x, y = walk["x"], walk["y"]
    assert x.min() >= 0 and x.max() < 1 and y.min() >= 0 and y.max() < 1
    visited, _, _ = np.histogram2d(x, y, bins=8, range=[[0, 1], [0, 1]])
    assert (visited > 0).all()
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    share = (edge < 0.1).mean()
    assert 0.36 < share < 0.65  # 0.36 of the area: rats keep to walls (thigmotaxis)


def test_walls_turn_the_animal_before_it_hits_them() -> None:
    """Control: without the wall's turn it bumps into the wall more often."""

    def bumps(turn: float) -> int:
        gait = replace(RAT, wall_turn_rad_per_s=turn)
        path = random_walk(60_000, 10.0, width_m=1, height_m=1, seed=6, gait=gait)
        heading = np.arctan2(*np.diff(path, axis=0).T[::-1])
        swing = np.abs(np.angle(np.exp(1j * np.diff(heading))))
        return int((swing > np.radians(20)).sum())  # only a bounce turns so far in 10 ms

    with_turn, without = bumps(RAT.wall_turn_rad_per_s), bumps(0.0)
    assert without > 20
    assert with_turn < 0.6 * without


def test_speed_and_heading_tell_the_steps(walk: dict[str, np.ndarray]) -> None:
    """Adding up speed and heading leads back to every position."""
    step = walk["speed"] * 10.0
    for axis, share in (("x", np.cos(walk["heading"])), ("y", np.sin(walk["heading"]))):
        led = walk[axis][0] + np.concatenate([[0], np.cumsum(step * share)])[:-1]
        assert led == pytest.approx(walk[axis], abs=1e-6)


def test_the_mean_speed_is_a_setting() -> None:
    slow = arena_path(duration_ms=2e5, seed=1, speed=m_per_s(0.05)).signals["speed"]
    assert slow.unit == "m/ms"
    assert 1000 * slow.values.mean() == pytest.approx(0.05, rel=0.15)
    still = arena_path(duration_ms=2e3, seed=1, speed=m_per_s(0)).signals
    assert not still["speed"].values.any()
    assert not still["heading"].values.any()
    assert np.ptp(still["x"].values) == 0


def test_a_recorded_path_is_followed(tmp_path: Path) -> None:
    """East at 0.2 m/s, then north at 0.1 m/s, then it stays: between rows, straight lines."""
    file = tmp_path / "path.csv"
    file.write_text(
        "\ufefft, y ,x,note\n5,0.1,0.1,begin\n6,0.1,0.3,\n\n8,0.3,0.3,end\n", encoding="utf-8"
    )
    encoding = arena_path(duration_ms=4000, seed=1, file=str(file), every=ms(100), width=m(0.5))
    x, y, speed, heading = (encoding.signals[k].values for k in ("x", "y", "speed", "heading"))
    assert x[[0, 5, 10, 39]] == pytest.approx([0.1, 0.2, 0.3, 0.3])
    assert y[[0, 10, 20, 30]] == pytest.approx([0.1, 0.1, 0.2, 0.3])
    assert 1000 * speed[[0, 15, 35]] == pytest.approx([0.2, 0.1, 0.0])
    assert heading[[0, 15, 35]] == pytest.approx([0, np.pi / 2, np.pi / 2])
    assert encoding.duration_ms == 3000
