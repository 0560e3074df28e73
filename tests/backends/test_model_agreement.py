"""Every registered neuron and synapse gives the same on numba and brian, spike for spike."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
from scipy.stats import ks_2samp

from neuro import Network, Population, Record, Recording, simulate
from neuro.models import GIF, MODELS
from neuro.synapses import SYNAPSES
from neuro.units import pA
from tests.backends._models import MODELLED
from tests.backends._networks import DETERMINISTIC, noisy
from tests.backends._plain import plain_kernels
from tests.backends.test_agreement import disagreement

COMPARTMENTS = ("membranes", "cochlear_nucleus")
"""Brian2 takes seconds to derive each of their steps, and Numba ten to compile them; so numba's
printed code runs as plain Python. `test_compare_networks.py` compiles a model of this kind."""


def run(name: str, backend: str) -> Recording:
    network = MODELLED[name]()
    records = [Record(population.name, "v", 0.5) for population in network.populations]
    return simulate(network, duration_ms=60, seed=3, backend=backend, record=records)


@pytest.mark.parametrize(
    "name",
    [
        "points",
        "receptors",
        "driven_in_stages",
        *(pytest.param(n, marks=pytest.mark.slow) for n in COMPARTMENTS),
    ],
)
def test_models_agree_spike_for_spike(name: str, exact: None) -> None:
    with plain_kernels() if name in COMPARTMENTS else nullcontext():
        ours = run(name, "numba")
    reference = run(name, "brian")
    assert disagreement(ours, reference) == []
    for population in MODELLED[name]().populations:
        if population.model.threshold:
            assert len(reference.spikes[population.name]) >= 5  # silence agrees with anything
    assert len({tuple(s.times_ms) for s in reference.spikes.values()}) == len(reference.spikes)


def test_chance_is_alike_on_both() -> None:
    """The time of the fifth spike of each of 300 independent cells.

    Kolmogorov-Smirnov rejects a true null at 0.001 once in a thousand seeds; 3 % more current
    is told apart.
    """

    def fifth(backend: str, current: float) -> np.ndarray:
        network = Network("gif", (Population("gif", GIF, 300, {"I_ext": pA(current)}),))
        run = simulate(network, duration_ms=400, seed=0, backend=backend)
        return np.array([run.spikes["gif"].of(k)[4] for k in range(300)])

    ours, reference = fifth("numba", 200), fifth("brian", 200)
    assert len(set(reference)) > 30  # it is spread out
    assert ks_2samp(ours, reference, method="asymp").pvalue > 0.001
    assert ks_2samp(fifth("numba", 206), reference, method="asymp").pvalue < 0.001


def test_nothing_that_is_registered_is_left_out() -> None:
    """Each text is compared; models that differ by their parameters alone have one text."""
    networks = [make() for make in (*DETERMINISTIC.values(), *MODELLED.values(), noisy)]
    compared = {p.model.equations for network in networks for p in network.populations}
    assert [name for name in MODELS if MODELS[name].equations not in compared] == []
    synapses = {p.synapse.name for network in networks for p in network.projections}
    static = [name for name in SYNAPSES if not SYNAPSES[name].edges]
    assert [name for name in static if name not in synapses] == []
