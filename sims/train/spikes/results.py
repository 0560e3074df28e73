"""What a training found: `result.json`, the file reports are drawn from.

    format, version            "ember-training", 1
    name, seed, config_hash, git_commit, versions, created
    data                       source, file (its name), classes, items {train, test, extra},
                               speakers {train, test, extra}: how many
    reasoner                   parameters (number), budget (steps without modulation)
    modulation                 factor, budget (steps with it), run (file or null)
    baseline                   per set the accuracy of always answering the commonest class
    models.<arm>               arm: `phase` (counts and timing), `untimed` (timing destroyed),
                               `counts` (timing blanked), `shuffled` (labels); see `arms`
        file                   its weights, in this folder
        sets.<set>             right, of, accuracy, interval (95 %), confusion [true][answer],
                               at the budget as modulated. Sets: `train`; `test` (voices never
                               trained on); `untimed` (test, timing destroyed, counts kept);
                               `extra` if there is one (digits: a person's recordings). Each as
                               the arm meets it: for `untimed`, all without timing; for
                               `shuffled`, `train` with the labels it was given
        curve                  lists over the training: step, loss, train_accuracy (of items that
                               halted since the last point), test_loss, test_accuracy (of the
                               averaged weights, whole budget), halted_after (mean steps)
        budget                 per factor: factor, budget, right, of, accuracy, interval,
                               mean_steps; early {right, of, accuracy, interval, mean_steps},
                               where the halt head may stop an item before the budget does
    comparison                 on `test`: phase_only, counts_only (items only one model got
                               right), p (exact two-sided McNemar test); null without `counts`
    comparisons.<arm>          on `test`, of every other arm with `phase`: phase_only, arm_only, p,
                               p_holm (p corrected for their number: Holm 1979)
    timings                    seconds: data, features, compile (if compiled), train, evaluate

Held-out items choose nothing: not the step that is kept, not a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bridges.reasoning.losses import stablemax_cross_entropy
from bridges.reasoning.modulation import halting_budget
from bridges.reasoning.reasoner import Reasoner
from sims.config.train import TrainConfig
from sims.dataset.labelled import SPLITS
from sims.dataset.spike_dataset import SpikeDataset
from sims.train.session.folder import TrainingFolder
from sims.train.spikes.arms import FILES, arm_data
from sims.train.spikes.asked import answer
from sims.train.spikes.model import TrainedModel, save_model
from sims.train.spikes.tensors import Seen
from sims.train.statistics import accuracy, confusion, majority

__all__ = [
    "budget_course", "comparison", "comparisons", "conclude", "curve", "score", "scored_sets"
]  # fmt: skip


def _go_on() -> None:
    """Nobody asks to stop."""


def conclude(
    config: TrainConfig,
    trained: Mapping[str, TrainedModel],
    seen: Seen,
    folder: TrainingFolder,
    *,
    factor: float,
    config_hash: str,
    data_file: Path,
    pause: Callable[[], None] = _go_on,
) -> dict[str, Any]:
    """Write the models, measure them, and give what `sims.train.session.run` does not know.

    What `pause` raises between two batches of answers ends it.
    """
    data, max_steps = seen.data, config.reasoner.budget
    budget, n_classes = halting_budget(max_steps, factor), len(data.classes)
    splits = {split: data.where(split) for split in SPLITS if data.where(split).size}
    labels: dict[str, NDArray[np.int64]] = {
        split: data.labels[items] for split, items in splits.items()
    }
    labels["untimed"] = labels["test"]
    models: dict[str, Any] = {}
    answers: dict[str, NDArray[np.int64]] = {}
    for arm, model in trained.items():
        save_model(folder.path / FILES[arm], model, name=config.name, config_hash=config_hash)
        met = arm_data(arm, seen, seed=config.seed)
        sets: dict[str, tuple[Tensor, Tensor]] = {
            split: (met.tokens[items], met.labels[items]) for split, items in splits.items()
        }
        sets["untimed"] = (seen.untimed, sets["test"][1])
        ready = {name: (model.prepared(made), right) for name, (made, right) in sets.items()}
        scored, predicted = scored_sets(
            model.model, ready, budget=budget, n_classes=n_classes, pause=pause
        )
        answers[arm] = predicted["test"]
        models[arm] = {
            "file": FILES[arm],
            "sets": scored,
            "curve": curve(folder.read_log(), arm),
            "budget": budget_course(
                model.model, *ready["test"], max_steps=max_steps,
                factors=sorted({*config.evaluation.budget_factors, factor}), pause=pause,
            ),
        }  # fmt: skip
    return {
        "data": _described(data, data_file),
        "reasoner": {
            "parameters": sum(part.numel() for part in trained["phase"].model.parameters()),
            "budget": max_steps,
        },
        "modulation": {"factor": factor, "budget": budget, "run": config.modulation.run},
        "baseline": {name: majority(labels["train"], labels[name], n_classes) for name in labels},
        "models": models,
        "comparison": (
            comparison(answers["phase"], answers["counts"], labels["test"])
            if "counts" in answers
            else None
        ),
        "comparisons": comparisons(answers, labels["test"]),
    }


def _described(data: SpikeDataset, file: Path) -> dict[str, Any]:
    items = {split: data.where(split) for split in SPLITS}
    return {
        "source": data.about["data"]["source"],
        "file": file.name,
        "classes": list(data.classes),
        "items": {split: int(which.size) for split, which in items.items()},
        "speakers": {
            split: len({data.speakers[item] for item in which}) for split, which in items.items()
        },
    }


def score(
    model: Reasoner,
    inputs: Tensor,
    labels: Tensor,
    *,
    budget: int,
    pause: Callable[[], None] = _go_on,
) -> tuple[float, float]:
    """Mean loss and accuracy with the whole budget."""
    logits = answer(model, inputs, budget=budget, pause=pause).logits
    right = (logits.argmax(-1) == labels).double().mean()
    return float(stablemax_cross_entropy(logits, labels).mean()), float(right)


def scored_sets(
    model: Reasoner,
    sets: Mapping[str, tuple[Tensor, Tensor]],
    *,
    budget: int,
    n_classes: int,
    pause: Callable[[], None] = _go_on,
) -> tuple[dict[str, Any], dict[str, NDArray[np.int64]]]:
    """`sets` of the result, and the answers themselves, from `(inputs, labels)` per set."""
    found, answers = {}, {}
    for name, (inputs, labels) in sets.items():
        predicted = answer(model, inputs, budget=budget, pause=pause).logits.argmax(-1).numpy()
        found[name] = {
            **accuracy(predicted, labels.numpy()),
            "confusion": confusion(predicted, labels.numpy(), n_classes),
        }
        answers[name] = predicted
    return found, answers


def budget_course(
    model: Reasoner,
    inputs: Tensor,
    labels: Tensor,
    *,
    max_steps: int,
    factors: Sequence[float],
    pause: Callable[[], None] = _go_on,
) -> list[dict[str, Any]]:
    """Accuracy and steps that were really thought, for each factor on the budget."""
    course = []
    for factor in factors:
        budget = halting_budget(max_steps, factor)
        entry: dict[str, Any] = {"factor": factor, "budget": budget}
        for early in (False, True):
            answers = answer(model, inputs, budget=budget, early=early, pause=pause)
            found = accuracy(answers.logits.argmax(-1).numpy(), labels.numpy())
            found["mean_steps"] = float(answers.steps.double().mean())
            entry |= {"early": found} if early else found
        course.append(entry)
    return course


def comparison(
    phase: NDArray[np.int64], counts: NDArray[np.int64], labels: NDArray[np.int64]
) -> dict[str, Any]:
    """Items that one model got right and the other did not, and how surprising that is.

    Exact McNemar test: under equal accuracy each such item is a fair coin.
    """
    from scipy.stats import binomtest

    phase_only = int(np.sum((phase == labels) & (counts != labels)))
    counts_only = int(np.sum((phase != labels) & (counts == labels)))
    differing = phase_only + counts_only
    p = float(binomtest(phase_only, differing).pvalue) if differing else 1.0
    return {"phase_only": phase_only, "counts_only": counts_only, "p": p}


def comparisons(
    answers: Mapping[str, NDArray[np.int64]], labels: NDArray[np.int64]
) -> dict[str, dict[str, Any]]:
    """Every other arm with `phase`, as `comparison` does it, and p for all of them together."""
    found: dict[str, dict[str, Any]] = {}
    for arm, given in answers.items():
        if arm != "phase":
            pair = comparison(answers["phase"], given, labels)
            found[arm] = {"phase_only": pair["phase_only"], "arm_only": pair["counts_only"],
                          "p": pair["p"]}  # fmt: skip
    least = 0.0
    for rank, arm in enumerate(sorted(found, key=lambda arm: float(found[arm]["p"]))):
        least = max(least, min(1.0, (len(found) - rank) * found[arm]["p"]))
        found[arm]["p_holm"] = least
    return found


def curve(log: Sequence[Mapping[str, Any]], arm: str) -> dict[str, list[float]]:
    """The learning curve of one model, from the log."""
    points = [entry for entry in log if entry["arm"] == arm]
    columns = {
        "step": "step", "loss": "loss", "train_accuracy": "accuracy", "test_loss": "test_loss",
        "test_accuracy": "test_accuracy", "halted_after": "thought",
    }  # fmt: skip
    return {name: [point[column] for point in points] for name, column in columns.items()}
