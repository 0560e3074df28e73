"""The command `ember`. Everything heavy is imported by the command that needs it.

- `base`: the app, groups of commands, and how a command ends; `options`: what several take
- `running`, `comparing`, `exporting`, `training`, `looking`: the commands, in order of the help
- `nir`, `puzzles`: groups of commands
"""

from __future__ import annotations

from sims.cli.base import app, main

# isort: off
# Each registers its commands, which the help lists in this order.
from sims.cli import running, comparing, exporting, training, looking, nir, puzzles  # noqa: F401

# isort: on

__all__ = ["app", "main"]
