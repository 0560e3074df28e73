"""A network trained in Norse comes back as an Ember network and runs on `numba`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nir
import norse.torch
import numpy as np
import pytest
import torch

from neuro.nir import NirError, read, to_nir
from neuro.units import coherent
from tests.formats._nir_tools import ember, plain, rounding, spikes_of

DT_S, DT_MS = 1e-3, 1.0  # Norse's own
STEPS, N_IN, HIDDEN, N_OUT = 120, 10, 8, 3
TARGET = torch.tensor([4.0, 12.0, 20.0])  # spikes of each output in `STEPS` steps


def cells(kind: str, n: int) -> torch.nn.Module:
    """Every field an array of one shape, without which `to_nir` of Norse 1.1 fails."""
    nothing, one = torch.zeros(n), torch.ones(n)
    tau_mem_inv, tau_syn_inv = torch.linspace(80, 160, n), torch.linspace(180, 220, n)
    if kind == "LIFBoxCell":
        p: Any = norse.torch.LIFBoxParameters(
            tau_mem_inv=tau_mem_inv, v_leak=nothing, v_th=0.4 * one, v_reset=nothing,
            alpha=torch.tensor(10.0),
        )  # fmt: skip
        return norse.torch.LIFBoxCell(p, dt=DT_S)
    p = norse.torch.LIFParameters(
        tau_mem_inv=tau_mem_inv, tau_syn_inv=tau_syn_inv, v_leak=nothing, v_th=0.4 * one,
        v_reset=nothing, alpha=torch.tensor(10.0),
    )  # fmt: skip
    return norse.torch.LIFCell(p, dt=DT_S)


def trained(kind: str, n_epochs: int = 20) -> tuple[torch.nn.Module, torch.Tensor, list[float]]:
    """A small network taught how often each output should spike; its input, and the losses."""
    generator = torch.Generator().manual_seed(1)
    net = norse.torch.SequentialState(
        torch.nn.Linear(N_IN, HIDDEN), cells(kind, HIDDEN),
        torch.nn.Linear(HIDDEN, N_OUT, bias=False), cells(kind, N_OUT),
    )  # fmt: skip
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.6)
    x = (torch.rand(STEPS, N_IN, generator=generator) < 0.3).float()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    losses = []
    for _ in range(n_epochs):
        optimizer.zero_grad()
        counts = sum(z for z in run(net, x)[1])
        loss = ((counts - TARGET) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return net, x, losses


def run(net: torch.nn.Module, x: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Spikes of the hidden and of the output layer, a frame a step."""
    first, second = net[0], net[2]
    states: list[Any] = [None, None]
    hidden, output = [], []
    for frame in x:
        z, states[0] = net[1](first(frame), states[0])
        hidden.append(z)
        z, states[1] = net[3](second(z), states[1])
        output.append(z)
    return hidden, output


def exported(net: torch.nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nirtorch's deprecations
        nir.write(path, norse.torch.to_nir(net, torch.zeros(1, N_IN), dt=DT_S))


@pytest.mark.parametrize("kind", ["LIFBoxCell", "LIFCell"])
def test_a_trained_network_runs_on_numba_to_the_same_spikes(
    kind: str, tmp_path: Path, exact: None
) -> None:
    # A current that decays makes the target harder: there a few steps of learning will do.
    net, x, losses = trained(kind, 20 if kind == "LIFBoxCell" else 2)
    assert kind == "LIFCell" or losses[-1] < 0.1 * losses[0]  # it did learn
    path = tmp_path / "trained.nir"
    exported(net, path)
    with torch.no_grad():
        frames = [torch.stack(z).numpy() > 0 for z in run(net, x)]
    wanted = [set(zip(*map(list, np.nonzero(z)), strict=True)) for z in frames]

    reading = read(path, dt_ms=DT_MS, units="norse")
    network = reading.network({"input": spikes_of(x.numpy() > 0, DT_MS)})
    found = ember(network, reading.lags, STEPS, DT_MS, backend="numba")
    graph = to_nir(network, dt_ms=DT_MS)
    given = {"input": x.numpy().astype(float)}
    assert plain(graph, DT_S, given).margin > rounding(graph, DT_S)
    assert all(len(spikes) > 20 for spikes in wanted)
    assert [found["n1"], found["n3"]] == wanted


def test_norses_own_time_constants_are_seen_through(tmp_path: Path) -> None:
    """Its export multiplies tau by dt (norse #411): plain units are refused, and so is silence."""
    net, _, _ = trained("LIFBoxCell", n_epochs=1)
    path = tmp_path / "trained.nir"
    exported(net, path)
    with pytest.raises(NirError, match="say units: norse"):
        read(path, dt_ms=DT_MS, units="plain")
    with pytest.raises(NirError, match="does not say what its numbers stand for"):
        read(path, dt_ms=DT_MS)
    taus = read(path, dt_ms=DT_MS, units="norse").populations[0].parameters["tau"]
    np.testing.assert_allclose(coherent(taus), 1000 / np.linspace(80, 160, HIDDEN), rtol=1e-6)
