"""Print the time loop of one population as a kernel for the CPU, and that loop backwards.

`forward` runs all steps of a block of cells before it turns to the next, so that their states
stay in the cache, and leaves the states of every so many steps. `backward` takes these segments
from the last to the first: it steps through one again, keeps its states in the cache, and then
goes through it in reverse. Backpropagation through time so needs neither the states of all steps
nor anything that was computed in them (Griewank & Walther 2000, checkpointing).
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from neuro.backends.norse._adjoint import SLOPES, Adjoint
from neuro.backends.norse._straight import Line, NotStraight, Reader, text
from neuro.backends.norse.cells import CellStep

__all__ = ["Kernel", "print_kernel"]

_BLOCK = 512  # cells at a time: engineering choice; their states over a segment fit a cache of 1 MB

_HEADER = '''"""Time loop of `{name}` and its adjoint, printed from its step."""

from math import exp, sqrt, tanh

import numpy as np
from numba import njit
from numpy import {dtype} as F, int64
'''


@dataclass(frozen=True)
class Kernel:
    """What was printed, and what it is called with.

    Attributes:
        source: A module with `forward` and `backward`.
        bound: Names of the constants it reads, in order.
        trained: Those whose gradients `backward` sums up, in order.
    """

    source: str
    bound: tuple[str, ...]
    trained: tuple[str, ...]


def print_kernel(
    cell: CellStep, *, port: int | None, drive: str, added: bool, output: str,
    wide: Sequence[str], trained: Sequence[str],
) -> Kernel:  # fmt: skip
    """The loop of a cell over what comes in.

    Args:
        port: Where it arrives; None if it drives the cells.
        drive: What it drives then; a parameter is `added` to.
        output: The state to give out; spikes if empty.
        wide: Bound names with a value for each cell.
        trained: Bound names whose gradients are wanted.

    Raises:
        NotStraight: if it cannot be printed, saying why.
    """
    lines, reader, ends = _step(cell, port, drive, added)
    n_states = len(cell.program.states)
    out = ends[0]
    if output:
        if output not in cell.program.states:
            raise NotStraight(f"`{output}` is no state")
        out = ends[1][cell.program.states.index(output)]
    bound, known = tuple(reader.bound), dict.fromkeys(reader.bound)
    names = tuple(name for name in trained if name in known)
    surrogate = cell.surrogate
    seeds = [*dict.fromkeys([out, *ends[1]])]
    wanted = ["given", *(f"s{k}" for k in range(n_states)), *(f"b_{name}" for name in names)]
    back = Adjoint(
        lines, wanted, seeds, surrogate.method, surrogate.sharpness, cell.scales,
        not cell.reset_gradient,
    )  # fmt: skip
    rows = _Rows(n_states, [name for name in bound if name in wide], names)
    flags = (["last"] if cell.initial().last else []) + (["free"] if cell.initial().free else [])
    load = [f"s{k} = {rows.state(k)}" for k in range(n_states)]
    load += [f"{flag} = {flag}_[j]" for flag in flags]
    load += ["last = last != 0"] if _condition(cell) and "last" in flags else []
    load += [f"b_{name} = {row}" for name, row in rows.wide.items()]
    load += [f"given = {rows.given}", *(f"{line.name} = {_line(line)}" for line in lines)]
    store = [f"{rows.state(k)} = {end}" for k, end in enumerate(ends[1])]
    store += [f"{flag}_[j] = {end}" for flag, end in zip(("last", "free"), ends[2:], strict=True)
              if flag in flags]  # fmt: skip
    arguments = ", ".join(f"{'w' if name in wide else 'b'}_{name}" for name in bound)
    dtype = str(cell.dtype).removeprefix("torch.")
    starts = _seeds(seeds, out, ends[1], rows)
    source = "\n".join([
        _HEADER.format(name=cell.program.name, dtype=dtype), "",
        *_forward(arguments, rows, flags, [*load, *store, f"{rows.out} = {out}"]), "", "",
        *_backward(arguments, rows, flags, load, store, [*load, *starts, *back.printed]),
    ])  # fmt: skip
    return Kernel(source + "\n", bound, names)


class _Rows:
    """Where each value of a block lies: in one array, so that the compiler sees no overlap.

    It then computes several cells at once.
    """

    def __init__(self, n_states: int, wide: Sequence[str], trained: Sequence[str]) -> None:
        self.n_states = n_states
        names = [f"state {k}" for k in range(n_states)] + [f"slope {k}" for k in range(n_states)]
        names += ["given", "out", "told", "handed"]
        names += [f"wide {name}" for name in wide] + [f"sum {name}" for name in trained]
        self._at = {name: f"rows[{k}, j]" for k, name in enumerate(names)}
        self.size = len(names)
        self.given, self.out, self.told, self.handed = (
            self._at[name] for name in ("given", "out", "told", "handed")
        )
        self.wide = {name: self._at[f"wide {name}"] for name in wide}
        self.sums = {name: self._at[f"sum {name}"] for name in trained}

    def state(self, k: int) -> str:
        return self._at[f"state {k}"]

    def slope(self, k: int) -> str:
        return self._at[f"slope {k}"]

    def begin(self, flags: Sequence[str]) -> list[str]:
        """The first lines of a function."""
        types = {"last": "int64", "free": "np.bool_"}
        lines = [f"    rows = np.empty(({self.size}, {_BLOCK}), F)"]
        return [*lines, *(f"    {f}_ = np.empty({_BLOCK}, {types[f]})" for f in flags)]


def _condition(cell: CellStep) -> bool:
    return cell._printed.conditional


def _step(
    cell: CellStep, port: int | None, drive: str, added: bool
) -> tuple[list[Line], Reader, tuple[str, list[str], str, str]]:
    """One step in the order of `EmberCell`: deliver, update, reset."""
    surrogate = cell.surrogate
    if surrogate.method not in SLOPES or surrogate.by_chance:
        raise NotStraight(f"its threshold is `{surrogate.method}`")
    program = cell.program
    if not program.states:
        raise NotStraight("it has no state")
    if slow := cell._printed.slow:
        raise NotStraight(f"`{slow[0]}` is held in double precision")
    functions = {
        each.name: each for each in ast.parse(cell.source).body if isinstance(each, ast.FunctionDef)
    }
    reader = Reader(functions, [f"s{k}" for k in range(len(program.states))], {})
    reader.name_truth("free")
    if _condition(cell):
        reader.name_truth("last")
    if port is not None:
        amounts = reader.read(f"arrive_{port}", {"w__arriving": "given"})
        for (state, _), (amount,) in zip(program.deliveries[port], amounts, strict=True):
            at = program.states.index(state)
            if state in program.held:
                amount = ast.Call(
                    ast.Name("select"), [ast.Name("free"), amount, ast.Constant(0.0)], []
                )
            total = ast.BinOp(ast.Name(reader.states[at]), ast.Add(), amount)
            reader.states[at] = reader.add("arrived", total)
    elif added:
        reader.bound[drive] = None
        driven = ast.BinOp(ast.Name(f"b_{drive}"), ast.Add(), ast.Name("given"))
        reader.inputs = {drive: reader.add("driven", driven)}
    else:
        reader.inputs = {drive: "given"}
    [spiked], states, last, free = reader.read("update", {})
    reader.states = [reader.add("stepped", each) for each in states]
    silent = isinstance(spiked, ast.Constant)
    spikes = reader.add("spikes", ast.Constant(0.0) if silent else spiked)
    ends = [reader.add("state", each) for each in last + free]
    if program.reset and not silent:
        values = reader.read("reset", {"z__": spikes})
        reader.states = [reader.add("after", value) for (value,) in values]
    # Each end has a name of its own, whose derivative is given from outside.
    own = [f"e{k}" for k in range(len(reader.states))]
    lines = [*reader.lines]
    lines += [Line(name, ast.Name(state)) for name, state in zip(own, reader.states, strict=True)]
    ended = iter(ends)
    return lines, reader, (
        spikes, own, next(ended) if last else "last", next(ended) if free else "free",
    )  # fmt: skip


def _line(line: Line) -> str:
    match line.value:
        case ast.Call(ast.Name("cross"), [high, low, ast.Constant(strict), _]):
            sign = ">" if strict else ">="
            return f"F(1.0) if {text(high)} {sign} {text(low)} else F(0.0)"
    return text(line.value)


def _seeds(
    seeds: Sequence[str], out: str, ends: Sequence[str], rows: _Rows
) -> list[str]:  # fmt: skip
    """Where derivatives begin: at what is given out, and at the states a step leaves."""
    found = []
    for name in seeds:
        parts = [rows.told] if name == out else []
        parts += [rows.slope(k) for k, end in enumerate(ends) if end == name]
        found.append(f"d_{name} = {' + '.join(parts)}")
    return found


def _each(by: int, lines: Sequence[str]) -> list[str]:
    """A loop over the block's cells for each line, so that none waits for another."""
    space = " " * by
    return [each for line in lines for each in (f"{space}for j in range(width):",
                                                f"{space}    {line}")]  # fmt: skip


