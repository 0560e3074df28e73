"""A study from beginning to end, in a folder where it can be stopped and taken up again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neuro.errors import StoreError
from sims.store.atomic import write_json
from sims.store.provenance import git_commit, versions
from sims.train.speech.heard import heard
from sims.train.speech.settings import Study
from sims.train.speech.summary import summary
from sims.train.speech.trial import Trial
from sims.train.statistics import majority

__all__ = ["run_study"]

FORMAT = "ember-speech-study"


def run_study(
    study: Study,
    out: Path,
    *,
    cache: Path,
    say: Callable[[str], None] = print,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Train every arm from every seed, or go on with it, and sum it up in `out/result.json`.

    Args:
        out: The study's folder, new or one in which the same study was stopped.
        cache: Where the heard sounds are kept.
        say: Takes a line of progress.
        stop: Asked between two epochs.

    Raises:
        Stopped: if `stop` said so; what was done is kept.
        ConfigError: if espeak-ng is not there.
        StoreError: if `out` holds something else, or cannot be written.
    """
    _claim(study, out)
    told = [0]

    def hearing(done: int, of: int) -> None:
        if done == of or done - told[0] >= max(1, of // 10):
            told[0] = done
            say(f"heard {done} of {of} sounds")

    sounds = heard(study.task, cache, progress=hearing, stop=stop)
    trials: dict[str, list[dict[str, Any]]] = {}
    for arm in study.arms:
        for seed in study.seeds:
            trial = Trial(study, arm, seed, out)

            def show(point: dict[str, float], arm: str = arm, seed: int = seed) -> None:
                say(
                    f"{arm}, seed {seed}, epoch {point['epoch']} of {study.fitting.epochs}: "
                    f"{point['accuracy']:.1%} of the training items right, "
                    f"{point['validation']:.1%} of the validation voices', "
                    f"{point['rate_hz']:.1f} Hz, {point['wall_s']:.1f} s"
                )

            trials.setdefault(arm, []).append(trial.run(sounds, progress=show, stop=stop))
    labels = {"train": sounds.train.labels.numpy(), "test": sounds.test.labels.numpy()}
    result = {
        "format": FORMAT,
        "version": 1,
        "study": study.name,
        "settings": json.loads(json.dumps(study.resolved())),
        "seeds": list(study.seeds),
        "classes": list(sounds.classes),
        "items": {
            name: {"sounds": len(items), "voices": len(set(items.voices))}
            for name, items in (
                ("train", sounds.train), ("validation", sounds.validation), ("test", sounds.test),
            )
        },
        "chance": majority(labels["train"], labels["test"], len(sounds.classes))["accuracy"],
        "arms": {arm: summary(done) for arm, done in trials.items()},
        "trials": trials,
        "versions": versions(),
        "git_commit": git_commit(),
    }  # fmt: skip
    write_json(out / "result.json", result, force=True)
    return result


def _claim(study: Study, out: Path) -> None:
    """Make the folder this study's, or see that it is.

    Raises:
        StoreError: if it is another's.
    """
    file, ours = out / "study.json", json.loads(json.dumps(study.resolved()))
    if file.is_file():
        try:
            theirs = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            theirs = None
        if theirs != ours:
            raise StoreError(
                f"`{out}` holds a study of other settings; give another folder, or delete it"
            )
        return
    if out.is_dir() and any(entry for entry in out.iterdir() if entry.name[0] != "."):
        raise StoreError(f"`{out}` already exists and holds no study; give another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write `{out}`: {error.strerror or error}") from None
    write_json(file, ours)
