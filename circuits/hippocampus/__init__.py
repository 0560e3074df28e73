"""Cells that know where, how far and how long ago: place, grid and time cells."""

from __future__ import annotations

from circuits.hippocampus.grid_cells import grid_cells
from circuits.hippocampus.place_cells import place_cells
from circuits.hippocampus.time_cells import time_cells

__all__ = ["grid_cells", "place_cells", "time_cells"]
