"""Where configs are found: a path, or the name of one that comes with Ember."""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path

from neuro.errors import ConfigError, nearest
from neuro.files.home import expanded

__all__ = ["RUN_FILE_SUFFIXES", "called", "find", "shipped", "summary"]

RUN_FILE_SUFFIXES = (".h5", ".hdf5")
"""Endings of run files, which hold the config they came from."""


def shipped() -> dict[str, Path]:
    """Every config that comes with Ember, by name."""
    folder = Path(str(files("configs")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find(config: str | os.PathLike[str], folder: Path | None = None) -> Path:
    """The file meant by a path (from `folder`, or here) or by the name of a shipped config.

    Raises:
        ConfigError: if there is none; the text names the nearest shipped config.
    """
    given = os.fspath(config)
    path = expanded(given, ConfigError)
    here = path if folder is None else folder / path
    if here.is_file():
        return here
    known = shipped()
    if given in known:
        return known[given]
    if here.is_dir():
        raise ConfigError(
            f"`{given}` is a folder: expected a config file, or the name of a shipped one"
        )
    if path.stem in known and path.suffix in (".yaml", ".yml"):
        raise ConfigError(
            f"no file `{given}`; the shipped config of that name is called by its name alone: "
            f"`{path.stem}`"
        )
    hint = nearest(path.stem, known) if path.suffix not in RUN_FILE_SUFFIXES else ""
    raise ConfigError(f"no file `{given}`, nor a shipped config of that name{hint} "
                      f"(see `ember list configs`)")  # fmt: skip


def called(path: str | os.PathLike[str]) -> str:
    """The name of a shipped config, else the name of its file, without where it lies."""
    found = Path(path)
    return found.stem if shipped().get(found.stem) == found else found.name


def summary(path: Path) -> str:
    """What a config is about: the first sentence of the comment it begins with."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.removeprefix("#").strip()
        if not line.startswith("#") or (words and not text):
            break
        words.append(text)
    comment = " ".join(words)
    sentence = re.match(r".*?[.?!:](?=\s|$)", comment)
    return sentence[0].rstrip(":") if sentence else comment
