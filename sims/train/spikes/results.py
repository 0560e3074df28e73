"""What a training found: `result.json`, the file reports are drawn from.

    format, version            "ember-training", 1
    name, seed, config_hash, git_commit, versions, created
    data                       source, file (its name), classes, items {train, validation, test,
                               extra}, speakers {…}: how many
    reasoner                   parameters (number), budget (steps without modulation)
    modulation                 factor, budget (steps with it), run (file or null)
    chance                     1 / number of classes
    baseline                   per set the accuracy of always answering the commonest class
    models.<arm>               arm: `phase` (counts and timing), `untimed` (timing destroyed),
                               `counts` (timing blanked), `shuffled` (labels); see `arms`
        file                   its weights, in this folder: those that validation chose
        step                   of these weights
        last                   `test` by the weights of the last step: right, of, accuracy,
                               interval; at the budget as modulated, as `sets`
        best_on_test           highest test_accuracy of the curve and its step: what choosing by
                               the test would have claimed
        sets.<set>             right, of, accuracy, interval (95 %), confusion [true][answer],
                               at the budget as modulated. Sets: `train`; `validation` (voices
                               that chose the step, so that it flatters); `test` (voices that
                               did neither); `untimed` (test, timing destroyed, counts kept);
                               `extra` if there is one (digits: a person's recordings). Each as
                               the arm meets it: for `untimed`, all without timing; for
                               `shuffled`, `train` and `validation` with the labels it was given
        curve                  lists over the training: step, loss, train_accuracy (of items that
                               halted since the last point), validation_loss,
                               validation_accuracy, test_loss, test_accuracy (of the averaged
                               weights, whole budget), halted_after (mean steps)
        budget                 per factor: factor, budget, right, of, accuracy, interval,
                               mean_steps; early {right, of, accuracy, interval, mean_steps},
                               where the halt head may stop an item before the budget does
    comparison                 on `test`: phase_only, counts_only (items only one model got
                               right), p (exact two-sided McNemar test); null without `counts`
    comparisons.<arm>          on `test`, of every other arm with `phase`: phase_only, arm_only, p,
                               p_holm (p corrected for their number: Holm 1979)
    readers.<arm>.<reader>     `linear` and `mlp` on the features of each arm, on `test`: right, of,
                               accuracy, interval, parameters; see `readers`
    permutations.<reader>      the same readers on the features of `phase`, on permuted labels:
                               values (accuracy of each permutation), mean, interval (of the mean),
                               prediction (of another permutation), n, of
    timings                    seconds: data, features, compile (if compiled), train, evaluate

Test items choose nothing: not the step that is kept, not a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bridges.reasoning.losses import stablemax_cross_entropy
from bridges.reasoning.modulation import halting_budget
from bridges.reasoning.reasoner import Reasoner
from sims.config.train import TrainConfig
from sims.dataset.labelled import SPLITS
from sims.dataset.spike_dataset import SpikeDataset
from sims.train.loop.checkpoint import read_tensors
from sims.train.session.course import read_best
from sims.train.session.folder import TrainingFolder
from sims.train.spikes.arms import ARMS, FILES, LAST, arm_data, keys_of
from sims.train.spikes.asked import answer
from sims.train.spikes.model import read_spike_model
from sims.train.spikes.readers import NAMES as READER_NAMES
from sims.train.spikes.readers import permutations, read
from sims.train.spikes.tensors import Seen
from sims.train.statistics import accuracy, confusion, majority, span

__all__ = [
    "budget_course", "comparison", "comparisons", "conclude", "curve", "score", "scored_sets",
    "summary", "validation_score",
]  # fmt: skip


def _go_on() -> None:
    """Nobody asks to stop."""


def conclude(
    config: TrainConfig,
    seen: Seen,
    folder: TrainingFolder,
    *,
    device: torch.device,
    factor: float,
    config_hash: str,
    data_file: Path,
    pause: Callable[[], None] = _go_on,
) -> dict[str, Any]:
    """Measure the weights that validation chose, and give what `sims.train.session.run` lacks.

    What `pause` raises between two batches of answers ends it.

    Raises:
        StoreError: if the weights of an arm are gone or damaged.
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
    parameters = 0
    for arm in keys_of(config.arms):
        tensors, header = read_best(folder, arm)
        model = read_spike_model(folder.best_file(arm), tensors, header)
        last_file = folder.path / LAST[arm]
        last = read_spike_model(last_file, *read_tensors(last_file, kind="model")).model
        for one in (model.model, last):
            one.to(device)
        parameters = sum(part.numel() for part in model.model.parameters())
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
        given, right = ready["test"]
        course = curve(folder.read_log(), arm)
        top = max(course["test_accuracy"])
        models[arm] = {
            "file": FILES[arm],
            "step": header["about"]["step"],
            "last": accuracy(
                answer(last, given, budget=budget, pause=pause).logits.argmax(-1).numpy(),
                right.numpy(),
            ),
            "best_on_test": {
                "accuracy": top, "step": course["step"][course["test_accuracy"].index(top)]
            },
            "sets": scored,
            "curve": course,
            "budget": budget_course(
                model.model, *ready["test"], max_steps=max_steps,
                factors=sorted({*config.evaluation.budget_factors, factor}), pause=pause,
            ),
        }  # fmt: skip
    return {
        "data": _described(data, data_file),
        "reasoner": {
            "parameters": parameters,
            "budget": max_steps,
        },
        "modulation": {"factor": factor, "budget": budget, "run": config.modulation.run},
        "chance": 1 / n_classes,
        "baseline": {name: majority(labels["train"], labels[name], n_classes) for name in labels},
        "models": models,
        "comparison": (
            comparison(answers["phase"], answers["counts"], labels["test"])
            if "counts" in answers
            else None
        ),
        "comparisons": comparisons(answers, labels["test"]),
        "readers": read(
            [arm for arm in models if arm != "shuffled"], seen, seed=config.seed, pause=pause
        ),
        "permutations": permutations(
            seen, how_many=config.evaluation.permutations, seed=config.seed, pause=pause
        ),
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


def validation_score(found: Mapping[str, float], items: int) -> float:
    """By which weights are chosen: validation accuracy; of equals, the lower validation loss.

    The loss never outweighs one item.

    >>> better, worse = ({"validation_accuracy": 0.5, "validation_loss": x} for x in (0.7, 90.0))
    >>> 0.5 >= validation_score(better, 20) > validation_score(worse, 20) > 0.45
    True
    """
    loss = found["validation_loss"]
    return found["validation_accuracy"] - loss / (1.0 + loss) / (items + 1)


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
        "validation_loss": "validation_loss", "validation_accuracy": "validation_accuracy",
    }  # fmt: skip
    return {name: [point[column] for point in points] for name, column in columns.items()}


