"""The folder of one training: which config it belongs to, its checkpoints and its log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuro.errors import StoreError
from sims.store.atomic import naming, write_json, write_text

__all__ = ["TrainingFolder"]

_FORMAT = "ember-training"


class TrainingFolder:
    """Files of one training under `path`.

    - `training.json`: the config, its hash, versions: whose folder this is
    - `checkpoint.safetensors`, or one `checkpoint_<arm>.safetensors` a model: where it stands
    - `best.safetensors`: the averaged weights that were best by validation, where there is one
    - `log.jsonl`: one line an evaluation, in order of arm and step
    - `model.safetensors`, `model_<arm>.safetensors`: averaged weights of finished models
    - `curve.png`: the learning curve, where it is drawn
    - `result.json`: the outcome; its presence says that all is finished

    No file says where the folder lies, so it can be moved and gone on with elsewhere.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.claim_file = path / "training.json"
        self.log_file = path / "log.jsonl"
        self.best_file = path / "best.safetensors"
        self.model_file = path / "model.safetensors"
        self.curve_file = path / "curve.png"
        self.result_file = path / "result.json"

    def checkpoint_file(self, arm: str) -> Path:
        """Where the checkpoint of one model lies; the only one has no name."""
        return self.path / f"checkpoint{arm and '_'}{arm}.safetensors"

    def claim(self, identity: Mapping[str, Any]) -> bool:
        """Make the folder ours; True if it was already, from an earlier start.

        Args:
            identity: JSON-ready, with `config` (resolved) and whatever else decides the
                outcome; `about` is stored and not compared.

        Raises:
            StoreError: if the folder holds a training of another config, something else, or
                cannot be written.
        """
        if self.claim_file.is_file():
            self._refuse_other(identity)
            return True
        if self.path.is_dir() and any(
            entry for entry in self.path.iterdir() if not entry.name.startswith(".ember-")
        ):
            raise StoreError(
                f"`{self.path}` already exists and holds no training; give another folder"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot write `{self.path}`: {error.strerror or error}") from None
        write_json(self.claim_file, {"format": _FORMAT, **identity})
        return False

    def _refuse_other(self, identity: Mapping[str, Any]) -> None:
        try:
            before = json.loads(self.claim_file.read_text(encoding="utf-8"))
            if before["format"] != _FORMAT:
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError):
            raise StoreError(
                f"`{self.claim_file}` is not the start of a training; give another folder"
            ) from None
        ours = {key: value for key, value in identity.items() if key != "about"}
        theirs = {key: before.get(key) for key in ours}
        # Through JSON, so that tuples and lists compare equal.
        changes = _changes(theirs, json.loads(json.dumps(ours)))
        if changes:
            more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
            raise StoreError(
                f"`{self.path}` holds a training of another config: {changes[0]}{more}; "
                "give another folder, or the config it was started with"
            )

    def read_log(self) -> list[dict[str, Any]]:
        """The entries of the log; a line torn by a kill is left out."""
        if not self.log_file.is_file():
            return []
        entries = []
        for line in self.log_file.read_text(encoding="utf-8").splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
        return entries

    def rewind_log(self, arm: str, step: int) -> None:
        """Forget what `arm` logged after `step`: it will be done again."""
        entries = self.read_log()
        kept = [entry for entry in entries if entry["arm"] != arm or entry["step"] <= step]
        text = "".join(json.dumps(entry) + "\n" for entry in kept)
        write_text(self.log_file, text, force=True)

    def log(self, entry: Mapping[str, Any]) -> None:
        """Append one line, at once on its way to the disk.

        Raises:
            StoreError: if it cannot be written.
        """
        with naming(self.log_file), self.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, allow_nan=False) + "\n")


def _changes(before: Any, after: Any, path: str = "") -> list[str]:
    """Where two JSON values differ, as `key.path: old -> new`."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in sorted({*before, *after}):
            here = f"{path}.{key}" if path else key
            found += _changes(before.get(key), after.get(key), here.removeprefix("config."))
        return found
    return [] if before == after else [f"{path}: {json.dumps(before)} -> {json.dumps(after)}"]
