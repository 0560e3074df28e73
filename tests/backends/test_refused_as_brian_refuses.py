"""What Brian2 refuses, Ember refuses too, in one line; or it has a reason, given here, not to.

The cases are every kind of refusal of a model's text in the source of Brian2 2.9: `equations/`,
`parsing/`, `stateupdaters/`, `codegen/translation.py`, `groups/neurongroup.py` and
`synapses/synapses.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from neuro import Network, NeuronModel, Population, Projection, SynapseModel, simulate
from neuro.brian2_import import brian2
from neuro.errors import EmberError
from neuro.units import Quantity, ms, mV, nS
from neuro.wiring import AllToAll
from tests.backends._plain import plain_kernels
from tests.backends._refused import CASES, CELL, Case

EMBER_ALONE = {
    "an edge variable called j": "names of users and of synapses are apart",
    "an edge variable called delay": "names of users and of synapses are apart",
    "a unit with a prefix": "it stands for its dimension; numbers in text keep units of their own",
}
"""Cases that Ember runs, and why."""


def _ember(case: Case) -> None:
    known = {"tau": ms(10), "V_th": mV(20), "k": Quantity(2.0), "g": nS(1)}
    texts = f"{case.equations} {case.threshold} {case.reset} {case.refractory}"
    parameters = {n: value for n, value in known.items() if re.search(rf"\b{n}\b", texts)}
    acts = f"{case.edges} {case.on_pre} {case.on_post}"
    cell = NeuronModel(
        "cell",
        case.equations,
        case.threshold,
        case.reset,
        case.refractory,
        parameters,
        method=case.method,
    )
    projections: tuple[Projection, ...] = ()
    if case.has_edges:
        synapse = SynapseModel(
            "edge",
            "",
            "",
            case.on_pre,
            mV(1),
            {"tau": ms(5)} if re.search(r"\btau\b", acts) else {},
            edges=case.edges,
            on_post=case.on_post,
        )
        projections = (Projection("p", "c", "c", synapse, AllToAll(), weight=mV(1), delay=ms(1)),)
    network = Network("n", (Population("c", cell, 1),), projections=projections)
    with plain_kernels():
        simulate(network, duration_ms=0.1)


def _brian(case: Case) -> None:
    package: Any = brian2()
    namespace = {
        "tau": 0.01 * package.second,
        "V_th": 0.02 * package.volt,
        "k": 2.0,
        "g": 1e-9 * package.siemens,
    }
    # Where the fault is elsewhere, a `v` that stays spares Brian2 an integrator.
    whole = case.equations != CELL or case.method != "euler"
    equations = case.equations if whole else "v : volt"
    cells = package.NeuronGroup(
        1,
        equations,
        threshold=case.threshold,
        reset=case.reset,
        method=case.method,
        refractory=case.refractory or False,
        namespace=namespace,
        name="refused*",
    )
    network = package.Network(cells)
    if case.has_edges:
        edges = package.Synapses(
            cells,
            cells,
            f"{case.edges}\nw : volt",
            on_pre=case.on_pre or None,
            on_post=case.on_post or None,
            namespace=namespace,
            name="refused_edges*",
        )
        edges.connect(i=[0], j=[0])
        network.add(edges)
    network.run(0 * package.second)


@pytest.fixture(scope="module", autouse=True)
def _nothing_compiled() -> Iterator[None]:
    package: Any = brian2()
    target = package.prefs.codegen.target
    package.prefs.codegen.target = "numpy"
    # What was refused is never simulated, which Brian2 warns of.
    package.BrianLogger.suppress_name("unused_brian_object")
    with mock.patch("gc.collect"):  # which takes nine tenths of each `run`
        yield
    package.prefs.codegen.target = target


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_brian_refuses_is_refused_in_one_line(case: Case) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011  # Brian2 raises a dozen kinds
        _brian(case)
    if case.name in EMBER_ALONE:
        _ember(case)
        return
    with pytest.raises(EmberError) as refusal:
        _ember(case)
    text = str(refusal.value)
    assert "\n" not in text
    assert len(text) < 500


def test_the_cell_and_the_synapse_of_the_cases_are_sound() -> None:
    sound = [
        Case("a cell"),
        Case("held", f"{CELL} (unless refractory)", refractory="2*ms"),
        Case(
            "plastic",
            edges="dx/dt = -x/tau : 1 (event-driven)",
            on_pre="x += 1; v_post += w*x",
            on_post="w *= (1 - 0.1*x)",
        ),
    ]
    for case in sound:
        _brian(case)
        _ember(case)
    names = {case.name for case in CASES}
    assert len(names) == len(CASES)
    assert EMBER_ALONE.keys() <= names
