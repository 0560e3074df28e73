"""A small run made by hand, so that files are tested without an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuro.recording import Course, Recording, Trace
from neuro.signal import Signal
from neuro.spikes import Spikes
from sims.result import Provenance, Run
from sims.store import write_run

RESOLVED = {
    "name": "tiny",
    "seed": 7,
    "duration": "100 ms",
    "stimulus": {"sound": {"level": "85 dB", "channels": [1, 2.5, None, True]}},
}


def tiny_run() -> Run:
    """Two populations and a silent one, traces, a modulator, its effect, a stereo sound."""
    rng = np.random.default_rng(7)
    every_ms, n_frames = 0.1, 1000
    bushy = Spikes(rng.uniform(0, 100, 3000), rng.integers(0, 5, 3000), n_units=6, t_stop_ms=100)
    # Thirds and sevenths: times that a float32 or a text would lose.
    nerve = Spikes(
        np.arange(1, 40) / 3 + 1 / 7, np.arange(39) % 3, n_units=4, t_start_ms=0.25, t_stop_ms=100
    )
    silent = Spikes([], [], n_units=3, t_stop_ms=100)
    voltages = rng.normal(-65, 5, (n_frames, 2))
    return Run(
        recording=Recording(
            duration_ms=100.0,
            dt_ms=0.1,
            seed=7,
            backend="numba",
            spikes={"sound_nerve": nerve, "bushy": bushy, "amygdala": silent},
            traces={
                "bushy.v": Trace("bushy", "v", "mV", np.array([4, 0]), every_ms, voltages),
                "bushy.I": Trace("bushy", "I", "pA", np.array([1]), 1.0, np.full((100, 1), 250.0)),
            },
            modulators={
                "noradrenaline": Course("noradrenaline", "nM", 1.0, 10 + rng.exponential(20, 100))
            },
            factors={"bushy.g": Course("bushy.g", "1", 1.0, rng.uniform(1, 1.4, 100))},
            timings={"build": 0.1, "compile": 2.0 / 3.0, "simulate": 0.3},
        ),
        provenance=Provenance(
            name="tiny",
            config_text="name: tiny  # µ, ä and 音\nseed: 7\n",
            config_path="configs/tiny.yaml",
            overrides=("duration=100 ms", "seed=7"),
            resolved=RESOLVED,
            config_hash="0123abcd",
            versions={"python": "3.11.7", "ember-neuro": "0.1.0"},
            git_commit="",
            created="2025-01-01T00:00:00+00:00",
            peak_memory_bytes=123_456_789,
        ),
        signals={
            "sound.waveform": Signal(rng.normal(0, 0.1, (1600, 2)), 1 / 16, "Pa"),
            "heat.temperature": Signal([32.0, 48.0], 50.0, "degC"),
        },
        coordinates={
            "sound_nerve": {"cf_hz": np.array([125.0, 500.0, 2000.0, 8000.0])},
            "bushy": {"cf_hz": np.geomspace(100, 9000, 6), "x_m": np.arange(6) * 1e-5},
        },
    )


@pytest.fixture
def run() -> Run:
    """The small run."""
    return tiny_run()


@pytest.fixture
def run_file(run: Run, tmp_path: Path) -> Path:
    """The small run, written."""
    return write_run(tmp_path / "tiny.h5", run)


@pytest.fixture(scope="session")
def assert_same_run() -> Callable[[Run, Run], None]:
    """A comparator that takes two runs apart and compares every array bit for bit."""
    return check_same_run


def check_same_run(a: Run, b: Run) -> None:
    assert a.provenance == b.provenance
    for name in ("duration_ms", "dt_ms", "seed", "backend", "timings"):
        assert getattr(a.recording, name) == getattr(b.recording, name), name
    assert list(a.recording.spikes.items()) == list(b.recording.spikes.items())  # order, too
    _same_parts(a.recording.traces, b.recording.traces, arrays=("cells", "data"))
    _same_parts(a.recording.modulators, b.recording.modulators, arrays=("values",))
    _same_parts(a.recording.factors, b.recording.factors, arrays=("values",))
    _same_parts(a.signals, b.signals, arrays=("values",))
    assert list(a.coordinates) == list(b.coordinates)
    for population, coordinates in a.coordinates.items():
        assert list(coordinates) == list(b.coordinates[population])
        for name, values in coordinates.items():
            _same_array(values, b.coordinates[population][name])


def _same_parts(a: Mapping[str, Any], b: Mapping[str, Any], *, arrays: tuple[str, ...]) -> None:
    assert list(a) == list(b)
    for key, part in a.items():
        for name in vars(part):
            ours, theirs = getattr(part, name), getattr(b[key], name)
            if name in arrays:
                _same_array(ours, theirs)
            else:
                assert ours == theirs, (key, name)


def _same_array(a: NDArray[Any], b: NDArray[Any]) -> None:
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    assert a.tobytes() == b.tobytes()
