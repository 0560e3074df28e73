"""A reasoner: inputs, a recursion, and two heads on its answer."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from bridges.reasoning.carry import Batch, State
from bridges.reasoning.inputs import Inputs
from bridges.reasoning.layers import initialise, truncated_normal
from bridges.reasoning.puzzles import Puzzles
from bridges.reasoning.recursion import Recursion
from bridges.reasoning.settings import ReasonerSettings
from bridges.reasoning.size import require_room
from bridges.reasoning.undrawn import linear

__all__ = ["Reasoner", "Thought", "build", "parameter_count"]

HALT_BIAS = -5.0
"""Start of the halt head, whose weight starts at 0: q = 0.007, so no slot halts untrained."""


class Thought(NamedTuple):
    """One supervision step's outcome.

    Attributes:
        state: Where the next step begins; carries no gradient.
        logits: `(batch, answers, vocabulary)`.
        halt: `(batch,)` logit that every answer is right.
        go_on: `(batch,)` logit of the value of going on; learned only with `q_continue`.
    """

    state: State
    logits: Tensor
    halt: Tensor
    go_on: Tensor


class Reasoner(nn.Module):
    """TRM, HRM or a transformer, as the settings say; made by `build`.

    The whole of `forward` has static shapes and no branch on data, so it compiles as one graph.
    """

    start_y: Tensor
    start_z: Tensor | None

    def __init__(self, settings: ReasonerSettings) -> None:
        super().__init__()
        self.settings = settings
        hidden = settings.hidden
        self.inputs = Inputs(settings)
        self.recursion = Recursion(settings)
        self.head = linear(hidden, settings.vocabulary)
        self.halt_head = linear(hidden, 2, bias=True)
        ids = settings.puzzle_ids
        self.puzzles = Puzzles(ids, hidden) if ids else None
        one_state = settings.kind == "transformer" or settings.single_z
        self.register_buffer("start_y", torch.empty(hidden))
        self.register_buffer("start_z", None if one_state else torch.empty(hidden))

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw every weight. y and z start from fixed random vectors of unit variance, which are
        buffers: they are saved, and never learned."""
        initialise(self, generator)
        self.inputs.initialise(generator)
        for start in (self.start_y, self.start_z):
            if start is not None:
                truncated_normal(start, 1.0, generator)
        self.halt_head.weight.zero_()
        self.halt_head.bias.fill_(HALT_BIAS)

    @property
    def working_dtype(self) -> torch.dtype:
        """Of the recursion and of its state."""
        low = self.settings.precision == "bfloat16"
        return torch.bfloat16 if low else self.head.weight.dtype

    def start(self, batch: int) -> State:
        """The state in which every item begins, `(batch, positions_total, hidden)`."""
        return State(
            self._spread(self.start_y, batch),
            None if self.start_z is None else self._spread(self.start_z, batch),
        )

    def _spread(self, vector: Tensor, batch: int) -> Tensor:
        shape = (batch, self.settings.positions_total, self.settings.hidden)
        # Laid out as every later state is: a compiled forward is made for one layout.
        return vector.to(self.working_dtype).expand(shape).contiguous()

    def forward(self, batch: Batch, state: State, rows: Tensor | None = None) -> Thought:
        """One supervision step: embed, think, answer. What the recursion lets learn learns, and
        so do the embedding and both heads.

        Args:
            rows: `(batch, hidden)` puzzle vectors, where there are ids.
        """
        reached = self.thought(self.inputs(batch, rows), state)
        # Heads and losses are not worth a rounding: full precision from here on.
        y = reached.y.to(self.head.weight.dtype)
        logits = self.head(self._answering(y))
        if batch.modulation is not None and batch.modulation.temperature is not None:
            temperature = batch.modulation.temperature.to(logits.dtype)
            logits = logits / temperature.view(-1, 1, 1)
        halt, go_on = self.halt_head(y[:, 0]).unbind(-1)
        kept = State(reached.y.detach(), None if reached.z is None else reached.z.detach())
        return Thought(kept, logits, halt, go_on)

    def thought(self, x: Tensor, state: State) -> State:
        """Where one supervision step leads from a state, with the graph that may learn from it.

        The recursion runs in the working precision. Its weights are cast once for all of its
        passes, in one graph, so that what the last pass learns reaches the full ones.
        """
        dtype = self.working_dtype
        if dtype == x.dtype:
            return self.recursion(x, state)
        cast = {name: part.to(dtype) for name, part in self.recursion.named_parameters()}
        return functional_call(self.recursion, cast, (x.to(dtype), state))

    def _answering(self, y: Tensor) -> Tensor:
        settings = self.settings
        first = settings.slots
        if settings.answer == "slot":
            return y[:, :1]
        if settings.answer == "tokens":
            first += settings.sensory_length
        return y[:, first : first + settings.answers]


def build(
    settings: ReasonerSettings, *, seed: int = 0, device: torch.device | str | None = None
) -> Reasoner:
    """A reasoner with fresh weights: the same seed and settings give the same, on every device.

    On the device `meta` nothing is drawn and no memory is taken: for counting parameters.

    Raises:
        ConfigError: if this machine's memory cannot hold the weights.
    """
    counted = device is not None and torch.device(device).type == "meta"
    require_room(settings, allocated=not counted)
    if counted:
        with torch.device("meta"):
            return Reasoner(settings)
    with torch.device("cpu"):
        model = Reasoner(settings)
    model.initialise(torch.Generator().manual_seed(seed))
    return model if device is None else model.to(device)


def parameter_count(model: Reasoner) -> int:
    """Parameters without the prefix, which publications keep in a buffer and do not count."""
    prefix = model.inputs.prefix
    own = 0 if prefix is None else prefix.numel()
    return sum(part.numel() for part in model.parameters()) - own
