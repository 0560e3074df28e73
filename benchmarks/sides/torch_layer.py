"""A linear layer and leaky integrate-and-fire cells, forward and backward: one way of doing it.

Spikes that are the same for all go through the same weights into cells of one of two kinds. The
loss is the mean square of the rates' distance from a target, and its gradient goes to the weights.

    current   Norse's cells: an exponential current, and a membrane that it drives
    leaky     a membrane that the input drives, as snnTorch's Leaky and SpikingJelly's LIFNode

The threshold's slope is 1 / (1 + |v - 1|)**2 everywhere. Norse's gradients pass through resets,
those of the others do not; Ember's do as they are compared.
"""

from __future__ import annotations

import ctypes
import gc
import hashlib
import math
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _side import peak_bytes, side
from torch import Tensor

TAU_SYN, TAU_MEM, TAU = 5.0, 10.0, 16.0  # steps; the first two are Norse's own, the last exact
TARGET = 0.1  # spikes a step
SHARE = 0.05  # of the inputs that spike in a step
CELL = "cells"

Layer = Callable[[Tensor], Tensor]


def linear(n: int, kind: str) -> torch.nn.Linear:
    """The weights, strong enough for one spike in some ten steps."""
    draw = torch.Generator().manual_seed(1)
    layer = torch.nn.Linear(n, n, bias=False)
    # The mean input of a step, and how far that of a cell lies from it: engineering choices.
    mean, scatter = {"current": (0.3, 0.3), "leaky": (0.06, 0.1)}[kind]
    with torch.no_grad():
        values = torch.randn(n, n, generator=draw) * scatter / math.sqrt(n * SHARE)
        layer.weight.copy_(values + mean / (n * SHARE))
    return layer


def ember(weights: torch.nn.Linear, n: int, kind: str) -> Layer:
    """Both as modules in Norse's `SequentialState`."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from neuro import NeuronModel, Population
    from neuro.backends.norse.adapter import EmberLayer
    from neuro.backends.norse.lif import NORSE_ARRIVAL, norse_population
    from neuro.backends.norse.norse_import import norse
    from neuro.units import NUMBER, Quantity, ms

    if kind == "current":
        cells = EmberLayer(norse_population(CELL, n), 1.0, synapse=NORSE_ARRIVAL,
                           reset_gradient=True)  # fmt: skip
    else:
        model = NeuronModel(
            name="leaky",
            equations="dv/dt = (gain*x - v)/tau : 1",
            threshold="v > v_th",
            reset="v = 0",
            parameters={"tau": ms(TAU), "gain": Quantity(TAU), "v_th": Quantity(1)},
            inputs={"x": NUMBER},
            method="euler",
            source="snnTorch 1.0, Leaky",
        )
        cells = EmberLayer(Population(CELL, model, n), 1.0, drive="x")
    layer = norse().SequentialState(weights, cells)
    return lambda x: layer(x)[0]


def norse_at_once(weights: torch.nn.Linear, n: int, kind: str) -> Layer:
    """The whole sequence through the weights, then step by step through `LIFCell`."""
    from norse.torch import LIFCell

    cell = LIFCell()

    def run(x: Tensor) -> Tensor:
        state, out = None, []
        for now in weights(x):
            spikes, state = cell(now, state)
            out.append(spikes)
        return torch.stack(out)

    return run


def norse_steps(weights: torch.nn.Linear, n: int, kind: str) -> Layer:
    """Each step through `SequentialState` of both."""
    from norse.torch import LIFCell, SequentialState

    layer = SequentialState(weights, LIFCell())

    def run(x: Tensor) -> Tensor:
        state, out = None, []
        for now in x:
            spikes, state = layer(now, state)
            out.append(spikes)
        return torch.stack(out)

    return run


def norse_layer(weights: torch.nn.Linear, n: int, kind: str) -> Layer:
    """`SequentialState` of the weights and `LIF`, which takes the sequence."""
    from norse.torch import LIF, SequentialState

    layer = SequentialState(weights, LIF())
    return lambda x: layer(x)[0]


def snntorch_at_once(weights: torch.nn.Linear, n: int, kind: str) -> Layer:
    """The whole sequence through the weights, then step by step through `Leaky`."""
    cell = _leaky()

    def run(x: Tensor) -> Tensor:
        membrane, out = cell.reset_mem(), []
        for now in weights(x):
            spikes, membrane = cell(now, membrane)
            out.append(spikes)
        return torch.stack(out)

    return run


def snntorch_steps(weights: torch.nn.Linear, n: int, kind: str) -> Layer:
    """Each step through both, as in snnTorch's tutorials."""
    cell = _leaky()

    def run(x: Tensor) -> Tensor:
        membrane, out = cell.reset_mem(), []
        for now in x:
            spikes, membrane = cell(weights(now), membrane)
            out.append(spikes)
        return torch.stack(out)

    return run


