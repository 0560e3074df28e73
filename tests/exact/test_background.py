"""Poisson background: shot noise has exact moments; a config says the same as a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuro import Background, Network, NeuronModel, Population, Record, prepare, simulate
from neuro.errors import EmberError, NetworkError, UnitError
from neuro.models import LEAKY_INTEGRATOR, LIF, POISSON
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.network import Projection
from neuro.synapses import DELTA, EXPONENTIAL_CURRENT
from neuro.units import Hz, Quantity, ms, mV, nM, nS, pA
from neuro.wiring import OneToOne
from sims.assembly import build_experiment, check_experiment
from sims.config import load

N_CELLS, TAU_MS, DT_MS, WEIGHT = 200, 5.0, 0.1, 10.0
ARRIVALS = 1000 * 0.008 * DT_MS  # of 1000 cells at 8 Hz, in one step


def shot_noise(backend: str, *, weight: float = WEIGHT, rate_hz: float = 8.0, **more: object):
    """The synaptic current, `(n_samples, n_cells)`, once it is stationary."""
    background = Background("noise", "cell", EXPONENTIAL_CURRENT, Hz(rate_hz), pA(weight), 1000)
    network = Network(
        "n", (Population("cell", LEAKY_INTEGRATOR, N_CELLS),), backgrounds=(background,), **more
    )
    run = simulate(
        network, duration_ms=300, dt_ms=DT_MS, seed=2, backend=backend,
        record=[Record("cell", "noise.I_syn", 1.0)],
    )  # fmt: skip
    return run.traces["cell.noise.I_syn"].data[
        60:
    ]  # 12 time constants: exp(-12) of the start is left


def test_shot_noise_has_the_moments_of_campbells_theorem(backend: str) -> None:
    """Geometric sums give them on the grid: mean λw/(1-a), variance λw²/(1-a²), a = exp(-dt/τ)."""
    current = shot_noise(backend)
    a = np.exp(-DT_MS / TAU_MS)
    mean, variance = ARRIVALS * WEIGHT / (1 - a), ARRIVALS * WEIGHT**2 / (1 - a**2)
    # Samples decorrelate within τ: an interval of T holds T/2τ independent ones, for each cell.
    independent = N_CELLS * 240 / (2 * TAU_MS)
    assert abs(current.mean() - mean) < 5 * np.sqrt(variance / independent)
    # Nearly Gaussian (40 arrivals in τ), and squares decorrelate within τ/2.
    assert abs(current.var() / variance - 1) < 5 * np.sqrt(2 / (2 * independent))
    correlation = np.corrcoef(current[::10].T)  # every 2 τ; off the diagonal, cells are strangers
    strangers = correlation[~np.eye(N_CELLS, dtype=bool)]
    assert abs(strangers.mean()) < 5 / np.sqrt(24 * N_CELLS**2 / 2)


def test_it_can_be_silent_inhibitory_or_modulated(backend: str) -> None:
    assert not shot_noise(backend, rate_hz=0.0).any()
    usual = ARRIVALS * WEIGHT / (1 - np.exp(-DT_MS / TAU_MS))
    assert shot_noise(backend, weight=-WEIGHT).mean() == pytest.approx(-usual, rel=0.02)
    doubled = shot_noise(
        backend,
        transmitters=(Transmitter("na", baseline=nM(1e6)),),
        receptors=(Receptor("beta", "na", nM(1)),),
        effects=(Effect("beta", "noise", "weight", 2.0),),
    )
    assert doubled.mean() == pytest.approx(2 * usual, rel=0.02)


@pytest.mark.usefixtures("plain")
def test_one_arrival_changes_every_variable_of_its_synapse(backend: str) -> None:
    two = replace(
        EXPONENTIAL_CURRENT, name="two",
        equations="dI_syn/dt = -I_syn/tau : amp\n dJ/dt = -J/tau : amp",
        on_pre="I_syn += w; J += 2*w",
    )  # fmt: skip
    network = Network(
        "n", (Population("cell", LEAKY_INTEGRATOR, 50),),
        backgrounds=(Background("noise", "cell", two, Hz(500), pA(1)),),
    )  # fmt: skip
    records = [Record("cell", name, 1.0) for name in ("noise.I_syn", "noise.J")]
    traces = simulate(network, duration_ms=50, seed=2, backend=backend, record=records).traces
    assert traces["cell.noise.I_syn"].data.max() > 1
    assert traces["cell.noise.J"].data == pytest.approx(
        2 * traces["cell.noise.I_syn"].data, rel=1e-5
    )


def test_a_refractory_cell_takes_no_step_of_voltage(backend: str) -> None:
    """Arrivals during the refractory time are lost, as Brian2 has it for `unless refractory`."""
    network = Network(
        "n",
        (Population("cell", LIF, 100, {"t_ref": ms(5), "V_r": mV(-70), "V_th": mV(-69.5)}),),
        backgrounds=(Background("noise", "cell", DELTA, Hz(10_000), mV(1)),),
    )
    spikes = simulate(network, duration_ms=200, seed=2, backend=backend).spikes["cell"]
    shortest = min(np.diff(spikes.of(cell)).min() for cell in range(100))
    assert shortest == pytest.approx(5.1)  # a step of arrivals after the last refractory one
    assert spikes.rate_hz > 150  # nearly as often as it may


def test_it_shares_the_port_of_a_projection_of_the_same_synapse() -> None:
    network = Network(
        "n",
        (Population("pre", POISSON, 3), Population("cell", LIF, 3)),
        projections=(
            Projection("p", "pre", "cell", EXPONENTIAL_CURRENT, OneToOne(), pA(1), ms(1)),
        ),
        backgrounds=(
            Background("same", "cell", EXPONENTIAL_CURRENT, Hz(10), pA(1), 20),
            Background("slow", "cell", EXPONENTIAL_CURRENT, Hz(10), pA(1), 1, {"tau": ms(9)}),
        ),
    )
    built = prepare(network, backend="brian", dt_ms=0.5)
    assert [port.projections for port in built.populations[1].ports] == [("p", "same"), ("slow",)]
    assert [b.port for b in built.backgrounds] == [0, 1]
    assert [b.arrivals for b in built.backgrounds] == pytest.approx([0.1, 0.005])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rate": Hz(-1)}, "rate must be finite and not negative, found -1 Hz"),
        ({"rate": Hz(float("nan"))}, "`rate`: expected a frequency with its unit, .* found NaN"),
        ({"rate": mV(1)}, "`rate`: expected a frequency with its unit"),
        ({"n": 0}, "`n` must be a whole number of at least 1, found 0"),
        ({"weight": mV(1)}, "`weight`: expected a current with its unit"),
        ({"weight": pA(float("inf"))}, "weight must be finite"),
        ({"target": "cel"}, "did you mean `cell`"),
        ({"parameters": {"tauu": ms(1)}}, "has no parameter `tauu`"),
        ({"synapse": replace(EXPONENTIAL_CURRENT, edges="x : 1")}, "synapse `.*` must add"),
        ({"synapse": replace(EXPONENTIAL_CURRENT, on_pre="I_syn = w")}, "synapse `.*` must add"),
        ({"synapse": replace(EXPONENTIAL_CURRENT, on_pre="I_syn += w*rand()")}, "must add"),
        ({"synapse": replace(EXPONENTIAL_CURRENT, on_pre="I_syn += w*v/mV")}, "must add"),
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, object], said: str) -> None:
    usual = Background("noise", "cell", EXPONENTIAL_CURRENT, Hz(8), pA(1), 10)
    cells = (Population("cell", LIF, 3),)
    with pytest.raises((NetworkError, UnitError), match=said) as caught:
        prepare(Network("n", cells, backgrounds=(replace(usual, **changed),)), backend="brian")
    assert "\n" not in str(caught.value)


def test_poisson_cells_whose_rate_is_too_high_for_the_step_are_refused() -> None:
    def cells(rate: Quantity, at_saturation: float = 1.0) -> Network:
        return Network(
            "n", (Population("p", POISSON, 3, {"rate": rate}),),
            transmitters=(Transmitter("na"),), receptors=(Receptor("beta", "na", nM(1)),),
            effects=(Effect("beta", "p", "rate", at_saturation),),
        )  # fmt: skip

    prepare(cells(Hz(1000)))
    prepare(cells(Hz(100)), dt_ms=1.0)
    prepare(cells(Hz(1000), 0.5))
    with pytest.raises(NetworkError, match=r"at most 1000 Hz at a dt of 0\.1 ms, found 1001 Hz"):
        prepare(cells(Hz(1001)))
    with pytest.raises(NetworkError, match="at most 100 Hz at a dt of 1 ms"):
        prepare(cells(Hz(150)), dt_ms=1.0)
    with pytest.raises(NetworkError, match="found 2000 Hz"):  # when its receptors are full
        prepare(cells(Hz(1000), 2.0))
    with pytest.raises(NetworkError, match="must not be negative"):
        prepare(cells(Hz(-1)))
    # Another model may have a parameter `rate` that means something else.
    other = NeuronModel("other", "dv/dt = -v*rate : 1", parameters={"rate": Hz(5000)})
    prepare(Network("n", (Population("p", other, 3),)))


WRITTEN = """\
duration: 10 ms
circuits:
  mine:
    prefix: my_
    populations:
      a: {n: 4, model: lif}
      b: {n: 4, model: lif}
    backgrounds:
      - {to: a, synapse: exponential_current, rate: 8 Hz, n: 1600, weight: 87.8 pA}
      - {to: mine.a, synapse: exponential_current, rate: 2 Hz, parameters: {tau: 9 ms}}
      - {to: b, synapse: {on_pre: "v += w"}, rate: 1 kHz, weight: 0.1 mV, name: kicks}
