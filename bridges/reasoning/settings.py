"""What a reasoner is: its kind, its sizes, and the switches that take single ideas away.

Pure data, no torch. The published models on 9×9 Sudoku are `TRM_MLP`, `TRM_ATTENTION` and `HRM`;
everything else is one of them with a field replaced.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from types import MappingProxyType
from typing import Any, Literal, get_args, get_type_hints

from neuro.errors import ConfigError

__all__ = [
    "ABLATIONS", "HRM", "TRM_ATTENTION", "TRM_MLP", "ReasonerSettings", "ablated",
    "same_size_transformer", "swiglu_width",
]  # fmt: skip

_POSITIVE = ("vocabulary", "hidden", "heads", "layers", "multiple", "H", "L", "steps_max")
_NOT_NEGATIVE = ("length", "sensory", "sensory_length", "slots", "puzzle_ids", "columns")
_MOST = 2**31 - 1
"""Of any count or width: products of two are still exact, and no memory holds more."""


@dataclass(frozen=True)
class ReasonerSettings:
    """Everything that fixes a reasoner's shape, its recursion and how it is supervised.

    Attributes:
        kind: `trm` (one network, two roles), `hrm` (a network for each role) or `transformer`
            (one network, applied once a supervision step, so that H and L must be 1 and the
            round, being the last, learns; its mixer is what `mixer` says).
        mixer: How tokens see each other: `attention`; `mlp` (SwiGLU over the sequence, whose
            length is fixed anyway); or `convolution` (3x3, over tokens that are a grid), with
            which whatever must come from far away comes step by step.
        vocabulary: Symbols, of token inputs and of answers.
        length: Token inputs an item; 0 for none.
        columns: Of the grid that the tokens are, row by row; 0 where they are none.
        sensory: Numbers in a sensory embedding; 0 for none.
        sensory_length: Sensory embeddings an item.
        sensory_gain: How loud sensory embeddings of unit variance are in x.
        answer: Where the answer is read: at every `tokens`, at every `sensory` position, or at
            the first `slot`, one answer an item.
        hidden, heads, layers: Width, attention heads, blocks of each network.
        expansion, multiple: Of SwiGLU; see `swiglu_width`. 256 is the published multiple; models
            narrower than that do better with 16.
        H: Rounds a supervision step (T in the TRM paper).
        L: Updates of z a round (n in the TRM paper).
        slots: Positions before the input; the halt head reads the first.
        puzzle_ids: 0: the slots hold one learned prefix, the same for every item. More: a
            vector per puzzle in a table beside the parameters, as in the published recipe.
        positions: `rope`, `learned` or `none`.
        steps_max: Supervision steps an item may take.
        exploration: Chance that a slot must think on for a random number of steps.
        learns: Which part of a supervision step carries gradient: the `last_round`, or the
            `last_step` (one update of z, one of y).
        single_z: One state instead of an answer y and a latent z.
        halting: Whether a slot of the training may halt before `steps_max`.
        q_continue: A second halting output that learns the value of going on (HRM).
        ema: Decay of the running average that is evaluated; 0 for none. Kept by the training.
        precision: `float32`, or `bfloat16` inside the recursion. Weights, heads and losses are
            not affected.

    Raises:
        ConfigError: if a size is impossible or two fields contradict each other.
    """

    kind: Literal["trm", "hrm", "transformer"] = "trm"
    mixer: Literal["attention", "mlp", "convolution"] = "attention"
    vocabulary: int = 11
    length: int = 81
    columns: int = 0
    sensory: int = 0
    sensory_length: int = 0
    sensory_gain: float = 1.0
    answer: Literal["tokens", "sensory", "slot"] = "tokens"
    hidden: int = 512
    heads: int = 8
    layers: int = 2
    expansion: float = 4.0
    multiple: int = 256
    H: int = 3
    L: int = 6
    slots: int = 16
    puzzle_ids: int = 0
    positions: Literal["rope", "learned", "none"] = "rope"
    steps_max: int = 16
    exploration: float = 0.1
    learns: Literal["last_round", "last_step"] = "last_round"
    single_z: bool = False
    halting: bool = True
    q_continue: bool = False
    ema: float = 0.999
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            allowed = get_args(kind)
            if allowed and getattr(self, name) not in allowed:
                self._refuse(f"`{name}` to be one of {', '.join(allowed)}", name)
        for name in (*_POSITIVE, *_NOT_NEGATIVE):
            value = getattr(self, name)
            if not isinstance(value, Integral) or int(value) > _MOST:
                self._refuse(f"`{name}` to be a whole number up to {_MOST}", name)
        for name in _POSITIVE:
            if getattr(self, name) < 1:
                self._refuse(f"`{name}` of 1 or more", name)
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                self._refuse(f"`{name}` of 0 or more", name)
        for name in ("exploration", "ema"):
            if not 0 <= getattr(self, name) <= 1:
                self._refuse(f"`{name}` in 0..1", name)
        for name in ("sensory_gain", "expansion"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                self._refuse(f"a finite `{name}` above 0", name)
        self._check_together()

    def _check_together(self) -> None:
        if self.hidden % self.heads:
            self._refuse("`hidden` to be a multiple of `heads`", "hidden", "heads")
        if self.positions == "rope" and self.mixer == "attention" and self.width_of_head % 2:
            self._refuse("`hidden` / `heads` to be even for `rope`", "hidden", "heads")
        if self.positions == "rope" and self.mixer != "attention":
            # The weights of both know the place already; the published mlp recipe says `none` too.
            self._refuse(
                f'`positions` of "none" or "learned" with the mixer `{self.mixer}`', "positions"
            )
        if self.mixer == "convolution":
            if self.sensory:
                self._refuse("no `sensory` input with the mixer `convolution`", "sensory")
            if not self.slots:  # a cell sees too little for the halt head
                self._refuse("`slots` of 1 or more with the mixer `convolution`", "slots")
            if not self.columns or self.length % self.columns:
                self._refuse(
                    "`length` to be whole rows of `columns` with the mixer `convolution`",
                    "length", "columns",
                )  # fmt: skip
        if bool(self.sensory) != bool(self.sensory_length):
            self._refuse("both of `sensory` and `sensory_length`", "sensory", "sensory_length")
        if not self.length and not self.sensory:
            self._refuse("an input: `length` tokens, or `sensory` embeddings", "length", "sensory")
        if not {"tokens": self.length, "sensory": self.sensory, "slot": self.slots}[self.answer]:
            self._refuse(f"positions to answer at: it has no {self.answer}", "answer")
        if self.puzzle_ids and self.sensory:
            self._refuse("no `puzzle_ids` where the input is sensory", "puzzle_ids", "sensory")
        if self.puzzle_ids and not self.slots:
            self._refuse("`slots` for its `puzzle_ids`", "slots", "puzzle_ids")
        if self.single_z and self.kind != "trm":
            self._refuse("`single_z` with kind `trm` alone", "kind", "single_z")
        if self.kind == "transformer":
            if self.H != 1 or self.L != 1:
                self._refuse(
                    "`H` (rounds) and `L` (latent steps) of 1 with kind `transformer`, which is "
                    "applied once a supervision step", "H", "L",
                )  # fmt: skip
            if self.learns != "last_round":
                self._refuse("`learns` of last_round with kind `transformer`", "learns")
        for width in (self.hidden, *([self.positions_total] if self.mixer == "mlp" else [])):
            inside = self.expansion * width * 2 / 3
            if not (math.isfinite(inside) and round(inside)):
                self._refuse(
                    f"an `expansion` with which 2/3 of {width} times it rounds to 1 or more, and "
                    "is finite", "expansion",
                )  # fmt: skip

    def _refuse(self, wanted: str, *names: str) -> None:
        found = ", ".join(f"{name}: {getattr(self, name)}" for name in names)
        raise ConfigError(f"a reasoner needs {wanted}, found {found}")

    @property
    def positions_total(self) -> int:
        """Length of x: slots, then sensory embeddings, then tokens."""
        return self.slots + self.sensory_length + self.length

    @property
    def answers(self) -> int:
        """Answers an item, each one of `vocabulary`."""
        return {"tokens": self.length, "sensory": self.sensory_length, "slot": 1}[self.answer]

    @property
    def width_of_head(self) -> int:
        """Width of each attention head."""
        return self.hidden // self.heads


TRM_ATTENTION = ReasonerSettings()
"""6,828,034 parameters without its prefix, which the published recipe keeps in a buffer
(Jolicoeur-Martineau 2025, "Less is more: recursive reasoning with tiny networks")."""

TRM_MLP = dataclasses.replace(TRM_ATTENTION, mixer="mlp", positions="none")
"""5,028,866 parameters without its prefix (same source)."""

HRM = ReasonerSettings(
    kind="hrm", layers=4, H=2, L=2, slots=1, learns="last_step", q_continue=True, ema=0.0
)
"""27,275,266 parameters without its prefix (Wang et al. 2025, "Hierarchical Reasoning Model")."""

ABLATIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "T=1": {"H": 1},
    "one-step gradient": {"learns": "last_step"},
    "no EMA": {"ema": 0.0},
    "no halting": {"halting": False},
    "single z": {"single_z": True},
})  # fmt: skip
"""Each takes one idea of TRM away and leaves the number of parameters as it is."""


def ablated(settings: ReasonerSettings, name: str) -> ReasonerSettings:
    """The settings without one idea, by its name in `ABLATIONS`.

    Raises:
        ConfigError: if there is no such name, or the settings lack that idea already.
    """
    if name not in ABLATIONS:
        raise ConfigError(f"an ablation must be one of {', '.join(ABLATIONS)}, found {name!r}")
    changed = dataclasses.replace(settings, **ABLATIONS[name])
    if changed == settings:
        found = ", ".join(f"{key}: {value}" for key, value in ABLATIONS[name].items())
        raise ConfigError(
            f"the ablation {name!r} must take something away, found {found} in this "
            f"{settings.kind} already"
        )
    return changed


def same_size_transformer(settings: ReasonerSettings, **changes: Any) -> ReasonerSettings:
    """One network with as many parameters: no recursion inside a supervision step.

    It has the mixer and the positions of `settings`, and for HRM the blocks of both networks in
    one. From `TRM_ATTENTION` and `HRM` comes a transformer with attention and rotary positions;
    from `TRM_MLP` an MLP-mixer, which has no attention at all: with attention too, by
    `mixer="attention", positions="rope"`, it would be as large as `TRM_ATTENTION`.

    With `steps_max=1` it answers directly, in one pass, as the published baseline of 27 M did.

    Args:
        changes: Fields that shall be otherwise.

    >>> same_size_transformer(TRM_ATTENTION).mixer, same_size_transformer(TRM_MLP).mixer
    ('attention', 'mlp')
    """
    layers = settings.layers * (2 if settings.kind == "hrm" else 1)
    plain: dict[str, Any] = {
        "kind": "transformer", "layers": layers, "H": 1, "L": 1, "learns": "last_round",
        "single_z": False,
    }  # fmt: skip
    return dataclasses.replace(settings, **(plain | changes))


def swiglu_width(width: int, expansion: float = 4.0, multiple: int = 256) -> int:
    """Width inside a SwiGLU over `width`: two thirds of `expansion * width`, so that its three
    matrices cost what two plain ones would, rounded up to a multiple.

    >>> swiglu_width(512), swiglu_width(97), swiglu_width(64, multiple=16)
    (1536, 512, 176)
    """
    return math.ceil(round(expansion * width * 2 / 3) / multiple) * multiple
