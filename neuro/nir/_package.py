"""The package `nir`, which graphs for other tools are made with; reading files does without."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from neuro.nir.errors import NirError

__all__ = ["nir_package"]


def nir_package() -> Any:
    """The package.

    Raises:
        NirError: if it is not installed, saying how to get it.
    """
    try:
        return import_module("nir")
    except ImportError:
        raise NirError(
            "a NIR graph is made with the package `nir`, which is not installed; "
            "pip install 'ember-neuro[nir]'"
        ) from None
