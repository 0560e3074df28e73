"""Tiny Recursive Model: one small network, applied again and again to its own answer.

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
from torch.nn import functional

from neuro.errors import ConfigError

__all__ = ["TRM", "Carry", "Thought", "core_parameters", "inner_width"]

HALT_BIAS = -5.0
"""Start of the halt head (its weight starts at 0): q = 0.007, so no slot halts untrained."""
RMS_EPSILON = 1e-5
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
        self.embedding = _linear(features, hidden, bias=True)
        self.slot = nn.Parameter(torch.empty(hidden))
        self.positions = nn.Parameter(torch.empty(tokens + 1, hidden))
        self.blocks = nn.ModuleList(_Block(hidden, heads, expansion) for _ in range(layers))
        self.head = _linear(hidden, classes, bias=False)
        self.halt_head = _linear(hidden, 1, bias=True)
        self.start_y: Tensor
        self.start_z: Tensor
        self.register_buffer("start_y", torch.empty(hidden))
        self.register_buffer("start_z", torch.empty(hidden))
        self._initialise(generator)

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        """LeCun-scaled truncated normals; y and z start from fixed random vectors of unit size."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                _truncated_normal(module.weight, 1 / math.sqrt(module.in_features), generator)
        for vector in (self.slot, self.positions, self.start_y, self.start_z):
            _truncated_normal(vector, 1.0, generator)
        self.embedding.bias.zero_()
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

    def net(self, state: Tensor) -> Tensor:
        """The one network, in either of its roles."""
        for block in self.blocks:
            state = block(state)
        return state

    def think(self, x: Tensor, carry: Carry) -> Carry:
        """Refine `z` n times, then `y` once, T times over; only the last round learns."""
        for round_ in range(self.rounds):
            learns = torch.is_grad_enabled() and round_ == self.rounds - 1
            with torch.set_grad_enabled(learns):
                y, z = carry
                for _ in range(self.latent_steps):
                    z = self.net(z + y + x)
                carry = Carry(y=self.net(y + z), z=z)
        return carry

    def forward(self, inputs: Tensor, carry: Carry) -> Thought:
        """One supervision step over `(batch, token, feature)`."""
        y, z = self.think(self.embed(inputs), carry)
        answer = y[:, 0]
        return Thought(
            Carry(y.detach(), z.detach()), self.head(answer), self.halt_head(answer).squeeze(-1)
        )


class _Block(nn.Module):
    """Attention, then SwiGLU; each added to its input and normalised after (post-norm)."""

    def __init__(self, hidden: int, heads: int, expansion: float) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = _linear(hidden, 3 * hidden)
        self.out = _linear(hidden, hidden)
        inner = inner_width(hidden, expansion)
        self.gate_up = _linear(hidden, 2 * inner)
        self.down = _linear(inner, hidden)

    def forward(self, state: Tensor) -> Tensor:
        state = _normalised(state + self._attend(state))
        gate, up = self.gate_up(state).chunk(2, dim=-1)
        return _normalised(state + self.down(functional.silu(gate) * up))

    def _attend(self, state: Tensor) -> Tensor:
        batch, tokens, hidden = state.shape
        split = self.qkv(state).view(batch, tokens, 3, self.heads, hidden // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, hidden))


def inner_width(hidden: int, expansion: float = 4.0) -> int:
    """Width inside SwiGLU: two thirds of `expansion * hidden`, so that the three matrices cost
    what two plain ones would; rounded up to 256, or to 16 for models narrower than that."""
    multiple = 256 if hidden >= 256 else 16
    return math.ceil(round(expansion * hidden * 2 / 3) / multiple) * multiple


def core_parameters(hidden: int, layers: int = 2, expansion: float = 4.0) -> int:
    """Parameters of the recursive network: `layers * (4 h² + 3 h w)`, w the inner width.

    The published attention model (hidden 512) has 6,815,744 of them; its embedding of 11 puzzle
    symbols, its head and its two halting outputs make that 6,828,034.
    """
    return layers * (4 * hidden**2 + 3 * hidden * inner_width(hidden, expansion))


def _normalised(state: Tensor) -> Tensor:
    return functional.rms_norm(state, state.shape[-1:], eps=RMS_EPSILON)


def _linear(inputs: int, outputs: int, *, bias: bool = False) -> nn.Linear:
    # Uninitialised: the constructor of nn.Linear would draw from the global generator.
    return nn.utils.skip_init(nn.Linear, inputs, outputs, bias=bias)


def _truncated_normal(values: Tensor, scale: float, generator: torch.Generator) -> None:
    """Normal values cut at two standard deviations, with `scale` as the one that is left."""
    nn.init.trunc_normal_(values, std=1.0, a=-2.0, b=2.0, generator=generator)
    values *= scale / 0.8796256610342398  # standard deviation of a unit normal cut at ±2
