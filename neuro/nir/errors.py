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
        left_out = [
            next((word for start, word in _CAN_BE_LEFT_OUT.items() if r.startswith(start)), "")
            for r in reasons
        ]
        advice = ""
        if all(left_out):
            advice = f" (`without` {' and '.join(dict.fromkeys(left_out))} writes the rest)"
        super().__init__(
            f"NIR cannot say what network `{network}` has: {shown}"
            + (f"; and {more} more" if more > 0 else "")
            + advice
        )


_SHOWN = 4
_CAN_BE_LEFT_OUT = {
    "a refractory": "refractory", "modulation": "modulation", "a Poisson": "background",
    "delta synapses": "coincidences",
}  # fmt: skip
