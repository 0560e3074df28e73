"""Training recursive reasoners, on spikes and on puzzles, by one trainer.

One training:

- `session`: from beginning to end, whatever it learns; `stage`: what is shown meanwhile
- `puzzle_task`, `spike_task`: what it learns
- `course`: its steps, its curve, its checkpoints; `folder`: its files, and whose they are
- `interrupt`: ctrl-C and SIGTERM between two steps; `tensorboard`: the curve elsewhere

The trainer:

- `trainer`: a model in training, `advance` and `state`; `processes`: several of them as one
- `source`: items, and as which tensors; `sampler`: the order of spikes; `trees`: rows of a carry
- `optimizer`, `atan2`: AdamW and AdamATan2; `schedule`: the learning rate
- `checkpoint`: all of a training's state in one file; `non_finite`: where numbers ended
- `device`: CPU or GPU

What goes in and what comes out:

- `puzzle_data`: puzzles made on first use; `tensors`: spike data sets as scaled tokens;
  `arms`: what each model of a comparison is denied
- `measure`, `arc_vote`: puzzles solved; `asked`: what a reasoner makes of spikes;
  `puzzle_results`, `results`: what is written of it; `statistics`: intervals
- `puzzle_model`, `model_file`: finished models, `load_model`
- `speech`: a spiking network that learns speech, and its controls
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuro.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from sims.config import Loaded

__all__ = ["load_model", "run_training"]


def run_training(loaded: Loaded, out: str | Path | None = None, *, console: Console) -> int:
    """Train what a config says, in a folder; go on if it holds the same training, stopped.

    Args:
        loaded: A config of kind `train`.
        out: The training's folder; by default the config's `output.folder`, or `runs/NAME`.
        console: Where progress and outcome are shown.

    Returns:
        Exit status: 0, or 130 after ctrl-C or 143 after SIGTERM, when all that was done is kept.

    Raises:
        ConfigError: if the config is no training, two settings contradict, or PyTorch, a GPU, a
            program or a recording that it needs is missing.
        StoreError: if the folder holds something else, or a training of another config, or a
            file is damaged or cannot be written.
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
    from sims.train.session import Task, run_session

    config = loaded.config
    about = {
        "config": loaded.resolved,
        "config_hash": loaded.hash,
        "config_text": loaded.text,
        # A folder can be moved to another machine, so nothing in it says where things lay.
        "config_path": _called(loaded.path),
        "overrides": [text for text in loaded.overrides if not text.startswith("output")],
    }
    folder = Path(out or config.output.folder or Path("runs") / config.name)
    if isinstance(config, PuzzleTrainConfig):
        from sims.train.puzzle_task import PuzzleTask

        task: Task = PuzzleTask(config)
    else:
        from sims.train.spike_task import SpikeTask

        task = SpikeTask(config)
    return run_session(task, about, folder, console)


def _called(path: str) -> str:
    """The name of a shipped config, else the name of its file."""
    from sims.config.shipped import shipped

    found = Path(path)
    return found.stem if shipped().get(found.stem) == found else found.name


def load_model(path: str | Path) -> Any:
    """Read a finished model; see `sims.train.model_file.load_model`."""
    from sims.train import model_file

    return model_file.load_model(path)
