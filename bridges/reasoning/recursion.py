"""The recursions, each in one place, and which of their passes learns.

    round:  L times  z <- low(z + y + x)        the latent reasoning
            once     y <- high(y + z)           the answer, rewritten

TRM has one network in both roles, told apart by whether x is in the sum; HRM has two. H rounds are
one supervision step. All but its end run without a graph, so memory does not grow with H.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from bridges.reasoning.carry import State
from bridges.reasoning.layers import Attention, Block, Convolution, Network, Rotation, SwiGLU
from bridges.reasoning.settings import ReasonerSettings, swiglu_width

__all__ = ["Recursion", "network", "think", "think_with_one_state"]

Apply: TypeAlias = Callable[[Tensor], Tensor]


def think(
    low: Apply, high: Apply, x: Tensor, y: Tensor, z: Tensor, *, H: int, L: int, last_step: bool
) -> tuple[Tensor, Tensor]:
    """H rounds over `(batch, position, hidden)`. Only the end learns: the last round, or, with
    `last_step`, the last update of z and the last of y."""
    with torch.no_grad():
        for _ in range(H - 1):
            y, z = _round(low, high, x, y, z, L)
        if last_step:
            z = _latent(low, x, y, z, L - 1)
    return _round(low, high, x, y, z, 1 if last_step else L)


def think_with_one_state(
    net: Apply, x: Tensor, y: Tensor, *, H: int, L: int, last_step: bool
) -> Tensor:
    """H rounds of `L times y <- net(y + x), once y <- net(y)`: answer and reasoning in one.
    Only the end learns, as in `think`."""
    with torch.no_grad():
        for _ in range(H - 1):
            y = _single_round(net, x, y, L)
        if last_step:
            for _ in range(L - 1):
                y = net(y + x)
    return _single_round(net, x, y, 1 if last_step else L)


def _round(
    low: Apply, high: Apply, x: Tensor, y: Tensor, z: Tensor, L: int
) -> tuple[Tensor, Tensor]:
    z = _latent(low, x, y, z, L)
    return high(y + z), z


def _latent(low: Apply, x: Tensor, y: Tensor, z: Tensor, L: int) -> Tensor:
    given = y + x
    for _ in range(L):
        z = low(z + given)
    return z


def _single_round(net: Apply, x: Tensor, y: Tensor, L: int) -> Tensor:
    for _ in range(L):
        y = net(y + x)
    return net(y)


def network(settings: ReasonerSettings) -> Network:
    """The blocks of one network; its weights are still to be drawn."""
    hidden, positions = settings.hidden, settings.positions_total

    def swiglu(width: int, axis: int) -> SwiGLU:
        inner = swiglu_width(width, settings.expansion, settings.multiple)
        return SwiGLU(width, inner, axis=axis)

    def mixer() -> Attention | Convolution | SwiGLU:
        if settings.mixer == "mlp":
            return swiglu(positions, axis=-2)
        if settings.mixer == "convolution":
            return Convolution(hidden, settings.slots, settings.columns)
        return Attention(hidden, settings.heads)

    turns = settings.positions == "rope"
    rotation = Rotation(positions, settings.width_of_head) if turns else None
    return Network([Block(mixer(), swiglu(hidden, -1)) for _ in range(settings.layers)], rotation)


class Recursion(nn.Module):
    """One supervision step's thinking, in the way of the settings' kind.

    Attributes:
        low: The network that refines z; TRM's and the transformer's only one.
        high: The network that rewrites y, in HRM; None where `low` does.
    """

    def __init__(self, settings: ReasonerSettings) -> None:
        super().__init__()
        self.settings = settings
        self.low = network(settings)
        self.high = network(settings) if settings.kind == "hrm" else None

    def forward(self, x: Tensor, state: State) -> State:
        """Refine the state; the settings say which part of it learns."""
        settings, y, z = self.settings, *state
        if settings.kind == "transformer":
            return State(self.low(y + x), None)
        last_step = settings.learns == "last_step"
        if z is None:
            single = think_with_one_state(
                self.low, x, y, H=settings.H, L=settings.L, last_step=last_step
            )
            return State(single, None)
        high = self.low if self.high is None else self.high
        y, z = think(self.low, high, x, y, z, H=settings.H, L=settings.L, last_step=last_step)
        return State(y, z)
