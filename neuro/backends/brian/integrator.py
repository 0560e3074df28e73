"""Brian2's integrators, and Ember's exact step where Brian2's own cannot solve.

Brian2 solves a linear system by inverting its matrix, which fails where a variable does not decay
by itself, as a weight that follows an eligibility. The equations stay those of the model: only
the solution is ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from neuro.brian2_import import brian2
from neuro.equations.fold import folded
from neuro.equations.schemes import derive
from neuro.equations.syntax import Line

__all__ = ["advance_exactly", "exact_code", "integrator"]

_memory: dict[tuple[Any, ...], str] = {}
_NEW = re.compile(r"\b\w+__new\b")


def integrator(method: str) -> str | Callable[..., str]:
    """What to give a Brian2 group as `method`."""
    return exact_code if method == "exact" else method


def exact_code(equations: Any, variables: Any = None, method_options: Any = None) -> str:
    """Brian2's abstract code for one exact step of its `equations`.

    SymPy takes up to a second for it, so the code is kept: each pathway of a projection and each
    run of one text has the same.

    Raises:
        UnsupportedEquationsException: Brian2's own, if neither solution applies.
    """
    known = variables or {}
    used = sorted(equations.identifiers & known.keys())
    step = known["dt"].get_value().item() if "dt" in known else None
    kinds = tuple((n, getattr(known[n], "constant", None)) for n in used)  # functions have none
    key = (str(equations), step, kinds)
    if key not in _memory:
        _memory[key] = _solved(equations, variables, method_options)
    return _memory[key]


def _solved(equations: Any, variables: Any, method_options: Any) -> str:
    brian2()
    from brian2.stateupdaters.base import UnsupportedEquationsException
    from brian2.stateupdaters.exact import linear

    try:
        return str(linear(equations, variables, method_options))
    except UnsupportedEquationsException:
        kinds = {"differential equation": "differential", "subexpression": "subexpression"}
        lines = [
            Line(kinds[equation.type], equation.varname, equation.expr.code, "", ())
            for equation in equations.ordered
            if equation.type in kinds
        ]
        step = derive(lines, "exact")
        if step is None:
            raise
    # Folded, since Brian2 refuses the dimension of a rate that is a plain 0.
    folded_step = [(name, folded(text, lambda unit: None)) for name, text in step]
    code = [f"{_name(name)} = {_NEW.sub(_new, text)}" for name, text in folded_step]
    states = [line.name for line in lines if line.kind == "differential"]
    return "\n".join([*code, *(f"{name} = _{name}" for name in states)])


def _name(name: str) -> str:
    return "_" + name.removesuffix("__new") if name.endswith("__new") else name


def _new(found: re.Match[str]) -> str:
    return _name(found[0])


def advance_exactly(synapses: Any) -> None:
    """Let the event-driven equations of a Synapses object be solved by `exact_code`, too."""
    equations = synapses.event_driven
    if equations is None:
        return
    for pathway in synapses._pathways:

        def update(run_namespace: Any = None, level: int = 0, pathway: Any = pathway) -> None:
            code = exact_code(equations, pathway.group.variables)
            advance = re.sub(r"\bdt\b", "(t - lastupdate)", code)
            pathway.abstract_code = f"{advance}\n{pathway.code}\nlastupdate = t\n"

        object.__setattr__(pathway, "update_abstract_code", update)
