"""Print what the synapses of one projection do as a readable Python module of PyTorch calls.

Each function reads everything from one mapping `E__`, by the names of the EdgeProgram, and gives
back what it wrote. What a statement leaves in a target that may be held, `E__.taken` decides.
Values stand in *lanes*, `(batch, n_edges)` or any shape that holds the edges in question, so the
same code serves all edges at once and those alone whose cells spiked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from neuro.backends.norse.wording import IMPORTS, in_torch
from neuro.equations.edge_program import EdgeProgram
from neuro.equations.hoist import CELL, CONSTANT, TIME, Hoister
from neuro.equations.increments import change_of
from neuro.equations.names import ELAPSED, WEIGHT
from neuro.equations.program import Assignment
from neuro.equations.syntax import names_in

__all__ = ["EdgePrinter", "Event"]


class Event:
    """`on_pre` or `on_post`: what it needs to know besides its statements.

    Attributes:
        writes: Variables of the edge that it changes, those that `advance` does included.
        adds: States of the target to which its edges add, all at once.
        sets: States of the target that an edge reads and writes, so that edges with one target
            must take turns; then `adds` is empty.
        reads: Everything else it reads.
    """

    def __init__(self, program: EdgeProgram, statements: Sequence[Assignment]) -> None:
        self.statements = tuple(statements)
        advanced = [n.removesuffix("__new") for n, _ in program.advance if n.endswith("__new")]
        written = dict.fromkeys(name for name, _ in statements)
        posts = [name for name in written if name.endswith("_post")]
        self.writes = tuple(dict.fromkeys([*advanced, *(n for n in written if n not in posts)]))
        amounts = [change_of(name, text) for name, text in statements if name in posts]
        others = [text for name, text in statements if name not in posts]
        reads = {name for text in [*amounts, *others] for name in names_in(text or "0")}
        together = all(amounts) and not reads & set(posts)
        bare = tuple(name.removesuffix("_post") for name in posts)
        self.adds: tuple[str, ...] = bare if together else ()
        self.sets: tuple[str, ...] = () if together else bare
        texts = [text for _, text in [*program.advance, *self.spelled]]
        made = {name for name, _ in [*program.advance, *self.spelled]}
        self.reads = tuple(sorted({n for text in texts for n in names_in(text)} - made))

    @property
    def spelled(self) -> list[Assignment]:
        """The statements; where edges add all at once, only what they add."""
        found: list[Assignment] = []
        for name, text in self.statements:
            if name.removesuffix("_post") in self.adds and name.endswith("_post"):
                sum_ = f"{name}__sum"
                amount = change_of(name, text)
                earlier = any(n == sum_ for n, _ in found)
                found.append((sum_, f"{sum_} + ({amount})" if earlier else amount))
            else:
                found.append((name, text))
        return found


class EdgePrinter:
    """The code of one EdgeProgram.

    Args:
        modulated: Parameters that effects scale at each step.

    Attributes:
        source: The module: `on_pre`, `on_post`, `step`, `sums` and an `observe_<name>` for each
            subexpression, each of `(E__, R__)`; `bind(E__)` and `early(E__)` compute what they
            read that is the same in all steps, and for all edges of a step.
        draws: `rand` or `randn` for each random number, in order.
        numbers: Numbers that the code reads as tensors, by name.
    """

    def __init__(self, program: EdgeProgram, dtype: str, modulated: Collection[str] = ()) -> None:
        self.program = program
        self.draws: list[str] = []
        self.numbers: dict[str, float] = {}
        varies = {"t": TIME, "dt": CONSTANT, ELAPSED: TIME | CELL, "w": TIME | CELL}
        varies |= {name: TIME if name in modulated else CONSTANT for name in program.parameters}
        ends = [f"{n}_post" for n in program.reads_post] + [f"{n}_pre" for n in program.reads_pre]
        self._hoister = Hoister(
            varies | dict.fromkeys([*program.variables, *ends, WEIGHT], TIME | CELL)
        )
        self.on_pre, self.on_post = (Event(program, s) for s in (program.on_pre, program.on_post))
        stepped = [n.removesuffix("__new") for n, _ in program.step if n.endswith("__new")]
        functions = [
            self._function("step", program.step, {n: f"{n}__new" for n in stepped}),
            self._event("on_pre", self.on_pre),
            self._event("on_post", self.on_post),
            self._function("sums", program.summed, {n: n for n, _ in program.summed}),
        ]
        functions += [
            self._function(f"observe_{n}", [(n, text)], {n: n})
            for n, text in program.subexpressions
        ]
        functions += [
            self._early("bind", self._hoister.bound), self._early("early", self._hoister.per_step)
        ]  # fmt: skip
        head = [f'"""The synapses of `{program.name}`, printed from their equations."""', ""]
        head.append(f"from torch import {dtype} as F__")
        for module, names in IMPORTS.items():
            head.append(f"from {module} import {', '.join(f'{n} as {n}__' for n in names)}")
        self.source = "\n\n\n".join(["\n".join(head), *functions]) + "\n"

    def _event(self, name: str, event: Event) -> str:
        advance = list(self.program.advance)
        advance += [(n.removesuffix("__new"), n) for n, _ in advance if n.endswith("__new")]
        results = {n: n for n in event.writes} | {f"{n}_post": f"{n}_post" for n in event.sets}
        results |= {f"{n}_post": f"{n}_post__sum" for n in event.adds}
        sets = [f"{n}_post" for n in event.sets]
        return self._function(name, [*advance, *event.spelled], results, sets)

    def _function(
        self,
        name: str,
        assignments: Sequence[Assignment],
        results: dict[str, str],
        sets: Collection[str] = (),
    ) -> str:
        hoister = self._hoister
        hoister.varies |= {
            left: TIME | CELL for left, _ in assignments if left not in hoister.varies
        }
        assignments = [(left, hoister.expression(text)) for left, text in assignments]
        return self._printed(f"{name}(E__, R__)", assignments, results, sets)

    def _early(self, name: str, assignments: Sequence[Assignment]) -> str:
        return self._printed(f"{name}(E__)", assignments, {n: n for n, _ in assignments})

    def _printed(
        self,
        signature: str,
        assignments: Sequence[Assignment],
        results: dict[str, str],
        sets: Collection[str] = (),
    ) -> str:
        lines = []
        made: set[str] = set()
        read: list[str] = []  # before it is made here
        for left, text in assignments:
            names, right = names_in(text), self._text(text)
            if left in sets:
                names, right = names | {left}, self._taken(left, right)
            lines.append(f"{left} = {right}")
            read += [n for n in sorted(names) if n not in made and n not in read]
            made.add(left)
        read += [value for value in results.values() if value not in made and value not in read]
        head = [f'{n} = E__["{n}"]' for n in read if n != WEIGHT]
        if WEIGHT in read and "w" not in read:
            head.append('w = E__["w"]')
        used = {n for line in lines for n in re.findall(r"\bk\d+__\b", line)}
        head += [f'{n} = E__["{n}"]' for n in self.numbers if n in used]
        entries = ", ".join(f'"{key}": {value}' for key, value in results.items())
        body = [*head, *lines, f"return {{{entries}}}"]
        return "\n".join([f"def {signature}:", *(f"    {line}" for line in body)])

    def _taken(self, left: str, right: str) -> str:
        return f'E__.taken("{left.removesuffix("_post")}", {right}, {left})'

    def _text(self, expression: str) -> str:
        def draw(kind: str) -> str:
            self.draws.append(kind)
            return f"R__[{len(self.draws) - 1}]"

        def named(name: str) -> str:
            return '(w * E__["arrive__"])' if name == WEIGHT else name

        return in_torch(expression, draw, self._number, named)

    def _number(self, value: float) -> str:
        for name, known in self.numbers.items():
            if known == value:
                return name
        name = f"k{len(self.numbers)}__"
        self.numbers[name] = value
        return name
