"""The folder of one training: which config it belongs to, its checkpoints and its log."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from neuro.errors import StoreError
from neuro.files.links import real_path
from neuro.files.lock import locked
from neuro.files.regular import NotFinite, open_to_append, read_bytes, read_json, strict_json
from sims.store.atomic import naming, write_json, write_text
from sims.store.home import without_home
from sims.store.software import ALLOW, changes, shown_change

__all__ = ["TrainingFolder"]

_FORMAT = "ember-training"
_MOST_LOG = 1 << 30  # bytes of a log that is read back; an engineering choice

_FREE = (
    "training.device", "training.threads", "training.checkpoint_every",
    "evaluation.batch", "evaluation.votes", "evaluation.budget_factors",
    "evaluation.permutations",
    "data.path", "data.recordings", "modulation.run", "output",
)  # fmt: skip
"""Keys of the config that do not decide which weights come out, to more than their last bits, or
whose content is known by something better than its place: a training may go on with others."""

_OF_SOFTWARE = ("data_set",)
"""Names of data sets contain the software that made them."""


class TrainingFolder:
    """Files of one training under `path`.

    - `training.json`: the config, its hash, versions: whose folder this is
    - `checkpoint.safetensors`, or one `checkpoint_<arm>.safetensors` a model: where it stands
    - `best.safetensors`, or one `best_<arm>.safetensors` a model: the averaged weights that were
      best by validation
    - `log.jsonl`: one line an evaluation, in order of arm and step
    - `model.safetensors`, `model_<arm>.safetensors`: averaged weights of finished models
    - `curve.png`: the learning curve, where it is drawn
    - `result.json`: the outcome; its presence says that all is finished
    - `training.lock`: while a training is at work, see `neuro.files.lock`

    No file says where the folder lies, so it can be moved and gone on with elsewhere.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.claim_file = path / "training.json"
        self.lock_file = path / "training.lock"
        self.log_file = path / "log.jsonl"
        self.model_file = path / "model.safetensors"
        self.curve_file = path / "curve.png"
        self.result_file = path / "result.json"

    def checkpoint_file(self, arm: str) -> Path:
        """Where the checkpoint of one model lies; the only one has no name."""
        return self.path / f"checkpoint{arm and '_'}{arm}.safetensors"

    def best_file(self, arm: str) -> Path:
        """Where the weights of one model lie that were best by validation."""
        return self.path / f"best{arm and '_'}{arm}.safetensors"

    def claim(self, identity: Mapping[str, Any], *, any_software: bool = False) -> bool:
        """Make the folder, which is `held`, ours; True if it was already, from an earlier start.

        Args:
            identity: JSON-ready, with `config` (resolved) and whatever else decides the
                outcome; `about` is stored and not compared, as is what of the config does not
                decide it, but for the last of `about["software"]`.
            any_software: Continue what was begun under another software, and add this one to the
                list in the folder. A data set that the other one made is made anew.

        Raises:
            StoreError: if the folder holds a training of another config or, if that is not allowed,
                of another software, or cannot be written.
        """
        if self.claim_file.is_file():
            self._refuse_other(identity, _FREE + _OF_SOFTWARE)
            if not self.result_file.is_file():
                self._join_software(identity["about"]["software"][-1], any_software)
            self._refuse_other(identity, _FREE + (_OF_SOFTWARE if any_software else ()))
            return True
        write_json(self.claim_file, {"format": _FORMAT, **identity})
        return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, and keep other trainings out of it within the block.

        A folder that was made for it and stayed empty goes again.

        Raises:
            StoreError: if it holds something else, another training is at work in it, or it cannot
                be written.
        """
        new = not self.path.is_dir()
        if not new and not self.claim_file.is_file() and self._entries():
            raise StoreError(
                f"`{self.path}` already exists and holds no training; give another folder"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot write `{self.path}`: {error.strerror or error}") from None
        try:
            with locked(
                self.lock_file,
                lambda who: (
                    f"`{self.path}` is in use by another training ({who}); wait for it, "
                    "or give another --out"
                ),
            ):
                yield
        finally:
            if new:
                with suppress(OSError):  # something is in it
                    self.path.rmdir()

    def release(self) -> None:
        """Let go of the folder if nothing was kept in it: a corrected config may have it then."""
        if self._entries() <= {self.claim_file.name}:
            self.claim_file.unlink(missing_ok=True)

    def _entries(self) -> set[str]:
        """What lies in the folder, without what only passes."""
        names = {entry.name for entry in self.path.iterdir()} - {self.lock_file.name}
        return {name for name in names if not name.startswith(".ember-")}

    def started(self) -> dict[str, Any]:
        """The identity that the folder was claimed with, when the training began.

        Raises:
            StoreError: if it cannot be read.
        """
        try:
            before: dict[str, Any] = read_json(self.claim_file)
            if before["format"] != _FORMAT or not isinstance(before["config"]["training"], dict):
                raise ValueError
            about = before["about"]
            str(about["config_hash"])
            software = about.get("software") or [_of_old(about)]
            about["software"] = software
            if not all(isinstance(one, dict) for one in software):
                raise ValueError
        except (StoreError, ValueError, KeyError, TypeError):
            raise StoreError(
                f"`{self.claim_file}` is not the start of a training; give another folder"
            ) from None
        return before

    def _join_software(self, now: Mapping[str, Any], allowed: bool) -> None:
        """See that the training continues under the software it was begun with.

        Raises:
            StoreError: if it is another one and that is not allowed.
        """
        before = self.started()
        software = list(before["about"]["software"])
        if not (found := changes(software[-1], now)):
            return
        if not allowed:
            raise StoreError(
                f"a training must continue under the versions it was begun with, found that in "
                f"`{self.path}` {shown_change(found)}; give another --out, or add {ALLOW}, and the "
                "result lists both"
            )
        software.append(dict(now))
        about = {**before["about"], "software": software}
        write_json(self.claim_file, {**before, "about": about}, force=True)

    def _refuse_other(self, identity: Mapping[str, Any], free: tuple[str, ...]) -> None:
        before = self.started()
        ours = without_home({key: value for key, value in identity.items() if key != "about"})
        theirs = {key: before.get(key) for key in ours}
        # Through JSON, so that tuples and lists compare equal.
        changes = [
            f"{key}: {json.dumps(old)} -> {json.dumps(new)}"
            for key, old, new in _changes(theirs, json.loads(json.dumps(ours)))
            if key not in free
        ]
        if changes:
            more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
            raise StoreError(
                f"`{self.path}` holds a training of another config: {changes[0]}{more}; "
                "give another folder, or the config it was started with"
            )

    def read_log(self) -> list[dict[str, Any]]:
        """The entries of the log; a last line torn by a kill is left out.

        Raises:
            StoreError: if it holds anything else than points of a curve.
        """
        if not os.path.lexists(self.log_file):
            return []
        lines = read_bytes(self.log_file, _MOST_LOG).splitlines()
        entries: list[dict[str, Any]] = []
        for number, line in enumerate(lines, start=1):
            try:
                entry = strict_json(line.decode())
            except NotFinite as error:
                raise StoreError(
                    f"`{self.log_file}` must hold finite numbers, found {error} in line {number}; "
                    "put it back as it was, or delete it and the checkpoints beside it to start "
                    "over"
                ) from None
            except ValueError:
                if number == len(lines):
                    break
                entry = None
            keys = entry.keys() if isinstance(entry, dict) else set()
            first = entries[0].keys() if entries else keys
            named = {"arm", "step"} <= keys and keys == first
            if not (named and isinstance(entry["arm"], str) and isinstance(entry["step"], int)):
                raise StoreError(
                    f"`{self.log_file}` must hold one point of the learning curve a line, found "
                    f"something else in line {number}; put it back as it was, or delete it and "
                    "the checkpoints beside it to start over"
                )
            entries.append(entry)
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
        with (
            naming(self.log_file),
            open(open_to_append(real_path(self.log_file)), "a", encoding="utf-8") as file,
        ):
            file.write(json.dumps(entry, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())  # a checkpoint, which is forced to the disk too, comes after


def _of_old(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a folder of an earlier Ember says of the software: no digest of the source."""
    return {"versions": about["versions"], "git_commit": about["git_commit"]}


def _changes(before: Any, after: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Where two JSON values differ: `key.path`, old and new."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in sorted({*before, *after}):
            here = f"{path}.{key}" if path else key
            found += _changes(before.get(key), after.get(key), here.removeprefix("config."))
        return found
    return [] if before == after else [(path, before, after)]
