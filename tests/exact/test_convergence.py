"""Integrators converge at their order: the error falls as dt^order, fitted, within 0.2."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from neuro import Network, NeuronModel, Population, Record, Recording, simulate
from neuro.units import Dimension, Quantity, ms

pytestmark = pytest.mark.usefixtures("exact")
PER_MS = Dimension(time=-ms(1).dimension.time)
NOISE = Dimension(time=ms(1).dimension.time / -2)


def run(
    text: str, method: str, dt_ms: float, stop_ms: float, *, every_ms: float, n: int = 1,
    variables: str = "x", **parameters: Quantity,
) -> Recording:  # fmt: skip
    """Cells of an equation that start at x = 1; the last frame is at `stop_ms`."""
    model = NeuronModel("problem", text, parameters=parameters, method=method)
    initial = {name: Quantity(1) for name in ("x", "y") if f"d{name}/dt" in text}
    network = Network("problem", (Population("cells", model, n, {}, initial),))
    records = [Record("cells", name, every_ms) for name in variables]
    return simulate(
        network, duration_ms=stop_ms + dt_ms, dt_ms=dt_ms, seed=5, record=records
    )  # fmt: skip


def order(steps: list[float], errors: list[float]) -> float:
    assert min(errors) > 1e-13  # an error of rounding has no order
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


# x(t) = exp(-(1 - exp(-r t)) s/r): smooth, coupled one way, linear in each variable by itself.
COUPLED = "dx/dt = -s*x*y : 1\ndy/dt = -r*y : 1"


@pytest.mark.parametrize(
    ("method", "expected"), [("euler", 1), ("exponential_euler", 1), ("rk2", 2), ("rk4", 4)]
)
def test_deterministic_methods(method: str, expected: int) -> None:
    steps, errors = [0.5, 0.25, 0.125, 0.0625], []
    rates = {"r": Quantity(0.25, PER_MS), "s": Quantity(0.6, PER_MS)}
    for dt_ms in steps:
        x = run(COUPLED, method, dt_ms, 4, every_ms=4, **rates).traces["cells.x"].data[-1, 0]
        errors.append(abs(x - np.exp(-(1 - np.exp(-1)) * 0.6 / 0.25)))
    assert order(steps, errors) == pytest.approx(expected, abs=0.2)


# In Stratonovich's sense dx = a x dt + b x dW is exp(a t + b W) along each path.
GEOMETRIC = {"a": Quantity(0.3, PER_MS), "b": Quantity(0.5, NOISE)}
STEPS = [0.25, 0.125, 0.0625, 0.03125]


def test_heun_has_strong_order_one() -> None:
    """The path itself is a second variable, W, driven by the same noise."""
    text = "dx/dt = a*x + b*x*xi_1 : 1\ndw/dt = xi_1 : second**0.5"
    errors, spread = [], 0.0
    for dt_ms in STEPS:
        traces = run(text, "heun", dt_ms, 2, every_ms=2, n=1000, variables="xw", **GEOMETRIC).traces
        x, w = traces["cells.x"].data[-1], traces["cells.w"].data[-1]
        errors.append(float(np.abs(x - np.exp(0.6 + 0.5 * w)).mean()))
        spread = float(w.std())
    assert spread == pytest.approx(np.sqrt(2), rel=0.1)  # the noise is there
    assert order(STEPS, errors) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(("drift", "expected"), [(0.0, 1.0), (0.3, 0.5)])
def test_milstein_has_strong_order_one_without_drift(drift: float, expected: float) -> None:
    """The noise of each step is read back from the path by solving the scheme for it.

    With f = a x and g = b x a step multiplies x by 1 + a h + b dW + c dW², c = b (a sqrt(h) + b)/2:
    the scheme, which is Brian2's, takes its derivative over a step that the drift has a part in,
    and the square of the noise does not average out. With drift it is therefore of order 1/2.
    """
    errors = []
    parameters = {"a": Quantity(drift, PER_MS), "b": GEOMETRIC["b"]}
    for h in STEPS:
        text = "dx/dt = a*x + b*x*xi : 1"
        x = run(text, "milstein", h, 2, every_ms=h, n=2000, **parameters).traces["cells.x"].data
        c = 0.5 * (drift * np.sqrt(h) + 0.5) / 2
        root = np.sqrt(0.25 + 4 * c * (x[1:] / x[:-1] - 1 - drift * h))
        noise = (root - 0.5) / (2 * c)
        assert noise.std() == pytest.approx(np.sqrt(h), rel=0.05)
        exact = np.exp(drift * 2 + 0.5 * noise.sum(axis=0))
        errors.append(float(np.abs(x[-1] - exact).mean()))
    assert order(STEPS, errors) == pytest.approx(expected, abs=0.2)


def stationary_variance(method: str, dt_ms: float, n: int) -> float:
    """Of dx = -x/tau dt + sqrt(2/tau) dW, which is 1, at ten times 3 tau apart."""
    parameters = {"tau": ms(1)}
    recording = run("dx/dt = -x/tau + (2/tau)**0.5*xi : 1", method, dt_ms, 36, every_ms=3, n=n,
                    **parameters)  # fmt: skip
    x: NDArray[np.float64] = recording.traces["cells.x"].data[3:]
    return float(x.var())


def test_euler_has_weak_order_one_with_additive_noise() -> None:
    """Its stationary variance is 2/(2 - dt/tau): an error of dt/tau / (2 - dt/tau).

    200,000 nearly independent samples give the variance to 0.3 %, a tenth of the least error.
    """
    steps = [0.5, 0.25, 0.125, 0.0625]
    variances = [stationary_variance("euler", dt_ms, 20_000) for dt_ms in steps]
    exact = [2 / (2 - h) for h in steps]
    np.testing.assert_allclose(variances, exact, rtol=5 * np.sqrt(2 / 200_000))
    assert order(steps, [v - 1 for v in variances]) == pytest.approx(1, abs=0.2)
