"""A short step of any method has the slope that the equation gives, or the method is refused.

What a method takes for a coefficient or for a constant shows here: a step that reads `exp(y)` as
`exp(0)`, or drops the cube of `y - y**3`, has another slope however short it is.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from neuro import NeuronModel
from neuro.equations import compose
from neuro.equations.brian_compiler import step_code
from neuro.equations.hoist import evaluate
from neuro.equations.names import FUNCTIONS
from neuro.errors import EquationError
from neuro.units import ms

DT_MS = 1e-5
Y, X = np.array([0.3, 0.55, 0.8]), np.array([0.7, 0.2, 0.45])
DRAWN = {"rand", "randn"}
# SymPy takes seconds for some, and derivatives of others jump.
SLOW = {"abs", "arccos", "arcsin", "arctan", "log10", "sqrt", "sign", "floor", "ceil", "int"}
CALLS = ["clip(y, 0, 0.6)", *(f"{name}(y)" for name in sorted(FUNCTIONS - DRAWN - SLOW - {"clip"}))]
PLAIN = ("euler", "rk2", "rk4")
RIGHTS = [
    *(f"x - 3*y + 0.5*{call}" for call in CALLS),
    "2 - y*exp(y)",
    "int(y > 0.5) - y",
    "x*int(y > 0.5) - y",
    "y - y**3",
    "y**2 - y",
    "2*y + y**2 - 1",
    "1/y - y",
    "x*y - y",
    "(1 - y)*(2 - y)",
    "y*t/ms - y",
    "z - y",
    "z*y - x",
    "1 - z*z",
    "x - 3*y",
    "-2*y",
    "1.5",
    "x",
    "(y - x)/(2 + x)",
    "y % 0.35 - y",
    "sin(t/ms) - y",
]


@pytest.mark.parametrize("method", [*PLAIN, "exponential_euler", "exact"])
def test_a_short_step_has_the_slope_of_its_equation(method: str) -> None:
    taken = 0
    for right in RIGHTS:
        model = NeuronModel(
            "m",
            f"dy/dt = ({right})/tau : 1\ndx/dt = (0.4 - x)/tau : 1\nz = tanh(y) : 1",
            parameters={"tau": ms(10)},
        )
        lines = compose(model).lines
        given = {name: q.dimension for name, q in model.parameters.items()}
        try:
            code, _ = step_code(lines, given, method, "it")
        except EquationError:
            assert method not in PLAIN, right
            continue
        values: dict[str, object] = {"y": Y, "x": X, "t": 3.0, "dt": DT_MS, "tau": 10.0}
        for name, text in code:
            values[name] = evaluate(text, values)
        written = right.replace("/ms", "")
        slope = evaluate(written, {"y": Y, "x": X, "t": 3.0, "z": np.tanh(Y)})
        found = (np.asarray(values["y__new"]) - Y) / DT_MS * 10.0
        # A step of 1e-6 of the time constant bends by some 1e-5 of the slope.
        np.testing.assert_allclose(found, slope, rtol=1e-3, atol=1e-3, err_msg=right)
        taken += 1
    assert taken >= {"exact": 4, "exponential_euler": 18}.get(method, len(RIGHTS))


def test_exponential_euler_does_not_drop_a_cube() -> None:
    model = NeuronModel("m", "dy/dt = (y - y**3)/tau : 1", parameters={"tau": ms(10)})
    lines, given = compose(model).lines, {"tau": ms(10).dimension}
    with pytest.raises(EquationError, match="the equation of `y` is not linear in it"):
        step_code(lines, given, "exponential_euler", "it")


@pytest.mark.parametrize(
    "chain",
    [
        ("(h - y)/tau", "(x - h)/tau_h", "-x/tau_x"),
        ("(h - y)/tau", "(x - h)/tau_h", "(0.4 - x)/tau_x"),
        ("h/tau", "(0.7 - h)/tau", "-x/tau"),
    ],
)
@pytest.mark.parametrize("away", [0.0, 1e-16, 1e-15, 1e-13, 1e-11, 1e-9, 1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("dt", [0.0, 0.01, 0.1, 1.0])
def test_an_exact_step_is_exact_near_equal_time_constants(
    chain: tuple[str, str, str], away: float, dt: float
) -> None:
    """Against the matrix exponential, which knows no such limit."""
    equations = "\n".join(f"d{s}/dt = {text} : 1" for s, text in zip("yhx", chain, strict=True))
    taus = {"tau": 10.0, "tau_h": 10.0 * (1 - away), "tau_x": 10.0 * (1 + away)}
    given = {name: ms(tau) for name, tau in taus.items()}
    lines = compose(NeuronModel("m", equations, parameters=given)).lines
    code, _ = step_code(lines, {n: q.dimension for n, q in given.items()}, "exact", "it")
    start = {"y": 0.3, "h": 0.2, "x": 0.7}
    values: dict[str, object] = {**start, **taus, "dt": dt}
    for name, text in code:
        values[name] = evaluate(text, values)

    def slopes(**at: float) -> np.ndarray:
        return np.array([evaluate(text, {**taus, **at}) for text in chain], float)

    system = np.zeros((4, 4))
    system[:3, 3] = slopes(y=0.0, h=0.0, x=0.0)
    for column, name in enumerate("yhx"):
        unit = dict.fromkeys("yhx", 0.0) | {name: 1.0}
        system[:3, column] = slopes(**unit) - system[:3, 3]
    expected = expm(system * dt) @ [*start.values(), 1.0]
    # Two ways of three rates lose 1e-8, one of four 1e-5 (`linear._apart`), of the little that
    # comes that far in a step.
    for column, name in enumerate("yhx"):
        assert abs(float(values[f"{name}__new"]) - expected[column]) < 1e-8 * max(1, dt)
