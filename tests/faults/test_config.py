"""Bad configs: one exact line with file, line and key, a status, no traceback, nothing written."""

from __future__ import annotations

import io
import subprocess
import sys
import wave
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from neuro.errors import ConfigError
from sims.assembly import build_experiment
from sims.cli import app
from sims.config import from_resolved, load

GOOD = """\
# Line 1: what all others differ from.
seed: 3
duration: 20 ms
stimulus:
  heat: {peak: 46 degC, onset: 5 ms}
circuits:
  horn: {circuit: dorsal_horn, a_delta: heat.a_delta, c: heat.c}
  mine:
    populations:
      izhikevich:
        n: 3
        equations: |
          dv/dt = (0.04*v*v/mV + 5*v + 140*mV - u)/ms + I/C : volt
          du/dt = a*(b*v - u) : volt
        threshold: v > peak
        reset: v = c; u += d
        parameters:
          a: 0.02/ms
          b: 0.2
          c: -65 mV
          d: 8 mV
          peak: 30 mV
          C: 1 pF
      others: {n: 4, model: lif, parameters: {V_th: -50 mV}}
    projections:
      - {from: heat.c, to: others, synapse: exponential_current,
         rule: {pairwise: {probability: 0.1}}, weight: 20 pA}
modulation:
  noradrenaline:
    released_by: others
    per_spike: 5 nM
    receptors:
      alpha: {ec50: 10 nM, effects: [{on: izhikevich, parameter: C, at_saturation: 2}]}
record:
  traces: [{population: others, variable: v, cells: [0]}]
"""


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ember(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def refused(*words: str) -> str:
    """The one line a refused command prints; everything else about a refusal is checked here."""
    before = sorted(Path().rglob("*"))
    done = ember(*words)
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.endswith(" …")]  # progress
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("ember: ")
    assert sorted(Path().rglob("*")) == before
    return lines[0].removeprefix("ember: ")


def test_the_good_one_is_good() -> None:
    Path("good.yaml").write_text(GOOD, encoding="utf-8")
    done = ember("check", "good.yaml")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("good.yaml: fine; 2 stimulus outputs, 4 populations, ")


