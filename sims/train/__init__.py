"""Training recursive reasoners, on spikes and on puzzles, by one trainer.

- `session`: one training from beginning to end, whatever it learns: its folder, its course, how
  it is stopped and gone on with, what is shown of it
- `loop`: a model in training, step by step: optimizer, learning rate, checkpoints, processes
- `puzzles`: what a training on puzzles learns from, and what comes of it
- `spikes`: the same for spike data sets, with the controls beside each model
- `speech`: a spiking network that learns speech, and its controls
- `statistics`: accuracies and their intervals
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuro.errors import ConfigError
from neuro.files.home import expanded

if TYPE_CHECKING:
    from rich.console import Console

    from sims.config import Loaded

__all__ = ["load_model", "run_training"]


def run_training(
    loaded: Loaded,
    out: str | Path | None = None,
    *,
    console: Console,
    allow_version_change: bool = False,
) -> int:
    """Train what a config says, in a folder; go on if it holds the same training, stopped.

    Args:
        loaded: A config of kind `train`.
        out: The training's folder; by default the config's `output.folder`, or `runs/NAME`.
        console: Where progress and outcome are shown.
        allow_version_change: Whether it may continue under another version of Ember or of a package
            than it was begun with; the result lists both.

    Returns:
        Exit status: 0, or 130 after ctrl-C or 143 after SIGTERM, when all that was done is kept.

    Raises:
        ConfigError: if the config is no training, two settings contradict, or PyTorch, a GPU, a
            program or a recording that it needs is missing.
        StoreError: if the folder holds something else, or a training of another config or version,
            another training is at work in it, or a file is damaged or cannot be written.
        TrainingError: if a number is not finite.
    """
    if loaded.kind != "train":
        raise ConfigError(
            f"`ember train` needs a config with the key `reasoner`, found a {loaded.kind} in "
            f"`{loaded.path}`; see `ember list configs`"
        )
    try:
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"training needs {error.name}, which is not installed; install Ember with its "
            "`train` extra: ember-neuro[train]"
        ) from None
    from sims.config.puzzles import PuzzleTrainConfig
    from sims.config.shipped import called
    from sims.store.home import text_without_home
    from sims.train.session.run import run_session
    from sims.train.session.task import Task

    config = loaded.config
    about = {
        "config": loaded.resolved,
        "config_hash": loaded.hash,
        "config_text": text_without_home(loaded.text),
        # A folder can be moved to another machine, so nothing in it says where things lay.
        "config_path": called(loaded.path),
        "overrides": [text for text in loaded.overrides if not text.startswith("output")],
    }
    folder = expanded(out or config.output.folder or Path("runs") / config.name)
    if isinstance(config, PuzzleTrainConfig):
        from sims.train.puzzles.task import PuzzleTask

        task: Task = PuzzleTask(config)
    else:
        from sims.train.spikes.task import SpikeTask

        task = SpikeTask(config)
    return run_session(task, about, folder, console, allow_version_change=allow_version_change)


def load_model(path: str | Path) -> Any:
    """Read a model that a training left, `model.safetensors` for instance.

    Returns:
        A `sims.train.spikes.model.TrainedModel`, or a `sims.train.puzzles.model.PuzzleModel`.

    Raises:
        StoreError: if the file is missing, truncated or no model of Ember.
    """
    from sims.train.loop.checkpoint import read_tensors

    file = Path(path)
    tensors, header = read_tensors(
        file, kind="model", advice="give the file that a training left, `model.safetensors`"
    )
    if "task" in header:
        from sims.train.puzzles.model import read_puzzle_model

        return read_puzzle_model(file, tensors, header)
    from sims.train.spikes.model import read_spike_model

    return read_spike_model(file, tensors, header)
