"""What several statements and several spikes in one step do, on every back end, by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from neuro import Network, Population, Projection, Record, Source, Spikes, simulate
from neuro.model import NeuronModel, SynapseModel
from neuro.modulation import Transmitter
from neuro.units import ms, mV, nM
from neuro.wiring import Listed, OneToOne
from tests.backends._plain import plain_kernels

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
BACKENDS = ("numba", "norse", "brian")


def _cell(start_mv: float) -> NeuronModel:
    """Stands still at 0 mV; from 20 mV on it spikes and is held for 3 ms."""
    return NeuronModel(
        name="cell",
        equations="dv/dt = -v/tau : volt (unless refractory)\nshare = v/mV : 1",
        threshold="v > V_th",
        reset="v = 0*mV",
        refractory="t_ref",
        parameters={"V_th": mV(20), "tau": ms(1e9), "t_ref": ms(3)},
        initial={"v": mV(start_mv)},
    )


def _run(
    backend: str,
    synapse: SynapseModel,
    times_ms: Sequence[float],
    units: Sequence[int],
    delays_ms: Sequence[float],
    record: Sequence[str],
    start_mv: float = 0.0,
    weights_mv: Sequence[float] = (1.0,),
) -> dict[str, np.ndarray]:
    n = len(delays_ms)
    spikes = Spikes(np.array(times_ms), np.array(units), n_units=n, t_stop_ms=20)
    projection = Projection(
        "p",
        "in",
        "a",
        synapse,
        Listed(np.arange(n), np.zeros(n, np.int64)),
        weight=np.resize(weights_mv, n),
        delay=np.array(delays_ms),
    )
    network = Network(
        populations=(Population("a", _cell(start_mv), 1),),
        sources=(Source("in", spikes),),
        projections=(projection,),
    )
    records = [Record(*name.split("."), 0.1) for name in record]
    options = {} if backend == "brian" else {"precision": "float64"}
    with plain_kernels():
        found = simulate(
            network, duration_ms=8, dt_ms=0.1, backend=backend, record=records, options=options
        )
    return {name: np.asarray(found.traces[name].data) for name in record}


@pytest.mark.parametrize("backend", BACKENDS)
def test_statements_that_add_to_one_variable_all_count(backend: str) -> None:
    synapse = SynapseModel(
        name="s",
        equations="",
        current="",
        on_pre="v += w; v -= 0.25*w; v_post += 3*w",
        weight=mV(1),
    )
    found = _run(backend, synapse, [1.0], [0], [0.1], ["a.v"])
    assert found["a.v"][-1, 0] == pytest.approx(3.75, abs=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_statement_reads_what_a_held_cell_keeps(backend: str) -> None:
    synapse = SynapseModel(
        name="s",
        equations="",
        current="",
        on_pre="v += w; m = v/mV; k = share",
        edges="m : 1\nk : 1",
        weight=mV(1),
    )
    # The cell spikes in the first step and is held up to 3 ms.
    found = _run(backend, synapse, [1.0, 6.0], [0, 0], [0.1], ["p.m", "p.k"], start_mv=25.0)
    for name in ("p.m", "p.k"):
        assert found[name][30, 0] == pytest.approx(0.0, abs=1e-6)
        assert found[name][-1, 0] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("backend", ["numba", "norse"])
def test_the_earlier_spike_acts_first(backend: str) -> None:
    synapse = SynapseModel(name="s", equations="", current="", on_pre="v = 2*v + w", weight=mV(1))
    # Unit 1 sends at 1 ms over 2 ms, unit 0 at 2 ms over 1 ms.
    found = _run(backend, synapse, [1.0, 2.0], [1, 0], [1.0, 2.0], ["a.v"], weights_mv=[1.0, 5.0])
    assert found["a.v"][-1, 0] == pytest.approx(2 * 5 + 1, abs=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_cells_without_a_threshold_stand_at_either_end_of_a_synapse(backend: str) -> None:
    still = NeuronModel(
        name="still",
        equations="dv/dt = -v/tau : volt",
        parameters={"tau": ms(10)},
        initial={"v": mV(3)},
    )
    adding = SynapseModel(name="adding", equations="", current="", on_pre="v += w", weight=mV(1))
    counting = SynapseModel(
        name="counting",
        equations="",
        current="",
        on_pre="v += w; m += 1",
        on_post="m += 100",
        edges="m : 1",
        weight=mV(1),
    )
    pairs = [source + target for source in "xy" for target in "xy"]
    network = Network(
        # y spikes once, in the first step.
        populations=(Population("x", still, 1), Population("y", _cell(25.0), 1)),
        projections=tuple(
            Projection(f"{synapse.name}_{pair}", *pair, synapse, OneToOne(), mV(1), ms(1))
            for synapse in (adding, counting)
            for pair in pairs
        ),
        transmitters=(Transmitter("t", released_by="x", per_spike=nM(1)),),
    )
    options = {} if backend == "brian" else {"precision": "float64"}
    records = [Record("x", "v", 0.1), *(Record(f"counting_{pair}", "m", 0.1) for pair in pairs)]
    with plain_kernels():
        found = simulate(network, duration_ms=8, backend=backend, record=records, options=options)
    counts = {pair: found.traces[f"counting_{pair}.m"].data[-1, 0] for pair in pairs}
    assert counts == {"xx": 0, "xy": 100, "yx": 1, "yy": 101}
    # One spike of y comes over both projections in step 10.
    expected = 3 * np.exp(-7.9 / 10) + 2 * np.exp(-(7.9 - 1.1) / 10)
    assert found.traces["x.v"].data[-1, 0] == pytest.approx(expected, abs=1e-6)
    assert {name: len(spikes) for name, spikes in found.spikes.items()} == {"y": 1}
    assert not found.modulators["t"].values.any()
