"""Files that others may have laid are opened as regular files: a pipe in their place cannot hang.

`neuro.files.regular` opens them; what is opened otherwise stands here with its reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.order.test_encodings import NOT_TEXT

ROOT = Path(__file__).parents[2]
ROOMS = ("neuro", "circuits", "encoders", "bridges", "sims")
READERS = {"read_text", "read_bytes"}
OTHERWISE = {
    "neuro/compiled.py": "reads the source of Ember's own modules",
    "neuro/equations/kept.py": "reads Ember's own source",
    "neuro/memory.py": "reads the system's files under /proc and /sys",
    "neuro/backends/lava/lava_nc.py": "reads what its own process wrote in a folder of its own",
    "neuro/backends/lava/exchange.py": "reads what its own process wrote in a folder of its own",
    "neuro/backends/lava/worker.py": "reads what its own process wrote in a folder of its own",
    "neuro/files/lock.py": "reads a lock that it has opened without waiting, or just made",
    "neuro/files/seal.py": "adds to a file that was just written",
    "encoders/navigation/table.py": "asks first whether it is a file",
    "sims/compare/processes.py": "reads the log that it wrote",
    "sims/config/shipped.py": "reads Ember's own configs",
    "sims/config/yaml_lines.py": "is given what `shipped.find` has found to be a file",
    "sims/report/write.py": "`check_writable` has refused all but a file",
    "sims/store/provenance.py": "reads the system's files under /proc",
    "sims/store/software.py": "reads Ember's own source",
    "sims/sweep/worker.py": "opens the log that Ember's own process names",
    "sims/train/puzzles/data.py": "reads Ember's own source",
}


def opened(tree: ast.AST) -> Iterator[int]:
    """Lines in which a file is opened to be read, or to be written at its end."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Attribute):
            owner = called.value.id if isinstance(called.value, ast.Name) else ""
            opens = called.attr == "open" and owner not in NOT_TEXT
            reads = called.attr in READERS or (owner, called.attr) == ("json", "load")
            if reads or (opens and _reads(node.args[:1], node.keywords)):
                yield node.lineno
        elif isinstance(called, ast.Name) and called.id == "open":
            ours = isinstance(node.args[0], ast.Call) and "open" in ast.unparse(node.args[0].func)
            if not ours and _reads(node.args[1:2], node.keywords):
                yield node.lineno


def _reads(mode: list[ast.expr], keywords: list[ast.keyword]) -> bool:
    given = [*mode, *(k.value for k in keywords if k.arg == "mode")]
    text = given[0].value if given and isinstance(given[0], ast.Constant) else "r"
    return isinstance(text, str) and not text.startswith(("w", "x"))


@pytest.mark.parametrize(
    "text",
    [
        "p.read_text('utf-8')",
        "(a / b).read_bytes()",
        "json.load(f)",
        "open(p)",
        "open(p, 'ab')",
        "path.open('rb')",
        "real_path(p).open('a')",
        "open(p, mode='r+')",
    ],
)
def test_a_file_that_is_opened_is_found(text: str) -> None:
    assert list(opened(ast.parse(text)))


def test_files_are_opened_as_regular_files() -> None:
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            text = path.read_text("utf-8")
            if not any(word in text for word in ("open(", "json.load(", *READERS)):
                continue
            if lines := list(opened(ast.parse(text))):
                found[str(path.relative_to(ROOT))] = lines
    new = {name: lines for name, lines in found.items() if name not in OTHERWISE}
    assert not new, f"open it with neuro.files.regular, or say here why not: {new}"
    old = OTHERWISE.keys() - found.keys()
    assert not old, f"these open no file any more, so their reasons can go: {old}"
