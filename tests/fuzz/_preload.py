"""What a server imports before it forks; few sets, as each is a process that takes seconds."""

from __future__ import annotations

__all__ = ["FILES", "RUNS", "TORCH"]

FILES = (
    "neuro.errors",
    "neuro.nir",
    "neuro.nir.read",
    "sims.dataset.items",
    "sims.puzzles.npy_layout",
    "sims.store.checkpoint",
    "tests.fuzz.fuzz_hdf5",
)
RUNS = (
    "sims.cli",
    "neuro.errors",
    "sims.long_run",
    "sims.assembly",
    "sims.terminal.check",
    "sims.terminal.run_command",
    "neuro.backends.numba.engine",
    "neuro.equations.brian_compiler",
    "sims.store.run_file",
    "sims.store.sketch",
    "sims.store.exports",
    "sims.report.write",
    "matplotlib.pyplot",
    "tests.fuzz.fuzz_hdf5",
    "tests.fuzz._warm",
)
TORCH = (
    "neuro.errors",
    "torch",
    "safetensors.torch",
    "bridges.language.tokens",
    "bridges.language._tensor_files",
    "sims.train.loop.checkpoint",
)
