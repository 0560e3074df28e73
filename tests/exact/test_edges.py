"""Synapse text to edge program: what its names mean, what is derived, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuro import Background, Network, NeuronModel, Population, Projection, Record
from neuro.build import build
from neuro.edge_binding import Scaled, scaled_by
from neuro.equations import (
    EdgeProgram,
    Port,
    check_synapse,
    compile_edge,
    compile_step,
    compose,
    has_edges,
)
from neuro.equations.hoist import evaluate
from neuro.equations.names import ELAPSED
from neuro.errors import EquationError, NetworkError
from neuro.model import SynapseModel
from neuro.models import ADEX, LIF
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.simulate import prepare
from neuro.synapses import (
    DELTA,
    DEPRESSING_CURRENT,
    EXPONENTIAL_CONDUCTANCE,
    EXPONENTIAL_CURRENT,
    GAP_JUNCTION,
    STDP_ADDITIVE,
)  # fmt: skip
from neuro.units import Hz, Quantity, ms, mV, nM, nS, pA
from neuro.wiring import Listed, OneToOne
from tests.exact._pairing import Kind, final, pairs, run

pytestmark = pytest.mark.usefixtures("plain")

FREE = SynapseModel(
    name="free",
    equations="dI_syn/dt = -I_syn/tau : amp",
    current="I_syn",
    on_pre="",
    weight=pA(1),
    parameters={"tau": ms(5)},
)


def program(synapse: SynapseModel, model: NeuronModel = LIF) -> EdgeProgram:
    port = Port("__p2", synapse, dict(synapse.parameters), ())
    return compile_edge(port, compose(model, [port]), compose(LIF))


def test_bare_names_mean_the_edge_then_the_port_then_the_cell() -> None:
    """`tau` is the projection's, `I_syn` the port's, `v` the target's, although LIF has no `w`."""
    found = program(
        replace(FREE, edges="x : 1", on_pre="x = x + tau/ms; I_syn += w*x; v = v + I_syn/g_L")
    )
    assert found.on_pre[0] == ("x", "x + tau / 1.0")
    assert found.on_pre[1] == ("I_syn__p2_post", "I_syn__p2_post + w__arriving * x")
    assert found.on_pre[2] == ("v_post", "v_post + I_syn__p2_post / g_L_post")
    assert found.reads_post == ("I_syn__p2", "g_L", "v")
    assert found.writes_post == ("I_syn__p2", "v")
    assert found.variables == ("x",)  # nothing writes the weight
    assert found.features == ("edge variables", "state-dependent on_pre")


def test_the_weight_is_a_variable_once_it_is_written_and_scaled_only_where_it_acts() -> None:
    """An effect on the weight changes what the target receives, not what plasticity reads."""
    found = program(
        replace(FREE, edges="strong = w/pA : 1", on_pre="I_syn += strong*pA; w = strong*0.5*pA")
    )
    assert found.variables == ("w",)
    assert found.on_pre == (
        ("I_syn__p2_post", "I_syn__p2_post + w__arriving / 1.0 * 1.0"),
        ("w", "w / 1.0 * 0.5 * 1.0"),
    )


def test_a_cell_s_variables_and_subexpressions_are_read_at_either_end() -> None:
    """`I` is written out in states and parameters, under the names of each end's own program."""
    found = program(
        replace(FREE, edges="dx/dt = ((I_pre - I_post)/pA - x)/tau : 1 (clock-driven)"), ADEX
    )
    assert found.reads_pre == ("I_ext",)
    assert found.reads_post == ("I_ext", "I_syn__p2")
    assert found.parameters == ("tau",)
    assert found.features == ("clock-driven edges", "edge variables", f"{found.method} integration")


def test_the_event_driven_step_is_the_solution_over_any_time() -> None:
    """exp decay over `elapsed__`, for a decaying variable and one that a parameter pulls up."""
    found = program(
        replace(
            FREE,
            edges="dx/dt = -x/tau : 1 (event-driven)\ndy/dt = (k - y)/tau : 1 (event-driven)",
            on_post="x += 1; y += 1",
            parameters={"tau": ms(5), "k": Quantity(3)},
        )
    )
    values: dict[str, float] = {"x": 2.0, "y": 1.0, "tau": 5.0, "k": 3.0, ELAPSED: 7.0}
    for name, text in found.advance:
        values[name] = float(evaluate(text, values))
    assert values["x__new"] == pytest.approx(2 * np.exp(-7 / 5), rel=1e-14)
    assert values["y__new"] == pytest.approx(3 + (1 - 3) * np.exp(-7 / 5), rel=1e-14)


def test_what_a_target_sums_is_a_variable_of_its_step() -> None:
    port = Port("__p1", GAP_JUNCTION, {}, ())
    step = compile_step(compose(LIF, [port]), [GAP_JUNCTION.weight.dimension])
    assert step.summed == ("I_gap__p1",)
    assert step.states == ("v",)
    assert "I_gap__p1" not in step.parameters
    assert step.deliveries == ((),)


