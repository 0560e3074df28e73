"""Where a number stopped being finite: the first layer by name, for the message that ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from neuro.errors import EmberError

__all__ = ["TrainingError", "culprit"]


class TrainingError(EmberError, ArithmeticError):
    """A training cannot go on: its numbers are no numbers any more."""


def culprit(model: nn.Module, think: Callable[[], Any]) -> str:
    """The first thing that is not finite: a parameter, else a layer's output, else a gradient.

    Args:
        model: With the gradients of the step that went wrong, if it came to them.
        think: Runs the model once more, from where that step began.
    """
    kinds = (("buffer", model.named_buffers), ("parameter", model.named_parameters))
    for kind, named in kinds:
        for name, values in named():
            if not _finite(values):
                return f"the {kind} `{name}`"
    if layer := _first_layer(model, think):
        return f"the output of the layer `{layer}`"
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not _finite(parameter.grad):
            return f"the gradient of `{name}`"
    return "the loss"


def _first_layer(model: nn.Module, think: Callable[[], Any]) -> str:
    found: list[str] = []

    def watching(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def watch(module: nn.Module, inputs: Any, output: Any) -> None:
            if not found and not all(map(_finite, _tensors(output))):
                found.append(name)

        return watch

    # A layer's hook is called when it is done, so the first to be called is the innermost.
    hooks = [part.register_forward_hook(watching(name or "the whole"))
             for name, part in model.named_modules()]  # fmt: skip
    try:
        with torch.no_grad():
            think()
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else ""


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (tuple, list)):
        for part in output:
            yield from _tensors(part)


def _finite(values: Tensor) -> bool:
    return not values.is_floating_point() or bool(torch.isfinite(values).all())
