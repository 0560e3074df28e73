"""Short-term plasticity and gap junctions against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuro import Network, Population, Projection, Record, Source, Spikes, simulate
from neuro.model import SynapseModel
from neuro.models import LIF
from neuro.synapses import (
    DEPRESSING_CONDUCTANCE,
    DEPRESSING_CURRENT,
    EXPONENTIAL_CURRENT,
    FACILITATING_CONDUCTANCE,
    FACILITATING_CURRENT,
    GAP_JUNCTION,
)  # fmt: skip
from neuro.units import Quantity, ms, mV, nS, pF
from neuro.wiring import Listed, OneToOne

pytestmark = pytest.mark.usefixtures("plain")

RATES_HZ = np.array([10, 20, 50])
N_SPIKES = 10
DT_MS = 1.0
MODELS = {
    model.name: (model, f"to_{model.name}.{'g' if 'conductance' in model.name else 'I_syn'}")
    for model in (
        EXPONENTIAL_CURRENT, DEPRESSING_CURRENT, FACILITATING_CURRENT, DEPRESSING_CONDUCTANCE,
        FACILITATING_CONDUCTANCE,
    )
}  # fmt: skip


def _jumps(backend: str) -> dict[str, np.ndarray]:
    """What each spike of regular trains adds, `(rate, spike)` per unit of weight, by model."""
    times = [20 + np.arange(N_SPIKES) * 1000 / rate for rate in RATES_HZ]
    units = np.repeat(np.arange(RATES_HZ.size), N_SPIKES)
    spikes = Spikes(np.concatenate(times), units, n_units=RATES_HZ.size, t_stop_ms=2000)
    weight, delay_ms = 2.0, 3.0
    network = Network(
        "trains",
        # No spikes of the targets: their threshold is out of reach.
        populations=tuple(
            Population(name, LIF, RATES_HZ.size, {"V_th": mV(1000)}) for name in MODELS
        ),
        sources=(Source("pre", spikes),),
        projections=tuple(
            Projection(
                f"to_{name}", "pre", name, model, OneToOne(),
                Quantity(weight, model.weight.dimension), ms(delay_ms),
            )
            for name, (model, _) in MODELS.items()
        ),
    )  # fmt: skip
    recording = simulate(
        network, duration_ms=1000, dt_ms=DT_MS, backend=backend,
        record=[Record(name, variable, DT_MS) for name, (_, variable) in MODELS.items()],
    )  # fmt: skip
    found = {}
    for name, (model, variable) in MODELS.items():
        trace = recording.traces[f"{name}.{variable}"].data
        decay = np.exp(-ms(DT_MS) / model.parameters["tau"])
        added = trace[1:] - trace[:-1] * decay  # row k: what arrived in step k
        jumps = np.empty((RATES_HZ.size, N_SPIKES))
        for cell, train in enumerate(times):
            at = np.rint((train + delay_ms) / DT_MS).astype(int)
            jumps[cell] = added[at, cell]
            added[at, cell] = 0
        assert np.abs(added).max() < 1e-12  # nothing arrived at any other time
        found[name] = jumps / weight
    return found


# Maass, Natschläger & Markram 2002: between pyramidal cells, and from these to interneurons
PUBLISHED = {
    "depressing": {"U": 0.5, "tau_rec": 1100.0, "tau_facil": 50.0},
    "facilitating": {"U": 0.05, "tau_rec": 125.0, "tau_facil": 1200.0},
}


def _closed_form(synapse: SynapseModel, interval_ms: float) -> tuple[np.ndarray, float]:
    """Tsodyks, Pawelzik & Markram (1998), equations 3 and 4, spike by spike; and the limit."""
    p = PUBLISHED["facilitating" if "facilitating" in synapse.name else "depressing"]
    recovers, falls = (np.exp(-interval_ms / p[tau]) for tau in ("tau_rec", "tau_facil"))
    u, x, transmitted = p["U"], 1.0, []
    for _ in range(N_SPIKES):
        transmitted.append(u * x)
        x = 1 - (1 - x * (1 - u)) * recovers
        u = u * falls * (1 - p["U"]) + p["U"]
    u_limit = p["U"] / (1 - (1 - p["U"]) * falls)
    x_limit = (1 - recovers) / (1 - (1 - u_limit) * recovers)
    return np.array(transmitted), u_limit * x_limit


def test_regular_trains_have_their_closed_form(backend: str) -> None:
    """Amplitudes spike by spike; depressing ones come close to the limit that falls with rate."""
    found = _jumps(backend)
    for name, (model, _) in MODELS.items():
        if model is EXPONENTIAL_CURRENT:  # the control: without plasticity all are the weight
            assert np.abs(found[name] - 1).max() < 1e-12
            continue
        expected = [_closed_form(model, 1000 / rate) for rate in RATES_HZ]
        # Some 1e3 roundings of numbers near 1.
        assert np.abs(found[name] - [spikes for spikes, _ in expected]).max() < 1e-12
        fastest = found[name][-1]
        if "depressing" in name:
            assert (np.diff(found[name]) < 0).all()
            assert np.allclose(found[name][:, -1], [limit for _, limit in expected], rtol=0.05)
        else:
            assert fastest[3] > 2 * fastest[0]


def _coupled(edges: list[tuple[int, int]], backend: str) -> np.ndarray:
    """Potentials above rest of three cells at rest, 300 pA into the first, joined by `edges`."""
    source, target = np.array(edges or np.zeros((0, 2)), dtype=np.int64).T
    network = Network(
        "coupled",
        populations=(
            Population(
                "cells", LIF, 3,
                {"I_ext": np.array([300.0, 0, 0]), "V_th": mV(1000), "g_L": nS(10), "C": pF(100)},
                {"v": LIF.parameters["E_L"]},
            ),
        ),
        projections=(
            Projection(
                "gaps", "cells", "cells", GAP_JUNCTION, Listed(source, target), nS(2.5)
            ),
        ),
    )  # fmt: skip
    recording = simulate(
        network, duration_ms=400, dt_ms=2.0, backend=backend, record=[Record("cells", "v", 2.0)]
    )
    return recording.traces["cells.v"].data[-1] - float(LIF.parameters["E_L"])


def test_gap_junctions_have_the_exact_coupling_coefficient(backend: str) -> None:
    """Two passive cells: v_2/v_1 = g/(g + g_L) at rest (Bennett 1977), whatever the time step.

    400 ms are 40 membrane time constants: what is left of the approach is exp(-40) of 30 mV.
    """
    g, g_L, current = 2.5, 10.0, 300.0
    coefficient = g / (g + g_L)
    both = _coupled([(0, 1), (1, 0)], backend)
    first = current / (g_L + g * (1 - coefficient))
    assert both == pytest.approx([first, coefficient * first, 0], abs=1e-9)
    # Rectified: the second cell is driven, and the first does not feel it.
    one_way = _coupled([(0, 1)], backend)
    assert one_way == pytest.approx([current / g_L, coefficient * current / g_L, 0], abs=1e-9)
    # Two junctions on one cell add up; without any, nothing passes.
    chain = _coupled([(0, 1), (2, 1)], backend)
    assert chain == pytest.approx([30, 30 * g / (g_L + 2 * g), 0], abs=1e-9)
    assert _coupled([], backend) == pytest.approx([30, 0, 0], abs=1e-9)


def test_gap_junctions_alone_have_no_delay_and_no_spikes(backend: str) -> None:
    """The current flows from the first step on: v of the second cell rises in the second one."""
    alone = replace(GAP_JUNCTION, name="gap_again")
    network = Network(
        "start",
        populations=(
            Population("cells", LIF, 2, {"V_th": mV(1000)}, {"v": np.array([-50.0, -70])}),
        ),
        projections=(
            Projection(
                "gaps", "cells", "cells", alone, Listed(np.array([0]), np.array([1])), nS(2)
            ),
        ),
    )  # fmt: skip
    recording = simulate(
        network, duration_ms=3, dt_ms=0.5, backend=backend, record=[Record("cells", "v", 0.5)]
    )
    second = recording.traces["cells.v"].data[:, 1]
    p = {name: float(value) for name, value in LIF.parameters.items()}
    tau = p["C"] / p["g_L"]
    after = -70 + (p["E_L"] + 2 * 20 / p["g_L"] + 70) * (1 - np.exp(-0.5 / tau))
    assert second[1] == pytest.approx(after, abs=1e-12)
