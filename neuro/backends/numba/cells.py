"""Print one population's update, reset and observation as Python that Numba compiles.

The loop over cells holds no branch and one precision, so that LLVM turns it into vector
instructions. The model's names are those of `neuro.equations.names.printed`; all others are the
kernel's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from neuro.backends.numba.wording import in_double, in_kernel
from neuro.build import BuiltPopulation
from neuro.equations.hoist import CELL, CONSTANT, TIME, Hoister, evaluate
from neuro.equations.names import plain_text, printed
from neuro.equations.program import Assignment
from neuro.equations.syntax import is_condition, names_in
from neuro.errors import SimulationError

__all__ = ["CellPrinter"]

_HEADER = 7  # columns of `where` before the rows of S; see layout.HEADER


class CellPrinter:
    """The code of one population, and the values that the code reads.

    Attributes:
        shared: `(n_shared,)` values equal for all cells: parameters, then hoisted constants.
        cells: `(n_varied, n)` values that differ between cells.
        inputs: Names of the driven inputs, in the order of the functions' last arguments.
        code: The program in printed names.
        shared_names, varied_names: What their entries and rows are, in printed names.
        rows: Names of the population's rows of `S`, in printed names.

    `acted_on` are the states that spikes change from outside.
    """

    def __init__(
        self, built: BuiltPopulation, dt_ms: float, factors: Mapping[str, int],
        acted_on: Sequence[str],
    ) -> None:  # fmt: skip
        self.built, self.program = built, built.program
        self.code = program = built.program.printed()
        self._guarded = [printed(name) for name in built.program.held if name in acted_on]
        self.factors = {printed(name): number for name, number in factors.items()}
        self.inputs = tuple(built.program.inputs)
        self.rows = (*program.states, *program.summed)
        self._parameters = {printed(name): value for name, value in built.parameters.items()}
        varies = {"t": TIME, "dt": CONSTANT, "N": CONSTANT, "i": CELL}
        for name, value in self._parameters.items():
            varies[name] = (CELL if np.ndim(value) else 0) | (TIME if name in self.factors else 0)
        for name in self.inputs:
            wide = np.ndim(built.drives[name].values) == 2
            varies[printed(name)] = TIME | (CELL if wide else 0)
        varies |= dict.fromkeys(self.rows, TIME | CELL)
        self._given = dict(varies)
        self._hoister = Hoister(varies)
        self._draws = 0

        self._active = self._hoister.assignments(program.active)
        self._resting = self._hoister.assignments(program.resting)
        self._threshold_uses = self._needed(names_in(program.threshold or "0"))
        self._threshold = self._hoister.expression(program.threshold)
        self.conditional = bool(program.refractory) and is_condition(program.refractory)
        self._refractory_uses = self._needed(names_in(program.refractory or "0"))
        self._refractory = ""
        if self.conditional:
            self._refractory = self._hoister.expression(program.refractory)
        elif program.refractory:
            # Brian2's `timestep`, so that both back ends hold a cell for the same steps.
            steps = f"floor(({program.refractory})/dt + 0.001)"
            self._refractory = self._hoister.expression(steps)
        self._place(dt_ms)

    def _needed(self, names: set[str]) -> list[Assignment]:
        """Subexpressions that must be computed before these names can be read, in order."""
        needed: list[Assignment] = []
        for name, expression in reversed(self.code.subexpressions):
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
            **self._parameters,
            "dt": dt_ms, "N": float(n), "i": np.arange(n, dtype=np.float64),
        }  # fmt: skip
        for name, expression in self._hoister.bound:
            values[name] = evaluate(expression, values)
            if not np.isfinite(values[name]).all():
                raise SimulationError(
                    f"population `{self.built.name}`: the constant {plain_text(expression)} is "
                    f"not finite for these parameters; where two time constants coincide, change "
                    f"one a little or give the model `method: exponential_euler`"
                )
        kept = [*self._parameters, *(name for name, _ in self._hoister.bound), "dt", "N"]
        self.shared_names = [name for name in kept if np.ndim(values[name]) == 0]
        self.varied_names = [name for name in kept if np.ndim(values[name]) == 1]
        self.shared = np.array([float(values[name]) for name in self.shared_names])
        self.cells = np.array([values[name] for name in self.varied_names]).reshape(-1, n)

    @property
    def arguments(self) -> str:
        """Parameters that the three functions share, after their first ones."""
        drives = "".join(f", {name}__in, {name}__at" for name in self.code.inputs)
        return f"step, dt, key, where, S, shared, cells, factors, last, fired, free, hits{drives}"

    def update(self) -> str:
        """`update(…)`: step all cells; whether a state stopped being finite."""
        texts = [*self._active, *self._resting, *self._threshold_uses, *self._refractory_uses]
        names = {n for _, text in texts for n in names_in(text)}
        names |= names_in(self._threshold or "0") | names_in(self._refractory or "0")
        written = [name[: -len("__new")] for name, _ in self._active if name.endswith("__new")]
        body = self._prologue(names | set(written))
        timed = bool(self._refractory)
        if self._threshold:
            body.append("    fired__row = fired[at__ : at__ + n__]")
        if timed:
            body.append("    last__row = last[at__ : at__ + n__]")
            body.append("    now__ = int32(step)")
        body += [f"    {name}__free = free[{self._address(name)}]" for name in self._guarded]
        loop = self._loads(names | set(written))
        loop += [f"{name} = {self._text(text)}" for name, text in self._refractory_uses]
        if self.conditional:
            loop.append(f"awake__ = (last__row[i__] <= 0) | (not ({self._text(self._refractory)}))")
        elif timed and self._same_for_all(self._refractory):
            # One comparison of 32-bit numbers; the time is a whole number of steps.
            body.append(f"    latest__ = int32(step - int64({self._text(self._refractory)}))")
            loop.append("awake__ = last__row[i__] <= latest__")
        elif timed:
            loop.append(f"awake__ = F(step - last__row[i__]) >= {self._text(self._refractory)}")
        loop += self._stepping(written)
        if self._threshold:
            loop += [f"{name} = {self._text(text)}" for name, text in self._threshold_uses]
            condition = self._text(self._threshold)
            loop.append(f"spikes__ = {'awake__ & ' if timed else ''}({condition})")
            loop.append("fired__row[i__] = spikes__")
        if self.conditional:
            loop.append("last__row[i__] = select(spikes__ | (not awake__), int32(1), int32(0))")
        elif timed:
            loop.append("last__row[i__] = select(spikes__, now__, last__row[i__])")
        loop += [f"{name}__free[i__] = awake__ & (not spikes__)" for name in self._guarded]
        loop += [f"{name}__row[i__] = {name}" for name in written]
        if written:  # a sum is finite if all its terms are; and only then x - x is 0
            loop.append(f"all__ = {' + '.join(written)}")
            loop.append("odd__ = odd__ | ((all__ - all__) != F(0.0))")
        body += ["    odd__ = False", "    for i__ in range(n__):"]
        body += [f"        {line}" for line in loop or ["pass"]]
        body.append("    return odd__")
        return "\n".join([f"def update({self.arguments}):", *body])

    def _same_for_all(self, expression: str) -> bool:
        varies = self._hoister.varies
        return not any(varies.get(name, CONSTANT) & CELL for name in names_in(expression))

    def _stepping(self, written: Sequence[str]) -> list[str]:
        """The step; where a refractory cell steps otherwise, both are computed and one is taken."""
        lines = [f"{name} = {self._text(text)}" for name, text in self._active]
        if not self._resting:
            return lines + [f"{name} = {name}__new" for name in written]
        active, other = dict(self._active), dict[str, str]()
        for name, text in self._resting:
            for old, new in other.items():
                text = _renamed(text, old, new)
            if active.get(name) != text:
                other[name] = f"{name}__rest"
                lines.append(f"{name}__rest = {self._text(text)}")
        for name in written:
            result = f"{name}__new"
            if result in other:
                lines.append(f"{name} = select(awake__, {result}, {other[result]})")
            else:
                lines.append(f"{name} = {result}")
        return lines

    def reset(self) -> str:
        """`reset(found, …)`: apply the reset to the cells of a block that spiked."""
        names = {name for _, text in self.code.reset for name in names_in(text)}
        assigned = {name for name, _ in self.code.reset}
        written = [name for name in self.code.states if name in assigned]
        body = self._prologue(names | set(written), per_step=False)
        body += ["    for j__ in range(found):", "        i__ = hits[at__ + j__]"]
        loop = self._loads(names | set(written))
        loop += [f"{n} = {self._text(e)}" for n, e in self.code.reset]
        loop += [f"{name}__row[i__] = {name}" for name in written]
        body += [f"        {line}" for line in loop]
        body.append("    return found")
        return "\n".join([f"def reset(found, {self.arguments}):", *body])

    def observe(self, variable: str) -> str:
        """`observe(out, chosen, …)`: write a variable of a block's chosen cells to a row."""
        variable = printed(variable)
        names = {variable}
        uses = self._needed(names)
        names |= {n for _, text in uses for n in names_in(text)}
        body = self._prologue(names, per_step=False)
        body += ["    for j__ in range(chosen.shape[0]):", "        i__ = chosen[j__, 1]"]
        loop = self._loads(names)
        loop += [f"{n} = {self._text(e)}" for n, e in uses]
        loop.append(f"out[chosen[j__, 0]] = {variable}")
        body += [f"        {line}" for line in loop]
        body.append("    return 0")
        return "\n".join([f"def observe(out, chosen, {self.arguments}):", *body])

    def _address(self, row: str) -> str:
        column = _HEADER + self.rows.index(row)
        return f"where[{column}] : where[{column}] + n__"

    def _prologue(self, names: set[str], *, per_step: bool = True) -> list[str]:
        """Everything that is read or computed once a call: rows, shared values, the clock."""
        early: set[str] = set()  # read in double precision, by what is computed once a step
        late = set(names)
        if per_step:
            for _, text in self._hoister.per_step:
                early |= names_in(text)
        lines = ["    n__, first__, at__, stream__ = where[0], where[1], where[2], where[5]"]
        lines += [f"    {n}__row = S[{self._address(n)}]" for n in self.rows if n in names]
        for k, name in enumerate(self.varied_names):
            if name in names:
                begin = f"where[3] + {k} * where[6]"
                lines.append(f"    {name}__row = cells[{begin} : {begin} + n__]")
                if name in self.factors:
                    lines.append(f"    {name}__factor = F(factors[{self.factors[name]}])")
        doubles: list[tuple[str, str]] = []
        if "t" in early | late:
            doubles.append(("t", "step * dt"))
        for k, name in enumerate(self.shared_names):
            if name in early | late:
                factor = f" * factors[{self.factors[name]}]" if name in self.factors else ""
                doubles.append((name, f"shared[where[4] + {k}]{factor}"))
        for name in self.code.inputs:
            if not self._given[name] & CELL:
                if name in early | late:
                    doubles.append((name, f"{name}__in[{name}__at, 0]"))
            elif name in late:
                lines.append(f"    {name}__row = {name}__in[{name}__at, first__ : first__ + n__]")
        if per_step:
            doubles += [(name, in_double(text)) for name, text in self._hoister.per_step]
        for name, text in doubles:
            lines.append(f"    {name}__64 = {text}")
            if name in late:
                lines.append(f"    {name} = F({name}__64)")
        return lines

    def _loads(self, names: set[str]) -> list[str]:
        """Everything that is read once a cell."""
        lines = [f"{name} = {name}__row[i__]" for name in self.rows if name in names]
        for name in self.varied_names:
            if name in names:
                factor = f" * {name}__factor" if name in self.factors else ""
                lines.append(f"{name} = {name}__row[i__]{factor}")
        for name in self.code.inputs:
            if name in names and self._given[name] & CELL:
                lines.append(f"{name} = {name}__row[i__]")
        if "i" in names:
            lines.append("i = F(first__ + i__)")
        return lines

    def _text(self, expression: str) -> str:
        """An expression in the kernel's words: draws get a stream of their own."""

        def draw(name: str) -> str:
            self._draws += 1  # at most 256 a population
            function = "uniform" if name == "rand" else "normal"
            return f"{function}(key, stream__ + {self._draws - 1}, first__ + i__, step)"

        return in_kernel(expression, draw)


def _renamed(text: str, old: str, new: str) -> str:
    return re.sub(rf"\b{old}\b", new, text)
