"""Does single precision follow double over a time long against the slowest constant?

Every registered neuron, synapse and plasticity rule runs in both, on the same input. A state that
is held in single precision is off by at most 2^-16 of its largest value
(`neuro.equations.increments.SLOWEST`), and one that is slow by less, so:

- where a cell rests, each of its n states adds that much to what the others are: states agree to
  n * 2^-16 of their largest value, and those without a unit, which are shares, of 1;
- an interval between spikes moves by 2^-16 of itself, or by 64 times that where the threshold is
  crossed at a 64th of the mean speed: of N spikes one and N * 2^-10 may be missing or more;
- variables of synapses are held in double precision: those that follow from spikes alone agree to
  the rounding of the sample and of the weight, 2^-23.

Spikes of cells with a chance of 1e-8 a step are counted as well, against Poisson's distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from neuro import Network, NeuronModel, Population, Projection, Record, Source, Spikes, simulate
from neuro.build import build
from neuro.models import LEAKY_INTEGRATOR, MODELS, POISSON
from neuro.synapses import DELTA, GAP_JUNCTION, SYNAPSES
from neuro.units import Hz, ms, mV, nS, pA
from neuro.wiring import Listed, OneToOne
from tests.validation.row import Result, Row

__all__ = ["CASES", "ROW", "Case", "differences"]

STATE = 2.0**-16
SPIKES = 2.0**-10
EDGE = 2.0**-23
DT_MS = 0.1
FRAMES = 50
NORSE_MS = 200.0  # norse takes some 10 ms for a step of all models

# pA: at rest, and firing.
_CURRENTS = {
    "adex": (0, 800, 1200), "gif": (0, 250, 400), "hodgkin_huxley": (0, 1000, 2000),
    "izhikevich": (0, 700, 1500), "leaky_integrator": (0, 100, 200), "lif": (0, 350, 420),
    "pinsky_rinzel": (0, 150, 300), "quadratic_if": (0, 200, 500), "traub_miles": (0, 300, 900),
    "traub_miles_ping": (0, 300, 900), "wang_buzsaki": (0, 100, 300),
}  # fmt: skip
_ELSE = (0, 300, 1500)  # the cells of the cochlear nucleus

RELAY = NeuronModel(
    name="relay", equations="dv/dt = (-v + I/g_L)/tau : volt", threshold="v > V_th",
    reset="v = 0*mV", parameters={"tau": ms(5), "V_th": mV(20), "g_L": nS(10_000)},
    source="a spike for each that arrives",
)  # fmt: skip
SLOW = ("synaptic_scaling",)
RULES = tuple(n for n in SYNAPSES if SYNAPSES[n].edges and n not in (GAP_JUNCTION.name, *SLOW))
STATIC = tuple(n for n in SYNAPSES if not SYNAPSES[n].edges)
N = 3


@dataclass(frozen=True)
class Case:
    """A network whose parts depend on nothing but their input.

    Args:
        network: Made for a duration, in ms.
        parts: Names of the models or synapses in it.
        horizon_ms: Five times the slowest constant of the parts, or more.
    """

    network: Callable[[float], Network]
    parts: tuple[str, ...]
    horizon_ms: float


def _irregular(rate_hz: float, stop_ms: float, seed: int) -> Spikes:
    """Each unit at most once in two steps, at random."""
    rng = np.random.default_rng(seed)
    n_steps = int(stop_ms / (2 * DT_MS))
    trains = [np.flatnonzero(rng.random(n_steps) < rate_hz * 2 * DT_MS * 1e-3) for _ in range(N)]
    units = np.repeat(np.arange(N), [train.size for train in trains])
    return Spikes(np.concatenate(trains) * 2 * DT_MS, units, n_units=N, t_stop_ms=stop_ms)


def models(stop_ms: float) -> Network:
    """Cells that rest and cells that fire, of every model."""
    return Network(
        "models",
        tuple(
            Population(name, MODELS[name], N, {"rate": Hz(20)} if name == POISSON.name else {
                "I_ext": np.array(_CURRENTS.get(name, _ELSE), float) * pA})
            for name in MODELS
        ),
    )  # fmt: skip


def synapses(stop_ms: float) -> Network:
    """Irregular spikes to readouts through every synapse without a state, and a gap junction."""
    both = Listed(np.array([0, 1]), np.array([1, 0]))
    return Network(
        "synapses",
        (
            *(Population(f"to_{name}", LEAKY_INTEGRATOR, N) for name in STATIC),
            Population("coupled", LEAKY_INTEGRATOR, 2, {"I_ext": np.array([0.0, 100.0]) * pA}),
        ),
        (Source("in", _irregular(20, stop_ms, 1)),),
        (
            *(Projection(name, "in", f"to_{name}", SYNAPSES[name], OneToOne(),
                         SYNAPSES[name].weight, ms(1)) for name in STATIC),
            Projection("gap", "coupled", "coupled", GAP_JUNCTION, both, nS(0.5)),
        ),
    )  # fmt: skip


def rules(stop_ms: float, names: Sequence[str] = RULES) -> Network:
    """Irregular spikes before and after every synapse with a state."""
    after = [f"after_{name}" for name in names]
    return Network(
        "rules",
        tuple(Population(name, RELAY, N) for name in after),
        (Source("in", _irregular(15, stop_ms, 1)), Source("drive", _irregular(15, stop_ms, 2))),
        (
            *(Projection(f"drive_{name}", "drive", name, DELTA, OneToOne(), mV(100), ms(0.1))
              for name in after),
            *(Projection(name, "in", f"after_{name}", SYNAPSES[name], OneToOne(),
                         SYNAPSES[name].weight, ms(1)) for name in names),
        ),
    )  # fmt: skip


CASES = {
    "models": Case(models, tuple(MODELS), 10_000),
    "synapses": Case(synapses, (*STATIC, GAP_JUNCTION.name), 10_000),
    "rules": Case(rules, RULES, 60_000),
    "scaling": Case(lambda stop_ms: rules(stop_ms, SLOW), SLOW, 500_000),
}


def differences(
    case: Case, backend: str, stop_ms: float, *, all_fire: bool = False
) -> dict[str, float]:
    """What differs between single and double precision, each as a share of its tolerance.

    Args:
        all_fire: Whether a population that does not fire, though it can, differs without bound.
    """
    network = case.network(stop_ms)
    built = build(network, seed=0, dt_ms=DT_MS)
    every_ms = round(stop_ms / FRAMES / DT_MS) * DT_MS
    states = [
        (Record(p.name, p.shown(state), every_ms), p, state)
        for p in built.populations
        for state in p.program.states
    ]
    variables = [
        Record(p.projection.name, variable, every_ms)
        for p in built.projections if p.edge is not None
        for variable in p.edge.variables
    ]  # fmt: skip
    records = [record for record, _, _ in states] + variables
    single, double = (
        simulate(
            network, duration_ms=stop_ms, dt_ms=DT_MS, seed=1, backend=backend, record=records,
            options={"precision": precision},
        )
        for precision in ("float32", "float64")
    )  # fmt: skip
    found: dict[str, float] = {}
    resting: dict[str, NDArray[np.bool_]] = {}
    for population in built.populations:
        name, n = population.name, population.n
        resting[name] = np.ones(n, bool)
        if not population.program.threshold:
            continue
        counts = [np.bincount(run.spikes[name].units, minlength=n) for run in (single, double)]
        found[name] = float((np.abs(counts[0] - counts[1]) / (1 + SPIKES * counts[1])).max())
        resting[name] = counts[0] + counts[1] == 0
        if all_fire and resting[name].all():
            found[name] = np.inf

    def compare(
        record: Record, cells: NDArray[np.bool_] | slice, unit: float, share: float
    ) -> None:
        key = f"{record.population}.{record.variable}"
        a, b = (np.asarray(run.traces[key].data)[:, cells] for run in (single, double))
        tolerance = share * max(unit, float(np.abs(b).max(initial=0.0)))
        if tolerance:
            found[key] = float(np.abs(a - b).max(initial=0.0)) / tolerance

    for record, p, state in states:
        unit = 1.0 if p.program.units[state] == "1" else 0.0
        compare(record, resting[p.name], unit, len(p.program.states) * STATE)
    for record in variables:
        compare(record, slice(None), 0.0, EDGE)
    return found


def rare() -> Result:
    """Cells of 0.001 Hz at a step of 0.01 ms: ten spikes are expected in 1e9 draws."""
    n, stop_ms = 20_000, 500.0
    network = Network("rare", (Population("cells", POISSON, n, {"rate": Hz(0.001)}),))
    count = simulate(network, duration_ms=stop_ms, dt_ms=0.01, seed=1).spikes["cells"].times_ms.size
    expected = n * stop_ms * 1e-6
    low, high = poisson.ppf([1e-3, 1 - 1e-3], expected)
    return {"part": "rare", "holds": bool(low <= count <= high), "spikes": count}


def run(part: str) -> Result:
    """A case on a back end."""
    if part == "rare":
        return rare()
    name, backend = part.split("_on_")
    case = CASES[name]
    stop_ms = NORSE_MS if backend == "norse" else case.horizon_ms
    found = differences(case, backend, stop_ms, all_fire=backend == "numba")
    worst = max(found, key=lambda key: found[key])
    return {
        "part": part, "holds": found[worst] <= 1, "compared": len(found), "worst": worst,
        "share_of_tolerance": round(found[worst], 4), "horizon_ms": stop_ms,
    }  # fmt: skip


def judge(results: Sequence[Result]) -> tuple[bool, Result]:
    """All parts must hold."""
    figures = {r["part"]: {k: v for k, v in r.items() if k not in ("part", "holds")}
               for r in results}  # fmt: skip
    return all(r["holds"] for r in results), figures


ROW = Row(
    name="single_precision",
    claim="every model, synapse and rule in single precision follows double precision for longer "
    "than five of its slowest time constants, and cells of 0.001 Hz fire as often as they should",
    sources=(
        "neuro/*.py", "neuro/equations/*.py", "neuro/models/*.py", "neuro/synapses/*.py",
        "neuro/backends/numba/*.py", "neuro/backends/norse/*.py",
        "tests/validation/single_precision.py",
    ),
    parts=(*(f"{name}_on_{b}" for b in ("numba", "norse") for name in CASES), "rare"),
    run=run,
    judge=judge,
)  # fmt: skip
