"""Transmitters, receptors and effects against their closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from neuro import (
    Network,
    NeuronModel,
    Population,
    Projection,
    Record,
    Source,
    Spikes,
    SynapseModel,
    prepare,
    simulate,
)
from neuro.errors import BackendUnsupported, NetworkError
from neuro.models import LEAKY_INTEGRATOR, LIF
from neuro.modulation import Effect, Receptor, Transmitter, effect_factor
from neuro.synapses import DELTA
from neuro.units import Quantity, ms, mV, nM, pA
from neuro.wiring import OneToOne
from tests.backends._plain import plain_kernels

DT_MS = 0.1


def releasing(transmitter: Transmitter, *effects: Effect, hill: float = 1.0) -> Network:
    """Two cells, of which the first is made to spike at 20 and 60 ms, and a cell that listens."""
    times = [20.0, 60.0]
    return Network(
        "releasing",
        (
            Population("nucleus", LIF, 2),
            Population("listener", LEAKY_INTEGRATOR, 1, {"I_ext": pA(100)}),
        ),
        (Source("s", Spikes(times, [0, 0], n_units=2, t_stop_ms=200)),),
        (Projection("p", "s", "nucleus", DELTA, OneToOne(), mV(30), ms(1)),),
        transmitters=(transmitter,),
        receptors=(Receptor("r", transmitter.name, nM(50), hill),),
        effects=effects,
    )


@pytest.mark.usefixtures("plain")
def test_concentration_rises_with_each_spike_and_decays(backend: str) -> None:
    """Half the cells spike, so each volley gives half of `per_spike`, after the delay."""
    substance = Transmitter("na", "nucleus", nM(40), ms(25), ms(5), nM(3))
    run = simulate(
        releasing(substance), duration_ms=200, dt_ms=DT_MS, backend=backend, every_ms=0.1
    )
    spikes = run.spikes["nucleus"].times_ms
    assert len(spikes) == 2
    course = run.modulators["na"]
    exact = np.full(course.times_ms.size, 3.0)
    for spike in spikes:
        since = course.times_ms - (spike + 5)
        exact += np.where(since >= -1e-9, 20 * np.exp(-np.maximum(since, 0) / 25), 0)
    np.testing.assert_allclose(course.values, exact, atol=1e-10)
    assert course.unit == "nM"


@pytest.mark.usefixtures("plain")
def test_effects_scale_a_parameter_by_occupancy(backend: str) -> None:
    """At a clamped concentration the leaky cell settles where the scaled leak puts it."""
    clamp = Transmitter("na", baseline=nM(100))
    network = releasing(clamp, Effect("r", "listener", "g_L", 3.0), hill=2.0)
    run = simulate(
        network, duration_ms=200, dt_ms=DT_MS, backend=backend, record=[Record("listener", "v")]
    )
    occupancy = 100**2 / (50**2 + 100**2)
    factor = 1 + 2 * occupancy
    assert run.factors["listener.g_L"].values == pytest.approx(factor, rel=1e-12)
    settled = -70 + 100 / (16.7 * factor)  # 13 time constants on
    assert run.traces["listener.v"].data[-1, 0] == pytest.approx(settled, abs=1e-4)


@pytest.mark.usefixtures("plain")
def test_without_release_nothing_changes(backend: str) -> None:
    blocked = Transmitter("na", "nucleus", nM(0), ms(25), ms(5))
    network = releasing(blocked, Effect("r", "listener", "g_L", 3.0))
    run = simulate(network, duration_ms=100, dt_ms=DT_MS, backend=backend)
    assert len(run.spikes["nucleus"]) == 2
    assert (run.modulators["na"].values == 0).all()
    assert (run.factors["listener.g_L"].values == 1).all()


@pytest.mark.usefixtures("plain")
def test_a_schedule_is_followed(backend: str) -> None:
    """With uptake far faster than the ramp, the concentration lags it by one uptake time."""
    ramp = Transmitter(
        "na", uptake=ms(2), schedule=((ms(0), nM(0)), (ms(50), nM(0)), (ms(150), nM(100)))
    )
    run = simulate(releasing(ramp), duration_ms=200, dt_ms=DT_MS, backend=backend)
    course = run.modulators["na"]
    at = {int(t): v for t, v in zip(course.times_ms, course.values, strict=True)}
    assert at[40] == 0
    assert at[120] == pytest.approx(70 - 2, abs=0.2)  # slope 1 nM/ms, so 2 ms behind
    assert at[190] == pytest.approx(100, abs=1e-6)


def test_receptor_and_effect_formulas() -> None:
    receptor = Receptor("r", "na", nM(50), 1.5)
    assert receptor.occupancy(50.0) == pytest.approx(0.5)
    assert receptor.occupancy([0.0, -1.0, 1e9]) == pytest.approx([0, 0, 1], abs=1e-6)
    effects = [Effect("a", "x", "p", 3.0), Effect("b", "x", "p", 0.0)]
    occupancy = {"a": np.array([0.0, 0.5, 0.0]), "b": np.array([0.0, 0.5, 1.0])}
    assert effect_factor(effects, occupancy) == pytest.approx([1.0, 1.5, 0.0])
    strong = [Effect("b", "x", "p", 0.0), Effect("b", "x", "p", 0.0)]
    assert effect_factor(strong, occupancy).min() == 0  # never negative


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (Effect("r", "listner", "g_L", 2.0), "did you mean `listener`"),
        (Effect("r", "listener", "gL", 2.0), "did you mean `g_L`"),
        (Effect("q", "listener", "g_L", 2.0), "receptor"),
        (Effect("r", "p", "delay", 2.0), "must be one of weight"),
    ],
)
def test_effects_on_nothing_are_refused(effect: Effect, said: str) -> None:
    with pytest.raises(NetworkError, match=said):
        releasing(Transmitter("na", "nucleus"), effect)


@pytest.mark.parametrize("name", ["numba", "norse", "brian"])
def test_a_steep_receptor_far_from_1_nM_is_half_occupied_at_its_ec50(name: str) -> None:
    """1 mM to the power of 52 is beyond a double; at the EC50 the factor is 1.25, whatever n."""
    assert Receptor("r", "x", nM(1e6), 200.0).occupancy([0, 9e5, 1e6, 2e6]) == pytest.approx(
        [0, 1 / (1 + (1 / 0.9) ** 200), 0.5, 1.0], rel=1e-9
    )
    network = Network(
        "steep",
        (Population("c", LEAKY_INTEGRATOR, 1, {"I_ext": pA(100)}),),
        transmitters=(Transmitter("x", baseline=nM(1e6)),),
        receptors=(Receptor("r", "x", nM(1e6), 200.0),),
        effects=(Effect("r", "c", "I_ext", 1.5),),
    )
    with plain_kernels():
        run = simulate(network, duration_ms=1, dt_ms=DT_MS, backend=name)
    assert run.factors["c.I_ext"].values == pytest.approx(1.25, rel=1e-6)


@pytest.mark.parametrize(
    ("on_pre", "target", "parameter", "said"),
    [
        ("v += w*gain", "p", "gain", "modulated `p.gain` in what a spike adds to `v`"),
        ("v += w*E_L/mV", "c", "E_L", "modulated `E_L` in what a spike adds to `v`"),
        ("v += w*w/mV", "p", "weight", "modulated weight that `v` does not take in proportion"),
    ],
)
def test_what_a_spike_adds_follows_modulation_or_is_refused(
    on_pre: str, target: str, parameter: str, said: str
) -> None:
    """What is computed once does not follow; an edge with variables of its own does."""

    def network(edges: str) -> Network:
        synapse = SynapseModel(
            "s",
            "",
            "",
            on_pre,
            mV(1),
            edges=edges,
            parameters={"gain": Quantity(1.0)} if "gain" in on_pre else {},
        )
        still = NeuronModel(
            "c", "dv/dt = -v/(1000*second) + 0*E_L/second : volt", "", "", parameters={"E_L": mV(1)}
        )
        return Network(
            "n",
            (Population("c", still, 1),),
            (Source("s", Spikes([1, 2], [0, 0], n_units=1, t_stop_ms=10)),),
            (Projection("p", "s", "c", synapse, OneToOne(), mV(1), ms(1)),),
            transmitters=(Transmitter("x", baseline=nM(1e12)),),
            receptors=(Receptor("r", "x", nM(1)),),
            effects=(Effect("r", target, parameter, 3.0),),
        )

    expected = 2 * (9 if "w*w" in on_pre else 3)
    for name in ("numba", "norse", "brian"):
        for edges in ("", "a : 1"):
            if name != "brian" and not edges:
                with pytest.raises(BackendUnsupported, match=said):
                    prepare(network(edges), dt_ms=DT_MS, backend=name)
                continue
            with plain_kernels():
                run = simulate(
                    network(edges),
                    duration_ms=5,
                    dt_ms=DT_MS,
                    backend=name,
                    record=[Record("c", "v")],
                )
            assert run.traces["c.v"].data[-1, 0] == pytest.approx(expected, rel=1e-4)


def test_a_weight_must_be_taken_in_proportion_in_every_cell() -> None:
    """In the first of two cells it is."""
    cells = NeuronModel(
        "c", "dv/dt = -share*v/second : volt", "", "", parameters={"share": Quantity(0.0)}
    )
    synapse = SynapseModel("s", "", "", "v += w + share*w*w/mV", mV(1))

    def network(share: float) -> Network:
        return Network(
            "n",
            (Population("c", cells, 2, {"share": np.array([0.0, share])}),),
            (Source("s", Spikes([1], [0], n_units=2, t_stop_ms=10)),),
            (Projection("p", "s", "c", synapse, OneToOne(), mV(1), ms(1)),),
            transmitters=(Transmitter("x"),),
            receptors=(Receptor("r", "x", nM(1)),),
            effects=(Effect("r", "p", "weight", 3.0),),
        )

    prepare(network(0.0), dt_ms=DT_MS)
    with pytest.raises(BackendUnsupported, match="does not take in proportion"):
        prepare(network(0.5), dt_ms=DT_MS)
