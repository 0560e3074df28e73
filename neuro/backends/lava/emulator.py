"""A network of Lava's processes, run here and now, with the same bits as Lava's own run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro.backends.lava import kernel
from neuro.backends.lava.kernel import Arriving, Board, Edges, Found
from neuro.backends.lava.processes import FixedNetwork, Inputs
from neuro.backends.lava.runs import FixedRun
from neuro.backends.lava.weights import effective_weights
from neuro.memory import require_memory

__all__ = ["Emulator", "Probe", "Stretch", "emulate"]

_SPIKES = 1 << 16  # room for at least these in one stretch
_SAMPLES = 1 << 22  # at most these in one stretch, unless a single step has more
_KINDS = {"v before": 0, "u": 1, "v": 2}


class Probe(NamedTuple):
    """Sample a state of some cells of a process every so many steps, from step 0.

    `variable` is `u` or `v`, after the step, or `v before` it.
    """

    process: str
    variable: str
    cells: NDArray[np.int64]
    every: int = 1


class Stretch(NamedTuple):
    """What `Emulator.advance` found: spikes of all cells, and a `(n_frames, n_cells)` a probe."""

    steps: NDArray[np.int64]
    cells: NDArray[np.int32]
    samples: tuple[NDArray[np.int32], ...]


class Emulator:
    """A network in whole numbers, and its state.

    Attributes:
        step: The next step, counted from 0; Lava counts it as `step + 1`.
        first: Where the cells of each process begin among all, by name.
    """

    def __init__(self, network: FixedNetwork, probes: Sequence[Probe] = ()) -> None:
        self.network = network
        self.step = 0
        counts = [cells.n for cells in network.cells]
        ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.n = int(ends[-1])
        self.first = {cells.name: int(at) for cells, at in zip(network.cells, ends, strict=False)}
        delays = [int(s.delays.max()) for s in network.synapses if s.delays.size]
        slots = 1 << (max(delays, default=0) + 1).bit_length()
        require_memory(
            4.0 * slots * self.n + 12.0 * network.n_edges, f"the emulated `{network.name}`"
        )
        self._board = self._place(ends, slots)
        self._edges = self._wire(slots)
        self._arriving = self._inputs(network.inputs)
        self._probes = tuple(probes)

    @property
    def wrapped(self) -> dict[str, int]:
        """How often a current of each process wrapped round so far."""
        return {c.name: int(k) for c, k in zip(self.network.cells, self._board.odd[:, 0],
                                               strict=True)}  # fmt: skip

    @property
    def cut(self) -> dict[str, int]:
        """How often a voltage of each process was cut from below so far."""
        return {c.name: int(k) for c, k in zip(self.network.cells, self._board.odd[:, 1],
                                               strict=True)}  # fmt: skip

    def first_wrap(self) -> tuple[str, int, int] | None:
        """Process, step and cell of the first current that wrapped round; None if none did."""
        found = [
            (int(step), cells.name, int(cell) - self.first[cells.name])
            for cells, (step, cell) in zip(self.network.cells, self._board.odd[:, 2:], strict=True)
            if step >= 0
        ]
        if not found:
            return None
        step, name, cell = min(found)
        return name, step, cell

    def advance(self, until: int) -> Stretch:
        """Go on to step `until`, or as far as one stretch has room for: see `step`."""
        widths = [probe.cells.size for probe in self._probes]
        a_step = sum(width / probe.every for width, probe in zip(widths, self._probes, strict=True))
        until = min(until, self.step + max(1, int(_SAMPLES / max(a_step, 1e-9))))
        frames = [-(-until // p.every) - -(-self.step // p.every) for p in self._probes]
        room = [width * n for width, n in zip(widths, frames, strict=True)]
        starts = np.concatenate([[0], np.cumsum(room)]).astype(np.int64)
        capacity = self.n + max(_SPIKES, self.n)
        found = Found(
            steps=np.empty(capacity, np.int64),
            cells=np.empty(capacity, np.int32),
            n=np.zeros(1, np.int64),
            kind=np.array([_KINDS[p.variable] for p in self._probes], np.int64),
            every=np.array([p.every for p in self._probes], np.int64),
            first=np.concatenate([[0], np.cumsum(widths)]).astype(np.int64),
            probe_cells=np.concatenate(
                [np.zeros(0, np.int64), *(p.cells + self.first[p.process] for p in self._probes)]
            ),
            samples=np.empty(starts[-1], np.int32),
            sample_at=starts[:-1].copy(),
        )
        self.step = kernel.advance(
            self.step, until, self._board, self._edges, self._arriving, found
        )
        return Stretch(
            found.steps[: found.n[0]],
            found.cells[: found.n[0]],
            tuple(
                found.samples[begin:end].reshape(-1, width)
                for begin, end, width in zip(starts[:-1], found.sample_at, widths, strict=True)
            ),
        )

    def _place(self, ends: NDArray[np.int64], slots: int) -> Board:
        cells = self.network.cells

        def one_each(name: str) -> NDArray[np.int64]:
            return np.array([getattr(part, name) for part in cells], np.int64)

        def every(name: str) -> NDArray[np.int64]:
            return np.concatenate([np.zeros(0, np.int64), *(getattr(c, name) for c in cells)])

        odd = np.zeros((len(cells), 4), np.int64)
        odd[:, 2:] = -1
        return Board(
            first=ends,
            du=one_each("du"),
            dv=one_each("dv"),
            vth=one_each("vth"),
            reset_interval=one_each("reset_interval"),
            reset_offset=one_each("reset_offset"),
            bias=(every("bias_mant") << every("bias_exp")).astype(np.int32),
            u=every("u").astype(np.int32),
            v=every("v").astype(np.int32),
            ring=np.zeros((slots, self.n), np.int32),
            fired=np.zeros(self.n, np.uint8),
            odd=odd,
        )

    def _senders(self) -> dict[str, int]:
        at, first = self.n, dict(self.first)
        for inputs in self.network.inputs:
            first[inputs.name] = at
            at += inputs.n
        return first

    def _wire(self, slots: int) -> Edges:
        senders = self._senders()
        n_senders = self.n + sum(inputs.n for inputs in self.network.inputs)
        # Sums that are not shifted down may be mixed: one list for all of them.
        plain = [s for s in self.network.synapses if s.weight_exp >= 0 and not s.num_message_bits]
        groups = [plain] if plain else []
        groups += [[s] for s in self.network.synapses if s not in plain]
        starts = np.zeros((len(groups), n_senders + 1), np.int64)
        target, delay, weight = list[NDArray[np.int32]](), list[NDArray[np.int32]](), []
        done = 0
        for g, group in enumerate(groups):
            source = np.concatenate([s.sources + senders[s.source] for s in group])
            order = np.argsort(source, kind="stable")
            np.cumsum(np.bincount(source, minlength=n_senders), out=starts[g, 1:])
            starts[g] += done
            done += source.size
            ends = np.concatenate([s.targets + self.first[s.target] for s in group])
            target.append(ends[order].astype(np.int32))
            delay.append(np.concatenate([s.delays for s in group])[order].astype(np.int32))
            shifted = [effective_weights(s) << max(s.weight_exp, 0) for s in group]
            weight.append(np.concatenate(shifted)[order].astype(np.int32))
        down = [max(0, -group[0].weight_exp) for group in groups]
        sums = slots * self.n if any(down) else 0
        none = [np.zeros(0, np.int32)]
        return Edges(
            starts=starts,
            down=np.array(down, np.int64),
            graded=np.array([group[0].num_message_bits > 0 for group in groups], np.bool_),
            target=np.concatenate(none + target),
            delay=np.concatenate(none + delay),
            weight=np.concatenate(none + weight),
            sums=np.zeros(sums, np.int64),
            listed=np.zeros(sums, np.bool_),
            touched=np.zeros(sums, np.int64),
        )

    def feed(self, inputs: Sequence[Inputs]) -> None:
        """Replace all spikes from outside: those of the steps to come.

        Inputs bear the names and sizes of the network's own.
        """
        self._arriving = self._inputs(inputs)

    def _inputs(self, parts: Sequence[Inputs]) -> Arriving:
        senders = self._senders()
        steps = np.concatenate([np.zeros(0, np.int64), *(p.steps for p in parts)])
        who = np.concatenate([np.zeros(0, np.int64), *(p.units + senders[p.name] for p in parts)])
        payload = np.concatenate([
            np.zeros(0, np.int64),
            *(np.ones(p.steps.size, np.int64) if p.payload is None else p.payload for p in parts),
        ])  # fmt: skip
        sends = payload != 0
        order = np.lexsort((who[sends], steps[sends]))
        return Arriving(
            steps[sends][order], who[sends][order], payload[sends][order], np.zeros(1, np.int64)
        )


def emulate(network: FixedNetwork, n_steps: int, *, watch: bool = True) -> FixedRun:
    """Run a network from its start.

    Args:
        watch: Keep `u` and `v` of all cells after every step.
    """
    probes = [
        Probe(cells.name, variable, np.arange(cells.n))
        for cells in network.cells
        for variable in ("u", "v")
        if watch
    ]
    emulator = Emulator(network, probes)
    stretches = []
    started = time.perf_counter()
    while emulator.step < n_steps:
        stretches.append(emulator.advance(n_steps))
    run_s = time.perf_counter() - started
    steps = np.concatenate([np.zeros(0, np.int64), *(s.steps for s in stretches)])
    cells = np.concatenate([np.zeros(0, np.int64), *(s.cells for s in stretches)])
    spikes = {}
    for part in network.cells:
        low = emulator.first[part.name]
        mine = (cells >= low) & (cells < low + part.n)
        spikes[part.name] = (steps[mine], cells[mine] - low)
    kept: dict[str, dict[str, NDArray[np.int32]]] = {"u": {}, "v": {}}
    for r, probe in enumerate(probes):
        frames = [np.zeros((0, probe.cells.size), np.int32), *(s.samples[r] for s in stretches)]
        kept[probe.variable][probe.process] = np.concatenate(frames)
    return FixedRun(n_steps, spikes, kept["u"], kept["v"], run_s, emulator.wrapped, emulator.cut)
