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

_BLOCK = 256  # cells at a time: engineering choice; their states over a segment fit a cache of 1 MB

_HEADER = '''"""Time loop of `{name}` and its adjoint, printed from its step."""

from math import exp, sqrt, tanh

import numpy as np
from numba import njit
from numpy import {dtype} as F, int32
'''

_LOAD = """\
state = np.empty(({rows}, {block}), F)
last_ = np.empty({block}, int32)
free_ = np.empty({block}, np.bool_)
"""


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
    strict_lines = [f"{line.name} = {_line(line)}" for line in lines]
    load = [f"s{k} = state[{k}, j]" for k in range(n_states)]
    load += ["last = last_[j]" if not _condition(cell) else "last = last_[j] != 0"]
    load += ["free = free_[j]"]
    load += [f"b_{name} = w_{name}[begin + j]" for name in bound if name in wide]
    store = [f"state[{k}, j] = {end}" for k, end in enumerate(ends[1])]
    store += [f"last_[j] = {ends[2]}", f"free_[j] = {ends[3]}"]
    arguments = ", ".join(f"{'w' if name in wide else 'b'}_{name}" for name in bound)
    dtype = str(cell.dtype).removeprefix("torch.")
    fill = {"rows": n_states, "block": _BLOCK}
    source = "\n".join([
        _HEADER.format(name=cell.program.name, dtype=dtype), "",
        *_forward(arguments, fill, n_states, [*load, "given = now[j]", *strict_lines, *store,
                                              f"gave[j] = {out}"]),
        "", "",
        *_backward(arguments, fill, n_states, [*load, "given = now[j]", *strict_lines], store,
                   _seeds(seeds, out, ends[1]), back.printed, names),
    ])  # fmt: skip
    return Kernel(source + "\n", bound, names)


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


def _seeds(seeds: Sequence[str], out: str, ends: Sequence[str]) -> list[str]:
    """Where derivatives begin: at what is given out, and at the states a step leaves."""
    found = []
    for name in seeds:
        parts = ["told[j]"] if name == out else []
        parts += [f"slope[{k}, j]" for k, end in enumerate(ends) if end == name]
        found.append(f"d_{name} = {' + '.join(parts)}")
    return found


def _indented(lines: Sequence[str], by: int) -> list[str]:
    return [" " * by + line for line in lines]


def _restored(n_states: int) -> list[str]:
    lines = [f"state[{k}, j] = kept[part, {k}, begin + j]" for k in range(n_states)]
    return [
        *lines,
        "last_[j] = kept_last[part, begin + j]",
        "free_[j] = kept_free[part, begin + j]",
    ]


def _forward(arguments: str, fill: dict[str, int], n_states: int, step: Sequence[str]) -> list[str]:
    keep = [f"kept[part, {k}, begin + j] = state[{k}, j]" for k in range(n_states)]
    keep += ["kept_last[part, begin + j] = last_[j]", "kept_free[part, begin + j] = free_[j]"]
    begin = [line.replace("kept[part, ", "ends[").replace("_last[part, ", "_last[")
             .replace("_free[part, ", "_free[").replace("kept_", "ends_")
             for line in _restored(n_states)]  # fmt: skip
    end = [f"{right} = {left}" for left, right in (line.split(" = ") for line in begin)]
    return [
        "@njit(error_model='numpy', nogil=True)",
        "def forward(lo, hi, first, every, x, out, kept, kept_last, kept_free, ends, ends_last,",
        f"            ends_free, {arguments}):",
        *_indented(_LOAD.format(**fill).splitlines(), 4),
        "    for begin in range(lo, hi, {block}):".format(**fill),
        "        width = min({block}, hi - begin)".format(**fill),
        "        for j in range(width):",
        *_indented(begin, 12),
        "        for t in range(x.shape[0]):",
        "            if t % every == 0:",
        "                part = t // every",
        "                for j in range(width):",
        *_indented(keep, 20),
        "            step = int32(first + t)",
        "            now = x[t, begin:begin + width]",
        "            gave = out[t, begin:begin + width]",
        "            for j in range(width):",
        *_indented(step, 16),
        "        for j in range(width):",
        *_indented(end, 12),
    ]


def _backward(
    arguments: str, fill: dict[str, int], n_states: int, step: Sequence[str],
    store: Sequence[str], seeds: Sequence[str], back: Sequence[str], names: Sequence[str],
) -> list[str]:  # fmt: skip
    keep = [f"trace[k, {s}, j] = state[{s}, j]" for s in range(n_states)]
    keep += ["trace_last[k, j] = last_[j]", "trace_free[k, j] = free_[j]"]
    reload = [f"{right} = {left}" for left, right in (line.split(" = ") for line in keep)]
    slopes = [f"slope[{s}, j] = d_s{s}" for s in range(n_states)]
    sums = [f"sums[{k}, begin + j] += d_b_{name}" for k, name in enumerate(names)]
    return [
        "@njit(error_model='numpy', nogil=True)",
        "def backward(lo, hi, first, every, x, known, by, kept, kept_last, kept_free, slopes,",
        f"             sums, {arguments}):",
        *_indented(_LOAD.format(**fill).splitlines(), 4),
        "    slope = np.empty(({rows}, {block}), F)".format(**fill),
        "    trace = np.empty((every, {rows}, {block}), F)".format(**fill),
        "    trace_last = np.empty((every, {block}), int32)".format(**fill),
        "    trace_free = np.empty((every, {block}), np.bool_)".format(**fill),
        "    for begin in range(lo, hi, {block}):".format(**fill),
        "        width = min({block}, hi - begin)".format(**fill),
        "        for j in range(width):",
        *_indented([f"slope[{s}, j] = slopes[{s}, begin + j]" for s in range(n_states)], 12),
        "        for part in range(kept.shape[0] - 1, -1, -1):",
        "            start = part * every",
        "            stop = min(start + every, x.shape[0])",
        "            for j in range(width):",
        *_indented(_restored(n_states), 16),
        "            for t in range(start, stop):",
        "                k = t - start",
        "                for j in range(width):",
        *_indented(keep, 20),
        "                if t + 1 < stop:",
        "                    step = int32(first + t)",
        "                    now = x[t, begin:begin + width]",
        "                    for j in range(width):",
        *_indented([*step, *store], 24),
        "            for t in range(stop - 1, start - 1, -1):",
        "                k = t - start",
        "                step = int32(first + t)",
        "                now = x[t, begin:begin + width]",
        "                told = known[t, begin:begin + width]",
        "                handed = by[t, begin:begin + width]",
        "                for j in range(width):",
        *_indented(reload, 20),
        *_indented([*step, *seeds, *back, *slopes, *sums, "handed[j] = d_given"], 20),
        "        for j in range(width):",
        *_indented([f"slopes[{s}, begin + j] = slope[{s}, j]" for s in range(n_states)], 12),
    ]  # fmt: skip
