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
        seeds: How many; seed k makes its own puzzles or sounds, its own weights and its own order.
        variants: Changes to the config, by the variant's name. All others are compared with the
            first.
    """

    title: str
    config: str
    seeds: int = 3
    variants: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({"TRM": ()})
    )


# The networks of all have two layers altogether, of one width: HRM one in each of its two, and
# its q_continue adds one row. HRM's cycles, gradient and lack of an average are as published
# (Wang et al. 2025); the others are the ablations of `bridges.reasoning.settings`, in keys.
AT_EQUAL_SIZE: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "TRM": (),
    "HRM": (
        "reasoner.kind=hrm", "reasoner.layers=1", "reasoner.rounds=2", "reasoner.latent_steps=2",
        "reasoner.learns=last_step", "reasoner.q_continue=true", "training.ema=0",
    ),
    "transformer": ("reasoner.kind=transformer", "reasoner.rounds=1", "reasoner.latent_steps=1"),
    "T=1": ("reasoner.rounds=1",),
    "one-step gradient": ("reasoner.learns=last_step",),
    "no EMA": ("training.ema=0",),
})  # fmt: skip

STUDIES: Mapping[str, Study] = MappingProxyType({
    "sudoku4": Study("4×4 Sudoku", "sudoku4", seeds=5),
    "sudoku6": Study("6×6 Sudoku", "sudoku6"),
    "sudoku6_ablations": Study(
        "6×6 Sudoku at equal parameters and steps", "sudoku6", variants=AT_EQUAL_SIZE
    ),
    "maze": Study("Mazes of 10×10", "maze"),
    "sudoku9": Study("9×9 Sudoku, as far as a laptop gets", "sudoku9", seeds=1),
    "digits_spikes": Study("Spoken digits, heard as spikes", "digits_spikes", seeds=5),
})  # fmt: skip
