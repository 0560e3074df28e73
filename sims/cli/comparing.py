"""`ember compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sims.cli.base import command, fail
from sims.cli.options import Config, Force, Overrides


@command()
def compare(
    config: Config,
    overrides: Overrides = None,
    backends: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Such as numba,brian,numba:precision=float64."),
    ] = "numba,brian",
    reference: Annotated[
        str, typer.Option(metavar="NAME", help="One of them; brian, if it is among them.")
    ] = "",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Runs of each; 1, or 10 where something is random.")
    ] = None,
    jitter: Annotated[
        str, typer.Option(metavar="TIME", help="Between spikes that are one; a time step.")
    ] = "",
    timeout: Annotated[str, typer.Option(metavar="TIME", help="Of one run; an hour.")] = "",
    imports: Annotated[
        list[str] | None,
        typer.Option("--import", metavar="MODULE", help="With back ends of your own."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; runs/NAME_compare.")] = None,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run an experiment on several back ends and say how far they agree.

    Writes a folder with a table, a picture, a report in JSON and the run files. Exit status: 0 if
    all agree, 1 if some differ, 2 if nothing could be compared, 3 if none differs but some could
    not be run.
    """
    from neuro.errors import EmberError
    from sims.config import load

    try:
        from sims.terminal.compare_command import compare_and_write

        status = compare_and_write(
            load(config, overrides or ()), backends, out, reference=reference, seeds=seeds,
            jitter=jitter, timeout=timeout, imports=imports or (), force=force, as_json=as_json,
        )  # fmt: skip
    except EmberError as error:
        fail(str(error), error, 2)
    raise typer.Exit(status)
