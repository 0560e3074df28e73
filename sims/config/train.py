"""The schema of a training: labelled sounds, features, the reasoner, and how it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from neuro.units import Hz, dB, ms
from sims.config.base import Frequency, Level, Listing, Positive, StrictModel, Timespan
from sims.config.errors import TAG, KeyProblem, hint, shown
from sims.config.training import AboveZero, NotNegative, TrainingSpec, TrainOutput

__all__ = [
    "DataSpec", "DigitsData", "EvaluationSpec", "FeaturesSpec", "ModulationSpec", "NerveSpec",
    "ReasonerSpec", "SpikeTraining", "TrainConfig", "VoicesData",
]  # fmt: skip

Factor: TypeAlias = Annotated[float, Field(ge=0, le=100)]
Arm: TypeAlias = Literal["timing", "untimed", "counts", "shuffled"]


class NerveSpec(StrictModel):
    """The auditory nerve that hears the sounds."""

    n_channels: Annotated[int, Field(ge=2)] = 12
    """Places along the cochlea, evenly spaced in ERBs."""
    fibres_per_channel: Positive = 16
    """Fibres at each place."""
    low: Frequency = Hz(125)
    """Lowest characteristic frequency."""
    high: Frequency = Hz(3500)
    """Highest characteristic frequency; recordings sampled at 8 kHz reach to 4 kHz."""
    spontaneous: Literal["mixed", "high", "medium", "low"] = "high"
    """Class of the fibres by spontaneous rate."""


class VoicesData(StrictModel):
    """Vowels of the embedded synthesiser: calm, and distressed by more jitter and tremor."""

    source: Literal["voices"] = "voices"
    """The embedded synthesiser; needs nothing installed."""
    speakers: Positive = 80
    """Speakers to train on."""
    validation: Positive = 20
    """Other speakers, who choose the step of the training that is kept."""
    held_out: Positive = 40
    """Further speakers, to test on."""
    takes: Positive = 1
    """Utterances of each speaker in each state."""
    duration: Timespan = ms(400)
    """Length of an utterance."""
    level: Level = dB(65)
    """RMS of every utterance, so that loudness tells nothing."""
    nerve: NerveSpec = NerveSpec()
    """Who listens."""


class DigitsData(StrictModel):
    """The digits zero to nine, spoken by espeak-ng; whole voices are held out."""

    source: Literal["digits"]
    """espeak-ng, a program of the system."""
    voices: Annotated[Listing[str], Field(min_length=1)]
    """Voices to train on, such as `en-us+f2` (`espeak-ng --voices`, `--voices=variant`)."""
    validation: Annotated[Listing[str], Field(min_length=1)]
    """Other voices, which choose the step of the training that is kept."""
    held_out: Annotated[Listing[str], Field(min_length=1)]
    """Further voices, to test on."""
    pitches: Annotated[Listing[Annotated[int, Field(ge=0, le=99)]], Field(min_length=1)] = (50,)
    """Pitches of each voice, on espeak-ng's scale of 0 to 99."""
    speeds: Annotated[Listing[Annotated[int, Field(ge=80, le=450)]], Field(min_length=1)] = (175,)
    """Speeds of each voice, in words a minute."""
    recordings: str | None = None
    """Folder with recorded digits `0.wav` to `9.wav`, an extra test; `null` for none."""
    duration: Timespan = ms(700)
    """What of a digit is heard, from its onset; a shorter one is followed by silence."""
    level: Level = dB(65)
    """RMS of every digit."""
    nerve: NerveSpec = NerveSpec()
    """Who listens."""

    @model_validator(mode="after")
    def _voices_are_apart(self) -> DigitsData:
        for key in ("voices", "validation", "held_out", "pitches", "speeds"):
            values = getattr(self, key)
            for index, value in enumerate(values):
                if value in values[:index]:
                    raise KeyProblem(f"{shown(value)} is listed twice", (key, index))
        used = dict.fromkeys(self.voices, "trained on")
        for key, purpose in (("validation", "used for validation"), ("held_out", "tested on")):
            for index, voice in enumerate(getattr(self, key)):
                if voice in used:
                    raise KeyProblem(
                        f"{shown(voice)} is {used[voice]} too; each voice must be in one list",
                        (key, index),
                    )
                used[voice] = purpose
        return self


_SOURCES = ("voices", "digits")


def _known_source(value: object) -> object:
    if isinstance(value, Mapping):
        from sims.config.puzzles import PUZZLES

        known = (*_SOURCES, *PUZZLES)
        expected = f"expected one of {', '.join(f'`{name}`' for name in known)}"
        if "source" not in value:
            raise KeyProblem(f"the key `source` is missing: {expected}")
        if (given := value["source"]) not in _SOURCES:
            raise KeyProblem(
                f"{expected}, found {shown(given)}{hint(str(given), known)}", ("source",)
            )
    elif not isinstance(value, (VoicesData, DigitsData)):
        raise KeyProblem(f"expected a mapping with the key `source`, found {shown(value)}")
    return value


def _source(value: Any) -> str:
    return TAG + str(value["source"] if isinstance(value, Mapping) else value.source)


DataSpec: TypeAlias = Annotated[
    Annotated[VoicesData, Tag(TAG + "voices")] | Annotated[DigitsData, Tag(TAG + "digits")],
    Discriminator(_source),
    BeforeValidator(_known_source),
]