modulation:
  na:
    receptors: {beta: {ec50: 10 nM, effects: [{on: my_kicks, parameter: weight, at_saturation: 3}]}}
"""


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    """`write(text)`: the loaded config."""

    def loaded(text: str):  # type: ignore[no-untyped-def]
        (tmp_path / "it.yaml").write_text(text, encoding="utf-8")
        return load(tmp_path / "it.yaml", ())

    return loaded


def test_a_config_writes_out_backgrounds(write) -> None:  # type: ignore[no-untyped-def]
    network = build_experiment(write(WRITTEN)).network
    found = {b.name: b for b in network.backgrounds}
    assert list(found) == ["my_background_to_my_a", "my_background_to_my_a_2", "my_kicks"]
    first, second, kicks = found.values()
    assert (first.target, first.rate, first.n, first.weight) == ("my_a", Hz(8), 1600, pA(87.8))
    assert (second.n, second.weight) == (1, EXPONENTIAL_CURRENT.weight)
    assert second.parameters == {"tau": ms(9)}
    assert (kicks.target, kicks.synapse.on_pre, kicks.weight) == ("my_b", "v += w", mV(0.1))
    assert [e.target for e in network.effects] == ["my_kicks"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rate: 8 Hz", "rate: 8", "Hz"),
        ("rate: 8 Hz", "rate: -8 Hz", "of at least 0 Hz"),
        ("n: 1600", "n: 0", "greater than or equal to 1|at least 1"),
        ("weight: 87.8 pA", "weight: 87.8 mV", "pA"),
        ("weight: 87.8 pA", "weigth: 87.8 pA", "did you mean `weight`"),
        ("to: b, synapse", "to: c, synapse", "there is no population or circuit `c`"),
        ("{to: a, synapse: exponential_current", "{to: a, synapse: exponential", "unknown synapse"),
        (", weight: 0.1 mV", "", "the key `weight` is missing"),
        ('"v += w"', '"v += w*u"', "u"),
        ('"v += w"', '"v += w*v/volt"', "synapse `written` must add"),
        ("{tau: 9 ms}", "{tau: 9 mV}", "ms"),
        ("rate: 2 Hz", "rate: 2 Hz, name: kicks", "`kicks` is taken"),
    ],
)  # fmt: skip
def test_a_wrong_background_is_said_with_its_line(write, old: str, new: str, said: str) -> None:  # type: ignore[no-untyped-def]
    text = WRITTEN.replace("duration", "backend: brian\nduration").replace(old, new, 1)
    with pytest.raises(EmberError, match=said) as caught:
        check_experiment(write(text))
    assert "it.yaml:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_conductance_background_too(backend: str) -> None:
    """Any synapse whose arrivals add: the weight's unit is the synapse's own."""
    from neuro.synapses import EXPONENTIAL_CONDUCTANCE

    network = Network(
        "n", (Population("cell", LEAKY_INTEGRATOR, 100),),
        backgrounds=(Background("noise", "cell", EXPONENTIAL_CONDUCTANCE, Hz(1000), nS(1)),),
    )  # fmt: skip
    record = [Record("cell", "noise.g", 1.0)]
    g = simulate(network, duration_ms=200, seed=3, backend=backend, record=record).traces[
        "cell.noise.g"
    ]
    assert g.data[60:].mean() == pytest.approx(0.1 / (1 - np.exp(-0.02)), rel=0.05)
