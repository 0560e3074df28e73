"""The text of models and synapses, and names that are looked up where it says that they stand."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FUNCTIONS", "UNITS", "Line", "Names", "Text", "lines_of", "statements_of"]

UNITS = {
    "volt": 1e3,
    "mV": 1.0,
    "second": 1e3,
    "ms": 1.0,
    "amp": 1e12,
    "pA": 1.0,
    "nA": 1e3,
    "siemens": 1e9,
    "nS": 1.0,
    "mM": 1e6,
    "farad": 1e12,
    "pF": 1.0,
    "ohm": 1e-9,
    "Mohm": 1e-3,
    "hertz": 1e-3,
    "Hz": 1e-3,
}
FUNCTIONS: dict[str, Any] = {
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
    "sin": math.sin,
    "cos": math.cos,
    "abs": abs,
    "int": int,
    "floor": math.floor,
    "sign": lambda x: np.sign(x),
    "clip": lambda x, low, high: min(max(x, low), high),
    "pi": math.pi,
    "e": math.e,
    "__builtins__": {},
}


class Text:
    """Compiled expressions; comparisons report how near they were."""

    def __init__(self) -> None:
        self.nearest = math.inf
        self._known: dict[str, Any] = {}

    def value(self, text: str, names: Mapping[str, Any]) -> Any:
        if text not in self._known:
            tree = ast.parse(" ".join(text.split()), mode="eval")
            tree = ast.fix_missing_locations(_Compared().visit(tree))
            self._known[text] = compile(tree, text, "eval")
        return eval(self._known[text], {**FUNCTIONS, "_near": self._near}, names)  # noqa: S307

    def _near(self, left: float, right: float, holds: bool) -> bool:
        scale = max(abs(left), abs(right), 1e-3)
        self.nearest = min(self.nearest, abs(left - right) / scale)
        return holds


class _Compared(ast.NodeTransformer):
    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        sides: list[ast.expr] = [node.left, node.comparators[0], node]
        return ast.Call(ast.Name("_near", ast.Load()), sides, [])


@dataclass
class Line:
    kind: str  # d, =, or nothing
    text: str
    flags: str


def lines_of(text: str) -> dict[str, Line]:
    found = {}
    for raw in text.splitlines():
        raw = raw.split("#")[0].strip()
        if not raw:
            continue
        head, unit = raw.rsplit(":", 1)
        flags = (re.findall(r"\(([a-z][a-z -]*)\)\s*$", unit) or [""])[0]
        left, _, right = head.partition("=")
        derivative = re.match(r"d(\w+)/dt\s*$", left.strip())
        name = derivative[1] if derivative else left.strip()
        found[name] = Line("d" if derivative else "=" if right else "", right.strip(), flags)
    return found


def statements_of(text: str) -> list[tuple[str, str]]:
    found = []
    for part in re.split(r"[;\n]", text):
        if part.strip():
            name, sign, right = re.match(r"\s*(\w+)\s*([-+*/]?)=(.*)", part).groups()  # type: ignore[union-attr]
            found.append((name, f"{name} {sign} ({right})" if sign else right))
    return found


class Names(dict[str, Any]):
    """Values by name; what has none is a subexpression, read anew, or stands in `outer`."""

    def __init__(self, text: Text, lines: Mapping[str, Line], outer: Any = None) -> None:
        super().__init__()
        self.text, self.lines, self.outer = text, lines, outer

    def __missing__(self, name: str) -> Any:
        line = self.lines.get(name)
        if line is not None and line.text:
            return self.text.value(line.text, self)
        if self.outer is not None:
            return self.outer[name]
        return UNITS[name] if name in UNITS else {}[name]
