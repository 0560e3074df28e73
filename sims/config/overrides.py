"""`key=value` on the command line, and one config laid over another.

Mappings merge key by key; everything else replaces what was there. `null` takes a key away, so
that its default holds again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from neuro.errors import ConfigError
from sims.config.errors import KeyPath, Where, refusal, shown, spell
from sims.config.yaml_lines import Document, read_scalar

__all__ = ["COMMAND_LINE", "apply", "merge", "pairs", "put", "split_key", "without_nulls"]

COMMAND_LINE = "command line"

# Keys whose short form is text: `backend: brian` stands for `backend: {name: brian}`.
_SHORT_FORMS: dict[KeyPath, str] = {("backend",): "name"}


def apply(document: Document, overrides: Iterable[str]) -> Document:
    """A copy of `document` with `dotted.key=value` texts applied in order.

    The value is read as YAML. Missing mappings on the way are made; a number steps into a list.

    Raises:
        ConfigError: if a text is not `key=value`, its value is not YAML, or its key leads
            through something that is neither a mapping nor a list.
    """
    data, places = deepcopy(document.data), dict(document.places)
    for text in overrides:
        key, equals, value_text = text.partition("=")
        if not equals:
            raise ConfigError(f"{COMMAND_LINE}: expected key=value, found {shown(text)}")
        path = split_key(key, text)
        value = read_scalar(value_text, f"{COMMAND_LINE}: {spell(path)}")
        path = _put(data, path, value)
        for place in [place for place in places if place[: len(path)] == path]:
            del places[place]
        places[path] = Where(COMMAND_LINE)
    return Document(data, places, document.source)


def split_key(key: str, text: str | None = None) -> KeyPath:
    """`record.traces.0.every` as a path; whole numbers stay text until they meet a list.

    Raises:
        ConfigError: if a part is empty.
    """
    parts = tuple(part.strip() for part in key.split("."))
    if not all(parts):
        raise ConfigError(
            f"{COMMAND_LINE}: expected a dotted key such as `stimulus.sound.level`, "
            f"found {shown(key if text is None else text)}"
        )
    return parts


def put(data: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `data` with each dotted key of `values` set, as an override would.

    Raises:
        ConfigError: as `apply`.
    """
    changed = deepcopy(dict(data))
    for key, value in values.items():
        _put(changed, split_key(key), deepcopy(value))
    return changed


def _put(data: dict[str, Any], path: KeyPath, value: Any) -> KeyPath:
    where = Where(COMMAND_LINE)
    level: Any = data
    taken: KeyPath = ()
    for depth, part in enumerate(path):
        here, last = path[:depth], depth == len(path) - 1
        if isinstance(level, list):
            index = int(part) if str(part).isdecimal() else -1
            if not 0 <= index < len(level):
                what = f"a number in 0..{len(level) - 1}" if level else "nothing: the list is empty"
                raise refusal(where, path, f"`{spell(here)}` is a list: expected {what}, "
                              f"found `{part}`")  # fmt: skip
            key: Any = index
        elif isinstance(level, dict):
            key = part
        else:
            raise refusal(where, path, f"`{spell(here)}` is {shown(level)}, which has no keys")
        taken = (*taken, key)
        if last:
            level[key] = value
            break
        inner = level.get(key) if isinstance(level, dict) else level[key]
        short = _SHORT_FORMS.get(path[: depth + 1])
        if inner is None:
            inner = level[key] = {}
        elif short and isinstance(inner, str):
            inner = level[key] = {short: inner}
        level = inner
    return taken


def merge(below: Document, above: Document) -> Document:
    """`above` laid over `below`: mappings merge, everything else replaces."""
    places = dict(below.places)
    data = _merged(below.data, above.data, (), above.places, places)
    return Document(data, places, above.source)


def _merged(
    below: dict[str, Any],
    above: dict[str, Any],
    path: KeyPath,
    news: Mapping[KeyPath, Where],
    places: dict[KeyPath, Where],
) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        here = (*path, key)
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            result[key] = _merged(below[key], value, here, news, places)
            places[here] = news.get(here, places.get(here, Where("")))
            continue
        result[key] = deepcopy(value)
        for place in [place for place in places if place[: len(here)] == here]:
            del places[place]
        places.update({place: at for place, at in news.items() if place[: len(here)] == here})
    return result


def without_nulls(data: Any) -> Any:
    """A copy in which no mapping holds a null: a key set to null is a key not given."""
    if isinstance(data, Mapping):
        return {key: without_nulls(value) for key, value in data.items() if value is not None}
    if isinstance(data, (list, tuple)):
        return [without_nulls(value) for value in data]
    return data


def pairs(texts: Iterable[str]) -> dict[str, Any]:
    """`key=value` texts as a mapping; values are read as YAML.

    Raises:
        ConfigError: if a text is not `key=value` or its value is not YAML.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{COMMAND_LINE}: expected key=value, found {shown(text)}")
        found[key.strip()] = read_scalar(value, f"{COMMAND_LINE}: {key.strip()}")
    return found
