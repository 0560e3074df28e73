"""The classifier of `ember train`: a Tiny Recursive Model over bins of spikes.

    x          the input: sensory embedding tokens, behind one answer slot
    z <- net(z + y + x)      n times: latent reasoning
    y <- net(y + z)          once: the answer, rewritten
    logits = head(y[slot])   halt = halt_head(y[slot])

The two lines in the middle are one round; T rounds are one supervision step, of which only the
last carries gradient. One network plays both roles, told apart by whether x is in the sum.

Jolicoeur-Martineau 2025, "Less is more: recursive reasoning with tiny networks". The original
tells its tasks apart by a learned vector per puzzle; here x is what was sensed and there is no
identifier of any kind, which would become a look-up table.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bridges.reasoning.layers import (
    Attention,
    Block,
    Network,
    SwiGLU,
    initialise,
    linear,
    truncated_normal,
)
from bridges.reasoning.recursion import think
from bridges.reasoning.settings import swiglu_width
from neuro.errors import ConfigError

__all__ = ["TRM", "Carry", "Thought", "core_parameters", "inner_width"]

HALT_BIAS = -5.0
"""Start of the halt head (its weight starts at 0): q = 0.007, so no slot halts untrained."""
INPUT_GAIN = 3.0
"""How loud x is beside its positions and the two unit states it is added to. Discrete tokens do
with 1; measured features, of which few matter at a time, are drowned then and learned late.
Engineering choice."""


class Carry(NamedTuple):
    """What is kept between supervision steps; each `(batch, token, hidden)`."""

    y: Tensor
    z: Tensor


class Thought(NamedTuple):
    """One supervision step's outcome.

    Attributes:
        carry: Detached; the start of the next step.
        logits: `(batch, classes)`.
        halt: `(batch,)` logit that the answer is right, so that thinking may stop.
    """

    carry: Carry
    logits: Tensor
    halt: Tensor


class TRM(nn.Module):
    """A classifier of token sequences that thinks in recursions.

    Args:
        features: Numbers a token.
        tokens: Tokens an item; fixed, since positions are learned.
        classes: Answers to choose among.
        hidden: Width of every token inside; a multiple of `heads`.
        layers: Blocks of the one network; the paper found 2 better than 4.
        rounds: T, of which the last learns.
        latent_steps: n, updates of z a round.
        generator: Where the start weights come from; no global generator is touched.

    Raises:
        ConfigError: if a size is not positive or `heads` does not divide `hidden`.
    """

    def __init__(
        self,
        *,
        features: int,
        tokens: int,
        classes: int,
        hidden: int = 64,
        heads: int = 2,
        layers: int = 2,
        expansion: float = 4.0,
        rounds: int = 3,
        latent_steps: int = 4,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sizes = {
            "features": features, "tokens": tokens, "classes": classes, "hidden": hidden,
            "heads": heads, "layers": layers, "rounds": rounds, "latent_steps": latent_steps,
        }  # fmt: skip
        for name, size in sizes.items():
            if size < 1:
                raise ConfigError(f"a reasoner needs `{name}` of 1 or more, found {size}")
        if hidden % heads:
            raise ConfigError(
                f"`hidden` must be a multiple of `heads`, found {hidden} and {heads}; "
                f"take hidden {heads * math.ceil(hidden / heads)}"
            )
        self.hidden, self.rounds, self.latent_steps = hidden, rounds, latent_steps
        inner = inner_width(hidden, expansion)
        blocks = [Block(Attention(hidden, heads), SwiGLU(hidden, inner)) for _ in range(layers)]
        self.embedding = linear(features, hidden, bias=True)
        self.slot = nn.Parameter(torch.empty(hidden))
        self.positions = nn.Parameter(torch.empty(tokens + 1, hidden))
        self.net = Network(blocks, rotation=None)
        self.head = linear(hidden, classes)
        self.halt_head = linear(hidden, 1, bias=True)
        self.start_y: Tensor
        self.start_z: Tensor
        self.register_buffer("start_y", torch.empty(hidden))
        self.register_buffer("start_z", torch.empty(hidden))
        self._initialise(generator)

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        """LeCun-scaled truncated normals; y and z start from fixed random vectors of unit size."""
        initialise(self, generator)
        for vector in (self.slot, self.positions, self.start_y, self.start_z):
            truncated_normal(vector, 1.0, generator)
        self.halt_head.weight.zero_()
        self.halt_head.bias.fill_(HALT_BIAS)

    def start(self, batch: int) -> Carry:
        """The state in which every new item begins."""
        shape = (batch, self.positions.shape[0], self.hidden)
        return Carry(self.start_y.expand(shape), self.start_z.expand(shape))

    def embed(self, inputs: Tensor) -> Tensor:
        """`(batch, token, feature)`, of unit variance, -> x, `(batch, 1 + token, hidden)`."""
        tokens = INPUT_GAIN * self.embedding(inputs)
        slot = self.slot.expand(inputs.shape[0], 1, self.hidden)
        return (torch.cat([slot, tokens], dim=1) + self.positions) / math.sqrt(2)

    def think(self, x: Tensor, carry: Carry) -> Carry:
        """Refine `z` n times, then `y` once, T times over; only the last round learns."""
        y, z = think(
            self.net, self.net, x, carry.y, carry.z,
            H=self.rounds, L=self.latent_steps, last_step=False,
        )  # fmt: skip
        return Carry(y, z)

    def forward(self, inputs: Tensor, carry: Carry) -> Thought:
        """One supervision step over `(batch, token, feature)`."""
        y, z = self.think(self.embed(inputs), carry)
        answer = y[:, 0]
        return Thought(
            Carry(y.detach(), z.detach()), self.head(answer), self.halt_head(answer).squeeze(-1)
        )


def inner_width(hidden: int, expansion: float = 4.0) -> int:
    """Width inside SwiGLU: two thirds of `expansion * hidden`, so that the three matrices cost
    what two plain ones would; rounded up to 256, or to 16 for models narrower than that."""
    return swiglu_width(hidden, expansion, 256 if hidden >= 256 else 16)


def core_parameters(hidden: int, layers: int = 2, expansion: float = 4.0) -> int:
    """Parameters of the recursive network: `layers * (4 h² + 3 h w)`, w the inner width.

    The published attention model (hidden 512) has 6,815,744 of them; its embedding of 11 puzzle
    symbols, its head and its two halting outputs make that 6,828,034.
    """
    return layers * (4 * hidden**2 + 3 * hidden * inner_width(hidden, expansion))
