"""What a variable is called changes nothing, and names have three owners that never meet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from neuro import (
    Background,
    Network,
    NeuronModel,
    Population,
    Projection,
    Record,
    Source,
    Spikes,
    SynapseModel,
    simulate,
)
from neuro.errors import NetworkError
from neuro.models import LIF
from neuro.simulate import prepare
from neuro.synapses import EXPONENTIAL_CONDUCTANCE, EXPONENTIAL_CURRENT, GAP_JUNCTION
from neuro.units import Hz, Quantity, ms, mV, nS, pA, parse_quantity, pF
from neuro.wiring import AllToAll, OneToOne
from tests.backends._plain import plain_kernels


@pytest.fixture(params=["numba", "brian", "norse"])
def backend(request: pytest.FixtureRequest, exact: None) -> str:
    return str(request.param)


R = parse_quantity("100 Mohm")
MEMBRANE = NeuronModel(
    "membrane", "dv/dt = (-v + R*I)/tau_m : volt", parameters={"R": R, "tau_m": ms(10)}
)


@pytest.fixture(autouse=True)
def sources() -> Iterator[list[str]]:
    """Kernels of numba run as plain Python; their sources."""
    with plain_kernels() as found:
        yield found


def spiking(state: str) -> NeuronModel:
    return NeuronModel(
        "spiking",
        f"d{state}/dt = (E_L - {state} + R*I)/tau : volt (unless refractory)",
        threshold=f"{state} > V_th", reset=f"{state} = E_L", refractory="t_ref",
        parameters={"E_L": mV(-70), "V_th": mV(-50), "R": R, "tau": ms(10), "t_ref": ms(2),
                    "I_ext": pA(300)},
        initial={state: "E_L"},
    )  # fmt: skip


@pytest.mark.parametrize("state", ["V", "last", "fired", "F", "select", "awake", "j", "xif", "k0"])
def test_a_state_may_have_the_name_of_a_kernel_s_variable(state: str, backend: str) -> None:
    """7 spikes of each cell: one each time 2 ms and tau*ln(3) are over, in whole steps."""
    network = Network("n", (Population("cells", spiking(state), 5),))
    run = simulate(network, duration_ms=100, backend=backend)
    interval_ms = 2 + 10 * np.log(30 / 10)
    assert len(run.spikes["cells"].times_ms) == 5 * int(100 / interval_ms) == 35


@pytest.mark.parametrize("trace", ["trace", "step", "target", "weight", "updated", "elapsed", "j"])
def test_an_edge_variable_may_have_the_name_of_a_kernel_s_array(trace: str, backend: str) -> None:
    synapse = SynapseModel(
        "tracing", "", "", f"{trace} += 1; v += w*{trace}", mV(1),
        edges=f"d{trace}/dt = -{trace}/(20*ms) : 1 (event-driven)",
    )  # fmt: skip
    times = np.arange(10.0, 60.0, 10.0)
    network = Network(
        "n", (Population("cell", MEMBRANE, 1),),
        (Source("s", Spikes(times, np.zeros(5, int), n_units=1, t_stop_ms=60)),),
        (Projection("p", "s", "cell", synapse, OneToOne(), mV(1), ms(1)),),
    )  # fmt: skip
    run = simulate(network, duration_ms=60, backend=backend, record=[Record("cell", "v", 1.0)])
    arrivals = times + 1.0
    traces = [np.exp(-(t - arrivals[arrivals <= t]) / 20).sum() for t in arrivals]
    # A sample is taken before the step, and what arrives in a step is there after it.
    since = 53.0 - 0.1 - arrivals
    expected = sum(s * np.exp(-t / 10) for s, t in zip(traces, since, strict=True) if t >= 0)
    assert run.traces["cell.v"].data[53, 0] == pytest.approx(expected, rel=1e-3)


def _driven(model: NeuronModel, synapse: SynapseModel, weight: Quantity) -> Network:
    times = Spikes(np.array([5.0]), np.array([0]), n_units=1, t_stop_ms=100)
    return Network(
        "n", (Population("cell", model, 1),), (Source("s", times),),
        (Projection("p", "s", "cell", synapse, OneToOne(), weight, ms(1)),),
    )  # fmt: skip


def test_a_neuron_s_tau_1_is_not_the_synapse_s(backend: str) -> None:
    """The peak of two exponentials in a row: R w (tau_s/tau_m)^(tau_m/(tau_m - tau_s))."""
    model = NeuronModel(
        "m", "dv/dt = (-v + R*I)/tau_1 : volt", parameters={"R": R, "tau_1": ms(20)}
    )
    network = _driven(model, EXPONENTIAL_CURRENT, pA(100))
    run = simulate(network, duration_ms=60, backend=backend, record=[Record("cell", "v", 0.1)])
    peak = 10 * (5 / 20) ** (20 / 15)
    assert peak == pytest.approx(1.575, abs=1e-3)
    assert run.traces["cell.v"].data.max() == pytest.approx(peak, rel=1e-3)


def test_a_neuron_s_E_rev_1_and_g_1_are_not_the_synapse_s(backend: str) -> None:
    model = NeuronModel(
        "m",
        "dv/dt = (g_L*(E_rev_1 - v) + I)/C : volt\ndg_1/dt = -g_1/tau_1 : siemens",
        parameters={"g_L": nS(10), "E_rev_1": mV(-70), "C": pF(200), "tau_1": ms(40)},
        initial={"v": "E_rev_1", "g_1": nS(3)},
    )  # fmt: skip
    network = _driven(model, EXPONENTIAL_CONDUCTANCE, nS(4))
    record = [Record("cell", name, 1.0) for name in ("v", "g_1", "p.g")]
    run = simulate(network, duration_ms=60, backend=backend, record=record)
    at = np.arange(60.0)
    assert run.traces["cell.v"].data[:6, 0] == pytest.approx(-70.0)
    assert run.traces["cell.v"].data[:, 0].max() > -69
    assert run.traces["cell.g_1"].data[:, 0] == pytest.approx(3 * np.exp(-at / 40), rel=1e-4)
    tau = float(EXPONENTIAL_CONDUCTANCE.parameters["tau"])
    after = np.where(at > 6, 4 * np.exp(-(at - 0.1 - 6.0) / tau), 0.0)
    assert run.traces["cell.p.g"].data[:, 0] == pytest.approx(after, rel=1e-3, abs=1e-6)


def test_a_synapse_s_variable_is_recorded_under_the_projection_s_name(backend: str) -> None:
    """Of projections that share a port, under any of them; a sum as well."""
    cells = Population("cells", LIF, 2, {"I_ext": np.array([400.0, 0.0])})
    again = Background("noise", "cells", EXPONENTIAL_CURRENT, Hz(0), pA(1))
    network = Network(
        "n", (cells,), (Source("s", Spikes([1.0], [0], n_units=2, t_stop_ms=9)),),
        (
            Projection("p", "s", "cells", EXPONENTIAL_CURRENT, OneToOne(), pA(10), ms(1)),
            Projection("gaps", "cells", "cells", GAP_JUNCTION, AllToAll(), nS(1), ms(1)),
        ),
        backgrounds=(again,),
    )  # fmt: skip
    record = [Record("cells", name, 0.1)
              for name in ("p.I_syn", "noise.I_syn", "gaps.I_gap", "v")]  # fmt: skip
    run = simulate(network, duration_ms=8, backend=backend, record=record)
    traces = {name.removeprefix("cells."): trace.data for name, trace in run.traces.items()}
    assert traces["p.I_syn"].max() == pytest.approx(10)
    assert np.array_equal(traces["p.I_syn"], traces["noise.I_syn"])
    v = traces["v"]
    # What stands at the start of a step is what the step before summed up.
    assert traces["gaps.I_gap"][1:, 0] == pytest.approx((v[:, 1] - v[:, 0])[:-1], rel=1e-4)
    for wrong in ("I_syn", "I_syn_1", "I_syn__p1", "q.I_syn", "p.g"):
        with pytest.raises(NetworkError, match=r"no variable .*known: v, p\.I_syn"):
            prepare(network, backend=backend, record=[Record("cells", wrong)])
