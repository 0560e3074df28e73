"""Steps derived here are Brian2's steps, written more plainly; and what cannot be is left to it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from neuro import NeuronModel
from neuro.brian2_import import brian2 as load_brian2
from neuro.equations import brian_compiler, compose, schemes
from neuro.equations.brian_compiler import step_code
from neuro.equations.hoist import evaluate
from neuro.errors import EquationError
from neuro.models import ADEX
from neuro.units import Hz, Quantity, ms, mV, nS, pA, pF

# Subexpressions of subexpressions, one without a state, a time dependence, units in the text, a
# coefficient that hides v, a rate that is 0/0 somewhere, and a variable that only rises.
MIXED = NeuronModel(
    name="mixed",
    equations="""
        dv/dt = (g_L*(E_L - v) + I_gate - a*(v - E_L)/2 + wave + I) / C    : volt
        dm/dt = phi*(alpha*(1 - m) - beta*m)                               : 1
        dx/dt = rate*m                                                     : 1
        I_gate = g*m**3*block*(E_L + 60*mV - v)                            : amp
        block = 1/(1 + exp(-0.062*v/mV)/3.57)                              : 1
        alpha = 0.1/exprel(-(v + 40*mV)/(10*mV))/ms                        : Hz
        beta = alpha*2 + x/tau                                             : Hz
        wave = amplitude*cos(2*pi*rate*t)                                  : amp
        amplitude = twice*5*pA                                             : amp
    """,
    parameters={
        "g_L": nS(10), "E_L": mV(-65), "g": nS(30), "C": pF(200), "a": nS(3), "phi": Quantity(1.5),
        "tau": ms(7), "rate": Hz(30), "twice": Quantity(2),
    },
)  # fmt: skip


def step(model: NeuronModel, method: str, *, by_brian: bool = False) -> dict[str, np.ndarray]:
    """The new states from random old ones, by either derivation."""
    composed = compose(model)
    given = {name: q.dimension for name, q in composed.parameters.items()}
    rng = np.random.default_rng(1)
    values: dict[str, object] = {name: float(q) for name, q in composed.parameters.items()}
    values |= {"dt": 0.1, "t": 3.3, "I_ext": 40.0}
    values |= {"v": rng.uniform(-80, -30, 50), "m": rng.uniform(size=50), "x": rng.uniform(size=50)}
    with pytest.MonkeyPatch.context() as patch:
        if by_brian:
            patch.setattr(brian_compiler, "derive", lambda lines, method: None)
        code, _ = step_code(composed.lines, given, method, "it")
    for name, expression in code:
        values[name] = evaluate(expression, values)
    return {name: value for name, value in values.items() if name.endswith("__new")}


@pytest.mark.parametrize("method", ["euler", "rk2", "rk4", "exponential_euler"])
def test_both_derivations_give_the_same_step(method: str) -> None:
    """They differ by the rounding of some dozen operations: below 1e-12 of the largest term."""
    ours, theirs = step(MIXED, method), step(MIXED, method, by_brian=True)
    assert set(ours) == set(theirs) == {f"{name}__new" for name in "vmx"}
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-12, atol=1e-12)
    other = step(MIXED, "rk2" if method == "euler" else "euler")
    assert not np.allclose(ours["v__new"], other["v__new"], rtol=1e-9)  # the schemes do differ


@pytest.mark.parametrize("method", ["auto", "exact", "euler"])
def test_a_brian_that_fails_is_no_reason_for_a_cruder_method(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two versions of distutils in one process let every derivation end in a TypeError."""
    pair = NeuronModel(
        "pair", "dx/dt = -x/tau : 1\ndy/dt = (x - y)/tau : 1", "", "", parameters={"tau": ms(9)}
    )
    composed = compose(pair)
    given = {name: q.dimension for name, q in composed.parameters.items()}
    monkeypatch.setattr(brian_compiler, "derive", lambda lines, method: None)
    chosen = step_code(composed.lines, given, method, "it")[1]
    assert chosen == ("exact" if method == "auto" else method)

    def broken(*args: object, **kinds: object) -> None:
        raise TypeError("dist must be a Distribution instance")

    monkeypatch.setattr(load_brian2(), "NeuronGroup", broken)
    with pytest.raises(EquationError, match=r"Brian2 must be able .* dist must be .* repair"):
        step_code(composed.lines, given, method, "it")


def test_brian_derives_a_step_and_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling it takes seconds, needs a C compiler, and serves nobody."""
    from brian2.groups import group

    def compiling(*args: object, **kinds: object) -> None:
        raise AssertionError("Brian2 compiles")

    monkeypatch.setattr(group, "create_runner_codeobj", compiling)
    noisy = NeuronModel(
        "noisy", "dv/dt = -v/tau + xi/sqrt(tau) : 1", "", "", parameters={"tau": ms(9)}
    )
    composed = compose(noisy)
    given = {name: q.dimension for name, q in composed.parameters.items()}
    code, chosen = step_code(composed.lines, given, "auto", "it")
    assert chosen == "euler" and [name for name, _ in code][-1] == "v__new"


def test_a_subexpression_is_computed_once_however_many_read_it() -> None:
    code = schemes.derive(compose(MIXED).lines, "exponential_euler")
    assert code is not None
    assert sum(text.count("exprel") for _, text in code) == 1
    assert sum(text.count("0.062") for _, text in code) == 1


@pytest.mark.parametrize(
    ("derivative", "linear"),
    [
        ("-v*r", True),
        ("r*(E - v)*(1 + w)/(1 + w*w)", True),
        ("-(v - E)*r/(1 + exp(v/E))", True),
        ("r*(E - twice/2)", True),
        ("r*w*E", True),
        ("-v*v*r/E", False),
        ("r*E*(v/E)**2", False),
        ("r*E/(1 + v/E)", False),
        ("r*E*exp(-v/E)", False),
        ("r*twice*(1 - v/E)", False),
        ("r*E*sqrt(v/E) - r*v", False),
    ],
)
def test_linear_equations_are_told_from_others(derivative: str, linear: bool) -> None:
    """What is not plainly linear goes to Brian2, whose word on it is final."""
    text = f"dv/dt = {derivative} : volt\ndw/dt = -w*r : 1\ntwice = 2*v : volt"
    model = NeuronModel("m", text, parameters={"r": Hz(10), "E": mV(-70)})
    assert (schemes.derive(compose(model).lines, "exponential_euler") is not None) is linear


CHAIN = """
    dv/dt = (g_L*(E_L - v) + I - I_slow) / C    : volt
    dI_fast/dt = (exp(1)*x - I_fast)/tau        : amp
    dx/dt = (x_0 - x)/tau                       : amp
    dy/dt = -y/(2*tau)                          : amp
    dz/dt = rate                                : 1
    I_slow = 2*y - I_fast                       : amp