class FeaturesSpec(StrictModel):
    """How spikes become tokens."""

    bin: Timespan = ms(50)
    """Time covered by a token; `duration` must be a whole number of them."""
    phase_parts: Annotated[int, Field(ge=2, le=32)] = 4
    """Parts of the cycle in which spikes are told apart."""
    pitch_low: Frequency = Hz(70)
    """Lowest rhythm sought in the spikes, the reference of their phases."""
    pitch_high: Frequency = Hz(500)
    """Highest rhythm sought."""


class ReasonerSpec(StrictModel):
    """The Tiny Recursive Model."""

    hidden: Positive = 32
    """Width of a token inside; a multiple of `heads`."""
    heads: Positive = 2
    """Attention heads."""
    layers: Positive = 2
    """Blocks of the one network."""
    expansion: AboveZero = 4.0
    """Width inside a block over `hidden`, before the 2/3 that the gate costs."""
    rounds: Positive = 2
    """T: rounds of a supervision step; only the last learns."""
    latent_steps: Positive = 2
    """n: updates of the latent reasoning in a round."""
    budget: Positive = 4
    """Supervision steps an answer may take at most, which modulation scales."""

    @model_validator(mode="after")
    def _heads_fit(self) -> ReasonerSpec:
        if self.hidden % self.heads:
            raise KeyProblem(
                f"expected a multiple of `heads` ({self.heads}), found `{self.hidden}`", ("hidden",)
            )
        return self


class SpikeTraining(TrainingSpec):
    """How the reasoner is trained; the same for every arm."""

    noise: NotNegative = 0.0
    """Noise on the inputs in training, in units of their root mean square; against overfitting."""


class ModulationSpec(StrictModel):
    """The neuromodulator's factor on the reasoner's budget while it answers."""

    budget: Factor | None = None
    """The factor itself; 1 changes nothing."""
    run: str | None = None
    """Instead: a run file, whose mean factor on `reasoner.budget` is taken."""

    @model_validator(mode="after")
    def _one_of_both(self) -> ModulationSpec:
        if (self.budget is None) == (self.run is None):
            found = "neither" if self.budget is None else "both"
            raise KeyProblem(f"expected either `budget` or `run`, found {found}")
        return self


class EvaluationSpec(StrictModel):
    """What is measured besides the accuracy as configured."""

    budget_factors: Annotated[Listing[Factor], Field(min_length=1)] = (0.25, 0.5, 0.75, 1.0)
    """Factors on the budget at which accuracy and thinking steps are measured."""
    permutations: Annotated[int, Field(ge=2, le=1000)] = 10
    """Permutations of the labels from which a linear and an MLP reader learn, as a control."""


class TrainConfig(StrictModel):
    """One training: labelled sounds, features, a reasoner; with timing, and its controls."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
    """Name of the training; the file's own name if left out."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """The one seed that every random number follows from."""
    data: DataSpec = VoicesData()
    """Which labelled sounds."""
    features: FeaturesSpec = FeaturesSpec()
    """How spikes become tokens."""
    reasoner: ReasonerSpec
    """The model."""
    training: SpikeTraining = SpikeTraining()
    """How it is trained."""
    arms: Annotated[Listing[Arm], Field(min_length=1)] = ("timing", "counts")
    """Models trained beside each other, alike but for what is taken away; `timing` is the one
    that nothing is taken from. `untimed`: spikes moved within their bins, in training and tests;
    `counts`: counts alone; `shuffled`: labels of the training items permuted."""
    modulation: ModulationSpec = ModulationSpec(budget=1.0)
    """The factor on its budget while it answers."""
    evaluation: EvaluationSpec = EvaluationSpec()
    """What is measured."""
    output: TrainOutput = TrainOutput()
    """Where it goes."""

    @model_validator(mode="after")
    def _arms_are_apart(self) -> TrainConfig:
        for index, arm in enumerate(self.arms):
            if arm in self.arms[:index]:
                raise KeyProblem(f"{shown(arm)} is listed twice", ("arms", index))
        if "timing" not in self.arms:
            raise KeyProblem("expected `timing` among them, which the others are compared with",
                             ("arms",))  # fmt: skip
        return self

    @model_validator(mode="after")
    def _window_fits(self) -> TrainConfig:
        bins = self.data.duration / self.features.bin
        if round(bins) < 1 or abs(bins - round(bins)) > 1e-6:
            raise KeyProblem(
                f"expected a whole number of bins of {self.features.bin}, "
                f"found {self.data.duration}",
                ("data", "duration"),
            )
        low, high = self.features.pitch_low, self.features.pitch_high
        if not Hz(0) < low < high <= Hz(1000):
            raise KeyProblem(
                f"expected a rhythm between `pitch_low` and 1000 Hz, found {low}..{high}",
                ("features", "pitch_high"),
            )
        if self.data.duration * low < 2:
            raise KeyProblem(
                f"expected at least two cycles of `features.pitch_low` ({low}), "
                f"found {self.data.duration}",
                ("data", "duration"),
            )
        nerve = self.data.nerve
        if not Hz(0) < nerve.low < nerve.high:
            raise KeyProblem(
                f"expected a frequency above `low` ({nerve.low}), found {nerve.high}",
                ("data", "nerve", "high"),
            )
        return self
