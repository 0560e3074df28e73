"""torch.compile behind a gate: a compiled reasoner is used only if it answers and learns alike.

Compilers have given wrong results for models with state, silently. So the compiled model and the
plain one are both held against the plain one in float64, which tells how far rounding alone takes
them: the compiled one may be off a few times as far, not further.

They are held so over one update of z and one of y. A recursion of 21 applications spreads the
rounding of bfloat16 until it is as large as what is thought, and anything would pass; and what is
compiled is the network, not the number of its applications.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from bridges.reasoning.carry import Batch, State
from bridges.reasoning.checked import check_batch
from bridges.reasoning.losses import answer_loss
from bridges.reasoning.reasoner import Reasoner, Thought
from bridges.reasoning.supervision import Forward, thinking
from neuro.errors import SimulationError

__all__ = ["Deviation", "compiled", "deviations", "once"]

M = TypeVar("M", bound=nn.Module)

ALLOWANCE = 4.0
"""How many times as far from float64 as the plain model the compiled one may be, in root mean
square. Fusing changes the order of sums and leaves roundings out, so its error is another one of
about the same size. Engineering choice, between that and what a wrong graph shows."""
LARGEST = 8.0
"""The same of the largest deviation of any number, which varies more: a fault of a single one."""


class Deviation(NamedTuple):
    """How far two versions of a model are from float64.

    Attributes:
        plain, other: Root mean square.
        plain_most, other_most: The largest.
    """

    plain: float
    other: float
    plain_most: float
    other_most: float

    @property
    def explained(self) -> bool:
        """Whether rounding explains the other version's."""
        near = self.other <= ALLOWANCE * self.plain
        return near and self.other_most <= LARGEST * self.plain_most


def compiled(
    model: Reasoner, batch: Batch, *, backend: str | Callable[..., Any] = "inductor"
) -> Forward:
    """The model with its networks compiled, for `supervision_step(..., forward=...)`.

    What the recursion applies again and again is compiled once, with gradient and without, and
    not unrolled: that takes seconds where the whole step would take minutes, and fuses as much.

    It shares the model's weights and follows their training. It is for batches of this one size:
    those of any other, which the gate has not seen, the plain model thinks about. The weights'
    gradients are left as they were.

    Args:
        batch: Some items of the size to be trained on, which both versions answer.
        backend: Of torch.compile.

    Raises:
        SimulationError: if compiled answers or gradients are further from float64 than rounding
            explains, in which case train without compiling; or, also when called, if torch holds
            as many compiled forms of these networks as it keeps in one process.
    """
    check_batch(model.settings, batch)
    fast = _sharing(model)
    fast.recursion = _sharing(model.recursion)
    for role in ("low", "high"):
        network = getattr(model.recursion, role)
        if network is not None:
            quick = _sharing(network)
            quick.compile(fullgraph=True, dynamic=False, backend=backend)
            setattr(fast.recursion, role, quick)
    found = deviations(once(model), _limited(once(fast)), batch)
    for name, deviation in found.items():
        if not deviation.explained:
            raise SimulationError(
                f"a compiled reasoner must answer as the plain one does, found its {name} off by "
                f"{deviation.other:.1e} ({deviation.other_most:.1e} at most) where rounding "
                f"explains {deviation.plain:.1e} ({deviation.plain_most:.1e}); train with "
                "`compile: false`"
            )
    items, quickly = batch.labels.shape[0], _limited(fast)

    def forward(batch: Batch, state: State, rows: Tensor | None = None) -> Thought:
        fits = batch.labels.shape[0] == items
        return quickly(batch, state, rows) if fits else model(batch, state, rows)

    return forward


def _limited(fast: Reasoner) -> Forward:
    """The same, saying in one line what to do when torch will not compile any more."""

    def forward(batch: Batch, state: State, rows: Tensor | None = None) -> Thought:
        try:
            return fast(batch, state, rows)
        except Exception as error:
            if "RecompileLimit" not in type(error).__name__:  # torch keeps its class to itself
                raise
            first = str(error).partition("\n")[0]
            raise SimulationError(
                "a compiled reasoner must be one of few in a process, found that torch keeps no "
                f"more forms of its networks ({first}); call `torch.compiler.reset()` before "
                "`compiled`, or train with `compile: false`"
            ) from None

    return forward


def _sharing(module: M) -> M:
    """The module once more, with the same weights and parts, to exchange parts of."""
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    return twin


def once(model: Reasoner) -> Reasoner:
    """The model with one round of one update of z and one of y, with the same weights."""
    twin = _sharing(model)
    twin.recursion = _sharing(model.recursion)
    twin.settings = twin.recursion.settings = dataclasses.replace(model.settings, H=1, L=1)
    return twin


def deviations(model: Reasoner, other: Forward, batch: Batch) -> Mapping[str, Deviation]:
    """How far the model, and another version of it, are from the model in float64.

    Returns:
        For `logits`, `halt`, `y` and `gradient`, where there is anything to learn, and for the
        first three without gradient too, where a compiler makes another graph. What the model
        itself is off is never told to be below one rounding of the values in the precision of the
        recursion: few numbers, such as those of the halt head, may lie right by chance.
    """
    exact = copy.deepcopy(model).double()
    exact.settings = dataclasses.replace(model.settings, precision="float32")
    truth = _outcome(exact, exact, batch)
    plain, quick = _outcome(model, model, batch), _outcome(model, other, batch)
    rounding = torch.finfo(model.working_dtype).eps
    found = {}
    for name, values in truth.items():
        plain_error, other_error = (one[name].double() - values for one in (plain, quick))
        found[name] = Deviation(
            max(_size(plain_error), rounding * _size(values)),
            _size(other_error),
            max(_largest(plain_error), rounding * _largest(values)),
            _largest(other_error),
        )
    return found


def _size(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


def _largest(values: Tensor) -> float:
    return float(values.abs().max())


def _outcome(model: Reasoner, forward: Forward, batch: Batch) -> dict[str, Tensor]:
    step, start = thinking(model, forward), model.start(batch.labels.shape[0])
    found = {}
    parameters = [part for part in model.parameters() if part.requires_grad]
    if parameters:
        with torch.enable_grad():
            thought = step(batch, start)
            loss = answer_loss(thought.logits, batch.labels).mean() + thought.halt.mean()
        parts = torch.autograd.grad(loss, parameters, allow_unused=True)
        gradient = torch.cat([part.flatten() for part in parts if part is not None])
        found = {**_said(thought), "gradient": gradient}
    with torch.no_grad():
        unlearned = _said(step(batch, start))
    return found | {f"{name} without gradient": part for name, part in unlearned.items()}


def _said(thought: Thought) -> dict[str, Tensor]:
    return {"logits": thought.logits.detach(), "halt": thought.halt.detach(), "y": thought.state.y}
