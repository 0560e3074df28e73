"""torch.compile behind a gate: a compiled reasoner is used only if it answers and learns alike.

Compilers have given wrong results for models with state, silently. So the compiled model and the
plain one are both held against the plain one in float64, which tells how far rounding alone takes
them: the compiled one may be off as far as that, not further.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from bridges.reasoning.carry import Batch
from bridges.reasoning.inputs import check_batch
from bridges.reasoning.losses import answer_loss
from bridges.reasoning.reasoner import Reasoner
from bridges.reasoning.supervision import Forward, thinking
from neuro.errors import SimulationError

__all__ = ["compiled", "deviations"]

M = TypeVar("M", bound=nn.Module)

ALLOWANCE = 8.0
"""How many times the rounding error of the plain model the compiled one may show: fusing changes
the order of sums, and a recursion spreads what differs. Engineering choice; a wrong graph is off
by thousands of times."""


def compiled(
    model: Reasoner, batch: Batch, *, backend: str | Callable[..., Any] = "inductor"
) -> Forward:
    """The model with its networks compiled, for `supervision_step(..., forward=...)`.

    What the recursion applies again and again is compiled once, with gradient and without, and
    not unrolled: that takes seconds where the whole step would take minutes, and fuses as much.

    It shares the model's weights and follows their training, and is compiled anew for another
    batch size. The weights' gradients are left as they were. torch keeps eight compiled forms of
    a network in one process; `torch.compiler.reset()` makes room for more.

    Args:
        batch: Some items of the size to be trained on, which both versions answer.
        backend: Of torch.compile.

    Raises:
        SimulationError: if compiled answers or gradients are further from float64 than rounding
            explains; train without compiling then.
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
    found = deviations(model, fast, batch)
    for name, (plain, quick) in found.items():
        if not quick <= ALLOWANCE * plain:
            raise SimulationError(
                f"a compiled reasoner must answer as the plain one does, found its {name} off by "
                f"{quick:.1e} where rounding explains {plain:.1e}; train with `compile: false`"
            )
    return fast


def _sharing(module: M) -> M:
    """The module once more, with the same weights and parts, to exchange parts of."""
    twin = copy.copy(module)
    twin._modules = dict(module._modules)
    return twin


def deviations(model: Reasoner, other: Forward, batch: Batch) -> Mapping[str, tuple[float, float]]:
    """How far the model, and another version of it, are from the model in float64.

    Returns:
        For `logits`, `halt`, `y` and `gradient` the largest absolute deviation of each version;
        the first one's never below one rounding of the largest value.
    """
    exact = copy.deepcopy(model).double()
    exact.settings = dataclasses.replace(model.settings, precision="float32")
    sensory = None if batch.sensory is None else batch.sensory.double()
    truth = _outcome(exact, exact, batch._replace(sensory=sensory))
    plain, quick = _outcome(model, model, batch), _outcome(model, other, batch)
    found = {}
    for name, values in truth.items():
        least = torch.finfo(plain[name].dtype).eps * float(values.abs().max())
        errors = [float((one[name].double() - values).abs().max()) for one in (plain, quick)]
        found[name] = (max(errors[0], least), errors[1])
    return found


def _outcome(model: Reasoner, forward: Forward, batch: Batch) -> dict[str, Tensor]:
    thought = thinking(model, forward)(batch, model.start(batch.labels.shape[0]))
    loss = answer_loss(thought.logits, batch.labels).mean() + thought.halt.mean()
    parameters = [part for part in model.parameters() if part.requires_grad]
    parts = torch.autograd.grad(loss, parameters, allow_unused=True)
    gradient = torch.cat([part.flatten() for part in parts if part is not None])
    return {
        "logits": thought.logits.detach(),
        "halt": thought.halt.detach(),
        "y": thought.state.y,
        "gradient": gradient,
    }
