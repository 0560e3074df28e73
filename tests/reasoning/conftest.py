"""A training small enough to be done many times."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from sims.config import load
from sims.train import run_training

TINY = """
name: tiny
seed: 3
data:
  source: voices
  speakers: 6
  validation: 2
  held_out: 3
  duration: 100 ms
  nerve: {n_channels: 3, fibres_per_channel: 4}
features: {bin: 50 ms, phase_parts: 3}
reasoner: {hidden: 16, rounds: 2, latent_steps: 1, budget: 3}
training: {steps: 40, batch: 6, evaluate_every: 8, checkpoint_every: 5, noise: 0.2}
evaluation: {budget_factors: [0.3, 1.0], permutations: 2}
"""

Train = Callable[..., tuple[int, str]]


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the spikes of all trainings of the session are kept."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def train(tiny_config: Path, cache: Path) -> Train:
    """Run a training; gives the exit status and what was said."""

    def run(out: Path, *overrides: str) -> tuple[int, str]:
        console = Console(file=io.StringIO(), width=200)
        loaded = load(tiny_config, (f"output.cache={cache}", *overrides))
        status = run_training(loaded, out, console=console)
        assert isinstance(console.file, io.StringIO)
        return status, console.file.getvalue()

    return run


@pytest.fixture(scope="session")
def undisturbed(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training."""
    out = tmp_path_factory.mktemp("undisturbed") / "training"
    status, _ = train(out)
    assert status == 0
    return out
