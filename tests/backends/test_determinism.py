"""One seed, the same spikes: twice, on any number of threads, in a fresh process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuro import Background, Network, Population, Projection, Record, Recording, Uniform, simulate
from neuro.models import LIF, POISSON
from neuro.simulate import prepare, run_built
from neuro.sink import MemorySink
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.units import Hz, ms, mV, pA
from neuro.wiring import Pairwise
from tests.backends import _networks as networks
from tests.backends._plastic import PLASTIC, RECORDS


def background() -> Network:
    """Cells under Poisson background instead of Poisson cells."""
    noise = Background("noise", "e", EXPONENTIAL_CURRENT, Hz(8), pA(60), n=200)
    return replace(networks.cuba(), backgrounds=(noise,))


def noisy(shortest_ms: float = 0.5, longest_ms: float = 4.0) -> Network:
    """Cells under the spikes of Poisson cells, and of each other; a kernel that compiles soon."""
    delay = Uniform(ms(shortest_ms), ms(longest_ms))
    return Network(
        "noisy",
        (
            Population("e", LIF, 160, {"I_ext": pA(500)}, {"v": Uniform(mV(-70), mV(-50))}),
            Population("p", POISSON, 50, {"rate": Hz(40)}),
        ),
        projections=(
            Projection("ee", "e", "e", EXPONENTIAL_CURRENT, Pairwise(0.1), pA(-30), delay),
            Projection("pe", "p", "e", EXPONENTIAL_CURRENT, Pairwise(0.2), pA(100), delay),
        ),
    )


def digest(recording: Recording) -> str:
    parts = hashlib.sha256()
    for name, spikes in sorted(recording.spikes.items()):
        parts.update(name.encode() + spikes.times_ms.tobytes() + spikes.units.tobytes())
    for name, course in sorted(recording.modulators.items()):
        parts.update(name.encode() + np.ascontiguousarray(course.values).tobytes())
    for name, trace in sorted(recording.traces.items()):
        parts.update(name.encode() + np.ascontiguousarray(trace.data).tobytes())
    return parts.hexdigest()


def run(**options: object) -> Recording:
    return simulate(noisy(), duration_ms=200, seed=5, **options)


def test_the_same_seed_gives_the_same_spikes_and_another_seed_others() -> None:
    first, again = run(), run()
    assert len(first.spikes["e"]) > 100
    assert digest(first) == digest(again)
    other = simulate(noisy(), duration_ms=200, seed=6)
    assert digest(other) != digest(first)


def test_threads_change_nothing() -> None:
    assert digest(run(threads=1)) == digest(run(threads=2))


NETWORKS: dict[str, Callable[[], Network]] = {
    **PLASTIC, "background": background, "noisy": noisy,
}  # fmt: skip


def recorded(name: str) -> Sequence[Record]:
    """What other tests record of the plastic networks, so that one kernel serves them all."""
    return RECORDS.get(name, ())


@pytest.mark.parametrize("name", ["learning", "odd", "background"])
def test_threads_change_nothing_in_plastic_and_background_networks(name: str, exact: None) -> None:
    runs = [
        simulate(NETWORKS[name](), duration_ms=200, seed=5, threads=n, record=recorded(name))
        for n in (1, 2, 3)
    ]
    assert len(runs[0].spikes["e"]) > 50
    assert len({digest(run) for run in runs}) == 1


@pytest.mark.parametrize("name", ["noisy", "learning", "background"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_checkpoint_changes_nothing(name: str, threads: int) -> None:
    """Stop within delays, releases and refractory periods; go on with other threads."""
    built = prepare(NETWORKS[name](), seed=5)
    names, record = [p.name for p in built.populations], recorded(name)
    # In each network's precision of other tests, so that one kernel serves them all.
    options = {} if name == "noisy" else {"precision": "float64"}
    whole, parts = MemorySink(names, len(record)), MemorySink(names, len(record))
    run_built(built, whole, duration_ms=200, record=record, options=options)
    kept: dict[str, object] = {}
    run_built(
        built, parts, duration_ms=77.7, record=record, options=options,
        checkpoint=lambda state: kept.update(state()),
    )  # fmt: skip
    assert kept["step"] == 777
    run_built(
        built, parts, duration_ms=200, resume=kept, threads=threads, record=record,
        options=options,
    )  # fmt: skip
    for each in names:
        for mine, theirs in zip(parts.spikes_of(each), whole.spikes_of(each), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert whole.spikes_of("e")[0].size > 50


def test_long_delays_let_blocks_run_apart_and_change_nothing() -> None:
    """With every delay of 3 ms, blocks meet every 30 steps only."""
    network = noisy(shortest_ms=3.0, longest_ms=3.0)
    runs = [simulate(network, duration_ms=200, seed=5, threads=n) for n in (1, 2)]
    assert len(runs[0].spikes["e"]) > 100
    assert digest(runs[0]) == digest(runs[1])


def test_recording_more_changes_nothing() -> None:
    watched = run(record=[Record("e", "v", 0.1), Record("e", "I", 5.0)], every_ms=7.0)
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
    assert list(tmp_path.glob("code-*"))  # it did not use another cache


def test_a_population_added_beside_does_not_disturb_the_others() -> None:
    """Streams belong to names, so noise and wiring of the rest stay as they were."""
    base = noisy()
    more = replace(base, populations=(Population("aside", POISSON, 7), *base.populations))
    with_it = simulate(more, duration_ms=200, seed=5)
    assert with_it.spikes["e"] == run().spikes["e"]
    assert len(with_it.spikes["aside"]) > 0
