"""A network in torch learns given spike times, and keeps them on another back end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from bridges.spiking.written_back import written_back
from neuro import Network, Population, Projection, Source, Spikes, simulate
from neuro.backends.norse.making import torch_network
from neuro.backends.norse.network import TorchNetwork
from neuro.backends.norse.surrogate import Surrogate
from neuro.models import LIF
from neuro.synapses import EXPONENTIAL_CONDUCTANCE
from neuro.units import ms, mV, nS
from neuro.wiring import AllToAll

DT_MS, STEPS, INPUTS = 0.5, 120, 60
WANTED = ((44, 90), (60, 102))  # steps of the spikes of each cell


def circuit() -> Network:
    """Two cells that hear sixty inputs, and four that hear them too and inhibit the two."""
    rng = np.random.default_rng(1)
    steps = np.sort(rng.integers(0, STEPS - 10, INPUTS * 2).reshape(INPUTS, 2), axis=1)
    steps[:, 1] += 1
    spikes = Spikes(
        steps.ravel() * DT_MS, np.repeat(np.arange(INPUTS), 2), n_units=INPUTS, t_stop_ms=60
    )
    strong, weak = rng.uniform(0.2, 3.0, INPUTS * 2), nS(2)
    return Network(
        "spike_times",
        (Population("cells", LIF, 2), Population("brake", LIF, 4)),
        (Source("input", spikes),),
        (
            Projection("drive", "input", "cells", EXPONENTIAL_CONDUCTANCE, AllToAll(), strong,
                       ms(1)),
            Projection("wake", "input", "brake", EXPONENTIAL_CONDUCTANCE, AllToAll(), weak, ms(1)),
            Projection("inhibit", "brake", "cells", EXPONENTIAL_CONDUCTANCE, AllToAll(), nS(1),
                       ms(1), {"E_rev": mV(-80), "tau": ms(8)}),
        ),
    )  # fmt: skip


def off_ms(fired: Tensor) -> float:
    """How far the worst spike is from where it was wanted; infinite if their number differs."""
    found = [steps.nonzero()[:, 0].tolist() for steps in fired.detach().t()]
    if [len(steps) for steps in found] != [len(steps) for steps in WANTED]:
        return np.inf
    return DT_MS * float(np.abs(np.array(found) - np.array(WANTED)).max())


def learn(
    rounds: int, direction: float = 1.0, surrogate: str = "super"
) -> tuple[TorchNetwork, list[Tensor], list[float]]:
    """The network, and what it did and how wrong that was in each round."""
    wanted = torch.zeros(STEPS, 2, dtype=torch.float64)
    for cell, steps in enumerate(WANTED):
        wanted[list(steps), cell] = 1
    lag_ms = DT_MS * (torch.arange(STEPS)[:, None] - torch.arange(STEPS)).double()
    model = torch_network(
        circuit(), dt_ms=DT_MS, seed=1, dtype=torch.float64, checkpoint=False,
        trainable=["drive.weight", "inhibit.weight"], surrogate=Surrogate(surrogate, alpha=2),
    )  # fmt: skip
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    fired, errors = [], []
    for k in range(rounds):
        fired.append(model(n_steps=STEPS)[0].spikes["cells"][:, 0])
        wrong = fired[-1] - wanted
        found = []
        for tau_ms in (5.0, 15.0 * 0.25 ** (k / 80)):  # to report; to learn from
            kernel = torch.where(lag_ms >= 0, torch.exp(-lag_ms.clamp(min=0) / tau_ms), 0.0)
            found.append((kernel @ wrong).square().sum() * DT_MS / tau_ms)
        errors.append(found[0].item())
        if off_ms(fired[-1]) <= 1.0:
            break
        optimiser.zero_grad()
        (direction * found[1]).backward()
        optimiser.param_groups[0]["lr"] = 0.05 * (1 - 0.9 * min(1.0, k / 80))
        optimiser.step()
        for weight in model.parameters():
            weight.data.clamp_(min=0)
    return model, [f.detach() for f in fired], errors


def test_given_spike_times_are_learned_and_kept_on_numba() -> None:
    """Every spike within 1 ms of where it was wanted and no other, in at most 120 rounds; the
    circuit with the weights that were found fires the very same spikes on another back end.
    """
    model, fired, errors = learn(120)
    assert off_ms(fired[0]) == np.inf and off_ms(fired[-1]) <= 1.0
    assert errors[-1] < 0.25 * errors[0]
    learned = simulate(
        written_back(model), duration_ms=STEPS * DT_MS, dt_ms=DT_MS, seed=1,
        options={"precision": "float64"},
    ).spikes["cells"]  # fmt: skip
    step, unit = fired[-1].nonzero(as_tuple=True)
    expected = Spikes(step.numpy() * DT_MS, unit.numpy(), n_units=2, t_stop_ms=STEPS * DT_MS)
    assert learned == expected and len(learned) == 4


@pytest.mark.parametrize(
    ("rounds", "direction", "surrogate"), [(25, -1.0, "super"), (3, 1.0, "heaviside")]
)
def test_nothing_is_learned_against_or_without_the_gradient(
    rounds: int, direction: float, surrogate: str
) -> None:
    """Known-bad: uphill, and with a threshold that passes no gradient, where no weight moves."""
    model, fired, errors = learn(rounds, direction, surrogate)
    assert len(errors) == rounds
    if surrogate == "heaviside":
        fresh = torch_network(
            circuit(), dt_ms=DT_MS, seed=1, dtype=torch.float64,
            trainable=["drive.weight", "inhibit.weight"],
        )  # fmt: skip
        for ours, theirs in zip(model.parameters(), fresh.parameters(), strict=True):
            assert torch.equal(ours, theirs)
        assert torch.equal(fired[0], fired[-1]) and fired[0].sum() > 4
    else:
        assert errors[-1] > errors[0]
