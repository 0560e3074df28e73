"""
A dose–response curve, point by point
=====================================

``ember sweep`` runs many configs on many workers and keeps each result on disk. What it does for
one point is this: a config, one key changed, a run, a few numbers.
"""

import matplotlib.pyplot as plt

from sims.config import load
from sims.run import run_experiment

DOSES_NM = [0, 50, 100, 200, 400]  # noradrenaline released when every cell spikes once
AFTER_CRY_MS = (1000, 1400)

rates_hz, peaks_nm, budgets = [], [], []
for dose in DOSES_NM:
    config = load(
        "startle",
        [
            "duration=1.4 s",
            "stimulus.heat.onset=1.3 s",
            f"modulation.noradrenaline.per_spike={dose} nM",
        ],
    )
    recording = run_experiment(config).recording
    peaks_nm.append(recording.modulators["noradrenaline"].values.max())
    budgets.append(recording.factors["reasoner.budget"].values.min())
    rates_hz.append(recording.spikes["bushy"].between(*AFTER_CRY_MS).rate_hz)

# %%
# The concentration follows the dose, the bushy cells hear the end of the cry louder, and the
# reasoner is given less to think with.
figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.4), layout="constrained")
for axis, values, label in (
    (axes[0], peaks_nm, "peak noradrenaline (nM)"),
    (axes[1], rates_hz, "bushy rate, 1.0–1.4 s (Hz)"),
    (axes[2], budgets, "smallest factor on budget"),
):
    axis.plot(DOSES_NM, values, marker="o", color="#0072B2")
    axis.set(xlabel="per spike (nM)", ylabel=label)
    axis.spines[["top", "right"]].set_visible(False)
plt.show()
