"""From a config to a network: names, references, loops, prefixes, invented cells and synapses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuro.network import Network, Normal, Projection
from neuro.units import ms, mV, nM, pF
from neuro.wiring import Pairwise
from sims.assembly import Experiment, build_experiment, check_experiment
from sims.config import from_resolved, load
from sims.run import run_experiment


@pytest.fixture
def built(tmp_path: Path):  # type: ignore[no-untyped-def]
    """`built(text, *overrides)`: the experiment of a config."""

    def build(text: str, *overrides: str) -> Experiment:
        (tmp_path / "it.yaml").write_text(text, encoding="utf-8")
        return build_experiment(load(tmp_path / "it.yaml", overrides))

    return build


def projection(network: Network, name: str) -> Projection:
    return next(p for p in network.projections if p.name == name)


CHAIN = """\
duration: 10 ms
circuits:
  last: {circuit: locus_coeruleus, alarm: middle.locus_coeruleus, n_cells: 30}
  middle: {circuit: locus_coeruleus, alarm: first, prefix: mid_, n_cells: 30}
  first: {populations: {cells: {n: 30, model: poisson, parameters: {rate: 5 Hz}}}}
"""


def test_the_order_in_the_file_does_not_matter(built) -> None:  # type: ignore[no-untyped-def]
    network = built(CHAIN).network
    assert {p.name for p in network.populations} == {
        "cells", "mid_locus_coeruleus", "locus_coeruleus",
    }  # fmt: skip
    joined = {(p.source, p.target) for p in network.projections if p.source != p.target}
    assert joined == {("cells", "mid_locus_coeruleus"), ("mid_locus_coeruleus", "locus_coeruleus")}
    names = [p.name for p in network.projections]
    assert len(names) == len(set(names))
    assert "cells_to_mid_locus_coeruleus" in names


def test_a_loop_closes_through_a_written_out_circuit(built) -> None:  # type: ignore[no-untyped-def]
    loop = "  loop: {populations: {}, projections: [{from: last.locus_coeruleus, to: cells, "
    back = "synapse: {on_pre: 'v += w'}, rule: all_to_all, weight: 1 mV}]}\n"
    text = CHAIN.replace("model: poisson, parameters: {rate: 5 Hz}", "model: lif") + loop + back
    network = built(text).network
    closing = projection(network, "locus_coeruleus_to_cells")
    assert (closing.source, closing.target) == ("locus_coeruleus", "cells")
    assert closing.weight == mV(1)


WRITTEN = """\
duration: 10 ms
seed: 4
circuits:
  mine:
    prefix: my_
    populations:
      a:
        n: 4
        equations: |
          dv/dt = (E - v)/tau : volt (unless refractory)
        threshold: v > peak
        reset: v = E
        refractory: 3 ms
        parameters:
          E: {normal: {mean: -60 mV, sd: 2 mV, low: -70 mV}}
          tau: [10 ms, 20 ms, 30 ms, 40 ms]
          peak: -50 mV
        initial: {v: E}
        coordinates: {cf_hz: {geomspace: [100, 800]}, x_m: [1, 2, 3, 4]}
      b: {n: 2, model: lif, parameters: {C: 100 pF}, initial: {v: {uniform: {low: -70 mV, high: -60 mV}}}}
    projections:
      - {from: a, to: b, synapse: exponential_current, rule: {pairwise: {probability: 0.5}}, name: ab}
      - {from: a, to: b, synapse: {on_pre: "v += w"}, rule: all_to_all, weight: 1 mV}
      - {from: my_a, to: mine.b, synapse: {on_pre: "v += w"}, rule: all_to_all, weight: 2 mV,
         delay: {normal: {mean: 2 ms, sd: 1 ms, low: 1 ms}}}
modulation:
  na:
    released_by: mine.a
    schedule: [[0 s, 1 nM], [5 ms, 9 nM]]
    receptors:
      beta: {ec50: 10 nM, hill: 2, effects: [
        {on: my_b, parameter: g_L, at_saturation: 0.5},
        {on: mine.a, parameter: tau, at_saturation: 2},
        {on: my_ab, parameter: weight, at_saturation: 3},
        {on: reasoner, parameter: budget, at_saturation: 0.2}]}
record:
  every: 0.5 ms
  traces: [{population: mine.b, variable: v, cells: [1]}, {population: my_a, variable: v, every: 1 ms}]
