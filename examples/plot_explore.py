"""
An animal explores: grid, place and time
========================================

A rat's walk through an arena of one square metre drives grid cells, whose fields lie on a
hexagonal lattice, and place cells, which fire in one place. The phase of a place cell's spikes
within theta falls as the animal crosses its field (O'Keefe & Recce 1993).
"""

import matplotlib.pyplot as plt
import numpy as np

from circuits import assemble
from circuits.hippocampus import grid_cells, place_cells
from encoders import arena_path
from neuro import simulate
from neuro.measures import autocorrelogram, gridness, positions_at, rate_map

MINUTES = 8
path = arena_path(duration_ms=MINUTES * 60_000, seed=2)
x, y = path.signals["x"], path.signals["y"]

circuits = [
    grid_cells(x, y, n_modules=1, cells_per_module=2),
    place_cells(x, y, path.signals["heading"], n_cells=20),
]
recording = simulate(assemble("explore", circuits), duration_ms=MINUTES * 60_000, dt_ms=1.0, seed=2)
print(recording.spikes)

# %%
# Two grid cells, the spatial autocorrelogram of the first, and the place cell that fired most.
grid, place = recording.spikes["grid"], recording.spikes["place"]
busiest = int(place.counts().argmax())


def field(times_ms):
    return rate_map(times_ms, x.values, y.values, dt_ms=x.dt_ms, width_m=1.0)


figure, axes = plt.subplots(1, 4, figsize=(7.2, 2.1), layout="constrained")
cells = [("grid cell 0", grid.of(0)), ("grid cell 1", grid.of(1))]
cells.append((f"place cell {busiest}", place.of(busiest)))
for axis, (name, times_ms) in zip(axes[[0, 1, 3]], cells, strict=True):
    where_x, where_y = positions_at(times_ms, x.values, y.values, dt_ms=x.dt_ms)
    axis.plot(x.values[::10], y.values[::10], color="#dcdce0", linewidth=0.3)
    axis.scatter(where_x, where_y, s=1, color="#D55E00", linewidths=0)
    axis.set_title(f"{name}\npeak {np.nanmax(field(times_ms).rate_hz):.0f} Hz", fontsize=8)
rates_hz = field(grid.of(0)).rate_hz
axes[2].imshow(autocorrelogram(rates_hz), cmap="magma", origin="lower")
axes[2].set_title(f"autocorrelogram of 0\ngridness {gridness(rates_hz):.2f}", fontsize=8)
for axis in axes:
    axis.set(xticks=[], yticks=[], aspect="equal")
plt.show()
