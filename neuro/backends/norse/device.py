"""Where tensors live, by name."""

from __future__ import annotations

import torch

from neuro.errors import ConfigError

__all__ = ["device_named"]


def device_named(name: str | torch.device) -> torch.device:
    """`cpu`, `cuda`, or one card as `cuda:1`.

    Raises:
        ConfigError: if there is no such device here.
    """
    text = str(name)
    kind, _, number = text.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()):
        raise ConfigError(f"device must be cpu, cuda or cuda:N, found `{text}`")
    if kind == "cuda":
        cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if not cards:
            raise ConfigError(
                f"device `{text}` must be there, found no CUDA device for PyTorch "
                f"{torch.__version__}; use device cpu"
            )
        if number and int(number) >= cards:
            raise ConfigError(
                f"device `{text}` must be there, found {cards} CUDA device(s), from cuda:0 on"
            )
    return torch.device(text)
