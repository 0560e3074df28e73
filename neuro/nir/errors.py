"""What is wrong with a NIR graph, or cannot be said in one; always one line."""

from __future__ import annotations

from collections.abc import Sequence

from neuro.errors import EmberError

__all__ = ["NirError", "NirUnsupported"]


class NirError(EmberError, ValueError):
    """A NIR graph or file is damaged, foreign, or says something that Ember cannot read."""


class NirUnsupported(EmberError, ValueError):
    """A network has what NIR has no words for; `reasons` names every such thing."""

    def __init__(self, network: str, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        shown = "; ".join(self.reasons[:_SHOWN])
        more = len(self.reasons) - _SHOWN
        super().__init__(
            f"NIR cannot say what network `{network}` has: {shown}"
            + (f"; and {more} more" if more > 0 else "")
        )


_SHOWN = 4
