"""One training from beginning to end, whatever it learns; stoppable anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuro.errors import EmberError
from sims.dataset.build import Stopped
from sims.store.atomic import write_json
from sims.store.provenance import git_commit, versions
from sims.store.software import changes, training
from sims.train.loop.device import torch_threads
from sims.train.loop.processes import launched
from sims.train.session.folder import TrainingFolder
from sims.train.session.interrupt import catch_interrupt
from sims.train.session.stage import Stage
from sims.train.session.task import Session, Task, together

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run_session"]


def run_session(
    task: Task,
    about: Mapping[str, Any],
    out: Path,
    console: Console,
    *,
    allow_version_change: bool = False,
) -> int:
    """Train, or continue, or report that it is done; see `sims.train.run_training`.

    `about` is JSON-ready: `config` (resolved), `config_hash`, and what else is worth keeping.
    """
    config, folder = task.config, TrainingFolder(out)
    asked = {key: value for key, value in about["config"].items() if key != "output"}
    with (
        launched(config.training.device) as world,
        catch_interrupt() as interrupt,
        torch_threads(config.training.threads),
        ExitStack() as stack,
    ):
        stage = Stage(console, quiet=not world.first)
        known = False
        begun = {**about, "software": [dict(training())]}
        del begun["config"]
        with together(world, interrupt):
            if world.first:
                stack.enter_context(folder.held())
                known = folder.claim(
                    {**task.identity(asked), "about": begun}, any_software=allow_version_change
                )
        if folder.result_file.is_file():
            stage.say(f"already trained: {folder.result_file}")
            return 0
        started = folder.started()
        if known:
            stage.say(f"going on with the training in {out}")
            _tell_changes(stage, started, asked)
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
            outcome = _outcome(session, started["about"]["software"], found)
            write_json(folder.result_file, outcome, force=True)
            for line in task.summary(outcome, folder):
                stage.say(line)
    return 0


def _tell_changes(stage: Stage, started: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Print what may round otherwise than before: the part of the config that is the machine's."""
    for key in ("device", "threads"):
        old, new = (config["training"].get(key) for config in (started["config"], asked))
        if old != new:
            stage.say(
                f"training.{key} is {new}, where it was {old}: sums may now be rounded otherwise"
            )
    software = started["about"]["software"]
    if len(software) > 1:
        found = changes(software[0], software[-1])
        stage.say(f"continued under another version than it was begun with: {'; '.join(found)}")


def _outcome(
    session: Session, software: list[Mapping[str, Any]], found: Mapping[str, Any]
) -> dict[str, Any]:
    """The whole result: what was found, of which training it is, and under which software."""
    return {
        "format": "ember-training", "version": 1,
        "name": session.config.name, "seed": session.config.seed,
        "config_hash": session.config_hash, "git_commit": git_commit(), "versions": versions(),
        "software": software,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **found,
        "timings": {what: round(taken, 3) for what, taken in session.stage.timings.items()},
    }  # fmt: skip
