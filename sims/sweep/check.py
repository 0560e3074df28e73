"""What can be refused of a sweep before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sims.progress import Progress, silent
from sims.sweep.measures import check_windows
from sims.sweep.plan import Plan, make_plan, unknown_part

if TYPE_CHECKING:
    from sims.assembly import Experiment
    from sims.config import Loaded

__all__ = ["check_sweep", "plan_of"]


def plan_of(loaded: Loaded) -> Plan:
    """The plan of a config's sweep, every point of which passes the schema.

    Raises:
        ConfigError: if there is no `sweep` section, a varied key leads nowhere, or a point is
            refused.
    """
    from sims.config import from_resolved

    section = getattr(loaded.config, "sweep", None)
    if section is None:
        raise loaded.refusal(
            (), "a sweep needs the section `sweep`, found none; to run it once use `ember run`"
        )
    base = {key: value for key, value in loaded.resolved.items() if key != "sweep"}
    for key in section.vary:
        problem = unknown_part(base, key)
        if problem:
            raise loaded.refusal(("sweep", "vary", key), problem)
    return make_plan(str(base["name"]), section, base, from_resolved)


def check_sweep(loaded: Loaded, progress: Progress = silent) -> Experiment:
    """Check the experiment that the points differ from, down to its equations, and the measures.

    What is wrong with it would otherwise fail in every point.

    Raises:
        EmberError: one line with file, line and key of what is wrong.
    """
    from sims.assembly import check_experiment

    experiment = check_experiment(loaded, progress)
    network = experiment.network
    check_windows(
        loaded.config.sweep.measures,
        duration_ms=float(loaded.config.duration),
        populations=[*(p.name for p in network.populations), *(s.name for s in network.sources)],
        modulators=[transmitter.name for transmitter in network.transmitters],
        factors=[f"{effect.target}.{effect.parameter}" for effect in network.effects],
    )
    return experiment