def _leaky() -> Any:
    import snntorch
    from snntorch import surrogate

    return snntorch.Leaky(
        beta=1 - 1 / TAU, threshold=1.0, spike_grad=surrogate.fast_sigmoid(slope=1),
        reset_mechanism="zero",
    )  # fmt: skip


def spikingjelly_at_once(weights: torch.nn.Linear, n: int, kind: str) -> Layer:
    """Its own multi-step mode."""
    cell, functional = _node("m")

    def run(x: Tensor) -> Tensor:
        functional.reset_net(cell)
        out: Tensor = cell(weights(x))
        return out

    return run


def spikingjelly_steps(weights: torch.nn.Linear, n: int, kind: str) -> Layer:
    """The whole sequence through the weights, then its single-step mode."""
    cell, functional = _node("s")

    def run(x: Tensor) -> Tensor:
        functional.reset_net(cell)
        return torch.stack([cell(now) for now in weights(x)])

    return run


def _node(mode: str) -> tuple[Any, Any]:
    from spikingjelly.activation_based import functional, neuron, surrogate

    node = neuron.LIFNode(tau=TAU, decay_input=False, step_mode=mode, detach_reset=True,
                          surrogate_function=surrogate.SuperSpike(alpha=1.0))  # fmt: skip
    return node, functional


WAYS = {
    each.__name__: each
    for each in (
        ember, norse_at_once, norse_steps, norse_layer, snntorch_at_once, snntorch_steps,
        spikingjelly_at_once, spikingjelly_steps,
    )
}  # fmt: skip


def layer(
    *, way: str, kind: str, n: int, steps: int, batch: int, passes: int, threads: int
) -> dict[str, Any]:
    """Seconds of each pass forward and back, the memory it adds at its peak, and what it found."""
    torch.set_num_threads(threads)
    draw = torch.Generator().manual_seed(0)
    x = (torch.rand(steps, batch, n, generator=draw) < SHARE).float()
    weights = linear(n, kind)
    try:
        run = WAYS[way](weights, n, kind)
    except ImportError as error:
        return {"absent": str(error)}

    def once() -> tuple[float, float, Tensor]:
        weights.weight.grad = None
        started, used = time.perf_counter(), time.process_time()
        spikes = run(x)
        (spikes.mean(0) - TARGET).square().sum().backward()
        seconds = time.perf_counter() - started, time.process_time() - used
        return *seconds, spikes.detach()

    cold_s, _, spikes = once()
    once()
    run_s, cpu_s = zip(*(once()[:2] for _ in range(passes)), strict=True)
    gradient = weights.weight.grad
    norm = 0.0 if gradient is None else float(gradient.double().norm())
    found = {
        "cold_s": cold_s, "run_s": run_s, "median_s": statistics.median(run_s),
        "cpu_s": statistics.median(cpu_s),
        "spikes": int(spikes.sum()),
        "digest": hashlib.blake2b(spikes.to(torch.uint8).numpy().tobytes()).hexdigest(),
        "gradient": norm,
    }  # fmt: skip
    del spikes, gradient
    return {**found, "pass_bytes": _added_by(once)}


def layers(*, asked: list[dict[str, str]], **size: int) -> dict[str, Any]:
    """What `layer` finds for each way and kind asked for, one after another in this process."""
    return {"found": [{**layer(**one, **size), "peak_bytes": peak_bytes()} for one in asked]}


def _added_by(once: Callable[[], Any]) -> int | None:
    """How far one more pass takes the resident memory above what it was; None if not told."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # gives back what earlier passes left free
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew
    except OSError:
        return None
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    once()
    peak = peak_bytes()
    return None if peak is None else peak - pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    side(layers)
