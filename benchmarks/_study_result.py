"""What the trainings of a study come to: values by seed, intervals over seeds, who ran it where."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from _common import Failed
from _study_run import Training

from sims.config import load
from sims.train.speech.summary import mean_interval
from sims.train.spikes.arms import ARMS

__all__ = ["asked", "collected", "over_seeds", "read_result", "scores"]

FORMAT, VERSION = "ember-study", 1
LONGEST = 30  # characters of a value that is told; a list of voices is not
ONLY_IN_TESTS = "counts and timing, which tests destroy"


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
    """What a training is judged by, as `right` of `of`: held-out items that chose nothing."""
    if result.get("task") == "puzzles":
        sets = {"whole budget": result["sets"]["best"], "may halt": result["sets"]["halting"]}
    else:
        sets = {ARMS[arm]: found["sets"]["test"] for arm, found in result["models"].items()}
        sets[ONLY_IN_TESTS] = result["models"]["phase"]["sets"]["untimed"]
    return {name: {"right": found["right"], "of": found["of"]} for name, found in sets.items()}


def over_seeds(values: Sequence[float], low: float = 0.0, high: float = 1.0) -> dict[str, Any]:
    """Mean and Student's 95 % interval over seeds, kept within what is possible.

    Where there is one seed, or all give the same, a spread cannot be told: the interval is None.
    """
    found = mean_interval(values)
    known = len(values) > 1 and len(set(values)) > 1
    ends = [round(min(max(end, low), high), 4) for end in found["interval"]] if known else None
    return {"values": list(values), "mean": found["mean"], "interval": ends}


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
                "parameters": mine[0]["reasoner"]["parameters"],
            }  # fmt: skip
            # Variants are compared with the first variant, controls with what they control for.
            same = rows if "models" in mine[0] else [r for r in rows if r["score"] == score]
            base = same[0] if same else row
            if base is not row:
                paired = [a - b for a, b in zip(values, base["values"], strict=True)]
                row["difference"] = over_seeds(paired, -1.0, 1.0)
            rows.append(row)
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


def _curves(result: Mapping[str, Any]) -> dict[str, dict[str, list[float]]]:
    """By arm; an unnamed one where there are no arms."""
    if "curve" in result:
        found = {"": result["curve"]}
    else:
        found = {ARMS[arm]: model["curve"] for arm, model in result["models"].items()}
    for curve in found.values():
        if not all(map(math.isfinite, curve["test_accuracy"])):
            raise Failed("a learning curve must be of finite numbers; train again in another --out")
    return {
        name: {"step": curve["step"], "solved": curve["test_accuracy"]}
        for name, curve in found.items()
    }
