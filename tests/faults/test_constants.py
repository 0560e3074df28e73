"""Parameters at which what is computed from them alone is no number: each is named, or runs."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from neuro import Network, NeuronModel, Population, Projection, Record, prepare, simulate
from neuro.errors import NetworkError, SimulationError
from neuro.models import LIF, MODELS
from neuro.synapses import SYNAPSES
from neuro.units import Quantity, ms, mV, nS, pA, pF
from neuro.wiring import OneToOne
from tests.backends._plain import plain_kernels


def _cells(**parameters: Any) -> Network:
    return Network(populations=(Population("cells", LIF, 2, parameters),))


def _joined(synapse: str, **parameters: Any) -> Network:
    model = SYNAPSES[synapse]
    cells = Population("cells", LIF, 1)
    projection = Projection(
        "ff", "cells", "cells", model, OneToOne(), model.weight, ms(1), parameters
    )
    return Network(populations=(cells,), projections=(projection,))


@pytest.mark.parametrize("backend", ["numba", "brian", "norse"])
@pytest.mark.parametrize(
    ("network", "said"),
    [
        (_cells(C=pF(0)), "population `cells`: `C` must not be 0, .* found 0$"),
        (_cells(C=np.array([250.0, 0.0])), "`C` must not be 0, .* found 0 in cell 1$"),
        (_joined("exponential_current", tau=ms(0)), "`ff.tau` must not be 0"),
        (_joined("alpha_current", tau=ms(0)), "`ff.tau` must not be 0"),
        (_joined("stdp_additive", tau=ms(0)), "`ff.tau` must not be 0"),
        (_joined("stdp_additive", tau_plus=ms(0)), "projection `ff`: `tau_plus` must not be 0"),
        (_cells(t_ref=ms(-3)), "refractory time must not be negative, found -3 ms of `t_ref`"),
        (_cells(t_ref=np.array([2.0, -1.0])), "refractory time must not be negative, found -1 ms"),
    ],
)
def test_a_parameter_that_may_not_be_so_is_named(network: Network, said: str, backend: str) -> None:
    with pytest.raises(NetworkError, match=said):
        prepare(network, backend=backend)


def test_another_parameter_of_0_is_not_blamed() -> None:
    """An input and potentials of 0, which come first, are fine."""
    zero = {"I_ext": pA(0), "E_L": mV(0), "V_th": mV(0), "t_ref": ms(0), "g_L": nS(0)}
    cells = Population("cells", LIF, 1, zero)
    synapse = SYNAPSES["exponential_current"]
    projection = Projection(
        "ff", "cells", "cells", synapse, OneToOne(), synapse.weight, ms(1), {"tau": ms(0)}
    )
    with pytest.raises(NetworkError, match=r"`ff\.tau` must not be 0"):
        prepare(Network(populations=(cells,), projections=(projection,)))


def test_a_state_that_a_reset_sets_is_no_constant() -> None:
    """`v - V_r` is 0 where `v` is always V_r; it is 1 mV where the reset divides by it."""
    model = NeuronModel(
        name="late",
        equations="dv/dt = (V_i - v)/tau : volt\ndx/dt = -x/tau : 1",
        parameters={"V_i": mV(20), "tau": ms(10), "V_r": mV(0)},
        threshold="v > 10*mV",
        reset="v = V_r\nv += 1*mV\nx = 1*mV/(v - V_r)",
    )
    prepare(Network(populations=(Population("cells", model, 1),)))


@pytest.mark.parametrize("model", list(MODELS))
def test_each_parameter_of_a_model_may_be_0_or_is_named(model: str) -> None:
    for name, value in MODELS[model].parameters.items():
        cells = Population("cells", MODELS[model], 1, {name: Quantity(0.0, value.dimension)})
        _run_or_name(Network(populations=(cells,)), name)


@pytest.mark.parametrize("synapse", ["exponential_current", "alpha_current", "stdp_additive"])
def test_each_parameter_of_a_synapse_may_be_0_or_is_named(synapse: str) -> None:
    for name, value in SYNAPSES[synapse].parameters.items():
        _run_or_name(_joined(synapse, **{name: Quantity(0.0, value.dimension)}), name)


def _run_or_name(network: Network, name: str) -> None:
    said = f"`{name}` must not be 0"
    try:
        with plain_kernels():
            simulate(network, duration_ms=0.2, options={"precision": "float64"})
    except NetworkError as error:
        said = str(error)
    except SimulationError as error:  # where it depends on a state what is divided by
        assert "of cell 0 became nan" in str(error)  # noqa: PT017
    assert re.search(rf"`(ff\.)?{name}` must ", said)


def _damped(k_per_ms: float, method: str = "auto") -> Network:
    """An oscillator of 10 ms: it swings where `k` is above 0.05 per ms."""
    model = NeuronModel(
        name="damped",
        equations="dx/dt = y*k : 1\ndy/dt = -x*k - y/tau : 1",
        parameters={"k": k_per_ms / ms(1), "tau": ms(10)},
        initial={"x": Quantity(1.0)},
        method=method,
    )
    return Network(populations=(Population("cells", model, 1),))


@pytest.mark.parametrize("k", [0.05, 2.0])
def test_an_exact_solution_that_is_not_real_is_refused_in_one_short_line(k: float) -> None:
    with pytest.raises(NetworkError, match="give the model `method: rk4`") as found:
        prepare(_damped(k))
    assert len(str(found.value)) < 200


@pytest.mark.parametrize(("k", "method"), [(0.01, "auto"), (2.0, "rk4"), (0.05, "rk4")])
def test_a_damped_oscillator_follows_its_closed_form(k: float, method: str) -> None:
    network = _damped(k, method)
    with plain_kernels():
        run = simulate(
            network,
            duration_ms=10,
            record=[Record("cells", "x", 0.1)],
            options={"precision": "float64"},
        )
    rates, modes = np.linalg.eig(np.array([[0, k], [-k, -0.1]]) + 0j)
    if k == 0.05:  # both rates are the same
        expected = np.exp(-9.9 / 20) * (1 + 9.9 / 20)
    else:
        start = np.linalg.solve(modes, [1, 0])
        expected = float((modes @ (start * np.exp(rates * 9.9)))[0].real)
    assert run.traces["cells.x"].data[-1, 0] == pytest.approx(expected, abs=1e-3)
