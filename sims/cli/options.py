"""What several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["AllowVersionChange", "Config", "Force", "Overrides"]


Config = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A config file, or the name of a shipped one.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Changes to the config, such as stimulus.sound.level='90 dB' or training.steps=500.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there already.")]
AllowVersionChange = Annotated[
    bool,
    typer.Option(
        "--allow-version-change",
        help="Continue under other versions than it was begun with; the result lists both.",
    ),
]
