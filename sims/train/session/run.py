"""One training from beginning to end, whatever it learns; stoppable anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuro.errors import EmberError
from sims.dataset.build import Stopped
from sims.store.atomic import write_json
from sims.store.provenance import git_commit, versions
from sims.train.loop.device import torch_threads
from sims.train.loop.processes import launched
from sims.train.session.folder import TrainingFolder
from sims.train.session.interrupt import catch_interrupt
from sims.train.session.stage import Stage
from sims.train.session.task import Session, Task, together

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run_session"]


def run_session(task: Task, about: Mapping[str, Any], out: Path, console: Console) -> int:
    """Train, or go on, or say that it is done; see `sims.train.run_training`.

    `about` is JSON-ready: `config` (resolved), `config_hash`, and what else is worth keeping.
    """
    config, folder = task.config, TrainingFolder(out)
    asked = {key: value for key, value in about["config"].items() if key != "output"}
    with (
        launched(config.training.device) as world,
        catch_interrupt() as interrupt,
        torch_threads(config.training.threads),
    ):
        stage = Stage(console, quiet=not world.first)
        known = False
        begun = {**about, "versions": versions(), "git_commit": git_commit()}
        del begun["config"]
        with together(world, interrupt):
            if world.first:
                known = folder.claim({**task.identity(asked), "about": begun})
        if folder.result_file.is_file():
            stage.say(f"already trained: {folder.result_file}")
            return 0
        started = folder.started()
        if known:
            stage.say(f"going on with the training in {out}")
            _tell_changes(stage, started, begun, asked)
        session = Session(
            config, started["config"], started["about"]["config_hash"], folder, world, stage,
            interrupt,
        )  # fmt: skip
        try:
            found = task.train(session)
        except Stopped as stopped:
            stage.say(f"stopped: {stopped}; the same command goes on with {out}")
            return interrupt.status
        except EmberError:
            if world.first and not known:
                folder.release()
            raise
        if world.first:
            outcome = _outcome(session, found)
            write_json(folder.result_file, outcome, force=True)
            for line in task.summary(outcome, folder):
                stage.say(line)
    return 0


def _tell_changes(
    stage: Stage, started: Mapping[str, Any], now: Mapping[str, Any], asked: Mapping[str, Any]
) -> None:
    """Say what may make it go on otherwise than it would have: the machine's part, and the code."""
    for key in ("device", "threads"):
        old, new = (config["training"].get(key) for config in (started["config"], asked))
        if old != new:
            stage.say(
                f"training.{key} is {new}, where it was {old}: sums may now be rounded otherwise"
            )
    code = [_code(about) for about in (started["about"], now)]
    for name in sorted({*code[0], *code[1]}):
        old, new = (found.get(name, "not there") for found in code)
        if old != new:
            stage.say(f"{name} is {new}, where it was {old}: what it does may have changed")


def _code(about: Mapping[str, Any]) -> dict[str, str]:
    """Versions by package, and the commit of Ember where it is a checkout's."""
    versions = {str(name): str(version) for name, version in dict(about["versions"]).items()}
    commit = str(about["git_commit"])
    return {**versions, "commit of Ember": commit} if commit else versions


def _outcome(session: Session, found: Mapping[str, Any]) -> dict[str, Any]:
    """The whole result: what was found, and of which training it is."""
    return {
        "format": "ember-training", "version": 1,
        "name": session.config.name, "seed": session.config.seed,
        "config_hash": session.config_hash, "git_commit": git_commit(), "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **found,
        "timings": {what: round(taken, 3) for what, taken in session.stage.timings.items()},
    }  # fmt: skip
