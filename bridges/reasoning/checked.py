"""Batches are held against the reasoner they are for, before any of it is thought about.

Fields, shapes and types are looked at for every batch, which costs microseconds. The numbers are
looked at where that is cheap too: on a CPU always, on an accelerator, which would have to finish
what it does, only before a training or an evaluation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bridges.reasoning.carry import IGNORED, Batch
from bridges.reasoning.modulation import check_modulation
from bridges.reasoning.settings import ReasonerSettings
from neuro.errors import ConfigError, SignalError

__all__ = ["check_batch", "check_next_batch"]

_WHOLE = (torch.int64, torch.int32)


def check_batch(settings: ReasonerSettings, batch: Batch) -> None:
    """Hold a batch against the settings: fields, shapes, types, and the numbers themselves.

    Raises:
        ConfigError: for the first thing that does not fit.
        SignalError: if a sensory embedding is not finite.
    """
    _check(settings, batch, values=True)


def check_next_batch(settings: ReasonerSettings, batch: Batch, slots: int) -> None:
    """Hold a further batch, for the slots of a carry, against the settings; the numbers in it
    only where they lie on a CPU.

    Raises:
        ConfigError: if there is not one item for each slot, or one does not fit.
        SignalError: if a sensory embedding is not finite.
    """
    items = batch.labels.shape[0]
    if items != slots:
        raise ConfigError(f"a batch for {slots} slots needs {slots} items, found {items}")
    _check(settings, batch, values=batch.labels.device.type == "cpu")


def _check(settings: ReasonerSettings, batch: Batch, *, values: bool) -> None:
    rows = batch.labels.shape[0] if batch.labels.dim() else 0
    if not rows:
        raise ConfigError("a batch needs 1 item or more, found none")
    length, width, puzzles = settings.length, settings.sensory, settings.puzzle_ids
    _check_field("labels", batch.labels, (rows, settings.answers), (torch.int64,))
    _check_field("tokens", batch.tokens, (rows, length) if length else None, _WHOLE)
    _check_field(
        "sensory", batch.sensory, (rows, settings.sensory_length, width) if width else None, None
    )
    _check_field("puzzle", batch.puzzle, (rows,) if puzzles else None, _WHOLE)
    if batch.modulation is not None:
        check_modulation(batch.modulation, rows, values=values)
    if values:
        _check_range("labels", batch.labels[batch.labels != IGNORED], settings.vocabulary)
        _check_range("tokens", batch.tokens, settings.vocabulary)
        _check_range("puzzle", batch.puzzle, puzzles)
        _check_finite("sensory", batch.sensory)


def _check_field(
    name: str,
    given: Tensor | None,
    shape: tuple[int, ...] | None,
    types: tuple[torch.dtype, ...] | None,
) -> None:
    """Types None: floats of any precision."""
    found = None if given is None else tuple(given.shape)
    if found != shape:
        raise ConfigError(
            f"a batch for this reasoner needs `{name}` {_shown(shape)}, found {_shown(found)}"
        )
    if given is None:
        return
    fits = given.is_floating_point() if types is None else given.dtype in types
    if not fits:
        wanted = "floats" if types is None else " or ".join(map(_named, types))
        raise ConfigError(f"a batch needs `{name}` of {wanted}, found {_named(given.dtype)}")


def _shown(shape: tuple[int, ...] | None) -> str:
    return "left out" if shape is None else f"of shape {shape}"


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _check_range(name: str, values: Tensor | None, count: int) -> None:
    if values is None or not values.numel():
        return
    least, most = int(values.min()), int(values.max())
    if least < 0 or most >= count:
        raise ConfigError(f"`{name}` must lie in 0..{count - 1}, found {least}..{most}")


def _check_finite(name: str, values: Tensor | None) -> None:
    """In float32, in which they will be reckoned with."""
    if values is None or bool((finite := values.float().isfinite()).all()):
        return
    wrong = values[~finite]
    raise SignalError(
        f"`{name}` embeddings must be finite in float32, found {wrong[0].item()}, and "
        f"{wrong.numel()} of {values.numel()} numbers like it"
    )
