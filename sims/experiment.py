"""From a checked config to a network that only has to be simulated.

config -> equations checked -> encoders run -> circuits built -> modulation -> Network
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from circuits.circuit import assemble
from neuro.build import steps_of
from neuro.errors import BackendUnsupported, EmberError
from neuro.network import Network, Population, Record, Source
from neuro.signal import Signal
from neuro.simulate import prepare
from sims._circuits import build_order, build_parts
from sims._modulation import build_modulation
from sims._stimulus import check_files, encode
from sims._written import check_written
from sims.config import Loaded
from sims.config.errors import KeyPath
from sims.config.experiment import RunConfig
from sims.config.located import located, mentioned
from sims.progress import Progress, silent

__all__ = ["Experiment", "build_experiment", "check_experiment", "place_of"]


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
    parts = build_parts(loaded, order, encodings, progress)
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
    every = config.record.every
    records = []
    for number, trace in enumerate(config.record.traces):
        at: KeyPath = ("record", "traces", number)
        port = parts.port(trace.population, (*at, "population"))
        if any(port.name == source.name for source in parts.sources):
            raise loaded.refusal((*at, "population"), f"`{trace.population}` is a stimulus: "
                                 f"its spikes are always kept, and it has no traces")  # fmt: skip
        records.append(Record(port.name, trace.variable, float(trace.every or every), trace.cells))
    sites: list[Population | Source] = [*network.populations, *network.sources]
    return Experiment(
        loaded=loaded,
        network=network,
        records=tuple(records),
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
            steps = steps_of(float(time_ms), dt_ms, "expected a time that")
        except EmberError as error:
            raise located(error, loaded, path) from None
        if steps < 1:
            raise loaded.refusal(
                path, f"expected at least one time step of {config.dt}, found {time_ms}"
            )


def place_of(error: EmberError, experiment: Experiment) -> KeyPath:
    """The place in the config that an error of the engine is about, as far as it tells."""
    if isinstance(error, BackendUnsupported):
        return ("backend",)
    for number, record in enumerate(experiment.records):
        if str(error).startswith("record:") and f"`{record.variable}`" in str(error):
            return ("record", "traces", number)
    return mentioned(error, experiment.places.items())


def check_experiment(loaded: Loaded, progress: Progress = silent) -> Experiment:
    """Everything `run_experiment` checks, without drawing an edge or taking a step.

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
            wire=False,
        )
    except EmberError as error:
        raise located(error, loaded, place_of(error, experiment)) from None
    return experiment
