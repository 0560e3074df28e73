"""What would have no effect is refused by name: a parameter nothing reads, a delay of nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from circuits import Port
from circuits.hippocampus import grid_cells, place_cells, time_cells
from circuits.limbic import amygdala, locus_coeruleus
from circuits.oscillation import phase_code
from encoders import arena_path, auditory_nerve, heat_fibres
from neuro import Network, NeuronModel, Population, Projection
from neuro.build import build
from neuro.equations import check_synapse
from neuro.errors import EmberError, NetworkError, SignalError
from neuro.model import SynapseModel, variant
from neuro.models import LIF, POISSON
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.network import Uniform
from neuro.signal import Signal
from neuro.synapses import EXPONENTIAL_CURRENT, GAP_JUNCTION
from neuro.units import Hz, dB, m, ms, mV, nM, pA
from neuro.wiring import AllToAll
from sims.cli import app

MINE = """\
duration: 10 ms
circuits:
  mine:
    populations:
      cells:
        n: 2
        equations: "dv/dt = (E_L - v + R*I)/tau : volt (unless refractory)"
        threshold: v > V_th
        reset: v = V_r
        refractory: t_ref
        parameters:
          {E_L: -70 mV, R: 100 Mohm, tau: 10 ms, V_th: -50 mV, V_r: -70 mV,
           t_ref: 2 ms, v_0: -65 mV}
        initial: {v: v_0}
    projections:
      - from: cells
        to: cells
        synapse:
          equations: "dI_syn/dt = -I_syn/tau : amp"
          current: I_syn
          on_pre: I_syn += w*R_post/R_0
          parameters: {tau: 5 ms, R_0: 100 Mohm}
        rule: all_to_all
        weight: 10 pA
"""
KEY = "circuits.mine.populations.cells.parameters."


def built(model: NeuronModel, synapse: SynapseModel = EXPONENTIAL_CURRENT, **effect: str) -> None:
    cells = Population("cells", model, 2)
    joined = Projection("p", "cells", "cells", synapse, AllToAll(), synapse.weight)
    network = Network(
        populations=(cells,),
        projections=(joined,) if model.name != "poisson" else (),
        transmitters=(Transmitter("na"),),
        receptors=(Receptor("r", "na", nM(1)),),
        effects=(Effect("r", effect["on"], effect["parameter"], 2.0),) if effect else (),
    )
    build(network, seed=1, dt_ms=0.1, wire=False)


def check(text: str, *changes: str, command: str = "check") -> str:
    Path("mine.yaml").write_text(text, encoding="utf-8")
    found = CliRunner().invoke(app, [command, "mine.yaml", *changes])
    lines = [line for line in found.stderr.splitlines() if line.startswith("ember: ")]
    assert len(lines) == (found.exit_code != 0)
    return "".join(lines)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: built(replace(LIF, parameters={**LIF.parameters, "Iext": pA(300)})),
            "population `cells`: .* none reads `Iext`; did you mean `I_ext`",
        ),
        (
            lambda: built(replace(POISSON, parameters={**POISSON.parameters, "I_ext": pA(3)})),
            "none reads `I_ext`",
        ),
        (
            lambda: built(
                LIF, replace(EXPONENTIAL_CURRENT, parameters={"tau": ms(5), "taus": ms(2)})
            ),
            "synapse `exponential_current`: .* none reads `taus`; did you mean `tau`",
        ),
        (lambda: check_synapse(replace(GAP_JUNCTION, parameters={"g": mV(2)})), "none reads `g`"),
        (lambda: built(POISSON, on="cells", parameter="I_ext"), "none reads `I_ext`"),
        (
            lambda: built(
                LIF,
                replace(EXPONENTIAL_CURRENT, on_pre="I_syn += 3*pA"),
                on="p",
                parameter="weight",
            ),
            "none reads `weight`",
        ),
    ],
)
def test_a_parameter_that_nothing_reads_is_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(EmberError, match=words):
        make()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"per_spike": nM(3)}, "`per_spike` needs the population .* without `released_by`"),
        ({"delay": ms(5)}, "`delay` needs the population"),
        ({"baseline": nM(1), "schedule": ((ms(0), nM(2)),)}, "a schedule replaces the baseline"),
    ],
)
def test_a_field_of_a_transmitter_without_effect_is_refused(
    settings: dict[str, Any], words: str
) -> None:
    Transmitter("na", released_by="cells", per_spike=nM(3), delay=ms(5), baseline=nM(1))
    with pytest.raises(EmberError, match=words):
        Transmitter("na", **settings)


def test_each_place_of_a_model_counts_as_a_read() -> None:
    """Threshold, reset, refractory time, start values, and the other end's synapses."""
    assert check(MINE) == ""
    built(variant(LIF, name="slow", source="engineering choice", refractory="5*ms"))
    extra = replace(LIF, parameters={**LIF.parameters, "a": pA(1)})
    for text in ("I_syn += w*a_post/pA", "I_syn += w*a_pre/pA", "I_syn += w*a/pA"):
        built(extra, replace(EXPONENTIAL_CURRENT, on_pre=text))
    build(
        Network(
            populations=(
                Population("c", extra, 1, initial={"v": "E_L"}),
                Population("d", LIF, 1, initial={"v": "V_r"}),
            ),
            projections=(
                Projection(
                    "p",
                    "c",
                    "d",
                    replace(EXPONENTIAL_CURRENT, on_pre="I_syn += w*a_pre/pA"),
                    AllToAll(),
                    pA(1),
                ),
            ),
        ),
        seed=1,
        dt_ms=0.1,
        wire=False,
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("V_r: -70 mV", "V_r: -70 mV, Iext: 300 pA", KEY + "Iext: .*; did you mean `I_ext`"),
        (
            "threshold: v >",
            "inputs: {dirve: pA}\n        threshold: v >",
            "inputs.dirve: .*`dirve`",
        ),
        ("R_0: 100", "tau_facil: 3 ms, R_0: 100", "synapse.parameters.tau_facil: .*`tau`"),
        ("t_ref: 2 ms", "t_ref: 2 ms, v0: 1 mV", KEY + "v0: .*did you mean `v_0`"),
    ],
)
def test_in_a_file_it_is_refused_at_its_key(old: str, new: str, words: str) -> None:
    found = check(MINE.replace(old, new))
    assert re.search(r"mine.yaml:\d+: .*" + words, found), found


