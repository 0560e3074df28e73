"""What statements see: small cases with a value known by hand, on every back end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from neuro import (
    Network,
    Population,
    Projection,
    Record,
    Recording,
    Source,
    Spikes,
    simulate,
)
from neuro.equations import check_synapse, compose
from neuro.errors import EquationError, NetworkError
from neuro.model import NeuronModel, SynapseModel
from neuro.units import Dimension, Quantity, ms, mV, pA
from neuro.wiring import AllToAll, Listed
from tests.backends._plain import plain_kernels
from tests.validation.interpreter import interpret

RESISTANCE = Dimension(voltage=1, current=-1)
BACKENDS = ("numba", "norse", "brian")


def _run(
    network: Network, backend: str, duration_ms: float, record: Sequence[Record] = ()
) -> Recording:
    options = {} if backend == "brian" else {"precision": "float64"}
    with plain_kernels():
        return simulate(
            network, duration_ms=duration_ms, backend=backend, options=options, record=record
        )


def moving_threshold(reset: str) -> Network:
    """One cell whose threshold moves; `gap` is its distance from the membrane."""
    model = NeuronModel(
        name="moving_threshold",
        equations="""
            dv/dt = (E_L - v + R*I)/tau  : volt
            dth/dt = (th_0 - th)/tau_th  : volt
            share = gap/(10*mV)          : 1
            gap = th - v                 : volt
        """,
        threshold="v > th",
        reset=reset,
        parameters={
            "E_L": mV(-70), "th_0": mV(-50), "tau": ms(10), "tau_th": ms(30), "I_ext": pA(300),
            "R": Quantity(0.1, RESISTANCE),
        },
        initial={"v": mV(-70), "th": mV(-50)},
    )  # fmt: skip
    return Network(populations=(Population("cells", model, 1),))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("reset", "same"),
    [
        # A subexpression is read as its variables are when a statement reads it.
        ("v = E_L; th += 0.1*gap", "v = E_L; th += 0.1*(th - v)"),
        ("v = E_L; th += 1*mV*share", "v = E_L; th += 0.1*(th - v)"),
        ("v = E_L; th += 0.1*gap; th += 0.1*gap", "v = E_L; th += 0.21*(th - E_L)"),
    ],
)
def test_a_reset_reads_a_subexpression_anew(backend: str, reset: str, same: str) -> None:
    ours = _run(moving_threshold(reset), backend, 200).spikes["cells"]
    written_out = _run(moving_threshold(same), backend, 200).spikes["cells"]
    assert ours == written_out
    if "0.21" not in same:
        assert len(ours.times_ms) == 13


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gate", ["v > th and t > 30.05*ms", "not (v <= th or t < 30.05*ms)"])
def test_part_of_a_condition_may_be_the_same_for_all_cells(backend: str, gate: str) -> None:
    network = moving_threshold("v = E_L")
    (cells,) = network.populations
    model = replace(cells.model, threshold=gate, refractory="t < 50.05*ms or gap > 100*mV")
    network = replace(network, populations=(replace(cells, model=model),))
    times = _run(network, backend, 60).spikes["cells"].times_ms
    assert times[0] == pytest.approx(30.1)  # the first step after the gate opens
    assert not ((times > 30.2) & (times < 50)).any()  # refractory as long as the condition holds
    assert len(times) >= 2


@pytest.mark.parametrize("reads", ["u", "twice"])
def test_a_sum_may_not_read_what_is_event_driven(reads: str) -> None:
    synapse = SynapseModel(
        name="stale",
        equations="S : volt",
        current="",
        on_pre="u += 1",
        edges=f"""
            du/dt = -u/tau_u         : 1 (event-driven)
            twice = 2*u              : 1
            S_post = w*{reads}       : volt (summed)
        """,
        weight=mV(1),
        parameters={"tau_u": ms(10)},
    )
    with pytest.raises(EquationError, match=r"S_post may not read the event-driven `u`"):
        check_synapse(synapse)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("on_pre", "first", "second"),
    [
        ("v += w; q = v", 2.0, 5.0),
        ("q = v; v += w", 0.0, 2.0),
        ("v += w; q = v/2 - v", -1.0, -2.5),
        ("q = 1*mV; v = 2*v + w; q += v", 3.0, 8.0),
    ],
)
def test_two_spikes_of_a_step_reach_a_cell_in_turn(
    backend: str, on_pre: str, first: float, second: float
) -> None:
    """The first does not see what the second changes; the second sees what the first did."""
    cell = NeuronModel("cell", "dv/dt = 0*volt/second + 0*v/tau : volt", parameters={"tau": ms(1)})
    synapse = SynapseModel("keeps", "", "", on_pre, mV(1), edges="q : volt")
    two = Spikes([1.0, 1.0], [0, 1], n_units=2, t_stop_ms=5)
    network = Network(
        "n",
        (Population("cell", cell, 1),),
        (Source("s", two),),
        (Projection("p", "s", "cell", synapse, AllToAll(), mV([2, 3]), ms(1)),),
    )
    run = _run(network, backend, 4, [Record("p", "q", 0.1)])
    assert run.traces["p.q"].data[-1] == pytest.approx([first, second])


@pytest.mark.parametrize("backend", BACKENDS)
def test_projections_act_in_the_order_of_the_network_whatever_they_share(backend: str) -> None:
    """The first and the third have one synapse in common; the second comes between them."""
    cell = NeuronModel("cell", "dv/dt = 0*volt/second + 0*v/tau : volt", parameters={"tau": ms(1)})
    doubles = SynapseModel("doubles", "", "", "v = 2*v + w", mV(1))
    squares = SynapseModel("squares", "", "", "v = v*v/mV - w", mV(1))
    sources = tuple(Source(f"s{k}", Spikes([1.0], [0], n_units=1, t_stop_ms=5)) for k in range(3))
    projections = tuple(
        Projection(f"p{k}", f"s{k}", "cell", synapse, AllToAll(), mV(k + 1), ms(1))
        for k, synapse in enumerate((doubles, squares, doubles))
    )
    network = Network(
        "n", (Population("cell", cell, 1, initial={"v": mV(3)}),), sources, projections
    )
    run = _run(network, backend, 4, [Record("cell", "v", 0.1)])
    assert run.traces["cell.v"].data[-1, 0] == pytest.approx(2 * ((2 * 3 + 1) ** 2 - 2) + 3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_constant_without_a_parameter_is_a_number(backend: str) -> None:
    """x is the integral of a sine of period tau: 1 - cos(2 pi t/tau), over 2 pi."""
    model = NeuronModel(
        "sine", "dx/dt = sin(2*pi*t/tau)/tau : 1", parameters={"tau": ms(10)}, method="rk4"
    )
    network = Network("n", (Population("cell", model, 1),))
    run = _run(network, backend, 10, [Record("cell", "x", 2.5)])
    expected = (1 - np.cos(2 * np.pi * np.arange(4) / 4)) / (2 * np.pi)
    assert run.traces["cell.x"].data[:, 0] == pytest.approx(expected, abs=2e-3)


def test_what_would_be_recorded_in_one_place_is_refused() -> None:
    cells = Population("same", moving_threshold("v = E_L").populations[0].model, 2)
    synapse = SynapseModel("keeps", "", "", "q = v", mV(1), edges="q : volt")
    network = Network(
        "n",
        (cells,),
        (Source("s", Spikes([1.0], [0], n_units=1, t_stop_ms=5)),),
        (Projection("same", "s", "same", synapse, AllToAll(), mV(1), ms(1)),),
    )
    with pytest.raises(NetworkError, match="of a population and of a projection"):
        _run(network, "numba", 1, [Record("same", "v")])
    network = replace(network, projections=())
    for other in (Record("same", "v", cells=(1,)), Record("same", "v", 0.5)):
        with pytest.raises(NetworkError, match="`v` of `same` stands twice"):
            _run(network, "numba", 1, [Record("same", "v", cells=(0,)), other])


SHARED = """
    dv/dt = (2*level - v)/tau : volt
    half = E/2                : volt (shared)
    level = half*2            : volt (shared)
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_shared_subexpression_has_one_value_for_all_cells(backend: str) -> None:
    """v decays towards 2 E."""
    parameters = {"tau": ms(10), "E": mV(3)}
    network = Network(
        "n", (Population("cell", NeuronModel("m", SHARED, parameters=parameters), 2),)
    )
    run = _run(network, backend, 11, [Record("cell", "v", 10)])
    assert run.traces["cell.v"].data[1] == pytest.approx(6 * (1 - np.exp(-1)), rel=1e-6)
    text = f"{SHARED}\nx = v : volt\ny = x + E : volt (shared)"
    with pytest.raises(EquationError, match=r"`y` cannot be \(shared\), since it reads `v`"):
        compose(NeuronModel("m", text, parameters=parameters))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("edges", ["", "z : 1"])
