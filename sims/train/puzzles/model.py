"""A reasoner that solves puzzles, in one file with all that is needed to ask it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bridges.reasoning.carry import IGNORED, Batch
from bridges.reasoning.evaluation import evaluate
from bridges.reasoning.reasoner import Reasoner, build
from bridges.reasoning.settings import ReasonerSettings
from neuro.errors import ConfigError, StoreError
from sims.config.puzzles import PuzzleTrainConfig
from sims.puzzles.puzzle_set import PuzzleFormat
from sims.train.loop.checkpoint import prefixed, under, write_tensors
from sims.train.loop.untrained import swiglu_multiple

__all__ = ["TASK", "PuzzleModel", "read_puzzle_model", "save_puzzle_model", "settings_of"]

TASK = "puzzles"


def settings_of(config: PuzzleTrainConfig, format: PuzzleFormat) -> ReasonerSettings:
    """The reasoner that a config asks for, sized for its puzzles.

    Raises:
        ConfigError: if two settings contradict each other.
    """
    asked, training = config.reasoner, config.training
    return ReasonerSettings(
        kind=asked.kind, mixer=asked.mixer, vocabulary=format.vocabulary, length=format.length,
        columns=format.columns,
        hidden=asked.hidden, heads=asked.heads, layers=asked.layers, expansion=asked.expansion,
        multiple=swiglu_multiple(asked.hidden),
        H=asked.rounds, L=asked.latent_steps, slots=asked.slots,
        puzzle_ids=format.n_identifiers if asked.puzzle_vectors else 0,
        positions=asked.positions or ("rope" if asked.mixer == "attention" else "none"),
        steps_max=asked.budget, exploration=asked.exploration, learns=asked.learns,
        single_z=asked.single_z, halting=asked.halting, q_continue=asked.q_continue,
        ema=training.ema, precision=training.precision,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class PuzzleModel:
    """A trained reasoner and the boards it knows.

    Attributes:
        about: JSON-ready: name, config hash, the step its weights are of.
    """

    model: Reasoner
    format: PuzzleFormat
    about: Mapping[str, Any]

    def solve(self, boards: ArrayLike, *, halting: bool = False) -> NDArray[np.int64]:
        """Its answers to `(n, length)` boards in the tokens of its format.

        Args:
            halting: Stop as soon as the halt head is content.

        Raises:
            ConfigError: if a board is longer or shorter, has a token it does not know, or needs a
                puzzle vector.
        """
        given = np.asarray(boards)
        if given.ndim != 2 or not np.issubdtype(given.dtype, np.integer):
            raise ConfigError(
                f"boards must be whole numbers of shape (n, {self.format.length}), found "
                f"{given.dtype} of shape {given.shape}"
            )
        tokens = torch.from_numpy(given.astype(np.int64))
        labels = torch.full((given.shape[0], self.format.length), IGNORED)
        batch = Batch(labels=labels, tokens=tokens)
        return evaluate(self.model, batch, halting=halting).predictions.numpy()


def save_puzzle_model(path: Path, trained: PuzzleModel) -> None:
    """Write the model, replacing what is there."""
    header = {
        "task": TASK,
        "settings": dataclasses.asdict(trained.model.settings),
        "format": dataclasses.asdict(trained.format),
        "about": dict(trained.about),
    }
    tensors = prefixed("model", trained.model.state_dict())
    write_tensors(path, tensors, header, kind="model")


def read_puzzle_model(
    path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]
) -> PuzzleModel:
    """The model of a file that was read.

    Raises:
        StoreError: if its parts do not fit together.
    """
    try:
        settings = ReasonerSettings(**header["settings"])
        box = header["format"]["box"]
        format = PuzzleFormat(**{**header["format"], "box": box and tuple(box)})
        model = build(settings)
        model.load_state_dict(under("model", tensors))
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise StoreError(
            f"`{path}` must be a model of this version of Ember, found parts that do not fit "
            "together; train it again"
        ) from None
    return PuzzleModel(model.requires_grad_(False).eval(), format, header.get("about", {}))
