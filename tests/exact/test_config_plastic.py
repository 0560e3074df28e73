"""Synapses with a state of their own in a config: built, run, recorded, stored, and refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from neuro.errors import EmberError
from neuro.modulation import Effect
from neuro.units import NUMBER, Quantity
from sims.assembly import build_experiment, check_experiment
from sims.config import load
from sims.run import run_experiment
from sims.store import read_run, write_run
from sims.store.to_sonata import to_sonata

PAGE = Path(__file__).parents[2] / "docs/concepts/plasticity.md"
FROM_THE_PAGE = re.search(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]  # type: ignore[index]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "it.yaml"
    path.write_text(FROM_THE_PAGE, encoding="utf-8")
    return path


def test_the_synapse_on_the_page_is_built_as_it_is_written(file: Path) -> None:
    experiment = build_experiment(load(file, ()))
    (learned,) = experiment.network.projections
    synapse = learned.synapse
    assert "dw/dt = (reward - 1)*c*pA/(10*ms)" in synapse.edges
    assert synapse.on_post == "a_minus += 1; c += a_plus"
    assert synapse.initial == {"c": Quantity(0, NUMBER)}
    assert experiment.network.effects == (Effect("dopamine_d1", "learned", "reward", 2.0),)


def test_its_weights_change_with_the_reward_and_are_kept(file: Path, tmp_path: Path) -> None:
    """Dopamine comes after 100 ms: until then no weight moves, then those of eligible synapses."""
    run = run_experiment(load(file, ("backend=brian",)))
    weights = run.recording.traces["learned.w"]
    assert (weights.of_edges, weights.unit, weights.data.shape) == (True, "pA", (300, 3))
    assert (np.ptp(weights.data[:100], axis=0) == 0).all()
    assert np.ptp(weights.data[110:], axis=0).max() > 1
    stored = read_run(write_run(tmp_path / "run.h5", run)).recording.traces["learned.w"]
    assert stored.of_edges
    assert np.array_equal(stored.data, weights.data)
    said: list[str] = []
    to_sonata(run, tmp_path / "sonata", say=said.append)
    assert any("traces of synapses" in line for line in said)
    assert not list((tmp_path / "sonata").glob("learned*"))


AT = "it.yaml:{}: circuits.mine.projections.0.synapse."
WRONG = [
    ("da_plus/dt  = -a_plus/tau_stdp  ", "da_plus/dt = -a_plus*tau_stdp ", AT.format(19) + "edges"),
    ("-c/tau_c                : 1 (clock-driven)", "-c/tau_c : 1", AT.format(21) + "edges: "),
    ("(reward - 1)*c*pA/(10*ms)", "(reward - 1)*v*pA/(10*ms)", AT.format(22) + "edges: "),
    ("c += a_plus", "c += a_pluss", AT.format(24) + "on_post: "),
    ("{c: 0}", "{c: 1 mV}", AT.format(25) + "initial: "),
    ("{c: 0}", "{c: nought}", "the name of a parameter, found `nought`"),
    ("on_pre: I_syn += w; a_plus += 1; c -= a_minus", "on_pre: g += w", AT.format(23) + "on_pre: "),
    ("parameter: reward,", "parameter: rewrd,", "did you mean `reward`?"),
    ("variable: w,", "variable: ww,", "it.yaml:33: record.traces.0: record: `learned` has no"),
    ("population: learned", "population: learnt", "it.yaml:33: record.traces.0.population: "),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "said"), WRONG, ids=[wrong for _, wrong, _ in WRONG])
def test_what_is_wrong_is_said_with_its_line(file: Path, right: str, wrong: str, said: str) -> None:
    assert right in FROM_THE_PAGE
    file.write_text(FROM_THE_PAGE.replace(right, wrong), encoding="utf-8")
    with pytest.raises(EmberError) as caught:
        check_experiment(load(file, ("backend=brian",)))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_synapse_that_is_not_there_is_refused_once_they_are_counted(file: Path) -> None:
    file.write_text(FROM_THE_PAGE.replace("cells: [0, 1, 2]", "cells: [0, 900]"), encoding="utf-8")
    with pytest.raises(
        EmberError, match=r"record\.traces\.0.*edges must lie in 0\.\.\d+, found 900"
    ):
        run_experiment(load(file, ("backend=brian",)))
