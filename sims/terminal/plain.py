"""Text for a terminal: names come from files, and a terminal obeys what some characters say."""

from __future__ import annotations

import re
from typing import Any, TextIO

__all__ = ["PlainOutput"]

# Colours are Ember's own. Everything else that moves the cursor, sets a title or clears the screen
# is shown and not obeyed, and so are the marks that turn the direction of writing.
_OBEYED = re.compile(
    r"\x1b\[[0-9;]*m|([\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])"
)


class PlainOutput:
    """A text stream that writes to another, with control characters as Python spells them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, and return how many characters were given."""
        self._stream.write(_OBEYED.sub(_shown, text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _shown(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else ascii(found[1])[1:-1]
