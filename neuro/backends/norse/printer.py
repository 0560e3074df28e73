"""Print one population's step as a readable Python module of PyTorch calls.

Printed, because a step is then one function without a Python object or call for each node of the
equations: it runs faster than a tree of closures, `torch.compile` traces it as it stands, and
`print(cell.source)` shows what is run. Arithmetic is sorted by how often it must be done as for
the numba back end (`neuro.equations.hoist`), so both add and multiply in the same order.

Names that end in `__` are the module's own:

    S__ states   L__ last   B__ bound   X__ inputs   Y__ factors   R__ draws   t__ time in ms
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from neuro.backends.norse._apart import Drawn, apart, is_rand
from neuro.backends.norse._shared import shared
from neuro.backends.norse.wording import IMPORTS, in_torch, is_truth
from neuro.build import BuiltPopulation
from neuro.equations.hoist import CELL, CONSTANT, TIME, Hoister, evaluate
from neuro.equations.increments import CHANGE, change_of, changes_apart, slow_states
from neuro.equations.names import WEIGHT
from neuro.equations.program import Assignment, needed_for
from neuro.equations.syntax import is_condition, names_in

__all__ = ["CellPrinter"]

_STEP = "S__, L__, step__, t__, B__, X__, Y__, R__"
_EARLIER = {"dt", "N", "i"}  # bound, though no parameters
_SIGNS = {ast.Gt: (False, True), ast.GtE: (False, False), ast.Lt: (True, True),
          ast.LtE: (True, False)}  # fmt: skip


class CellPrinter:
    """The code of one population.

    Attributes:
        source: The module: `bind`, `update`, `reset` and an `observe_<name>` for each
            subexpression.
        draws: `rand` or `randn` for each random number of a step, in order.
        numbers: Numbers that `bind` and the others read as tensors, by name.
        comparisons: Both sides of each comparison in the threshold, which needs a scale.
        constants: What is computed once a pass, or once a step, in order.
        doubled: Parameters that what is computed once a step reads in double precision.
        slow: The states that are held in double precision, though `dtype` is single.
        tells_time: Whether anything reads the time.
        conditional, timed: Whether refractoriness is a condition, or a time.
        guarded: Whether what arrives may find a held state.
    """

    def __init__(
        self, built: BuiltPopulation, dt_ms: float, dtype: str,
        modulated: Collection[str] = (), streamed: Collection[str] = (),
        acted_on: Collection[str] = (), by_chance: bool = False,
    ) -> None:  # fmt: skip
        self.program = program = built.program
        self._dt_ms, self._n, self._by_chance = dt_ms, float(built.n), by_chance
        self._modulated = frozenset(modulated) - frozenset(streamed)
        self._inputs = {*program.inputs, *program.summed, *streamed}
        self._parameters = set(built.parameters) - set(streamed)
        self.draws: list[str] = []
        self.numbers: dict[str, float] = {}
        self.comparisons: list[tuple[str, str]] = []

        varies = {"t": TIME, "dt": CONSTANT, "N": CONSTANT, "i": CELL}
        for name, value in built.parameters.items():
            varies[name] = (CELL if np.ndim(value) else 0) | (TIME if name in modulated else 0)
        for name in program.inputs:
            wide = np.ndim(built.drives[name].values) == 2
            varies[name] = TIME | (CELL if wide else 0)
        varies |= dict.fromkeys([*program.states, *program.summed, *streamed], TIME | CELL)
        self._hoister = Hoister(varies)
        self.slow: tuple[str, ...] = ()
        if dtype == "float32":
            # What is trained changes by little: the values at the start decide.
            still = {n: x for n, x in built.parameters.items() if n not in {*modulated, *streamed}}
            self.slow = slow_states(program, {**still, "dt": dt_ms, "N": float(built.n)})
        self._early: set[str] = set()  # what is read in double precision
        self._doubled: set[str] = set()  # of these, what the function being printed reads
        self._rest = ""  # steps of refractoriness, where they do not change over a pass

        self.conditional = bool(program.refractory) and is_condition(program.refractory)
        self.timed = bool(program.refractory) and not self.conditional
        arriving = {state for delivery in program.deliveries for state, _ in delivery}
        self.guarded = bool((arriving | set(acted_on)) & set(program.held))
        functions = [self._update(), self._reset()]
        functions += [self._observe(name) for name, _ in program.subexpressions]
        functions += [self._arrive(port) for port, _ in enumerate(program.deliveries)]
        functions.insert(0, self._bind(functions))
        self.constants = [*self._hoister.bound, *self._hoister.per_step]
        self.tells_time = any(re.search(r"\bt__(?!,)", f) for f in functions)
        self.source = "\n\n\n".join([self._header(dtype, "".join(functions)), *functions]) + "\n"

    def _header(self, dtype: str, body: str) -> str:
        lines = [f'"""One step of `{self.program.name}`, printed from its equations."""', ""]
        lines.append(f"from torch import {dtype} as F__, float64 as D__, int64 as I__")
        called = set(re.findall(r"\b(\w+)__\(", body))
        for module, names in IMPORTS.items():
            if words := ", ".join(f"{n} as {n}__" for n in names if n in called):
                lines.append(f"from {module} import {words}")
        return "\n".join(lines)

    def _bind(self, functions: Sequence[str]) -> str:
        """What does not change over a pass, and is read by one of the other functions."""
        bound = self._hoister.bound
        read = {n for _, text in bound for n in names_in(text)} - {name for name, _ in bound}
        lines = [f"{name} = {self._tensor(text)}" for name, text in bound]
        made = [name for name, _ in bound if any(f'"{name}"' in code for code in functions)]
        for name, text in reversed(bound):
            if name in self._early:
                self._early |= {n for n in names_in(text) if self._known(n) is None}
        self.doubled = tuple(sorted(self._early & self._parameters))
        lines += [f'{name}__64 = B__["{name}__64"]' for name in self.doubled]
        for name, text in bound:
            if name in self._early:
                lines.append(f"{name}__64 = {self._text(text, double=True)}")
                made.append(f"{name}__64")
        if self._rest:
            lines.append(f"rest__ = {self._rest}.to(I__)")
            made.append("rest__")
        entries = ", ".join(f'"{name}": {name}' for name in made)
        lines.append(f"return {{{entries}}}")
        return self._function("bind(B__)", read, lines)

    def _update(self) -> str:
        program, hoister = self.program, self._hoister
        active, resting = map(
            hoister.assignments, changes_apart(self.slow, program.active, program.resting)
        )
        uses = self._needed(names_in(program.threshold or "0"))
        threshold = hoister.expression(program.threshold)
        lines: list[str] = []
        texts = [*active, *resting, *uses]
        names = {n for _, text in texts for n in names_in(text)} | names_in(threshold or "0")
        before = self._needed(names_in(program.refractory or "0"))
        names |= {n for _, text in before for n in names_in(text)}
        lines += [f"{name} = {self._text(text)}" for name, text in before]
        if self.conditional:
            condition = hoister.expression(program.refractory)
            names |= names_in(condition)
            lines.append(f"awake__ = ~(L__[0] & ({self._text(condition)}))")
        elif self.timed:
            # Brian2's `timestep`, so that all back ends hold a cell for the same steps.
            steps = hoister.expression(f"floor(({program.refractory})/dt + 0.001)")
            self._rest = steps if steps in dict(hoister.bound) else ""
            names |= {"rest__"} if self._rest else names_in(steps)
            rest = "rest__" if self._rest else f"({self._text(steps)}).to(I__)"
            lines.append(f"awake__ = L__[0] <= step__ - {rest}")
        lines += self._stepping(active, resting, program.states)
        lines += [f"{name} = {self._text(text)}" for name, text in uses]
        spikes = "None"
        if threshold:
            spikes = "spikes__"
            gate = "awake__ * " if program.refractory else ""
            fires = self._spike(ast.parse(threshold, mode="eval").body)
            lines.append(f"spikes__ = {gate}({fires})" if gate else f"spikes__ = {fires}")
        last = free = "()"
        if program.refractory:
            lines.append("fired__ = spikes__ > 0.5")
            last = "(fired__ | ~awake__,)"
            if self.timed:
                last = "(where__(fired__, step__, L__[0]),)"
            if self.guarded:
                free = "(awake__ & ~fired__,)"
        lines.append(f"return {spikes}, ({self._held()}), {last}, {free}")
        names |= set(program.states)
        signature = f"update({_STEP}, surrogate__, scales__)"
        return self._function(signature, names, lines, per_step=True)

    def _stepping(
        self, active: Sequence[Assignment], resting: Sequence[Assignment], written: Sequence[str]
    ) -> list[str]:
        """The step; where a refractory cell steps otherwise, both are computed and one is taken."""
        lines = [f"{name} = {self._text(text)}" for name, text in active]
        taken, other = dict(active), dict[str, str]()
        for name, text in resting:
            for old, new in other.items():
                text = re.sub(rf"\b{old}\b", new, text)
            if taken.get(name) != text:
                other[name] = f"{name}__rest"
                lines.append(f"{name}__rest = {self._text(text)}")
        lines = shared(lines)
        for name in written:
            result = name + CHANGE if name + CHANGE in taken else f"{name}__new"
            value = f"where__(awake__, {result}, {other[result]})" if result in other else result
            whole = f"{name}__64" if name in self.slow else name
            if result.endswith(CHANGE):
                value = f"{whole} + {value}"
            elif whole != name:
                value = f"{value}.to(D__)"
            lines.append(f"{whole} = {value}")
            if whole != name:
                lines.append(f"{name} = {whole}.to(F__)")
        return lines

    def _held(self) -> str:
        """The states as they are handed on."""
        return "".join(f"{x}__64, " if x in self.slow else f"{x}, " for x in self.program.states)

    def _arrive(self, port: int) -> str:
        """What each arriving weight adds to the states that the port's synapses feed."""
        added = [text for _, text in self.program.deliveries[port]]
        names = {name for text in added for name in names_in(text)}
        values = "".join(f"{self._text(text)}, " for text in added)
        return self._function(f"arrive_{port}({WEIGHT}, B__, Y__)", names, [f"return ({values})"])

    def _spike(self, tree: ast.expr) -> str:
        """A condition as a number that is 1 or 0, with the surrogate's gradient."""
        match tree:
            case ast.BoolOp(op=op, values=[first, *rest]):
                text = self._spike(first)
                for part in rest:
                    other = self._spike(part)
                    both = f"({text}) * ({other})"
                    text = both if isinstance(op, ast.And) else f"({text}) + ({other}) - {both}"
                return text
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"1.0 - ({self._spike(operand)})"
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _SIGNS:
                swapped, strict = _SIGNS[type(op)]
                low, high = (left, right) if swapped else (right, left)
                if is_rand(low) or is_rand(high):
                    drawn, chance = (low, high) if is_rand(low) else (high, low)
                    text = f"{self._chance(chance)}, R__[{len(self.draws)}]"
                    self.draws.append("rand")
                    if drawn is low:
                        return f"surrogate__.chance({text}, {strict}).to(F__)"
                    return f"1.0 - surrogate__.chance({text}, {not strict}).to(F__)"
                sides = ast.unparse(high), ast.unparse(low)
                self.comparisons.append(sides)
                wide = any(names_in(x) & self._hoister.times() or "rand(" in x for x in sides)
                text = ", ".join(map(self._wide if wide else self._text, sides))
                scale = f"scales__[{len(self.comparisons) - 1}]"
                drawn_by = f", {self._text('rand()')}" if self._by_chance else ""
                spikes = f"surrogate__.crossing({text}, {strict}, {scale}{drawn_by})"
                return f"{spikes}.to(F__)" if wide else spikes
        text = self._text(ast.unparse(tree))
        return f"({text}).to(F__)" if is_truth(tree) else f"({text} != 0.0).to(F__)"

    def _reset(self) -> str:
        """Each assignment is taken by the share z of a spike: all of it, or nothing."""
        reset = self.program.reset
        names = {name for _, text in reset for name in names_in(text)}
        names |= set(self.program.states)
        lines = list[str]()
        for name, text in reset:
            added = change_of(name, text)
            if name not in self.program.states:
                lines.append(f"{name} = {self._text(text)}")
            elif name in self.slow:
                whole, value = f"{name}__64", self._wide(added or text)
                change = value if added else f"{value} - {whole}"
                lines.append(f"{whole} = {whole} + z__.to(D__) * ({change})")
                lines.append(f"{name} = {whole}.to(F__)")
            elif added:
                lines.append(f"{name} = addcmul__({name}, z__, {self._tensor(added)})")
            else:
                lines.append(f"{name} = lerp__({name}, {self._tensor(text)}, z__)")
        lines.append(f"return ({self._held()})")
        return self._function(f"reset(z__, {_STEP})", names, lines)

    def _observe(self, variable: str) -> str:
        uses = self._needed({variable})
        names = {name for _, text in uses for name in names_in(text)}
        lines = [f"{name} = {self._text(text)}" for name, text in uses]
        return self._function(f"observe_{variable}({_STEP})", names, [*lines, f"return {variable}"])

    def _needed(self, names: set[str]) -> list[Assignment]:
        """Subexpressions that must be computed before these names can be read, in order."""
        needed = needed_for(names, self.program.subexpressions)
        self._hoister.varies |= dict.fromkeys((name for name, _ in needed), TIME | CELL)
        return needed

    def _function(
        self, signature: str, names: set[str], lines: Sequence[str], *, per_step: bool = False
    ) -> str:
        """A function with everything that its lines read loaded first."""
        doubles = self._hoister.per_step if per_step else []
        early = {n for _, text in doubles for n in names_in(text)} - {name for name, _ in doubles}
        early |= self._doubled - {name for name, _ in doubles}
        self._doubled = set()
        early = {name for name in early if self._known(name) is None}
        self._early |= early
        head: list[str] = []
        states = self.program.states
        if set(states) & names:
            unpacked = ", ".join(
                "_" if name not in names else f"{name}__64" if name in self.slow else name
                for name in states
            )
            head.append(f"{unpacked}{',' if len(states) == 1 else ''} = S__")
            head += [f"{n} = {n}__64.to(F__)" for n in self.slow if n in names]
        for name in sorted(early):
            head.append(f"{name}__64 = {self._double(name)}")
        for name, text in doubles:
            head.append(f"{name}__64 = {self._text(text, double=True)}")
            if name in names:
                head.append(f"{name} = {name}__64.to(F__)")
        stepwise = {name for name, _ in doubles}
        known = {"t"} | self._inputs | self._parameters | _EARLIER
        known |= {"rest__"} | {name for name, _ in self._hoister.bound}
        head += [f"{name} = {self._single(name)}" for name in sorted((names & known) - stepwise)]
        used = {n for line in lines for n in re.findall(r"\bk\d+__\b", line)}
        head += [f'{name} = B__["{name}"]' for name in self.numbers if name in used]
        return "\n".join([f"def {signature}:", *(f"    {line}" for line in [*head, *lines])])

    def _single(self, name: str) -> str:
        if name == "t":
            return "t__.to(F__)"
        if name in self._inputs:
            return f'X__["{name}"]'
        factor = f' * Y__["{name}"]' if name in self._modulated else ""
        return f'B__["{name}"]{factor}'

    def _double(self, name: str) -> str:
        """What is computed once a step is computed in double precision, as time demands."""
        if name == "t":
            return "t__"
        if name in self._inputs:
            return f'X__["{name}"].to(D__)'
        factor = f' * Y__["{name}"].to(D__)' if name in self._modulated else ""
        return f'B__["{name}__64"]{factor}'

    def _text(self, expression: str, *, double: bool = False) -> str:
        if double:
            for name in names_in(expression):
                if (value := self._known(name)) is not None:
                    expression = re.sub(rf"\b{name}\b", f"({value!r})", expression)
            return in_torch(expression, self._draw, repr, "{}__64".format, "D__")
        parts: dict[str, str] = {}
        tree = Drawn(self._draw, parts).visit(ast.parse(expression, mode="eval").body)
        tree = apart(
            tree, parts, lambda part: self._wide(ast.unparse(part), parts), self._hoister.times()
        )
        return in_torch(ast.unparse(tree), self._draw, self._number, lambda n: parts.get(n, n))

    def _wide(self, expression: str, parts: Mapping[str, str] = MappingProxyType({})) -> str:
        """An expression in double precision, whatever it reads; `parts` are drawn numbers."""
        drawn = dict(parts)

        tree = Drawn(self._draw, drawn).visit(ast.parse(expression, mode="eval").body)
        stepwise = {name for name, _ in self._hoister.per_step}
        bound = {name for name, _ in self._hoister.bound} | self._parameters

        def named(name: str) -> str:
            if name in drawn:
                return f"{drawn[name]}.to(D__)"
            if name == "t":
                return "t__"
            if (value := self._known(name)) is not None:
                return f"({value!r})"
            if name in bound:
                self._doubled.add(name)
            return f"{name}__64" if name in bound | stepwise | {*self.slow} else f"{name}.to(D__)"

        return in_torch(ast.unparse(tree), self._draw, repr, named, "D__")

    def _draw(self, kind: str) -> str:
        self.draws.append(kind)
        return f"R__[{len(self.draws) - 1}]"

    def _chance(self, tree: ast.expr) -> str:
        """A probability as a tensor, in double precision where it depends on no state."""
        text = ast.unparse(tree)
        early = {n for n, _ in (*self._hoister.bound, *self._hoister.per_step)} | self._parameters
        constant = all(self._known(name) is not None for name in names_in(text))
        return self._wide(text) if names_in(text) <= early and not constant else self._tensor(text)

    def _known(self, name: str) -> float | None:
        """The number that a constant is whatever the parameters: printed where it is read."""
        given = {"dt": self._dt_ms, "N": self._n}
        text = dict(self._hoister.bound).get(name)
        if text is None:
            return given.get(name)
        values = {n: self._known(n) for n in names_in(text)}
        if any(value is None for value in values.values()):
            return None
        return float(evaluate(text, values))

    def _tensor(self, expression: str) -> str:
        """As `_text`, but never a plain number."""
        text = self._text(expression)
        try:
            return self._number(float(text))
        except ValueError:
            return text

    def _number(self, value: float) -> str:
        for name, known in self.numbers.items():
            if known == value:
                return name
        name = f"k{len(self.numbers)}__"
        self.numbers[name] = value
        return name
