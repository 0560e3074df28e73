"""What senses add to a model, in files of their own: `ember.json` and `ember.safetensors`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from bridges.language._llama_table import shown
from bridges.language._tensor_files import (
    MOST_JSON_BYTES,
    SENSE_WEIGHTS,
    SENSES,
    Stored,
    read_table,
    write_json,
    write_tensors,
)
from bridges.language.model import LanguageModel
from bridges.language.settings import REQUEST_ARGUMENTS, LanguageSettings, Sense
from neuro.errors import ConfigError, StoreError
from neuro.files.regular import read_text

__all__ = ["check_sense_table", "load_senses", "read_senses", "write_senses"]

_KINDS: dict[str, tuple[type, str]] = {
    "name": (str, "a word"),
    "width": (int, "a whole number"),
    "perceived": (bool, "true or false"),
}


def read_senses(folder: Path) -> tuple[Sense, ...] | None:
    """The senses of the model in the folder; None of a model of text alone.

    Raises:
        StoreError: if the file is not a list of senses, each with `name`, `width` and `perceived`
            and nothing else.
    """
    path = folder / SENSES
    if not path.exists():
        return None
    try:
        found = json.loads(read_text(path, MOST_JSON_BYTES))
    except StoreError:
        raise
    except (ValueError, RecursionError) as error:
        raise _unfit(path, " ".join(str(error).split())) from None
    if not isinstance(found, dict) or not isinstance(found.get("senses"), list):
        raise _unfit(path, "no list of them under `senses`")
    try:
        return tuple(_sense(path, row) for row in found["senses"])
    except ConfigError as error:
        raise _unfit(path, str(error)) from None


def check_sense_table(folder: Path, settings: LanguageSettings) -> dict[str, Stored]:
    """What the folder holds of the senses' weights, by our names, which it holds no more and no
    less of; nothing is read but the table.

    Raises:
        StoreError: if a weight is missing, unknown or of another shape.
    """
    path = folder / SENSE_WEIGHTS
    found, hidden = read_table(path), settings.hidden
    expected: dict[str, tuple[int, ...]] = {}
    for number, sense in enumerate(settings.senses):
        expected[f"senses.{number}.projection.weight"] = (hidden, sense.width)
        expected[f"senses.{number}.mark"] = (hidden,)
    if settings.senses:
        expected["request_head.weight"] = (1 + REQUEST_ARGUMENTS, hidden)
        expected["request_head.bias"] = (1 + REQUEST_ARGUMENTS,)
    for name, shape in expected.items():
        if name not in found or found[name].shape != shape:
            what = shown(found[name].shape) if name in found else "no such name"
            raise StoreError(f"`{path}`: `{name}` must be {shown(shape)}, found {what}")
    for name in found:
        if name not in expected:
            raise StoreError(
                f"`{path}` must hold what the senses in `{SENSES}` add and nothing else, found "
                f"`{name}`; the files are of different models"
            )
    return found


def load_senses(found: dict[str, Stored], model: LanguageModel) -> None:
    """Read the weights of a table that was checked into the model."""
    for name, part in _weights(model).items():
        found[name].into(part)


def write_senses(folder: Path, model: LanguageModel) -> None:
    """Write both files; the library's and the system's own errors go through."""
    write_tensors(folder / SENSE_WEIGHTS, _weights(model))
    write_json(folder / SENSES, {"senses": [asdict(sense) for sense in model.settings.senses]})


def _sense(path: Path, row: Any) -> Sense:
    if not isinstance(row, dict) or set(row) != set(_KINDS):
        raise _unfit(path, f"{json.dumps(row)[:60]}, where name, width and perceived should be")
    for key, (kind, word) in _KINDS.items():
        # Exactly: true is an int to Python, but no width.
        if type(row[key]) is not kind:
            raise _unfit(path, f"that `{key}` is {json.dumps(row[key])[:60]}, not {word}")
    return Sense(**row)


def _weights(model: LanguageModel) -> dict[str, Tensor]:
    return {
        name: part
        for name, part in model.named_parameters()
        if name.startswith(("senses.", "request_head."))
    }


def _unfit(path: Path, found: str) -> StoreError:
    return StoreError(f"`{path}` must list a model's senses, found {found}; fetch it again")
