"""Kernels run as plain Python do what compiled ones do."""

from __future__ import annotations

import numpy as np

from neuro import Background, Network, Population, Projection, Record, Recording, simulate
from neuro.models import ADEX, LIF, POISSON
from neuro.synapses import EXPONENTIAL_CONDUCTANCE, STDP_ADDITIVE
from neuro.units import Hz, mV, nS, pA
from neuro.wiring import Pairwise
from tests.backends._plain import plain_kernels


def test_a_plain_kernel_gives_the_spikes_of_the_compiled_one() -> None:
    network = Network(
        populations=(
            Population("noise", POISSON, 6, {"rate": Hz(100)}),
            Population("cells", ADEX, 5, {"I_ext": pA(600)}),
            Population("last", LIF, 3, {"I_ext": pA(400)}),
        ),
        projections=(
            Projection("a", "noise", "cells", STDP_ADDITIVE, Pairwise(0.5), nS(4), 1.0),
            Projection("b", "cells", "last", EXPONENTIAL_CONDUCTANCE, Pairwise(0.9), nS(3), 1.5,
                       {"E_rev": mV(0)}),
        ),
        backgrounds=(Background("input", "last", EXPONENTIAL_CONDUCTANCE, Hz(2000), nS(1), 1,
                                {"E_rev": mV(0)}),),
    )  # fmt: skip
    compiled = _run(network)
    with plain_kernels() as sources:
        plain = _run(network)
    assert len(sources) == 1
    assert min(len(compiled.spikes[name].times_ms) for name in ("cells", "last")) > 3
    for name, spikes in compiled.spikes.items():
        assert np.array_equal(spikes.times_ms, plain.spikes[name].times_ms)
        assert np.array_equal(spikes.units, plain.spikes[name].units)
    for name, trace in compiled.traces.items():
        assert np.allclose(trace.data, plain.traces[name].data, rtol=1e-4)


def _run(network: Network) -> Recording:
    record = [Record("cells", "v", 1.0), Record("a", "w", 10.0)]
    return simulate(network, duration_ms=40, seed=3, backend="numba", record=record)
