"""torch.compile behind a gate: a compiled reasoner is used only if it answers and learns alike.

Compilers have given wrong results for models with state, silently. So the compiled model and the
plain one are both held against the plain one in float64, which tells how far rounding alone takes
them: the compiled one may be off as far as that, not further.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor

from bridges.reasoning.carry import Batch
from bridges.reasoning.inputs import check_batch
from bridges.reasoning.losses import answer_loss
from bridges.reasoning.reasoner import Reasoner
from bridges.reasoning.supervision import Forward, thinking
from neuro.errors import SimulationError

__all__ = ["compiled", "deviations"]

ALLOWANCE = 8.0
"""How many times the rounding error of the plain model the compiled one may show: fusing changes
the order of sums, and a recursion spreads what differs. Engineering choice; a wrong graph is off
by thousands of times."""


def compiled(model: Reasoner, batch: Batch, *, backend: str = "inductor") -> Forward:
    """The model as one compiled graph, for `supervision_step(..., forward=...)`.

    It shares the model's weights, follows their training, and is compiled anew for another batch
    size. The weights' gradients are left as they were. torch keeps eight compiled forms of a
    forward pass in one process; `torch.compiler.reset()` makes room for more.

    Args:
        batch: Some items of the size to be trained on, which both versions answer.
        backend: Of torch.compile.

    Raises:
        SimulationError: if compiled answers or gradients are further from float64 than rounding
            explains; train without compiling then.
    """
    check_batch(model.settings, batch)
    fast: Forward = torch.compile(model, fullgraph=True, dynamic=False, backend=backend)
    found = deviations(model, fast, batch)
    for name, (plain, quick) in found.items():
        if not quick <= ALLOWANCE * plain:
            raise SimulationError(
                f"a compiled reasoner must answer as the plain one does, found its {name} off by "
                f"{quick:.1e} where rounding explains {plain:.1e}; train with `compile: false`"
            )
    return fast


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
