"""Print the kernel of one network: a loop over steps that calls its populations' functions.

Every block of cells runs the loop by itself, on a thread of its own. In each step it (1) updates
its cells and finds those that spike, (2) takes delivery of what is due, (3) resets. This is the
order of Brian2's schedule (groups, thresholds, synapses, resets). No spike arrives sooner than
the shortest delay, so the blocks meet only that often, to enter each other's spikes in their
queues: by step, then by sender, so that the order does not depend on how many blocks there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neuro.backends.numba.cells import ROWS_AT, CellPrinter
from neuro.backends.numba.edge_printer import EdgePrinter
from neuro.backends.numba.layout import Layout
from neuro.backends.numba.plan import BackgroundPlan, TablePlan
from neuro.build import Built

__all__ = ["Plan", "print_kernel", "queue_names"]

_HEADER = '''"""{title}: generated from its equations; every number is an argument."""

from math import acos as arccos, asin as arcsin, atan as arctan, cos, sin, sqrt, tan
from math import {doubles}

from numba import njit
from numpy import {real} as F
from numpy import float64 as D
from numpy import int32, int64

from neuro.backends.numba.delivery import (
    collect, deliver, factors_of, push, sample,
)
from neuro.backends.numba.intrinsics import await_all, select
from neuro.backends.numba.mathematics import FLOAT32, FLOAT64, clip
from neuro.backends.numba.random import normal{bits} as normal, poisson_input, rare_input, uniform
from neuro.compiled import kept
'''
_DOUBLES = ("acos", "asin", "atan", "cos", "sin", "sqrt", "tan")
_IN_TEXT = {"acos": "arccos", "asin": "arcsin", "atan": "arctan"}
_FAMILY = (
    "exp", "expm1", "log", "exprel", "tanh", "sinh", "cosh", "log10", "whole", "floor", "ceil",
    "sign",
    "square", "cube",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What the loop does besides stepping cells; numbers are those of populations and tables."""

    tables: tuple[TablePlan, ...]
    edges: tuple[EdgePrinter, ...]
    backgrounds: tuple[BackgroundPlan, ...]
    records: tuple[tuple[bool, int, str], ...]  # of edges, which, variable


def queue_names(plan: Plan) -> list[str]:
    """Arguments of `run` that it may replace by larger arrays, which it returns."""
    edges = [f"edge{edge.number}_queue" for edge in plan.edges]
    return [f"queue_{k}" for k in range(len(plan.tables))] + edges


