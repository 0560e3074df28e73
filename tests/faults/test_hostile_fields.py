"""Text in a field that should not hold it is refused in one line, whichever field it is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml

from neuro import NeuronModel, SynapseModel
from neuro.equations import check_model, check_synapse
from neuro.errors import EmberError, EquationError, UnitError
from neuro.units import Quantity, ms, mV, nS, parse_quantity
from sims.assembly.written import check_written
from sims.config import from_resolved
from tests.fuzz.fuzz_caches import CONFIG
from tests.fuzz.fuzz_configs import EQUATIONS, MODELS

HOSTILE = (
    "g*(E_rev - v)", "(", "v >", "lambda: 0", "x[0]", "\ud800", "v\x00", "__import__('os').x",
    "v := 1", "v\n+1", "#", "\\", "1e999", "g__p1", "v **= 2", "(" * 300, "f'{v}'", "\u2028",
    "v if v else v", "exp(1, 2, 3)", "20 = 1",
)  # fmt: skip

NEURON: dict[str, Any] = {
    "name": "m",
    "equations": "dv/dt = (E_L - v + R*I)/tau : volt (unless refractory)\ndx/dt = -x/tau : 1",
    "threshold": "v > 1*mV",
    "reset": "v = E_L; x += 1",
    "refractory": "2*ms",
    "parameters": {"tau": ms(10), "E_L": mV(-70), "R": parse_quantity("100 Mohm")},
    "initial": {"v": "E_L"},
    "inputs": {"u": nS(1).dimension},
}
SUMMED: dict[str, Any] = {
    "name": "on_cells",
    "equations": "dg/dt = -g/tau : siemens\nI_syn = g*(E_rev - v) : amp",
    "current": "I_syn",
    "on_pre": "g += w",
    "weight": nS(1),
    "parameters": {"tau": ms(5), "E_rev": mV(0)},
}
EDGES: dict[str, Any] = {
    "name": "on_edges",
    "equations": "",
    "current": "",
    "on_pre": "v += w*x; x += 1",
    "on_post": "w = w*0.9; x += 0.1",
    "edges": "dx/dt = -x/tau : 1 (event-driven)",
    "weight": mV(1),
    "parameters": {"tau": ms(5), "one": Quantity(1.0)},
    "initial": {"x": "one"},
}


def with_text(fields: Mapping[str, Any], text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each field, key and text value in turn replaced by `text`."""
    for name, value in fields.items():
        if isinstance(value, str):
            yield name, {**fields, name: text}
        elif isinstance(value, Mapping):
            yield f"{name}, one more", {**fields, name: {**value, text: Quantity(1.0)}}
            for key in value:
                yield f"{name}, {key}", {**fields, name: {**value, key: text}}


def refusal(what: Callable[[], object], about: object) -> str:
    """The error of `what`, or nothing if it passes; anything but one line fails."""
    try:
        what()
    except EmberError as error:
        found = str(error)
        assert found.isprintable(), about
        assert 20 < len(found) <= 700, about
        return found
    except Exception as error:
        raise AssertionError(f"{about}: {error!r}") from error
    return ""


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_in_any_field_of_a_model_is_refused_in_one_line(text: str) -> None:
    for field, fields in with_text(NEURON, text):
        refusal(lambda f=fields: check_model(NeuronModel(**f)), field)  # type: ignore[misc]
    for synapse in (SUMMED, EDGES):
        for field, fields in with_text(synapse, text):
            refusal(lambda f=fields: check_synapse(SynapseModel(**f)), field)  # type: ignore[misc]


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if not isinstance(data, (dict, list)):
        yield path
        return
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield from places(value, (*path, key))


CONFIGS = [yaml.safe_load(text) for text in (EQUATIONS, MODELS, CONFIG)]


@pytest.mark.parametrize("text", HOSTILE[:8], ids=ascii)
def test_hostile_text_at_any_place_of_a_config_is_refused_in_one_line(text: str) -> None:
    for whole in CONFIGS:
        for path in places(whole):
            config = copy.deepcopy(whole)
            level = config
            for key in path[:-1]:
                level = level[key]
            level[path[-1]] = text
            refusal(lambda c=config: check_written(from_resolved(c)), path)  # type: ignore[misc]


@pytest.mark.parametrize("current", ["g*(E_rev - v)", "I_s", "tau", "v"])
def test_a_current_is_the_name_of_an_equation(current: str) -> None:
    """A parameter or a variable of the cell would be read from elsewhere."""
    with pytest.raises(EquationError, match=r"current must be the name of a variable in equations"):
        check_synapse(SynapseModel(**{**SUMMED, "current": current}))
    check_synapse(SynapseModel(**{**SUMMED, "current": " I_syn "}))


def test_start_values_of_a_synapse_without_edges_are_refused() -> None:
    with pytest.raises(EquationError, match="initial must be of variables in edges"):
        check_synapse(SynapseModel(**{**SUMMED, "initial": {"g": nS(3)}}))


def test_a_comment_ends_at_its_line_in_every_text() -> None:
    """Joined into one line first, a comment would swallow the rest of the condition."""
    from neuro.equations.compose import compose

    changes = {
        "threshold": "v > 1*mV # a\n or x > 2",
        "refractory": "2*ms # b",
        "reset": "v = E_L # c; x = 9\nx += 1",
    }
    found = compose(NeuronModel(**{**NEURON, **changes}))
    assert found.threshold == "v > 1*mV or x > 2"
    assert found.refractory == "2*ms"
    assert [(s.name, s.expression) for s in found.reset] == [("v", "E_L"), ("x", "x + (1)")]


@pytest.mark.parametrize("text", ["20 = 1", "1 ms; ms", "3 ms # of 5", "1 ms = 2"])
def test_a_unit_holds_no_other_signs(text: str) -> None:
    with pytest.raises(UnitError, match="expected a number with a unit"):
        parse_quantity(text)
