"""The change of each state in a step, apart from the state itself.

`x + change` rounds to the precision of x, and a change below that precision is lost. A back end
that computes in single precision therefore adds the change of a slow state in a form that keeps
what rounds away. Which states are slow is decided here, from the program and the bound values.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from neuro.equations._affine import affine
from neuro.equations.hoist import evaluate
from neuro.equations.program import Assignment, StepProgram
from neuro.equations.syntax import CONSTANTS, names_in

__all__ = ["CHANGE", "SLOWEST", "change_of", "changes_apart", "slow_states"]

SLOWEST = 2.0**-8
"""The least share of itself that a state must lose in each step to be held in single precision.

Each step rounds to half a unit in the last place, 2**-24 of the state, and a share `s` of all past
errors is lost with the state; so they never add up to more than 2**-24/s, here 2**-16 of the
largest value: 1 uV of a membrane potential of 65 mV.
"""


CHANGE = "__step"
"""Ends the name of a state's change in a step."""


def changes_apart(
    slow: Sequence[str], active: Sequence[Assignment], resting: Sequence[Assignment]
) -> tuple[list[Assignment], list[Assignment]]:
    """Both steps with `<state>__step`, its change, in place of `<state>__new` of each slow state.

    Where the text of one of them does not show the change, both keep the new value. That of the
    other states is written with one multiplication where the change needs two operations.
    """
    apart = set(slow)
    for step in filter(None, (active, resting)):
        new = dict(step)
        apart = {x for x in apart if change_of(x, new.get(f"{x}__new", "0"))}

    def changed(step: Sequence[Assignment]) -> list[Assignment]:
        found = []
        for name, text in step:
            x = name.removesuffix("__new")
            change = change_of(x, text) if name != x and x in apart else ""
            found.append((x + CHANGE, change) if change else (name, _kept(x, text)))
        return found

    return changed(active), changed(resting)


def change_of(name: str, text: str) -> str:
    """The `c` of `name + c`, for a text of that form; empty if it has another.

    >>> change_of("x", "x + dt*(a - x)")
    'dt * (a - x)'
    >>> change_of("x", "x")
    '0.0'
    >>> change_of("x", "x*exp(-dt/tau)")
    ''
    """
    terms = list(_terms(ast.parse(text, mode="eval").body, True))
    own = [k for k, (added, term) in enumerate(terms)
           if added and isinstance(term, ast.Name) and term.id == name]  # fmt: skip
    if len(own) != 1:
        return ""
    del terms[own[0]]
    if not terms:
        return "0.0"
    parts = [("" if added else "-") + f"({ast.unparse(term)})" for added, term in terms]
    return ast.unparse(ast.parse(" + ".join(parts), mode="eval").body)


def _kept(name: str, text: str) -> str:
    """`name*(1 + name__shrink) + ...` for `name + (name*name__shrink + ...)`, else the text."""
    terms = list(_terms(ast.parse(text, mode="eval").body, True))
    written = [ast.unparse(term) if added else "" for added, term in terms]
    shrinking = f"{name} * {name}__shrink"
    if name not in written or shrinking not in written:
        return text
    rest = [t for (_, t), w in zip(terms, written, strict=True) if w not in (name, shrinking)]
    signs = [a for (a, _), w in zip(terms, written, strict=True) if w not in (name, shrinking)]
    parts = [f"{'+' if a else '-'} ({ast.unparse(t)})" for a, t in zip(signs, rest, strict=True)]
    return " ".join([f"{name} * (1 + {name}__shrink)", *parts])


def _terms(tree: ast.expr, added: bool) -> Sequence[tuple[bool, ast.expr]]:
    """The terms of a sum as it is written, without what stands in brackets of a product."""
    match tree:
        case ast.BinOp(left, ast.Add(), right):
            return [*_terms(left, added), *_terms(right, added)]
        case ast.BinOp(left, ast.Sub(), right):
            return [*_terms(left, added), *_terms(right, not added)]
    return [(added, tree)]


def slow_states(program: StepProgram, constants: Mapping[str, ArrayLike]) -> tuple[str, ...]:
    """The states that single precision must not hold by itself, in the program's order.

    A state is fast if its step is linear in it and loses `SLOWEST` of it, in every cell. All others
    are slow: those that lose less, and those whose loss depends on states or changes with time.

    Args:
        constants: What does not change over a run, by name: one value or one for each cell.
    """
    known, parts = dict(constants), dict[str, str]()
    for name, text in program.active:
        if not name.endswith("__new"):
            parts[name] = text
            if _is_constant(text, known):
                known[name] = evaluate(text, known)
    new = dict(program.active)

    def is_fast(state: str) -> bool:
        change = change_of(state, new.get(f"{state}__new", ""))
        form = affine(change, state, parts) if change else None
        if form is None or not form.growth or state in _read(form.rest, parts):
            return False
        if not _is_constant(form.gain, known):
            return False
        kept = 1 + evaluate(form.gain, known)
        return bool((np.abs(kept) <= 1 - SLOWEST).all())

    return tuple(state for state in program.states if not is_fast(state))


def _is_constant(text: str, known: Mapping[str, ArrayLike]) -> bool:
    """Whether a text reads what is known and nothing else, nor draws a number."""
    return not _draws(text) and names_in(text) - CONSTANTS.keys() <= known.keys()


@lru_cache(maxsize=1 << 14)
def _draws(text: str) -> bool:
    """Whether a text draws a random number."""
    calls = (n.func for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Call))
    return any(isinstance(f, ast.Name) and f.id in ("rand", "randn") for f in calls)


def _read(text: str, parts: Mapping[str, str]) -> set[str]:
    """The names that a text reads, also through the parts it is made of."""
    names = names_in(text or "0")
    inside = (_read(parts[name], parts) for name in names & parts.keys())
    return names.union(*inside)
