"""Where an Ember model is Norse's LIF, both take the same steps, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from neuro import Network, Projection, Record, Source, Spikes, simulate
from neuro.backends.norse.adapter import EmberCell, EmberLayer
from neuro.backends.norse.lif import NORSE_ARRIVAL, NORSE_LIF, norse_population
from neuro.backends.norse.norse_import import norse
from neuro.backends.norse.surrogate import Surrogate
from neuro.units import Quantity, ms
from neuro.wiring import OneToOne

DTYPES = [torch.float32, torch.float64]
N_STEPS, BATCH, N = 300, 4, 20


def parameters(dtype: torch.dtype) -> Any:
    """None of which is a round number."""
    values = {
        "tau_syn_inv": 1 / 7e-3, "tau_mem_inv": 1 / 13e-3, "v_leak": 0.07, "v_th": 0.83,
        "v_reset": -0.11,
    }  # fmt: skip
    return norse().LIFParameters(**{k: torch.tensor(v, dtype=dtype) for k, v in values.items()})


def arrivals(dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(N_STEPS, BATCH, N, generator=generator, dtype=dtype) * 0.3


def by_norse(x: torch.Tensor, p: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes and membrane of Norse's own step, from rest."""
    cell = norse().LIFCell(p)
    state = norse().LIFFeedForwardState(
        v=p.v_leak.expand(BATCH, N), i=torch.zeros(BATCH, N, dtype=x.dtype)
    )
    spikes, v = [], []
    for now in x:
        z, state = cell(now, state)
        spikes.append(z)
        v.append(state.v)
    return torch.stack(spikes), torch.stack(v)


def by_ember(x: torch.Tensor, cell: EmberCell) -> tuple[torch.Tensor, torch.Tensor]:
    state, spikes, v = None, [], []
    for now in x:
        z, state = cell(now, state)
        spikes.append(z)
        v.append(state.cells.values[0])
    return torch.stack(spikes), torch.stack(v)


def ember(p: Any, dtype: torch.dtype, **options: Any) -> EmberCell:
    return EmberCell(
        norse_population("a", N, p), 1.0, synapse=NORSE_ARRIVAL, dtype=dtype,
        surrogate=Surrogate(scale=1.0), reset_gradient=True, **options,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_are_norses_bit_for_bit(dtype: torch.dtype) -> None:
    x, p = arrivals(dtype), parameters(dtype)
    theirs, ours = by_norse(x, p), by_ember(x, ember(p, dtype))
    assert theirs[0].sum() > 1000
    assert torch.equal(theirs[0], ours[0])
    assert torch.equal(theirs[1], ours[1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_are_norses(dtype: torch.dtype) -> None:
    """Through spikes and resets, to the order in which they are summed up over the steps."""
    x, p = arrivals(dtype), parameters(dtype)
    weights = torch.rand(x.shape, generator=torch.Generator().manual_seed(1), dtype=dtype)

    def gradient(run: Callable[[torch.Tensor], tuple[torch.Tensor, ...]]) -> torch.Tensor:
        given = x.clone().requires_grad_()
        (run(given)[0] * weights).sum().backward()
        return given.grad

    theirs = gradient(lambda given: by_norse(given, p))
    ours = gradient(lambda given: by_ember(given, ember(p, dtype)))
    assert theirs.abs().max() > 0.1
    # Each is a sum over the steps that follow, which decays with 13 ms: some 50 roundings.
    assert (ours - theirs).abs().max() <= 50 * torch.finfo(dtype).eps * theirs.abs().max()


def test_every_other_discretisation_is_another() -> None:
    """The control: the exact solution, and a delivery after the step, are not Norse's."""
    x, p = arrivals(torch.float64), parameters(torch.float64)
    spikes, v = by_norse(x, p)
    population = norse_population("a", N, p)
    solved = replace(population, model=replace(NORSE_LIF, method="exact"))
    other = EmberCell(solved, 1.0, synapse=NORSE_ARRIVAL, dtype=torch.float64)
    assert (by_ember(x, other)[1] - v).abs().max() > 1e-3
    late = torch.cat([torch.zeros_like(x[:1]), x[:-1]])
    assert not torch.equal(by_ember(late, ember(p, torch.float64))[0], spikes)


def test_the_defaults_are_norses_and_so_is_a_layer() -> None:
    """Norse's `LIF` over a sequence, with its default parameters, in single precision."""
    x = arrivals(torch.float32) * 3
    theirs, _ = norse().LIF()(x)
    ours, _ = EmberLayer(norse_population("a", N), 1.0, synapse=NORSE_ARRIVAL)(x)
    assert theirs.sum() > 1000
    assert torch.equal(theirs, ours)


@pytest.mark.parametrize("dt", [1e-3, 5e-4, 1e-4])
def test_other_time_steps_are_norses_to_rounding(dt: float) -> None:
    """Where 1000*dt is no power of two, rates may round differently, in the last place."""
    x, p = arrivals(torch.float64), parameters(torch.float64)
    cell = norse().LIFCell(p, dt=dt)
    state, v = None, []
    for now in x:
        _, state = cell(now, state or norse().LIFFeedForwardState(
            v=p.v_leak.expand(BATCH, N), i=torch.zeros(BATCH, N, dtype=x.dtype)))  # fmt: skip
        v.append(state.v)
    ours = EmberCell(
        norse_population("a", N, p, dt), 1000 * dt, synapse=NORSE_ARRIVAL, dtype=torch.float64
    )
    apart = (by_ember(x, ours)[1] - torch.stack(v)).abs().max()
    assert apart <= (0.0 if dt != 1e-4 else N_STEPS * 4 * 2.0**-52)


def test_the_same_model_runs_on_numba() -> None:
    """In a network a spike arrives after the step, so that it acts on the membrane one later."""
    rng = np.random.default_rng(0)
    at = np.sort(rng.permutation(N * 140)[:500])
    steps, units = at // N, at % N
    spikes = Spikes(steps * 1.0, units, n_units=N, t_stop_ms=150.0)
    network = Network(
        "norse", (norse_population("a", N),), (Source("s", spikes),),
        (Projection("sa", "s", "a", NORSE_ARRIVAL, OneToOne(), Quantity(2.5), ms(1)),),
    )  # fmt: skip
    recording = simulate(
        network, duration_ms=150, dt_ms=1.0, backend="numba", options={"precision": "float64"},
        record=[Record("a", "v", 1.0)],
    )  # fmt: skip
    x = torch.zeros(150, 1, N, dtype=torch.float64)
    x[steps + 2, 0, units] = 2.5  # delivered at the end of the next step, seen by the one after
    cell = EmberCell(norse_population("a", N), 1.0, synapse=NORSE_ARRIVAL, dtype=torch.float64)
    fired, v = by_ember(x, cell)
    assert len(recording.spikes["a"]) > 20
    found = np.argwhere(fired[:, 0].numpy() > 0)
    expected = np.column_stack(
        [np.rint(recording.spikes["a"].times_ms).astype(int), recording.spikes["a"].units]
    )
    assert np.array_equal(found, expected)
    # Numba may fuse a product and a sum, which rounds once for twice.
    apart = np.abs(v[:-1, 0].numpy() - recording.traces["a.v"].data[1:]).max()
    assert apart <= 150 * 4 * 2.0**-52