@pytest.mark.parametrize("equations", ["", "dg/dt = k*-g/second : 1"])
def test_post_is_the_targets_though_the_synapse_has_a_parameter_of_that_name(
    backend: str, edges: str, equations: str
) -> None:
    """One spike of 1 mV adds 1 mV times 2 of the target and 3 of the synapse."""
    cell = NeuronModel(
        "c",
        "dv/dt = -v/(1000*second) : volt\nm = k*v : volt",
        "",
        "",
        parameters={"k": Quantity(2.0)},
    )
    on_pre = "v_post += w*k_post*k" + ("; g_post += k" if equations else "")
    synapse = SynapseModel(
        "s", equations, "", on_pre, mV(1), edges=edges, parameters={"k": Quantity(3.0)}
    )
    network = Network(
        "n",
        (Population("c", cell, 1),),
        (Source("s", Spikes([1.0], [0], n_units=1, t_stop_ms=10)),),
        (Projection("p", "s", "c", synapse, Listed([0], [0]), mV(1), ms(1)),),
    )
    records = [Record("c", "v"), *([Record("c", "p.g")] if equations else [])]
    run = _run(network, backend, 5, records)
    assert run.traces["c.v"].data[-1, 0] == pytest.approx(6, rel=1e-4)
    if equations:
        assert run.traces["c.p.g"].data[-1, 0] == pytest.approx(3, rel=0.02)
    assert interpret(network, n_steps=50, dt_ms=0.1).traces["c.v"][-1] == pytest.approx([6], 1e-4)