def summary(outcome: Mapping[str, Any], folder: TrainingFolder) -> Iterator[str]:
    """Lines that say what came of a training."""
    for arm, model in outcome["models"].items():
        test, last, top = model["sets"]["test"], model["last"], model["best_on_test"]
        low, high = test["interval"]
        yield (
            f"{ARMS[arm]}: {test['accuracy']:.1%} of {test['of']} test items right (95 % Wilson "
            f"interval {low:.1%} to {high:.1%}), by the weights of step {model['step']}, which "
            f"validation chose; last step {last['accuracy']:.1%}, best step on the test "
            f"{top['accuracy']:.1%}"
        )
    for arm, found in outcome["readers"].items():
        told = ", ".join(
            f"{READER_NAMES[name]} {one['accuracy']:.1%}" for name, one in found.items()
        )
        yield f"{told} on the features of `{ARMS[arm]}`"
    for name, found in outcome["permutations"].items():
        yield (
            f"{READER_NAMES[name]} on {found['n']} permutations of the labels: mean "
            f"{found['mean']:.1%} (95 % confidence interval of the mean {span(found['interval'])}; "
            f"95 % prediction interval of another permutation {span(found['prediction'])})"
        )
    modulation, reasoner = outcome["modulation"], outcome["reasoner"]
    yield (
        f"chance: {outcome['chance']:.1%}; always the commonest answer: "
        f"{outcome['baseline']['test']['accuracy']:.1%}; "
        f"thinking steps: {modulation['budget']} of {reasoner['budget']} "
        f"(modulation factor {modulation['factor']:.3g})"
    )
    yield f"written: {folder.result_file}"
