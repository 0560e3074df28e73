"""
Bushy cells keep time better than the nerve
===========================================

A 500 Hz tone reaches the ear. Fibres of the auditory nerve fire around one phase of the tone;
spherical bushy cells, which need two of their few inputs to agree within a fraction of a
millisecond, fire in a narrower part of the cycle (Joris et al. 1994, J Neurophysiol 71:1022).
"""

import matplotlib.pyplot as plt
import numpy as np

from circuits import Port, assemble
from circuits.auditory import spherical_bushy
from encoders.cochlea.nerve import auditory_nerve_spikes, fibre_classes
from neuro import simulate
from neuro.measures import circular_mean, phases, vector_strength
from neuro.network import Source
from neuro.signal import Signal

TONE_HZ, DURATION_MS = 500, 1000

# %%
# A tone of 50 dB SPL, in Pa, and what sixty fibres of one place on the cochlea answer.
time_s = np.arange(0, DURATION_MS / 1000, 1 / 40_000)
pressure_pa = 2e-5 * 10 ** (50 / 20) * np.sqrt(2) * np.sin(2 * np.pi * TONE_HZ * time_s)
nerve = auditory_nerve_spikes(
    Signal(pressure_pa, dt_ms=1 / 40, unit="Pa"),
    cfs_hz=np.array([TONE_HZ]),
    seed=1,
    classes=fibre_classes(60, "high"),
)

# %%
# The circuit is wired to the nerve and run.
source = Source("nerve", nerve.spikes, {"cf_hz": nerve.cf_hz})
circuit = spherical_bushy(Port.of(source), n_cells=60)
network = assemble("synchrony", [circuit], sources=[source])
recording = simulate(network, duration_ms=DURATION_MS, dt_ms=0.05, seed=1)
print(recording.spikes)

# %%
# Spikes by their place in the tone's cycle, after the onset and around their mean phase. Vector
# strength is 1 if all spikes share one phase, 0 if they are spread evenly.
figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.6), sharey=True, layout="constrained")
for axis, name in zip(axes, ["nerve", "bushy"], strict=True):
    late = recording.spikes[name].between(50, DURATION_MS)
    angles = phases(late, TONE_HZ) - circular_mean(phases(late, TONE_HZ))
    turns = np.mod(angles / (2 * np.pi) + 0.5, 1) - 0.5
    axis.hist(turns, bins=np.linspace(-0.5, 0.5, 21), density=True, color="#0072B2")
    strength = vector_strength(late, TONE_HZ)
    axis.set(title=f"{name}: vector strength {strength:.2f}", xlabel="phase (cycles)")
axes[0].set_ylabel("spikes (density)")
plt.show()
