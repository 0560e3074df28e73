"""Puzzle sets: made here or read, written in the public `.npy` layout, and met epoch by epoch.

- `puzzle_set`: a set as a trainer is given it; `epochs`: in which order its puzzles are met
"""

from __future__ import annotations
