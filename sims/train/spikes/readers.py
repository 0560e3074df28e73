"""Simple readers of the same features: ridge regression and a small MLP, beside each reasoner.

They say what of an accuracy needs no reasoner. Both learn from the training items, choose one
setting by the validation items, and answer the test items once:

    linear      ridge regression on one-hot labels, centred; chooses its penalty
    mlp         one hidden layer of 64 rectified units; chooses the epoch whose weights are kept

On permuted labels the same readers are a control of the split: voices and takes are clustered, so
that single permutations scatter more widely than chance does for independent items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neuro.wiring import generator
from sims.train.spikes.arms import ArmData, arm_data, permuted
from sims.train.spikes.tensors import Seen
from sims.train.statistics import accuracy, mean_interval

__all__ = ["NAMES", "READERS", "Divided", "divided", "linear", "mlp", "permutations", "read"]

Labels: TypeAlias = NDArray[np.int64]

PENALTIES = tuple(10.0**power for power in range(-4, 4))
"""Of ridge regression, times the mean eigenvalue of the training items' Gram matrix."""
HIDDEN, EPOCHS, BATCH, RATE, DECAY = 64, 40, 32, 1e-3, 1e-2
"""Of the MLP, which AdamW trains; engineering choices, the same for every data set."""


@dataclass(frozen=True, eq=False)
class Divided:
    """Features and labels of the three parts of a data set.

    Attributes:
        train, validation, test: `(items, features)` float64 and `(items,)` labels of each part.
    """

    train: tuple[NDArray[np.float64], Labels]
    validation: tuple[NDArray[np.float64], Labels]
    test: tuple[NDArray[np.float64], Labels]
    n_classes: int


Reader: TypeAlias = Callable[..., Labels]


def divided(met: ArmData, seen: Seen) -> Divided:
    """The inputs of an arm, flattened over bins: the features its reasoner is given."""
    flat = met.inputs().flatten(1).double().numpy()
    parts = {split: seen.data.where(split) for split in ("train", "validation", "test")}
    return Divided(
        **{split: (flat[items], met.labels.numpy()[items]) for split, items in parts.items()},
        n_classes=len(seen.data.classes),
    )


def linear(data: Divided, *, seed: int = 0) -> Labels:
    """Answers of ridge regression to the test items; of equal penalties the largest is taken.

    Nothing is drawn: `seed` changes nothing.
    """
    features, labels = data.train
    mean = features.mean(axis=0)
    centred = features - mean
    values, vectors = np.linalg.eigh(centred @ centred.T)
    targets = np.eye(data.n_classes)[labels]
    prior = targets.mean(axis=0)
    turned = vectors.T @ (targets - prior)
    unit = max(float(values.mean()), np.finfo(float).tiny)

    def answers(given: NDArray[np.float64], penalty: float) -> Labels:
        weights = vectors @ (turned / (np.maximum(values, 0.0) + penalty * unit)[:, None])
        scores = (given - mean) @ centred.T @ weights + prior
        return np.asarray(scores.argmax(axis=1), dtype=np.int64)

    given, truth = data.validation
    right = [float(np.mean(answers(given, penalty) == truth)) for penalty in PENALTIES]
    best = max(range(len(PENALTIES)), key=lambda index: (right[index], PENALTIES[index]))
    return answers(data.test[0], PENALTIES[best])


def mlp(data: Divided, *, seed: int = 0) -> Labels:
    """Answers of a small MLP to the test items, by the weights of the best validation loss."""
    draw = generator(seed, "mlp reader")
    random = torch.Generator().manual_seed(int(draw.integers(2**62)))
    features, labels = (torch.from_numpy(part) for part in data.train)
    features, scale = features.float(), float(np.std(data.train[0])) or 1.0
    network = nn.Sequential(
        _drawn(features.shape[1], HIDDEN, random), nn.ReLU(), _drawn(HIDDEN, data.n_classes, random)
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    loss = nn.CrossEntropyLoss()
    given, truth = (torch.from_numpy(part) for part in data.validation)
    best, kept = np.inf, torch.empty(0)
    asked = torch.from_numpy(data.test[0]).float() / scale
    for _ in range(EPOCHS):
        for some in torch.randperm(len(labels), generator=random).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            loss(network(features[some] / scale), labels[some]).backward()
            optimizer.step()
        with torch.no_grad():
            found = float(loss(network(given.float() / scale), truth))
            if found < best:
                best, kept = found, network(asked)
    return np.asarray(kept.argmax(-1).numpy(), dtype=np.int64)


def _drawn(inputs: int, outputs: int, random: torch.Generator) -> nn.Linear:
    """A layer whose weights come from `random`, and from no global generator."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    with torch.no_grad():
        bound = 1.0 / np.sqrt(inputs)
        for part in layer.parameters():
            part.copy_((2 * torch.rand(part.shape, generator=random) - 1) * bound)
    return layer


READERS: dict[str, Reader] = {"linear": linear, "mlp": mlp}
NAMES = {"linear": "linear reader", "mlp": "MLP reader"}


def parameters(reader: str, data: Divided) -> int:
    """How many numbers a reader has learned."""
    n, classes = data.train[0].shape[1], data.n_classes
    return (n + 1) * classes if reader == "linear" else (n + 1) * HIDDEN + (HIDDEN + 1) * classes


def read(
    arms: Sequence[str], seen: Seen, *, seed: int, pause: Callable[[], None] = lambda: None
) -> dict[str, dict[str, Any]]:
    """`readers` of the result: per arm, and reader, its share of the test items."""
    found: dict[str, dict[str, Any]] = {}
    for arm in arms:
        data = divided(arm_data(arm, seen, seed=seed), seen)
        found[arm] = {}
        for name, reader in READERS.items():
            pause()
            found[arm][name] = {
                **accuracy(reader(data, seed=seed), data.test[1]),
                "parameters": parameters(name, data),
            }
    return found


def permutations(
    seen: Seen, *, how_many: int, seed: int, pause: Callable[[], None] = lambda: None
) -> dict[str, dict[str, Any]]:
    """`permutations` of the result: per reader its shares, one a permutation of the labels.

    Each permutation deals out the labels of the training and of the validation items anew; tests
    keep theirs.
    """
    features = arm_data("phase", seen, seed=seed)
    found: dict[str, list[float]] = {name: [] for name in READERS}
    for number in range(how_many):
        labels = permuted(seen, seed=seed, number=number)
        data = divided(ArmData(
            features.tokens, labels, features.layout, features.scale, counts_only=False
        ), seen)  # fmt: skip
        for name, reader in READERS.items():
            pause()
            found[name].append(accuracy(reader(data, seed=number), data.test[1])["accuracy"])
    return {
        name: {"values": values, **mean_interval(values, low=0.0, high=1.0),
               "of": int(seen.data.where("test").size)}
        for name, values in found.items()
    }  # fmt: skip
