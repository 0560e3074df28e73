"""Back ends with one thing wrong: a wrapper hands a network that is a little off to a sound one.

    late     every spike arrives a step later
    weight   the strongest synapse is weaker by 1 %
    lost     the strongest synapse is not there
    reset    the membrane is reset 0.5 mV too low
    seed     edges and start values are drawn from the next seed

and two for networks with random numbers:

    louder   every synapse is stronger by 10 %
    apart    everything is drawn from a seed far away, which is not wrong at all
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from neuro.backends import BACKENDS, Backend
from neuro.build import Built, build
from neuro.network import Network, Normal, Uniform
from neuro.units import Quantity, ms
from neuro.wiring import Listed

KINDS = ("late", "weight", "lost", "reset", "seed", "louder", "apart")


@dataclass(frozen=True)
class Broken(Backend):
    """`sound`, but for what `kind` says."""

    sound: str = ""
    kind: str = ""

    def load(self) -> Any:
        def run(built: Built, **settings: Any) -> Any:
            return BACKENDS[self.sound].load().run(broken(built, self.kind), **settings)

        return SimpleNamespace(run=run, check=getattr(BACKENDS[self.sound].load(), "check", None))


def broken_copy(sound: str, kind: str) -> Backend:
    """A copy of a back end, named `numba_late` and so on, to put into `BACKENDS`."""
    given = {key: value for key, value in vars(BACKENDS[sound]).items() if key != "name"}
    return Broken(name=f"{sound}_{kind}", **given, sound=sound, kind=kind)


def broken(built: Built, kind: str) -> Built:
    """The network as the broken back end sees it."""
    network, seed = built.network, built.seed
    if kind == "late":
        network = _late(network, built.dt_ms)
    elif kind in ("weight", "lost"):
        network = _one_synapse(network, built, 0.99 if kind == "weight" else 0.0)
    elif kind == "reset":
        network = _reset(network)
    elif kind == "louder":
        network = _louder(network)
    elif kind in ("seed", "apart"):
        seed += 1 if kind == "seed" else 1000
    else:
        raise ValueError(kind)
    return build(network, seed=seed, dt_ms=built.dt_ms)


def _late(network: Network, dt_ms: float) -> Network:
    def later(delay):
        if isinstance(delay, Uniform):
            return Uniform(ms(float(delay.low) + dt_ms), ms(float(delay.high) + dt_ms))
        assert not isinstance(delay, Normal)
        return ms(float(delay) + dt_ms)

    return replace(
        network,
        projections=tuple(replace(p, delay=later(p.delay)) for p in network.projections),
    )


def _one_synapse(network: Network, built: Built, factor: float) -> Network:
    at = max(range(len(built.projections)), key=lambda k: np.abs(built.projections[k].weight).max())
    drawn = built.projections[at]
    weight = drawn.weight.astype(np.float64)
    weight[np.abs(weight).argmax()] *= factor
    projections = list(network.projections)
    projections[at] = replace(
        projections[at],
        rule=Listed(drawn.source, drawn.target),
        weight=weight,
        delay=drawn.delay_steps * built.dt_ms,
    )
    return replace(network, projections=tuple(projections))


def _louder(network: Network) -> Network:
    return replace(
        network,
        projections=tuple(
            replace(p, weight=Quantity(1.1 * float(p.weight), p.weight.dimension))
            for p in network.projections
        ),
        backgrounds=tuple(
            replace(b, weight=Quantity(1.1 * float(b.weight), b.weight.dimension))
            for b in network.backgrounds
        ),
    )


def _reset(network: Network) -> Network:
    def cells(population):
        model = population.model
        assert "v = V_r" in model.reset
        wrong = model.reset.replace("v = V_r", "v = V_r - 0.5*mV")
        return replace(population, model=replace(model, reset=wrong))

    return replace(network, populations=tuple(map(cells, network.populations)))


def register(*sounds: str) -> None:
    """Put broken copies into `BACKENDS`, for a process that does nothing else."""
    for sound in sounds:
        for kind in KINDS:
            copy = broken_copy(sound, kind)
            BACKENDS[copy.name] = copy
