"""The derivative of straight-line code, backwards: `d_name` for what each name was used for."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from neuro.backends.norse._straight import Line, NotStraight, text

__all__ = ["SLOPES", "Adjoint"]

SLOPES = {
    "super": "F(1.0) / ((F(1.0) + {a} * abs({x})) * (F(1.0) + {a} * abs({x})))",
    "triangle": "{a} * max(F(0.0), F(1.0) - abs({x}))",
    "tanh": "F(1.0) - F(tanh({a} * {x}))**2",
    "circ": "{a}**3 / F(({a} * {a} + {x} * {x})**F(1.5))",
    "heavi_erfc": "F(1.1283791670955126) * F(exp(-({a} * {x}) * ({a} * {x})))",  # 2/sqrt(pi)
    "heaviside": "F(0.0)",
}
"""The slopes of `neuro.backends.norse.surrogate`, of a distance `x` and a sharpness `a`."""


class Adjoint:
    """Prints derivatives of lines, from the last to the first.

    Args:
        lines: The code.
        wanted: Names from outside whose derivatives are wanted.
        outputs: Names whose derivatives are known to begin with, as `d_<name>`.
        slope: One of `SLOPES`.
        alpha: Its sharpness.
        scales: Of each comparison.
        detached: Whether gradients stop between a spike and its reset.
    """

    def __init__(
        self, lines: Sequence[Line], wanted: Collection[str], outputs: Collection[str],
        slope: str, alpha: float, scales: Sequence[float], detached: bool,
    ) -> None:  # fmt: skip
        self.printed: list[str] = []
        self._slope, self._alpha, self._scales = SLOPES[slope], alpha, scales
        self._detached, self._count = detached, 0
        self._started = set(outputs)
        self._matters = set(wanted)
        for line in lines:
            if line.smooth and any(
                isinstance(node, ast.Name) and node.id in self._matters
                for node in ast.walk(line.value)
            ):
                self._matters.add(line.name)
        for line in reversed(lines):
            if line.name in self._started and line.name in self._matters:
                self._push(line.value, f"d_{line.name}")
        for name in wanted:
            if name not in self._started:
                self.printed.append(f"d_{name} = F(0.0)")

    def _push(self, tree: ast.expr, by: str) -> None:
        """Hand on the derivative `by` of a value to what it is made of."""
        match tree:
            case ast.Name(name):
                if name in self._matters:
                    more = f"d_{name} + {by}" if name in self._started else by
                    self._started.add(name)
                    self.printed.append(f"d_{name} = {more}")
            case ast.Constant():
                pass
            case ast.BinOp(left, op, right):
                self._push_two(left, op, right, by)
            case ast.UnaryOp(ast.USub(), inner):
                self._push(inner, self._named(f"-{by}"))
            case ast.Call(ast.Name("cross"), [high, low, _, ast.Constant(int(k))]):
                self._push_crossing(text(high), text(low), 1 / self._scales[k], by, (high, low))
            case ast.Call(ast.Name("select"), [condition, taken, other]):
                when = text(condition)
                self._push(taken, self._named(f"{by} if {when} else F(0.0)"))
                self._push(other, self._named(f"F(0.0) if {when} else {by}"))
            case ast.Call(ast.Name("lerp"), [start, end, share]):
                spiked = f"{text(share)} > F(0.5)"
                self._push(start, self._named(f"F(0.0) if {spiked} else {by}"))
                self._push(end, self._named(f"{by} if {spiked} else F(0.0)"))
                if not self._detached:
                    self._push(share, self._named(f"{by} * ({text(end)} - {text(start)})"))
            case ast.Call(ast.Name("addcmul"), [start, share, added]):
                self._push(start, by)
                self._push(added, self._named(f"{by} if {text(share)} > F(0.5) else F(0.0)"))
                if not self._detached:
                    self._push(share, self._named(f"{by} * {text(added)}"))
            case ast.Call(ast.Name(function), [inner]):
                self._push(inner, self._named(_slope_of(function, text(inner), by)))
            case _:
                raise NotStraight(f"it has `{ast.unparse(tree)}`")

    def _push_two(self, left: ast.expr, op: ast.operator, right: ast.expr, by: str) -> None:
        match op:
            case ast.Add():
                self._push(left, by)
                self._push(right, by)
            case ast.Sub():
                self._push(left, by)
                self._push(right, self._named(f"-{by}"))
            case ast.Mult():
                self._push(left, self._named(f"{by} * {text(right)}"))
                self._push(right, self._named(f"{by} * {text(left)}"))
            case ast.Div():
                share = self._named(f"{by} / {text(right)}")
                self._push(left, share)
                self._push(right, self._named(f"-{share} * ({text(left)} / {text(right)})"))

    def _push_crossing(
        self, high: str, low: str, inverse: float, by: str, sides: Sequence[ast.expr]
    ) -> None:
        x = self._named(f"({high} - {low}) * F({inverse!r})")
        slope = self._slope.format(x=x, a=f"F({self._alpha!r})")
        rising = self._named(f"{by} * ({slope}) * F({inverse!r})")
        self._push(sides[0], rising)
        self._push(sides[1], self._named(f"-{rising}"))

    def _named(self, value: str) -> str:
        self._count += 1
        self.printed.append(f"q{self._count} = {value}")
        return f"q{self._count}"


def _slope_of(function: str, x: str, by: str) -> str:
    match function:
        case "square":
            return f"{by} * (F(2.0) * {x})"
        case "cube":
            return f"{by} * (F(3.0) * ({x} * {x}))"
        case "fourth":
            return f"{by} * (F(4.0) * ({x} * {x} * {x}))"
        case "sqrt":
            return f"{by} * (F(0.5) / F(sqrt({x})))"
        case "abs":
            return f"{by} if {x} > F(0.0) else (-{by} if {x} < F(0.0) else F(0.0))"
    raise NotStraight(f"it has `{function}`")
