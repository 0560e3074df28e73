"""`ember nir`: networks to and from NIR files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sims.cli.base import command, group
from sims.cli.options import Config, Force, Overrides

nir = group("nir", help="Networks to and from NIR files, which other tools read and write.")


class Loops(StrEnum):
    """What to do with a loop in a NIR file that has no Delay node."""

    REFUSE = "refuse"
    ONE_STEP = "one_step"


@command(nir)
def export(
    config: Config,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The NIR file to write.")],
    overrides: Overrides = None,
    output: Annotated[
        list[str] | None, typer.Option(metavar="POPULATION", help="Give it an Output node.")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="Leave it out: refractory, modulation, background or coincidences.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Write the network of a config as a NIR file.

    What NIR cannot say is refused by name, before anything is written.
    """
    from sims.config import load
    from sims.terminal.nir_command import export

    loaded = load(config, overrides or ())
    print(export(loaded, file, outputs=output or (), without=without or (), force=force))


@command(nir)
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A NIR file.")],
    dt: Annotated[
        str | None, typer.Option(metavar="TIME", help="The step it is for, if it says none.")
    ] = None,
    units: Annotated[
        str | None, typer.Option(metavar="UNITS", help="plain, SI or norse, if it says none.")
    ] = None,
    loops: Annotated[Loops, typer.Option(help="Without a Delay node.")] = Loops.REFUSE,
) -> None:
    """Say what is in a NIR file, what Ember reads in it, and who else reads it right."""
    from sims.terminal.nir_command import show

    for part in show(file, dt=dt, units=units, loops=loops.value):
        print(part)
