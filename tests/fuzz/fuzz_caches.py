"""Damaged files of the cache: each is made again, and the spikes are those without a cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz._harness import Kind
from tests.fuzz._mutate import damage_bytes
from tests.fuzz._preload import RUNS
from tests.fuzz._server import ember

CONFIG = """\
name: cached
seed: 2
duration: 30 ms
circuits:
  net:
    populations:
      a:
        n: 5
        equations: "dv/dt = (E_L - v + R*I)/tau : volt"
        threshold: v > V_t
        reset: v = E_L
        parameters: {E_L: -70 mV, R: 100 Mohm, tau: 10 ms, V_t: -50 mV, I_ext: 300 pA}
        initial: {v: {uniform: {low: -70 mV, high: -50 mV}}}
    projections:
      - from: a
        to: a
        synapse:
          edges: "dx/dt = -x/tau_x : 1 (event-driven)"
          on_pre: v += w*x; x += 1
          parameters: {tau_x: 20 ms}
        rule: {fixed_total: {n: 9}}
        weight: 0.5 mV
        delay: 1 ms
"""


def make(folder: Path) -> Sequence[Path]:
    """Every file of the cache of one run with a written model, a synapse with a state, and code."""
    from sims.config import load
    from sims.long_run import run_to_file

    (folder / "cached.yaml").write_text(CONFIG, encoding="utf-8")
    cache = folder / "cache"
    os.environ["EMBER_CACHE"] = str(cache)
    run_to_file(load(folder / "cached.yaml"), folder / "right.h5")
    files = sorted(cache.iterdir())
    kinds = {file.name.split("-")[0] for file in files}
    assert kinds == {"checked", "code", "edge", "kernel", "step"}, kinds
    return files


def task(mutant: Path, original: Path) -> str:
    """Run with the damaged file in place of the sound one."""
    folder = original.parents[1]
    shutil.copytree(original.parent, "cache")
    shutil.copyfile(mutant, Path("cache", original.name))
    os.environ["EMBER_CACHE"] = str(Path("cache").absolute())
    ember("run", str(folder / "cached.yaml"), "--out", "found.h5")
    from sims.store.compare import same_spikes

    same = same_spikes(folder / "right.h5", "found.h5")
    return "" if same else "other spikes than without a cache"


KINDS = (
    Kind(
        name="cache",
        make=make,
        mutate=damage_bytes,
        task="tests.fuzz.fuzz_caches:task",
        count=200,
        sample=3,
        preload=RUNS,
        undamaged=1,
    ),
)