def print_kernel(built: Built, layout: Layout, printers: Sequence[CellPrinter], plan: Plan) -> str:
    """The source of a module with one function `run`, of whose arguments each block has its own."""
    functions: dict[str, str] = {}

    def named(kind: str, source: str) -> str:
        """One function for all populations whose code is the same."""
        if source not in functions:
            functions[source] = f"{kind}_{len(functions)}"
        return functions[source]

    calls = _Calls(built, layout, printers, plan)
    n = len(printers)
    parameters = calls.parameters()
    observations = []
    for number, (of_edges, k, variable) in enumerate(plan.records):
        row = f"trace_{number}[step // every_{number} - frame_{number}], chosen_{number}, "
        if of_edges:
            name = named("observe", plan.edges[k].observe(variable))
            call = plan.edges[k].call(name, row)
        else:
            name = named("observe", printers[k].observe(variable))
            call = f"{name}({row}{calls.arguments(k)})"
        observations += [f"if step % every_{number} == 0:", f"    {call}"]
    modulators = []
    if built.network.transmitters or layout.modulators.factor_keys:
        modulators = [
            "factors_of(concentration, receptors, effects, factors)",
            "if block == 0 and step % course_every == 0:",
            "    sample(step // course_every - course_frame, concentration, courses)",
            "    sample(step // course_every - course_frame, factors, factor_courses)",
        ]
    updates, resets = [], []
    for k, printer in enumerate(printers):
        update = named("update", printer.update())
        updates += [
            f"if where[{k}, 0]:",
            f"    if {update}({calls.arguments(k)}):",
            f"        odd = {k} + 1",
        ]
        if printer.program.threshold:
            updates.append(
                f"    found[{k}] = collect(where[{k}, 0], where[{k}, 2], fired, fired_words, hits)"
            )
        if printer.program.reset:
            reset = named("reset", printer.reset())
            resets += [f"if found[{k}]:", f"    {reset}(found[{k}], {calls.arguments(k)})"]
    steps, arrivals, answers = [], [], []
    for edge in plan.edges:
        program = edge.program
        if program.summed or program.step:
            steps.append(edge.call(named("edge_step", edge.step())))
        if program.on_pre:
            arrivals.append(edge.call(named("edge_arrive", edge.arrive())))
        if program.on_post:
            answers.append(edge.call(named("edge_answer", edge.answer())))
    body = [
        *modulators,
        *observations,
        *steps,
        *updates,
        *calls.publish("middle"),
        *calls.deliveries(),
        *calls.backgrounds(),
        *arrivals,
        *answers,
        *resets,
        *calls.posts(),
        *calls.publish("start"),
    ]
    run = [
        "@kept\n@njit(error_model='numpy', nogil=True, no_cfunc_wrapper=True)",
        "def run(",
        *(f"    {line}," for line in _wrapped(parameters)),
        "):",
        "    odd = 0",
        "    met = 0",
        "    posted = 0",
        "    begin = first",
        "    while begin < stop:",
        "        end = min(begin + batch, stop)",
        "        for step in range(begin, end):",
        *(f"            {line}" for line in body),
        "        if odd and signals[1 + block] == 0:",
        "            signals[1 + block] = end * 65536 + odd",
        "        met += n_blocks",
        "        await_all(signals, met)",
        "        for step in range(begin, end):",
        *(f"            {line}" for line in (calls.pushes() + calls.releases() or ["pass"])),
        "        for other in range(n_blocks):",
        # Another block may be a batch ahead already: what it met there is not for now.
        "            if signals[1 + other] != 0 and signals[1 + other] // 65536 <= end:",
        "                stop = end",
        "        begin = end",
        f"    return ({', '.join(['stop', *queue_names(plan)])},)",
    ]
    bits = "32" if layout.real.__name__ == "float32" else "64"
    doubles = ", ".join(f"{d} as {_IN_TEXT.get(d, d)}__64" for d in _DOUBLES)
    header = _HEADER.format(
        title=f"Kernel of {n} population{'' if n == 1 else 's'}", doubles=doubles,
        real=layout.real.__name__, bits=bits,
    )  # fmt: skip
    words = [f'{name} = FLOAT{bits}["{name}"]' for name in _FAMILY]
    words += [f'{name}__64 = FLOAT64["{name}"]' for name in _FAMILY]
    words += [f"{name}__64 = {name}" for name in ("abs", "clip")]
    parts = [header, "\n".join(words)]
    for source, name in functions.items():
        kind = name.rsplit("_", 1)[0]
        parts.append(
            "@njit(error_model='numpy', no_cpython_wrapper=True, no_cfunc_wrapper=True)\n"
            + source.replace(f"def {kind}(", f"def {name}(", 1)
        )
    parts.append("\n".join(run))
    return "\n\n".join(parts) + "\n"


def _wrapped(names: Sequence[str]) -> list[str]:
    return [", ".join(names[k : k + 8]) for k in range(0, len(names), 8)]


