"""A network run from the text its user wrote: slow and plain, to check every back end against.

Nothing here reads what Ember composes, derives or prints. Names are looked up where the text says
they stand (the edge, the target, the source), each time they are read; integration schemes are
applied to the derivatives as functions. What each statement sees is in docs/concepts/statements.md.
Values are in Ember's coherent units (ms, mV, pA, nS, pF). No random numbers, no modulation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuro.network import Network, Population, Projection
from tests.validation._schemes import exact, put, relaxed
from tests.validation._text import FUNCTIONS, UNITS, Line, Names, Text, lines_of, statements_of

__all__ = ["Outcome", "interpret"]


@dataclass
class Outcome:
    """What a run gave.

    Attributes:
        spikes: `(step, cell)` of each population, in order.
        traces: `(n_steps, n_cells)` of each state before each step, by `population.variable`.
        edges: The same of each variable of each projection's edges, by `projection.variable`.
        nearest: The least relative distance between the sides of a comparison that was decided.
    """

    spikes: dict[str, list[tuple[int, int]]]
    traces: dict[str, list[list[float]]]
    edges: dict[str, list[list[float]]]
    nearest: float = math.inf


@dataclass
class _Port:
    """The variables that one kind of synapse has on one cell."""

    names: Names
    current: str


@dataclass
class _Cell:
    names: Names
    ports: dict[Any, _Port] = field(default_factory=dict)
    last: int = -(10**9)
    free: bool = True  # not refractory
    matrices: dict[Any, Any] = field(default_factory=dict)

    def owners(self) -> list[Names]:
        return [self.names, *(port.names for port in self.ports.values())]

    def states(self) -> list[tuple[Names, str]]:
        return [(o, n) for o in self.owners() for n, line in o.lines.items() if line.kind == "d"]


class _Total(Names):
    """A cell's names; `I` is the constant `I_ext` plus the currents of its ports."""

    cell: _Cell

    def __missing__(self, name: str) -> Any:
        if name == "I":
            ports = [p.names[p.current] for p in self.cell.ports.values() if p.current]
            return self.get("I_ext", 0.0) + sum(ports)
        return super().__missing__(name)


class _EdgeNames(Names):
    """The names of one edge: its own, then those of its port, then the target's."""

    def __init__(self, text: Text, lines: Mapping[str, Line], port: Names, pre: Any) -> None:
        super().__init__(text, lines, port)
        self.pre = pre

    def __missing__(self, name: str) -> Any:
        if name in self.lines:
            return super().__missing__(name)
        if name.endswith("_pre"):
            return self.pre[name.removesuffix("_pre")]
        bare = name.removesuffix("_post")
        # Past the parameters of the synapse, to what the target has: its own, and the port's.
        return (
            self.outer[bare] if bare == name or bare in self.outer.lines else self.outer.outer[bare]
        )


@dataclass
class _Edge:
    names: _EdgeNames
    source: int
    target: _Cell
    target_number: int
    delay: int
    updated: int = 0
    matrices: dict[Any, Any] = field(default_factory=dict)


class _Projection:
    def __init__(self, run: _Run, projection: Projection) -> None:
        self.given, synapse = projection, projection.synapse
        self.lines = lines_of(synapse.edges)
        self.on_pre, self.on_post = statements_of(synapse.on_pre), statements_of(synapse.on_post)
        values = {n: float(v) for n, v in {**synapse.parameters, **projection.parameters}.items()}
        key: Any = (id(synapse), tuple(sorted(values.items())))
        if "summed" in synapse.edges:
            key = (projection.name, *key)
        equations = lines_of(synapse.equations)
        targets, sources = run.cells[projection.target], run.cells.get(projection.source)
        for cell in targets:
            if key not in cell.ports:
                names = Names(run.text, equations, cell.names)
                names.update(dict.fromkeys((n for n, x in equations.items() if not x.text), 0.0))
                names.update({n: 0.0 for n, x in equations.items() if x.kind == "d"})
                names.update(values)
                cell.ports[key] = _Port(names, synapse.current)
        rule: Any = projection.rule
        pairs = list(zip(rule.source, rule.target, strict=True))
        weights = np.broadcast_to(np.asarray(projection.weight, float), len(pairs))
        delays = np.broadcast_to(np.asarray(projection.delay, float), len(pairs))
        own = {n: x for n, x in self.lines.items() if "summed" not in x.flags}
        self.edges = []
        for (i, j), w, delay in zip(pairs, weights, delays, strict=True):
            names = _EdgeNames(
                run.text, own, targets[j].ports[key].names, sources[i].names if sources else None
            )
            names.update({"t": 0.0, "dt": run.dt, "w": float(w)} | values)
            for name, line in own.items():
                if not line.text or line.kind == "d":
                    start = synapse.initial.get(name, 0.0)
                    start = values[start] if isinstance(start, str) else float(start)
                    names[name] = float(w) if name == "w" else start
            # Brian2's queue of spikes: int(delay/dt + 0.5), in seconds (cspikequeue.cpp).
            steps = int(float(delay) * 1e-3 / (run.dt * 1e-3) + 0.5)
            self.edges.append(_Edge(names, int(i), targets[j], int(j), steps))
        order = sorted(range(len(pairs)), key=lambda k: (
            self.edges[k].source, self.edges[k].delay, self.edges[k].target_number))  # fmt: skip
        self.edges = [self.edges[k] for k in order]

    def adds_only(self) -> bool:
        """Whether arrivals only add what depends on the weight and the synapse's parameters."""
        synapse = self.given.synapse
        if synapse.edges.strip() or synapse.on_post.strip():
            return False
        known = {"w", *synapse.parameters, *FUNCTIONS, *UNITS}
        for part in filter(str.strip, re.split(r"[;\n]", synapse.on_pre)):
            read = set(re.findall(r"[A-Za-z_]\w*", part.split("=", 1)[1]))
            if not re.match(r"\s*\w+\s*[-+]=", part) or read - known - set(self.parameters()):
                return False
        return True

    def parameters(self) -> list[str]:
        """Of the target: they do not change."""
        return [*self.edges[0].target.names.keys() - self.edges[0].target.names.lines.keys() -
                {"t", "i", "N", "dt"}] if self.edges else []  # fmt: skip


