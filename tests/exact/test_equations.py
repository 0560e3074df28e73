"""Text to program: what is refused and how it is said, what is derived, what is hoisted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuro import NeuronModel
from neuro.equations import check_model, check_synapse, compile_step, compose
from neuro.equations.hoist import CELL, CONSTANT, TIME, Hoister, evaluate
from neuro.errors import EquationError
from neuro.models import LIF, MODELS
from neuro.synapses import SYNAPSES
from neuro.units import Dimension, Quantity, ms, mV


@pytest.mark.parametrize("name", MODELS)
def test_every_registered_neuron_is_consistent_and_says_its_source(name: str) -> None:
    check_model(MODELS[name])
    assert any(year.isdigit() and len(year) == 4 for year in _words(MODELS[name].source))


@pytest.mark.parametrize("name", SYNAPSES)
def test_every_registered_synapse_is_consistent_and_says_its_source(name: str) -> None:
    check_synapse(SYNAPSES[name])
    assert any(year.isdigit() and len(year) == 4 for year in _words(SYNAPSES[name].source))


def _words(text: str) -> list[str]:
    return text.replace(",", " ").replace(";", " ").split()


@pytest.mark.parametrize(
    ("equations", "said"),
    [
        ("dv/dt = (g_L*(E_L - v) + I + E_L)/C : volt", "term `E_L` is in mV"),
        ("dv/dt = (g_L*(E_L - v) + I)/C : amp", "mV"),
        ("dv/dt = (g_L*(E_X - v) + I)/C : volt", "unknown name `E_X`; did you mean `E_L`?"),
        ("dv/dt = (g_L*(E_L - v) + I*2*ms)/C : volt", "term `I * 2 * ms` is in"),
        ("dv/dt = exp(v)*volt/second : volt", "exp"),
        ("dv/dt = sine(v/mV)*volt/second : volt", "unknown function `sine`"),
        ("dv/dt = (g_L*(E_L - v) + I)/C : vollt", "unknown unit `vollt`"),
        ("dv/dt (g_L*(E_L - v) + I)/C : volt", "an equation must read"),
        ("v : volt", "has no equation"),
        ("dv/dt = -v/(2*ms) : volt\nv = 3*mV : volt", "defined once"),
        ("dI/dt = -I/(2*ms) : amp", "reserved"),
    ],
)
def test_what_is_wrong_is_named(equations: str, said: str) -> None:
    with pytest.raises(EquationError) as caught:
        check_model(replace(LIF, equations=equations))
    message = str(caught.value)
    assert said in message
    assert "model `lif`" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "(lambda: 1)()",
        "[x for x in (1, 2)]",
        "v.real",
        "v[0]",
        "open('x')",
        "'text'",
        "exp(v, where=1)",
        "(v := 2)",
        "v if v else 2",
    ],
)
def test_nothing_outside_the_closed_language_is_read(text: str) -> None:
    for model in (
        replace(LIF, equations=f"dv/dt = {text} : volt"),
        replace(LIF, threshold=text),
        replace(LIF, reset=f"v = {text}"),
        replace(LIF, refractory=text),
    ):
        with pytest.raises(EquationError):
            check_model(model)


def test_units_inside_text_become_coherent_numbers() -> None:
    decay = NeuronModel("d", "dv/dt = -v/(0.02*second) : volt", initial={"v": mV(1)})
    same = NeuronModel("d", "dv/dt = -v/(20*ms) : mV", initial={"v": mV(1)})
    values: dict[str, object] = {"v": 1.0, "dt": 0.1}
    for model in (decay, same):
        program = compile_step(compose(model), [])
        assert program.method == "exact"
        step = dict(values)
        for name, expression in program.active:
            step[name] = evaluate(expression, step)
        assert step["v__new"] == pytest.approx(np.exp(-0.1 / 20), rel=1e-12)


def test_auto_takes_the_best_method_that_applies() -> None:
    rate = Quantity(1, Dimension(time=-ms(1).dimension.time))
    per_mv = Quantity(1, Dimension(voltage=-mV(1).dimension.voltage))

    def method(text: str) -> str:
        model = NeuronModel("m", text, parameters={"r": rate, "q": per_mv}, initial={"v": mV(1)})
        return compile_step(compose(model), []).method

    assert method("dv/dt = -r*v : volt") == "exact"
    assert method("dv/dt = -r*v + r*mV*sin(r*t) : volt") == "exponential_euler"
    assert method("dv/dt = -r*q*v*v : volt") == "rk4"
    assert method("dv/dt = -r*v + mV*r**0.5*xi : volt") == "euler"


QUADRATIC = "dv/dt = I*v*v/(E_L*E_L*C) : volt"


def test_a_method_that_cannot_is_refused() -> None:
    with pytest.raises(EquationError, match="method `exact` cannot integrate"):
        compile_step(compose(replace(LIF, equations=QUADRATIC, method="exact")), [])


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "s", "x", "y", "2.0", "0.5"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda e: f"exp(-abs({e})/10)"),
        inner.map(lambda e: f"(-({e}))"),
        st.tuples(inner, inner).map(lambda t: f"int({t[0]} > {t[1]})"),
    ),
    max_leaves=12,
)


@given(EXPRESSIONS)
def test_hoisting_changes_where_a_number_is_computed_and_not_what_it_is(text: str) -> None:
    """Regrouping rounds differently: a dozen operations of relative error 1e-16, scaled by
    cancellation; inputs are small numbers of different size, so 1e-9 of the largest term holds.
    """
    cells = np.array([1.25, 3.5, 0.75])
    values = {"a": 1.5, "b": 0.3, "s": 2.25, "x": cells, "y": cells[::-1] * 1.7}
    hoister = Hoister({"a": CONSTANT, "b": CONSTANT, "s": TIME, "x": CELL, "y": TIME | CELL})
    hoisted = hoister.expression(text)
    known = dict(values)
    for name, expression in [*hoister.bound, *hoister.per_step]:
        known[name] = evaluate(expression, known)
    direct, after = evaluate(text, values), evaluate(hoisted, known)
    scale = 1e4
    finite = np.isfinite(direct) & (np.abs(direct) < 1e6)
    assert np.allclose(
        np.broadcast_to(after, finite.shape)[finite], direct[finite], rtol=1e-9, atol=1e-9 * scale
    )


def test_hoisting_finds_constants_however_deep() -> None:
    hoister = Hoister({"tau": CONSTANT, "dt": CONSTANT, "g": CELL, "f": TIME, "v": TIME | CELL})
    text = hoister.expression("v*g*exp(-dt/tau)*tau*f + v*(1 - exp(-dt/tau))")
    assert "exp" not in text
    assert [e for _, e in hoister.bound if "exp" in e]
    assert all("v" not in e.split("*") for _, e in [*hoister.bound, *hoister.per_step])
