"""What the trainings of a study come to: values by seed, intervals over seeds, who ran it where."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from _common import Failed
from _study_run import Training

from sims.config import load
from sims.train.spikes.arms import ARMS
from sims.train.spikes.readers import NAMES
from sims.train.statistics import mean_interval

__all__ = ["asked", "collected", "over_seeds", "read_result", "scores"]

FORMAT, VERSION = "ember-study", 1
PROTOCOL = 2
"""How trainings on spikes are judged: 1 kept the last step; since 2 validation voices choose the
step, and simple readers and permutations of the labels stand beside the reasoner."""
LONGEST = 30  # characters of a value that is told; a list of voices is not
ONLY_IN_TESTS = "counts and timing, which tests destroy"
COMMONEST = "always the commonest answer"


def read_result(training: Training) -> dict[str, Any]:
    """The `result.json` of a training.

    Raises:
        Failed: if it is not there, or not of this training: another seed or config, or damaged.
    """
    path = training.folder / "result.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        wanted = load(training.config, training.overrides).hash
        if found["format"] != "ember-training" or found["version"] != 1:
            raise ValueError("another format")
        if (found["seed"], found["config_hash"]) != (training.seed, wanted):
            raise ValueError("a training of another config")
        for share in scores(found).values():
            if not (0 <= share["right"] <= share["of"] and share["of"] > 0):
                raise ValueError("shares that cannot be")
    except OSError as error:
        raise Failed(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(
            f"{path} must be the result of {training.name} as it is asked for, found "
            f"{' '.join(str(error).split())}; give another --out"
        ) from None
    return found


def asked(training: Training) -> dict[str, Any]:
    """What a training learns from and for how long, JSON-ready: the plain keys of its config."""
    config = load(training.config, training.overrides).config
    data = config.data.model_dump(mode="json", exclude_none=True)
    plain = {key: value for key, value in data.items() if not isinstance(value, dict)}
    short = {key: value for key, value in plain.items() if len(json.dumps(value)) <= LONGEST}
    spec = config.training
    return {"data": short, "steps": spec.steps, "batch": spec.batch}


def scores(result: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """What a training is judged by, as `right` of `of`: held-out items that chose nothing.

    Of spikes these are the reasoner's arms, by the weights that validation chose; the simple
    readers on the same features; and the answers that need no spike.
    """
    if result.get("task") == "puzzles":
        sets = {"whole budget": result["sets"]["best"], "may halt": result["sets"]["halting"]}
    else:
        sets = {ARMS[arm]: found["sets"]["test"] for arm, found in result["models"].items()}
        sets[ONLY_IN_TESTS] = result["models"]["phase"]["sets"]["untimed"]
        for arm, readers in result["readers"].items():
            sets |= {f"{NAMES[name]}, {ARMS[arm]}": found for name, found in readers.items()}
        sets[COMMONEST] = result["baseline"]["test"]
    return {name: {"right": found["right"], "of": found["of"]} for name, found in sets.items()}


def over_seeds(values: Sequence[float], low: float = 0.0, high: float = 1.0) -> dict[str, Any]:
    """Values, their mean, the confidence interval of it and the prediction interval of one more.

    See `sims.train.statistics.mean_interval`; both are kept within what is possible.
    """
    found = mean_interval(values, low=low, high=high)
    return {
        "values": list(values),
        **{key: found[key] for key in ("mean", "interval", "prediction")},
    }


def collected(wanted: Sequence[Training], times: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`rows`, `curves` and `trainings` of a study whose trainings are all done.

    Args:
        times: Of each training by its name; see `_study_run.spent`.

    Raises:
        Failed: if a result is refused.
    """
    results = {training: read_result(training) for training in wanted}
    variants = list(dict.fromkeys(training.variant for training in wanted))
    rows: list[dict[str, Any]] = []
    for variant in variants:
        mine = [results[training] for training in wanted if training.variant == variant]
        for score in scores(mine[0]):
            shares = [scores(result)[score] for result in mine]
            values = [round(share["right"] / share["of"], 6) for share in shares]
            row = {
                "variant": variant, "score": score, **over_seeds(values),
                "items": [share["of"] for share in shares],
                "parameters": _parameters(mine[0], score),
            }  # fmt: skip
            # Variants are compared with the first variant, controls with what they control for.
            same = rows if "models" in mine[0] else [r for r in rows if r["score"] == score]
            base = same[0] if same else row
            if base is not row:
                paired = [a - b for a, b in zip(values, base["values"], strict=True)]
                row["difference"] = over_seeds(paired, -1.0, 1.0)
            rows.append(row)
        rows += _permuted(variant, mine)
    return {
        "rows": rows,
        "compared_with": rows[0]["score" if "models" in results[wanted[0]] else "variant"],
        "curves": [
            {"variant": name or training.variant, "seed": training.seed, **curve}
            for training, result in results.items()
            for name, curve in _curves(result).items()
        ],
        "trainings": [
            {
                "variant": training.variant, "seed": training.seed,
                "config_hash": result["config_hash"], "commit": result["git_commit"],
                "created": result["created"], "versions": result["versions"],
                **times[training.name],
            }
            for training, result in results.items()
        ],
    }  # fmt: skip


def _parameters(result: Mapping[str, Any], score: str) -> int:
    """Numbers that were learned for one score: of the reasoner, of a reader, or none."""
    if score == COMMONEST:
        return 0
    for arm, readers in result.get("readers", {}).items():
        for name, found in readers.items():
            if score == f"{NAMES[name]}, {ARMS[arm]}":
                return int(found["parameters"])
    return int(result["reasoner"]["parameters"])


def _permuted(variant: str, results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each reader on permuted labels: a value is of one permutation of one seed."""
    rows = []
    for name in results[0].get("permutations", {}):
        values = [round(v, 6) for one in results for v in one["permutations"][name]["values"]]
        rows.append({
            "variant": variant, "score": f"{NAMES[name]}, permuted labels", "each": "permutation",
            **over_seeds(values), "items": [results[0]["permutations"][name]["of"]],
            "parameters": results[0]["readers"]["phase"][name]["parameters"],
        })  # fmt: skip
    return rows


def _curves(result: Mapping[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Of the items that choose the weights, by arm; an unnamed one where there are no arms."""
    if "curve" in result:
        found = {"": result["curve"]}
    else:
        found = {ARMS[arm]: model["curve"] for arm, model in result["models"].items()}
    for curve in found.values():
        if not all(map(math.isfinite, curve["test_accuracy"])):
            raise Failed("a learning curve must be of finite numbers; train again in another --out")
    return {
        name: {
            "step": curve["step"],
            "solved": curve.get("validation_accuracy", curve["test_accuracy"]),
        }
        for name, curve in found.items()
    }
