"""From a file and `key=value` texts to a checked config, its full text and its identity."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from neuro.errors import ConfigError, StoreError
from neuro.files.home import expanded
from neuro.files.regular import open_regular
from sims.config import overrides as over
from sims.config.errors import KeyPath, one_line, refusal, shown
from sims.config.shipped import RUN_FILE_SUFFIXES, find
from sims.config.yaml_lines import Document, read_yaml_file

if TYPE_CHECKING:
    from sims.config.base import StrictModel

__all__ = ["Loaded", "content_hash", "from_resolved", "load"]

Kind = Literal["run", "sweep", "train"]

_LONGEST_CHAIN = 20
_OWN = ("name", "output")


@dataclass(frozen=True)
class Loaded:
    """A config that passed its schema.

    Attributes:
        config: The checked config: a `RunConfig`, or, if `kind` is `train`, a `TrainConfig` (on
            spikes) or a `PuzzleTrainConfig`.
        text: The file as the user wrote it.
        path: Where it was read from.
        overrides: The `key=value` texts that were applied.
        resolved: The whole config with every default, JSON-ready; `from_resolved` reads it.
        hash: Identity of the job: a hash of `resolved` but for `output`, in which each file to
            be read counts by its content and not by its path.
        kind: `run`, `sweep` (a run with a `sweep` section) or `train`.
        changed: Whether this call applied overrides to what it read.
        bases: Paths of the configs that it is laid over.
    """

    config: Any
    text: str
    path: str
    overrides: tuple[str, ...]
    resolved: dict[str, Any]
    hash: str
    kind: Kind
    changed: bool
    document: Document = field(repr=False, compare=False)
    bases: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Every file that it came from, and every file that it reads when it is run."""
        files = (self.path, *self.bases, *self.resolved.get("files", {}))
        return tuple(file for file in files if file)

    def refusal(self, path: KeyPath, problem: str) -> ConfigError:
        """An error about the value at `path`, with its file and line."""
        return refusal(self.document.where(path), path, problem)


