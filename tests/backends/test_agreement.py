"""Numba against Brian2: spike for spike where nothing is random.

Where something is, `test_compare_networks.py` compares what both do over seeds.
"""

from __future__ import annotations

import numpy as np
import pytest

from neuro import Record, Recording, Spikes, simulate
from tests.backends import _networks as networks

RECORDS = {
    "cuba": [Record("e", "v", 0.5, (0, 1, 7)), Record("e", "I", 1.0, (0,))],
    "coba": [Record("e", "v", 0.5, (0, 1, 7)), Record("e", "w")],
    "driven": [Record("a", "v", 0.5), Record("a", "I_wave", 1.0, (3,))],
}


def disagreement(a: Recording, b: Recording) -> list[str]:
    """What differs between two recordings of one deterministic network; empty if nothing does.

    Voltages may differ by the rounding of 1e4 steps in double precision: each adds at most a few
    ulp (1e-14 mV), and the leak contracts what has gathered, so 1e-9 mV is generous and still
    far below the effect of any one synaptic event.
    """
    found = [f"spikes of {name}" for name in a.spikes if a.spikes[name] != b.spikes[name]]
    for kind in ("traces", "modulators", "factors"):
        ours, theirs = getattr(a, kind), getattr(b, kind)
        if set(ours) != set(theirs):
            found.append(f"names of {kind}")
        for name in set(ours) & set(theirs):
            x = getattr(ours[name], "data", getattr(ours[name], "values", None))
            y = getattr(theirs[name], "data", getattr(theirs[name], "values", None))
            if x.shape != y.shape or not np.allclose(x, y, rtol=1e-9, atol=1e-9):
                found.append(f"{kind} {name}")
    return found


@pytest.mark.parametrize("name", networks.DETERMINISTIC)
def test_deterministic_networks_agree_spike_for_spike(name: str, exact: None) -> None:
    network = networks.DETERMINISTIC[name]()
    runs = [
        simulate(network, duration_ms=300, seed=3, backend=b, record=RECORDS[name])
        for b in ("numba", "brian")
    ]
    assert disagreement(*runs) == []
    for population in network.populations:
        assert runs[0].spikes[population.name].rate_hz > 1  # silence agrees with anything
    if name != "driven":
        assert runs[0].factors["reasoner.budget"].values.min() < 0.95  # modulation was at work


def test_the_comparator_sees_a_known_difference(exact: None) -> None:
    """One spike moved by a step, a trace off by a microvolt, a scaled concentration."""
    network = networks.cuba()
    run = simulate(network, duration_ms=100, seed=3, record=RECORDS["cuba"])

    def changed(**parts: object) -> Recording:
        return Recording(**{**vars(run), **parts})

    old = run.spikes["e"]
    times = old.times_ms.copy()
    times[5] += 0.1
    moved = Spikes(times, old.units, n_units=old.n_units, t_stop_ms=old.t_stop_ms)
    assert disagreement(run, changed(spikes={**run.spikes, "e": moved})) == ["spikes of e"]
    trace = run.traces["e.v"]
    off = type(trace)(**{**vars(trace), "data": trace.data + 1e-3})
    assert disagreement(run, changed(traces={**run.traces, "e.v": off})) == ["traces e.v"]
    course = run.modulators["na"]
    scaled = type(course)(**{**vars(course), "values": course.values * 1.001})
    assert disagreement(run, changed(modulators={"na": scaled})) == ["modulators na"]


def test_poisson_cells_are_poisson(backend: str) -> None:
    """Counts in 100 ms windows: mean = variance = rate x window, within 5 standard errors."""
    from neuro import Network, Population
    from neuro.models import POISSON
    from neuro.units import Hz

    network = Network("p", (Population("p", POISSON, 400, {"rate": Hz(50)}),))
    spikes = simulate(network, duration_ms=1000, dt_ms=0.1, backend=backend, seed=2).spikes["p"]
    window = np.floor(spikes.times_ms / 100).astype(int)
    counts = np.zeros((400, 10))
    np.add.at(counts, (spikes.units, window), 1)
    mean = 50 * 0.1
    assert abs(counts.mean() - mean) < 5 * np.sqrt(mean / counts.size)
    # Var of the sample variance of a Poisson count is about 2 mean^2 / n; bins of dt lose 0.5 %.
    assert abs(counts.var() - mean * (1 - 0.005)) < 5 * np.sqrt(2 * mean**2 / counts.size)
