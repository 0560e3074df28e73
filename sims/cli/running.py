"""`ember run`, `ember sweep` and `ember status`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sims.cli.base import command
from sims.cli.options import AllowVersionChange, Config, Force, Overrides


class OnError(StrEnum):
    """What a sweep does when a point fails."""

    CONTINUE = "continue"
    STOP = "stop"


@command()
def run(
    config: Config,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Run file to write.")] = None,
    force: Force = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads to simulate on.")] = None,
    checkpoint_every: Annotated[
        str,
        typer.Option(metavar="TIME", help="Between saves of the state: '10 s', never; a minute."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Run an experiment, or the one in a run file again.

    Writes one HDF5 file with the spikes and everything needed to run it again. The same command
    continues a run that was ended before its time.
    """
    from sims.config import load
    from sims.terminal.run_command import run_and_write

    run_and_write(
        load(config, overrides or ()), out, force=force, threads=threads,
        checkpoint_every=checkpoint_every, as_json=as_json,
    )  # fmt: skip


@command()
def sweep(
    config: Config,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Folder; runs/NAME if left out.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; one a core if left out.")
    ] = None,
    cluster: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
    on_error: Annotated[OnError, typer.Option(help="When a point fails.")] = OnError.CONTINUE,
    allow_version_change: AllowVersionChange = False,
) -> None:
    """Run an experiment over a range of values.

    The same command continues a sweep where it stopped.
    """
    from sims.config import load
    from sims.sweep import run_sweep
    from sims.terminal.display import stderr

    loaded = load(config, overrides or ())
    status = run_sweep(
        loaded, out, workers=workers, cluster=cluster, on_error=on_error.value,
        allow_version_change=allow_version_change, console=stderr(),
    )  # fmt: skip
    raise typer.Exit(status)


@command()
def status(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a sweep.")],
) -> None:
    """Say how far a sweep is, and what failed."""
    from rich.console import Console

    from sims.sweep import show_status

    raise typer.Exit(show_status(directory, Console(highlight=False)))
