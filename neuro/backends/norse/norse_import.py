"""The one place that imports Norse, without its warning that `torch.jit.script` will go."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

__all__ = ["norse"]


def norse() -> Any:
    """The package `norse.torch`, imported when first asked for."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=r"`torch\.jit\.script", category=DeprecationWarning
        )
        return importlib.import_module("norse.torch")
