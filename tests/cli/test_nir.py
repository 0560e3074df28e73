"""`ember nir`, and a config whose circuit comes from a NIR file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from neuro.nir import read, to_nir, write_graph
from neuro.units import ms
from sims.cli import app
from sims.store import read_run
from tests.formats._nir_networks import DT_MS, chain, frames, two_layers
from tests.formats._nir_tools import spikes_of

LAYERS = """\
name: layers
seed: 3
duration: 300 ms
backend: brian
stimulus:
  heat: {onset: 20 ms, peak: 50 degC}
circuits:
  net:
    populations:
      first: {n: 12, model: lif, parameters: {t_ref: 0 ms, C: {uniform: {low: 200 pF, high: 300 pF}}}}
      second: {n: 6, model: lif, parameters: {t_ref: 0 ms}}
    projections:
      - {from: heat.a_delta, to: first, synapse: exponential_current, weight: 400 pA,
         rule: {pairwise: {probability: 0.5}}}
      - {from: first, to: second, synapse: exponential_current, delay: 2 ms,
         weight: {normal: {mean: 200 pA, sd: 50 pA}}, rule: {pairwise: {probability: 0.5}}}
"""  # noqa: E501
IMPORTED = """\
name: imported
seed: 3
duration: 300 ms
backend: brian
stimulus:
  heat: {onset: 20 ms, peak: 50 degC}
circuits:
  net: {circuit: nir, file: layers.nir, inputs: [heat.a_delta]}
"""


def ember(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("layers.yaml").write_text(LAYERS, encoding="utf-8")
    Path("imported.yaml").write_text(IMPORTED, encoding="utf-8")
    return tmp_path


def test_a_config_goes_out_and_comes_back_to_the_same_spikes(here: Path) -> None:
    done = ember("nir", "export", "layers.yaml", "layers.nir")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("layers.nir: Norse 1.1: reads it right")

    shown = ember("nir", "show", "layers.nir")
    assert shown.exit_code == 0, shown.output
    assert "CubaLIF" in shown.stdout and "as Ember wrote it" in shown.stdout
    assert "11 steps" in shown.stdout and "snnTorch 1.0: reads it right" in shown.stdout

    for name in ("layers", "imported"):
        ran = ember("run", f"{name}.yaml", "--out", f"{name}.h5")
        assert ran.exit_code == 0, ran.output
    one, other = (read_run(f"{name}.h5").recording.spikes for name in ("layers", "imported"))
    assert len(one["first"]) > 20 and len(one["second"]) > 20
    assert one["first"] == other["first"] and one["second"] == other["second"]

    Path("layers.nir").unlink()  # a run can be told again only with the file it read
    again = ember("run", "imported.h5", "--out", "again.h5")
    assert again.exit_code == 1 and "circuits.net.file: cannot read the file" in again.output


def test_a_graph_of_another_tool_runs_and_a_signal_may_drive_it(here: Path) -> None:
    write_graph(chain("LIF", (2, 3)), here / "theirs.nir")
    text = IMPORTED.replace("layers.nir, inputs: [heat.a_delta]", "theirs.nir, currents: [path.x]")
    text = text.replace("heat: {onset: 20 ms, peak: 50 degC}", "path: {}")
    (here / "theirs.yaml").write_text(text, encoding="utf-8")
    shown = ember("nir", "show", "theirs.nir")
    assert shown.exit_code == 1 and "LIF" in shown.stdout  # what is in it is said all the same
    refused = ember("check", "theirs.yaml")
    assert refused.exit_code == 1 and "does not say what its numbers stand for" in refused.output
    refused = ember("check", "theirs.yaml", "circuits.net.units=plain")
    assert "has the inputs `input` of 2; found 1: name as many" in refused.output

    write_graph(chain("LIF", (1, 3)), here / "theirs.nir", force=True)
    fine = ember("check", "theirs.yaml", "circuits.net.units=plain")
    assert fine.exit_code == 0, fine.output
    assert "1 population, 3 cells" in fine.stdout
    wrong = ember("check", "theirs.yaml", "circuits.net.units=norse")
    assert wrong.exit_code == 0  # a tau of seconds is one of hours there, but it is a tau


def test_the_step_of_the_file_must_be_the_runs(here: Path) -> None:
    write_graph(to_nir(two_layers(spikes_of(frames(10), DT_MS))), here / "layers.nir")
    refused = ember("check", "imported.yaml", "dt=0.5 ms")
    assert refused.exit_code == 1
    assert "imported.yaml:8: circuits.net: cannot read" in refused.output
    assert "meant for a time step of 0.1 ms, found 0.5 ms" in refused.output


def test_what_is_refused_leaves_no_file(here: Path) -> None:
    text = LAYERS.replace("t_ref: 0 ms, C", "C")
    (here / "layers.yaml").write_text(text, encoding="utf-8")
    refused = ember("nir", "export", "layers.yaml", "layers.nir")
    assert refused.exit_code == 1 and not (here / "layers.nir").exists()
    assert "a refractory period (population `first`: 2 ms)" in refused.output
    done = ember("nir", "export", "layers.yaml", "layers.nir", "--without", "refractory")
    assert done.exit_code == 0, done.output
    assert np.all(
        read("layers.nir").populations[0].parameters["t_ref"] == ms(2)
    )  # Ember's own note
    again = ember("nir", "export", "layers.yaml", "layers.nir", "--without", "refractory")
    assert again.exit_code == 1 and "already exists" in again.output
    assert ember("nir", "show", "none.nir").exit_code == 1
