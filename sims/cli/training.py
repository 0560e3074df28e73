"""`ember train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sims.cli.base import command
from sims.cli.options import AllowVersionChange, Config, Overrides


@command()
def train(
    config: Config,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Folder; runs/NAME if left out.")] = None,
    allow_version_change: AllowVersionChange = False,
) -> None:
    """Train a reasoning model on spikes or on puzzles.

    The same command continues a training from its last checkpoint. To see one in minutes: `ember
    train sudoku4`.
    """
    from sims.config import load
    from sims.terminal.display import stderr
    from sims.train import run_training

    loaded = load(config, overrides or ())
    if loaded.kind != "train":
        from neuro.errors import ConfigError

        raise ConfigError(
            f"{loaded.path}: a training needs the section `reasoner`, found none; to simulate "
            f"the config use `ember run`"
        )
    status = run_training(loaded, out, console=stderr(), allow_version_change=allow_version_change)
    raise typer.Exit(status)
