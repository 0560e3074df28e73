"""Print what the synapses of one projection do when they have a state of their own.

A synapse belongs to the block of its target, so the four functions of a projection (arrival of a
spike, spike of the target, clock-driven step, sums) touch nothing of other blocks but the
variables of source cells, which their own blocks publish.

Synapses compute in double precision whatever the kernel's: their variables may change by little
at each of many events, and weights remember all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from neuro.backends.numba.cells import LOW, ROWS_AT, CellPrinter
from neuro.backends.numba.wording import in_double
from neuro.edges import BuiltProjection
from neuro.equations.edge_program import EdgeProgram
from neuro.equations.hoist import CELL, CONSTANT, TIME, Hoister, evaluate
from neuro.equations.names import ELAPSED, WEIGHT, plain_text, printed
from neuro.equations.program import Assignment, needed_for
from neuro.equations.syntax import names_in
from neuro.errors import SimulationError

__all__ = ["PARTS", "EdgePrinter"]

PARTS = (
    "pointer", "segment", "queue", "sender", "target", "source", "ids", "values", "weight",
    "updated", "post_pointer", "post_edge", "constants", "start", "middle", "pre_cells", "stream",
)  # fmt: skip
"""The arrays of a projection, as arguments of its functions and of `run` (with its number)."""

_W = printed("w")


class EdgePrinter:
    """The code of one projection's synapses.

    Args:
        number: Of this projection among those with a program; it names its arrays.
        post, pre: Printers of the target's and the source's cells (None for a Source).
        post_number, pre_number: Of their populations.
        factors: Number of the factor on each parameter that an effect scales; `weight` is that
            of the projection's weight.

    Attributes:
        code: The program in printed names.
        constants: Values of the parameters, then of what was hoisted.
        published: Variables of the source cells that synapses read, in the order of the rows of
            `start` (at the beginning of a step) and `middle` (after the cells' update); in
            printed names.
    """

    def __init__(
        self, number: int, built: BuiltProjection, program: EdgeProgram, post: CellPrinter,
        pre: CellPrinter | None, post_number: int, pre_number: int, factors: Mapping[str, int],
        dt_ms: float,
    ) -> None:  # fmt: skip
        self.number, self.built, self.program = number, built, program
        self.post, self.pre = post, pre
        self.post_number, self.pre_number = post_number, pre_number
        self._on_weight = factors.get("weight")
        self.factors = {printed(name): k for name, k in factors.items() if name != "weight"}
        self._draws = 0
        self._check_reads()
        self.code = program = program.printed()
        varies = {"t": TIME, "dt": CONSTANT, ELAPSED: TIME | CELL, _W: TIME | CELL}
        for name in program.parameters:
            varies[name] = TIME if name in self.factors else CONSTANT
        names = [f"{n}_post" for n in program.reads_post] + [f"{n}_pre" for n in program.reads_pre]
        varies |= dict.fromkeys([*program.variables, *names, WEIGHT], TIME | CELL)
        self._hoister = Hoister(varies)
        self._advance = self._hoisted(program.advance)
        self._step = self._hoisted(program.step)
        self._on_pre = self._hoisted(program.on_pre)
        self._on_post = self._hoisted(program.on_post)
        self._summed = self._hoisted(program.summed)
        self._subexpressions = self._hoisted(program.subexpressions)
        values = {"dt": dt_ms}
        values |= {printed(name): value for name, value in built.edge_parameters.items()}
        for name, expression in self._hoister.bound:
            values[name] = float(evaluate(expression, values))
            if not np.isfinite(values[name]):
                raise SimulationError(
                    f"projection `{built.projection.name}`: the constant "
                    f"{plain_text(expression)} is not finite for these parameters"
                )
        self._constants = list(values)
        self.constants = np.array([float(v) for v in values.values()])
        rows = pre.rows if pre else ()
        self.published = tuple(name for name in program.reads_pre if name in rows)

    def _check_reads(self) -> None:
        for printer, names in (
            (self.post, self.program.reads_post),
            (self.pre, self.program.reads_pre),
        ):
            for name in names:
                if printer and name in printer.inputs:
                    raise SimulationError(
                        f"synapse `{self.program.name}`: back end `numba` cannot let a synapse "
                        f"read `{name}`, an input over time; run it on brian, or read a variable"
                    )  # fmt: skip

    def _hoisted(self, items: Iterable[Assignment]) -> list[Assignment]:
        """Constants taken out of the right-hand sides; the assignments themselves all stay."""
        kept = []
        for name, text in items:
            kept.append((name, self._hoister.expression(text)))
            self._hoister.varies[name] = TIME | CELL
        return kept

    @property
    def parameters(self) -> list[str]:
        """Its arguments of `run`."""
        return [f"edge{self.number}_{part}" for part in PARTS]

    @property
    def needs_middle(self) -> bool:
        """Whether events read source cells after their update in the same step."""
        texts = [text for _, text in [*self.code.on_pre, *self.code.on_post]]
        names = {name for text in texts for name in names_in(text)}
        return any(f"{name}_pre" in names for name in self.published)

    def call(self, name: str, extra: str = "") -> str:
        """A call of one of the functions from `run`."""
        own = ", ".join(self.parameters)
        return (
            f"{name}({extra}step, dt, key, where, S, shared, cells, factors, free, "
            f"hits, found, {own})"
        )

    def _signature(self, name: str, extra: str = "") -> str:
        return (
            f"def {name}({extra}step, dt, key, where, S, shared, cells, factors, free, hits, "
            f"found, {', '.join(PARTS)}):"
        )

    def arrive(self) -> str:
        """`edge_arrive(…)`: what is due in this step arrives."""
        body = self._prologue([self._advance, self._on_pre], "middle")
        body += [
            "    entries = queue[step % (queue.shape[0] - 1)]",
            "    for j__ in range(entries[0]):",
            "        for e__ in range(entries[2 * j__ + 1], entries[2 * j__ + 2]):",
            "            i__ = target[e__]",
            *self._event(self._on_pre, "            "),
            "    entries[0] = 0",
            "    return 0",
        ]
        return "\n".join([self._signature("edge_arrive"), *body])

    def answer(self) -> str:
        """`edge_answer(…)`: the target's cells that spike in this step tell their synapses."""
        body = self._prologue([self._advance, self._on_post], "middle")
        body += [
            f"    for j__ in range(found[{self.post_number}]):",
            "        i__ = hits[at__ + j__]",
            "        for q__ in range(post_pointer[i__], post_pointer[i__ + 1]):",
            "            e__ = post_edge[q__]",
            *self._event(self._on_post, "            "),
            "    return 0",
        ]
        return "\n".join([self._signature("edge_answer"), *body])

    def _event(self, statements: Sequence[Assignment], indent: str) -> list[str]:
        changed = {name[: -len("__new")] for name, _ in self._advance if name.endswith("__new")}
        written = list(dict.fromkeys(name for name, _ in statements))
        reads = [text for _, text in [*self._advance, *statements]]
        loads = self._loads(reads, also=[*changed, *written])
        lines = list(loads)
        if self._advance:
            lines.append(f"{ELAPSED} = (step - updated[e__]) * dt")
            lines.append("updated[e__] = step")
            lines += [f"{name} = {self._text(text)}" for name, text in self._advance]
            lines += [f"{name} = {name}__new" for name in self.code.variables if name in changed]
        held = {f"{n}_post" for n in self.code.writes_post if n in self.post.code.held}
        for name, text in statements:
            taken = f"if {name}__free[i__] != 0: " if name in held else ""
            lines.append(f"{taken}{name} = {self._text(text)}")
        for k, name in enumerate(self.code.variables):
            if name in changed or name in written:
                lines.append(f"values[{k}, e__] = {name}")
        for name in self.code.writes_post:
            if f"{name}_post" in written:
                store = [f"{name}_post__row[i__] = F({name}_post)"]
                if name + LOW in self.post.rows:
                    rest = f"{name}_post - D(F({name}_post))"
                    store.append(f"{name}_post{LOW}__row[i__] = F({rest})")
                if f"{name}_post" in held:
                    store = [f"if {name}_post__free[i__] != 0:", *(f"    {x}" for x in store)]
                lines += store
        return [indent + line for line in lines]

    def step(self) -> str:
        """`edge_step(…)`: the sums over synapses, then the clock-driven variables."""
        body = self._prologue([self._summed, self._step], "start")
        if self._summed:
            for name, _ in self._summed:
                body += [f"    for i__ in range({name}_post__row.size):",
                         f"        {name}_post__row[i__] = F(0.0)"]  # fmt: skip
            body += ["    for e__ in range(target.size):", "        i__ = target[e__]"]
            reads = [text for _, text in self._summed]
            body += [f"        {line}" for line in self._loads(reads)]
            body += [
                f"        {name}_post__row[i__] += F({self._text(text)})"
                for name, text in self._summed
            ]
        if self._step:
            changed = [name[: -len("__new")] for name, _ in self._step if name.endswith("__new")]
            body += ["    for e__ in range(target.size):", "        i__ = target[e__]"]
            loads = self._loads([text for _, text in self._step], also=changed)
            body += [f"        {line}" for line in loads]
            body += [f"        {name} = {self._text(text)}" for name, text in self._step]
            for k, name in enumerate(self.code.variables):
                if name in changed:
                    body.append(f"        values[{k}, e__] = {name}__new")
        body.append("    return 0")
        return "\n".join([self._signature("edge_step"), *body])

    def observe(self, variable: str) -> str:
        """`observe(out, chosen, …)`: write a variable of a block's chosen edges to a row."""
        variable = printed(variable)
        needed = needed_for({variable}, self._subexpressions)
        body = self._prologue([needed], "start")
        body += ["    for j__ in range(chosen.shape[0]):", "        e__ = chosen[j__, 1]",
                 "        i__ = target[e__]"]  # fmt: skip
        loads = self._loads([*(text for _, text in needed), variable])
        body += [f"        {line}" for line in loads]
        body += [f"        {name} = {self._text(text)}" for name, text in needed]
        body += [f"        out[chosen[j__, 0]] = {variable}", "    return 0"]
        return "\n".join([self._signature("observe", "out, chosen, "), *body])

    def _prologue(self, groups: Sequence[Sequence[Assignment]], moment: str) -> list[str]:
        """Rows of cells, and the projection's parameters as they are in this step."""
        program, post = self.code, f"where[{self.post_number}]"
        lines = [f"    n__, at__ = {post}[0], {post}[2]"]
        summed = [name for name, _ in program.summed]
        for name in dict.fromkeys([*program.reads_post, *program.writes_post, *summed]):
            lines += self._post_row(name, post)
        for name in program.reads_pre:
            if name in self.published:
                place = "start[step % 2, {}]" if moment == "start" else "middle[{}]"
                row = place.format(self.published.index(name))
                lines.append(f"    {name}_pre__row = {row}")
            elif self.pre is not None:
                lines += self._pre_parameter(name)
        late = {name for group in groups for _, text in group for name in names_in(text)}
        early = {name for _, text in self._hoister.per_step for name in names_in(text)}
        doubles = [("t", "step * dt")] if "t" in late | early else []
        for k, name in enumerate(self._constants):
            if name in late | early:
                factor = f" * factors[{self.factors[name]}]" if name in self.factors else ""
                doubles.append((name, f"constants[{k}]{factor}"))
        doubles += [(name, in_double(text, str)) for name, text in self._hoister.per_step]
        lines += [f"    {name} = {text}" for name, text in doubles]
        arriving = "1.0" if self._on_weight is None else f"factors[{self._on_weight}]"
        lines.append(f"    arrive__ = {arriving}")
        return lines

    def _post_row(self, name: str, post: str) -> list[str]:
        if name in self.post.rows:
            lines = []
            for row, end in ((name, ""), (name + LOW, LOW)):
                if row in self.post.rows:
                    column = f"{post}[{ROWS_AT + self.post.rows.index(row)}]"
                    lines.append(f"    {name}_post{end}__row = S[{column} : {column} + n__]")
            if name in self.post.code.held and name in self.code.writes_post:
                # The last of them is the one that takes what arrives, beside which `free` runs.
                lines.append(f"    {name}_post__free = free[{column} : {column} + n__]")
            return lines
        factor = self.post.factors.get(name)
        scale = "" if factor is None else f" * factors[{factor}]"
        if name in self.post.shared_names:
            k = self.post.shared_names.index(name)
            return [f"    {name}_post = shared[{post}[4] + {k}]{scale}"]
        begin = f"{post}[3] + {self.post.varied_names.index(name)} * {post}[6]"
        return [
            f"    {name}_post__row = cells[{begin} : {begin} + n__]",
            f"    {name}_post__factor = 1.0{scale}",
        ]

    def _pre_parameter(self, name: str) -> list[str]:
        pre = self.pre
        if pre is None:
            return []
        factor = pre.factors.get(name)
        scale = "" if factor is None else f" * factors[{factor}]"
        if name in pre.shared_names:
            k = pre.shared_names.index(name)
            return [f"    {name}_pre = shared[where[{self.pre_number}, 4] + {k}]{scale}"]
        return [
            f"    {name}_pre__row = pre_cells[{pre.varied_names.index(name)}]",
            f"    {name}_pre__factor = 1.0{scale}",
        ]

    def _loads(self, texts: Sequence[str], also: Sequence[str] = ()) -> list[str]:
        """Everything of one edge and its two cells that these expressions read."""
        names = {name for text in texts for name in names_in(text)} | set(also)
        if WEIGHT in names:
            names.add(_W)
        lines = []
        for k, name in enumerate(self.code.variables):
            if name in names:
                lines.append(f"{name} = values[{k}, e__]")
        if _W in names and _W not in self.code.variables:
            lines.append(f"{_W} = weight[e__]")
        for name in dict.fromkeys([*self.code.reads_post, *self.code.writes_post]):
            if f"{name}_post" in names:
                if name in self.post.varied_names:
                    lines.append(f"{name}_post = {name}_post__row[i__] * {name}_post__factor")
                elif name in self.post.rows:
                    low = (
                        f" + D({name}_post{LOW}__row[i__])" if name + LOW in self.post.rows else ""
                    )
                    lines.append(f"{name}_post = D({name}_post__row[i__]){low}")
        for name in self.code.reads_pre:
            if f"{name}_pre" in names and self.pre is not None:
                if name in self.published:
                    lines.append(f"{name}_pre = {name}_pre__row[source[e__]]")
                elif name in self.pre.varied_names:
                    lines.append(f"{name}_pre = {name}_pre__row[source[e__]] * {name}_pre__factor")
        return lines

    def _text(self, expression: str) -> str:
        def draw(kind: str) -> str:
            self._draws += 1
            function = "uniform" if kind == "rand" else "normal"
            return f"{function}(key, stream + {self._draws - 1}, ids[e__], step)"

        def named(name: str) -> str:
            return f"({_W} * arrive__)" if name == WEIGHT else name

        return in_double(expression, named, draw)
