"""A model made from another states its own source: what a paper says is not inherited."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections import defaultdict
from pathlib import Path

import pytest

import circuits
import neuro.models
import neuro.synapses
from neuro.errors import SimulationError
from neuro.model import NeuronModel, SynapseModel, variant
from neuro.models import LIF, MODELS
from neuro.synapses import SYNAPSES

ROOT = Path(__file__).parents[2]
ROOMS = ("neuro", "circuits", "encoders", "bridges", "sims", "examples", "benchmarks")

SHARED = {
    # Names that share a source on purpose: parts of one published model.
    frozenset({"alpha_current", "alpha_conductance"}),
    frozenset({"biexponential_current", "biexponential_conductance"}),
    frozenset({"microcircuit_lif", "microcircuit_synapse"}),
    frozenset(
        {
            "depressing_current",
            "depressing_conductance",
            "facilitating_current",
            "facilitating_conductance",
        }
    ),
}


def modules() -> list[object]:
    found: list[object] = []
    for package in (neuro.models, neuro.synapses, circuits):
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            found.append(importlib.import_module(info.name))
    return found


def models() -> dict[str, NeuronModel | SynapseModel]:
    """Every model that is a constant of a module, by module and name."""
    found: dict[int, tuple[str, NeuronModel | SynapseModel]] = {}
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, NeuronModel | SynapseModel):
                found.setdefault(id(value), (f"{module.__name__}.{name}", value))  # type: ignore[attr-defined]
    for registry in (MODELS, SYNAPSES):
        for name, value in ((name, registry[name]) for name in registry):
            found.setdefault(id(value), (name, value))
    return dict(found.values())


def replaced_without_source(tree: ast.AST) -> list[int]:
    """Lines that call `replace` with `name`, `equations` or `parameters`, and without `source`."""
    lines = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else None
        called = node.func.id if isinstance(node.func, ast.Name) else called
        if called != "replace" or not isinstance(node.args[0], ast.Name | ast.Attribute):
            continue
        given = {keyword.arg for keyword in node.keywords}
        model = node.args[0]
        constant = (model.id if isinstance(model, ast.Name) else model.attr).isupper()
        if constant and given & {"name", "equations", "parameters", "on_pre", "edges"}:
            lines += [node.lineno] * ("source" not in given)
    return lines


def test_nothing_replaces_values_of_a_model_and_keeps_its_source() -> None:
    found = []
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            found += [f"{file.relative_to(ROOT)}:{n}" for n in replaced_without_source(tree)]
    # Variants of a network, which has no source of its own, are no models.
    assert [place for place in found if not place.startswith("circuits/cortex/vogels_")] == []


def test_the_search_finds_what_it_looks_for() -> None:
    wrong = 'A = replace(LIF, name="a", parameters={})\nB = dataclasses.replace(m.LIF, name="b")'
    right = 'A = replace(LIF, name="a", source="B 2000")\nC = replace(model, name="c")'
    assert replaced_without_source(ast.parse(wrong)) == [1, 2]
    assert replaced_without_source(ast.parse(right)) == []


def test_every_model_has_a_source_and_shares_it_with_none_by_accident() -> None:
    by_source: dict[str, set[str]] = defaultdict(set)
    for place, model in models().items():
        assert model.source.strip(), place
        if not model.source.startswith("engineering choice"):
            by_source[model.source].add(model.name)
    assert len(by_source) > 20  # they were found
    shared = {frozenset(names) for names in by_source.values() if len(names) > 1}
    assert shared <= SHARED, shared - SHARED


def test_the_benchmark_is_not_credited_with_receptors() -> None:
    """Alpha-2, AMPA, GABA and NK1 of the circuits once carried the source of COBA."""
    coba = SYNAPSES["exponential_conductance"]
    for place, model in models().items():
        if place.startswith("circuits.") and model is not coba:
            assert "COBA" not in model.source and "CUBA" not in model.source, place


@pytest.mark.parametrize("source", ["", " ", LIF.source])
def test_a_variant_without_a_source_of_its_own_is_refused(source: str) -> None:
    with pytest.raises(SimulationError, match="must give a source of its own"):
        variant(LIF, name="other", source=source)
