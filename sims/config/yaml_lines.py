"""YAML, read safely, with the line of every key.

Scalars follow the YAML 1.2 core schema, so that `on` is text and `1e-3` is a number; PyYAML
alone follows 1.1, where they are a boolean and text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from neuro.errors import ConfigError
from sims.config.errors import KeyPath, Where, refusal

__all__ = ["Document", "read_scalar", "read_yaml", "read_yaml_file"]

_MOST_NODES = 100_000  # aliases can make a short text expand without bound
_MOST_BYTES = 4_000_000
_DEEPEST = 100


@dataclass(frozen=True)
class Document:
    """A mapping and where each of its keys came from."""

    data: dict[str, Any]
    places: dict[KeyPath, Where]
    source: str

    def where(self, path: KeyPath) -> Where:
        """Where the value at `path` came from; the nearest one above it if it has no place."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return Where(self.source)


def read_yaml_file(path: Path) -> tuple[str, Document]:
    """The text of a file and what it says.

    Raises:
        ConfigError: if it cannot be read or is not the YAML of one mapping.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(
                f"{path}: expected a small YAML file, found {path.stat().st_size} bytes"
            )
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path}: expected a YAML text file in UTF-8, found other bytes"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    return text, read_yaml(text, str(path))


def read_yaml(text: str, source: str) -> Document:
    """The mapping a YAML text stands for, with the line of each key.

    Raises:
        ConfigError: on a syntax error, a key given twice, a key that is not text, a tag that
            would construct an object, or anything but one mapping.
    """
    node = _compose(text, source)
    if node is None:
        raise ConfigError(f"{source}: expected a mapping of keys, found an empty file")
    places: dict[KeyPath, Where] = {}
    data = _Walk(source, places).value(node, ())
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: expected a mapping of keys, found {type(data).__name__}")
    return Document(data, places, source)


def read_scalar(text: str, source: str) -> Any:
    """The value of a piece of YAML, such as the right side of `key=value`."""
    node = _compose(text, source, lines=False)
    return None if node is None else _Walk(source, {}, lines=False).value(node, ())


def _compose(text: str, source: str, lines: bool = True) -> yaml.Node | None:
    try:
        # The base loader resolves and constructs nothing: no tag can make an object.
        node: yaml.Node | None = yaml.compose(text, Loader=_CountingLoader)
        return node
    except _TooManyError as error:
        where = Where(source, error.line if lines else None)
        raise refusal(where, (), _TOO_MANY) from None
    except RecursionError:
        raise ConfigError(
            f"{source}: values may be nested at most {_DEEPEST} levels deep, found more than the "
            f"parser can follow"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where(source, mark.line + 1 if mark and lines else None)
        problem = " ".join(f"{error.problem or error.context}".split())
        raise ConfigError(f"{where}: not valid YAML: {problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None


_TOO_MANY = (
    f"a file may hold at most {_MOST_NODES:,} values and lines of text, with every alias "
    f"(`*name`) written out, found more"
)


class _TooManyError(Exception):
    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class _CountingLoader(yaml.BaseLoader):
    """Stops at the limit, and not after minutes when all of a long text has been read."""

    nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.nodes += 1
        if self.nodes > _MOST_NODES:
            raise _TooManyError(self.line + 1)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


class _Walk:
    """Turns nodes into values, noting the line of every key on the way."""

    def __init__(self, source: str, places: dict[KeyPath, Where], lines: bool = True) -> None:
        self.source, self.places, self.lines = source, places, lines
        self.nodes = 0
        self.above: list[yaml.Node] = []

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        where = self.places.setdefault(path, self._where(node))
        self._count(1, where, path)
        if node in self.above:
            raise refusal(where, path, "the aliases (`*name`) expand without end")
        if len(self.above) >= _DEEPEST:
            raise refusal(
                where, (),
                f"values may be nested at most {_DEEPEST} levels deep, aliases (`*name`) "
                f"included, found more",
            )  # fmt: skip
        self.above.append(node)
        try:
            if isinstance(node, yaml.MappingNode) and node.tag.endswith(":map"):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
                return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
            return self._scalar(node, path, where)
        finally:
            self.above.pop()

    def _count(self, more: int, where: Where, path: KeyPath) -> None:
        self.nodes += more
        if self.nodes > _MOST_NODES:
            raise refusal(where, path, _TOO_MANY)

    def _where(self, node: yaml.Node) -> Where:
        return Where(self.source, node.start_mark.line + 1 if self.lines else None)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            where = self._where(key_node)
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or not isinstance(key, str):
                raise refusal(where, path, "a key must be text, found a list or mapping")
            if key in found:
                first = self.places[(*path, key)].line
                raise refusal(where, (*path, key), f"the key is given twice, first in line {first}")
            self.places[(*path, key)] = where
            found[key] = self.value(value_node, (*path, key))
        return found

    def _scalar(self, node: yaml.Node, path: KeyPath, where: Where) -> Any:
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            raise refusal(where, path, f"expected plain YAML, found the tag `{node.tag}`")
        text = str(node.value)
        self._count(text.count("\n"), where, path)
        if node.style == "|":  # so that an error can name the line of an equation
            for number in range(text.count("\n")):
                place = Where(self.source, node.start_mark.line + 2 + number)
                self.places[(*path, number)] = place
        return text if node.style else _plain(text)


def _plain(text: str) -> str | int | float | bool | None:
    """A scalar without quotes, by the YAML 1.2 core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) < 400:  # longer ones are refused by int()
        return int(text, 0 if text[:2] in ("0x", "0o") else 10)
    return float(text.replace(".inf", "inf")) if _FLOAT.fullmatch(text) else text


_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.inf)")
