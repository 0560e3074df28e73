"""What a page consists of, and how it becomes one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["GENERATOR", "Code", "Image", "Page", "Section", "Table", "Text", "rendered"]

GENERATOR = "Ember report"
"""The mark of our own pages, which may be replaced."""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: str = field(default="text", init=False)


@dataclass(frozen=True)
class Image:
    """A picture: embedded in the page, and a file `name` beside it.

    Attributes:
        name: File name without `.png`, of lower-case letters, digits and hyphens.
        caption: What it shows and how to read it.
    """

    name: str
    caption: str
    png: bytes
    kind: str = field(default="image", init=False)

    @property
    def file(self) -> str:
        """Its file name in the folder of pictures."""
        return f"{self.name}.png"

    @property
    def data(self) -> str:
        """The bytes as base64, for a `data:` address."""
        return base64.b64encode(self.png).decode("ascii")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, from the PNG header, so that the page does not jump."""
        return int.from_bytes(self.png[16:20], "big"), int.from_bytes(self.png[20:24], "big")


@dataclass(frozen=True)
class Table:
    """A table of texts; columns named in `numbers` are set to the right.

    Without columns it is a list of names and values.

    Attributes:
        shares: One share (0 to 1) a row, drawn as a bar behind the last column; or empty.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[str] = frozenset()
    caption: str = ""
    shares: Sequence[float] = ()
    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class Code:
    """Text to be read or copied as it is; folded away under `summary` if there is one."""

    text: str
    summary: str = ""
    kind: str = field(default="code", init=False)


Block = Text | Image | Table | Code


@dataclass(frozen=True)
class Section:
    """A heading with what is under it."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """Its address within the page."""
        return self.title.lower().replace(" ", "-")


@dataclass(frozen=True)
class Page:
    """A whole report.

    Attributes:
        title: What it is about, such as the experiment's name.
        what: `Run`, `Sweep` or `Training`.
        summary: One sentence.
        facts: Name and value of the few things to see first.
    """

    title: str
    what: str
    summary: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]

    @property
    def images(self) -> list[Image]:
        """Every picture, in order."""
        return [b for section in self.sections for b in section.blocks if isinstance(b, Image)]


def rendered(page: Page) -> str:
    """The page as HTML. Whatever comes from a file is escaped; nothing is loaded from outside."""
    return _environment().get_template("page.html").render(page=page, generator=GENERATOR)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    settings: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}
    return Environment(
        loader=PackageLoader("sims.report"), autoescape=True, undefined=StrictUndefined, **settings
    )
