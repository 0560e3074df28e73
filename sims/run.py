"""Run one experiment: what `ember run` does, from Python."""

from __future__ import annotations

from dataclasses import replace

from neuro.backends import BACKENDS
from neuro.errors import ConfigError, EmberError
from neuro.simulate import simulate
from sims.assembly import build_experiment, place_of
from sims.config import Loaded
from sims.config.experiment import RunConfig
from sims.config.located import located
from sims.progress import Progress, silent
from sims.result import Run

__all__ = ["run_experiment"]


def run_experiment(
    loaded: Loaded, *, threads: int | None = None, progress: Progress | None = None
) -> Run:
    """Encode, build and simulate; nothing is written.

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
    from sims.store.provenance import collect

    progress = progress or silent
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
    experiment = build_experiment(loaded, progress)
    duration_ms = float(config.duration)
    progress(f"compiling for {config.backend.name}")
    options = {"codegen": config.backend.codegen} if config.backend.codegen else {}
    try:
        recording = simulate(
            experiment.network,
            duration_ms=duration_ms,
            dt_ms=float(config.dt),
            seed=config.seed,
            backend=config.backend.name,
            threads=threads or config.backend.threads or 1,
            options=options,
            record=experiment.records,
            every_ms=float(config.record.every),
            progress=lambda done_ms: progress("simulating", done_ms, duration_ms),
        )
    except EmberError as error:
        raise located(error, loaded, place_of(error, experiment)) from None
    timings = {"encode": experiment.encode_s, **recording.timings}
    return Run(
        recording=replace(recording, timings=timings),
        provenance=collect(
            name=config.name,
            config_text=loaded.text,
            config_path=loaded.path,
            overrides=loaded.overrides,
            resolved=loaded.resolved,
            config_hash=loaded.hash,
        ),
        signals=experiment.signals,
        coordinates=experiment.coordinates,
    )
