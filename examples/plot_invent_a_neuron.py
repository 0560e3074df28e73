"""
A neuron invented in YAML
=========================

A config may hold equations. Every term's units are checked before anything runs, and then the
cell runs like any other, on every back end.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from neuro.errors import EmberError
from sims.config import load
from sims.run import run_experiment

CONFIG = """
# A neuron invented in this file: Izhikevich's, in the form that keeps its units.
name: izhikevich
duration: 500 ms
circuits:
  mine:
    populations:
      cells:
        n: 40
        # Izhikevich 2007, Dynamical Systems in Neuroscience, chapter 8: regular spiking.
        equations: |
          dv/dt = (k*(v - v_r)*(v - v_t) - u + I) / C : volt
          du/dt = a*(b*(v - v_r) - u)                 : amp
        threshold: v > v_peak
        reset: v = c; u += d
        parameters:
          C: 100 pF
          k: 0.7 nS/mV
          v_r: -60 mV
          v_t: -40 mV
          v_peak: 35 mV
          a: 0.03/ms
          b: -2 nS
          c: -50 mV
          d: 100 pA
          I_ext: {uniform: {low: 60 pA, high: 250 pA}}  # each cell its own
        initial: {v: v_r}
record:
  traces:
    - {population: cells, variable: v, cells: [0], every: 0.2 ms}
"""

# %%
# Saved as a file it runs; ``ember run izhikevich.yaml`` would do the same.
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "izhikevich.yaml"
path.write_text(CONFIG, encoding="utf-8")
recording = run_experiment(load(path)).recording
print(recording.spikes["cells"])

# %%
# With a term whose units are wrong it is refused, and the line and the term are named.
path.write_text(CONFIG.replace("- u + I) / C", "- u + I + v_t) / C"), encoding="utf-8")
try:
    run_experiment(load(path))
except EmberError as error:
    print(str(error).replace(folder.name, "…"))
folder.cleanup()

# %%
# The membrane potential of one cell, and the spikes of all, each with its own drive.
trace = recording.traces["cells.v"]
spikes = recording.spikes["cells"]
figure, (potential, raster) = plt.subplots(
    2, 1, figsize=(7.2, 4.0), sharex=True, layout="constrained"
)
potential.plot(trace.times_ms, trace.data[:, 0], linewidth=0.8, color="#0072B2")
potential.set_ylabel("cell 0 (mV)")
raster.scatter(spikes.times_ms, spikes.units, s=3, color="#1c1c22", linewidths=0)
raster.set(xlabel="time (ms)", ylabel="cell", xlim=(0, recording.duration_ms))
plt.show()
