"""Run one experiment: what `ember run` does, from Python."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from neuro.backends import BACKENDS
from neuro.errors import ConfigError, EmberError
from neuro.simulate import simulate
from sims.assembly import build_experiment, place_of
from sims.config import Loaded
from sims.config.experiment import RunConfig
from sims.config.located import located
from sims.progress import Progress, silent
from sims.result import Provenance, Run

__all__ = ["provenance_of", "run_experiment", "settings_of"]


def run_experiment(
    loaded: Loaded, *, threads: int | None = None, progress: Progress | None = None
) -> Run:
    """Encode, build and simulate; nothing is written, and all that is recorded is in memory.

    Args:
        loaded: From `sims.config.load`.
        threads: Instead of the config's; the spikes do not depend on it.
        progress: Told what is being done, and how far the simulation is.

    Returns:
        The recording with stimulus, coordinates and provenance. Its timings are seconds of
        `encode`, `build`, `compile` and `simulate`.

    Raises:
        EmberError: one line with file, line and key of what is wrong.
    """
    progress = progress or silent
    settings = settings_of(loaded, threads)
    config: RunConfig = loaded.config
    experiment = build_experiment(loaded, progress)
    duration_ms = float(config.duration)
    progress(f"compiling for {config.backend.name}")
    try:
        recording = simulate(
            experiment.network,
            dt_ms=float(config.dt),
            seed=config.seed,
            record=experiment.records,
            progress=lambda done_ms: progress("simulating", done_ms, duration_ms),
            **settings,
        )
    except EmberError as error:
        raise located(error, loaded, place_of(error, experiment)) from None
    timings = {"encode": experiment.encode_s, **recording.timings}
    return Run(
        recording=replace(recording, timings=timings),
        provenance=provenance_of(loaded),
        signals=experiment.signals,
        coordinates=experiment.coordinates,
    )


def settings_of(loaded: Loaded, threads: int | None) -> dict[str, Any]:
    """What a config says about a run, but for the network, in the words of `neuro.simulate`.

    Raises:
        ConfigError: if it is not of a single run, or its back end has but one thread.
    """
    config: RunConfig = loaded.config
    if loaded.kind != "run":
        command = {"sweep": "ember sweep", "train": "ember train"}[loaded.kind]
        raise loaded.refusal((), f"this config is not of a single run: use `{command}`")
    backend = BACKENDS[config.backend.name]
    if threads is not None and threads != 1 and "threads" not in backend.options:
        able = [name for name, other in BACKENDS.items() if "threads" in other.options]
        raise ConfigError(
            f"back end `{config.backend.name}` runs on one thread, found --threads {threads}; "
            f"run it on {' or '.join(able)}"
        )
    options = {name: given for name, given in config.backend if given is not None}
    del options["name"]
    return {
        "duration_ms": float(config.duration),
        "backend": config.backend.name,
        "threads": threads or options.pop("threads", 1),
        "options": options,
        "every_ms": float(config.record.every),
    }


def provenance_of(loaded: Loaded, failure: str = "") -> Provenance:
    """What was run, with this process's versions and memory as they are now."""
    from sims.store.provenance import collect

    return collect(
        name=loaded.config.name,
        config_text=loaded.text,
        config_path=loaded.path,
        overrides=loaded.overrides,
        resolved=loaded.resolved,
        config_hash=loaded.hash,
        failure=failure,
    )
