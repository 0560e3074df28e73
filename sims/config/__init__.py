"""Experiment files: read, checked against a typed schema, refused in one line.

`yaml_lines` text with lines · `overrides` key=value · `errors` one line · `base`, `values` field
types · `experiment` the run kind (`registered` circuits and encoders, `written` ones, `rules`,
`modulation`) · `sweep` · `train` · `shipped` names · `loading` all of it · `schema` for editors
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sims.config.loading import Loaded, from_resolved, load

__all__ = ["Loaded", "from_resolved", "load"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from sims.config import loading

        return getattr(loading, name)
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
