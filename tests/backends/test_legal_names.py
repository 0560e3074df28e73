"""Which names a model may have, refused alike by all back ends; other things may have any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from circuits.circuit import Circuit, Port
from neuro import Background, Network, NeuronModel, Population, Projection, SynapseModel, simulate
from neuro.equations import check_model, check_synapse
from neuro.errors import EquationError
from neuro.network import Drive
from neuro.simulate import prepare
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.units import CURRENT, NUMBER, Hz, Quantity, ms, mV, pA
from neuro.wiring import AllToAll
from tests.backends._named import MEMBRANE, R, driven
from tests.backends._plain import plain_kernels


@pytest.fixture(params=["numba", "brian", "norse"])
def backend(request: pytest.FixtureRequest, exact: None) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def plain() -> Iterator[None]:
    """Kernels of numba run as plain Python."""
    with plain_kernels():
        yield


REFUSED = {
    "e": "it is a constant", "pi": "it is a constant", "inf": "it is infinity",
    "t": "it is the time", "dt": "it is the time step", "i": "it is the number of the cell",
    "N": "it is the number of cells", "xi": "are white noise", "xi_2": "are white noise",
    "exp": "it is a function", "randn": "it is a function", "lambda": "it is a word of Python",
    "None": "it is a word of Python", "mV": "it is a unit", "ohm": "it is a unit",
    "lastspike": "Brian2's", "not_refractory": "Brian2's", "v_pre": "_pre and _post mean",
    "spikes__": "single underscores (ASCII)", "now__x": "single underscores (ASCII)",
    "v__new": "single underscores (ASCII)", "w__arriving": "single underscores (ASCII)",
    "tau__p1": "single underscores (ASCII)", "_v": "", "ﬁred": "", "τ": "", "vα": "", "2v": "",
    "v w": "",
}  # fmt: skip


def _with_name(name: str, role: str, *, legal: bool = False) -> Network:
    """Where the name is legal, an equation reads it, as it must."""
    value = Quantity(1.0)
    read = f"reads = {name} : 1" if legal and role in ("parameter", "input") else ""
    lines = {"state": f"d{name}/dt = -{name}/(9*ms) : 1", "subexpression": f"{name} = 1.5 : 1"}
    model = replace(
        MEMBRANE,
        equations="\n".join([MEMBRANE.equations, lines.get(role, read)]),
        parameters={**MEMBRANE.parameters, **({name: value} if role == "parameter" else {})},
        inputs={name: NUMBER} if role == "input" else {},
    )  # fmt: skip
    synapse = SynapseModel(
        "s", "", "", f"v += w*{name}" if legal and role == "synapse parameter" else "v += w", mV(1),
        parameters={name: value} if role == "synapse parameter" else {},
        edges=f"d{name}/dt = -{name}/(9*ms) : 1 (event-driven)" if role == "edge" else "",
    )  # fmt: skip
    drives = (Drive("cell", name, np.ones(1), 1.0),) if role == "input" else ()
    return replace(driven(model, synapse, mV(1)), drives=drives)


ROLES = ("state", "subexpression", "parameter", "input", "synapse parameter", "edge")


@pytest.mark.parametrize("role", ROLES)
def test_a_name_that_no_back_end_can_take_is_refused_alike_by_all(role: str) -> None:
    for name, reason in REFUSED.items():
        found = set()
        for backend in ("numba", "brian", "norse", "lava"):
            with pytest.raises(EquationError) as caught:
                prepare(_with_name(name, role), backend=backend)
            found.add(str(caught.value))
        [message] = found
        assert reason in message
        assert f"`{name}`" in message or name in message
        assert "\n" not in message
    for name in ("xif", "lambda_", "E", "je", "tau_1", "self"):
        prepare(_with_name(name, role, legal=True))


@pytest.mark.parametrize("text", ["v > V__th", "v > w__arriving*mV", "v > τ", "ﬁ > v"])
def test_text_cannot_read_a_name_that_no_user_can_give(text: str) -> None:
    model = replace(MEMBRANE, threshold=text, reset="v = 0*mV")
    with pytest.raises(EquationError, match=r"two underscores in a row|must be ASCII"):
        check_model(model)


def test_a_synapse_cannot_call_a_parameter_w() -> None:
    with pytest.raises(EquationError, match="the name `w` is reserved, since it is the weight"):
        check_synapse(replace(EXPONENTIAL_CURRENT, parameters={"tau": ms(5), "w": ms(1)}))


OTHER_NAMES = ("self", "name", "half", "half_", "a.b", "range", "Zelle ä", "x-y", "x_y")


def _with_parts(names: Sequence[str]) -> Network:
    """Populations, drives, backgrounds and projections with these names, one drive each."""
    model = NeuronModel(
        "driven", "dv/dt = (-v + R*(I + A))/tau : volt", "v > V_th", "v = 0*mV",
        parameters={"R": R, "tau": ms(10), "V_th": mV(10)}, inputs={"A": CURRENT},
    )  # fmt: skip
    n = len(names)
    return Network(
        "n", tuple(Population(name, model, 1) for name in names),
        projections=tuple(
            Projection(f"to {name}", names[k - 1], name, EXPONENTIAL_CURRENT, AllToAll(),
                       pA(20 * k), ms(1)) for k, name in enumerate(names)
        ),
        drives=tuple(
            Drive(name, "A", np.array([100.0 + 30 * k]), 1.0) for k, name in enumerate(names)
        ),
        backgrounds=tuple(
            Background(name, names[n - 1 - k], EXPONENTIAL_CURRENT, Hz(0), pA(k), 1)
            for k, name in enumerate(names)
        ),
    )  # fmt: skip


def test_populations_and_projections_may_have_any_names(backend: str) -> None:
    usual = [f"p{k}" for k in range(len(OTHER_NAMES))]
    expected = simulate(_with_parts(usual), duration_ms=40, backend=backend)
    found = simulate(_with_parts(OTHER_NAMES), duration_ms=40, backend=backend)
    assert sum(len(s.times_ms) > 0 for s in expected.spikes.values()) > 5
    # Each has a drive of its own, which a common fault of both runs would not show.
    numba = simulate(_with_parts(usual), duration_ms=40, backend="numba").spikes
    assert len({len(spikes) for spikes in numba.values()}) > 3
    for name in usual:
        assert expected.spikes[name].times_ms == pytest.approx(numba[name].times_ms)
    for name, other in zip(usual, OTHER_NAMES, strict=True):
        assert np.array_equal(expected.spikes[name].times_ms, found.spikes[other].times_ms)
    port = Port(OTHER_NAMES[0], 1, {})
    assert Circuit("c").with_outputs(self=port).outputs == {"self": port}
