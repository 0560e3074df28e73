"""Print one population's update, reset and observation as Python that Numba compiles."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from neuro.build import BuiltPopulation
from neuro.equations.hoist import CELL, CONSTANT, TIME, Hoister, evaluate
from neuro.equations.program import Assignment
from neuro.equations.syntax import CONSTANTS, names_in
from neuro.errors import SimulationError

__all__ = ["CellPrinter"]

_REFRACTORY = "refractory__"


class CellPrinter:
    """The code of one population, and the arrays that the code reads.

    Attributes:
        shared: `(n_shared,)` values equal for all cells: parameters, then hoisted constants.
        cells: `(n_varied, n)` values that differ between cells.
        inputs: Names of the driven inputs, in the order of the functions' last arguments.
    """

    def __init__(self, built: BuiltPopulation, dt_ms: float, factors: Mapping[str, int]) -> None:
        self.built = built
        self.program = built.program
        self.factors = factors
        self.inputs = tuple(built.program.inputs)
        varies = {"t": TIME, "dt": CONSTANT, "N": CONSTANT, "i": CELL}
        for name, value in built.parameters.items():
            varies[name] = (CELL if np.ndim(value) else 0) | (TIME if name in factors else 0)
        for name in self.inputs:
            wide = np.ndim(built.drives[name].values) == 2
            varies[name] = TIME | (CELL if wide else 0)
        varies |= dict.fromkeys(self.program.states, TIME | CELL)
        self._given = dict(varies)
        self._hoister = Hoister(varies)
        self._draws = 0

        program = self.program
        self._active = self._hoister.assignments(program.active)
        self._resting = self._hoister.assignments(program.resting)
        self._threshold_uses = self._needed(names_in(program.threshold or "0"))
        self._threshold = self._hoister.expression(program.threshold)
        self._refractory = ""
        if program.refractory:
            # Brian2's `timestep`, so that both back ends hold a cell for the same steps.
            steps = f"floor(({program.refractory})/dt + 0.001)"
            self._refractory = self._hoister.expression(steps)
        self._place(dt_ms)

    def _needed(self, names: set[str]) -> list[Assignment]:
        """Subexpressions that must be computed before these names can be read, in order."""
        needed: list[Assignment] = []
        for name, expression in reversed(self.program.subexpressions):
            if name in names:
                needed.append((name, expression))
                names = names | names_in(expression)
        for name, _ in needed:
            self._hoister.varies[name] = TIME | CELL
        return needed[::-1]

    def _place(self, dt_ms: float) -> None:
        """Compute what is constant, and lay it out in the two arrays."""
        n = self.built.n
        values: dict[str, float | NDArray[np.float64]] = {
            **self.built.parameters,
            "dt": dt_ms, "N": float(n), "i": np.arange(n, dtype=np.float64),
        }  # fmt: skip
        for name, expression in self._hoister.bound:
            values[name] = evaluate(expression, values)
            if not np.isfinite(values[name]).all():
                raise SimulationError(
                    f"population `{self.built.name}`: the constant {expression} is not finite for "
                    f"these parameters; where two time constants coincide, change one a little "
                    f"or give the model `method: exponential_euler`"
                )
        kept = [*self.built.parameters, *(name for name, _ in self._hoister.bound)]
        self._shared = [name for name in kept if np.ndim(values[name]) == 0]
        self._varied = [name for name in kept if np.ndim(values[name]) == 1]
        self.shared = np.array([float(values[name]) for name in self._shared])
        self.cells = np.array([values[name] for name in self._varied]).reshape(-1, n)

    def _signature(self, first: str) -> str:
        drives = "".join(f", {name}__in, {name}__at" for name in self.inputs)
        return (
            f"{first}, step, dt, key, stream, S, shared, cells, factors, last, free, hits{drives}"
        )

    def update(self) -> str:
        """`update(lo, hi, …)`: step the cells of a block; the number that spiked."""
        names = {n for _, text in [*self._active, *self._resting, *self._threshold_uses]
                 for n in names_in(text)} | names_in(self._threshold or "0")  # fmt: skip
        names |= names_in(self._refractory or "0")
        names |= {name for name, _ in self._hoister.per_step}
        body = self._prologue(names)
        body.append("    found = 0")
        body.append("    for i in range(lo, hi):")
        body += self._loads(names, "        ")
        indent = "        "
        if self._refractory:
            body.append(f"        awake = step - last[i] >= {self._text(self._refractory)}")
            body.append("        free[i] = awake")
        if self._refractory and self._resting:
            body.append("        if awake:")
            body += self._step(self._active, "            ")
            body.append("        else:")
            body += self._step(self._resting, "            ")
        else:
            body += self._step(self._active, indent)
        if self._threshold:
            body += [f"{indent}{n} = {self._text(e)}" for n, e in self._threshold_uses]
            condition = self._text(self._threshold)
            body.append(f"        if {'awake and ' if self._refractory else ''}({condition}):")
            body.append("            hits[lo + found] = i")
            body.append("            found += 1")
            if self._refractory:
                body.append("            last[i] = step")
                body.append("            free[i] = False")
        if body[-1].endswith("hi):"):
            body.append("        pass")
        body.append("    return found")
        return "\n".join([f"def update({self._signature('lo, hi')}):", *body])

    def _step(self, assignments: Sequence[Assignment], indent: str) -> list[str]:
        lines = [f"{indent}{name} = {self._text(text)}" for name, text in assignments]
        written = [name[: -len("__new")] for name, _ in assignments if name.endswith("__new")]
        lines += [f"{indent}{name} = {name}__new" for name in written]
        lines += [f"{indent}{name}__row[i] = {name}" for name in written]
        return lines

    def reset(self) -> str:
        """`reset(lo, found, …)`: apply the reset to the cells of a block that spiked."""
        names = {name for _, text in self.program.reset for name in names_in(text)}
        uses = self._needed(names)
        names |= {n for _, text in uses for n in names_in(text)}
        written = list(dict.fromkeys(name for name, _ in self.program.reset))
        body = self._prologue(names | set(written), per_step=False)
        body += ["    for j in range(found):", "        i = hits[lo + j]"]
        body += self._loads(names, "        ")
        body += [f"        {n} = {self._text(e)}" for n, e in [*uses, *self.program.reset]]
        body += [f"        {name}__row[i] = {name}" for name in written]
        body.append("    return found")
        return "\n".join([f"def reset({self._signature('lo, found')}):", *body])

    def observe(self, variable: str) -> str:
        """`observe(out, chosen, …)`: write a variable of the chosen cells to a row of `out`."""
        names = {variable}
        uses = self._needed(names)
        names |= {n for _, text in uses for n in names_in(text)}
        body = self._prologue(names, per_step=False)
        body += ["    for j in range(chosen.size):", "        i = chosen[j]"]
        body += self._loads(names, "        ")
        body += [f"        {n} = {self._text(e)}" for n, e in uses]
        body.append(f"        out[j] = {variable}")
        body.append("    return 0")
        return "\n".join([f"def observe({self._signature('out, chosen')}):", *body])

    def _prologue(self, names: set[str], *, per_step: bool = True) -> list[str]:
        """Everything that is read or computed once a call: rows, shared values, the clock."""
        lines = ["    t = step * dt"] if "t" in names else []
        if per_step:
            reads = {n for _, text in self._hoister.per_step for n in names_in(text)}
            if "t" in reads and "t" not in names:
                lines.append("    t = step * dt")
            names = names | reads
        lines += [f"    {name}__row = S[{k}]" for k, name in enumerate(self.program.states)]
        for k, name in enumerate(self._shared):
            if name in names:
                factor = f" * factors[{self.factors[name]}]" if name in self.factors else ""
                lines.append(f"    {name} = shared[{k}]{factor}")
        for name in self.inputs:
            if name in names and not self._given[name] & CELL:
                lines.append(f"    {name} = {name}__in[{name}__at, 0]")
        if "N" in names:
            lines.append(f"    N = {float(self.built.n)}")
        if per_step:
            lines += [f"    {n} = {self._text(text)}" for n, text in self._hoister.per_step]
        return lines

    def _loads(self, names: set[str], indent: str) -> list[str]:
        """Everything that is read once a cell."""
        lines = [
            f"{indent}{name} = {name}__row[i]"
            for name in self.program.states
            if name in names or name + "__new" in {n for n, _ in self._active}
        ]
        for k, name in enumerate(self._varied):
            if name in names:
                factor = f" * factors[{self.factors[name]}]" if name in self.factors else ""
                lines.append(f"{indent}{name} = cells[{k}, i]{factor}")
        lines += [
            f"{indent}{name} = {name}__in[{name}__at, i]"
            for name in self.inputs
            if name in names and self._given[name] & CELL
        ]
        return lines

    def _text(self, expression: str) -> str:
        """An expression in the kernel's words: draws get a stream of their own."""
        tree = ast.parse(expression, mode="eval").body
        return ast.unparse(_Draws(self).visit(tree))

    def next_draw(self) -> int:
        """A number for each place in the text that draws; at most 256 a population."""
        self._draws += 1
        return self._draws - 1


class _Draws(ast.NodeTransformer):
    def __init__(self, printer: CellPrinter) -> None:
        self._printer = printer

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in ("rand", "randn"):
            function = "uniform" if name == "rand" else "normal"
            place = self._printer.next_draw()
            return ast.parse(f"{function}(key, stream + {place}, i, step)", mode="eval").body
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in CONSTANTS and node.id not in self._printer._hoister.varies:
            return ast.Constant(CONSTANTS[node.id])
        return node
