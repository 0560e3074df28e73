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
        with together(world, interrupt):
            if world.first:
                begun = {**about, "versions": versions(), "git_commit": git_commit()}
                del begun["config"]
                known = folder.claim({**task.identity(asked), "about": begun})
        if folder.result_file.is_file():
            stage.say(f"already trained: {folder.result_file}")
            return 0
        started = folder.started()
        if known:
            stage.say(f"going on with the training in {out}")
            _tell_changes(stage, started["config"], asked)
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


def _tell_changes(stage: Stage, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for key in ("device", "threads"):
        old, new = (config["training"].get(key) for config in (before, now))
        if old != new:
            stage.say(
                f"training.{key} is {new}, where it was {old}: sums may now be rounded otherwise"
            )


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
