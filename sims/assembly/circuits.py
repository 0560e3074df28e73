"""From the `circuits` section to populations and projections with names known to the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from circuits.circuit import Circuit, Port
from encoders.encoding import Encoding
from neuro.errors import EmberError
from neuro.model import SynapseModel
from neuro.network import Background, Projection, Source, Value
from sims.assembly.parts import Parts
from sims.assembly.stimulus import stream_seed
from sims.assembly.written import cells_of, join
from sims.config import Loaded
from sims.config.errors import KeyPath, hint
from sims.config.experiment import RunConfig
from sims.config.located import located
from sims.config.registered import CircuitSettings
from sims.config.written import WrittenCircuit

__all__ = ["build_order", "build_parts"]


def build_order(loaded: Loaded) -> list[str]:
    """Circuits in an order in which each finds what it listens to.

    Raises:
        ConfigError: if a reference names no stimulus or circuit, or circuits listen to one
            another in a loop.
    """
    config: RunConfig = loaded.config
    before: dict[str, set[str]] = {name: set() for name in config.circuits}
    names = [*config.stimulus, *config.circuits]
    for name, settings in config.circuits.items():
        if not isinstance(settings, CircuitSettings):
            continue  # what is written out is joined when everything is there
        for at, reference in _references(("circuits", name), settings):
            other = reference.partition(".")[0]
            if other in config.circuits:
                before[name].add(other)
            elif "." in reference and other not in names:
                raise loaded.refusal(
                    at,
                    f"`{reference}`: there is no stimulus or circuit `{other}`{hint(other, names)}",
                )
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        loop = list(reversed(error.args[1]))
        raise loaded.refusal(
            ("circuits", loop[0]),
            f"circuits listen to one another in a loop ({' -> '.join(loop)}): close it with a "
            f"projection in a written-out circuit, which may join any two populations",
        ) from None


def _references(path: KeyPath, settings: CircuitSettings) -> Iterator[tuple[KeyPath, str]]:
    for key in settings.references:
        given = getattr(settings, key)
        if isinstance(given, tuple):
            yield from (((*path, key, number), name) for number, name in enumerate(given))
        elif given is not None:
            yield (*path, key), given


def build_parts(loaded: Loaded, order: Iterable[str], encodings: Mapping[str, Encoding]) -> Parts:
    """Build every circuit and join what is written out.

    Raises:
        EmberError: with the place in the config that is wrong.
    """
    config: RunConfig = loaded.config
    parts = Parts(loaded)
    for name, encoding in encodings.items():
        parts.signals[name] = encoding.signals
        parts.outputs[name] = {}
        for output, given in encoding.spikes.items():
            source = Source(f"{name}_{output}", given.spikes, given.coordinates)
            parts.sources.append(source)
            parts.outputs[name][output] = Port.of(source)
            parts.places[source.name] = ("stimulus", name)
    written: dict[str, Circuit] = {}
    for name in order:  # cells first, so that any circuit may listen to written-out ones
        circuit = config.circuits[name]
        if isinstance(circuit, WrittenCircuit):
            written[name] = cells_of(name, circuit)
            _take_in(parts, name, written[name], circuit.prefix)
    for name in order:
        settings = config.circuits[name]
        if isinstance(settings, CircuitSettings):
            _take_in(parts, name, _registered(parts, name, settings), settings.prefix)
    models: dict[str, SynapseModel] = {}
    for name, built in written.items():
        join(parts, name, built, models)
    return parts


def _registered(parts: Parts, name: str, settings: CircuitSettings) -> Circuit:
    config: RunConfig = parts.loaded.config
    inputs: dict[str, Any] = {}
    for key, kind in settings.references.items():
        given = getattr(settings, key)
        find = parts.port if kind == "port" else parts.signal
        path: KeyPath = ("circuits", name, key)
        if isinstance(given, tuple):
            inputs[key] = tuple(find(one, (*path, number)) for number, one in enumerate(given))
        else:
            inputs[key] = None if given is None else find(given, path)
    supplied = settings.supplied(
        duration_ms=float(config.duration),
        dt_ms=float(config.dt),
        seed=stream_seed(config.seed, "circuit", name),
    )
    try:
        circuit: Circuit = type(settings).function(**inputs, **settings.given(), **supplied)
    except EmberError as error:
        raise located(error, parts.loaded, ("circuits", name)) from None
    return circuit


def _take_in(parts: Parts, name: str, circuit: Circuit, prefix: str) -> None:
    """Give the circuit's parts their final names and make them known."""
    own = {population.name: prefix + population.name for population in circuit.populations}
    before = _inputs(circuit)
    circuit.projections = [_renamed(p, own, prefix) for p in circuit.projections]
    circuit.backgrounds = [_renamed_background(b, own, prefix) for b in circuit.backgrounds]
    inputs = dict(zip(before, _inputs(circuit), strict=True))
    circuit.populations = [
        replace(
            p, name=own[p.name],
            parameters=_of_inputs(p.parameters, inputs), initial=_of_inputs(p.initial, inputs),
        )
        for p in circuit.populations
    ]  # fmt: skip
    circuit.drives = [
        replace(d, population=own.get(d.population, d.population)) for d in circuit.drives
    ]
    circuit.outputs = {
        key: replace(port, name=own.get(port.name, port.name))
        for key, port in circuit.outputs.items()
    }
    place: KeyPath = ("circuits", name)
    written = isinstance(parts.loaded.config.circuits[name], WrittenCircuit)
    for old, new in own.items():
        if new in parts.places:
            other = parts.places[new]
            raise parts.loaded.refusal(
                place,
                f"the population `{new}` is in `{'.'.join(map(str, other))}` too: give this one "
                f"a `prefix:`, such as `{name}_`",
            )
        parts.places[new] = (*place, "populations", old) if written else place
    for projection in circuit.projections:
        parts.places[projection.name] = place
    for background in circuit.backgrounds:
        parts.places[background.name] = place
    parts.circuits.append(circuit)
    parts.outputs[name] = circuit.outputs


def _inputs(circuit: Circuit) -> list[str]:
    return [p.name for p in circuit.projections] + [b.name for b in circuit.backgrounds]


def _of_inputs(values: Mapping[str, Value], inputs: Mapping[str, str]) -> dict[str, Value]:
    """Values of a population, those that belong to a projection (`ff.g`) under its new name."""
    found = {}
    for key, value in values.items():
        owner, dot, bare = key.rpartition(".")
        found[f"{inputs.get(owner, owner)}.{bare}" if dot else key] = value
    return found


def _renamed(projection: Projection, own: Mapping[str, str], prefix: str) -> Projection:
    source = own.get(projection.source, projection.source)
    target = own.get(projection.target, projection.target)
    by_its_ends = projection.name == f"{projection.source}_to_{projection.target}"
    name = f"{source}_to_{target}" if by_its_ends else prefix + projection.name
    return replace(projection, name=name, source=source, target=target)


def _renamed_background(background: Background, own: Mapping[str, str], prefix: str) -> Background:
    target = own.get(background.target, background.target)
    by_its_target = background.name == f"background_to_{background.target}"
    name = f"background_to_{target}" if by_its_target else prefix + background.name
    return replace(background, name=name, target=target)
