"""A network's compiled kernel with all its arrays: built once, advanced in chunks of steps."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.backends.numba.cache import load_kernel
from neuro.backends.numba.cells import CellPrinter
from neuro.backends.numba.cores import move_to_own_core
from neuro.backends.numba.edge_arrays import EdgeArrays
from neuro.backends.numba.edge_printer import EdgePrinter
from neuro.backends.numba.layout import acted_on, lay_out
from neuro.backends.numba.plan import background_plans, build_tables, table_plans
from neuro.backends.numba.printer import Plan, print_kernel, queue_names
from neuro.backends.numba.random import TILE, seed_key
from neuro.backends.numba.state import Route, RunState
from neuro.backends.numba.tables import empty_queue
from neuro.build import Built
from neuro.denormals import flush_denormals
from neuro.edge_binding import scaled_by
from neuro.equations.names import plain
from neuro.memory import require_memory
from neuro.network import Record
from neuro.recorded import Recorded, recorded_at
from neuro.sink import Sink
from neuro.timing import steps_of

__all__ = ["Kernel"]

_CHUNK_STEPS = 1000
_BATCH_STEPS = 16  # blocks meet at least this often, and stop if a state is not finite
_CHUNK_SPIKES = 1 << 28  # room for spikes that a block may reserve; only what is used is touched


class Kernel:
    """Compiled code, one set of arrays a block, and how far the run has come.

    Attributes:
        step: The next step.
        chunk_steps: How many steps `advance` can take at most.
    """

    def __init__(
        self, built: Built, n_blocks: int, records: Sequence[Record], every_ms: float,
        real: type[np.floating],
    ) -> None:  # fmt: skip
        self.step = 0
        self._built, self._records, self._n_blocks = built, records, n_blocks
        network, dt_ms = built.network, built.dt_ms
        keys = dict.fromkeys(f"{e.target}.{e.parameter}" for e in network.effects)
        self._factors = {key: k for k, key in enumerate(keys)}
        self._scaled = scaled_by(built)
        self._printers = [
            CellPrinter(p, dt_ms, self._on("cells", p.name), acted_on(built, p), real)
            for p in built.populations
        ]
        self._index = {p.name: k for k, p in enumerate(built.populations)}
        self._layout = layout = lay_out(built, self._printers, n_blocks, real)
        edges = self._edge_printers()
        weights = {name: k for name in self._names_of_inputs()
                   for k in self._on("weight", name).values()}  # fmt: skip
        self._plan = plan = Plan(
            table_plans(built, weights), edges, background_plans(built, weights),
            tuple(self._observed(record, edges) for record in records),
        )  # fmt: skip
        require_memory(_bytes(built, plan, real), f"the network `{network.name}`")
        self._module = load_kernel(print_kernel(built, layout, self._printers, plan))
        self._names = _argument_names(self._module)
        self._tables = build_tables(built, layout, plan.tables, n_blocks)
        self._edges = [EdgeArrays(printer, layout) for printer in edges]
        self.chunk_steps = self._chunk_steps()
        self._every = steps_of(every_ms, dt_ms, "every")
        self._trace_every = [
            steps_of(r.every_ms, dt_ms, f"every of `{r.variable}`") for r in records
        ]
        self._places = [recorded_at(built, record) for record in records]
        delays = [t.longest for t in self._tables]
        delays += [int(e.built.delay_steps.max(initial=1)) for e in edges]
        self._common = self._shared_arguments(real)
        self._own = [self._block_arguments(b, real) for b in range(n_blocks)]
        self._state = RunState(
            built, layout, self._own, [self._routes(own) for own in self._own], self._edges,
            max(delays, default=1),
        )  # fmt: skip

    def _on(self, kind: str, owner: str) -> dict[str, int]:
        """The factors on an owner's parameters of one kind, by the parameter's name."""
        return {
            place.parameter: self._factors[key]
            for key, places in self._scaled.items()
            for place in places
            if (place.kind, place.owner) == (kind, owner)
        }

    def _names_of_inputs(self) -> list[str]:
        network = self._built.network
        return [p.name for p in network.projections] + [b.name for b in network.backgrounds]

    def _edge_printers(self) -> tuple[EdgePrinter, ...]:
        printers: list[EdgePrinter] = []
        for built in self._built.projections:
            if built.edge is not None:
                name = built.projection.name
                post, pre = self._index[built.post.name], self._index.get(built.pre.name, -1)
                printers.append(
                    EdgePrinter(
                        len(printers), built, built.edge, self._printers[post],
                        self._printers[pre] if pre >= 0 else None, post, pre,
                        self._on("edges", name) | self._on("weight", name), self._built.dt_ms,
                    )
                )  # fmt: skip
        return tuple(printers)

    def _observed(self, record: Record, edges: Sequence[EdgePrinter]) -> tuple[bool, int, str]:
        place = recorded_at(self._built, record)
        if not place.edges:
            return False, place.at, place.variable
        built = self._built.projections[place.at]
        number = next(edge.number for edge in edges if edge.built is built)
        return True, number, place.variable

    def _chunk_steps(self) -> int:
        largest = max((b.last.size for b in self._layout.blocks), default=1)
        return max(1, min(_CHUNK_STEPS, _CHUNK_SPIKES // max(1, largest)))

    def _batch(self) -> int:
        """Steps that the blocks take between two meetings: the shortest delay."""
        if self._built.network.transmitters or any(e.published for e in self._plan.edges):
            return 1
        shortest = [int(s[s[:, 1] > 0, 1].min()) for t in self._tables for s in t.segment
                    if (s[:, 1] > 0).any()]  # fmt: skip
        shortest += [
            int(e.built.delay_steps.min(initial=self.chunk_steps)) for e in self._plan.edges
        ]
        return min([*shortest, _BATCH_STEPS, self.chunk_steps])

    def _shared_arguments(self, real: type[np.floating]) -> dict[str, Any]:
        built, layout, network = self._built, self._layout, self._built.network
        modulators, steps = layout.modulators, self.chunk_steps
        n_populations = len(built.populations)
        shared: dict[str, Any] = {
            "n_blocks": self._n_blocks,
            "batch": self._batch(),
            "dt": built.dt_ms,
            "key": seed_key(built.seed),
            "signals": np.zeros(1 + self._n_blocks, np.int64),
            "shared": np.concatenate([np.zeros(0), *(p.shared for p in self._printers)]),
            "units": np.empty(
                (self._n_blocks, steps * max((b.last.size for b in layout.blocks), default=0) + 1),
                np.int32,
            ),
            "ends": np.zeros((self._n_blocks, steps + 1, n_populations + 1), np.int64),
            "decay": modulators.decay,
            "per_spike": modulators.per_spike,
            "release": modulators.release_steps,
            "receptors": modulators.receptors,
            "effects": modulators.effects,
            "course_every": self._every,
        }
        shared |= self._source_spikes()
        for k, drive in enumerate(network.drives):
            values = drive.values.reshape(drive.values.shape[0], -1)
            shared[f"drive_{k}"] = np.ascontiguousarray(values, real)
            what = f"dt of the drive of `{drive.variable}`"
            shared[f"drive_every_{k}"] = steps_of(drive.dt_ms, built.dt_ms, what)
        for k, table in enumerate(self._tables):
            shared |= {f"target_{k}": table.target, f"weight_{k}": table.weight,
                       f"sender_{k}": table.first_sender}  # fmt: skip
        for k, background in enumerate(self._plan.backgrounds):
            shared |= {
                f"lowest_{k}": background.lowest, f"ladder_{k}": background.ladder,
                f"arriving_{k}": real(background.weight), f"stream_{k}": background.stream,
            }  # fmt: skip
        return shared

    def _source_spikes(self) -> dict[str, NDArray[Any]]:
        sources = self._built.sources
        first = [self._layout.senders[s.source.name] for s in sources]
        steps = np.concatenate([np.zeros(0, np.int64), *(s.steps for s in sources)])
        units = np.concatenate(
            [np.zeros(0, np.int64), *(s.units + n for s, n in zip(sources, first, strict=True))]
        )
        order = np.lexsort((units, steps))
        self._source_steps = steps[order]
        return {"source_units": units[order].astype(np.int32)}  # fmt: skip

    def _block_arguments(self, b: int, real: type[np.floating]) -> dict[str, Any]:
        block, network = self._layout.blocks[b], self._built.network
        release = self._layout.modulators.release_steps
        own: dict[str, Any] = {
            "block": b,
            "where": block.where, "S": block.S, "cells": block.cells, "last": block.last,
            "fired": block.fired, "fired_words": block.fired.view(np.uint64), "free": block.free,
            "hits": block.hits, "found": np.zeros(len(self._printers), np.int64),
            "factors": np.ones(len(self._factors)),
            "concentration": np.array([float(t.baseline_at(0.0)) for t in network.transmitters]),
            "released": np.zeros((release.size, int(release.max(initial=1))), np.int64),
            "words": np.empty(TILE, np.uint32), "count": np.empty(TILE, real),
        }  # fmt: skip
        for k, table in enumerate(self._tables):
            own |= {f"pointer_{k}": table.pointer[b], f"segment_{k}": table.segment[b],
                    f"queue_{k}": empty_queue(table.longest)}  # fmt: skip
        for edge in self._edges:
            own |= edge.arguments(b)
        for k, (record, place) in enumerate(zip(self._records, self._places, strict=True)):
            chosen = np.array(record.cells or range(place.size(self._built)), dtype=np.int64)
            here, local = self._local(chosen, place, b)
            own[f"chosen_{k}"] = np.stack([here, local], axis=1)
        return own

    def _local(
        self, chosen: NDArray[np.int64], place: Recorded, b: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of the chosen cells or edges are in a block, and their numbers there."""
        if place.edges:
            built = self._built.projections[place.at]
            number = next(e.number for e in self._plan.edges if e.built is built)
            ids = self._edges[number].ids[b]
            here = np.flatnonzero(np.isin(chosen, ids))
            return here, np.searchsorted(ids, chosen[here])
        bounds = self._layout.bounds[self._built.populations[place.at].name]
        here = np.flatnonzero((chosen >= bounds[b]) & (chosen < bounds[b + 1]))
        return here, chosen[here] - bounds[b]

    def compile(self) -> None:
        """Compile the kernel, or load its machine code, by a call that takes no step."""
        self._prepare(0)
        with _collections_paused():
            self._call(0)

    def advance(self, stop: int, pool: ThreadPoolExecutor, sink: Sink) -> str:
        """Go on to step `stop` and hand over what was recorded; why it stopped short, if it did."""
        first = self.step
        self._prepare(stop)
        signals = self._common["signals"]
        others = [pool.submit(self._run_block, b) for b in range(1, self._n_blocks)]
        try:
            self.step = self._run_block(0)
        finally:
            signals[0] = 1 << 62  # if this block did not run, let the others through
            for other in others:
                other.result()
        self._hand_over(first, sink)
        return self._state.not_finite(self.step) if signals[1:].any() else ""

    def _prepare(self, stop: int) -> None:
        """Set what changes from chunk to chunk."""
        first, dt_ms, network = self.step, self._built.dt_ms, self._built.network
        self._state.count_from(first)
        at_ms = (first + np.arange(stop - first)) * dt_ms
        frame, frames = _frames(first, stop, self._every)
        self._common |= {
            "first": first,
            "stop": stop,
            "baseline": np.array([t.baseline_at(at_ms) for t in network.transmitters]).reshape(
                len(network.transmitters), stop - first
            ),
            "source_ends": np.searchsorted(self._source_steps, np.arange(first, stop + 1)),
            "courses": np.empty((frames, len(network.transmitters))),
            "factor_courses": np.empty((frames, len(self._factors))),
            "course_frame": frame,
        }
        self._common["signals"][:] = 0
        for edge, printer in zip(self._edges, self._plan.edges, strict=True):
            if printer.published:
                name = printer.built.pre.name
                rows = printer.published
                edge.publish(first, {row: self._state.values(name, plain(row)) for row in rows})
        for k, (record, every) in enumerate(zip(self._records, self._trace_every, strict=True)):
            n = len(record.cells) or self._places[k].size(self._built)
            frame, frames = _frames(first, stop, every)
            self._common |= {f"trace_{k}": np.empty((frames, n), self._layout.real),
                             f"every_{k}": every, f"frame_{k}": frame}  # fmt: skip

    def _run_block(self, block: int) -> int:
        move_to_own_core(block, self._n_blocks)
        with flush_denormals():
            return self._call(block)

    def _call(self, block: int) -> int:
        values = self._common | self._own[block]
        stop, *queues = self._module.run(*(values[name] for name in self._names))
        self._own[block] |= zip(queue_names(self._plan), queues, strict=True)
        return int(stop)

    def _hand_over(self, first: int, sink: Sink) -> None:
        n_steps = self.step - first
        if n_steps == 0:
            return
        low, high = np.searchsorted(self._source_steps, [first, self.step])
        fresh = [(self._source_steps[low:high], self._common["source_units"][low:high])]
        ends = self._common["ends"][:, :n_steps]
        counts = np.diff(ends, axis=2)
        for k, population in enumerate(self._built.populations):
            if not population.program.threshold:
                continue
            steps, units = [], []
            for b in range(self._n_blocks):
                number = counts[b, :, k]
                if number.any():
                    steps.append(first + np.repeat(np.arange(n_steps), number))
                    units.append(_runs(self._common["units"][b], ends[b, :, k], number))
            if steps:
                step = np.concatenate(steps)
                order = np.argsort(step, kind="stable")  # blocks are in the order of their cells
                sender = np.concatenate(units)[order]
                fresh.append((step[order], sender))
                unit = sender - self._layout.senders[population.name]
                sink.spikes(population.name, step[order], unit.astype(np.int32))
        steps, senders = (np.concatenate([part[k] for part in fresh]) for k in (0, 1))
        self._state.remember(self.step, steps, senders)
        for k, every in enumerate(self._trace_every):
            _, frames = _frames(first, self.step, every)
            sink.trace(k, self._common[f"trace_{k}"][:frames])
        _, frames = _frames(first, self.step, self._every)
        sink.courses(self._common["courses"][:frames], self._common["factor_courses"][:frames])

    def state(self) -> dict[str, Any]:
        """Everything the run depends on from here, without regard to blocks."""
        return self._state.saved(self.step)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, which may come from a run with another number of threads."""
        self.step = self._state.restore(state)

    def _routes(self, own: dict[str, Any]) -> dict[str, Route]:
        """What leads to each of a block's queues: first sender, pointer, segment."""
        routes: dict[str, Route] = {
            f"queue_{k}": (table.first_sender, own[f"pointer_{k}"], own[f"segment_{k}"])
            for k, table in enumerate(self._tables)
        }
        for edge in self._plan.edges:
            name = f"edge{edge.number}_"
            routes[f"{name}queue"] = (
                own[f"{name}sender"], own[f"{name}pointer"], own[f"{name}segment"],
            )  # fmt: skip
        return routes


