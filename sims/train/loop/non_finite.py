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

    Layers are gone through as the forward pass does, gradients as the backward pass does: the one
    that is named is where it began, and not one that it spread to.

    Args:
        model: With the gradients of the step that went wrong, if it came to them.
        think: Runs the model once more, from where that step began.
    """
    kinds = (("buffer", model.named_buffers), ("parameter", model.named_parameters))
    for kind, named in kinds:
        for name, values in named():
            if not _finite(values):
                return f"the {kind} `{name}`"
    layer, order = _walked(model, think)
    if layer is not None:
        return f"the output of the layer `{layer or 'the whole'}`"
    named_by_layer = dict(model.named_modules())
    for layer in reversed(order):
        for name, parameter in named_by_layer[layer].named_parameters(layer, recurse=False):
            if parameter.grad is not None and not _finite(parameter.grad):
                return f"the gradient of `{name}`"
    return "the loss"


def _walked(model: nn.Module, think: Callable[[], Any]) -> tuple[str | None, list[str]]:
    """The first layer whose output is not finite, and all layers in the order in which they were
    last done; those that were not called come first."""
    found: list[str] = []
    order = [name for name, _ in model.named_modules()]

    def watching(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def watch(module: nn.Module, inputs: Any, output: Any) -> None:
            order.remove(name)
            order.append(name)
            if not found and not all(map(_finite, _tensors(output))):
                found.append(name)

        return watch

    # A layer's hook is called when it is done, so the first to be called is the innermost.
    hooks = [part.register_forward_hook(watching(name)) for name, part in model.named_modules()]
    try:
        with torch.no_grad():
            think()
    finally:
        for hook in hooks:
            hook.remove()
    return (found[0] if found else None), order


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, (tuple, list)):
        for part in output:
            yield from _tensors(part)


def _finite(values: Tensor) -> bool:
    return not values.is_floating_point() or bool(torch.isfinite(values).all())