# What is changed in the good config, and the line it must give.
CHANGES = {
    "unknown key at the top": (
        "seed: 3", "sede: 3",
        "bad.yaml:2: sede: unknown key; did you mean `seed`?",
    ),
    "unknown key of a circuit": (
        "c: heat.c}", "c: heat.c, n_projections: 5}",
        "bad.yaml:7: circuits.horn.n_projections: unknown key; did you mean `n_projection`?",
    ),
    "missing unit": (
        "20 ms", "20",
        "bad.yaml:3: duration: expected a time with its unit, such as `20 ms`, found the bare "
        "number 20",
    ),
    "missing unit of a setting": (
        "46 degC", "46",
        "bad.yaml:5: stimulus.heat.peak: expected a temperature with its unit, such as "
        "`20 degC`, found the bare number 46",
    ),
    "wrong dimension": (
        "20 ms", "20 mV",
        "bad.yaml:3: duration: expected a time with its unit, such as `20 ms`, found `20 mV`, "
        "which is voltage",
    ),
    "wrong dimension of a parameter": (
        "V_th: -50 mV", "V_th: -50 pA",
        "bad.yaml:24: circuits.mine.populations.others.parameters.V_th: expected a voltage with "
        "its unit, such as `20 mV`, found `-50 pA`, which is current",
    ),
    "wrong dimension of a weight": (
        "weight: 20 pA", "weight: 20 nS",
        "bad.yaml:27: circuits.mine.projections.0.weight: expected a current with its unit, such "
        "as `20 pA`, found `20 nS`, which is conductance",
    ),
    "unknown unit": (
        "20 ms", "20 msc",
        "bad.yaml:3: duration: expected a time with its unit, such as `20 ms`, found `20 msc` "
        "with an unknown unit; did you mean `ms`?",
    ),
    "unknown circuit": (
        "dorsal_horn", "dorsal_horm",
        "bad.yaml:7: circuits.horn.circuit: unknown circuit `dorsal_horm`; did you mean "
        "`dorsal_horn`? (see `ember list circuits`)",
    ),
    "unknown encoder": (
        "heat: {", "heat: {encoder: heat_fibers, ",
        "bad.yaml:5: stimulus.heat.encoder: unknown encoder `heat_fibers`; did you mean "
        "`heat_fibres`? (see `ember list encoders`)",
    ),
    "stimulus without encoder": (
        "heat: {", "warmth: {",
        "bad.yaml:5: stimulus.warmth: the key `encoder` is missing: only `sound, heat and path` "
        "have a default (see `ember list encoders`)",
    ),
    "unknown model": (
        "model: lif", "model: liff",
        "bad.yaml:24: circuits.mine.populations.others.model: unknown model `liff`; did you mean "
        "`lif`? (see `ember list models`)",
    ),
    "unknown synapse": (
        "exponential_current", "exponential_curent",
        "bad.yaml:26: circuits.mine.projections.0.synapse: unknown synapse `exponential_curent`; "
        "did you mean `exponential_current`? (see `ember list synapses`)",
    ),
    "unknown parameter of a model": (
        "V_th: -50 mV", "Vth: -50 mV",
        "bad.yaml:24: circuits.mine.populations.others.parameters.Vth: unknown parameter of "
        "model `lif`; did you mean `V_th`?",
    ),
    "unknown rule": (
        "pairwise:", "pairwis:",
        "bad.yaml:27: circuits.mine.projections.0.rule.pairwis: unknown key; did you mean "
        "`pairwise`?",
    ),
    "probability beyond 1": (
        "probability: 0.1", "probability: 10",
        "bad.yaml:27: circuits.mine.projections.0.rule.pairwise.probability: expected a number "
        "of at most 1, found `10`",
    ),
    "text for a count": (
        "n: 4", "n: four",
        "bad.yaml:24: circuits.mine.populations.others.n: expected a whole number, found the "
        "text `four`",
    ),
    "a key that is missing": (
        "duration: 20 ms\n", "",
        "bad.yaml: the key `duration` is missing",
    ),
    "reference to no instance": (
        "a_delta: heat.a_delta", "a_delta: heet.a_delta",
        "bad.yaml:7: circuits.horn.a_delta: `heet.a_delta`: there is no stimulus or circuit "
        "`heet`; did you mean `heat`?",
    ),
    "reference to no output": (
        "a_delta: heat.a_delta", "a_delta: heat.adelta",
        "bad.yaml:7: circuits.horn.a_delta: `heat` has no output `adelta`; did you mean "
        "`heat.a_delta`?",
    ),
    "projection from nowhere": (
        "from: heat.c", "from: other",
        "bad.yaml:26: circuits.mine.projections.0.from: there is no population or circuit "
        "`other`; did you mean `others`?",
    ),
    "projection onto a stimulus": (
        "to: others", "to: heat.c",
        "bad.yaml:26: circuits.mine.projections.0.to: `heat.c` is a stimulus, which takes no input",
    ),
    "duplicate key": (
        "seed: 3", "seed: 3\nseed: 4",
        "bad.yaml:3: seed: the key is given twice, first in line 2",
    ),
    "duplicate population": (
        "  mine:", "  twin: {circuit: dorsal_horn, a_delta: heat.a_delta, c: heat.c}\n  mine:",
        "bad.yaml:8: circuits.twin: the population `dorsal_horn_projection` is in "
        "`circuits.horn` too: give this one a `prefix:`, such as `twin_`",
    ),
    "one name for a stimulus and a circuit": (
        "  horn: {", "  heat: {",
        "bad.yaml:7: circuits.heat: a stimulus has this name too, so references could mean "
        "either; rename one",
    ),
    "term of another dimension": (
        "140*mV", "140*pA",
        "bad.yaml:13: circuits.mine.populations.izhikevich.equations: model `izhikevich`: "
        "dv/dt: term `140 * pA` is in pA, but `0.04 * v * v / mV` beside it is in mV",
    ),
    "term of another dimension by its parameter": (
        "d: 8 mV", "d: 8 pA",
        "bad.yaml:16: circuits.mine.populations.izhikevich.reset: model `izhikevich`: reset of "
        "`u`: term `d` is in pA, but `u` beside it is in mV",
    ),
    "unknown name in an equation": (
        "a*(b*v - u)", "a*(bb*v - u)",
        "bad.yaml:14: circuits.mine.populations.izhikevich.equations: model `izhikevich`: "
        "du/dt: unknown name `bb`; did you mean `b`? ",
    ),
    "text that is no equation": (
        "du/dt = a*(b*v - u) : volt", "du/dt is slow",
        "bad.yaml:14: circuits.mine.populations.izhikevich.equations: model `izhikevich`: ",
    ),
    "code in an equation": (
        "a*(b*v - u)", "__import__('os')",
        "bad.yaml:14: circuits.mine.populations.izhikevich.equations: model `izhikevich`: "
        "equation of `u`: unknown function `__import__` ",
    ),
    "equations beside a model": (
        "model: lif", "model: lif, reset: v = 0*mV",
        "bad.yaml:24: circuits.mine.populations.others.reset: goes with `equations`, not with "
        "`model`",
    ),
    "released by nobody": (
        "released_by: others", "released_by: them",
        "bad.yaml:30: modulation.noradrenaline.released_by: there is no population or circuit "
        "`them`",
    ),
    "effect on nobody": (
        "on: izhikevich", "on: izhikevitch",
        "bad.yaml:33: modulation.noradrenaline.receptors.alpha.effects.0.on: expected a "
        "population, projection or background of this run, or `reasoner`, found `izhikevitch`; did "
        "you mean `izhikevich`?",
    ),
    "effect on no parameter": (
        "parameter: C", "parameter: g_L",
        "bad.yaml:33: modulation.noradrenaline.receptors.alpha.effects.0.parameter: `izhikevich` "
        "has no parameter `g_L`",
    ),
    "trace of no variable": (
        "variable: v", "variable: w",
        "bad.yaml:35: record.traces.0: record: `others` has no variable `w`",
    ),
    "trace of no cell": (
        "cells: [0]", "cells: [4]",
        "bad.yaml:35: record.traces.0.cells: expected cells in 0..3 of `others`, found 4",
    ),
    "duration that is no whole number of steps": (
        "duration: 20 ms", "duration: 20.05 ms",
        "bad.yaml:3: duration: expected a whole number of time steps of 0.1 ms, found 20.05 ms",
    ),
    "delay under a step": (
        "weight: 20 pA", "weight: 20 pA, delay: 0 ms",
        "bad.yaml:26: circuits.mine.projections.0: the delay of `heat_c_to_others` must be at "
        "least one time step of 0.1 ms, found 0 ms",
    ),
    "unknown back end": (
        "seed: 3", "seed: 3\nbackend: numbaa",
        "bad.yaml:3: backend.name: expected `numba`, `brian`, `norse` or `lava`, found `numbaa`; "
        "did you mean `numba`?",
    ),
    "option of another back end": (
        "seed: 3", "seed: 3\nbackend: {name: brian, threads: 2}",
        "bad.yaml:3: backend.threads: back end `brian` has no such option",
    ),
    "rule that does not fit": (
        "rule: {pairwise: {probability: 0.1}}", "rule: one_to_one",
        "bad.yaml:26: circuits.mine.projections.0: one_to_one needs two populations of one size, "
        "found heat_c with 80 and others with 4",
    ),
    "base that is not there": (
        "seed: 3", "base: nowhere",
        "bad.yaml:2: base: no file `nowhere`, nor a shipped config of that name (see `ember list "
        "configs`)",
    ),
    "base on itself": (
        "seed: 3", "base: bad.yaml",
        "bad.yaml:2: base: `bad.yaml` is based on this file again",
    ),
    "sound that is not there": (
        "  heat: {peak", "  sound: {file: none.wav}\n  heat: {peak",
        "bad.yaml:5: stimulus.sound.file: cannot read the file ",
    ),
    "broken YAML": (
        "n: 3", "n: [3",
        "bad.yaml:12: not valid YAML: ",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line"), CHANGES.values(), ids=CHANGES.keys())
def test_a_bad_config_gives_one_line(old: str, new: str, line: str) -> None:
    assert GOOD.count(old) >= 1
    Path("bad.yaml").write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    found = refused("check", "bad.yaml")
    assert found.startswith(line) if line.endswith((" ", "`")) else found == line


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("seed=1.5", "command line: seed: expected a whole number, found `1.5`"),
        ("seed=-1", "command line: seed: expected a number of at least 0, found `-1`"),
        (
            "circuits.horn.n_projection=0 ms",
            "command line: circuits.horn.n_projection: expected a whole number, found the text "
            "`0 ms`",
        ),
        ("dt=1 s", "command line: dt: expected at most the duration 20 ms, found 1000 ms"),
        ("dt=0 ms", "command line: dt: expected a time above 0 ms, found `0 ms`"),
        ("base=startle", "command line: base: the base of a config can only be given in its file"),
        ("circuits=5", "command line: circuits: expected a mapping, found `5`"),
        ("circuits.horn=5", "command line: circuits.horn: expected a mapping with the key "
         "`circuit`, found `5`"),
        ("duration=.inf", "command line: duration: expected a time with its unit, such as `20 ms`, "
         "found the bare number inf"),
        ("modulation.noradrenaline.receptors.alpha.hill=.inf",
         "command line: modulation.noradrenaline.receptors.alpha.hill: expected a finite number, "
         "found `inf`"),
        ("name=a/b", "command line: name: expected a name"),
        ("nonsense", "command line: expected key=value, found `nonsense`"),
    ],
)  # fmt: skip
def test_a_bad_override_gives_one_line(override: str, line: str) -> None:
    Path("good.yaml").write_text(GOOD, encoding="utf-8")
    found = refused("check", "good.yaml", override)
    assert (
        found.startswith(line) if line == "command line: name: expected a name" else found == line
    )


