"""The learning curve for TensorBoard, for those who ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from neuro.errors import ConfigError
from sims.train.session.folder import TrainingFolder

__all__ = ["Board"]


class Board:
    """Writes points of the curve into `tensorboard` in a training's folder.

    Args:
        wanted: Whether it is asked for; otherwise nothing is written, and nothing imported.
        step: Where the training goes on; what was written of later steps is struck out.
        arm: Which of several models.

    Raises:
        ConfigError: if it is asked for and not installed.
    """

    def __init__(self, folder: TrainingFolder, wanted: bool, step: int = 0, arm: str = "") -> None:
        self._writer: Any = None
        if not wanted:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ConfigError(
                "output.tensorboard: expected the package tensorboard, which is not installed; "
                "install Ember with its `tensorboard` extra, ember-neuro[tensorboard], or leave "
                "it out: the curve is in log.jsonl too"
            ) from None
        path = folder.path / "tensorboard" / arm
        self._writer = SummaryWriter(str(path), purge_step=step + 1)

    def write(self, point: Mapping[str, float]) -> None:
        """One point: every number of it against its `step`."""
        if self._writer is None:
            return
        for name, value in point.items():
            if name != "step":
                self._writer.add_scalar(name, value, int(point["step"]))

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()
