"""`ember report`, `check`, `list` and `schema`: what there is, without running it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sims.cli.base import command
from sims.cli.options import Config, Overrides


class Listed(StrEnum):
    """What can be listed."""

    MODELS = "models"
    SYNAPSES = "synapses"
    CIRCUITS = "circuits"
    ENCODERS = "encoders"
    CONFIGS = "configs"
    BACKENDS = "backends"


@command()
def report(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A run file, or the folder of a sweep or training."),
    ],
    out: Annotated[Path | None, typer.Option(help="The page; beside PATH if left out.")] = None,
) -> None:
    """Write a page of pictures of a run, sweep or training."""
    from sims.report import write_report

    print(write_report(path, out))


@command()
def check(config: Config, overrides: Overrides = None) -> None:
    """Check a config without simulating.

    Reads the stimulus, builds every circuit, and checks equations, names, units, and what the
    back end can do.
    """
    from sims.config import load
    from sims.terminal.check import check_config
    from sims.terminal.display import progress_on

    loaded = load(config, overrides or ())
    with progress_on(sys.stderr) as progress:
        findings = check_config(loaded, progress)
    print(f"{loaded.path}: {findings}")


@command()
def list_(
    kind: Annotated[Listed, typer.Argument(metavar="KIND", help=", ".join(Listed) + ".")],
) -> None:
    """List what a config can name."""
    from sims.terminal.display import columns
    from sims.terminal.listing import listing

    print(columns(listing(kind.value)))


@command()
def schema() -> None:
    """Print the JSON Schema of configs, for editors.

    With it an editor completes keys and checks them while typing.
    """
    import json

    from sims.config.schema import published

    print(json.dumps(published(), indent=2, ensure_ascii=False))
