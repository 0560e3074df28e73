"""The parts every reasoner is made of: one norm, one SwiGLU, one attention, one block.

None has a bias. Norms have no gain and come after the sum (post-norm), so a state always has
mean square 1, however often the network is applied to it. Weights are left uninitialised here:
`initialise` draws them from a generator of yours, never from the global one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from bridges.reasoning.undrawn import convolution, linear

__all__ = [
    "Attention", "Block", "Convolution", "Network", "Rotation", "SwiGLU", "initialise", "rms_norm",
    "truncated_normal",
]  # fmt: skip

RMS_EPSILON = 1e-5
ROPE_THETA = 10_000.0
_CUT_DEVIATION = 0.8796256610342398
"""Standard deviation of a unit normal cut at ±2."""


def rms_norm(state: Tensor, axis: int = -1) -> Tensor:
    """The state divided by its root mean square along `axis`, reckoned in float32 at the least."""
    precise = torch.promote_types(state.dtype, torch.float32)
    square = state.to(precise).square().mean(axis, keepdim=True)
    return (state * torch.rsqrt(square + RMS_EPSILON)).to(state.dtype)


class SwiGLU(nn.Module):
    """`down(silu(gate(x)) * up(x))`, over the features or over the positions.

    Args:
        width: Length of the axis that is mixed.
        inner: Width in between; see `swiglu_width`.
        axis: -1 for features of `(batch, position, feature)`, -2 for positions. The latter
            multiplies from the left, so that nothing is transposed.

    Shazeer 2020, "GLU variants improve transformer"; over positions as in TRM's mlp variant.
    """

    def __init__(self, width: int, inner: int, *, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis
        self.gate_up = linear(width, 2 * inner)
        self.down = linear(inner, width)

    def forward(self, state: Tensor, rotation: Rotation | None = None) -> Tensor:
        # The weights are cut and not the product, whose halves backward would have to join.
        gate, up = self.gate_up.weight.chunk(2)
        if self.axis == -1:
            gated = functional.silu(functional.linear(state, gate))
            return self.down(gated * functional.linear(state, up))
        gated = functional.silu(from_left(gate, state)) * from_left(up, state)
        return from_left(self.down.weight, gated)


def from_left(weight: Tensor, state: Tensor) -> Tensor:
    """`weight @ state`, which would fold the batch into one product and copy both ways for it."""
    return torch.bmm(weight.expand(state.shape[0], -1, -1), state)


class Rotation(nn.Module):
    """Rotary positions: each pair of features turned by an angle that grows with the position.

    Feature i is paired with feature i + width/2, as in the public code of TRM and HRM.
    Su et al. 2021, "RoFormer". The tables are no part of a checkpoint.
    """

    cosine: Tensor
    sine: Tensor

    def __init__(self, positions: int, width: int) -> None:
        super().__init__()
        frequency = ROPE_THETA ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
        angle = torch.outer(torch.arange(positions, dtype=torch.float64), frequency)
        # One row a position, then axes for the three projections and for heads to broadcast over.
        shape = (positions, 1, 1, width)
        cosine = torch.cat([angle.cos(), angle.cos()], dim=-1).float().view(shape)
        sine = torch.cat([-angle.sin(), angle.sin()], dim=-1).float().view(shape)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)

    def forward(self, vectors: Tensor) -> Tensor:
        """Turn `(batch, position, projection, head, width)`."""
        swapped = vectors.roll(vectors.shape[-1] // 2, dims=-1)
        return (vectors * self.cosine + swapped * self.sine).to(vectors.dtype)


class Attention(nn.Module):
    """Every position attends to every position."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = linear(hidden, 3 * hidden)
        self.out = linear(hidden, hidden)

    def forward(self, state: Tensor, rotation: Rotation | None = None) -> Tensor:
        batch, positions, hidden = state.shape
        split = self.qkv(state).view(batch, positions, 3, self.heads, hidden // self.heads)
        query_key, value = split[:, :, :2], split[:, :, 2]
        if rotation is not None:
            query_key = rotation(query_key)
        query, key = query_key.unbind(2)
        # PyTorch's bfloat16 attention goes backward four times slower than float32's on a CPU.
        dtype = torch.float32 if slow_attention(state) else state.dtype
        mixed = functional.scaled_dot_product_attention(
            *(part.transpose(1, 2).to(dtype) for part in (query, key, value))
        )
        return self.out(mixed.transpose(1, 2).reshape(batch, positions, hidden).to(state.dtype))


class Convolution(nn.Module):
    """Every cell of a grid sees itself and the eight around it; every slot sees the mean of all.

    A 3x3 convolution of each feature by itself, between two linear layers; beyond the edge there
    is nothing. Its weights know nothing of the grid's size. (A cellular automaton that learns, as
    in Mordvintsev et al. 2020, "Growing neural cellular automata"; that short convolutions help
    recursive reasoners is found in Gao et al. 2025, "Universal reasoning model".)

    Args:
        columns: Of the grid, whose cells follow the slots row by row.
    """

    def __init__(self, hidden: int, slots: int, columns: int) -> None:
        super().__init__()
        self.slots, self.columns = slots, columns
        self.inwards = linear(hidden, hidden)
        self.around = convolution(hidden, 3)
        self.out = linear(hidden, hidden)

    def forward(self, state: Tensor, rotation: Rotation | None = None) -> Tensor:
        inwards = self.inwards(state)
        slots, cells = inwards[:, : self.slots], inwards[:, self.slots :]
        # Seen as (batch, feature, row, column), the features still side by side in memory.
        grid = cells.unflatten(1, (-1, self.columns)).permute(0, 3, 1, 2)
        around = self.around(grid).permute(0, 2, 3, 1).flatten(1, 2)
        return self.out(torch.cat([slots + cells.mean(1, keepdim=True), around], dim=1))


def slow_attention(state: Tensor) -> bool:
    """Whether attention in the precision of this state is better reckoned in float32."""
    return state.dtype == torch.bfloat16 and state.device.type == "cpu"


class Block(nn.Module):
    """Positions are mixed, then features; each added to its input and normalised after.

    A SwiGLU over positions is followed by a norm over positions, as in TRM's mlp variant.
    """

    def __init__(self, mixer: Attention | Convolution | SwiGLU, mlp: SwiGLU) -> None:
        super().__init__()
        self.mixer, self.mlp = mixer, mlp
        self.mixed_axis = mixer.axis if isinstance(mixer, SwiGLU) else -1

    def forward(self, state: Tensor, rotation: Rotation | None = None) -> Tensor:
        state = rms_norm(state + self.mixer(state, rotation), self.mixed_axis)
        return rms_norm(state + self.mlp(state))


class Network(nn.Module):
    """Blocks in a row: what a recursion applies again and again."""

    def __init__(self, blocks: list[Block], rotation: Rotation | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.rotation = rotation

    def forward(self, state: Tensor) -> Tensor:
        for block in self.blocks:
            state = block(state, self.rotation)
        return state


@torch.no_grad()
def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Every linear layer and convolution within: weights of deviation 1/√inputs, biases 0
    (LeCun et al. 1998)."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            inputs = part.weight[0].numel()
            truncated_normal(part.weight, 1 / math.sqrt(inputs), generator)
            if part.bias is not None:
                part.bias.zero_()


@torch.no_grad()
def truncated_normal(values: Tensor, deviation: float, generator: torch.Generator) -> None:
    """Fill with normal values cut at two standard deviations, `deviation` being what is left."""
    nn.init.trunc_normal_(values, std=1.0, a=-2.0, b=2.0, generator=generator)
    values *= deviation / _CUT_DEVIATION
