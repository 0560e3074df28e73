"""The microcircuit of Potjans & Diesmann 2014 in NEST, from the published tables alone.

Written apart from Ember's own circuit on purpose: the two share no line, so that an error in
either shows in the rates.
"""

from __future__ import annotations

import math
import os
import time
from typing import Any

os.environ.setdefault("PYNEST_QUIET", "1")

import nest
import numpy as np
from _side import side

# Potjans & Diesmann 2014, Cereb Cortex 24:785, tables 4 and 5.
NAMES = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
CELLS = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
EXTERNAL = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)  # inputs of 8 Hz a cell
PROBABILITY = (  # rows: targets; columns: sources
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443),
)
# van Albada et al. 2018, Front Neuroinform 12:291: start values near the working point …
V0 = ((-68.28, 5.36), (-63.16, 4.57), (-63.33, 4.74), (-63.45, 4.94),
      (-63.11, 4.94), (-61.66, 4.55), (-66.72, 5.46), (-61.43, 4.48))  # fmt: skip
# … and the rates at full scale, which say how much input a smaller network misses.
FULL_RATES = (0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829)
WEIGHT, INHIBITION, SPREAD = 87.81, -4.0, 0.1  # pA for 0.15 mV; times; of the mean
DELAYS, DELAY_SPREAD = (1.5, 0.75), 0.5  # ms from excitatory, inhibitory; of the mean
TAU_SYN, RATE_EXTERNAL = 0.5, 8.0
CELL = {
    "C_m": 250.0, "tau_m": 10.0, "tau_syn_ex": TAU_SYN, "tau_syn_in": TAU_SYN, "t_ref": 2.0,
    "E_L": -65.0, "V_reset": -65.0, "V_th": -50.0,
}  # fmt: skip


def weight(target: int, source: int) -> float:
    """Mean weight at full scale; layer 4's excitation of layer 2/3 is doubled."""
    if source % 2:
        return INHIBITION * WEIGHT
    return 2 * WEIGHT if (target, source) == (0, 2) else WEIGHT


def synapses(target: int, source: int) -> float:
    """Number of synapses of a projection at full scale; pairs may be joined more than once."""
    pairs = CELLS[target] * CELLS[source]
    return math.log1p(-PROBABILITY[target][source]) / math.log1p(-1 / pairs)


def missing_input(target: int, scale: float) -> float:
    """Current (pA) that keeps the mean input when `scale` of the inputs are left.

    Weights grow by 1/sqrt(scale), which keeps the variance; of the mean, sqrt(scale) is left.
    """
    recurrent = sum(
        weight(target, source) * synapses(target, source) / CELLS[target] * FULL_RATES[source]
        for source in range(8)
    )
    mean = 1e-3 * TAU_SYN * (recurrent + WEIGHT * EXTERNAL[target] * RATE_EXTERNAL)
    return (1 - math.sqrt(scale)) * mean


def microcircuit(
    *,
    scale: float = 1.0,
    threads: int = 2,
    seconds: float = 1.0,
    settle_s: float = 0.1,
    seed: int = 1,
    input: str = "poisson",
) -> dict[str, Any]:
    """Rates (Hz) after `settle_s`, and what building and simulating took.

    `cells_with` says of each population how many cells gave 0, 1, 2 … spikes after `settle_s`.

    `seconds` is the whole simulated time, `settle_s` included. `dc` replaces the Poisson input
    by its mean.
    """
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.SetKernelStatus({"resolution": 0.1, "local_num_threads": threads, "rng_seed": seed,
                          "print_time": False, "overwrite_files": True})  # fmt: skip
    started = time.perf_counter()
    grow = 1 / math.sqrt(scale)
    populations, recorders, inputs = [], [], []
    for k in range(8):
        dc = missing_input(k, scale)
        if input == "dc":
            dc += 1e-3 * TAU_SYN * grow * WEIGHT * RATE_EXTERNAL * round(EXTERNAL[k] * scale)
        mean, sd = V0[k]
        cells = nest.Create("iaf_psc_exp", round(CELLS[k] * scale), {**CELL, "I_e": dc})
        cells.V_m = nest.random.normal(mean, sd)
        populations.append(cells)
        # NEST keeps at most 134,217,726 synapses of one model a thread.
        nest.CopyModel("static_synapse", f"to_{NAMES[k]}")
    # Devices among the cells would make NEST search for every cell: building took 15 times longer.
    for k in range(8):
        recorders.append(nest.Create("spike_recorder"))
        if input == "poisson":
            arrivals = round(EXTERNAL[k] * scale) * RATE_EXTERNAL
            inputs.append(nest.Create("poisson_generator", 1, {"rate": arrivals}))
    for cells, recorder in zip(populations, recorders, strict=True):
        nest.Connect(cells, recorder)
    for noise, cells in zip(inputs, populations if inputs else (), strict=True):
        nest.Connect(noise, cells, "all_to_all",
                     {"weight": WEIGHT * grow, "delay": DELAYS[0]})  # fmt: skip
    drawn = 0
    for target in range(8):
        for source in range(8):
            n = round(synapses(target, source) * scale * scale)
            if n == 0:
                continue
            drawn += n
            mean, delay = weight(target, source) * grow, DELAYS[source % 2]
            strength = nest.random.normal(mean, abs(mean) * SPREAD)
            low, high = (0.0, np.inf) if mean > 0 else (-np.inf, 0.0)
            nest.Connect(
                populations[source],
                populations[target],
                {"rule": "fixed_total_number", "N": n},
                {
                    "synapse_model": f"to_{NAMES[target]}",
                    "weight": nest.math.redraw(strength, min=low, max=high),
                    # Rounded to the grid by NEST, so that half a step becomes one.
                    "delay": nest.math.redraw(
                        nest.random.normal(delay, delay * DELAY_SPREAD), min=0.05, max=np.inf
                    ),
                },
            )
    nest.Prepare()
    built = time.perf_counter()
    nest.Run(1000.0 * seconds)
    done = time.perf_counter()
    nest.Cleanup()
    rates, counts, cells_with, spikes = {}, {}, {}, 0
    for name, cells, recorder in zip(NAMES, populations, recorders, strict=True):
        times = recorder.events["times"]
        spikes += times.size
        senders = recorder.events["senders"][times > 1000.0 * settle_s]
        counts[name] = int(senders.size)
        fired = np.bincount(senders - cells[0].global_id, minlength=len(cells))
        cells_with[name] = np.bincount(fired).tolist()
        rates[name] = counts[name] / (len(cells) * (seconds - settle_s))
    return {
        "build_s": built - started, "run_s": done - built, "seconds": seconds, "rates": rates,
        "counts": counts, "cells_with": cells_with, "spikes": spikes, "synapses": drawn,
        "cells": sum(map(len, populations)), "version": nest.__version__,
    }  # fmt: skip


if __name__ == "__main__":
    side(microcircuit)
