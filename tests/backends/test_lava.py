"""The back end `lava` as a user meets it: configs, recordings, chance, delays; emulator only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuro import Network, Population, Projection, Record, Recording, Source, Spikes, simulate
from neuro.errors import EmberError
from neuro.models import LIF, POISSON
from neuro.network import Value
from neuro.synapses import DELTA, EXPONENTIAL_CURRENT
from neuro.units import Hz, ms, mV, pA
from neuro.wiring import Listed, OneToOne, Pairwise
from sims.config import load
from sims.run import run_experiment

CONFIG = """\
name: on_loihi
seed: 4
duration: 100 ms
dt: 0.5 ms
backend: lava
circuits:
  mine:
    populations:
      noise: {n: 30, model: poisson, parameters: {rate: 40 Hz}}
      cells: {n: 10, model: lif, parameters: {I_ext: 300 pA, t_ref: 0 ms}}
    projections:
      - {from: noise, to: cells, synapse: exponential_current, rule: {pairwise: {probability: 0.5}},
         weight: {uniform: {low: 20 pA, high: 60 pA}}, delay: 1 ms}
record:
  traces: [{population: cells, variable: v, cells: [0]}]
"""


def on_lava(network: Network, duration_ms: float = 100, **settings: object) -> Recording:
    return simulate(network, duration_ms=duration_ms, backend="lava", **settings)


def test_a_config_runs_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "on_loihi.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    run = run_experiment(load(str(path), ["backend.runner=emulator"]))
    assert run.recording.backend == "lava"
    assert len(run.recording.spikes["cells"]) > 10
    assert run.recording.traces["cells.v"].data.shape == (100, 1)
    assert run.recording.traces["cells.v"].unit == "mV"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("backend={name: numba, runner: emulator}", "back end `numba` has no such option"),
        ("backend.threads=2", "back end `lava` has no such option"),
        ("backend.runner=chip", "emulator"),
        ("backend.timeout_s=0", "0"),
        ("circuits.mine.populations.cells.parameters.t_ref=2 ms", "refractory period"),
    ],
)
def test_a_config_that_it_cannot_run_is_refused(tmp_path: Path, override: str, told: str) -> None:
    path = tmp_path / "on_loihi.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    with pytest.raises(EmberError) as caught:
        run_experiment(load(str(path), [override]))
    assert told in str(caught.value)


# A leak of 27.27 parts in 4096 is rounded to 27, and what an input does is scaled by as much; a
# weight, of 128 to 255 units, is rounded by half of one.
ROUNDED = 0.27 / 27.27 + 0.5 / 128


def relay(delay_steps: int, weight: Value = mV(30), **cell: Value) -> Network:
    """A spike at step 10 whose synapse alone takes its target over the threshold."""
    source = Source("s", Spikes([1.0], [0], n_units=1, t_stop_ms=20))
    target = Population("cell", LIF, 1, {"t_ref": ms(0), **cell})
    synapse = Projection("in", "s", "cell", DELTA, OneToOne(), weight, ms(delay_steps * 0.1))
    return Network("relay", (target,), (source,), (synapse,))


@pytest.mark.parametrize("delay_steps", [1, 2, 62, 63])
def test_a_spike_arrives_when_its_delay_is_over(delay_steps: int) -> None:
    """In the step after the delay, as on `numba`, whose threshold is looked at then."""
    spikes = on_lava(relay(delay_steps), 20).spikes["cell"]
    assert spikes == simulate(relay(delay_steps), duration_ms=20).spikes["cell"]
    assert np.rint(spikes.times_ms / 0.1).tolist() == [10 + delay_steps + 1]


def test_a_step_of_the_membrane_is_seen_in_its_trace_at_once() -> None:
    record = [Record("cell", "v", 0.1)]
    ours, theirs = (
        run.traces["cell.v"].data[:, 0]
        for run in (
            on_lava(relay(3, mV(8)), 4, record=record),
            simulate(relay(3, mV(8)), duration_ms=4, record=record),
        )
    )
    assert theirs[14] - theirs[13] == pytest.approx(8, abs=1e-5)
    assert np.abs(ours - theirs).max() < 8 * ROUNDED


def test_several_synapses_between_two_cells_add_up() -> None:
    """Lava's matrix has one place for a pair; the others stand in further matrices."""
    ends = np.zeros(3, np.int64)
    one = relay(1)
    thrice = replace(
        one.projections[0], rule=Listed(ends, ends), weight=np.array([9.0, 9.0, 9.0]),
        delay=np.array([0.1, 0.1, 0.3]),
    )  # fmt: skip
    record = [Record("cell", "v", 0.1)]
    network = replace(one, projections=(thrice,))
    ours, theirs = (
        simulate(network, duration_ms=3, backend=backend, record=record).traces["cell.v"].data
        for backend in ("lava", "numba")
    )
    assert theirs[12] - theirs[11] == pytest.approx(18, abs=1e-4)
    assert np.abs(ours - theirs).max() < 27 * ROUNDED


