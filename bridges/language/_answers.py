"""What sensors and reasoners answer, held against what was asked before anybody reads it.

They are others' code, or others' recordings: what is wrong with an answer must be said of whoever
gave it, not of what comes to nothing three steps later.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bridges.language.sequence import Piece, Sensed, check_sensed
from bridges.language.settings import LanguageSettings
from neuro.errors import SignalError

__all__ = ["check_given", "checked"]


def check_given(pieces: Sequence[Piece], settings: LanguageSettings, item: int) -> None:
    """That what an item begins with is of senses that the model has, and finite.

    Raises:
        ConfigError: if it is of another sense or width.
        SignalError: if it is NaN or infinity.
    """
    for piece in pieces:
        if isinstance(piece, Sensed):
            check_sensed(piece, settings, item)
            if not bool(torch.isfinite(piece.embeddings).all()):
                raise SignalError(
                    f"item {item}: tokens of `{piece.sense}` must be finite, found NaN or infinity"
                )


def checked(who: str, answers: Sequence[Tensor], count: int, width: int) -> list[Tensor]:
    """The answers, if there is one for each of `count` items, `(token, width)` and finite.

    Raises:
        SignalError: naming who answered otherwise.
    """
    try:
        every: list[object] = list(answers)
    except TypeError:
        every = []
    if len(every) != count:
        raise SignalError(f"{who} must answer each of {count} items, found {len(every)} answers")
    fitting = []
    for one in every:
        shape = tuple(one.shape) if isinstance(one, Tensor) else type(one).__name__
        if not (isinstance(one, Tensor) and one.ndim == 2 and len(one) and one.shape[1] == width):
            raise SignalError(
                f"{who} must answer with 1 token or more, (token, {width}), found {shape}"
            )
        if not bool(torch.isfinite(one).all()):
            raise SignalError(f"{who} must answer with finite numbers, found NaN or infinity")
        fitting.append(one)
    return fitting
