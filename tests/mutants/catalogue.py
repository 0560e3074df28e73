"""The list of mutants: which text of which file becomes what, and which test turns red."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["MUTANTS", "ROOT", "Mutant", "load"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_KEYS = {"id", "file", "old", "new", "test"}


@dataclass(frozen=True)
class Mutant:
    """A wrong version of one file.

    Args:
        area: Name of the file that lists it, without `.yaml`.
        id: Name by which it can be chosen, unique in the list.
        file: Path from the root of the repository.
        old, new: Text that stands in the file exactly once, and what replaces it.
        test: One test (pytest's node id) of at most 10 s that fails on the wrong version.
    """

    area: str
    id: str
    file: str
    old: str
    new: str
    test: str

    @property
    def name(self) -> str:
        """Area and id, such as `circuits/nk1-tau-tripled`."""
        return f"{self.area}/{self.id}"

    def applied(self, text: str) -> str:
        """The file's text with the change.

        Raises:
            ValueError: if `old` does not stand in it exactly once.
        """
        found = text.count(self.old)
        if found != 1:
            raise ValueError(
                f"mutant {self.id}: its old text must stand once in {self.file}, found it "
                f"{found} times; correct tests/mutants"
            )
        return text.replace(self.old, self.new)


def load(folder: Path = HERE) -> tuple[Mutant, ...]:
    """All mutants of the YAML files in a folder, in the order of the files' names."""
    found = []
    for path in sorted(folder.glob("*.yaml")):
        entries: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
        for entry in entries:
            if set(entry) != _KEYS:
                raise ValueError(f"{path.name}: a mutant needs {sorted(_KEYS)}, found {entry}")
            found.append(Mutant(area=path.stem, **entry))
    return tuple(found)


MUTANTS = load()
