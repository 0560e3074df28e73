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

path = Path(__file__).with_name("izhikevich.yaml")
print(path.read_text())

# %%
# It runs: ``ember run examples/izhikevich.yaml`` does the same.
recording = run_experiment(load(path)).recording
print(recording.spikes["cells"])

# %%
# With a term whose units are wrong it is refused, and the line and the term are named.
with tempfile.TemporaryDirectory() as folder:
    wrong = Path(folder) / "wrong.yaml"
    wrong.write_text(path.read_text().replace("- u + I) / C", "- u + I + v_t) / C"))
    try:
        run_experiment(load(wrong))
    except EmberError as error:
        print(str(error).replace(folder, "…"))

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
