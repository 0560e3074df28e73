"""One seed, the same spikes: twice, on any number of threads, in a fresh process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from neuro import Record, Recording, simulate
from tests.backends import _networks as networks


def digest(recording: Recording) -> str:
    parts = hashlib.sha256()
    for name, spikes in sorted(recording.spikes.items()):
        parts.update(name.encode() + spikes.times_ms.tobytes() + spikes.units.tobytes())
    for name, course in sorted(recording.modulators.items()):
        parts.update(name.encode() + np.ascontiguousarray(course.values).tobytes())
    return parts.hexdigest()


def run(**options: object) -> Recording:
    return simulate(networks.noisy(), duration_ms=200, seed=5, **options)


def test_the_same_seed_gives_the_same_spikes_and_another_seed_others() -> None:
    first, again = run(), run()
    assert len(first.spikes["e"]) > 100
    assert digest(first) == digest(again)
    other = simulate(networks.noisy(), duration_ms=200, seed=6)
    assert digest(other) != digest(first)


def test_threads_change_nothing() -> None:
    assert digest(run(threads=1)) == digest(run(threads=2))


def test_recording_more_changes_nothing() -> None:
    watched = run(record=[Record("e", "v", 0.1), Record("i", "I", 5.0)], every_ms=7.0)
    assert watched.traces["e.v"].data.shape == (2000, 160)
    assert watched.spikes["e"] == run().spikes["e"]


def test_a_fresh_process_with_an_empty_cache_gives_the_same_spikes(tmp_path: Path) -> None:
    code = "from tests.backends.test_determinism import digest, run\nprint(digest(run(threads=2)))"
    here = str(Path(__file__).parents[2])
    environment = os.environ | {"EMBER_CACHE": str(tmp_path), "PYTHONPATH": here}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == digest(run())
    assert list(tmp_path.glob("kernels/*/kernel_*.py"))  # it did not use another cache


def test_a_population_added_beside_does_not_disturb_the_others() -> None:
    """Streams belong to names, so noise and wiring of the rest stay as they were."""
    from dataclasses import replace

    from neuro import Population
    from neuro.models import POISSON

    base = networks.noisy()
    more = replace(base, populations=(Population("aside", POISSON, 7), *base.populations))
    with_it = simulate(more, duration_ms=200, seed=5)
    assert with_it.spikes["e"] == run().spikes["e"]
    assert len(with_it.spikes["aside"]) > 0
