"""Every regular expression of the code takes time in proportion to the text it is given.

A pattern that is only safe because its caller limits the text is one change away from a hang, so
each is tried alone, on long runs of what it accepts, with something at the end that it does not.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("neuro", "sims", "bridges", "encoders", "circuits")
METHODS = {"match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split"}
LENGTH = 4_000
QUICK_S = 0.0025  # of this length: a linear pattern takes about 0.5 ms, a quadratic one over 10
LONGER = 2  # times; on a machine of any speed a quadratic pattern takes 4 times as long
RUNS = (
    " ",
    "\n",
    "x",
    "e",
    "0",
    "1.",
    "-",
    ".",
    "/",
    "(",
    "(,",
    ",",
    "`",
    "é",
    "x ",
    "1 ",
    " = ",
    "x : ",
)
STARTS = ("", "x", "x = ", "1", "1 x", "x : 1 (", "Args:\n")


class Pattern(NamedTuple):
    """A regular expression and how it is applied."""

    where: str
    text: str
    flags: int
    method: str


def _text(node: ast.AST) -> str | None:
    """A literal pattern; what an f-string puts in stands for a name."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "x" for v in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return None if left is None or right is None else left + right
    return None


def _flags(call: ast.Call) -> int:
    names = {n.attr for n in ast.walk(call) if isinstance(n, ast.Attribute)}
    return sum(
        int(flag)
        for name, flag in re.RegexFlag.__members__.items()
        if name in names and len(name) > 1
    )


def patterns(tree: ast.Module, where: str, methods: dict[str, set[str]]) -> Iterator[Pattern]:
    """Each pattern of a module, with each method by which a name like its own is used."""
    names: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[id(node.value)] = node.targets[0].id
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
            continue
        if node.func.attr not in METHODS | {"compile"}:
            continue
        text, place = _text(node.args[0]), f"{where}:{node.lineno}"
        assert text is not None, f"{place}: write the pattern as a literal, so that it is tried"
        used = {node.func.attr} - {"compile"} or methods.get(names.get(id(node), ""), METHODS)
        for method in sorted(used):
            yield Pattern(place, text, _flags(node), method)


def used_methods(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """By which methods each name is used, anywhere, that may be a compiled pattern."""
    found: dict[str, set[str]] = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                owner = node.value
                name = owner.id if isinstance(owner, ast.Name) else ""
                found.setdefault(name, set()).add(node.attr)
    return found


def slow(pattern: Pattern) -> str:
    """A text on which the pattern takes too long, if there is one."""
    compiled = re.compile(pattern.text, pattern.flags)
    own = sorted(set(re.findall(r"[^\w\s]|\\?[pc]\\?\{", pattern.text)))
    for start, run in product({*STARTS, *own}, {*RUNS, *own}):

        def takes(times: int, tries: int, start: str = start, run: str = run) -> float:
            text = start + run * (times * LENGTH // len(run)) + "!\x00"
            # A collection of garbage may fall into one of the tries.
            return min(_takes(compiled, pattern.method, text) for _ in range(tries))

        if takes(1, 1) > QUICK_S and takes(LONGER, 3) > 1.5 * LONGER * takes(1, 3):
            return f"`{pattern.text}` ({pattern.method}) on {start!r} and many {run!r}"
    return ""


def _takes(compiled: re.Pattern[str], method: str, text: str) -> float:
    given = ("", text) if method in ("sub", "subn") else (text,)
    begun = time.process_time()
    found = getattr(compiled, method)(*given)
    if method == "finditer":
        list(found)
    return time.process_time() - begun


TREES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8"))
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
    if re.search(r"\bre\.|\.(?:match|fullmatch|search|find|sub|split)", path.read_text("utf-8"))
}
USED = used_methods(TREES)
FOUND = {p[1:]: p for name, tree in TREES.items() for p in patterns(tree, name, USED)}
PATTERNS = sorted(FOUND.values())  # each once, wherever else it stands


def test_patterns_are_found() -> None:
    assert len(PATTERNS) > 30
    assert "neuro/units/text.py" in {pattern.where.split(":")[0] for pattern in PATTERNS}


@pytest.mark.parametrize("text", [r"\s+$", r"\[[^\]]*\]"])
def test_a_slow_pattern_would_be_found(text: str) -> None:
    assert slow(Pattern("here", text, 0, "search"))


def test_every_pattern_takes_time_in_proportion_to_the_text() -> None:
    found = [f"{pattern.where}: {why}" for pattern in PATTERNS if (why := slow(pattern))]
    assert not found, "\n".join(found)
