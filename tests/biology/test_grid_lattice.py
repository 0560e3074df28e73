"""The lattice of grid cells and the layout of place cells, measured from spikes alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from circuits.hippocampus import grid_cells, place_cells
from encoders import arena_path
from neuro.measures import positions_at
from neuro.signal import Signal
from neuro.spikes import Spikes
from neuro.units import m, ms
from tests.biology._stimuli import run

Array = NDArray[np.float64]
WALK_MS, DT_MS, PER_MODULE = 400_000.0, 2.0, 6


@pytest.fixture(scope="module")
def walk() -> dict[str, Signal]:
    return dict(arena_path(duration_ms=WALK_MS, seed=11, every=ms(10)).signals)


@pytest.fixture(scope="module")
def grid(walk: dict[str, Signal]) -> Spikes:
    """Two modules, 0.3 and 0.426 m by default, of six cells each."""
    circuit = grid_cells(walk["x"], walk["y"], n_modules=2, cells_per_module=PER_MODULE)
    return run(circuit, sources=[], duration_ms=WALK_MS, dt_ms=DT_MS, seed=2).spikes["grid"]


EDGES = np.linspace(0, 1, 51)


def fired(spikes: Array, walk: dict[str, Signal]) -> Array:
    """Where a cell spikes less where the time is spent, each a mean, in bins of 2 cm.

    A cell without a place has none. A bin is far below half the shortest wave of 17 cm.
    """
    x, y = walk["x"].values, walk["y"].values
    spiking, spent = (
        np.histogram2d(*at, bins=(EDGES, EDGES))[0]
        for at in (positions_at(spikes, x, y, dt_ms=walk["x"].dt_ms), (x, y))
    )
    return np.asarray(spiking / spiking.sum() - spent / spent.sum())


def waves(rate: Array, k: Array) -> Array:
    """Fourier sum of what `fired` found at each wave vector of `k` `(n, 2)`, in 1/m; complex."""
    at = EDGES[:-1] + 0.01
    along, across = (np.exp(-1j * np.outer(k[:, axis], at)) for axis in (0, 1))
    return np.asarray(((along @ rate) * across).sum(axis=1))


def lattice(rates: list[Array]) -> tuple[float, float]:
    """Spacing (m) and orientation (rad, of 60°) of the hexagonal lattice that fits cells best.

    A lattice of spacing s is three plane waves of length 4 pi/(sqrt(3) s), 60° apart.
    """
    spacings, angles = np.arange(0.2, 0.7, 0.01), np.arange(0, np.pi / 3, np.radians(1.5))
    strength = np.zeros((spacings.size, angles.size))
    for i, spacing in enumerate(spacings):
        length = 4 * np.pi / (np.sqrt(3) * spacing)
        for turn in (0, np.pi / 3, -np.pi / 3):
            k = length * np.stack([np.cos(angles + turn), np.sin(angles + turn)], axis=1)
            strength[i] += sum(np.abs(waves(rate, k)) ** 2 for rate in rates)
    i, j = np.unravel_index(strength.argmax(), strength.shape)
    return float(spacings[i]), float(angles[j])


def turned(angle: float, other: float) -> float:
    """How far two orientations of a six-fold lattice are apart."""
    return abs((angle - other + np.pi / 6) % (np.pi / 3) - np.pi / 6)


def test_fields_lie_a_spacing_apart_and_a_module_has_one_orientation(
    grid: Spikes, walk: dict[str, Signal]
) -> None:
    """0.3 m, and 1.42 times it in the next module (Stensola et al. 2012), from the spikes.

    Within a module each cell's own lattice is turned like that of all (to 5°).
    """
    # From 0 between fields to 20 Hz at a vertex; three plane waves leave a third on the mean.
    assert grid.rate_hz == pytest.approx(20 / 3, rel=0.05)
    found = []
    for module, spacing in enumerate((0.3, 0.3 * 1.42)):
        rates = [fired(grid.of(module * PER_MODULE + k), walk) for k in range(PER_MODULE)]
        common, angle = lattice(rates)
        assert common == pytest.approx(spacing, rel=0.05)
        alone = [lattice([rate]) for rate in rates[:4]]
        assert max(turned(own, angle) for _, own in alone) < np.radians(5)
        found.append(angle)
    # Control: the path alone, with spikes anywhere on it, fits no lattice like the cells do.
    shuffled = fired(np.sort((grid.of(0) + 137_000.0) % WALK_MS), walk)
    best, angle = lattice([shuffled])
    k = 4 * np.pi / (np.sqrt(3) * best) * np.array([[np.cos(angle), np.sin(angle)]])
    of_cell = 4 * np.pi / (np.sqrt(3) * 0.3) * np.array([[np.cos(found[0]), np.sin(found[0])]])
    strength = abs(waves(fired(grid.of(0), walk), of_cell)[0])
    assert abs(waves(shuffled, k)[0]) < 0.5 * strength


def test_cells_of_a_module_differ_in_phase_alone(grid: Spikes, walk: dict[str, Signal]) -> None:
    """The phase of each wave is uniform over cells: no two fall together, none is preferred."""
    rates = [fired(grid.of(cell), walk) for cell in range(PER_MODULE)]
    _, angle = lattice(rates)
    length = 4 * np.pi / (np.sqrt(3) * 0.3)
    k = length * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle + np.pi / 6), 0]])
    k[1] = length * np.array([np.cos(angle + np.pi / 3), np.sin(angle + np.pi / 3)])
    phases = np.array([np.angle(waves(rate, k)) for rate in rates])
    apart = np.abs(np.angle(np.exp(1j * (phases[:, None] - phases[None, :])))).max(axis=2)
    assert apart[~np.eye(PER_MODULE, dtype=bool)].min() > np.radians(20)
    # A shared phase would make this 1; six uniform ones leave 0.41 on average.
    assert np.abs(np.exp(1j * phases).mean(axis=0)).max() < 0.85


def test_place_fields_cover_the_arena_evenly(walk: dict[str, Signal]) -> None:
    """Mean position of each cell's spikes, its own field: every quarter of a quarter has some."""
    circuit = place_cells(walk["x"], walk["y"], walk["heading"], n_cells=60)
    spikes = run(circuit, sources=[], duration_ms=WALK_MS, dt_ms=DT_MS, seed=1).spikes["place"]
    x, y = walk["x"].values, walk["y"].values
    heard = [k for k in range(60) if spikes.of(k).size > 20]
    assert len(heard) > 45
    centres = np.array([
        [np.median(c) for c in positions_at(spikes.of(k), x, y, dt_ms=walk["x"].dt_ms)]
        for k in heard
    ])  # fmt: skip
    counts = np.histogram2d(centres[:, 0], centres[:, 1], bins=4, range=[[0, 1], [0, 1]])[0]
    assert (counts > 0).sum() >= 13  # of 16; points on a line reach 4 to 7
    assert abs(np.corrcoef(centres.T)[0, 1]) < 0.4


def test_place_cells_lock_to_theta_as_strongly_as_their_concentration_says() -> None:
    """Standing still, phases are von Mises with kappa 1.5: vector strength I1/I0 = 0.596.

    0.3 to 0.6 is what place cells show; a cell without locking has none.
    """
    still = {
        name: Signal(np.full(12_000, value), 5.0, unit)
        for name, value, unit in (("x", 0.5, "m"), ("y", 0.5, "m"), ("heading", 0.0, "rad"))
    }
    found = {}
    for kappa in (None, 0.0):
        settings = {} if kappa is None else {"locking": kappa}
        circuit = place_cells(*still.values(), n_cells=8, field_sd=m(1), **settings)
        spikes = run(circuit, sources=[], duration_ms=60_000, dt_ms=1.0, seed=4).spikes["place"]
        # Each cell prefers a phase of its own, by where in its field the animal stands.
        strengths = [np.abs(np.exp(2j * np.pi * 8 * spikes.of(k) / 1000).mean()) for k in range(8)]
        assert all(spikes.of(k).size > 200 for k in range(8))
        found[kappa] = np.array(strengths)
    assert found[None].mean() == pytest.approx(0.596, abs=0.03)
    assert found[0.0].max() < 0.1
