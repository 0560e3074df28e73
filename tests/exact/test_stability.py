"""An explicit integrator is asked for every cell, and at both ends of modulation and of drives."""

from __future__ import annotations

import numpy as np
import pytest

from neuro import Drive, Network, Population
from neuro.errors import NetworkError
from neuro.model import NeuronModel
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.simulate import prepare
from neuro.units import NUMBER, Quantity, ms, mV, nM

LEAKY = NeuronModel(
    name="leaky",
    equations="dv/dt = (E_L - v)/tau : volt",
    threshold="v > 0*mV",
    reset="v = E_L",
    parameters={"E_L": mV(-70), "tau": ms(20)},
    initial={"v": mV(-60)},
    method="euler",
)


def _network(taus_ms: list[float], at_saturation: float = 1.0) -> Network:
    cells = Population("cells", LEAKY, len(taus_ms), parameters={"tau": np.array(taus_ms)})
    return Network(
        populations=(cells,),
        transmitters=(Transmitter("hormone", schedule=((ms(0), nM(0)), (ms(9), nM(99)))),),
        receptors=(Receptor("r", "hormone", nM(5)),),
        effects=(Effect("r", "cells", "tau", at_saturation),),
    )


# Euler's step grows beyond 2 tau: |1 - dt/tau| > 1.
@pytest.mark.parametrize("taus", [[20.0, 0.04], [0.04, 20.0], [0.04], [9.0] * 5 + [0.04] + [9.0]])
def test_one_fast_cell_is_found_wherever_it_stands(taus: list[float]) -> None:
    with pytest.raises(NetworkError, match=r"time constant of 0\.04 ms") as found:
        prepare(_network(taus))
    if len(taus) > 1:
        assert f"cell {taus.index(0.04)}" in str(found.value)


@pytest.mark.parametrize(("factor", "tau"), [(0.01, 4.0), (0.0, 4.0)])
def test_a_time_constant_that_modulation_shortens_is_refused(factor: float, tau: float) -> None:
    with pytest.raises(NetworkError, match="under modulation"):
        prepare(_network([20.0, tau], factor))


@pytest.mark.parametrize("factor", [1.0, 0.5, 3.0])
def test_what_is_slow_enough_runs(factor: float) -> None:
    prepare(_network([20.0, 0.2], factor))


def _driven(rate: str, values: object, n: int = 3, **drives: object) -> Network:
    """Cells with `dx/dt = -rate*x/tau`, a tau of 10 ms, and an input for each name of `drives`."""
    given = {"q": values, **drives}
    model = NeuronModel(
        name="driven",
        equations=f"dx/dt = -({rate})*x/tau : 1",
        parameters={"tau": ms(10)},
        inputs=dict.fromkeys(given, NUMBER),
        initial={"x": Quantity(1.0)},
        method="euler",
    )
    return Network(
        populations=(Population("cells", model, n),),
        drives=tuple(Drive("cells", name, np.array(v), 5.0) for name, v in given.items()),
    )


# Euler's step of 0.1 ms grows beyond a rate of 2/0.1 ms, which is 200 times 1/tau.
@pytest.mark.parametrize(
    ("network", "where"),
    [
        (_driven("q", [1.0, 300.0]), "where `q` is 300"),
        (_driven("-q", [1.0, -300.0, 2.0]), "where `q` is -300"),
        (_driven("q", [[1.0, 1, 1], [1, 300, 1], [1, 1, 1]]), "of cell 1 where `q` is 300"),
        (_driven("q*r", [1.0, 20.0], r=[-9.0, 5, 15]), "where `q` is 20 and `r` is 15"),
        (_driven("q*r", [-1.0, -20.0], r=[9.0, -15]), "where `q` is -20 and `r` is -15"),
        (_driven("p+r+s+t_1+q", [1.0], p=[1.0], r=[1.0], s=[1.0, 300], t_1=[1.0]), "`s` is 300"),
        (_driven("q*(1 + 100*i)", [1.0]), "of cell 2"),
    ],
)
def test_what_a_drive_makes_of_a_rate_is_asked(network: Network, where: str) -> None:
    with pytest.raises(NetworkError, match="method euler is unstable") as found:
        prepare(network)
    assert where in str(found.value)


@pytest.mark.parametrize(
    "network", [_driven("q", [1.0, 199.0]), _driven("600 - q", [500.0, 590.0]), _driven("q", [0.0])]
)
def test_a_drive_that_keeps_a_rate_slow_runs(network: Network) -> None:
    prepare(network)


def test_a_rate_is_refused_at_any_frame_of_any_cell_or_runs() -> None:
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(40):
        values = rng.uniform(-50, 210, (4, 3))
        network = _driven("q", values)
        if values.max() > 200:
            refused += 1
            with pytest.raises(NetworkError, match="unstable"):
                prepare(network)
        else:
            prepare(network)
    assert 5 < refused < 35
