"""Every parameter of every registered model and synapse does something, and none is written twice.

A parameter whose value stands in the equations as a number, too, changes only half of the model.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from neuro import Network, Population, Record, simulate
from neuro.equations import compile_edge, compile_step, compose, has_edges
from neuro.equations.compose import EDGE_FLAGS, Port
from neuro.equations.edge_program import EdgeProgram
from neuro.equations.hoist import evaluate
from neuro.equations.program import StepProgram
from neuro.equations.syntax import names_in, parse_lines, parse_statements
from neuro.model import NeuronModel, SynapseModel
from neuro.models import MODELS
from neuro.synapses import SYNAPSES
from neuro.units import nS, pA
from tests.backends._plain import plain_kernels

_CELL = MODELS["lif"]


def _texts(program: StepProgram | EdgeProgram) -> Iterator[tuple[str, str]]:
    groups = [program.subexpressions]
    if isinstance(program, StepProgram):
        groups += [program.active, program.resting, program.reset, *program.deliveries]
        yield "threshold", program.threshold
        yield "refractory", program.refractory
    else:
        groups += [program.advance, program.step, program.on_pre, program.on_post, program.summed]
    for group in groups:
        yield from group


def _values(
    program: StepProgram | EdgeProgram, parameters: Mapping[str, float], draw: int
) -> np.ndarray:  # fmt: skip
    """What every expression of a program gives at some random point."""
    rng = np.random.default_rng(draw)
    scale = (1.0, 1000.0, 0.01, 10.0)[draw % 4]
    known: dict[str, float] = {"t": 3.7, "dt": 0.1, "elapsed__": 2.3, "i": 1.0, "N": 4.0}
    found = []
    texts = [(name, text) for name, text in _texts(program) if text]
    assigned = {name for name, _ in texts}
    free = sorted({n for _, text in texts for n in names_in(text)} - {*known, *parameters})
    known |= {name: scale * rng.uniform(0.05, 0.95) for name in free if name not in assigned or
              not name.endswith("__new")}  # fmt: skip
    for name in known:
        if re.match(r"(v|v_d|V)(_post|_pre)?$", name):
            known[name] = rng.uniform(-70, -20)
    known |= parameters
    for name, text in texts:
        text = text.replace("randn()", "0.3").replace("rand()", "0.6")
        value = float(evaluate(_by_how_much(text), known))
        found.append(value)
        if name not in parameters and "__" in name:
            known[name] = value
    return np.array(found)


def _by_how_much(text: str) -> str:
    """The expression with the difference of its sides for each comparison."""

    class Difference(ast.NodeTransformer):
        def visit_Compare(self, node: ast.Compare) -> ast.expr:
            return ast.BinOp(node.left, ast.Sub(), node.comparators[0])

        def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
            first, *rest = [self.visit(part) for part in node.values]
            for part in rest:
                first = ast.BinOp(first, ast.Add(), part)
            return first

    return ast.unparse(Difference().visit(ast.parse(text, mode="eval")))


def _programs(kind: str, name: str) -> Iterator[tuple[StepProgram | EdgeProgram, str]]:
    """What a model or synapse compiles to, and the suffix of its parameters there."""
    if kind == "model":
        yield compile_step(compose(MODELS[name]), []), ""
        return
    synapse = SYNAPSES[name]
    port = Port("__p1", synapse, dict(synapse.parameters), ("p",))
    composed = compose(_CELL, [port])
    yield compile_step(composed, [synapse.weight.dimension]), "__p1"
    if has_edges(_CELL, synapse):
        yield compile_edge(port, composed, compose(_CELL)), ""


_EVERYTHING = [("model", name) for name in MODELS] + [("synapse", name) for name in SYNAPSES]


def _item(kind: str, name: str) -> NeuronModel | SynapseModel:
    return MODELS[name] if kind == "model" else SYNAPSES[name]


@pytest.mark.parametrize(("kind", "name"), _EVERYTHING)
def test_every_parameter_changes_something(kind: str, name: str) -> None:
    item = _item(kind, name)
    starts = {v for v in item.initial.values() if isinstance(v, str)}
    programs = list(_programs(kind, name))
    host = {n: float(q) for n, q in _CELL.parameters.items()} if kind == "synapse" else {}
    host |= {f"{n}_post": v for n, v in host.items()} | {"I_ext": 90.0}
    for parameter in item.parameters:
        changes = parameter in starts
        for program, suffix in programs:
            # Not quite the defaults, of which some cancel.
            given = host | {
                n + suffix: float(q) * (1 + 0.01 * k)
                for k, (n, q) in enumerate(item.parameters.items())
            }
            if parameter + suffix in given:
                moved = given | {parameter + suffix: given[parameter + suffix] * 1.01 + 0.001}
                changes = changes or any(
                    not np.allclose(
                        _values(program, given, draw), _values(program, moved, draw),
                        rtol=1e-12, atol=0, equal_nan=True,
                    )
                    for draw in range(12)
                )  # fmt: skip
        assert changes, f"`{parameter}` of {name} changes nothing"


def _lines(item: NeuronModel | SynapseModel) -> Iterator[str]:
    """Derivatives and statements; published rate functions are full of numbers of their own."""
    text = item.equations if isinstance(item, NeuronModel) else f"{item.equations}\n{item.edges}"
    for line in parse_lines(text, "test", ("unless refractory", *EDGE_FLAGS)):
        if line.kind == "differential":
            yield line.expression
    if isinstance(item, SynapseModel):
        yield from (
            s.expression for s in parse_statements(item.on_pre + ";" + item.on_post, "test")
        )


def _ten(number: float) -> bool:
    """Whether it is a power of ten."""
    return math.isclose(math.log10(number), round(math.log10(number)), abs_tol=1e-9)


def repeated(item: NeuronModel | SynapseModel) -> list[tuple[float, str]]:
    """Numbers in derivatives and statements that are a parameter's value but for a power of ten."""
    found = []
    for line in _lines(item):
        nodes = list(ast.walk(ast.parse(line, mode="eval")))
        powers = {n.right for n in nodes if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow)}
        for node in nodes:
            if not isinstance(node, ast.Constant) or node in powers:
                continue
            number = float(node.value)  # type: ignore[arg-type]
            for name, quantity in item.parameters.items():
                ratio = float(quantity) / number if number else 0.0
                if number not in (0, 2, 0.5) and ratio > 0 and _ten(ratio) and not _ten(number):
                    found.append((number, name))
    return found


