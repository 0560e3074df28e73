"""`torch_network`: a Network as a torch module."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from neuro.backends.norse.assembly import Trainable
from neuro.backends.norse.device import device_named
from neuro.backends.norse.network import TorchNetwork
from neuro.backends.norse.surrogate import Surrogate
from neuro.equations.shape import deep_calls
from neuro.network import Network
from neuro.simulate import prepare
from neuro.units import quantities

__all__ = ["torch_network"]


@quantities
@deep_calls()
def torch_network(
    network: Network,
    *,
    dt_ms: float = 0.1,
    seed: int = 0,
    trainable: Trainable = (),
    streamed: Sequence[str] = (),
    surrogate: Surrogate | str | None = None,
    reset_gradient: bool = False,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    checkpoint: bool | int = True,
    compile: bool | int = False,
    half: bool = False,
) -> TorchNetwork:
    """A network as a `torch.nn.Module` that steps as every back end does, with gradients.

    Its `forward` takes `(n_steps, batch, n)` spikes and inputs and gives spikes, traces and
    concentrations in that shape; edges, start values and noise are those of the seed, as
    elsewhere. Values keep Ember's units (ms, mV, pA, nS, pF, nM).

    Args:
        network: What to step.
        dt_ms, seed: As in `neuro.simulate`.
        trainable: What is a `torch.nn.Parameter`, by name: `cells.tau_m`, `cells.v_init`,
            `ff.weight`, `na.per_spike`, … (see `neuro.backends.norse.names`). Weights and start
            values have one value an edge or cell, others as many as they were given with; a
            mapping from names to `each` or `one` says otherwise.
        streamed: Parameters of populations that `inputs` give anew at each step, such as
            `cells.I_ext`.
        surrogate: The threshold's gradient, or its method's name (`surrogate.METHODS`).
        reset_gradient: Whether gradients pass from a reset into the spike that caused it.
        dtype: float32 or float64, of states, weights and arithmetic.
        device: `cpu`, `cuda` or `cuda:N`.
        checkpoint: Keep states at the ends of chunks alone while gradients are recorded, and
            compute the rest twice: True for chunks of the square root of the run, or their
            length in steps; False keeps everything.
        compile: Compile blocks of steps by `torch.compile`: True, or steps a block. Needs a C++
            compiler. The first blocks are run uncompiled too, and must give the same spikes.
        half: Multiply spikes by weights in bfloat16, where the weights are a dense matrix:
            weights are rounded to 8 bits, states are not touched.

    Raises:
        EquationError, NetworkError, BackendUnsupported: if the network cannot be run.
        ConfigError: if a name or option is wrong, or the device is not there.
    """
    place = device_named(device)
    built = prepare(network, seed=seed, dt_ms=dt_ms, backend="norse")
    if isinstance(surrogate, str):
        surrogate = Surrogate(surrogate)
    return TorchNetwork(
        built, trainable=trainable, streamed=streamed, surrogate=surrogate, dtype=dtype,
        checkpoint=checkpoint, compile=compile, reset_gradient=reset_gradient, half=half,
    ).to(place)  # fmt: skip
