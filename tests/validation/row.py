"""One claim that is validated by hours of work, and the hash of the sources that it rests on."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PAGE", "ROOT", "Row", "digest", "stale"]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "validation.json"
Result = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A claim, how it is checked in parts, and what it rests on.

    Args:
        name: Of the row; its module has the same name.
        claim: One sentence that the result confirms or refutes.
        sources: Glob patterns, from the root, of the files that decide the result.
        parts: Names of independent parts, each of some minutes at most.
        run: Does one part; what it returns is kept as JSON.
        judge: Whether the claim holds, and the figures to print, given the parts' results.
    """

    name: str
    claim: str
    sources: tuple[str, ...]
    parts: tuple[str, ...]
    run: Callable[[str], Result]
    judge: Callable[[Sequence[Result]], tuple[bool, Result]]


def digest(sources: Sequence[str], root: Path = ROOT) -> str:
    """Hash of the files that match; comments, docstrings and layout of Python do not count.

    Raises:
        ValueError: if a pattern matches no file.
    """
    found = hashlib.sha256()
    for pattern in sources:
        paths = sorted(
            p for p in root.glob(pattern) if p.is_file() and "__pycache__" not in p.parts
        )
        if not paths:
            raise ValueError(f"no file matches `{pattern}`; correct the sources of the row")
        for path in paths:
            text = path.read_text(encoding="utf-8")
            meaning = _meaning(text) if path.suffix == ".py" else text
            found.update(f"{path.relative_to(root).as_posix()}\n{meaning}\n".encode())
    return found.hexdigest()[:16]


def _meaning(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):  # a string that stands alone is a docstring, or one of a value
            node.body = [  # type: ignore[attr-defined]
                one for one in body
                if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
                        and isinstance(one.value.value, str))
            ]  # fmt: skip
    return ast.dump(tree)


def stale(rows: Sequence[Row], page: Path = PAGE) -> list[str]:
    """A line for each result that failed, is of other sources, or of no row.

    A row that was never run claims nothing yet, so it is not stale.
    """
    results: Mapping[str, Result] = json.loads(page.read_text(encoding="utf-8"))
    lines = []
    for row in rows:
        result, now = results.get(row.name), digest(row.sources)
        if result is None:
            continue
        if not result["holds"]:
            lines.append(f"{row.name}: the claim did not hold: {row.claim}")
        elif result["sources"] != now:
            lines.append(
                f"{row.name}: measured with sources {result['sources']}, which now are {now}; "
                f"run `make validate`"
            )
    lines += [f"{name}: no such row" for name in results if name not in {r.name for r in rows}]
    return lines
