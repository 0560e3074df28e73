"""A study from beginning to end, in a folder where it can be stopped and taken up again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neuro.errors import StoreError
from neuro.files.lock import locked
from neuro.files.regular import read_json
from sims.store.atomic import write_json
from sims.store.home import without_home
from sims.store.provenance import git_commit, versions
from sims.store.software import ALLOW, changes, shown_change, training
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
    allow_version_change: bool = False,
) -> dict[str, Any]:
    """Train every arm from every seed, or go on with it, and sum it up in `out/result.json`.

    Args:
        out: The study's folder, new or one in which the same study was stopped.
        cache: Where the heard sounds are kept.
        say: Takes a line of progress.
        stop: Asked between two epochs.
        allow_version_change: Continue a study that was begun under other versions or other code.

    Raises:
        Stopped: if `stop` said so; what was done is kept.
        ConfigError: if espeak-ng is not there.
        StoreError: if `out` holds something else, is in use, was begun under another software and
            that is not allowed, or cannot be written.
    """
    with _held(study, out, any_software=allow_version_change) as softwares:
        return _run(study, out, softwares, cache=cache, say=say, stop=stop)


def _run(
    study: Study,
    out: Path,
    softwares: list[dict[str, Any]],
    *,
    cache: Path,
    say: Callable[[str], None],
    stop: Callable[[], bool],
) -> dict[str, Any]:
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
        "software": softwares,
    }  # fmt: skip
    write_json(out / "result.json", result, force=True)
    return result


@contextmanager
def _held(study: Study, out: Path, *, any_software: bool) -> Iterator[list[dict[str, Any]]]:
    """Make the folder this study's, or see that it is, and keep other processes out of the block.

    Gives the softwares that the study has run under, this one last.

    Raises:
        StoreError: if it is another's, another process is at work in it, or it was begun under
            another software and that is not allowed.
    """
    file = out / "study.json"
    new = not os.path.lexists(file)
    if new and out.is_dir() and any(entry for entry in out.iterdir() if entry.name[0] != "."):
        raise StoreError(f"`{out}` already exists and holds no study; give another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write `{out}`: {error.strerror or error}") from None
    with locked(
        out / ".study.lock",
        lambda who: (
            f"`{out}` is in use by another process ({who}); wait for it, or give another folder"
        ),
    ):
        ours = json.loads(json.dumps(without_home(study.resolved())))
        before = {} if not os.path.lexists(file) else _started(out, file, ours)
        softwares = list(before.get("software", ()))
        found = changes(softwares[-1], training()) if softwares else []
        if found and not any_software:
            raise StoreError(
                f"a study must continue under the versions it was begun with, found that in "
                f"`{out}` {shown_change(found)}; give another folder, or add {ALLOW}, and the "
                "result lists both"
            )
        if found or not softwares:
            softwares.append(dict(training()))
            claim = {"format": FORMAT, "settings": ours, "software": softwares}
            write_json(file, claim, force=True)
        yield softwares


def _started(out: Path, file: Path, ours: dict[str, Any]) -> dict[str, Any]:
    """What the folder was claimed with.

    Raises:
        StoreError: if it is another study.
    """
    found = read_json(file)
    if isinstance(found, dict) and found == ours:  # of an Ember that did not note its software
        return {"software": [{}]}
    if (
        not isinstance(found, dict)
        or found.get("settings") != ours
        or not isinstance(softwares := found.get("software"), list)
        or not all(isinstance(one, dict) for one in softwares)
    ):
        raise StoreError(
            f"`{out}` holds a study of other settings; give another folder, or delete it"
        )
    return found
