"""Back ends, each declared by what it can do; none is imported before it is used."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from neuro.errors import BackendUnsupported, ConfigError, nearest

if TYPE_CHECKING:
    from neuro.build import Built

__all__ = ["BACKENDS", "Backend", "backend_named", "check_support"]

_INTEGRATORS = frozenset(
    f"{method} integration"
    for method in ("exact", "exponential_euler", "euler", "rk2", "rk4", "heun", "milstein")
)


@dataclass(frozen=True)
class Backend:
    """A way to run a built network.

    Attributes:
        features: What it can do, in the words of `StepProgram.features` and
            `EdgeProgram.features`.
        options: Settings a config may give it, with their defaults.
        summary: One line for `ember list backends`.
        resumes: Whether a run can be checkpointed and go on from there.
        checks: Whether its module has `check(built)`, for what no list of features can say.
    """

    name: str
    module: str
    features: frozenset[str]
    options: dict[str, Any]
    summary: str
    resumes: bool = False
    checks: bool = False

    @property
    def source(self) -> str:
        """The line that lists show."""
        return self.summary

    def load(self) -> Any:
        """The module with `run(built, …)`."""
        return import_module(self.module)

    def check(self, built: Built) -> None:
        """Ask the back end whether it can run this network; edges may not be drawn yet.

        Raises:
            BackendUnsupported, NetworkError: if it cannot, before anything compiles.
        """
        if self.checks:
            self.load().check(built)


_EDGES = frozenset({
    "edge variables", "on_post", "summed variables", "clock-driven edges",
    "state-dependent on_pre", "random numbers in synapses",
})  # fmt: skip
_COMMON = _INTEGRATORS | {"spikes", "white noise", "random numbers", "conditional refractoriness"}
_INCREMENTS = "modulation of what a spike adds"
BACKENDS: dict[str, Backend] = {
    "numba": Backend(
        "numba",
        "neuro.backends.numba.engine",
        frozenset(_COMMON | _EDGES | {"Poisson background"}),
        {"threads": 1, "precision": "float32"},
        "generated kernel on the CPU; the default",
        resumes=True,
    ),
    "brian": Backend(
        "brian",
        "neuro.backends.brian.engine",
        frozenset(_COMMON | _EDGES | {"Poisson background", _INCREMENTS}),
        {"codegen": "numpy"},
        "Brian2, the reference the others are checked against",
    ),
    "norse": Backend(
        "norse",
        "neuro.backends.norse.engine",
        frozenset(_COMMON | _EDGES | {"Poisson background"}),
        {"precision": "float32", "device": "cpu", "compile": False},
        "PyTorch, with gradients from Python; batches and GPUs",
    ),
    "lava": Backend(
        "lava",
        "neuro.backends.lava.engine",
        frozenset(_INTEGRATORS | {"spikes", "random numbers", "Poisson background"}),
        {"runner": "emulator", "timeout_s": 600.0},
        "Loihi's fixed-point arithmetic, emulated to the last bit, or run by lava-nc",
        checks=True,
    ),
}


def backend_named(name: str) -> Backend:
    """The back end of that name.

    Raises:
        ConfigError: if there is none.
    """
    if name not in BACKENDS:
        raise ConfigError(
            f"unknown back end `{name}`{nearest(name, BACKENDS)} "
            f"(known: {', '.join(BACKENDS)}; see `ember list backends`)"
        )
    return BACKENDS[name]


def check_support(built: Built, backend: Backend) -> None:
    """Refuse a network that needs what the back end lacks.

    Raises:
        BackendUnsupported: naming model, feature, and the back ends that can.
    """
    needs = built.features()
    for population in built.populations:
        needed = needs[population.name]
        if missing := needed - backend.features:
            able = [b.name for b in BACKENDS.values() if needed <= b.features]
            raise BackendUnsupported(population.composed.name, backend.name, missing, able)
    for edge in built.edges.values():
        needed = set(edge.program.features)
        if missing := needed - backend.features:
            able = [b.name for b in BACKENDS.values() if needed <= b.features]
            raise BackendUnsupported(edge.program.name, backend.name, missing, able)
    able = [b.name for b in BACKENDS.values() if _INCREMENTS in b.features]
    if backend.name not in able:
        from neuro.increments import modulated_increments  # needs what a list of names does not

        for synapse, need in modulated_increments(built):
            raise BackendUnsupported(synapse, backend.name, [need], able)
