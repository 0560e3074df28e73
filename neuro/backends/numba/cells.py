"""Print one population's update, reset and observation as Python that Numba compiles.

The loop over cells holds no branch, so that LLVM turns it into vector instructions. In a kernel of
single precision a slow state (`neuro.equations.increments`) is two numbers, the second of which
takes what rounds away from the first, and what arrives from outside. What single precision cannot
hold is computed in double (`neuro.backends.numba.wording`), and so is the reset, which few cells
take in one step. The model's names are those of `neuro.equations.names.printed`; all others are
the kernel's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from neuro.backends.numba.wording import Words, in_double
from neuro.build import BuiltPopulation
from neuro.equations.hoist import CELL, CONSTANT, TIME, Hoister, evaluate
from neuro.equations.increments import CHANGE, changes_apart, slow_states
from neuro.equations.names import plain_text, printed
from neuro.equations.program import Assignment, needed_for
from neuro.equations.syntax import is_condition, names_in
from neuro.errors import SimulationError

__all__ = ["LOW", "ROWS_AT", "CellPrinter"]

ROWS_AT = 8
"""Columns of `where` before the rows of S; see `layout.HEADER`."""
LOW = "__low"
"""Ends the name of the row that holds the second number of a slow state."""


class CellPrinter:
    """The code of one population, and the values that the code reads.

    Args:
        factors: Number of the factor on each parameter that an effect scales.
        acted_on: States that spikes change from outside.
        real: The kernel's precision.

    Attributes:
        code: The program in printed names.
        slow: The states that are two numbers each.
        shared: `(n_shared,)` values equal for all cells: parameters, then hoisted constants.
        cells: `(n_varied, n)` values that differ between cells.
        inputs: Names of the driven inputs, in the order of the functions' last arguments.
        shared_names, varied_names: What their entries and rows are, in printed names.
        rows: Names of the population's rows of `S`, in printed names.
    """

    def __init__(
        self, built: BuiltPopulation, dt_ms: float, factors: Mapping[str, int],
        acted_on: Sequence[str], real: type[np.floating] = np.float32,
    ) -> None:  # fmt: skip
        self.built, self.program = built, built.program
        self.code = program = built.program.printed()
        self.slow: tuple[str, ...] = ()
        if real is np.float32:
            still = {n: x for n, x in built.parameters.items() if n not in factors}
            self.slow = slow_states(built.program, {**still, "dt": dt_ms, "N": float(built.n)})
        self._slow = tuple(map(printed, self.slow))
        self._guarded = [printed(name) for name in built.program.held if name in acted_on]
        self.factors = {printed(name): number for name, number in factors.items()}
        self.inputs = tuple(built.program.inputs)
        self.rows = (*program.states, *program.summed, *(name + LOW for name in self._slow))
        self._parameters = {printed(name): value for name, value in built.parameters.items()}
        varies = {"t": TIME, "dt": CONSTANT, "N": CONSTANT, "i": CELL}
        for name, value in self._parameters.items():
            varies[name] = (CELL if np.ndim(value) else 0) | (TIME if name in self.factors else 0)
        for name in self.inputs:
            wide = np.ndim(built.drives[name].values) == 2
            varies[printed(name)] = TIME | (CELL if wide else 0)
        varies |= dict.fromkeys(self.rows, TIME | CELL)
        self._given = dict(varies)
        self._hoister = Hoister(varies, names_truths=False)
        self._draws = 0
        self._doubles = {"t"}  # variables of the loop that are in double precision
        self._words = Words(self._draw, self._double, self._doubles)

        active, resting = changes_apart(self._slow, program.active, program.resting)
        self._active = self._hoister.assignments(active)
        self._resting = self._hoister.assignments(resting)
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
        self._doubles |= self._hoister.times()
        self._place(dt_ms)

    def _needed(self, names: set[str]) -> list[Assignment]:
        """Subexpressions that must be computed before these names can be read, in order."""
        needed = needed_for(names, self.code.subexpressions)
        self._hoister.varies |= dict.fromkeys((name for name, _ in needed), TIME | CELL)
        return needed

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

    def acted_row(self, state: str) -> str:
        """The row of `S`, in printed names, to which spikes add what they bring a state."""
        name = printed(state)
        return name + LOW if name in self._slow else name

    def row_value(self, row: str, at: str, where: str) -> str:
        """Element `at` of a row of `S` in double precision, given the population's `where`."""
        parts = [row, row + LOW] if row in self._slow else [row]
        columns = (f"{where}[{ROWS_AT + self.rows.index(part)}]" for part in parts)
        return " + ".join(f"D(S[{column} + {at}])" for column in columns)

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
        written = list(self.code.states)
        body = self._prologue(names | set(written))
        timed = bool(self._refractory)
        if self._threshold:
            body.append("    fired__row = fired[at__ : at__ + n__]")
        if timed:
            body.append("    last__row = last[at__ : at__ + n__]")
            body.append("    now__ = int32(step - where[7])")
        for name in self._guarded:
            row = name + LOW if name in self._slow else name
            body.append(f"    {name}__free = free[{self._address(row)}]")
        loop = self._loads(names | set(written))
        loop += [self._line(name, text) for name, text in self._refractory_uses]
        if self.conditional:
            condition = self._words.condition(self._refractory)
            loop.append(f"awake__ = (last__row[i__] <= 0) | (not ({condition}))")
        elif timed and self._same_for_all(self._refractory):
            # One comparison of 32-bit numbers; the time is a whole number of steps.
            steps = in_double(self._refractory, self._double)
            body.append(f"    latest__ = int32(now__ - int64({steps}))")
            loop.append("awake__ = last__row[i__] <= latest__")
        elif timed:
            steps, _ = self._words.text(self._refractory)
            loop.append(f"awake__ = F(now__ - last__row[i__]) >= {steps}")
        loop += self._stepping(written)
        if self._threshold:
            loop += [self._line(name, text) for name, text in self._threshold_uses]
            condition = self._words.condition(self._threshold)
            loop.append(f"spikes__ = {'awake__ & ' if timed else ''}({condition})")
            loop.append("fired__row[i__] = spikes__")
        if self.conditional:
            loop.append("last__row[i__] = select(spikes__ | (not awake__), int32(1), int32(0))")
        elif timed:
            loop.append("last__row[i__] = select(spikes__, now__, last__row[i__])")
        loop += [f"{name}__free[i__] = awake__ & (not spikes__)" for name in self._guarded]
        loop += [f"{name}__row[i__] = {name}" for name in written]
        loop += [f"{name}{LOW}__row[i__] = {name}{LOW}" for name in self._slow]
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

    def _line(self, name: str, text: str, *, called: str = "", wide: bool = False) -> str:
        """An assignment of the loop over cells; what ends a step comes in the kernel's precision.

        Args:
            called: What to call it, if not by its name.
            wide: Whether it must be in double precision.
        """
        value, is_wide = self._words.text(text, wide=wide)
        if name.endswith(CHANGE) and is_wide:
            value, is_wide = f"F({value})", False
        if is_wide:
            self._doubles.add(called or name)
        return f"{called or name} = {value}"

    def _stepping(self, written: Sequence[str]) -> list[str]:
        """The step; where a refractory cell steps otherwise, both are computed and one is taken."""
        whole = {f"{x}__new" for x in self._slow}  # the change alone cannot be read off these
        lines = [self._line(name, text, wide=name in whole) for name, text in self._active]
        active, other = dict(self._active), dict[str, str]()
        for name, text in self._resting:
            for old, new in other.items():
                text = _renamed(text, old, new)
            if active.get(name) != text:
                other[name] = f"{name}__rest"
                lines.append(self._line(name, text, called=other[name], wide=name in whole))
        for x in written:
            result = x + CHANGE if x + CHANGE in active else f"{x}__new"
            value = f"select(awake__, {result}, {other[result]})" if result in other else result
            if result in whole:
                lines += [f"{x}__both = {value}", f"{x} = F({x}__both)"]
                lines += [f"{x}{LOW} = F({x}__both - D({x}))", f"{x}__high = {x}"]
            elif x in self._slow:
                lines += _two_sum(x, value)
            else:
                lines.append(f"{x} = F({value})")
        return lines

    def reset(self) -> str:
        """`reset(found, …)`: apply the reset to the cells of a block that spiked."""
        names = {name for _, text in self.code.reset for name in names_in(text)}
        assigned = {name for name, _ in self.code.reset}
        written = [name for name in self.code.states if name in assigned]
        body = self._prologue(names | set(written), double=True)
        body += ["    for j__ in range(found):", "        i__ = hits[at__ + j__]"]
        loop = self._loads(names | set(written), double=True)
        loop += [f"{n} = {in_double(e, str, self._draw)}" for n, e in self.code.reset]
        for name in written:
            loop.append(f"{name}__row[i__] = F({name})")
            if name in self._slow:
                loop.append(f"{name}{LOW}__row[i__] = F({name} - D(F({name})))")
        body += [f"        {line}" for line in loop]
        body.append("    return found")
        return "\n".join([f"def reset(found, {self.arguments}):", *body])

    def observe(self, variable: str) -> str:
        """`observe(out, chosen, …)`: write a variable of a block's chosen cells to a row."""
        variable = printed(variable)
        names = {variable}
        uses = self._needed(names)
        names |= {n for _, text in uses for n in names_in(text)}
        body = self._prologue(names, double=True)
        body += ["    for j__ in range(chosen.shape[0]):", "        i__ = chosen[j__, 1]"]
        loop = self._loads(names, double=True)
        loop += [f"{n} = {in_double(e, str, self._draw)}" for n, e in uses]
        loop.append(f"out[chosen[j__, 0]] = {variable}")
        body += [f"        {line}" for line in loop]
        body.append("    return 0")
        return "\n".join([f"def observe(out, chosen, {self.arguments}):", *body])

    def _address(self, row: str) -> str:
        column = ROWS_AT + self.rows.index(row)
        return f"where[{column}] : where[{column}] + n__"

    def _prologue(self, names: set[str], *, double: bool = False) -> list[str]:
        """Everything that is read or computed once a call: rows, shared values, the clock.

        Args:
            double: Variables are in double precision alone, and nothing was taken out of the loop.
        """
        early: set[str] = set()  # read in double precision, by what is computed once a step
        late = set(names)
        if not double:
            for _, text in self._hoister.per_step:
                early |= names_in(text)
        lines = ["    n__, first__, at__, stream__ = where[0], where[1], where[2], where[5]"]
        for n in self.rows:
            if n.removesuffix(LOW) in names:
                lines.append(f"    {n}__row = S[{self._address(n)}]")
        for k, name in enumerate(self.varied_names):
            if name in names:
                begin = f"where[3] + {k} * where[6]"
                lines.append(f"    {name}__row = cells[{begin} : {begin} + n__]")
                if name in self.factors:
                    lines.append(f"    {name}__factor = factors[{self.factors[name]}]")
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
                    doubles.append((name, f"D({name}__in[{name}__at, 0])"))
            elif name in late:
                lines.append(f"    {name}__row = {name}__in[{name}__at, first__ : first__ + n__]")
        if double:
            return lines + [f"    {name} = {text}" for name, text in doubles]
        doubles += [(n, in_double(text, "{}__64".format)) for n, text in self._hoister.per_step]
        for name, text in doubles:
            lines.append(f"    {name}__64 = {text}")
            if name in late and name != "t":
                lines.append(f"    {name} = F({name}__64)")
        return lines

    def _loads(self, names: set[str], *, double: bool = False) -> list[str]:
        """Everything that is read once a cell."""
        lines = []
        for name in (*self.code.states, *self.code.summed):
            if name not in names:
                continue
            if name not in self._slow:
                value = f"{name}__row[i__]"
                lines.append(f"{name} = D({value})" if double else f"{name} = {value}")
            elif double:
                lines.append(f"{name} = D({name}__row[i__]) + D({name}{LOW}__row[i__])")
            else:
                lines.append(f"{name}__high = {name}__row[i__]")
                lines.append(f"{name}{LOW} = {name}{LOW}__row[i__]")
                lines.append(f"{name} = {name}__high + {name}{LOW}")
        for name in self.varied_names:
            if name in names:
                factor = f" * {name}__factor" if name in self.factors else ""
                lines.append(f"{name if double else name + '__64'} = {name}__row[i__]{factor}")
                if not double:
                    lines.append(f"{name} = F({name}__64)")
        for name in self.code.inputs:
            if name in names and self._given[name] & CELL:
                value = f"{name}__row[i__]"
                lines.append(f"{name} = D({value})" if double else f"{name} = {value}")
        if "i" in names:
            lines.append(f"i = {'D' if double else 'F'}(first__ + i__)")
        return lines

    def _double(self, name: str) -> str:
        """A variable of the loop over cells in double precision."""
        if name in self._doubles - self._hoister.times():
            return name
        if name in self._slow:
            return f"(D({name}__high) + D({name}{LOW}))"
        once = {"t", *self.shared_names, *(n for n, _ in self._hoister.per_step)}
        once |= {n for n in self.code.inputs if not self._given[n] & CELL}
        if name in once or name in self.varied_names:
            return f"{name}__64"
        return "D(first__ + i__)" if name == "i" else f"D({name})"

    def _draw(self, kind: str) -> str:
        """The next draw, with a stream of its own; at most 256 a population."""
        self._draws += 1
        function = "uniform" if kind == "rand" else "normal"
        return f"{function}(key, stream__ + {self._draws - 1}, first__ + i__, step)"


def _two_sum(x: str, change: str) -> list[str]:
    """Add a change to a slow state; what rounds away stays in its second number.

    Exact where the state is larger than its change, and else to the rounding of the change
    (Dekker 1971, Numer Math 18:224).
    """
    return [
        f"{x}__more = {x}{LOW} + {change}",
        f"{x} = {x}__high + {x}__more",
        f"{x}{LOW} = {x}__more - ({x} - {x}__high)",
        f"{x}__high = {x}",
    ]


def _renamed(text: str, old: str, new: str) -> str:
    return re.sub(rf"\b{old}\b", new, text)
