"""Print the kernel of one network: a loop over steps that calls its populations' functions.

In each step every block of cells, by itself, (1) updates and finds its spikes, (2) takes
delivery of what is due, (3) resets. Delays are at least a step, so nothing in a step depends on
another block; the blocks then meet once, to join their spikes in order of cells. This is the
order of Brian2's schedule (groups, thresholds, synapses, resets).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neuro.backends.numba.cells import CellPrinter
from neuro.backends.numba.layout import Layout
from neuro.backends.numba.random import stream_of
from neuro.build import Built

__all__ = ["print_kernel"]

_HEADER = '''"""{title}: generated from its equations; every number is an argument."""

from math import acos as arccos, asin as arcsin, atan as arctan, ceil, cos, cosh, exp, floor
from math import log, log10, sin, sinh, sqrt, tan, tanh

from numba import njit, prange

from neuro.backends.numba.kernel import clip, deliver, deliver_free, exprel, factors_of, gather
from neuro.backends.numba.kernel import sample, sign
from neuro.backends.numba.random import normal, uniform
'''

_INNER = "@njit(error_model='numpy', no_cpython_wrapper=True, no_cfunc_wrapper=True)\n"


def print_kernel(
    built: Built,
    layout: Layout,
    printers: Sequence[CellPrinter],
    records: Sequence[tuple[int, str]],
    *,
    parallel: bool,
) -> str:
    """The source of a module with one function `run`.

    Args:
        records: (population, variable) of each trace that is kept.
        parallel: Spread blocks over threads.
    """
    functions: dict[str, str] = {}

    def named(kind: str, source: str) -> str:
        """One function for all populations whose code is the same."""
        if source not in functions:
            functions[source] = f"{kind}_{len(functions)}"
        return functions[source]

    calls = _Calls(built, layout, printers)
    per_block: list[str] = []
    updates = [named("update", printer.update()) for printer in printers]
    resets = [named("reset", p.reset()) if p.program.reset else "" for p in printers]
    for k, name in enumerate(updates):
        low, high = f"bounds[{k}][b]", f"bounds[{k}][b + 1]"
        per_block.append(f"found[{k}][b] = {name}({low}, {high}, {calls.arguments(k)})")
    per_block += calls.deliveries()
    for k, name in enumerate(resets):
        if name:
            per_block.append(f"{name}(bounds[{k}][b], found[{k}][b], {calls.arguments(k)})")
    observations = []
    for number, (k, variable) in enumerate(records):
        name = named("observe", printers[k].observe(variable))
        observations += [
            f"if step % every[{number}] == 0:",
            f"    {name}(traces[{number}][step // every[{number}]], chosen[{number}], "
            f"{calls.arguments(k)})",
        ]
    space = " and ".join(
        f"out_n[{k}] + {p.built.n} <= out_unit[{k}].size" for k, p in enumerate(printers)
    )
    body = [
        f"if not ({space or 'True'}):",
        "    return step",
        "factors_of(concentration, receptors, effects, factors)",
        "if step % course_every == 0:",
        "    sample(step // course_every, concentration, courses)",
        "    sample(step // course_every, factors, factor_courses)",
        *observations,
        f"for b in {'prange' if parallel else 'range'}({layout.n_blocks}):",
        *(f"    {line}" for line in per_block or ["pass"]),
        *calls.gathers(),
        *calls.releases(),
    ]
    run = [
        f"@njit(error_model='numpy', cache=True, parallel={parallel})",
        "def run(",
        "    first, stop, dt, key, S, shared, cells, last, free, hits, bounds, found, rings,",
        "    ring_n, pointer, target, weight, delays, source_step, source_unit, source_at, drives,",
        "    drive_every, concentration, baseline, decay, per_spike, release, receptors, effects,",
        "    factors, courses, factor_courses, course_every, traces, chosen, every, out_unit,",
        "    out_step, out_n,",
        "):",
        "    for step in range(first, stop):",
        *(f"        {line}" for line in body),
        "    return stop",
    ]
    parts = [_HEADER.format(title=f"Kernel of {len(printers)} populations")]
    for source, name in functions.items():
        kind = name.rsplit("_", 1)[0]
        parts.append(
            "@njit(error_model='numpy', no_cpython_wrapper=True, no_cfunc_wrapper=True)\n"
            + source.replace(f"def {kind}(", f"def {name}(", 1)
        )
    parts.append("\n".join(run))
    return "\n\n".join(parts) + "\n"


class _Calls:
    """The lines of `run` that name its arrays; array k belongs to population or sender k."""

    def __init__(self, built: Built, layout: Layout, printers: Sequence[CellPrinter]) -> None:
        self.built = built
        self.layout = layout
        self.printers = printers
        self.populations = {p.built.name: k for k, p in enumerate(printers)}
        self.senders = {
            name: k
            for k, name in enumerate([*self.populations, *(s.source.name for s in built.sources)])
        }
        self.drives: Mapping[tuple[str, str], int] = {
            (d.population, d.variable): k for k, d in enumerate(built.network.drives)
        }
        self.factors = {key: k for k, key in enumerate(layout.modulators.factor_keys)}

    def arguments(self, k: int) -> str:
        printer = self.printers[k]
        stream = stream_of(printer.built.name)
        parts = [
            f"step, dt, key, {stream}, S[{k}], shared[{k}], cells[{k}], factors, last[{k}], "
            f"free[{k}], hits[{k}]"
        ]
        for name in printer.inputs:
            d = self.drives[printer.built.name, name]
            parts.append(f"drives[{d}], min(step // drive_every[{d}], drives[{d}].shape[0] - 1)")
        return ", ".join(parts)

    def deliveries(self) -> list[str]:
        lines = []
        for k, projection in enumerate(self.built.projections):
            data = projection.projection
            post = self.populations[data.target]
            pre = self.senders[data.source]
            program = self.printers[post].program
            key = f"{data.name}.weight"
            factor = f"factors[{self.factors[key]}]" if key in self.factors else "1.0"
            n = self._size(data.source)
            for state, _ in program.deliveries[projection.port]:
                row = program.states.index(state)
                held = state in program.held
                lines.append(
                    f"deliver{'_free' if held else ''}(b, step, rings[{pre}], ring_n[{pre}], "
                    f"S[{post}][{row}], {factor}, {n}, pointer[{k}], target[{k}], weight[{k}], "
                    f"delays[{k}]{f', free[{post}]' if held else ''})"
                )
        return lines

    def _size(self, name: str) -> int:
        if name in self.populations:
            return self.printers[self.populations[name]].built.n
        return next(s.source.n for s in self.built.sources if s.source.name == name)

    def gathers(self) -> list[str]:
        lines = [
            f"out_n[{k}] = gather(step, hits[{k}], bounds[{k}], found[{k}], rings[{k}], "
            f"ring_n[{k}], out_unit[{k}], out_step[{k}], out_n[{k}])"
            for k in range(len(self.printers))
        ]
        for s, source in enumerate(self.built.sources):
            k = self.senders[source.source.name]
            lines += [
                "n = 0",
                f"while source_at[{s}] < source_step[{s}].size and "
                f"source_step[{s}][source_at[{s}]] == step:",
                f"    rings[{k}][step % rings[{k}].shape[0], n] = source_unit[{s}][source_at[{s}]]",
                "    n += 1",
                f"    source_at[{s}] += 1",
                f"ring_n[{k}][step % rings[{k}].shape[0]] = n",
            ]  # fmt: skip
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
                    f"if step + 1 >= release[{k}]:",
                    f"    concentration[{k}] += per_spike[{k}] * "
                    f"ring_n[{p}][(step + 1 - release[{k}]) % ring_n[{p}].size]",
                ]
        return lines
