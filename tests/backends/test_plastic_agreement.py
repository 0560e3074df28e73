"""Synapses with states of their own: numba against Brian2, spike for spike, weight for weight."""

from __future__ import annotations

import numpy as np
import pytest

from neuro import Recording, simulate
from neuro.recording import Trace
from tests.backends._plastic import PLASTIC, RECORDS
from tests.backends.test_agreement import disagreement

WEIGHTS = {"learning": ("ee", "reward", "ie", "si"), "odd": ("ei", "scaled")}


@pytest.mark.parametrize("name", PLASTIC)
def test_plastic_networks_agree_weight_for_weight(name: str, exact: None) -> None:
    network = PLASTIC[name]()
    runs = [
        simulate(network, duration_ms=300, seed=3, backend=b, record=RECORDS[name])
        for b in ("numba", "brian")
    ]
    assert disagreement(*runs) == []
    reference = runs[1]
    for population in network.populations:
        assert reference.spikes[population.name].rate_hz > 1  # silence agrees with anything
    for factor in reference.factors.values():
        assert np.ptp(factor.values) > 0.02  # modulation was at work
    for projection in WEIGHTS[name]:  # and so was plasticity, in every projection
        data = reference.traces[f"{projection}.w"].data
        assert np.abs(data[-1] - data[0]).max() > 1e-3 * np.abs(data[0]).max()


def test_the_comparator_sees_one_weight_of_one_synapse() -> None:
    """A thousandth of one weight in the last frame is found."""
    run = simulate(PLASTIC["odd"](), duration_ms=20, seed=3, backend="brian", record=RECORDS["odd"])
    trace = run.traces["ei.w"]
    data = trace.data.copy()
    data[-1, 5] *= 1.001
    off = Trace(**{**vars(trace), "data": data})
    other = Recording(**{**vars(run), "traces": {**run.traces, "ei.w": off}})
    assert disagreement(run, other) == ["traces ei.w"]
