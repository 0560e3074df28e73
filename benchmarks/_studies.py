"""What is trained for the page of results: each study is a config, its variants, and its seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["STUDIES", "Study"]


@dataclass(frozen=True)
class Study:
    """Trainings of one config.

    Attributes:
        title: What it is about.
        config: Name of a shipped config.
        seeds: How many; seed k makes its own puzzles, its own weights and its own order of items.
        variants: Changes to the config, by the variant's name. All others are compared with the
            first.
        note: What a reader must know of the variants.
    """

    title: str
    config: str
    seeds: int = 3
    variants: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({"TRM": ()})
    )
    note: str = ""


# Two layers altogether: HRM has one in each of its two networks, and its q_continue adds one row.
# HRM's cycles, gradient and lack of an average are as published (Wang et al. 2025). Attention has
# other weights than the MLP, so its width is the one that comes nearest to as many parameters.
HRM = (
    "reasoner.kind=hrm", "reasoner.layers=1", "reasoner.rounds=2", "reasoner.latent_steps=2",
    "reasoner.learns=last_step", "reasoner.q_continue=true", "training.ema=0",
)  # fmt: skip
ONCE = ("reasoner.kind=transformer", "reasoner.rounds=1", "reasoner.latent_steps=1")
ATTENTION = ("reasoner.mixer=attention", "reasoner.hidden=84", "reasoner.heads=2")
AT_EQUAL_SIZE: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "TRM": (),
    "TRM by attention": ATTENTION,
    "HRM": (*HRM, *ATTENTION),
    "HRM by MLP": HRM,
    "transformer": (*ONCE, *ATTENTION),
    "MLP-mixer": ONCE,
    "T=1": ("reasoner.rounds=1",),
    "one-step gradient": ("reasoner.learns=last_step",),
    "no EMA": ("training.ema=0",),
})  # fmt: skip
HOW_THEY_MIX = (
    "TRM mixes cells by an MLP, as published for Sudoku, and so do the last three, which lack one "
    "idea of it; HRM and the transformer mix by attention, as published. Each of the three stands "
    "beside the same with the other mixer, of as many parameters to 2 %. HRM learns through the "
    "last step of its recursion and has no running average, as published; transformer and "
    "MLP-mixer apply their layers once a supervision step. Attention learns more slowly: after so "
    "few steps its rows say little of what it would reach."
)

STUDIES: Mapping[str, Study] = MappingProxyType({
    "sudoku4": Study(
        "4×4 Sudoku", "sudoku4", seeds=5,
        note="The boards of the test are new; their solutions are not, as there are only 288: see "
        "[what held out means](howto/puzzles.md).",
    ),
    "sudoku6": Study("6×6 Sudoku", "sudoku6"),
    "sudoku6_ablations": Study(
        "6×6 Sudoku at equal parameters and steps", "sudoku6", variants=AT_EQUAL_SIZE,
        note=HOW_THEY_MIX,
    ),
    "maze": Study("Mazes of 10×10", "maze"),
    "sudoku9": Study(
        "9×9 Sudoku, as far as a laptop gets", "sudoku9",
        note="These boards are made and graded here: not those of Sudoku-Extreme, on which "
        "published figures are reached.",
    ),
    "voices_tiny": Study(
        "Calm and distressed voices, heard as spikes", "voices_tiny", seeds=5,
        note="Synthetic voices that differ in jitter and in the tremor of F0, and in nothing else "
        "that `encoders.voice` draws; each seed has its own speakers. Counts are of bins of 50 ms, "
        "which can follow the tremor.",
    ),
    "digits_spikes": Study(
        "Spoken digits, heard as spikes", "digits_spikes", seeds=5,
        note="All seeds hear the same sounds, those of the test from five held-out synthetic "
        "voices: the intervals say nothing of other voices. Three further voices choose the step "
        "whose weights are kept, for each arm by itself, and the penalty or epoch of each reader. "
        "Up to how many steps this chooses was set under an earlier protocol, in which curves of "
        "the test items were looked at. Counts are of bins of 50 ms, whose order still tells one "
        "word from another.",
    ),
})  # fmt: skip