def test_circuits_in_a_loop_are_told_how_to_close_it() -> None:
    Path("loop.yaml").write_text(
        "duration: 10 ms\ncircuits:\n"
        "  a: {circuit: locus_coeruleus, alarm: b.locus_coeruleus}\n"
        "  b: {circuit: locus_coeruleus, alarm: a.locus_coeruleus, prefix: b_}\n",
        encoding="utf-8",
    )
    found = refused("check", "loop.yaml")
    assert found.startswith("loop.yaml:")
    assert "circuits listen to one another in a loop" in found
    assert "close it with a projection in a written-out circuit" in found


def test_several_problems_are_counted() -> None:
    Path("bad.yaml").write_text(
        GOOD.replace("20 ms", "20").replace("46 degC", "46"), encoding="utf-8"
    )
    assert refused("check", "bad.yaml").endswith("(and 1 more problem)")


def test_a_config_that_is_not_there_names_the_nearest() -> None:
    assert refused("run", "startel") == (
        "no file `startel`, nor a shipped config of that name; did you mean `startle`? "
        "(see `ember list configs`)"
    )
    assert refused("run", "elsewhere/startle.yaml").endswith("called by its name alone: `startle`")
    Path("folder").mkdir()
    assert refused("run", "folder").startswith("`folder` is a folder")


