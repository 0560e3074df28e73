"""Which mutants were seen killed on these sources, so that a run that was stopped continues."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cache

from tests.mutants.catalogue import HERE, ROOT, Mutant
from tests.validation.row import digest

__all__ = ["keep", "killed_before"]

FOLDER = ROOT / "runs" / "mutants"
SHARED = (
    *(f"{room}/**/*.py" for room in ("bridges", "circuits", "encoders", "neuro", "sims")),
    "configs/**/*.yaml",
    "pyproject.toml",
    "tests/conftest.py",
    "tests/_*.py",
    *(
        path.relative_to(ROOT).as_posix()
        for path in sorted(ROOT.glob("tests/*/_*.py"))
        if path.parent != HERE
    ),
)


@cache
def _digest(*sources: str) -> str:
    return digest(sources)


def _key(mutant: Mutant) -> str:
    test = mutant.test.partition("::")[0]
    decides = [asdict(mutant), _digest(*SHARED), _digest(test)]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def killed_before(mutant: Mutant) -> bool:
    """Whether it was killed with the sources, the test and its helpers as they are now."""
    try:
        return (FOLDER / mutant.id).read_text(encoding="ascii") == _key(mutant)
    except OSError:
        return False


def keep(mutant: Mutant) -> None:
    """Remember that it was killed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / mutant.id).write_text(_key(mutant), encoding="ascii")