"""


def chain(**changed: Quantity) -> NeuronModel:
    """An alpha current, an exponential one, a constant source and a variable without decay."""
    parameters = {"g_L": nS(10), "C": pF(200), "E_L": mV(-65), "tau": ms(3), "x_0": pA(7),
                  "rate": Hz(30)}  # fmt: skip
    return NeuronModel("chain", CHAIN, parameters={**parameters, **changed})


@pytest.mark.parametrize("tau", [3.0, 10.0])
def test_the_exact_step_is_the_matrix_exponential(tau: float) -> None:
    """To rounding, also where two time constants of neighbours coincide (C/g_L is 20 ms)."""
    a, b = 10 / 200, 1 / tau
    #                 v    I_fast  x        y          z     1
    matrix = np.array([[-a, 1 / 200, 0, -2 / 200, 0, (10 * -65 + 40) / 200],
                       [0, -b, np.e * b, 0, 0, 0],
                       [0, 0, -b, 0, 0, 7 * b],
                       [0, 0, 0, -b / 2, 0, 0],
                       [0, 0, 0, 0, 0, 0.03],
                       [0, 0, 0, 0, 0, 0]])  # fmt: skip
    start = {"v": -60.0, "I_fast": 50.0, "x": 30.0, "y": -20.0, "z": 2.0}
    exact = expm(matrix * 0.5) @ [*start.values(), 1.0]
    composed = compose(chain(tau=ms(tau)))
    code = schemes.derive(composed.lines, "exact")
    assert code is not None
    values = {n: float(q) for n, q in composed.parameters.items()}
    values |= {"I_ext": 40.0, "dt": 0.5, "second": 1000.0, **start}
    for name, expression in code:
        values[name] = evaluate(expression, values)
    ours = [values[f"{name}__new"] for name in start]
    np.testing.assert_allclose(ours, exact[:-1], rtol=1e-12)


def test_a_decay_written_with_a_minus_is_exact() -> None:
    model = NeuronModel("m", "dx/dt = -r*x : 1\ndy/dt = -x*r - r*y : 1", parameters={"r": Hz(10)})
    code = schemes.derive(compose(model).lines, "exact")
    assert code is not None
    values: dict[str, object] = {"r": 0.01, "dt": 2.0, "x": 3.0, "y": 1.0}
    for name, expression in code:
        values[name] = evaluate(expression, values)
    decay = np.exp(-0.02)
    assert values["x__new"] == pytest.approx(3 * decay, rel=1e-14)
    assert values["y__new"] == pytest.approx((1 - 0.06) * decay, rel=1e-14)


@pytest.mark.parametrize(
    "more",
    [
        "dw/dt = (v/E_L - w)/tau : 1\ndv/dt = (E_L*w - v)/tau : volt",  # adaptation feeds back
        "dv/dt = (E_L*cos(t/tau) - v)/tau : volt",
        "dv/dt = (E_L - v)/tau*x/x_0 : volt\ndx/dt = -x/tau : amp",
        "dv/dt = E_L*exp(-v/E_L)/tau : volt",
    ],
)
def test_what_is_not_linear_in_one_direction_is_left_to_brian2(more: str) -> None:
    parameters = {"tau": ms(3), "E_L": mV(-65), "x_0": pA(7)}
    model = NeuronModel("m", more, parameters=parameters)
    assert schemes.derive(compose(model).lines, "exact") is None


def test_random_terms_and_other_methods_are_left_to_brian2() -> None:
    noisy = NeuronModel("n", "dv/dt = -v/tau + s*tau**-0.5*xi : volt",
                        parameters={"tau": ms(5), "s": mV(1)})  # fmt: skip
    assert schemes.derive(compose(noisy).lines, "euler") is None
    drawn = NeuronModel("n", "dv/dt = -v*rand()/tau : volt", parameters={"tau": ms(5)})
    assert schemes.derive(compose(drawn).lines, "rk2") is None
    for method in ("exact", "heun", "milstein"):  # AdEx is not linear
        assert schemes.derive(compose(ADEX).lines, method) is None
    assert schemes.derive(compose(ADEX).lines, "euler") is not None


def test_noise_that_brian2_refuses_is_refused_in_one_line() -> None:
    text = "dv/dt = -v/tau + s*tau**-0.5*xi : volt\ndw/dt = tau**-0.5*xi : 1"
    model = NeuronModel("n", text, parameters={"tau": ms(5), "s": mV(1)})
    with pytest.raises(EquationError, match="cannot integrate these equations") as caught:
        step_code(
            compose(model).lines, {"tau": ms(1).dimension, "s": mV(1).dimension}, "euler", "n"
        )
    assert "\n" not in str(caught.value)