def test_a_run_is_refused_before_it_starts() -> None:
    Path("bad.yaml").write_text(GOOD.replace("V_th: -50 mV", "V_th: -50"), encoding="utf-8")
    assert refused("run", "bad.yaml").startswith("bad.yaml:24: ")
    Path("taken.h5").write_bytes(b"something else")
    Path("good.yaml").write_text(GOOD, encoding="utf-8")
    found = refused("run", "good.yaml", "--out", "taken.h5")
    assert found == "`taken.h5` already exists; replace it with `--force` or give another path"
    assert refused("run", "good.yaml", "--out", "no/such/folder/x.h5").startswith("cannot write")
    assert refused("run", "good.yaml", "backend=brian", "--threads", "2") == (
        "back end `brian` runs on one thread, found --threads 2; run it on numba"
    )


@pytest.mark.parametrize("name", ["truncated.h5", "foreign.h5", "text.h5"])
def test_a_file_that_is_no_run_is_refused(name: str) -> None:
    with h5py.File("foreign.h5", "w") as file:
        file["data"] = np.arange(1000)
    whole = Path("foreign.h5").read_bytes()
    Path("truncated.h5").write_bytes(whole[: len(whole) // 2])
    Path("text.h5").write_text("not HDF5", encoding="utf-8")
    found = refused("run", name)
    assert name in found


def test_a_config_of_another_kind_is_sent_to_its_command() -> None:
    Path("good.yaml").write_text(GOOD, encoding="utf-8")
    Path("sweep.yaml").write_text(
        "base: good.yaml\nsweep: {vary: {seed: [1, 2]}}\n", encoding="utf-8"
    )
    assert refused("run", "sweep.yaml") == (
        "sweep.yaml: this config is not of a single run: use `ember sweep`"
    )
    assert "use `ember run`" in refused("train", "good.yaml")
    assert "use `ember run`" in refused("sweep", "good.yaml")


def tone(path: Path, hz: float) -> None:
    samples = (8000 * np.sin(2 * np.pi * hz * np.arange(4000) / 16000)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, samples.size, "NONE", ""))
        file.writeframes(samples.tobytes())


def test_a_sound_that_has_changed_or_gone_is_not_run_again() -> None:
    tone(Path("a.wav"), 440)
    Path("s.yaml").write_text(
        "duration: 20 ms\nstimulus: {sound: {file: a.wav}}\n", encoding="utf-8"
    )
    loaded = load("s.yaml")
    assert loaded.config.stimulus["sound"].file == str(Path("a.wav").absolute())
    tone(Path("a.wav"), 441)
    again = from_resolved(loaded.resolved, path="run.h5")
    assert again.hash == loaded.hash
    with pytest.raises(
        ConfigError, match=r"run\.h5: stimulus\.sound\.file: .* is not the one this run"
    ):
        build_experiment(again)
    Path("a.wav").unlink()
    with pytest.raises(
        ConfigError, match=r"stimulus\.sound\.file: cannot read the file .*No such file"
    ):
        build_experiment(again)


def samples(values: np.ndarray, rate_hz: int = 16000) -> bytes:
    with io.BytesIO() as held:
        with wave.open(held, "wb") as file:
            file.setparams((1, 2, rate_hz, values.size, "NONE", ""))
            file.writeframes(values.astype("<i2").tobytes())
        return held.getvalue()


NOISE = np.random.default_rng(0).normal(0, 3000, 16000)
SOUNDS = {
    "empty": b"",
    "no sound file": b"this is no sound",
    "truncated header": samples(NOISE)[:20],
    "no frames": samples(np.zeros(0)),
    "silent": samples(np.zeros(8000)),
    "shorter than a frame": samples(NOISE[:3]),
    "sample rate too low": samples(NOISE, rate_hz=4000),
}


@pytest.mark.parametrize("sound", SOUNDS)
def test_a_bad_sound_gives_one_line_with_its_place(sound: str) -> None:
    Path("a.wav").write_bytes(SOUNDS[sound])
    Path("s.yaml").write_text(
        "duration: 20 ms\nstimulus:\n  # what is heard\n  sound: {file: a.wav}\n", encoding="utf-8"
    )
    assert refused("run", "s.yaml").startswith("s.yaml:4: stimulus.sound: ")


def test_debug_shows_the_traceback() -> None:
    Path("bad.yaml").write_text(GOOD.replace("seed: 3", "sede: 3"), encoding="utf-8")
    code = "import sys; from sims.cli import main; sys.argv[0] = 'ember'; main()"
    shown = {
        flag: subprocess.run(
            [sys.executable, "-c", code, "check", "bad.yaml", *flag], capture_output=True, text=True
        )
        for flag in [(), ("--debug",)]
    }
    assert all(done.returncode == 1 for done in shown.values())
    assert "Traceback" not in shown[()].stderr
    assert "Traceback" in shown["--debug",].stderr
    assert shown["--debug",].stderr.splitlines()[-1] == shown[()].stderr.strip()
