"""A reasoner over spikes, in one file with all that is needed to ask it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from bridges.features.tokens import TokenLayout, tokens
from bridges.reasoning.modulation import halting_budget
from bridges.reasoning.reasoner import Reasoner
from bridges.reasoning.settings import ReasonerSettings
from neuro.errors import StoreError
from neuro.spikes import Spikes
from sims.config.train import ReasonerSpec
from sims.config.training import TrainingSpec
from sims.train.loop.checkpoint import prefixed, under, write_tensors
from sims.train.loop.untrained import new_reasoner, swiglu_multiple
from sims.train.spikes.asked import Answers, answer
from sims.train.spikes.tensors import Scale, blanked

__all__ = ["TrainedModel", "new_model", "read_spike_model", "save_model"]


SENSORY_GAIN = 3.0
"""How loud features are beside their positions and the two unit states. Discrete tokens do with 1;
measured features, of which few matter at a time, are drowned then and learned late. Engineering
choice."""


def new_model(
    spec: ReasonerSpec,
    layout: TokenLayout,
    *,
    n_tokens: int,
    n_classes: int,
    seed: int,
    training: TrainingSpec | None = None,
) -> Reasoner:
    """An untrained TRM over the tokens, which answers at its one slot.

    The same seed and sizes give the same weights.
    """
    settings = ReasonerSettings(
        vocabulary=n_classes, length=0, sensory=layout.size, sensory_length=n_tokens,
        sensory_gain=SENSORY_GAIN, answer="slot", slots=1, positions="learned",
        hidden=spec.hidden, heads=spec.heads, layers=spec.layers, expansion=spec.expansion,
        multiple=swiglu_multiple(spec.hidden), H=spec.rounds, L=spec.latent_steps,
        steps_max=spec.budget,
        precision="float32" if training is None else training.precision,
    )  # fmt: skip
    return new_reasoner(settings, seed=seed)


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A reasoner with the scale of its inputs.

    Attributes:
        counts_only: Whether it was trained, and is asked, on spike counts alone.
        classes: What its answers mean.
    """

    model: Reasoner
    scale: Scale
    layout: TokenLayout
    spec: ReasonerSpec
    n_tokens: int
    classes: tuple[str, ...]
    counts_only: bool

    def ask(
        self,
        spikes: Sequence[Spikes],
        channels: ArrayLike,
        *,
        budget_factor: float = 1.0,
        early: bool = False,
    ) -> Answers:
        """What it makes of spikes of the nerve it was trained on.

        Args:
            spikes: One or more items, over the same window as in training.
            channels: `(n_units,)` channel of each unit.
            budget_factor: A neuromodulator's factor on the steps it may think.
            early: Stop as soon as the halt head is content.
        """
        inputs = torch.stack([tokens(item, channels, self.layout) for item in spikes])
        budget = halting_budget(self.spec.budget, budget_factor)
        return answer(self.model, self.prepared(inputs), budget=budget, early=early)

    def prepared(self, inputs: Tensor) -> Tensor:
        """Tokens as the model was trained on them: scaled, and blanked if on counts alone."""
        scaled = self.scale(inputs)
        return blanked(scaled, self.layout) if self.counts_only else scaled


def save_model(path: Path, trained: TrainedModel, **about: Any) -> None:
    """Write the model, with JSON-ready `about` beside what is needed to read it."""
    tensors = {
        **prefixed("model", trained.model.state_dict()),
        **prefixed("scale", {"mean": trained.scale.mean, "gain": trained.scale.gain}),
    }
    header = {
        "layout": asdict(trained.layout),
        "reasoner": trained.spec.model_dump(mode="json"),
        "n_tokens": trained.n_tokens,
        "classes": list(trained.classes),
        "counts_only": trained.counts_only,
        "about": about,
    }
    write_tensors(path, tensors, header, kind="model")


def read_spike_model(
    path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]
) -> TrainedModel:
    """The model of a file that was read.

    Raises:
        StoreError: if its parts do not fit together.
    """
    try:
        spec = ReasonerSpec.model_validate(header["reasoner"])
        layout = TokenLayout(**header["layout"])
        classes = tuple(header["classes"])
        model = new_model(spec, layout, n_tokens=header["n_tokens"], n_classes=len(classes), seed=0)
        model.load_state_dict(under("model", tensors))
        scale = Scale(tensors["scale.mean"], tensors["scale.gain"])
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise StoreError(
            f"`{path}` must be a model of this version of Ember, found parts that do not fit "
            "together; train it again"
        ) from None
    return TrainedModel(
        model.requires_grad_(False).eval(), scale, layout, spec,
        header["n_tokens"], classes, header["counts_only"],
    )  # fmt: skip