def test_a_slip_in_an_equation_is_still_the_equations_own_error() -> None:
    assert "unknown name `tua`; did you mean `tau`" in check(MINE.replace("R*I)/tau", "R*I)/tua"))


def test_a_sweep_over_it_is_refused_before_any_point() -> None:
    assert "`V_tth`; did you mean `V_th`" in check(MINE, f"{KEY}V_tth=-60 mV")
    swept = f"sweep: {{vary: {{{KEY}Iext: [250 pA, 300 pA]}}, measures: [{{rate: cells}}]}}\n"
    assert "none reads `Iext`; did you mean `I_ext`" in check(MINE + swept, command="sweep")
    assert not Path("runs").exists()


@pytest.mark.parametrize("delay", [ms(20), ms(0.1), Uniform(ms(1), ms(1)), [1.0, 2.0]])
def test_what_delivers_nothing_has_no_delay(delay: object) -> None:
    with pytest.raises(NetworkError, match=r"needs a synapse with `on_pre`.*leave the delay out"):
        Projection("p", "a", "b", GAP_JUNCTION, AllToAll(), GAP_JUNCTION.weight, delay)  # type: ignore[arg-type]


def test_in_a_file_a_gap_junction_has_no_delay_either() -> None:
    """Nor does the default ask for a step of at most 1 ms."""
    gap = MINE[: MINE.index("        synapse:")].replace(", v_0: -65 mV", "").replace("v_0", "E_L")
    gap += "        synapse: gap_junction\n        rule: all_to_all\n"
    assert check(gap, "dt=2 ms", "record.every=2 ms") == ""
    found = check(gap + "        delay: 20 ms\n")
    assert "circuits.mine.projections[0].delay" in found or "projections.0.delay" in found
    assert "leave the key out" in found


def test_a_fan_in_above_the_number_there_is_is_refused() -> None:
    few = Port("few", 9)
    for make, name in (
        (lambda n: amygdala(few, few, sound_fan_in=n), "sound_fan_in"),
        (lambda n: locus_coeruleus(few, alarm_fan_in=n), "alarm_fan_in"),
    ):
        with pytest.raises(NetworkError, match=f"{name} of at most 9, .*found 5000"):
            make(5000)
        assert make(9).projections[0].rule.n == 9
    assert locus_coeruleus(few).projections[0].rule.n == 9  # the default is all, of fewer than 30


def test_a_circuit_lives_in_the_arena_of_its_path() -> None:
    path = arena_path(duration_ms=100, seed=1, width=m(2)).signals
    x, y, heading = path["x"], path["y"], path["heading"]
    with pytest.raises(SignalError, match=r"place_cells needs the width .* 2 m, found 1 m"):
        place_cells(x, y, heading)
    assert place_cells(x, y, heading, width=m(2)).populations
    with pytest.raises(SignalError, match=r"2 m by 1 m, found landmark_x 2.2 m"):
        time_cells(x, y, landmark_x=m(2.2))
    assert time_cells(x, y, landmark_x=m(2.1)).populations  # reached from the wall
    found = CliRunner().invoke(app, ["check", "explore", "stimulus.path.width=2 m", "duration=1 s"])
    assert found.exit_code and "circuits.place: place_cells needs the width" in found.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("released_by=null", "modulation.na.per_spike: expected `released_by` beside it"),
        ("schedule=[[0 ms, 1 nM]]", "modulation.na.baseline: expected none beside a schedule"),
    ],
)
def test_a_key_of_a_transmitter_without_effect_is_named(change: str, said: str) -> None:
    text = f"{MINE}modulation:\n  na: {{released_by: cells, per_spike: 2 nM, baseline: 1 nM}}\n"
    assert check(text) == ""
    assert said in check(text, f"modulation.na.{change}")


