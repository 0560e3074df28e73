"""From a checked config to a network that only has to be simulated.

config -> equations checked -> encoders run -> circuits built -> modulation -> Network
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuits.circuit import assemble
from neuro.errors import BackendUnsupported, EmberError
from neuro.network import Network, Normal, Population, Record, Source, Uniform
from neuro.signal import Signal
from neuro.simulate import prepare
from neuro.timing import steps_of
from sims.assembly.circuits import build_order, build_parts
from sims.assembly.modulation import build_modulation
from sims.assembly.parts import Parts
from sims.assembly.stimulus import check_files, encode
from sims.assembly.written import check_written
from sims.config import Loaded
from sims.config.errors import KeyPath
from sims.config.experiment import RunConfig
from sims.config.located import located, mentioned
from sims.progress import Progress, silent

__all__ = ["Experiment", "build_experiment", "check_experiment", "place_of"]


_FEW_PAIRS = 20_000_000
"""Up to here a check draws the edges too, which takes a second or two; beyond, minutes."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """A network with everything a run of it needs.

    Attributes:
        records: Traces to keep.
        signals: The stimulus, keyed `stimulus.output`.
        coordinates: Per population and source, per coordinate, one value a cell.
        places: Name of each population and projection -> its place in the config.
        encode_s: Seconds the encoders took.
    """

    loaded: Loaded
    network: Network
    records: tuple[Record, ...]
    signals: Mapping[str, Signal]
    coordinates: Mapping[str, Mapping[str, NDArray[np.float64]]]
    places: Mapping[str, KeyPath]
    encode_s: float


def build_experiment(loaded: Loaded, progress: Progress = silent) -> Experiment:
    """Run the encoders and build the network; nothing is simulated.

    Raises:
        EmberError: one line with file, line and key of what is wrong.
    """
    config = loaded.config
    if not isinstance(config, RunConfig):
        raise loaded.refusal(("reasoner",), "this config trains a reasoner: use `ember train`")
    _check_steps(loaded)
    check_files(loaded)
    if any(hasattr(circuit, "populations") for circuit in config.circuits.values()):
        progress("checking equations")
        check_written(loaded)
    order = build_order(loaded)
    encodings, encode_s = encode(loaded, progress)
    progress("building circuits")
    parts = build_parts(loaded, order, encodings)
    modulation = build_modulation(parts)
    try:
        network = assemble(
            config.name,
            parts.circuits,
            sources=parts.sources,
            transmitters=modulation.transmitters,
            receptors=modulation.receptors,
            effects=modulation.effects,
        )
    except EmberError as error:
        raise located(error, loaded, mentioned(error, parts.places.items())) from None
    _check_delays(loaded, network, parts.places)
    sites: list[Population | Source] = [*network.populations, *network.sources]
    return Experiment(
        loaded=loaded,
        network=network,
        records=_records(loaded, parts),
        signals={
            f"{name}.{key}": signal
            for name, held in parts.signals.items()
            for key, signal in held.items()
        },
        coordinates={site.name: dict(site.coordinates) for site in sites if site.coordinates},
        places=parts.places,
        encode_s=encode_s,
    )


def _check_steps(loaded: Loaded) -> None:
    config: RunConfig = loaded.config
    dt_ms = float(config.dt)
    times: list[tuple[KeyPath, float]] = [
        (("duration",), config.duration),
        (("record", "every"), config.record.every),
        *(
            (("record", "traces", number, "every"), trace.every)
            for number, trace in enumerate(config.record.traces)
            if trace.every is not None
        ),
    ]
    for path, time_ms in times:
        try:
            whole = steps_of(float(time_ms), dt_ms, "") >= 1
        except EmberError:
            whole = False
        if not whole:
            problem = f"expected a whole number of time steps of {config.dt}, found {time_ms}"
            raise loaded.refusal(path, problem)


def _records(loaded: Loaded, parts: Parts) -> tuple[Record, ...]:
    config: RunConfig = loaded.config
    cells = {population.name: population.n for population in parts.populations()}
    projections = {projection.name for projection in parts.projections()}
    records = []
    for number, trace in enumerate(config.record.traces):
        at: KeyPath = ("record", "traces", number)
        every_ms = float(trace.every or config.record.every)
        if trace.population in projections - cells.keys() - parts.outputs.keys():
            records.append(Record(trace.population, trace.variable, every_ms, trace.cells))
            continue
        port = parts.port(trace.population, (*at, "population"))
        if port.name not in cells:
            raise loaded.refusal(
                (*at, "population"),
                f"`{trace.population}` is a stimulus: its spikes are kept, and it has no traces",
            )
        if max(trace.cells, default=0) >= port.n:
            raise loaded.refusal(
                (*at, "cells"),
                f"expected cells in 0..{port.n - 1} of `{port.name}`, found {max(trace.cells)}",
            )
        records.append(Record(port.name, trace.variable, every_ms, trace.cells))
    return tuple(records)


def _check_delays(loaded: Loaded, network: Network, places: Mapping[str, KeyPath]) -> None:
    dt_ms = float(loaded.config.dt)
    for projection in network.projections:
        if isinstance(projection.delay, (Normal, Uniform)) or not projection.synapse.delivers:
            continue  # seen when they are drawn; or there is none
        shortest = float(np.min(projection.delay))
        if shortest < dt_ms:
            raise loaded.refusal(
                places.get(projection.name, ()),
                f"the delay of `{projection.name}` must be at least one time step of {dt_ms:g} ms, "
                f"found {shortest:g} ms",
            )


def place_of(error: EmberError, experiment: Experiment) -> KeyPath:
    """The place in the config that an error of the engine is about, as far as it tells."""
    if isinstance(error, BackendUnsupported):
        return ("backend",)
    for number, record in enumerate(experiment.records):
        if str(error).startswith("record:") and f"`{record.variable}`" in str(error):
            return ("record", "traces", number)
    place = mentioned(error, experiment.places.items())
    if not place:  # a wiring rule knows only the two ends
        words = set(re.findall(r"\w+", str(error)))
        for projection in experiment.network.projections:
            if {projection.source, projection.target} <= words:
                return experiment.places.get(projection.name, ())
    return place


def _pairs(network: Network) -> int:
    sites: list[Population | Source] = [*network.populations, *network.sources]
    n = {site.name: site.n for site in sites}
    return sum(n[p.source] * n[p.target] for p in network.projections)


def check_experiment(loaded: Loaded, progress: Progress = silent) -> Experiment:
    """Everything `run_experiment` checks, without taking a step.

    Raises:
        EmberError: one line with file, line and key of what is wrong.
    """
    experiment = build_experiment(loaded, progress)
    config: RunConfig = loaded.config
    progress("compiling equations")
    try:
        prepare(
            experiment.network,
            seed=config.seed,
            dt_ms=float(config.dt),
            backend=config.backend.name,
            record=experiment.records,
            wire=_pairs(experiment.network) <= _FEW_PAIRS,
        )
    except EmberError as error:
        raise located(error, loaded, place_of(error, experiment)) from None
    return experiment
