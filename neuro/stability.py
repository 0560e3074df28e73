"""Whether a time step is short enough for an explicit integrator, asked before a run.

The equations are linearised where each cell starts, at both ends of what its drives and modulation
give. What else changes, such as the time, other states and sums over synapses, stays as it starts.
A mode that the equations damp must not grow under the integrator: ``|R(lambda dt)| <= 1`` with the
method's stability function R (Hairer & Wanner 1996, Solving ODEs II, ch. IV.2). What goes unstable
later is found when it becomes infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from types import MappingProxyType
from typing import NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from neuro.build import BuiltPopulation
from neuro.equations.hoist import evaluate
from neuro.equations.syntax import names_in
from neuro.errors import NetworkError
from neuro.network import Drive

__all__ = ["check_stability"]

_STABILITY: dict[str, Callable[[NDArray[np.complex128]], NDArray[np.complex128]]] = {
    "euler": lambda z: 1 + z,
    "heun": lambda z: 1 + z + z**2 / 2,
    "milstein": lambda z: 1 + z,
    "rk2": lambda z: 1 + z + z**2 / 2,
    "rk4": lambda z: 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24,
}
_SLACK = 1e-6
_FEW = 4  # modulated parameters, or inputs, of which all combinations of ends are asked
_LEAST = 1e-3  # factor
_NONE: Mapping[str, tuple[float, float]] = MappingProxyType({})
_End = TypeVar("_End", float, NDArray[np.float64])


def check_stability(
    population: BuiltPopulation, dt_ms: float, scaled: Mapping[str, tuple[float, float]] = _NONE
) -> None:
    """Refuse a step at which the population's integrator would amplify what should decay.

    Every cell is asked, with parameters as they are and at both ends of what modulation makes
    of them, and with the first, the least and the greatest value of each of its drives.

    Args:
        scaled: The least and the greatest factor on each modulated parameter.

    Raises:
        NetworkError: naming the cell, the fastest time constant and a step that would do.
    """
    program = population.program
    if program.method not in _STABILITY or not program.states:
        return
    # A time constant may vanish at full occupancy; it is fast before.
    factors_of = {
        name: (max(low, _LEAST), max(high, _LEAST))
        for name, (low, high) in scaled.items()
        if name in population.parameters
    }
    drives = {name: _frames(drive) for name, drive in population.drives.items()}
    ends = {name: (frames.min(axis=0), frames.max(axis=0)) for name, frames in drives.items()}
    first = {name: frames[0] for name, frames in drives.items()}
    for factors, driven in product(_corners(factors_of), _corners(ends)):
        inputs = first | driven
        jacobians = _jacobians(population, dt_ms, factors, inputs)
        known = np.isfinite(jacobians).all(axis=(1, 2))  # what is not shows when the cells run
        modes = np.zeros(jacobians.shape[:2], np.complex128)
        modes[known] = np.linalg.eigvals(jacobians[known])
        damped = modes * (modes.real < 0)
        grows = _grows(program.method, damped * dt_ms)
        if grows.any():
            _refuse(population, dt_ms, damped, grows, factors, inputs)


def _frames(drive: Drive) -> NDArray[np.float64]:
    """Of a drive, `(n_frames, 1 or n)`."""
    return np.asarray(drive.values, np.float64).reshape(len(drive.values), -1)


def _refuse(
    population: BuiltPopulation, dt_ms: float, damped: NDArray[np.complex128],
    grows: NDArray[np.bool_], factors: Mapping[str, float],
    inputs: Mapping[str, NDArray[np.float64]],
) -> NoReturn:  # fmt: skip
    method = population.program.method
    shorter = dt_ms
    while _grows(method, damped * shorter).any():
        shorter /= 2
    rates = np.where(grows, np.abs(damped), 0).max(axis=1)
    cell = int(rates.argmax())
    where = f" of cell {cell}" if population.n > 1 and np.ptp(rates) > 0 else ""
    if changed := [f"{name} x {factor:g}" for name, factor in factors.items() if factor != 1]:
        where += f" under modulation ({', '.join(changed)})"
    if inputs:
        found = [f"`{name}` is {values[cell % values.size]:g}" for name, values in inputs.items()]
        where += f" where {' and '.join(found)}"
    raise NetworkError(
        f"population `{population.name}`: method {method} is unstable at a time step of "
        f"{dt_ms:g} ms, found a time constant of {1 / rates[cell]:.3g} ms{where}; set dt to "
        f"{shorter:g} ms or less, or give the model `method: exponential_euler`"
    )


def _grows(method: str, z: NDArray[np.complex128]) -> NDArray[np.bool_]:
    return np.asarray((np.abs(_STABILITY[method](z)) > 1 + _SLACK) & (z != 0))


def _corners(ends: Mapping[str, tuple[_End, _End]]) -> list[dict[str, _End]]:
    """Nothing changed; each name at its ends, and all together where they are few."""
    corners: list[dict[str, _End]] = [{}]
    corners += [{name: end} for name, pair in ends.items() for end in pair]
    if 1 < len(ends) <= _FEW:
        corners += [dict(zip(ends, chosen, strict=True)) for chosen in product(*ends.values())]
    return corners


def _jacobians(
    population: BuiltPopulation,
    dt_ms: float,
    factors: Mapping[str, float],
    inputs: Mapping[str, NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Of the time derivatives where each cell starts, `(n_cells, n_states, n_states)`.

    One for all cells if all have the same values.
    """
    start = np.array([population.initial[name] for name in population.program.states])
    varied = any(np.size(v) > 1 for v in (*population.parameters.values(), *inputs.values()))
    varied = varied or any("i" in names_in(text) for _, text in population.program.active)
    if not varied and (start == start[:, :1]).all():
        start = start[:, :1]
    size = np.maximum(np.abs(start), 1e-3)
    columns = []
    for k in range(len(start)):
        shift = np.zeros_like(start)
        shift[k] = 1e-4 * size[k]
        high, low = (
            _slopes(population, start + sign * shift, dt_ms, factors, inputs) for sign in (1, -1)
        )
        columns.append((high - low) / (2 * shift[k]))
    return np.array(columns).transpose(2, 1, 0)


def _slopes(
    population: BuiltPopulation, at: NDArray[np.float64], dt_ms: float,
    factors: Mapping[str, float], inputs: Mapping[str, NDArray[np.float64]],
) -> NDArray[np.float64]:  # fmt: skip
    """Time derivatives, `(n_states, n_cells)`, from one very short step; noise is left out."""
    program = population.program
    short = dt_ms * 1e-5
    cells = np.arange(at.shape[1], dtype=np.float64)
    values: dict[str, object] = {"dt": short, "t": 0.0, "i": cells, "N": float(population.n)}
    for name, value in population.parameters.items():
        values[name] = value * factors.get(name, 1.0)
    values |= dict(inputs) | dict.fromkeys(program.summed, 0.0)
    values |= zip(program.states, at, strict=True)
    for name, text in program.active:
        values[name] = evaluate(_quiet(text), values)
    new = [np.broadcast_to(values[f"{name}__new"], at.shape[1:]) for name in program.states]  # type: ignore[call-overload]
    return (np.array(new) - at) / short


def _quiet(text: str) -> str:
    return text.replace("randn()", "0.0").replace("rand()", "0.5")