"""  # noqa: E501


def test_a_written_out_circuit_is_what_it_says(built) -> None:  # type: ignore[no-untyped-def]
    experiment = built(WRITTEN)
    network = experiment.network
    a, b = network.population("my_a"), network.population("my_b")
    assert a.model.name == "a"
    assert a.model.refractory == "3.0*ms"
    assert a.model.initial == {"v": "E"}
    assert a.parameters["E"] == Normal(mV(-60), mV(2), low=mV(-70))
    assert (a.parameters["tau"] == ms([10, 20, 30, 40])).all()
    assert a.coordinates["cf_hz"] == pytest.approx([100, 200, 400, 800])
    assert np.array_equal(a.coordinates["x_m"], [1, 2, 3, 4])
    assert b.parameters == {"C": pF(100)}
    assert b.initial["v"].low == mV(-70)  # type: ignore[union-attr]
    named = projection(network, "my_ab")
    assert named.rule == Pairwise(0.5)
    assert named.weight == named.synapse.weight
    assert named.delay == ms(1)
    first, second = (p for p in network.projections if p.name.startswith("my_my_a_to_my_b"))
    assert first.name != second.name
    assert first.synapse is second.synapse  # so that they share their variables
    assert second.delay == Normal(ms(2), ms(1), low=1)
    assert experiment.coordinates.keys() == {"my_a"}


def test_modulation_and_records_refer_to_the_same_cells(built) -> None:  # type: ignore[no-untyped-def]
    experiment = built(WRITTEN)
    (transmitter,) = experiment.network.transmitters
    assert transmitter.released_by == "my_a"
    assert transmitter.baseline_at([0, 2.5, 7]) == pytest.approx([1, 5, 9])
    (receptor,) = experiment.network.receptors
    assert (receptor.name, receptor.transmitter, receptor.ec50) == ("na_beta", "na", nM(10))
    assert [(e.target, e.parameter) for e in experiment.network.effects] == [
        ("my_b", "g_L"), ("my_a", "tau"), ("my_ab", "weight"), ("reasoner", "budget"),
    ]  # fmt: skip
    first, second = experiment.records
    assert (first.population, first.cells, first.every_ms) == ("my_b", (1,), 0.5)
    assert (second.population, second.cells, second.every_ms) == ("my_a", (), 1.0)


def test_what_is_built_passes_the_engine(tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text(WRITTEN, encoding="utf-8")
    assert check_experiment(load(tmp_path / "it.yaml")).network.name == "it"


EARS = """\
duration: 30 ms
seed: 2
stimulus:
  left: {encoder: heat_fibres, onset: 0 ms, distance: 0 m}
  right: {encoder: heat_fibres, onset: 0 ms, distance: 0 m}
circuits:
  horn: {circuit: dorsal_horn, a_delta: left.a_delta, c: left.c}
  other: {circuit: dorsal_horn, a_delta: right.a_delta, c: right.c, prefix: right_}
"""


def test_two_of_a_kind_have_names_and_noise_of_their_own(built) -> None:  # type: ignore[no-untyped-def]
    network = built(EARS, "duration=2 s").network
    spikes = {source.name: source.spikes for source in network.sources}
    assert list(spikes) == ["left_a_delta", "left_c", "right_a_delta", "right_c"]
    assert len(spikes["left_c"]) > 20
    assert spikes["left_c"] != spikes["right_c"]
    again = {s.name: s.spikes for s in built(EARS, "duration=2 s").network.sources}
    assert spikes == again
    populations = [p.name for p in network.populations]
    assert [f"right_{name}" for name in populations[:2]] == populations[2:]
    assert {p.source for p in network.projections if p.target.startswith("right_")} == {
        "right_a_delta", "right_c", *(n for n in populations if n.startswith("right_")),
    } - {"right_dorsal_horn_projection"}  # fmt: skip


def test_a_signal_drives_an_invented_cell(built) -> None:  # type: ignore[no-untyped-def]
    text = """\
duration: 20 ms
stimulus: {path: {}}
circuits:
  mine:
    populations:
      follower:
        n: 2
        equations: "dv/dt = (gain*x - v)/tau : volt"
        inputs: {x: m}
        parameters: {gain: 10 mV/m, tau: 5 ms}
    drives: [{from: path.x, to: follower, variable: x}]
"""
    experiment = built(text)
    (drive,) = experiment.network.drives
    assert (drive.population, drive.variable) == ("follower", "x")
    assert np.array_equal(drive.values, experiment.signals["path.x"].values)
    with pytest.raises(ValueError, match=r"it\.yaml:11: .*`path.x` is in m, but `x` is in mV"):
        built(text.replace("x: m}", "x: mV}").replace("mV/m", ""))
    with pytest.raises(ValueError, match="has no input `y`, expected `x`"):
        built(text, "circuits.mine.drives.0.variable=y")


def test_a_run_is_the_same_from_its_resolved_config(tmp_path: Path) -> None:
    """Spikes, traces and factors, bit for bit, through the text of the config."""
    (tmp_path / "it.yaml").write_text(WRITTEN, encoding="utf-8")
    loaded = load(tmp_path / "it.yaml", ["circuits.mine.populations.b.parameters.I_ext=600 pA"])
    first = run_experiment(loaded)
    second = run_experiment(from_resolved(first.provenance.resolved))
    assert dict(first.recording.spikes) == dict(second.recording.spikes)
    assert len(first.recording.spikes["my_b"]) > 0
    for key, trace in first.recording.traces.items():
        assert np.array_equal(trace.data, second.recording.traces[key].data)
    assert set(first.recording.factors) == {
        "my_b.g_L",
        "my_a.tau",
        "my_ab.weight",
        "reasoner.budget",
    }
    assert first.provenance.config_hash == second.provenance.config_hash
    assert first.provenance.config_text == WRITTEN
    assert set(first.recording.timings) == {"encode", "build", "compile", "simulate"}
