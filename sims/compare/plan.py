"""What a comparison will do, decided before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from neuro.build import Built, build
from neuro.errors import ConfigError, EmberError
from neuro.network import Record
from sims.assembly import build_experiment, place_of
from sims.compare.distributions import seeds_needed, tests_of
from sims.compare.named import Named, named, reference_of
from sims.compare.verdict import ALPHA
from sims.config import Loaded
from sims.config.experiment import BackendSpec
from sims.config.located import located
from sims.progress import Progress
from sims.run import settings_of

__all__ = ["Plan", "random_parts", "plan_comparison", "with_backend"]

RANDOM = frozenset({
    "white noise", "random numbers", "Poisson background", "random numbers in synapses",
})  # fmt: skip
"""Features of what draws random numbers while the network runs, of its own on each back end."""

SEEDS = 10
"""Runs of a network with random numbers; engineering choice."""

_ALL_CELLS, _SOME_CELLS = 64, 16
"""A population of up to so many cells is watched whole, of a larger one so many cells, evenly;
engineering choices."""

_VALUES = 4_000_000
"""Samples of all watched cells; beyond, they are taken less often. Engineering choice."""


@dataclass(frozen=True)
class Plan:
    """What will run.

    Attributes:
        loaded: The config, with the traces to compare.
        random: What is random while it runs; empty if nothing is.
        spiking: Populations whose spikes are compared.
        needed: Seeds with which distributions over runs can be compared.
        imports: Modules that register back ends of the user's own.
    """

    loaded: Loaded
    chosen: tuple[Named, ...]
    reference: Named
    because: str
    random: tuple[str, ...]
    spiking: tuple[str, ...]
    seeds: tuple[int, ...]
    needed: int
    jitter_ms: float
    imports: tuple[str, ...] = ()


def plan_comparison(
    loaded: Loaded,
    backends: str | Sequence[str],
    *,
    reference: str,
    seeds: int | None,
    jitter_ms: float | None,
    imports: Sequence[str],
    progress: Progress,
) -> Plan:
    """Read what was asked for, build the network once, and see what can be compared.

    Raises:
        EmberError: if config, back ends or numbers are wrong. What can be refused without the
            network is refused before it is built.
    """
    for module in imports:
        try:
            import_module(module)
        except ImportError as error:
            raise ConfigError(f"--import: cannot import `{module}`: {error}") from None
    settings_of(loaded, None)  # refuses a sweep or a training
    chosen = named(backends)
    if len(chosen) < 2:
        raise ConfigError(
            f"--backends must name two or more, separated by commas, found {len(chosen)}; see "
            f"`ember list backends`"
        )
    best, because = reference_of(chosen, reference)
    config = loaded.config
    if jitter_ms is not None and not 0 <= jitter_ms < np.inf:
        raise ConfigError(f"--jitter must be a time of at least 0 ms, found {jitter_ms:g} ms")
    progress("building the network")
    experiment = build_experiment(loaded, progress)
    try:
        built = build(experiment.network, seed=config.seed, dt_ms=float(config.dt), wire=False)
    except EmberError as error:
        raise located(error, loaded, place_of(error, experiment)) from None
    random = random_parts(built)
    spiking = tuple(p.name for p in built.populations if p.program.threshold)
    needed = seeds_needed(tests_of(max(1, len(spiking))), ALPHA)
    return Plan(
        loaded=loaded if random else _watching(loaded, built, experiment.records),
        chosen=chosen,
        reference=best,
        because=because,
        random=random,
        spiking=spiking,
        seeds=_seeds(config.seed, seeds, needed, random),
        needed=needed,
        jitter_ms=float(config.dt) if jitter_ms is None else jitter_ms,
        imports=tuple(imports),
    )


def random_parts(built: Built) -> tuple[str, ...]:
    """What in a network draws random numbers while it runs, each with the name of its part."""
    found = [
        f"{feature} in `{name}`"
        for name, features in built.features().items()
        for feature in sorted(features & RANDOM)
    ]
    found += [
        f"{feature} of `{name}`"
        for name, edge in built.edges.items()
        for feature in sorted(RANDOM.intersection(edge.program.features))
    ]
    return tuple(found)


def with_backend(loaded: Loaded, chosen: Named) -> dict[str, Any]:
    """The config of a run on a back end, so that its file runs again on the same.

    One that the schema does not know, since a module registered it, leaves the section as it was.
    """
    threads = {"threads": chosen.threads} if chosen.threads != 1 else {}
    given = {"name": chosen.name, **chosen.options, **threads}
    try:
        BackendSpec.model_validate(given)
    except ValueError:
        return dict(loaded.resolved)
    return {**loaded.resolved, "backend": given}


def _seeds(first: int, wanted: int | None, needed: int, random: Sequence[str]) -> tuple[int, ...]:
    n = wanted if wanted is not None else max(SEEDS, needed) if random else 1
    if n < 1:
        raise ConfigError(f"--seeds must be at least 1, found {n}")
    if random and n < needed:
        raise ConfigError(
            f"--seeds must be at least {needed} for this network, found {n}: it has {random[0]}, "
            f"so that back ends agree in distribution only, and with fewer runs no difference "
            f"could be told from chance"
        )
    return tuple(range(first, first + n))


def _watching(loaded: Loaded, built: Built, records: Sequence[Record]) -> Loaded:
    """The config with traces of membranes added, of populations whose membranes it leaves out."""
    from sims.config import from_resolved

    steps = round(float(loaded.config.duration) / built.dt_ms)
    recorded = {(r.population, r.variable) for r in records}
    watched = [
        (p.name, _cells(p.n))
        for p in built.populations
        if "v" in p.program.states and (p.name, "v") not in recorded
    ]
    values = steps * sum(len(cells) for _, cells in watched)
    every_ms = built.dt_ms * max(1, -(-values // _VALUES))
    traces: list[Mapping[str, Any]] = [
        {"population": name, "variable": "v", "cells": list(cells), "every": f"{every_ms!r} ms"}
        for name, cells in watched
    ]
    section = dict(loaded.resolved.get("record", {}))
    section["traces"] = [*section.get("traces", ()), *traces]
    return from_resolved(
        {**loaded.resolved, "record": section},
        text=loaded.text, path=loaded.path, overrides=loaded.overrides,
    )  # fmt: skip


def _cells(n: int) -> tuple[int, ...]:
    if n <= _ALL_CELLS:
        return tuple(range(n))
    return tuple(np.unique(np.linspace(0, n - 1, _SOME_CELLS).round().astype(int)).tolist())
