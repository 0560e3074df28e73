"""What goes wrong before and during a run: one clear line each, and nothing lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuro import Network, NeuronModel, Population, Projection, Record, simulate
from neuro.edges import BuiltProjection
from neuro.errors import BackendUnsupported, NetworkError, SimulationError
from neuro.memory import available_bytes, require_memory
from neuro.model import SynapseModel
from neuro.models import LIF
from neuro.simulate import prepare, run_built
from neuro.sink import MemorySink
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.units import Dimension, Quantity, ms, mV, nS, pA
from neuro.wiring import AllToAll, Pairwise

PER_MV_MS = Quantity(1, Dimension(voltage=-mV(1).dimension.voltage, time=-ms(1).dimension.time))

# dv/dt = v^2 reaches infinity at t = 1/v0; Euler steps overflow a little later.
EXPLODING = NeuronModel(
    "exploding", "dv/dt = k*v**2 : volt", threshold="v > 1e9*mV", reset="v = v",
    parameters={"k": PER_MV_MS}, method="euler",
)  # fmt: skip


def exploding(backend: str) -> Network:
    del backend
    start = np.zeros(200)
    start[150] = 1.0  # mV: infinite after 1 ms
    cells = (
        Population("fine", LIF, 5, {"I_ext": pA(900)}),
        Population("bad", EXPLODING, 200, initial={"v": start}),
    )
    return Network("explodes", cells)


def test_an_infinite_state_is_named_and_what_was_recorded_is_kept(backend: str) -> None:
    with pytest.raises(SimulationError) as caught:
        simulate(
            exploding(backend), duration_ms=300, dt_ms=0.1, backend=backend,
            record=[Record("fine", "v", 0.1)],
        )  # fmt: skip
    told = str(caught.value)
    assert told.startswith("population `bad`: `v` of cell 150 became ")
    assert " ms; lower dt or check the parameters" in told
    kept = caught.value.recording
    assert kept is not None
    assert 0 < kept.duration_ms < 300
    assert kept.traces["fine.v"].data.shape[0] == round(kept.duration_ms / 0.1)


def test_numba_stops_within_16_steps_of_the_first_infinite_state() -> None:
    """In single precision Euler steps of dv/dt = v^2 overflow soon after 1 ms."""
    with pytest.raises(SimulationError, match=r"by (1\.6|3\.2) ms") as caught:
        simulate(exploding("numba"), duration_ms=300, dt_ms=0.1, threads=2)
    recording = caught.value.recording
    assert recording is not None and recording.duration_ms < 3.5


def test_a_network_too_large_for_memory_is_refused_before_it_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cells = Population("cells", LIF, 3_000_000)
    many = Projection("p", "cells", "cells", EXPONENTIAL_CURRENT, Pairwise(0.5), pA(1), ms(1))
    # Were any of its edges drawn, the memory of whoever runs the tests would go.
    monkeypatch.setattr(BuiltProjection, "row", lambda projection, row: pytest.fail("drawn"))
    with pytest.raises(SimulationError, match=r"needs about [\d,.]+ GB of memory, found [\d,.]+"):
        simulate(Network("huge", (cells,), projections=(many,)), duration_ms=1)


def test_memory_that_is_there_is_not_refused() -> None:
    assert (available_bytes() or 1) > 0
    require_memory(1000, "a kilobyte")


def test_a_step_too_long_for_the_integrator_is_refused_with_one_that_would_do() -> None:
    stiff = replace(LIF, method="rk4")  # stable up to dt/tau = 2.785
    cell = Population("cell", stiff, 3, {"g_L": nS(2500)})  # tau = 0.1 ms
    network = Network("stiff", (cell,))
    with pytest.raises(NetworkError, match=r"rk4 is unstable at a time step of 0\.5 ms") as caught:
        prepare(network, dt_ms=0.5)
    assert "set dt to 0.25 ms or less" in str(caught.value)
    prepare(network, dt_ms=0.25)
    prepare(replace(network, populations=(replace(cell, model=LIF),)), dt_ms=0.5)  # exact


@pytest.mark.parametrize(
    ("delay", "told"),
    [(0.05, "at least one step of 0.1 ms, found 0.05 ms"), (2e4, "up to 100000 steps")],
)
def test_a_delay_out_of_range_is_refused(delay: float, told: str) -> None:
    cells = Population("cells", LIF, 3)
    p = Projection("p", "cells", "cells", EXPONENTIAL_CURRENT, AllToAll(), pA(1), ms(delay))
    with pytest.raises(NetworkError, match=told):
        simulate(Network("n", (cells,), projections=(p,)), duration_ms=10)


def test_a_feature_that_a_back_end_lacks_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from neuro.backends import BACKENDS

    plastic = SynapseModel(
        "learning", "dI_syn/dt = -I_syn/tau : amp", "I_syn", "I_syn += w; w *= 0.99", pA(10),
        {"tau": ms(5)},
    )  # fmt: skip
    cells = Population("cells", LIF, 3)
    p = Projection("p", "cells", "cells", plastic, AllToAll(), pA(1), ms(1))
    lame = replace(BACKENDS["numba"], features=frozenset({"exact integration", "spikes"}))
    monkeypatch.setitem(BACKENDS, "numba", lame)
    with pytest.raises(BackendUnsupported, match="edge variables"):
        prepare(Network("n", (cells,), projections=(p,)))


def test_spikes_that_outgrow_a_queue_all_arrive() -> None:
    """600 cells spike at once and reach one cell: more than a queue's first rows can hold."""
    n, weight = 600, 0.25
    network = Network(
        "burst",
        (
            Population("all", LIF, n, {"I_ext": pA(5000)}),
            Population("one", LIF, 1, {"V_th": mV(1000)}),
        ),
        projections=(
            Projection("p", "all", "one", EXPONENTIAL_CURRENT, AllToAll(), pA(weight), ms(1)),
        ),
    )
    for threads in (1, 2):
        run = simulate(
            network, duration_ms=12, threads=threads, record=[Record("one", "p.I_syn", 0.1)],
            options={"precision": "float64"},
        )  # fmt: skip
        first = run.spikes["all"].times_ms[0]
        assert (run.spikes["all"].times_ms == first).sum() == n
        arrived = run.traces["one.p.I_syn"].data[round((first + 1) / 0.1) + 1, 0]
        assert arrived == pytest.approx(n * weight, rel=1e-12)  # 150 is a sum of halves: exact


def test_a_run_that_is_not_resumable_says_so() -> None:
    built = prepare(Network("x", (Population("c", LIF, 1),)), backend="brian")
    from neuro.errors import ConfigError

    with pytest.raises(ConfigError, match="back end `brian` cannot be resumed; use numba"):
        run_built(
            built, MemorySink(["c"], 0), duration_ms=1, backend="brian",
            checkpoint=lambda state: None,
        )  # fmt: skip
