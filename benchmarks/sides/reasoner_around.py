"""What a training does around its steps: loading batches, saving everything, going on from it.

Through the trainer's own code: a set of Sudoku boards in memory and a source that draws from it;
a checkpoint of model, average, both moments of AdamW, slots and counters.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _side import side

sys.path.insert(0, str(Path(__file__).parents[2]))

from bridges.reasoning.reasoner import build, parameter_count
from bridges.reasoning.settings import HRM
from sims.config.training import TrainingSpec
from sims.puzzles.puzzle_set import PuzzleFormat, PuzzleSplit
from sims.train.loop.checkpoint import read_tensors, write_tensors
from sims.train.loop.trainer import Trainer
from sims.train.puzzles.source import PuzzleSource

DRAWS = 200


def around(
    *, batch: int, hidden: int, layers: int, boards: int, threads: int, repeats: int
) -> dict[str, Any]:
    """Seconds of loading a batch, of saving and of resuming; parameters and bytes of the file."""
    torch.set_num_threads(threads)
    source = _source(boards)
    load_s = []
    for step in range(DRAWS):
        begun = time.perf_counter()
        source.batch(source.draw(batch), step)
        load_s.append(time.perf_counter() - begun)
    settings = dataclasses.replace(HRM, hidden=hidden, layers=layers)
    spec = TrainingSpec(batch=batch, threads=threads)
    trainer = Trainer(build(settings), source, spec, seed=0)
    trainer.advance()  # so that the optimizer has its moments
    other = Trainer(build(settings, seed=1), _source(boards), spec, seed=0)
    save_s, resume_s = [], []
    with tempfile.TemporaryDirectory(prefix="ember-benchmark-") as folder:
        path = Path(folder) / "checkpoint.safetensors"
        for _ in range(repeats):
            begun = time.perf_counter()
            tensors, state = trainer.state()
            write_tensors(path, tensors, {"state": state}, kind="checkpoint")
            save_s.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            read, header = read_tensors(path, kind="checkpoint")
            other.restore(read, header["state"])
            resume_s.append(time.perf_counter() - begun)
        size = path.stat().st_size
    there = other.state()[0]
    same = sum(torch.equal(part, there[name]) for name, part in trainer.state()[0].items())
    return {
        "load_s": load_s, "load_median_s": statistics.median(load_s), "load_most_s": max(load_s),
        "save_s": save_s, "resume_s": resume_s, "bytes": size,
        "parameters": parameter_count(trainer.model), "tensors": len(tensors), "same": same,
    }  # fmt: skip


def _source(boards: int) -> PuzzleSource:
    """Boards of random symbols, one a group, each in an epoch once."""
    draw = np.random.default_rng(1)
    each = np.arange(boards + 1)
    split = PuzzleSplit(
        draw.integers(1, 11, (boards, 81)).astype(np.uint8),
        draw.integers(2, 11, (boards, 81)).astype(np.uint8),
        np.zeros(boards, np.int32), each, each,
    )  # fmt: skip
    return PuzzleSource(split, PuzzleFormat("sudoku", 9, 9, 11, box=(3, 3)), seed=0)


if __name__ == "__main__":
    side(around)