def _together(by: int, lines: Sequence[str]) -> list[str]:
    """One loop over the block's cells."""
    return [" " * by + "for j in range(width):", *(" " * (by + 4) + line for line in lines)]


def _swapped(lines: Sequence[str]) -> list[str]:
    return [f"{right} = {left}" for left, right in (line.split(" = ") for line in lines)]


def _saved(rows: _Rows, flags: Sequence[str], name: str, index: str, cell: str) -> list[str]:
    """States and flags as they are put by."""
    comma = ", " if index else ""
    lines = [f"{name}[{index}{comma}{k}, {cell}] = {rows.state(k)}" for k in range(rows.n_states)]
    return [*lines, *(f"{name}_{flag}[{index}{comma}{cell}] = {flag}_[j]" for flag in flags)]


def _forward(
    arguments: str, rows: _Rows, flags: Sequence[str], step: Sequence[str]
) -> list[str]:  # fmt: skip
    ends = _saved(rows, flags, "ends", "", "begin + j")
    return [
        "@njit(error_model='numpy', nogil=True)",
        "def forward(lo, hi, first, every, x, out, kept, kept_last, kept_free, ends, ends_last,",
        f"            ends_free, {arguments}):",
        *rows.begin(flags),
        f"    for begin in range(lo, hi, {_BLOCK}):",
        f"        width = min({_BLOCK}, hi - begin)",
        *_each(8, [*_swapped(ends), *_wide(rows)]),
        "        for t in range(x.shape[0]):",
        "            if t % every == 0:",
        "                part = t // every",
        *_each(16, _saved(rows, flags, "kept", "part", "begin + j")),
        "            step = int64(first + t)",
        *_each(12, [f"{rows.given} = x[t, begin + j]"]),
        *_together(12, step),
        *_each(12, [f"out[t, begin + j] = {rows.out}"]),
        *_each(8, ends),
    ]