@pytest.mark.parametrize("synapse", [DELTA, EXPONENTIAL_CURRENT, EXPONENTIAL_CONDUCTANCE])
def test_synapses_that_only_add_need_no_edge_program(synapse: SynapseModel) -> None:
    assert not has_edges(LIF, synapse)
    assert not has_edges(LIF, replace(synapse, on_pre=synapse.on_pre.replace("+=", "-=")))
    assert has_edges(LIF, replace(synapse, on_pre=synapse.on_pre + "*(v/mV)"))
    assert has_edges(LIF, replace(synapse, on_pre=synapse.on_pre + "*rand()"))
    assert has_edges(LIF, replace(synapse, on_pre=synapse.on_pre.replace("+=", "=")))
    assert has_edges(LIF, replace(synapse, on_post="v += 1*mV"))


STDP = STDP_ADDITIVE
WRONG = [
    (replace(STDP, edges="dx/dt = -x/tau : 1"), "dx/dt must be `(event-driven)`"),
    (replace(STDP, edges="dx/dt = -x/tau : 1 (shared)"), "`(shared)` means nothing here"),
    (replace(STDP, edges="x = w/w_max : 1 (event-driven)"), "`x` can be (summed)"),
    (replace(STDP, edges="dx/dt = -x*x/tau : 1 (event-driven)", on_pre="", on_post=""), "linear"),
    (replace(STDP, edges="dx/dt = v_post/mV/ms : 1 (event-driven)", on_pre="", on_post=""),
     "reads `v_post`, but an event-driven equation"),
    (replace(STDP, edges=STDP.edges + "dz/dt = a_plus/ms : 1 (clock-driven)"),
     "reads `a_plus`, but a clock-driven equation"),
    (replace(STDP, edges="dx/dt = -v/tau : volt (clock-driven)"), "write `v_post` or `v_pre`"),
    (replace(STDP, edges="dx/dt = xi : 1 (clock-driven)"), "no white noise"),
    (replace(STDP, edges="dx/dt = -x/tau + tau : 1 (event-driven)"), "term `tau` is in ms"),
    (replace(STDP, edges="w : siemens"), "`w` is the synapse's weight"),
    (replace(STDP, edges="dw/dt = -w/tau : 1 (clock-driven)"), "the weight's unit"),
    (replace(STDP, edges="g : 1"), "`g` must be defined once"),
    (replace(STDP, edges="tau : second"), "`tau` must be defined once"),
    (replace(STDP, edges="x_post : 1"), "_pre and _post mean variables of the two cells"),
    (replace(STDP, edges="a = b : 1\nb = a : 1"), "are defined by each other"),
    (replace(STDP, on_pre="h += w"), "`h` is neither a variable of the edge nor a state"),
    (replace(STDP, on_post="tau += 1*ms"), "`tau` is neither a variable"),
    (replace(STDP, on_pre="g += w*a_plus*tau"), "term `w * a_plus * tau` is in pF"),
    (replace(STDP, on_pre="a_plus = w"), "must be in 1, found nS"),
    (replace(STDP, on_pre="v += w*unheard"), "unknown name `unheard`"),
    (replace(STDP, initial={"w": nS(1)}), "`w` starts at the projection's weight"),
    (replace(STDP, initial={"a_plus": mV(1)}), "initial `a_plus` must be a number"),
    (replace(STDP, initial={"a_plus": "w_mx"}), "did you mean `w_max`?"),
    (replace(GAP_JUNCTION, edges="I_gap_post = w*(v_pre - v_post) : volt (summed)"), "pA"),
    (replace(GAP_JUNCTION, edges="I_gap = w*v_pre : amp (summed)"), "write `X_post = "),
    (replace(GAP_JUNCTION, edges=""), "`I_gap` has no equation"),
]  # fmt: skip


