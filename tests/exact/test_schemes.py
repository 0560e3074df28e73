"""Steps derived here are Brian2's steps, written more plainly; and what cannot be is left to it."""

from __future__ import annotations

import numpy as np
import pytest

from neuro import NeuronModel
from neuro.equations import brian_compiler, compose, schemes
from neuro.equations.brian_compiler import step_code
from neuro.equations.hoist import evaluate
from neuro.models import ADEX
from neuro.units import Hz, Quantity, ms, mV, nS, pF

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


def test_random_terms_and_other_methods_are_left_to_brian2() -> None:
    noisy = NeuronModel("n", "dv/dt = -v/tau + s*tau**-0.5*xi : volt",
                        parameters={"tau": ms(5), "s": mV(1)})  # fmt: skip
    assert schemes.derive(compose(noisy).lines, "euler") is None
    drawn = NeuronModel("n", "dv/dt = -v*rand()/tau : volt", parameters={"tau": ms(5)})
    assert schemes.derive(compose(drawn).lines, "rk2") is None
    for method in ("exact", "heun", "milstein"):
        assert schemes.derive(compose(ADEX).lines, method) is None
    assert schemes.derive(compose(ADEX).lines, "euler") is not None
