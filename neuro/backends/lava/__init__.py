"""Loihi's arithmetic: Lava's fixed-point processes, emulated to the last bit or run by lava-nc.

`lif_form` whether a population is Loihi's LIF · `support` refusals · `scaling`, `quantise` to whole
numbers · `inputs` from outside and from chance · `report`, `lost` what that cost · `processes`
Lava's processes as data · `weights`, `kernel`, `emulator`, `runs` run here · `exchange`,
`python310`, `worker`, `lava_nc` run by lava-nc · `engine` the back end
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuro.backends.lava.emulator import emulate
    from neuro.backends.lava.lava_nc import run_lava
    from neuro.backends.lava.lost import losses

__all__ = ["emulate", "losses", "run_lava"]

_HOMES = {"emulate": "emulator", "losses": "lost", "run_lava": "lava_nc"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
