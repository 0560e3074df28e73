"""Exact, exponential Euler, Euler and Runge-Kutta steps in the words of the model.

They are Brian2's schemes, and a test holds that both derivations give the same numbers. Brian2,
however, writes every subexpression out and expands it, so that `exp((V_T - v)/(18*mV))` comes back
as `exp(V_T)**(1/18)/exp(v)**(1/18)`: slow, and beyond the range of single precision. Here a
subexpression stays what it is and is computed once for all that read it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

from neuro.equations._affine import affine
from neuro.equations.linear import exact
from neuro.equations.names import is_noise
from neuro.equations.program import Assignment
from neuro.equations.syntax import Line, names_in

__all__ = ["derive"]

_SECOND, _FOURTH = ("0", "1/2"), ("0", "1/2", "1/2", "1")  # where the stages lie within a step


def derive(lines: Sequence[Line], method: str) -> list[Assignment] | None:
    """The step as assignments that end in `<state>__new`; None if Brian2 has to derive it.

    It has to for `heun` and `milstein`, for random terms, for linear equations that feed back on
    each other, and where it is not plain to see that an equation is linear in its variable.
    """
    if any(_random(line.expression) for line in lines if line.expression):
        return None
    match method:
        case "euler":
            return _euler(lines)
        case "rk2":
            return _runge_kutta(lines, _SECOND)
        case "rk4":
            return _runge_kutta(lines, _FOURTH)
        case "exponential_euler":
            return _exponential_euler(lines)
        case "exact":
            step = exact(lines)
            return None if step is None else _with_subexpressions(lines, step)
    return None


def _random(expression: str) -> bool:
    if any(is_noise(name) for name in names_in(expression)):
        return True
    return re.search(r"\brandn?\(", expression) is not None


def _tree(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


class _Rename(ast.NodeTransformer):
    def __init__(self, new: Mapping[str, str]) -> None:
        self._new = new

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return _tree(self._new[node.id]) if node.id in self._new else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node.args = [self.visit(argument) for argument in node.args]  # not the function's name
        return node


def _renamed(expression: str, new: Mapping[str, str]) -> str:
    return ast.unparse(_Rename(new).visit(_tree(expression)))


def _differentials(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line.kind == "differential"]


def _needed(lines: Sequence[Line], texts: Sequence[str]) -> list[Line]:
    """The subexpressions that `texts` read, directly or not, each after those it reads itself."""
    known = {line.name: line for line in lines if line.kind == "subexpression"}
    found: dict[str, Line] = {}

    def visit(text: str, above: tuple[str, ...]) -> None:
        for name in sorted(names_in(text) & set(known)):
            if name not in found and name not in above:  # a circle is reported by the compiler
                visit(known[name].expression, (*above, name))
                found[name] = known[name]

    for text in texts:
        visit(text, ())
    return list(found.values())


def _stage(
    lines: Sequence[Line], texts: Sequence[str], suffix: str, new: Mapping[str, str],
    kept: Mapping[str, str],
) -> tuple[list[Assignment], dict[str, str]]:  # fmt: skip
    """The subexpressions that `texts` read, at one stage, and what each name stands for in it.

    Args:
        new: What a state, and `t`, stand for here.
        kept: Names of subexpressions that are the same at every stage.
    """
    assignments, names = list[Assignment](), dict(new) | dict(kept)
    for line in _needed(lines, texts):
        if line.name not in kept:
            text = _renamed(line.expression, names)
            names[line.name] = text if text.isidentifier() else f"{line.name}__{suffix}"
            if text != names[line.name]:
                assignments.append((names[line.name], text))
    return assignments, names


def _euler(lines: Sequence[Line]) -> list[Assignment]:
    states = _differentials(lines)
    before, names = _stage(lines, [x.expression for x in states], "now", {}, {})
    return before + [
        (f"{x.name}__new", f"{x.name} + dt*({_renamed(x.expression, names)})") for x in states
    ]


def _runge_kutta(lines: Sequence[Line], stages: Sequence[str]) -> list[Assignment]:
    states = _differentials(lines)
    texts = [x.expression for x in states]
    changing = {x.name for x in states} | {"t"}
    for line in _needed(lines, texts):
        if names_in(line.expression) & changing:
            changing.add(line.name)
    step, kept = list[Assignment](), dict[str, str]()
    new: dict[str, str] = {}
    for number, share in enumerate(stages, start=1):
        if number > 1:
            new = {x.name: f"{x.name}__at{number}" for x in states}
            step += [(new[x.name], f"{x.name} + {x.name}__k{number - 1}*({share})") for x in states]
            new["t"] = f"(t + dt*({share}))"
        before, names = _stage(lines, texts, str(number), new, kept)
        step += before
        kept = {name: text for name, text in names.items() if name not in changing}
        step += [(f"{x.name}__k{number}", f"dt*({_renamed(x.expression, names)})") for x in states]
    for x in states:
        k = [f"{x.name}__k{number}" for number in range(1, len(stages) + 1)]
        total = k[1] if len(k) == 2 else f"({k[0]} + 2*{k[1]} + 2*{k[2]} + {k[3]})/6"
        step.append((f"{x.name}__new", f"{x.name} + {total}"))
    return step


def _exponential_euler(lines: Sequence[Line]) -> list[Assignment] | None:
    """dx/dt = scale*(rest - decay*x)/over nears rest/decay; all but x is held for the step."""
    subexpressions = {line.name: line.expression for line in lines if line.kind == "subexpression"}
    step: list[Assignment] = []
    for line in _differentials(lines):
        x = line.name
        form = affine(line.expression, x, subexpressions)
        if form is None:
            return None
        if not form.decay:
            step.append((f"{x}__new", f"{x} + dt*({line.expression})"))
            continue
        step.append((f"{x}__shrink", f"expm1(-dt*({form.rate}))"))
        if not form.rest:
            step.append((f"{x}__new", f"{x} + {x}*{x}__shrink"))
            continue
        step.append((f"{x}__goal", f"({form.rest})/({form.decay})"))
        step.append((f"{x}__new", f"{x} + ({x} - {x}__goal)*{x}__shrink"))
    return _with_subexpressions(lines, step)


def _with_subexpressions(lines: Sequence[Line], step: list[Assignment]) -> list[Assignment]:
    before, names = _stage(lines, [text for _, text in step], "now", {}, {})
    return before + [(name, _renamed(text, names)) for name, text in step]
