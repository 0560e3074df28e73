"""`ember export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sims.cli.base import command
from sims.cli.options import Force


@command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A run file.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="sonata or shd.")],
    options: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="The format's own options.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to; beside FILE if left out.")] = None,
    force: Force = False,
) -> None:
    """Write a run in a format that other tools read."""
    from sims.config.overrides import pairs
    from sims.store import export as write

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    print(write(file, to, out, force=force, say=say, **pairs(options or ())))
