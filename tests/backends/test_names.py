"""What a variable is called changes nothing, and names have three owners that never meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest

from neuro import (
    Background,
    Network,
    NeuronModel,
    Population,
    Projection,
    Record,
    Recording,
    Source,
    Spikes,
    SynapseModel,
    simulate,
)
from neuro.equations import compose
from neuro.errors import NetworkError
from neuro.models import LIF, MODELS
from neuro.network import Value
from neuro.simulate import prepare
from neuro.synapses import EXPONENTIAL_CONDUCTANCE, EXPONENTIAL_CURRENT, GAP_JUNCTION, SYNAPSES
from neuro.units import Hz, Quantity, ms, mV, nS, pA, pF
from neuro.wiring import AllToAll, OneToOne
from tests.backends._named import MEMBRANE, R, driven
from tests.backends._plain import plain_kernels
from tests.backends._renaming import (
    legal,
    names_in_printed_code,
    names_of,
    names_of_brian,
    own_names_of,
    renamed_model,
    renamed_synapse,
)


@pytest.fixture(params=["numba", "brian", "norse"])
def backend(request: pytest.FixtureRequest, exact: None) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def plain() -> Iterator[None]:
    """Kernels of numba run as plain Python."""
    with plain_kernels():
        yield


def spiking(state: str) -> NeuronModel:
    return NeuronModel(
        "spiking",
        f"d{state}/dt = (E_L - {state} + R*I)/tau : volt (unless refractory)",
        threshold=f"{state} > V_th", reset=f"{state} = E_L", refractory="t_ref",
        parameters={"E_L": mV(-70), "V_th": mV(-50), "R": R, "tau": ms(10), "t_ref": ms(2),
                    "I_ext": pA(300)},
        initial={state: "E_L"},
    )  # fmt: skip


@pytest.mark.parametrize("state", ["V", "last", "fired", "F", "range", "j", "xif"])
def test_a_state_may_have_the_name_of_a_kernel_s_variable(state: str, backend: str) -> None:
    """7 spikes of each cell: one each time 2 ms and tau*ln(3) are over, in whole steps."""
    network = Network("n", (Population("cells", spiking(state), 5),))
    run = simulate(network, duration_ms=100, backend=backend)
    interval_ms = 2 + 10 * np.log(30 / 10)
    assert len(run.spikes["cells"].times_ms) == 5 * int(100 / interval_ms) == 35


@pytest.mark.parametrize("trace", ["trace", "step", "weight", "elapsed"])
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


def test_a_neuron_s_tau_1_is_not_the_synapse_s(backend: str) -> None:
    """The peak of two exponentials in a row: R w (tau_s/tau_m)^(tau_m/(tau_m - tau_s))."""
    model = NeuronModel(
        "m", "dv/dt = (-v + R*I)/tau_1 : volt", parameters={"R": R, "tau_1": ms(20)}
    )
    network = driven(model, EXPONENTIAL_CURRENT, pA(100))
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
    network = driven(model, EXPONENTIAL_CONDUCTANCE, nS(4))
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


# -- every name that any code uses ------------------------------------------------------------


N_STATES, N_LINES, N_VALUES, N_EDGES, N_EDGE_VALUES = 5, 5, 30, 4, 10
N_NAMES = N_STATES + N_LINES + N_VALUES + N_EDGES + N_EDGE_VALUES


def _plain_names() -> list[str]:
    return [f"q{number}" for number in range(N_NAMES)]


def _wide(names: Sequence[str]) -> Network:
    """A network in which each of these names is a state, subexpression or parameter."""
    left = iter(names)
    states, lines, values, edges, amounts = (
        [next(left) for _ in range(n)]
        for n in (N_STATES, N_LINES, N_VALUES, N_EDGES, N_EDGE_VALUES)
    )
    v, *others = states
    taus, currents = values[:N_STATES], values[N_STATES:-1]
    threshold = values[-1]
    equations = [f"d{v}/dt = (R_m*(I + {' + '.join(lines)}) - {v})/{taus[0]} : volt"]
    equations += [f"d{x}/dt = -{x}/{tau} : amp" for x, tau in zip(others, taus[1:], strict=True)]
    equations += [
        f"{line} = {' + '.join(currents[k::N_LINES])} + {others[k % len(others)]} : amp"
        for k, line in enumerate(lines)
    ]
    model = NeuronModel(
        "wide", "\n".join(equations), f"{v} > {threshold}",
        f"{v} = 0*{threshold}; {others[0]} -= 0.1*{lines[0]}",
        parameters={
            "R_m": R, **{tau: ms(5 + 3 * k) for k, tau in enumerate(taus)},
            **{name: pA(3 + 0.7 * k) for k, name in enumerate(currents)}, threshold: mV(9),
        },
        method="euler",
    )  # fmt: skip
    changes = "; ".join(f"{x} += {a}" for x, a in zip(edges, amounts, strict=False))
    synapse = SynapseModel(
        "wide", "", "",
        f"{changes}; {v} += w*({' + '.join([*edges, *amounts])}); {others[1]} += 0.01*{others[0]}",
        mV(0.01), edges="\n".join(f"d{x}/dt = -{x}/(9*ms) : 1 (event-driven)" for x in edges),
        parameters={name: Quantity(0.3 + 0.1 * k) for k, name in enumerate(amounts)},
    )  # fmt: skip
    spikes = Spikes([1.0, 4.0, 4.3, 11.0], [0, 1, 0, 1], n_units=2, t_stop_ms=30)
    return Network(
        "n", (Population("cells", model, 2, {"I_ext": np.array([2.0, 9.0])}),),
        (Source("s", spikes),),
        (Projection("p", "s", "cells", synapse, AllToAll(), mV(0.2), ms(0.5)),),
    )  # fmt: skip


def _same(one: Recording, two: Recording) -> None:
    assert sum(len(s.times_ms) for s in one.spikes.values()) > 0
    for name, spikes in one.spikes.items():
        assert np.array_equal(spikes.times_ms, two.spikes[name].times_ms), name
        assert np.array_equal(spikes.units, two.spikes[name].units), name


def _run(network: Network, backend: str, ms_: float = 20) -> Recording:
    return simulate(network, duration_ms=ms_, backend=backend)


def _batches(names: Sequence[str], size: int) -> list[list[str]]:
    """All names in groups of one size; the last is filled up."""
    groups = [list(names[k : k + size]) for k in range(0, len(names), size)]
    spare = [name for name in names if name not in groups[-1]]
    groups[-1] += spare[: size - len(groups[-1])]
    return groups


@pytest.fixture(scope="module")
def taken() -> list[str]:
    """Legal names that stand in printed code, or in a namespace in which it is compiled."""
    with plain_kernels() as kernels:
        _run(_wide(_plain_names()), "numba", 1)
        _run(_shipped({}), "numba", 1)
    return legal(names_in_printed_code(kernels))


def test_every_name_of_printed_code_may_be_used(taken: list[str]) -> None:
    """In every role: as a state, a subexpression, a parameter, of a cell and of an edge."""
    assert len(taken) > 400
    assert {"step", "last", "F", "hits", "range", "exp32", "surrogate", "values"} & {*taken}
    for backend in ("numba", "norse"):
        expected = _run(_wide(_plain_names()), backend)
        draw = np.random.default_rng(1)
        for _ in range(2):
            for names in _batches(draw.permutation(taken).tolist(), N_NAMES):
                _same(expected, _run(_wide(names), backend))


def test_every_name_of_brian2_may_be_used() -> None:
    names = legal(names_of_brian())
    assert {"j", "summed", "lastupdate", "t_in_timesteps", "poisson", "delay"} <= {*names}
    order = np.random.default_rng(1).permutation(names).tolist()
    for backend in ("brian", "numba", "norse"):
        expected = _run(_wide(_plain_names()), backend)
        for batch in _batches(order, N_NAMES):
            _same(expected, _run(_wide(batch), backend))


# -- every shipped model, synapse and rule ----------------------------------------------------


def _shipped(names: Mapping[str, Mapping[str, str]]) -> Network:
    """Each neuron under a current, each synapse on cells of LIF; `names` of some are others."""
    populations, projections = [], []
    for name in MODELS:
        model = MODELS[name]
        given: dict[str, Value] = {}
        if "I_ext" in compose(model).parameters:
            given = {"I_ext": np.array([150.0, 3000.0])}
        other = renamed_model(model, names.get(name, {}))
        populations.append(Population(f"cells {name}", other, 2, given))
    source = renamed_model(LIF, names.get("lif", {}))
    populations.append(Population("pre", source, 2, {"I_ext": np.array([700.0, 900.0])}))
    for name in SYNAPSES:
        synapse = SYNAPSES[name]
        cells = names.get("lif", {})
        other_synapse = renamed_synapse(synapse, names.get(name, {}), cells)
        populations.append(Population(f"on {name}", source, 2, {"I_ext": pA(450)}))
        weight = Quantity(3.0, synapse.weight.dimension)
        projections.append(
            Projection(f"by {name}", "pre", f"on {name}", other_synapse, AllToAll(), weight, ms(1))
        )
    return Network("shipped", tuple(populations), projections=tuple(projections))


def _shipped_names(taken: Sequence[str]) -> dict[str, dict[str, str]]:
    """Other names for all that shipped models have, out of those that printed code uses."""
    draw = np.random.default_rng(2)
    found = {}
    for name in MODELS:
        model = MODELS[name]
        own = names_of(model)
        found[name] = dict(zip(own, draw.permutation(taken).tolist(), strict=False))
    for name in SYNAPSES:
        synapse = SYNAPSES[name]
        own = own_names_of(synapse)
        free = sorted({*taken} - {*found["lif"].values()})
        found[name] = dict(zip(own, draw.permutation(free).tolist(), strict=False))
    return found


@pytest.mark.parametrize("backend", ["numba", "norse"])
def test_shipped_models_may_have_any_names(backend: str, taken: list[str]) -> None:
    expected = _run(_shipped({}), backend, 20)
    assert sum(len(s.times_ms) > 0 for s in expected.spikes.values()) > 30
    _same(expected, _run(_shipped(_shipped_names(taken)), backend, 20))
