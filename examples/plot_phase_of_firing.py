"""
How strongly, told by when
==========================

Sixty cells share a theta oscillation and each has a drive of its own. The more strongly a cell is
driven, the earlier in the cycle it fires its first spike (McLelland & Paulsen 2009, J Physiol
587:769): the phase carries the drive, cycle after cycle.
"""

import matplotlib.pyplot as plt
import numpy as np

from circuits import assemble
from circuits.oscillation import phase_code
from neuro import simulate

THETA_HZ, DURATION_MS = 5, 2000

circuit = phase_code()
recording = simulate(assemble("phase", [circuit]), duration_ms=DURATION_MS)
spikes = recording.spikes["phase"]
drive_pa = circuit.populations[0].coordinates["drive_pA"]

# %%
# Cycles are counted from trough to trough, so that the peak of theta is phase 0. The first spike
# of each cell in each cycle carries the code; the start, while the cells settle, is left out.
cycles = spikes.times_ms * THETA_HZ / 1000 + 0.5
keep = cycles >= 2.0
cell, cycle = spikes.units[keep], np.floor(cycles[keep]).astype(int)
phase_deg = 360 * (cycles[keep] - cycle) - 180
_, first = np.unique(cell * 1000 + cycle, return_index=True)

figure, (raster, code) = plt.subplots(
    1, 2, figsize=(7.2, 3.0), layout="constrained", width_ratios=[3, 2]
)
raster.scatter(spikes.times_ms, drive_pa[spikes.units], s=2, color="#0072B2", linewidths=0)
for peak_ms in np.arange(0, DURATION_MS, 1000 / THETA_HZ):
    raster.axvline(peak_ms, color="#dcdce0", linewidth=0.8, zorder=0)
raster.set(xlabel="time (ms); lines: peaks of theta", ylabel="drive (pA)", xlim=(400, DURATION_MS))
code.scatter(drive_pa[cell[first]], phase_deg[first], s=4, color="#D55E00", linewidths=0)
code.set(xlabel="drive (pA)", ylabel="phase of first spike (°)", ylim=(-180, 180))
code.set_yticks([-180, -90, 0, 90, 180])
plt.show()
