"""How a reasoner is trained: what a training on spikes and one on puzzles have in common."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from sims.config.base import Positive, StrictModel
from sims.config.errors import KeyProblem

__all__ = ["AboveZero", "NotNegative", "TrainOutput", "TrainingSpec"]

AboveZero: TypeAlias = Annotated[float, Field(gt=0)]
NotNegative: TypeAlias = Annotated[float, Field(ge=0)]


class TrainingSpec(StrictModel):
    """How the reasoner is trained."""

    steps: Positive = 160
    """Steps of the optimizer, each on one supervision step of a batch."""
    batch: Positive = 32
    """Items thought about at a time, in all processes together."""
    accumulate: Positive = 1
    """Parts in which a batch is thought about, one after the other, to need less memory."""
    optimizer: Literal["adamw", "adam_atan2"] = "adamw"
    """AdamW, or AdamATan2, with which the published models were trained."""
    learning_rate: AboveZero = 2e-3
    """After the warm-up."""
    warm_up: Annotated[int, Field(ge=0)] = 20
    """Steps over which the learning rate rises."""
    schedule: Literal["constant", "cosine"] = "constant"
    """The learning rate after the warm-up."""
    final_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    """With `cosine`: share of the learning rate that is left at the last step."""
    fall: Annotated[float, Field(gt=0, le=1)] = 1.0
    """With `cosine`: share of the steps, the last ones, over which it falls."""
    weight_decay: NotNegative = 1.0
    """Decoupled, on every parameter."""
    puzzle_learning_rate: AboveZero = 1e-2
    """Of puzzle vectors, which move by the sign of their gradient; published for ARC."""
    puzzle_weight_decay: NotNegative = 0.1
    """Of puzzle vectors."""
    clip: NotNegative = 1.0
    """Largest norm of the gradient; 0 for any."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.98
    """Decay of the running average of the weights, which is what is evaluated; 0 for none."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the recursion; weights, heads and losses are float32 or finer in any case."""
    compile: bool = False
    """Compile the model, and refuse to go on if it then computes something else."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it is trained; `auto` is a GPU if there is one."""
    threads: Positive = 1
    """Threads of PyTorch on a CPU; another number may change the last bits of a sum."""
    evaluate_every: Positive = 20
    """Steps between points of the learning curve."""
    checkpoint_every: Positive = 20
    """Steps between checkpoints."""

    @model_validator(mode="after")
    def _what_falls_is_a_cosine(self) -> TrainingSpec:
        for key, still in (("final_rate", 0.0), ("fall", 1.0)):
            if self.schedule == "constant" and (found := getattr(self, key)) != still:
                raise KeyProblem(
                    f"expected {still:g} with the schedule `constant`, which does not fall, found "
                    f"`{found:g}`; leave it out (`null`, where a base sets it), or set "
                    "`schedule: cosine`",
                    (key,),
                )
        return self


class TrainOutput(StrictModel):
    """Where the training goes."""

    folder: str | None = None
    """The training's folder; `runs/NAME` if left out."""
    cache: str | None = None
    """Folder of data sets, shared by trainings; `datasets` beside `folder` if left out."""
    tensorboard: bool = False
    """Write the learning curve for TensorBoard too, into `tensorboard` in the folder."""
