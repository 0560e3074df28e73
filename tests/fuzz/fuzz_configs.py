"""Configs with damaged bytes, keys and values: what runs, runs the same from its own run file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz._harness import Kind
from tests.fuzz._mutate import damage_yaml
from tests.fuzz._preload import RUNS
from tests.fuzz._server import ember

MOST_CELL_STEPS = 2e6  # of a run here; damage can ask for hours of honest work

MODELS = """\
name: models
seed: 5
duration: 30 ms
dt: 0.1 ms
circuits:
  net:
    populations:
      cells:
        n: 20
        model: lif
        parameters: {I_ext: {uniform: {low: 300 pA, high: 500 pA}}}
      nucleus: {n: 4, model: lif, parameters: {I_ext: 400 pA}}
    projections:
      - from: cells
        to: cells
        synapse: exponential_current
        rule: {pairwise: {probability: 0.3}}
        weight: 20 pA
        delay: {normal: {mean: 2 ms, sd: 0.2 ms}}
modulation:
  noradrenaline:
    released_by: nucleus
    per_spike: 20 nM
    receptors:
      alpha: {ec50: 100 nM, effects: [{on: cells, parameter: I_ext, at_saturation: 1.5}]}
record:
  every: 0.5 ms
  traces:
    - {population: cells, variable: v, cells: [3, 7], every: 0.1 ms}
"""
EQUATIONS = """\
name: equations
seed: 1
duration: 40 ms
dt: 0.1 ms
backend: {name: numba, threads: 1}
circuits:
  net:
    populations:
      a:
        n: 6
        equations: |
          dv/dt = (E_L - v + R*I)/tau : volt (unless refractory)
          dth/dt = (th_0 - th)/tau_th : volt
          gap = th - v : volt
        threshold: v > th
        reset: v = E_L; th += 0.1*gap
        refractory: 2 ms
        parameters:
          E_L: -70 mV
          R: 100 Mohm
          tau: [10 ms, 11 ms, 12 ms, 13 ms, 14 ms, 15 ms]
          th_0: -50 mV
          tau_th: 30 ms
          I_ext: 300 pA
        initial: {v: E_L, th: -50 mV}
      b: {n: 3, model: lif}
    projections:
      - from: a
        to: b
        synapse:
          equations: |
            dg/dt = -g/tau_g : siemens
            I_syn = g*(E_rev - v) : amp
          current: I_syn
          on_pre: g += w
          parameters: {tau_g: 5 ms, E_rev: 0 mV}
        rule: {listed: {source: [0, 1, 2, 3], target: [0, 1, 2, 0]}}
        weight: [1 nS, 2 nS, 3 nS, 4 nS]
        delay: 1.5 ms
      - {from: a, to: b, synapse: delta, rule: {fixed_total: {n: 9}}, weight: 1 mV, delay: 1 ms}
"""


def make(folder: Path) -> Sequence[Path]:
    """Two configs: of shipped models with modulation, and of equations written out."""
    paths = []
    for name, text in (("models", MODELS), ("equations", EQUATIONS)):
        paths.append(folder / f"{name}.yaml")
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def task(mutant: Path, original: Path) -> str:
    """Check it; run it if that is short; run its run file again and compare every spike."""
    ember("check", str(mutant))
    from sims.config import load

    config = load(mutant).config
    steps = float(config.duration) / float(config.dt)
    cells = sum(
        getattr(population, "n", 0)
        for circuit in config.circuits.values()
        for population in getattr(circuit, "populations", {}).values()
    )
    if not 0 < steps * max(cells, 10) < MOST_CELL_STEPS:
        return ""
    ember("run", str(mutant), "--out", "one.h5")
    with open("again.json", "w", encoding="utf-8") as file:
        import contextlib

        with contextlib.redirect_stdout(file):
            ember("run", "one.h5", "--out", "two.h5", "--json")
    same = json.loads(Path("again.json").read_text("utf-8"))["same_spikes"]
    return "" if same else "the run file gave other spikes when it was run again"


SHIPPED = ("startle", "phase_code", "cuba", "startle_sweep", "voices_tiny", "sudoku4", "explore")


def make_shipped(folder: Path) -> Sequence[Path]:
    """Shipped configs of every kind: runs of circuits and encoders, sweeps, and trainings."""
    from sims.config.shipped import shipped

    paths = []
    for name in SHIPPED:
        paths.append(folder / f"{name}.yaml")
        paths[-1].write_bytes(shipped()[name].read_bytes())
    return paths


def check(mutant: Path, original: Path) -> str:
    """Check it and no more."""
    ember("check", str(mutant))
    return ""


KINDS = (
    Kind(
        name="shipped-config",
        make=make_shipped,
        mutate=damage_yaml,
        task="tests.fuzz.fuzz_configs:check",
        count=1000,
        sample=2,
        preload=RUNS,
        undamaged=1,
    ),
    Kind(
        name="config",
        make=make,
        mutate=damage_yaml,
        task="tests.fuzz.fuzz_configs:task",
        count=2000,
        sample=10,
        preload=RUNS,
    ),
)
