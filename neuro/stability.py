"""Whether a time step is short enough for an explicit integrator, asked before a run.

The equations are linearised where the cells start. A mode that the equations damp must not grow
under the integrator: ``|R(lambda dt)| <= 1`` with the method's stability function R (Hairer &
Wanner 1996, Solving ODEs II, ch. IV.2). What goes unstable later is found when it becomes infinite.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neuro.build import BuiltPopulation
from neuro.equations.hoist import evaluate
from neuro.errors import NetworkError

__all__ = ["check_stability"]

_STABILITY: dict[str, Callable[[NDArray[np.complex128]], NDArray[np.complex128]]] = {
    "euler": lambda z: 1 + z,
    "heun": lambda z: 1 + z + z**2 / 2,
    "milstein": lambda z: 1 + z,
    "rk2": lambda z: 1 + z + z**2 / 2,
    "rk4": lambda z: 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24,
}
_SLACK = 1e-6


def check_stability(population: BuiltPopulation, dt_ms: float) -> None:
    """Refuse a step at which the population's integrator would amplify what should decay.

    Raises:
        NetworkError: naming the fastest time constant and a step that would do.
    """
    program = population.program
    if program.method not in _STABILITY or not program.states:
        return
    modes = np.linalg.eigvals(_jacobian(population, dt_ms))
    damped = modes[modes.real < 0].astype(np.complex128)
    grows = np.abs(_STABILITY[program.method](damped * dt_ms)) > 1 + _SLACK
    if not grows.any():
        return
    shorter = dt_ms
    while (np.abs(_STABILITY[program.method](damped * shorter)) > 1 + _SLACK).any():
        shorter /= 2
    fastest = 1 / np.abs(damped[grows]).max()
    raise NetworkError(
        f"population `{population.name}`: method {program.method} is unstable at a time step of "
        f"{dt_ms:g} ms, found a time constant of {fastest:.3g} ms; set dt to {shorter:g} ms or "
        f"less, or give the model `method: exponential_euler`"
    )


def _jacobian(population: BuiltPopulation, dt_ms: float) -> NDArray[np.float64]:
    """Of the time derivatives, `(n_states, n_states)`, where the first cell starts."""
    states = population.program.states
    start = np.array([population.initial[name][0] for name in states])
    size = np.maximum(np.abs(start), 1e-3)
    columns = []
    for k in range(start.size):
        shift = np.zeros(start.size)
        shift[k] = 1e-4 * size[k]
        high, low = (_slope(population, start + sign * shift, dt_ms) for sign in (1, -1))
        columns.append((high - low) / (2 * shift[k]))
    return np.nan_to_num(np.array(columns).T)


def _slope(
    population: BuiltPopulation, at: NDArray[np.float64], dt_ms: float
) -> NDArray[np.float64]:
    """Time derivatives, from one very short step of the program; noise is left out."""
    program = population.program
    short = dt_ms * 1e-5
    values: dict[str, float] = {"dt": short, "t": 0.0, "i": 0.0, "N": float(population.n)}
    for name, value in population.parameters.items():
        values[name] = float(value[0]) if isinstance(value, np.ndarray) else value
    values |= dict.fromkeys(program.inputs, 0.0) | dict.fromkeys(program.summed, 0.0)
    values |= zip(program.states, at.tolist(), strict=True)
    for name, text in program.active:
        values[name] = float(evaluate(_quiet(text), values))
    new = np.array([values[f"{name}__new"] for name in program.states])
    return (new - at) / short


def _quiet(text: str) -> str:
    return text.replace("randn()", "0.0").replace("rand()", "0.5")