@pytest.mark.parametrize(("synapse", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_named(synapse: SynapseModel, said: str) -> None:
    with pytest.raises(EquationError) as caught:
        check_synapse(synapse)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def _network(synapse: SynapseModel, **more: object) -> Network:
    two = np.array([0, 1]), np.array([1, 0])
    return Network(
        "two",
        (Population("a", LIF, 2),),
        projections=tuple(
            Projection(name, "a", "a", synapse, Listed(*two), synapse.weight, ms(1))
            for name in ("p", "q")
        ),
        **more,
    )  # type: ignore[arg-type]


def test_effects_reach_what_they_name_and_nothing_beside() -> None:
    """A modulated projection has a port of its own; its sister of the same kind is untouched."""
    effects = tuple(Effect("r", "p", parameter, 2.0) for parameter in ("weight", "tau", "tau_rec"))
    built = build(
        _network(
            DEPRESSING_CURRENT, effects=effects, transmitters=(Transmitter("t"),),
            receptors=(Receptor("r", "t", nM(1)),),
        ),
        seed=1, dt_ms=0.1,
    )  # fmt: skip
    assert [port.projections for port in built.populations[0].ports] == [("p",), ("q",)]
    assert scaled_by(built) == {
        "p.weight": (Scaled("weight", "p", "weight"),),
        "p.tau": (Scaled("cells", "a", "tau__p1"),),
        "p.tau_rec": (Scaled("edges", "p", "tau_rec"),),
    }
    together = build(_network(DEPRESSING_CURRENT), seed=1, dt_ms=0.1)
    assert [port.projections for port in together.populations[0].ports] == [("p", "q")]
    assert together.projections[1].edge_parameters == {"U": 0.5, "tau_rec": 1100, "tau_facil": 50}
    assert together.projections[1].edge_initial == {"x": 1.0, "u": 0.0}


def test_what_cannot_be_bound_is_refused() -> None:
    background = Background("noise", "a", DEPRESSING_CURRENT, Hz(10), pA(1))
    with pytest.raises(NetworkError, match="use a population of model `poisson`"):
        build(_network(DEPRESSING_CURRENT, backgrounds=(background,)), seed=1, dt_ms=0.1)
    from neuro import Source, Spikes

    reads = replace(FREE, edges="dx/dt = (I_post/pA - x)/tau : 1 (clock-driven)")
    coupled = _network(GAP_JUNCTION)
    two = Listed(np.array([0, 1]), np.array([1, 0]))
    more = Projection("r", "a", "a", reads, two, pA(1), ms(1))
    with pytest.raises(EquationError, match="`I_post` depends on `I_gap__p1_post`, the sum over"):
        build(replace(coupled, projections=(*coupled.projections, more)), seed=1, dt_ms=0.1)
    outside = Network(
        "outside", (Population("a", LIF, 2),),
        (Source("s", Spikes(np.array([1.0]), np.array([0]), n_units=2, t_stop_ms=2.0)),),
        (Projection("p", "s", "a", GAP_JUNCTION, OneToOne(), nS(1), ms(1)),),
    )  # fmt: skip
    with pytest.raises(EquationError, match="spikes from outside have no variables"):
        build(outside, seed=1, dt_ms=0.1)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (Record("p", "z"), "`p` has no variable `z` (known: x, u)"),
        (Record("p", "u", 1.0, (0, 2)), "`u` of `p`: edges must lie in 0..1, found 2"),
        (Record("r", "u"), "no population or projection `r`"),
    ],
)
def test_a_record_of_edges_that_are_not_there_is_refused(record: Record, said: str) -> None:
    with pytest.raises(NetworkError) as caught:
        prepare(_network(DEPRESSING_CURRENT), backend="brian", record=[record])
    assert said in str(caught.value)
    with pytest.raises(NetworkError, match="have no variables of their own"):
        prepare(_network(EXPONENTIAL_CURRENT), backend="brian", record=[Record("p", "w")])


DRIFTING = replace(
    STDP_ADDITIVE,
    name="drifting",
    edges="""
        dc/dt = -c/tau_plus           : 1 (event-driven)
        dw/dt = c*w_max/tau_minus : siemens (event-driven)
    """,
    on_pre="c += first; first = 0",
    on_post="c += 0",
    initial={"first": Quantity(1)},
    parameters={
        k: v for k, v in STDP_ADDITIVE.parameters.items() if k not in ("A_plus", "A_minus")
    },
)
DRIFTING = replace(DRIFTING, edges=DRIFTING.edges + "first : 1")
QUANTAL = replace(
    FREE, name="quantal", edges="n : 1", on_pre="n += int(rand() < p)",
    parameters={"tau": ms(5), "p": Quantity(0.3)},
)  # fmt: skip


def test_release_by_chance_is_binomial_and_weights_drift_exactly(backend: str) -> None:
    """500 spikes x 20 synapses release with p = 0.3: mean and variance within 5 standard errors.

    Beside them a weight follows an eligibility between spikes: equations that feed one another
    in one direction are event-driven, too, and have the exact solution.
    """
    p, n_synapses, n_spikes = 0.3, 20, 500
    times = [np.arange(10.0, 10 + n_spikes)] * n_synapses
    kinds = {
        "chance": Kind(QUANTAL, 1.0),
        "certain": Kind(QUANTAL, 1.0, {"p": Quantity(1)}),
        "drifting": Kind(DRIFTING, 0.1),
    }
    network = pairs(kinds, times, [np.array([5.0])] * n_synapses)
    record = {"chance": "n", "certain": "n", "drifting": "w"}
    recording = run(network, backend, every_ms=5.0, record=record)

    found, variance = final(recording, "chance", "n"), n_spikes * p * (1 - p)
    assert abs(found.mean() - n_spikes * p) < 5 * np.sqrt(variance / n_synapses)
    # The variance of a sample variance is about 2 variance^2 / (n - 1).
    assert abs(found.var(ddof=1) - variance) < 5 * variance * np.sqrt(2 / (n_synapses - 1))
    assert len(set(found)) > 5  # each synapse draws for itself
    assert (final(recording, "certain", "n") == n_spikes).all()
    # From the first spike to the last: w_max*(tau_plus/tau_minus)*(1 - exp(-t/tau_plus)).
    grown = 0.15 * (1 - np.exp(-(n_spikes - 1) / 20))
    assert final(recording, "drifting") == pytest.approx(0.1 + grown, rel=1e-11)