class _Run:
    def __init__(self, network: Network, dt_ms: float) -> None:
        self.network, self.dt, self.text = network, dt_ms, Text()
        self.cells = {p.name: self._population(p) for p in network.populations}
        self.projections = [_Projection(self, p) for p in network.projections]
        self.spiked: dict[str, list[set[int]]] = {p.name: [] for p in network.populations}
        for source in network.sources:
            steps = np.rint(source.spikes.times_ms / dt_ms).astype(int)
            trains: list[set[int]] = [set() for _ in range(int(steps.max(initial=0)) + 1)]
            for step, unit in zip(steps, source.spikes.units, strict=True):
                trains[step].add(int(unit))
            self.spiked[source.name] = trains

    def _population(self, population: Population) -> list[_Cell]:
        model = population.model
        lines, cells = lines_of(model.equations), []
        for i in range(population.n):
            names = _Total(self.text, lines)
            names.update({"t": 0.0, "dt": self.dt, "i": float(i), "N": float(population.n)})
            for name, value in {**model.parameters, **population.parameters}.items():
                names[name] = float(np.broadcast_to(np.asarray(value, float), population.n)[i])
            for name, line in lines.items():
                if line.kind == "d":
                    start: Any = population.initial.get(name, model.initial.get(name, 0.0))
                    start = names[start] if isinstance(start, str) else start
                    names[name] = float(np.broadcast_to(np.asarray(start, float), population.n)[i])
            cell = _Cell(names)
            names.cell = cell
            cells.append(cell)
        return cells

    def step(self, step: int) -> None:
        """One step, in the order of docs/concepts/statements.md."""
        t = step * self.dt
        for cell in (c for cells in self.cells.values() for c in cells):
            cell.names["t"] = t
        for projection in self.projections:
            for edge in projection.edges:
                edge.names["t"] = t
        self._sum()
        self._clock_driven()
        for population in self.network.populations:
            self.spiked[population.name].append(self._update(population, step))
        first = [p for p in self.projections if p.adds_only()]
        for projection in first + [p for p in self.projections if p not in first]:
            self._arrive(projection, step)
        for projection in self.projections:
            for edge in projection.edges if projection.on_post else ():
                if edge.target_number in self.spiked[projection.given.target][step]:
                    self._event(projection, edge, projection.on_post, step)
        for population in self.network.populations:
            for i in sorted(self.spiked[population.name][step]):
                cell = self.cells[population.name][i]
                for name, text in statements_of(population.model.reset):
                    cell.names[name] = self.text.value(text, cell.names)

    def _sum(self) -> None:
        found: list[tuple[Names, str, float]] = []
        for projection in self.projections:
            for name, line in projection.lines.items():
                if "summed" in line.flags:
                    bare = name.removesuffix("_post")
                    totals = {id(c.ports): 0.0 for c in self.cells[projection.given.target]}
                    for edge in projection.edges:
                        totals[id(edge.target.ports)] += self.text.value(line.text, edge.names)
                    for cell in self.cells[projection.given.target]:
                        owner = self._owner(cell, projection, bare)
                        found.append((owner, bare, totals[id(cell.ports)]))
        for owner, name, total in found:
            owner[name] = total

    def _owner(self, cell: _Cell, projection: _Projection, name: str) -> Names:
        for key, port in cell.ports.items():
            if key[0] == projection.given.name and name in port.names.lines:
                return port.names
        return cell.names

    def _clock_driven(self) -> None:
        results = []
        for projection in self.projections:
            names = [n for n, x in projection.lines.items() if "clock-driven" in x.flags]
            for edge in projection.edges if names else ():
                slots = [(edge.names, name) for name in names]
                results.append((slots, self._integrated(slots, "exact", edge.matrices, "clock")))
        for slots, values in results:
            put(slots, values)

    def _update(self, population: Population, step: int) -> set[int]:
        model, fired = population.model, set()
        for number, cell in enumerate(self.cells[population.name]):
            held = set()
            if model.refractory:
                value = self.text.value(model.refractory, cell.names)
                if isinstance(value, bool):
                    cell.free = cell.free or not value
                else:
                    cell.free = step - cell.last >= math.floor(value / self.dt + 1e-3)
                if not cell.free:
                    held = {n for n, x in cell.names.lines.items() if "unless" in x.flags}
            slots = [s for s in cell.states() if s[0] is not cell.names or s[1] not in held]
            values = self._integrated(slots, model.method, cell.matrices, cell.free)
            put(slots, values)
            if cell.free and model.threshold and self.text.value(model.threshold, cell.names):
                fired.add(number)
                cell.free, cell.last = False, step
            if not model.refractory:
                cell.free = True
        return fired

    def _arrive(self, projection: _Projection, step: int) -> None:
        trains = self.spiked[projection.given.source]
        due = []
        for k, edge in enumerate(projection.edges):
            sent = step - edge.delay
            if 0 <= sent < len(trains) and edge.source in trains[sent]:
                due.append((sent, edge.source, edge.target_number, k))
        for *_, k in sorted(due):
            self._event(projection, projection.edges[k], projection.on_pre, step)

    def _event(
        self, projection: _Projection, edge: _Edge, statements: list[tuple[str, str]], step: int
    ) -> None:
        slots = [(edge.names, n) for n, x in projection.lines.items() if "event" in x.flags]
        if slots:
            elapsed = (step - edge.updated) * self.dt
            put(slots, exact(slots, self._slopes(slots), elapsed, edge.matrices, elapsed))
            edge.updated = step
        for name, text in statements:
            value, cell = self.text.value(text, edge.names), edge.target
            bare = name.removesuffix("_post")
            port = edge.names.outer
            if name in edge.names or name == "w":
                edge.names[name] = value
            elif bare in port:
                port[bare] = value
            elif cell.free or "unless" not in cell.names.lines[bare].flags:
                cell.names[bare] = value

    def _slopes(self, slots: list[tuple[Names, str]]) -> Callable[[np.ndarray], np.ndarray]:
        def slopes(at: np.ndarray) -> np.ndarray:
            before = [owner[name] for owner, name in slots]
            put(slots, at)
            found = [self.text.value(o.lines[n].text, o) for o, n in slots]
            put(slots, before)
            return np.array(found, float)

        return slopes

    def _integrated(
        self, slots: list[tuple[Names, str]], method: str, kept: dict[Any, Any], key: Any
    ) -> np.ndarray:
        x, dt = np.array([owner[name] for owner, name in slots]), self.dt
        if not slots:
            return x
        slopes = self._slopes(slots)
        clocks = {id(o): o for owner, _ in slots for o in (owner, owner.outer) if o is not None}

        def later(at: np.ndarray, share: float) -> np.ndarray:
            times = {k: o.get("t") for k, o in clocks.items()}
            for o in clocks.values():
                if "t" in o:
                    o["t"] += share * dt
            found = slopes(at)
            for k, o in clocks.items():
                if "t" in o:
                    o["t"] = times[k]
            return found

        match method:
            case "euler":
                return x + dt * slopes(x)
            case "rk2":
                return x + dt * later(x + dt / 2 * slopes(x), 0.5)
            case "rk4":
                k1 = slopes(x)
                k2 = later(x + dt / 2 * k1, 0.5)
                k3 = later(x + dt / 2 * k2, 0.5)
                k4 = later(x + dt * k3, 1.0)
                return x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            case "exponential_euler":
                return np.array([relaxed(slopes, x, k, dt) for k in range(x.size)])
        return exact(slots, slopes, dt, kept, key)


def interpret(network: Network, *, n_steps: int, dt_ms: float) -> Outcome:
    """Run a network from its text.

    The rules of its projections must list the pairs (`Listed`).
    """
    run = _Run(network, dt_ms)
    traces: dict[str, list[list[float]]] = {}
    edges: dict[str, list[list[float]]] = {}
    for step in range(n_steps):
        for name, cells in run.cells.items():
            for state in (n for n, x in cells[0].names.lines.items() if x.kind == "d"):
                traces.setdefault(f"{name}.{state}", []).append([c.names[state] for c in cells])
        for projection in run.projections:
            stored = [n for n, x in projection.lines.items() if not x.text or x.kind == "d"]
            for name in [*stored, *(["w"] if "w" not in stored else [])]:
                values = [edge.names[name] for edge in projection.edges]
                edges.setdefault(f"{projection.given.name}.{name}", []).append(values)
        run.step(step)
    spikes = {
        p.name: [(s, i) for s, cells in enumerate(run.spiked[p.name]) for i in sorted(cells)]
        for p in network.populations
    }
    return Outcome(spikes, traces, edges, run.text.nearest)
