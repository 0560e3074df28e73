"""An explicit integrator is asked for every cell, and for what modulation makes of parameters."""

from __future__ import annotations

import numpy as np
import pytest

from neuro import Network, Population
from neuro.errors import NetworkError
from neuro.model import NeuronModel
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.simulate import prepare
from neuro.units import ms, mV, nM

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