def load(config: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Loaded:
    """Read a config file, a shipped config by its name, or the config inside a run file.

    Args:
        config: Path or name.
        overrides: `dotted.key=value` texts, applied in order.

    Raises:
        ConfigError: one line with file, line, key, what was found and what was expected.
        StoreError: if a run file cannot be read.
    """
    overrides = tuple(overrides)
    path = find(config)
    if path.suffix.lower() in RUN_FILE_SUFFIXES:
        return _load_run_file(path, overrides)
    text, document, bases = _with_bases(path, ())
    document.data.setdefault("name", path.stem)
    document = over.apply(document, overrides)
    return _checked(document, text, str(path), overrides, bool(overrides), bases)


def from_resolved(
    resolved: Mapping[str, Any],
    *,
    text: str = "",
    path: str = "",
    overrides: Iterable[str] = (),
) -> Loaded:
    """The config that `Loaded.resolved` came from, or a changed copy of it; checked again.

    Raises:
        ConfigError: if it does not fit its schema.
    """
    return _checked(Document(deepcopy(dict(resolved)), {}, path), text, path, tuple(overrides))


def _load_run_file(path: Path, overrides: tuple[str, ...]) -> Loaded:
    from sims.store.home import with_home
    from sims.store.run_file import read_provenance

    stored = read_provenance(path)
    resolved = with_home(dict(stored.resolved))
    document = over.apply(Document(resolved, {}, str(path)), overrides)
    every = (*stored.overrides, *overrides)
    return _checked(document, stored.config_text, str(path), every, bool(overrides))


def _with_bases(path: Path, above: tuple[Path, ...]) -> tuple[str, Document, tuple[str, ...]]:
    """A file's text, what it says laid over what its `base` says, and the paths of all bases.

    The base's `name` and `output` stay its own, so that one does not write over the other.
    """
    text, document = read_yaml_file(path)
    if "base" not in document.data:
        return text, document, ()
    base = document.data.pop("base")
    if not isinstance(base, str):
        raise refusal(
            document.where(("base",)), ("base",),
            f"expected a path or the name of a shipped config, found {shown(base)}",
        )  # fmt: skip
    try:
        below = find(base, path.parent)
    except ConfigError as error:
        raise refusal(document.where(("base",)), ("base",), str(error)) from None
    chain = (*above, path.resolve())
    if below.resolve() in chain or len(chain) > _LONGEST_CHAIN:
        raise refusal(document.where(("base",)), ("base",), f"`{base}` is based on this file again")
    _, under, bases = _with_bases(below, chain)
    for key in _OWN:
        under.data.pop(key, None)
    return text, over.merge(under, document), (str(below), *bases)


def _checked(
    document: Document,
    text: str,
    path: str,
    overrides: tuple[str, ...],
    changed: bool = False,
    bases: tuple[str, ...] = (),
) -> Loaded:
    data = over.without_nulls(document.data)
    if "base" in data:
        where = document.where(("base",))
        raise refusal(where, ("base",), "the base of a config can only be given in its file")
    for key, value in _scalars(data):
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            problem = (
                f"expected a whole number of up to 64 bits, or one such as 1e20, found "
                f"{shown(value)}"
            )
            raise refusal(document.where(key), key, problem)
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            problem = f"expected Unicode text, found half a character in {shown(value)}"
            raise refusal(document.where(key), key, problem)
    kind: Kind = "train" if "reasoner" in data else "sweep" if "sweep" in data else "run"
    document = Document(data, document.places, document.source)
    schema = _train_schema(data) if kind == "train" else _run_schema(document)
    try:
        config = schema.model_validate(data)
    except ValidationError as error:
        raise one_line(error, document.where) from None
    resolved = config.model_dump(mode="json", exclude_none=True)
    return Loaded(
        config, text, path, overrides, resolved, _hash(resolved), kind, changed, document, bases
    )


def _scalars(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str | int]]:
    """Every text and whole number in a config, keys included, and where it stands."""
    if isinstance(value, (str, int)):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key), str(key)
            yield from _scalars(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _scalars(inner, (*path, number))


def _train_schema(data: Mapping[str, Any]) -> type[StrictModel]:
    from sims.config.puzzles import PUZZLES, PuzzleTrainConfig
    from sims.config.train import TrainConfig

    of = data.get("data")
    puzzles = isinstance(of, dict) and of.get("source") in PUZZLES
    return PuzzleTrainConfig if puzzles else TrainConfig


def _run_schema(document: Document) -> type[StrictModel]:
    from sims.config.experiment import run_schema

    schema = run_schema()
    _settle_files(document)
    return schema


def _settle_files(document: Document) -> None:
    """Make the path of each file that is read absolute, and note the hash of its content.

    A path in a config starts from that config's folder, one on the command line from here.
    """
    from sims.config.registered import file_settings

    known = document.data.get("files")
    hashes: dict[str, str] = {}
    for section, name, settings in _readers(document):
        for key in file_settings(section, name, settings):
            given = settings.get(key)
            if not isinstance(given, str):
                continue
            where = document.where((section, name, key))
            folder = Path() if where.line is None else Path(where.source).parent
            try:
                file = os.path.abspath(folder / expanded(given))
            except StoreError as error:
                raise refusal(where, (section, name, key), str(error)) from None
            settings[key] = file
            if isinstance(known, dict) and isinstance(known.get(file), str):
                hashes[file] = known[file]  # whether it still holds is seen before it is read
                continue
            try:
                hashes[file] = content_hash(file)
            except OSError as error:
                raise refusal(
                    where, (section, name, key),
                    f"cannot read the file `{file}`: {error.strerror or error}",
                ) from None  # fmt: skip
    if hashes or known:
        document.data["files"] = hashes


def _readers(document: Document) -> Iterator[tuple[str, str, Any]]:
    """Each stimulus and circuit, with its section and name."""
    for section in ("stimulus", "circuits"):
        held = document.data.get(section)
        for name, settings in held.items() if isinstance(held, dict) else ():
            yield section, name, settings


def content_hash(path: str | os.PathLike[str]) -> str:
    """Hash of a file's content.

    Raises:
        OSError: if it cannot be read.
    """
    about = os.stat(path)
    return _content_hash(os.fspath(path), about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=256)  # a sweep asks for the same sound once a point
def _content_hash(path: str, changed_ns: int, size: int) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _hash(resolved: Mapping[str, Any]) -> str:
    identity = {key: value for key, value in resolved.items() if key not in ("output", "files")}
    text = json.dumps(_by_content(identity, resolved.get("files", {})), sort_keys=True,
                      ensure_ascii=False, separators=(",", ":"), allow_nan=False)  # fmt: skip
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _by_content(value: Any, files: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _by_content(inner, files) for key, inner in value.items()}
    if isinstance(value, list):
        return [_by_content(inner, files) for inner in value]
    return f"content {files[value]}" if isinstance(value, str) and value in files else value
