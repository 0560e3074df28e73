"""Learning to solve puzzles.

- `task`: what a training on puzzles does in a session
- `data`: the puzzles, made on first use, and which of them choose and test; `source`: as tensors
- `measure`: how many are solved; `arc_vote`: ARC's own score
- `model`: a finished reasoner in a file; `results`: what is written of a training
"""
