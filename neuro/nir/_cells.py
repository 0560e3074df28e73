"""A neuron node -> a population, in Ember's units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuro.network import Population, Value
from neuro.nir.errors import NirError
from neuro.nir.graph import Node
from neuro.nir.maps import Incoming
from neuro.nir.models import Kind, nir_model
from neuro.nir.units import Units
from neuro.units import Quantity

__all__ = ["cells_of"]


def cells_of(
    node_name: str, name: str, node: Node, n: int, arriving: Incoming, *, lag: int, seen: bool,
    currents: set[str], dt_ms: float, units: Units, norse: bool, notes: list[str],
) -> Population:  # fmt: skip
    """The population of a neuron node.

    Raises:
        NirError: if a time constant is not positive, or shorter than the step.
    """
    where = f"node `{node_name}` ({node.kind})"
    driven = any(origin in currents for origin, _ in arriving.matrices) or any(
        lag + delay > 0 and constant.any() for delay, constant in arriving.constants.items()
    )
    values = _values(where, node, n, dt_ms, units, norse)
    kind: Kind = "LIF" if node.kind == "Threshold" else node.kind  # type: ignore[assignment]
    model = nir_model(kind, driven=driven, seen=seen)
    if "width" in model.parameters:
        values["width"] = np.full(n, dt_ms)
    parameters: dict[str, Value] = {
        key: Quantity(_one_if_equal(value), model.parameters[key].dimension)
        for key, value in values.items()
    }
    if not driven and (constant := sum(arriving.constants.values(), np.zeros(n))).any():
        parameters["I_ext"] = constant * units.current
    leak, threshold = values.get("v_leak"), values.get("v_threshold")
    if lag and leak is not None and threshold is not None and (leak > threshold).any():
        notes.append(
            f"`{name}` fires without input, so its first spikes come before the {lag} steps that "
            f"it otherwise lags"
        )
    return Population(name, model, n, parameters)


def _values(
    where: str, node: Node, n: int, dt_ms: float, units: Units, norse: bool
) -> dict[str, NDArray[np.float64]]:
    def given(key: str, default: float = 0.0) -> NDArray[np.float64]:
        if key not in node.values:
            return np.full(n, default)
        return np.broadcast_to(node.array(key).ravel(), (n,))

    time_ms, voltage = float(units.time), float(units.voltage)
    if node.kind == "Threshold":  # a membrane that forgets within a step is what arrives
        return {
            "tau": np.full(n, dt_ms), "r": np.full(n, units.resistance), "v_leak": np.zeros(n),
            "v_threshold": given("threshold") * voltage, "v_reset": np.zeros(n),
        }  # fmt: skip
    # Norse's export multiplies time constants by dt, leaves out that its LIF cell takes a spike as
    # a jump of 1, and that its IF cell does too (norse 1.1, `utils/export_nir.py`; norse #411).
    stretch = 1000.0 / dt_ms if norse else 1.0
    found: dict[str, NDArray[np.float64]] = {}
    for key in ("tau", "tau_mem", "tau_syn"):
        if key in node.values:
            found[key] = given(key) * time_ms * stretch
            _check_tau(where, key, found[key], dt_ms)
    for key in ("v_leak", "v_threshold"):
        if key in node.values:
            found[key] = given(key) * voltage
    if "v_threshold" in found:
        found["v_reset"] = given("v_reset") * voltage
    found["r"] = given("r") * units.resistance
    if node.kind in ("IF", "I"):
        found["r"] = found["r"] / (dt_ms if norse else time_ms)
    if node.kind in ("CubaLIF", "CubaLI"):
        found["w_in"] = given("w_in", 1.0) * (found["tau_syn"] / dt_ms if norse else 1.0)
    return found


def _check_tau(where: str, key: str, tau_ms: NDArray[np.float64], dt_ms: float) -> None:
    if not (tau_ms > 0).all():
        raise NirError(f"{where}: `{key}` must be positive, found {tau_ms.min():g} ms")
    if (tau_ms < dt_ms * (1 - 1e-6)).any():
        raise NirError(
            f"{where}: `{key}` must be at least the step of {dt_ms:g} ms, found {tau_ms.min():g} "
            f"ms; if Norse wrote the file say units: norse (it multiplies tau by dt), else give "
            f"the unit of time"
        )


def _one_if_equal(values: NDArray[np.float64]) -> float | NDArray[np.float64]:
    return float(values[0]) if values.size and (values == values[0]).all() else np.array(values)
