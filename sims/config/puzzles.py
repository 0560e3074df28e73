"""The schema of a training on puzzles: which puzzles, the reasoner, and how it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from sims.config.base import Fraction01, Listing, Positive, StrictModel
from sims.config.errors import TAG, KeyProblem, hint, shown
from sims.config.training import AboveZero, TrainingSpec, TrainOutput

__all__ = [
    "PUZZLES", "ArcData", "FolderData", "MazeData", "PuzzleData", "PuzzleEvaluation",
    "PuzzleReasoner", "PuzzleTrainConfig", "SudokuData",
]  # fmt: skip

Count: TypeAlias = Annotated[int, Field(ge=0)]


class SudokuData(StrictModel):
    """Sudoku boards made here, each with one solution; see `sims.puzzles.sudoku_set`."""

    source: Literal["sudoku"] = "sudoku"
    """Made here."""
    size: Literal[4, 6, 9] = 4
    """Digits, and cells of a row, a column or a box."""
    train: Positive = 1000
    """Boards to train on."""
    test: Positive = 1000
    """Others, to test on; none is a symmetric copy of one to train on."""
    augment: Count = 0
    """Symmetric copies of each board to train on, besides itself."""
    clues: Annotated[Listing[Count], Field(min_length=2, max_length=2)] | None = None
    """Clues of a board, fewest and most; left out: none can be spared."""
    guesses: Annotated[Listing[Count], Field(min_length=1, max_length=2)] = (0,)
    """Guesses that a constraint solver needs, fewest and, if given, most: how hard it is."""
    held_out: Literal["board", "grid", "class"] = "board"
    """What no test board shares with a training board; `grid`: also its solution."""


class MazeData(StrictModel):
    """Mazes made here, with long shortest paths; see `sims.puzzles.maze_set`."""

    source: Literal["maze"]
    """Made here."""
    size: Annotated[int, Field(ge=5, le=60)] = 10
    """Cells of a side; the published set has 30."""
    train: Positive = 1000
    """Mazes to train on."""
    test: Positive = 1000
    """Others, to test on."""
    augment: Annotated[int, Field(ge=0, le=7)] = 0
    """How many of the other seven views of each maze to train on."""
    steps: Annotated[Listing[Positive], Field(min_length=2, max_length=2)] | None = None
    """Steps of a shortest path, fewest and most; left out: as many as make it hard."""
    walls: Literal["carved", "scattered"] = "carved"
    """Corridors with few loops, or cells that are walls by chance."""
    unique: bool = True
    """Whether there must be no other path as short."""


class ArcData(StrictModel):
    """ARC-AGI tasks, from their public JSON; see `sims.puzzles.arc_set`."""

    source: Literal["arc"]
    """From the public JSON."""
    path: str
    """The folder with `training` and `evaluation`, or a `.tar.gz` of it."""
    augment: Count = 1000
    """Augmentations of each task: a symmetry of the square and an order of colours."""
    tasks: Positive | None = None
    """How many tasks of each subset; all if left out."""


class FolderData(StrictModel):
    """A puzzle set that is there already, in the public `.npy` layout."""

    source: Literal["folder"]
    """From a folder."""
    path: str
    """The folder, with `train` and `test`."""


_KINDS: dict[str, type[StrictModel]] = {
    "sudoku": SudokuData, "maze": MazeData, "arc": ArcData, "folder": FolderData,
}  # fmt: skip
PUZZLES = tuple(_KINDS)
"""Sources of puzzles."""


def _known_source(value: object) -> object:
    if isinstance(value, Mapping):
        given = value.get("source")
        if given not in PUZZLES:
            raise KeyProblem(
                f"expected one of {', '.join(f'`{name}`' for name in PUZZLES)}, found "
                f"{shown(given)}{hint(str(given), PUZZLES)}",
                ("source",),
            )
    elif not isinstance(value, tuple(_KINDS.values())):
        raise KeyProblem(f"expected a mapping with the key `source`, found {shown(value)}")
    return value


def _source(value: Any) -> str:
    return TAG + str(value["source"] if isinstance(value, Mapping) else value.source)


PuzzleData: TypeAlias = Annotated[
    Annotated[SudokuData, Tag(TAG + "sudoku")]
    | Annotated[MazeData, Tag(TAG + "maze")]
    | Annotated[ArcData, Tag(TAG + "arc")]
    | Annotated[FolderData, Tag(TAG + "folder")],
    Discriminator(_source),
    BeforeValidator(_known_source),
]


class PuzzleReasoner(StrictModel):
    """A reasoner over tokens; see `bridges.reasoning.settings`, which has the published sizes."""

    kind: Literal["trm", "hrm", "transformer"] = "trm"
    """One network in two roles, a network for each role, or one that is applied once a step."""
    mixer: Literal["attention", "mlp", "convolution"] = "attention"
    """How tokens see each other; `mlp` is best where the length is short and fixed,
    `convolution` where what matters is next to each other."""
    hidden: Positive = 64
    """Width of a token inside; a multiple of `heads`."""
    heads: Positive = 4
    """Attention heads."""
    layers: Positive = 2
    """Blocks of each network."""
    expansion: AboveZero = 4.0
    """Width inside a block over `hidden`, before the 2/3 that the gate costs."""
    rounds: Positive = 3
    """Rounds of a supervision step (T of TRM, H cycles of HRM); only the last learns."""
    latent_steps: Positive = 6
    """Updates of the latent reasoning in a round (n of TRM, L cycles of HRM)."""
    slots: Count = 1
    """Positions before the puzzle; the halt head reads the first."""
    puzzle_vectors: bool = False
    """One learned vector a puzzle, for the published recipe of ARC."""
    positions: Literal["rope", "learned", "none"] | None = None
    """How it knows where a token is; `rope` with the mixer `attention`, else `none`, if left
    out."""
    budget: Positive = 16
    """Supervision steps that an answer may take."""
    exploration: Fraction01 = 0.1
    """Chance that an item must be thought about for longer than the halt head would."""
    learns: Literal["last_round", "last_step"] = "last_round"
    """What of a supervision step carries gradient."""
    single_z: bool = False
    """One state in place of an answer and a latent."""
    halting: bool = True
    """Whether an item of the training may halt before its budget is spent."""
    q_continue: bool = False
    """A second halting output, the value of going on (HRM)."""

    @model_validator(mode="after")
    def _heads_fit(self) -> PuzzleReasoner:
        if self.hidden % self.heads:
            raise KeyProblem(
                f"expected a multiple of `heads` ({self.heads}), found `{self.hidden}`", ("hidden",)
            )
        return self


class PuzzleEvaluation(StrictModel):
    """What is measured."""

    validation: Positive = 128
    """Puzzles of the test split that make the learning curve and choose the best weights; they
    are left out of the final figures."""
    batch: Positive = 256
    """Examples answered at a time."""
    votes: Positive | None = None
    """For ARC: augmentations of a test puzzle, itself included, whose answers vote, to be scored
    by the two that most agree on; left out: no vote."""


class PuzzleTrainConfig(StrictModel):
    """One training on puzzles."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
    """Name of the training; the file's own name if left out."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """The one seed that every random number follows from."""
    data: PuzzleData
    """Which puzzles."""
    reasoner: PuzzleReasoner
    """The model."""
    training: TrainingSpec = TrainingSpec()
    """How it is trained."""
    evaluation: PuzzleEvaluation = PuzzleEvaluation()
    """What is measured."""
    output: TrainOutput = TrainOutput()
    """Where it goes."""

    @model_validator(mode="after")
    def _votes_are_for_arc(self) -> PuzzleTrainConfig:
        if self.evaluation.votes is not None and self.data.source not in ("arc", "folder"):
            raise KeyProblem(
                f"expected the data `arc`, whose augmentations can be undone, found "
                f"`{self.data.source}`; leave it out",
                ("evaluation", "votes"),
            )
        return self
