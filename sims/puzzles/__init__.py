"""Puzzle sets: made here or read, written in the public `.npy` layout, and met epoch by epoch.

- `puzzle_set`: a set as a trainer is given it; `epochs`: in which order its puzzles are met
- `npy_layout`, `npy_writer`: the public layout, read and written
- `sudoku_set`: boards with one solution, graded and held out; `sudoku_grid`, `sudoku_solve`,
  `sudoku_symmetry` what they are made with
- `maze_set`: mazes with long shortest paths; `maze_path` judges answers
- `arc_set`: ARC-AGI as the public builder makes it; `arc_tasks` reads, `arc_augment` turns and
  recolours, and undoes it
- `division`: what is kept, and for which split; `dihedral`: the symmetries of a square
- `voting`, `scoring`: one answer out of many, and what it is worth
"""

from __future__ import annotations
