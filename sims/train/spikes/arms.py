"""The arms of a training on spikes: one model, each time without something it might live on.

    timing      `phase` in files: counts and timing, nothing taken away
    untimed     every spike at a random instant of its own bin, in training and in tests: counts
                equal, timing gone
    counts      every column that needs timing is blank
    shuffled    timing kept, but training items have each other's labels, and so have validation
                items, by which the step is chosen; tests keep theirs

All have the same parameters, start weights, order of items and steps. Where spikes of an item go
in `untimed` is drawn once, as an item has one set of spikes in `timing` too: drawn anew in every
epoch, it would be an augmentation that the other arms do not have.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bridges.features.tokens import TokenLayout
from neuro.errors import ConfigError
from neuro.wiring import generator
from sims.train.spikes.tensors import Scale, Seen, blanked

__all__ = [
    "ARMS", "FILES", "LAST", "ArmData", "arm_data", "keys_of", "permuted", "shuffled_labels"
]  # fmt: skip

ARMS = {
    "phase": "counts and timing",
    "untimed": "timing destroyed, counts equal",
    "counts": "counts alone",
    "shuffled": "shuffled labels",
}
"""What each learns from, by its name in files."""

FILES = {arm: f"best_{arm}.safetensors" for arm in ARMS}
"""The weights that validation chose, by arm."""
LAST = {
    "phase": "model.safetensors",
    **{arm: f"model_{arm}.safetensors" for arm in ("untimed", "counts", "shuffled")},
}
"""The weights of the last step, by arm."""


def keys_of(arms: tuple[str, ...]) -> tuple[str, ...]:
    """The names in files of a config's `arms`.

    >>> keys_of(("timing", "counts"))
    ('phase', 'counts')
    """
    return tuple("phase" if arm == "timing" else arm for arm in arms)


@dataclass(frozen=True, eq=False)
class ArmData:
    """A data set as one arm meets it.

    Attributes:
        tokens: `(n_items, n_bins, layout.size)`, not scaled.
        labels: `(n_items,)` int64; those of training and validation items may be shuffled.
        scale: That of the training items, as this arm meets them.
        counts_only: Whether all but the counts is blank.
    """

    tokens: Tensor
    labels: Tensor
    layout: TokenLayout
    scale: Scale
    counts_only: bool

    def inputs(self) -> Tensor:
        """What the model is given: the tokens, scaled, and blanked where only counts are seen."""
        scaled = self.scale(self.tokens)
        return blanked(scaled, self.layout) if self.counts_only else scaled


def arm_data(arm: str, seen: Seen, *, seed: int) -> ArmData:
    """The data of one of `ARMS`.

    Raises:
        ConfigError: if `untimed` is asked for and `seen` was made without it.
    """
    tokens, labels, scale = seen.tokens, seen.labels, seen.scale
    train = seen.data.where("train")
    if arm == "untimed":
        if seen.bare is None:
            raise ConfigError(
                "the arm `untimed` needs tokens of all items without timing, found those of the "
                "held-out ones; make them with `bare=True`"
            )
        tokens = seen.bare
        scale = Scale.of(tokens, train, seen.layout)
    elif arm == "shuffled":
        labels = permuted(seen, seed=seed)
    return ArmData(tokens, labels, seen.layout, scale, counts_only=arm == "counts")


def permuted(seen: Seen, *, seed: int, number: int = 0) -> Tensor:
    """Labels permuted among the training items, and among the validation items.

    Args:
        number: Which of the permutations of this seed; 0 is that of the arm `shuffled`.
    """
    labels = seen.labels
    own = seed if number == 0 else int(generator(seed, "permutation", number).integers(2**62))
    for split in ("train", "validation"):
        labels = shuffled_labels(labels, torch.from_numpy(seen.data.where(split)), seed=own)
    return labels


def shuffled_labels(labels: Tensor, items: Tensor, *, seed: int) -> Tensor:
    """Labels of which those of `items` are permuted among `items`, and no others.

    Each class keeps its number of items; a few items keep their label, by chance.
    """
    order = generator(seed, "shuffled labels").permutation(items.numel())
    mixed = labels.clone()
    mixed[items] = labels[items[torch.from_numpy(order)]]
    return mixed
