"""
A circuit learns when to spike
==============================

Five adaptive exponential (AdEx) cells and ten interneurons hear the same 200 spikes. By gradient
descent through the spikes themselves, the cells learn to fire at given times; what was learned
then runs on another back end. PyTorch and Norse are needed.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from bridges.spiking.written_back import written_back
from neuro import Network, Population, Projection, Source, Spikes, simulate
from neuro.backends.norse.making import torch_network
from neuro.backends.norse.surrogate import Surrogate
from neuro.models import ADEX, LIF
from neuro.synapses import EXPONENTIAL_CONDUCTANCE
from neuro.units import ms, mV, nS, pA
from neuro.wiring import AllToAll, Pairwise

DT_MS, N_STEPS, N_CELLS, N_INPUTS = 0.5, 200, 5, 100
HALF, COLORS = Pairwise(0.5), ("#0072B2", "#D55E00", "#1c1c22")
rng = np.random.default_rng(1)
heard = [np.sort(rng.choice(N_STEPS - 10, 2, replace=False)) * DT_MS for _ in range(N_INPUTS)]
spikes = Spikes(
    np.concatenate(heard), np.repeat(np.arange(N_INPUTS), 2), n_units=N_INPUTS, t_stop_ms=100
)
# The upswing is cut early: far above V_T it multiplies gradients as it does the membrane.
cells = Population("cells", ADEX, N_CELLS, {"V_cut": mV(-47), "I_ext": pA(400)})
drive_ns = rng.uniform(0.2, 1.8, N_INPUTS * N_CELLS)
circuit = Network(
    "spike_times",
    (cells, Population("brake", LIF, 10)),
    (Source("input", spikes),),
    (
        Projection("drive", "input", "cells", EXPONENTIAL_CONDUCTANCE, AllToAll(), drive_ns, ms(1)),
        Projection("wake", "input", "brake", EXPONENTIAL_CONDUCTANCE, HALF, nS(1.4), ms(1)),
        Projection(
            "inhibit", "brake", "cells", EXPONENTIAL_CONDUCTANCE, AllToAll(), nS(1), ms(1),
            {"E_rev": mV(-80), "tau": ms(8)},
        ),
    ),
)  # fmt: skip

# %%
# Each cell is to fire three times, at least 15 ms apart and otherwise at random.
rng = np.random.default_rng(5)
wanted = torch.zeros(N_STEPS, N_CELLS, dtype=torch.float64)
for cell in range(N_CELLS):
    steps = np.zeros(3, int)
    while np.diff(steps).min() < 30:
        steps = np.sort(rng.choice(np.arange(40, N_STEPS - 20), 3, replace=False))
    wanted[torch.from_numpy(steps), cell] = 1

lag_ms = DT_MS * (torch.arange(N_STEPS)[:, None] - torch.arange(N_STEPS)).double()


def error(fired, tau_ms):
    """Van Rossum's (2001) distance: between trains that are filtered by a decaying exponential."""
    kernel = torch.where(lag_ms >= 0, torch.exp(-lag_ms.clamp(min=0) / tau_ms), 0.0)
    return (kernel @ (fired - wanted)).square().sum() * DT_MS / tau_ms


def train(n_rounds, direction=1.0, surrogate="super"):
    """The network after some rounds, and in each of them what it did and how wrong that was."""
    model = torch_network(
        circuit, dt_ms=DT_MS, seed=1, dtype=torch.float64, checkpoint=False,
        trainable=["drive.weight", "inhibit.weight"], surrogate=Surrogate(surrogate, alpha=2),
    )  # fmt: skip
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    fired, errors = [], []
    for done in np.arange(n_rounds) / 120:
        output, _ = model(n_steps=N_STEPS)
        fired.append(output.spikes["cells"][:, 0])
        errors.append(error(fired[-1], 5.0).item())
        if len(fired) == n_rounds or not errors[-1]:
            break
        optimiser.zero_grad()
        # A wide filter first: a spike far from where it should be must know which way to go.
        error(fired[-1], 20.0 * 0.2**done).backward()
        for weight in model.parameters():
            weight.grad *= direction / weight.grad.norm().clamp_min(1e-12)
        optimiser.param_groups[0]["lr"] = 0.03 * (1 - 0.9 * done)
        optimiser.step()
        for weight in model.parameters():
            weight.data.clamp_(min=0)  # a conductance
    return model, fired, errors


model, fired, errors = train(120)  # fewer, if every spike is right before
wrong, none = train(10, direction=-1.0)[2], train(4, surrogate="heaviside")[2]
controls = {"wrong sign": wrong, "no gradient at the threshold": none}
print(f"error {errors[0]:.2f} before, {errors[-1]:.2f} after; controls end at", end=" ")
print(", ".join(f"{last[-1]:.2f}" for last in controls.values()))

# %%
# What was learned is written back into the circuit, which gives the same spikes on `numba`.
learned = simulate(
    written_back(model), duration_ms=100, dt_ms=DT_MS, seed=1, options={"precision": "float64"}
).spikes["cells"]
step, unit = fired[-1].nonzero(as_tuple=True)
print("the same spikes on numba:", bool(np.array_equal(learned.times_ms, step.numpy() * DT_MS)))

# %%
# Lines are where spikes were wanted, dots where they fell.
figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), layout="constrained")
for axis, title, found in ((axes[0], "before", fired[0]), (axes[1], "after", fired[-1])):
    for marks, marker, size, color in ((wanted, "|", 260, COLORS[1]), (found, "o", 16, COLORS[0])):
        step, unit = marks.detach().nonzero(as_tuple=True)
        axis.scatter(step * DT_MS, unit, size, color, marker=marker)
    axis.set(title=title, xlabel="time (ms)", xlim=(0, 100), ylim=(-0.6, N_CELLS - 0.4))
axes[0].set_ylabel("cell")
for (label, values), color in zip({"learns": errors, **controls}.items(), COLORS, strict=True):
    axes[2].plot(values, label=label, color=color)
axes[2].set(xlabel="round", ylim=(0, None), title="error")
axes[2].legend(frameon=False, fontsize=8, loc="upper right")
plt.show()