def _bytes(built: Built, plan: Plan, real: type[np.floating]) -> float:
    """About how much memory the synapses and cells will take; synapses, where they are many."""
    width = np.dtype(real).itemsize
    edges = sum(d.projection.expected_edges for t in plan.tables for d in t.deliveries)
    plastic = sum(
        e.built.expected_edges * (8 * (len(e.program.variables) + 1) + 40 + 32) for e in plan.edges
    )
    # Rules that do not draw by rows hold one projection whole while it is sorted.
    whole = max((p.expected_edges for p in built.projections if not p.by_rows), default=0) * 40
    cells = sum(p.n * (width * (len(p.program.states) + 4) + 20) for p in built.populations)
    return edges * (width + 4) + plastic + whole + cells


def _argument_names(module: Any) -> tuple[str, ...]:
    code = module.run.py_func.__code__
    return tuple(code.co_varnames[: code.co_argcount])


@contextmanager
def _collections_paused() -> Iterator[None]:
    """Collect no garbage: a compilation makes so many objects that stay that it took a sixth."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _frames(first: int, stop: int, every: int) -> tuple[int, int]:
    """The number of the first frame taken in these steps, and how many there are."""
    frame = -(-first // every)
    return frame, max(0, -(-stop // every) - frame)


def _runs(values: NDArray[np.int32], starts: NDArray[Any], lengths: NDArray[Any]) -> NDArray[Any]:
    """`values[s : s + n]` of all runs, joined."""
    before = np.cumsum(lengths) - lengths
    return values[np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))]