def poisson(rate_hz: float = 40) -> Network:
    cells = (
        Population("p", POISSON, 200, {"rate": Hz(rate_hz)}),
        Population("cells", LIF, 50, {"t_ref": ms(0)}),
    )
    drive = Projection("in", "p", "cells", EXPONENTIAL_CURRENT, Pairwise(0.3), pA(45), ms(1))
    return Network("poisson", cells, projections=(drive,))


def test_one_seed_gives_the_same_spikes_and_another_seed_others() -> None:
    first, again, other = (on_lava(poisson(), 300, seed=seed) for seed in (5, 5, 6))
    assert len(first.spikes["cells"]) > 100
    for name in ("p", "cells"):
        assert first.spikes[name] == again.spikes[name]
        assert first.spikes[name] != other.spikes[name]
    longer = on_lava(poisson(), 700, seed=5)  # the blocks that are drawn do not end with the run
    assert longer.spikes["cells"].between(0, 300) == first.spikes["cells"]


def test_recording_changes_nothing_and_samples_do_not_depend_on_their_interval() -> None:
    records = [Record("cells", "v", 0.1), Record("cells", "v", 0.7, (3, 0)),
               Record("cells", "in.I_syn", 0.3)]  # fmt: skip
    plain = on_lava(poisson(), 130, seed=5)
    for record in records:
        watched = on_lava(poisson(), 130, seed=5, record=[record])
        assert watched.spikes["cells"] == plain.spikes["cells"]
    fine, coarse = (
        on_lava(poisson(), 130, seed=5, record=[record]).traces["cells.v"].data
        for record in records[:2]
    )
    assert np.array_equal(coarse, fine[::7, [3, 0]])


def test_input_by_chance_is_poisson() -> None:
    """Counts in 100 ms: mean = variance = rate x window, within 5 standard errors."""
    spikes = on_lava(poisson(), 2000, seed=2).spikes["p"]
    counts = np.zeros((200, 20))
    np.add.at(counts, (spikes.units, np.floor(spikes.times_ms / 100).astype(int)), 1)
    mean = 40 * 0.1
    assert abs(counts.mean() - mean) < 5 * np.sqrt(mean / counts.size)
    # Bins of a step lose 0.4 %; the variance of the variance is about 2 mean^2 / n.
    assert abs(counts.var() - mean * 0.996) < 5 * np.sqrt(2 * mean**2 / counts.size)
    slower = on_lava(poisson(20), 2000, seed=2).spikes["p"]
    assert len(slower) < 0.6 * len(spikes)


def test_a_network_without_synapses_or_without_cells_runs() -> None:
    none = replace(poisson(), projections=())
    assert len(on_lava(none).spikes["p"]) > 100
    alone = Network("alone", (Population("p", POISSON, 9, {"rate": Hz(90)}),))
    assert len(on_lava(alone, 1000).spikes["p"]) > 100
    empty = replace(poisson(), projections=(replace(poisson().projections[0], rule=Pairwise(0)),))
    assert len(on_lava(empty).spikes["cells"]) == 0


def test_progress_is_told_and_stretches_join() -> None:
    """More samples than fit into one stretch, over several blocks of drawn steps."""
    told: list[float] = []
    cells = Population("cells", LIF, 3000, {"t_ref": ms(0), "I_ext": np.linspace(300, 900, 3000)})
    run = on_lava(
        Network("many", (cells,)), 160, record=[Record("cells", "v", 0.1)], progress=told.append
    )
    assert told == sorted(told) and told[-1] == 160 and len(told) > 3
    trace = run.traces["cells.v"].data
    assert trace.shape == (1600, 3000)
    spikes = run.spikes["cells"]
    assert len(spikes) > 3000
    # The frame after a spike is at reset, give or take a bit.
    steps = np.rint(spikes.times_ms / 0.1).astype(int)
    inside = steps < 1599
    after = trace[steps[inside] + 1, spikes.units[inside]]
    np.testing.assert_allclose(after, -70, atol=1e-9)