@pytest.mark.parametrize(("kind", "name"), _EVERYTHING)
def test_no_parameter_is_written_as_a_number_too(kind: str, name: str) -> None:
    assert not repeated(_item(kind, name))


def test_a_number_for_a_parameter_is_found() -> None:
    model = MODELS["pinsky_rinzel"]
    written = model.equations.replace("g_Ca*s**2*(E_Ca - v_d)/I_Ca", "10*s**2*(E_Ca - v_d)/mV")
    written = written.replace("10*s", "10.5*s")
    model = replace(model, parameters={**model.parameters, "g_Ca": nS(1050)}, source="none")
    assert (10.5, "g_Ca") in repeated(replace(model, equations=written, source="none"))


def test_calcium_enters_through_its_conductance_alone() -> None:
    """Without it calcium decays from 0.2, at 0.075 per ms; it reached 16."""
    model = MODELS["pinsky_rinzel"]
    given = {"g_Ca": np.array([0.0, 1000.0]), "I_ext": pA(300)}
    cells = Population("cells", model, 2, parameters=given)
    with plain_kernels():
        run = simulate(
            Network(populations=(cells,)),
            duration_ms=40,
            dt_ms=0.05,
            options={"precision": "float64"},
            record=[Record("cells", "Ca", 0.05)],
        )
    calcium = run.traces["cells.Ca"].data
    assert calcium[-1, 0] == pytest.approx(0.2 * math.exp(-0.075 * 39.95), rel=1e-6)
    assert calcium[:, 1].max() > 1