def _wide(rows: _Rows) -> list[str]:
    return [f"{row} = w_{name}[begin + j]" for name, row in rows.wide.items()]


def _backward(
    arguments: str, rows: _Rows, flags: Sequence[str], load: Sequence[str], store: Sequence[str],
    back: Sequence[str],
) -> list[str]:  # fmt: skip
    kept = _swapped(_saved(rows, flags, "kept", "part", "begin + j"))
    trace = _saved(rows, flags, "trace", "k", "j")
    slopes = [f"slopes[{s}, begin + j] = {rows.slope(s)}" for s in range(rows.n_states)]
    sums = [f"sums[{k}, begin + j] = {row}" for k, row in enumerate(rows.sums.values())]
    ends = [f"{rows.slope(s)} = d_s{s}" for s in range(rows.n_states)]
    ends += [f"{row} += d_b_{name}" for name, row in rows.sums.items()]
    types = {"last": "int64", "free": "np.bool_"}
    return [
        "@njit(error_model='numpy', nogil=True)",
        "def backward(lo, hi, first, every, x, known, by, kept, kept_last, kept_free, slopes,",
        f"             sums, {arguments}):",
        *rows.begin(flags),
        f"    trace = np.empty((every, {rows.n_states}, {_BLOCK}), F)",
        *(f"    trace_{flag} = np.empty((every, {_BLOCK}), {types[flag]})" for flag in flags),
        f"    for begin in range(lo, hi, {_BLOCK}):",
        f"        width = min({_BLOCK}, hi - begin)",
        *_each(8, [*_swapped(slopes), *_swapped(sums), *_wide(rows)]),
        "        for part in range(kept.shape[0] - 1, -1, -1):",
        "            start = part * every",
        "            stop = min(start + every, x.shape[0])",
        *_each(12, kept),
        "            for t in range(start, stop):",
        "                k = t - start",
        *_each(16, trace),
        "                if t + 1 < stop:",
        "                    step = int64(first + t)",
        *_each(20, [f"{rows.given} = x[t, begin + j]"]),
        *_together(20, [*load, *store]),
        "            for t in range(stop - 1, start - 1, -1):",
        "                k = t - start",
        "                step = int64(first + t)",
        *_each(16, [*_swapped(trace), f"{rows.given} = x[t, begin + j]",
                    f"{rows.told} = known[t, begin + j]"]),
        *_together(16, [*back, *ends, f"{rows.handed} = d_given"]),
        *_each(16, [f"by[t, begin + j] = {rows.handed}"]),
        *_each(8, [*slopes, *sums]),
    ]  # fmt: skip
