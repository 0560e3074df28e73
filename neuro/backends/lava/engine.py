"""Run a built network in Loihi's arithmetic: emulated here, or by lava-nc in its own process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neuro.backends.lava.emulator import Emulator, Probe, emulate
from neuro.backends.lava.inputs import BLOCK, inputs_of, joined
from neuro.backends.lava.lava_nc import TIMEOUT_S, run_lava
from neuro.backends.lava.processes import FixedNetwork
from neuro.backends.lava.python310 import environment
from neuro.backends.lava.quantise import Quantised, quantise
from neuro.backends.lava.runs import FixedRun, differences
from neuro.backends.lava.support import lif_forms
from neuro.build import Built
from neuro.errors import ConfigError, NetworkError, SimulationError, nearest
from neuro.memory import require_memory
from neuro.network import Record
from neuro.raw_run import RawRun
from neuro.recorded import recorded_at
from neuro.sink import Sink
from neuro.timing import steps_of

__all__ = ["check", "run"]

RUNNERS = ("emulator", "lava-nc")


def check(built: Built) -> None:
    """Refuse what Loihi cannot do; with drawn edges, also weights that do not fit.

    Raises:
        BackendUnsupported, NetworkError: naming what it is.
    """
    if built.projections or not built.network.projections:
        quantise(built)
    else:
        lif_forms(built)


def run(
    built: Built,
    *,
    n_steps: int,
    threads: int,
    records: Sequence[Record],
    every_ms: float,
    sink: Sink,
    progress: Callable[[float], None],
    runner: str = "emulator",
    timeout_s: float = TIMEOUT_S,
) -> RawRun:
    """Simulate `n_steps`; see `neuro.simulate` for the meaning of the arguments.

    A current that leaves Loihi's 24 bits wraps round, and what follows means nothing: the run
    ends there. With `lava-nc` the emulator runs beside it, and every spike must be the same.

    Args:
        runner: `emulator` or `lava-nc`.
        timeout_s: For lava-nc.

    Raises:
        ConfigError: if the runner is neither, or lava-nc has no Python 3.10.
        NetworkError: if a record asks for what Loihi does not keep.
        SimulationError: if lava-nc dies or hangs, or differs from the emulator.
    """
    del threads, every_ms  # one thread; no modulators, so no courses
    if runner not in RUNNERS:
        raise ConfigError(
            f"backend runner must be {' or '.join(RUNNERS)}, found `{runner}`"
            + nearest(runner, RUNNERS)
        )
    started = time.perf_counter()
    quantised = quantise(built)
    traces = [_Trace.of(built, quantised, record) for record in records]
    network = FixedNetwork(
        built.network.name, quantised.cells, quantised.synapses,
        tuple(replace(part, steps=part.steps[:0], units=part.units[:0], payload=None)
              for part in inputs_of(built, 0)),
    )  # fmt: skip
    if runner == "lava-nc":
        environment()
    prepared = time.perf_counter()
    emulator = Emulator(network, [probe for trace in traces for probe in trace.probes])
    emulator.advance(0)  # compiles
    compiled = time.perf_counter()
    if runner == "lava-nc":
        _run_lava(built, quantised, network, n_steps, traces, sink, timeout_s)
        failure = ""
    else:
        failure = _emulate(built, emulator, n_steps, traces, sink, progress)
    progress(emulator.step * built.dt_ms)
    return RawRun(
        reached_steps=n_steps if runner == "lava-nc" else emulator.step,
        prepare_s=prepared - started,
        compile_s=compiled - prepared,
        simulate_s=time.perf_counter() - compiled,
        failure=failure,
    )


@dataclass(frozen=True, eq=False)
class _Trace:
    """What one Record samples, and how its whole numbers are read: a sum over probes.

    `start` is what a probe of states before the step sees first.
    """

    probes: tuple[Probe, ...]
    per_unit: tuple[float, ...]
    offset: NDArray[np.float64]
    start: NDArray[np.int64]

    @classmethod
    def of(cls, built: Built, quantised: Quantised, record: Record) -> _Trace:
        if record.population not in quantised.scales:
            raise NetworkError(
                f"record: `{record.population}` has no states on Loihi; leave out its trace"
            )
        scale = quantised.scales[record.population]
        form = next(c for c in quantised.cells if c.name == record.population)
        cells = np.array(record.cells or range(form.n), np.int64)
        every = steps_of(record.every_ms, built.dt_ms, "record: every")
        kept = [scale.membrane, *(scale.current if len(scale.current) == 1 else ())]
        population = next(p for p in built.populations if p.name == record.population)
        variable = recorded_at(built, record).variable
        if variable not in kept:
            able = " or ".join(map(population.shown, kept))
            raise NetworkError(
                f"record: `{record.variable}` of `{record.population}` is not kept on Loihi, where "
                f"one current stands for all synapses; record {able}"
            )
        # Lava's current of a step is the one that Ember has before it, and so is, with delta
        # synapses, what has stepped the membrane since the step before.
        current = Probe(record.population, "u", cells, every)
        if variable != scale.membrane:
            per_unit = scale.current[variable]
            return cls((current,), (per_unit,), np.zeros(cells.size), form.v[cells])
        probes = (Probe(record.population, "v before", cells, every),)
        if scale.jump:
            return cls(
                (*probes, current), (scale.per_mv, scale.jump), scale.reset[cells], form.v[cells]
            )
        return cls(probes, (scale.per_mv,), scale.reset[cells], form.v[cells])

    def read(self, samples: Sequence[NDArray[np.int32]]) -> NDArray[np.float64]:
        """Samples of each probe as values in the unit of the variable."""
        found = np.broadcast_to(self.offset, samples[0].shape).copy()
        for values, per_unit in zip(samples, self.per_unit, strict=True):
            found += values / per_unit
        return found

    def from_lava(self, run: FixedRun, watched: NDArray[np.int64]) -> NDArray[np.float64]:
        """The same of a run that kept the states of the `watched` cells after every step."""
        samples = []
        for probe in self.probes:
            column = np.searchsorted(watched, probe.cells)
            if probe.variable == "u":
                samples.append(run.u[probe.process][:: probe.every, column])
            else:
                after = run.v[probe.process][:-1, column]
                before = np.concatenate([self.start[None, :].astype(np.int32), after])
                samples.append(before[:: probe.every])
        return self.read(samples)


def _emulate(
    built: Built, emulator: Emulator, n_steps: int, traces: Sequence[_Trace], sink: Sink,
    progress: Callable[[float], None],
) -> str:  # fmt: skip
    """Run block by block into the sink; why it ended early, or nothing."""
    for block in range(-(-n_steps // BLOCK)):
        end = min((block + 1) * BLOCK, n_steps)
        inputs = inputs_of(built, block)
        emulator.feed(inputs)
        for part in inputs:
            if part.name in {p.name for p in built.populations}:
                within = part.steps < end
                sink.spikes(part.name, part.steps[within], part.units[within].astype(np.int32))
        while emulator.step < end:
            stretch = emulator.advance(end)
            for cells in emulator.network.cells:
                low = emulator.first[cells.name]
                mine = (stretch.cells >= low) & (stretch.cells < low + cells.n)
                sink.spikes(cells.name, stretch.steps[mine], stretch.cells[mine] - np.int32(low))
            samples = iter(stretch.samples)
            for number, trace in enumerate(traces):
                sink.trace(number, trace.read([next(samples) for _ in trace.probes]))
        progress(emulator.step * built.dt_ms)
        if wrapped := emulator.first_wrap():
            name, step, cell = wrapped
            return (
                f"population `{name}`: the synaptic current of cell {cell} left Loihi's 24 bits at "
                f"{step * built.dt_ms:g} ms and wrapped round; weaken its synapses, or let fewer "
                f"spikes arrive at once"
            )
    return ""


def _run_lava(
    built: Built, quantised: Quantised, network: FixedNetwork, n_steps: int,
    traces: Sequence[_Trace], sink: Sink, timeout_s: float,
) -> None:  # fmt: skip
    """Run it with lava-nc into the sink, all at once.

    Raises:
        SimulationError: if the emulator's spikes are not the same.
    """
    blocks = [inputs_of(built, block) for block in range(-(-n_steps // BLOCK))]
    network = replace(network, inputs=joined(blocks)) if blocks else network
    watched = {
        cells.name: np.unique(np.concatenate(
            [np.zeros(0, np.int64),
             *(p.cells for t in traces for p in t.probes if p.process == cells.name)]
        ))
        for cells in quantised.cells
    }  # fmt: skip
    watched = {name: cells for name, cells in watched.items() if cells.size}
    require_memory(
        4.0 * n_steps * sum(part.n for part in network.inputs),
        f"lava-nc's input of `{network.name}`",
    )
    run = FixedRun(n_steps, {})
    if network.cells and n_steps:
        run = run_lava([network], [n_steps], watched=[watched], timeout_s=timeout_s)[0]
    ours = emulate(network, n_steps, watch=False)
    if wrong := differences(FixedRun(n_steps, run.spikes), FixedRun(n_steps, ours.spikes)):
        raise SimulationError(
            f"lava-nc and the emulator must give the same spikes, found {wrong[0]}; please report "
            f"this network"
        )
    for name, (steps, units) in run.spikes.items():
        sink.spikes(name, steps, units.astype(np.int32))
    for part in network.inputs:
        if part.name in {p.name for p in built.populations}:
            within = part.steps < n_steps
            sink.spikes(part.name, part.steps[within], part.units[within].astype(np.int32))
    for number, trace in enumerate(traces):
        sink.trace(number, trace.from_lava(run, watched[trace.probes[0].process]))