class _Calls:
    """The lines of `run` that name its arrays; array k belongs to population or table k."""

    def __init__(
        self, built: Built, layout: Layout, printers: Sequence[CellPrinter], plan: Plan
    ) -> None:
        self.built = built
        self.layout = layout
        self.printers = printers
        self.plan = plan
        self.populations = {p.built.name: k for k, p in enumerate(printers)}
        self.drives: Mapping[tuple[str, str], int] = {
            (d.population, d.variable): k for k, d in enumerate(built.network.drives)
        }

    def parameters(self) -> list[str]:
        """The arguments of `run`, in order."""
        names = [
            "block", "n_blocks", "first", "stop", "batch", "dt", "key", "signals", "where", "S",
            "shared", "cells", "last", "fired", "fired_words", "free", "hits", "found", "units",
            "ends", "source_units", "source_ends", "factors",
        ]  # fmt: skip
        if self.built.network.transmitters or self.layout.modulators.factor_keys:
            names += [
                "concentration", "baseline", "decay", "per_spike", "release", "released",
                "receptors", "effects", "courses", "factor_courses", "course_every",
                "course_frame",
            ]  # fmt: skip
        for k in range(len(self.built.network.drives)):
            names += [f"drive_{k}", f"drive_every_{k}"]
        for k in range(len(self.plan.tables)):
            names += [f"{part}_{k}" for part in ("pointer", "segment", "target", "weight", "queue")]
            names.append(f"sender_{k}")
        for k in range(len(self.plan.records)):
            names += [f"{part}_{k}" for part in ("trace", "chosen", "every", "frame")]
        for k in range(len(self.plan.backgrounds)):
            names += [f"{part}_{k}" for part in ("lowest", "ladder", "arriving", "stream")]
        if self.plan.backgrounds:
            names += ["words", "count"]
        for edge in self.plan.edges:
            names += edge.parameters
        return names

    def arguments(self, k: int) -> str:
        """What the functions of population k are called with."""
        parts = [f"step, dt, key, where[{k}], S, shared, cells, factors, last, fired, free, hits"]
        for name in self.printers[k].inputs:
            d = self.drives[self.printers[k].built.name, name]
            parts.append(f"drive_{d}, min(step // drive_every_{d}, drive_{d}.shape[0] - 1)")
        return ", ".join(parts)

    def deliveries(self) -> list[str]:
        lines = []
        for k, table in enumerate(self.plan.tables):
            factor = f"F(factors[{table.factor}])" if table.factor >= 0 else "F(1.0)"
            free = "free" if table.awake else "None"
            lines.append(f"deliver(step, queue_{k}, target_{k}, weight_{k}, {factor}, S, {free})")
        return lines

    def backgrounds(self) -> list[str]:
        lines = []
        for k, background in enumerate(self.plan.backgrounds):
            population, state, factor = background[:3]
            scale = f" * F(factors[{factor}])" if factor >= 0 else ""
            printer = self.printers[population]
            number = ROWS_AT + printer.rows.index(printer.acted_row(state))
            column = f"where[{population}, {number}]"
            held = state in self.printers[population].program.held
            end = f"{column} + where[{population}, 6]"
            taking = f"free[{column} : {end}]" if held else "free[:0]"
            call = f"S[{column} : {end}], where[{population}, 1], step, key, stream_{k}"
            what = f"ladder_{k}, arriving_{k}{scale}, words"
            if background.rare:
                lines.append(f"rare_input({call}, {what}, {taking})")
            else:
                lines.append(f"poisson_input({call}, lowest_{k}, {what}, count, {taking})")
        return lines

    def posts(self) -> list[str]:
        """Write down this block's spikes of the step, population by population."""
        lines = []
        for k, printer in enumerate(self.printers):
            if printer.program.threshold:
                number = f"where[{k}, 1] + {self.layout.senders[printer.built.name]}"
                lines += [
                    f"for j in range(found[{k}]):",
                    f"    units[block, posted] = hits[where[{k}, 2] + j] + {number}",
                    "    posted += 1",
                ]
            lines.append(f"ends[block, step - first, {k + 1}] = posted")
        lines.append("ends[block, step - first + 1, 0] = posted")
        return lines

    def pushes(self) -> list[str]:
        lines = []
        for k, table in enumerate(self.plan.tables):
            call = f"sender_{k}, pointer_{k}, segment_{k}, queue_{k})"
            for p in table.populations:
                if self.printers[p].program.threshold:
                    lines += [
                        "for other in range(n_blocks):",
                        f"    queue_{k} = push(step, units[other], ends[other, step - first, {p}], "
                        f"ends[other, step - first, {p + 1}], {call}",
                    ]
            if table.sources:
                lines.append(
                    f"queue_{k} = push(step, source_units, source_ends[step - first], "
                    f"source_ends[step - first + 1], {call}"
                )
        for edge in self.plan.edges:
            own = f"edge{edge.number}_"
            queue = f"{own}queue"
            call = f"{own}sender, {own}pointer, {own}segment, {queue})"
            p = edge.pre_number
            if edge.pre is None:
                lines.append(
                    f"{queue} = push(step, source_units, source_ends[step - first], "
                    f"source_ends[step - first + 1], {call}"
                )
            elif edge.pre.program.threshold:
                lines += [
                    "for other in range(n_blocks):",
                    f"    {queue} = push(step, units[other], ends[other, step - first, {p}], "
                    f"ends[other, step - first, {p + 1}], {call}",
                ]
        return lines

    def releases(self) -> list[str]:
        lines = []
        for k, transmitter in enumerate(self.built.network.transmitters):
            base = f"baseline[{k}, step - first]"
            lines.append(
                f"concentration[{k}] = {base} + (concentration[{k}] - {base}) * decay[{k}]"
            )
            if transmitter.released_by:
                p = self.populations[transmitter.released_by]
                lines += [
                    "number = 0",
                    "for other in range(n_blocks):",
                    f"    number += ends[other, step - first, {p + 1}] - "
                    f"ends[other, step - first, {p}]",
                    f"released[{k}, step % released.shape[1]] = number",
                    f"concentration[{k}] += per_spike[{k}] * "
                    f"released[{k}, (step + 1 - release[{k}]) % released.shape[1]]",
                ]
        return lines

    def publish(self, moment: str) -> list[str]:
        """Show other blocks the variables of source cells that synapses read."""
        lines = []
        for edge in self.plan.edges:
            if not edge.published or (moment == "middle" and not edge.needs_middle):
                continue
            where = f"where[{edge.pre_number}]"
            place = f"edge{edge.number}_{moment}"
            index = "(step + 1) % 2, " if moment == "start" else ""
            for k, name in enumerate(edge.published):
                value = self.printers[edge.pre_number].row_value(name, "i", where)
                lines += [
                    f"for i in range({where}[0]):",
                    f"    {place}[{index}{k}, {where}[1] + i] = {value}",
                ]
        if moment == "middle" and lines:
            lines += ["met += n_blocks", "await_all(signals, met)"]
        return lines
