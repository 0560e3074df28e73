"""A spiking network as a classifier: frames of spikes in, one number a class out."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor

from bridges.spiking.recurrent import TRAINABLE
from neuro.backends.norse.making import torch_network
from neuro.backends.norse.surrogate import Surrogate
from neuro.errors import NetworkError
from neuro.network import Network
from neuro.units import quantities

__all__ = ["Answer", "SpikingClassifier", "logits_of"]

# A step's input is a slice of the input of all steps that were given at once, and the gradient of
# a slice is as large as the whole: a run in stretches of 10 steps takes less time than 100 at once.
_STRETCH = 10


class Answer(NamedTuple):
    """What a network made of a batch.

    Attributes:
        logits: `(batch, n_classes)`.
        spikes: `(n_steps, batch, n_hidden)` of the hidden cells.
    """

    logits: Tensor
    spikes: Tensor


class SpikingClassifier(torch.nn.Module):
    """A network of one source, spiking cells, and a readout of one cell a class.

    Args:
        network: Such as `recurrent_network`; any with these names.
        dt_ms: Length of a step.
        source, hidden, readout: Names of its parts.
        trainable: What learns; see `neuro.backends.norse.names`.
        surrogate: The threshold's gradient.
        dtype: float32, or float64 to compare with another back end.
        seed: Of drawn values.

    Raises:
        NetworkError: if the network has no such parts.
    """

    @quantities
    def __init__(
        self,
        network: Network,
        *,
        dt_ms: float = 2.0,
        source: str = "input",
        hidden: str = "hidden",
        readout: str = "readout",
        trainable: Collection[str] = TRAINABLE,
        surrogate: Surrogate | None = None,
        dtype: torch.dtype = torch.float32,
        seed: int = 0,
    ) -> None:
        super().__init__()
        network.population(hidden)
        self.rest_mv = float(network.population(readout).model.parameters["E_L"])
        if source not in [each.name for each in network.sources]:
            raise NetworkError(f"a classifier needs a source `{source}`, found none")
        self.source, self.hidden, self.readout = source, hidden, readout
        self.network = torch_network(
            network, dt_ms=dt_ms, seed=seed, trainable=trainable, surrogate=surrogate,
            dtype=dtype, checkpoint=False,
        )  # fmt: skip

    def forward(self, frames: Tensor) -> Answer:
        """Hear `(n_steps, batch, n_inputs)` frames of 0 and 1, from the start, and answer."""
        trace, state = f"{self.readout}.v", None
        voltages, spikes = [], []
        for part in frames.split(_STRETCH if torch.is_grad_enabled() else len(frames)):
            output, state = self.network({self.source: part}, state, record=[trace])
            voltages.append(output.traces[trace])
            spikes.append(output.spikes[self.hidden])
        return Answer(logits_of(torch.cat(voltages), rest_mv=self.rest_mv), torch.cat(spikes))


@quantities
def logits_of(voltages: Tensor, *, rest_mv: float) -> Tensor:
    """Mean depolarisation in mV over time, `(batch, n_classes)`, of `(n_steps, batch, n_classes)`.

    A logit is one mV.
    """
    return voltages.mean(0) - rest_mv