def test_an_effect_on_what_only_a_start_value_reads_is_refused() -> None:
    """It is read once, before anything is released."""
    model = replace(LIF, parameters={**LIF.parameters, "v_0": mV(-60)}, initial={"v": "v_0"})
    built(model)
    with pytest.raises(NetworkError, match="none reads `v_0`"):
        built(model, on="cells", parameter="v_0")


def test_a_name_of_a_variant_reads_no_parameter() -> None:
    made = variant(LIF, name="t_ref", source="engineering choice", refractory="5*ms")
    assert "t_ref" not in made.parameters
    built(made)


STILL = Signal(np.full(10, 0.5), 10.0, "m")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: time_cells(STILL, STILL, n_cells=1, latest=ms(5000)),
            "n_cells of at least 2 for `latest`: .* at `earliest`, 300 ms, found latest 5000 ms",
        ),
        (
            lambda: phase_code(n_cells=1, strongest=pA(400)),
            "n_cells of at least 2 for `strongest`: .* `weakest`, 200 pA, found strongest 400 pA",
        ),
        (
            lambda: grid_cells(STILL, STILL, n_modules=1, module_ratio=2.0),
            "n_modules of at least 2 for `module_ratio`, found n_modules 1 and module_ratio 2",
        ),
        (
            lambda: auditory_nerve(duration_ms=9, seed=1, n_channels=1, high=Hz(1000)),
            "n_channels of at least 2 for `high`: .* at `low`, 125 Hz, found high 1000 Hz",
        ),
        (
            lambda: auditory_nerve(duration_ms=9, seed=1, embedded="silence", speaker=3),
            "found speaker 3 of `silence`; leave `speaker` out",
        ),
        (
            lambda: auditory_nerve(duration_ms=9, seed=1, embedded="silence", start=ms(5)),
            "silence has no beginning, found start 5 ms; leave `start` out",
        ),
        (
            lambda: heat_fibres(duration_ms=1500, seed=1, interval=ms(-7030)),
            "two or more pulses for an interval, found pulses 1 and interval -7030 ms",
        ),
        # 200 ms, 850 ms, and 1500 ms, which is the end.
        (
            lambda: heat_fibres(duration_ms=1500, seed=1, pulses=3, interval=ms(650), hold=ms(450)),
            r"last pulse within the run \(0 to 1500 ms\), found pulse 3 at 1500 ms",
        ),
        (
            lambda: heat_fibres(duration_ms=1500, seed=1, pulses=3, interval=ms(5000)),
            "found pulse 3 at 10200 ms",
        ),
        # 0.1 + 2 * 650.3, which as floats falls short of 1300.7.
        (
            lambda: heat_fibres(
                duration_ms=1300.7,
                seed=1,
                pulses=3,
                interval=ms(650.3),
                onset=ms(0.1),
                hold=ms(400),
            ),
            "found pulse 3 at 1300.7 ms",
        ),
    ],
)
def test_a_setting_of_what_there_is_one_of_is_refused(
    make: Callable[[], object], words: str
) -> None:
    with pytest.raises((NetworkError, SignalError), match=words):
        make()


def test_one_of_a_kind_is_made_at_the_low_end() -> None:
    """Also where that lies beyond the high end's default."""
    for settings in ({}, {"latest": ms(20_000)}):
        (late,) = time_cells(
            STILL,
            STILL,
            n_cells=1,
            earliest=ms(20_000),
            **settings,  # type: ignore[arg-type]
        ).populations
        assert late.coordinates["peak_ms"] == pytest.approx([20_000])
    (strong,) = phase_code(n_cells=1, weakest=pA(400)).populations
    assert strong.coordinates["drive_pA"] == pytest.approx([400])
    assert grid_cells(STILL, STILL, n_modules=1).populations
    ear = {"duration_ms": 9, "seed": 1, "n_channels": 1, "embedded": "silence"}
    heard = auditory_nerve(**ear, low=Hz(5000), level=dB(20))  # type: ignore[arg-type]
    assert heard.spikes["nerve"].coordinates["cf_hz"] == pytest.approx([5000] * 4)
    with pytest.raises(SignalError, match="set `low` to"):
        auditory_nerve(**ear, low=Hz(30_000))  # type: ignore[arg-type]


def test_the_last_pulse_within_the_run_is_felt() -> None:
    """From 1499 ms on the skin warms again, in the one frame that is left."""
    given = {"duration_ms": 1501, "seed": 1, "pulses": 3, "n_c": 1, "hold": ms(400)}
    skin = heat_fibres(**given, interval=ms(649.5)).signals["temperature"]  # type: ignore[arg-type]
    last = skin.values[round(1499 / skin.dt_ms) :]
    assert last[0] == 34 and (np.diff(last) > 0).all()


def test_in_a_file_a_pulse_after_the_run_is_refused() -> None:
    heat = "stimulus: {heat: {pulses: 3, interval: 5 s, onset: 10 ms}}\n"
    text = MINE.replace("duration: 10 ms\n", "duration: 300 ms\n" + heat)
    assert "found pulse 3 at 10010 ms" in check(text)
    assert check(text, "stimulus.heat.interval=2 s", "duration=5 s") == ""
