"""`key=value`: what is set is what is found, and nothing else changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.errors import ConfigError
from sims.config.overrides import apply, merge, pairs, put, without_nulls
from sims.config.yaml_lines import Document, read_yaml

keys = st.from_regex(r"[a-z_][a-z0-9_]{0,4}", fullmatch=True)
values = st.one_of(
    st.booleans(), st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6),
    st.from_regex(r"[0-9]{1,3} (ms|mV|pA)", fullmatch=True),
    st.lists(st.integers(0, 9), max_size=3),
)  # fmt: skip
trees = st.recursive(values, lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=8)
mappings = st.dictionaries(keys, trees, max_size=4)


def leaves(data: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every value that is no mapping, by its path; empty mappings count."""
    if not isinstance(data, dict) or not data:
        return {path: data}
    return {p: v for key, inner in data.items() for p, v in leaves(inner, (*path, key)).items()}


def document(text: str) -> Document:
    return read_yaml(text, "a.yaml")


@given(mappings, st.lists(keys, min_size=1, max_size=3), values)
def test_what_is_set_is_found_and_the_rest_stays(
    data: dict[str, Any], path: list[str], value: Any
) -> None:
    before = copy.deepcopy(data)
    text = f"{'.'.join(path)}={yaml.safe_dump(value, default_flow_style=True).split('...')[0]}"
    through = data
    for key in path[:-1]:
        through = through.get(key, {}) if isinstance(through, dict) else through
    if not isinstance(through, dict) or any(
        not isinstance(inner, dict) for inner in _on_the_way(data, path)
    ):
        with pytest.raises(ConfigError, match="command line"):
            apply(Document(data, {}, "a.yaml"), [text])
        assert data == before
        return
    after = apply(Document(data, {}, "a.yaml"), [text]).data
    assert data == before
    found: Any = after
    for key in path:
        found = found[key]
    assert found == value
    untouched = {
        p: v for p, v in leaves(before).items() if v != {} and p[: len(path)] != tuple(path)
    }
    assert untouched.items() <= {p: v for p, v in leaves(after).items() if p in untouched}.items()
    assert put(before, {".".join(path): value}) == after


def _on_the_way(data: dict[str, Any], path: list[str]) -> list[Any]:
    found: list[Any] = []
    here: Any = data
    for key in path[:-1]:
        if not isinstance(here, dict) or key not in here:
            break
        here = here[key]
        found.append(here)
    return found


@settings(max_examples=50)
@given(mappings, mappings)
def test_a_merge_is_the_upper_one_laid_over(below: dict[str, Any], above: dict[str, Any]) -> None:
    merged = merge(Document(below, {}, "b"), Document(above, {}, "a")).data
    for path, value in leaves(above).items():
        found: Any = merged
        for key in path:
            found = found[key]
        if value != {}:
            assert found == value
    assert merge(Document(merged, {}, "m"), Document(above, {}, "a")).data == merged
    assert merge(Document(below, {}, "b"), Document({}, {}, "a")).data == below


def test_places_follow_the_values() -> None:
    below = read_yaml("a:\n  b: 1\n  c: 2\nd: 3\n", "below.yaml")
    above = read_yaml("a:\n  c:\n    e: 1\n", "above.yaml")
    merged = merge(below, above)
    changed = apply(merged, ["a.b=7"])
    found = {key: str(changed.where(tuple(key.split(".")))) for key in ("a.b", "a.c.e", "d")}
    assert found == {"a.b": "command line", "a.c.e": "above.yaml:3", "d": "below.yaml:4"}


def test_a_number_steps_into_a_list_and_null_takes_away() -> None:
    before = document("traces: [{cells: [1, 2]}, {cells: [3]}]\noutput: {file: a.h5}\n")
    after = apply(before, ["traces.1.cells.0=9", "output.file=null", "new.level=1e-3"])
    assert without_nulls(after.data) == {
        "traces": [{"cells": [1, 2]}, {"cells": [9]}],
        "output": {},
        "new": {"level": 0.001},
    }


def test_the_short_form_of_the_back_end_makes_room() -> None:
    assert apply(document("backend: brian\n"), ["backend.codegen=numpy"]).data == {
        "backend": {"name": "brian", "codegen": "numpy"}
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("duration", "command line: expected key=value, found `duration`"),
        ("=3", "command line: expected a dotted key such as `stimulus.sound.level`, found `=3`"),
        (
            "a..b=3",
            "command line: expected a dotted key such as `stimulus.sound.level`, found `a..b=3`",
        ),
        ("a.b=[1", "command line: a.b: not valid YAML: "),
        ("a.b=!!python/name:os.system", "command line: a.b: expected plain YAML, found the tag"),
        ("a.b.c=3", "command line: a.b.c: `a.b` is `text`, which has no keys"),
        ("l.2=3", "command line: l.2: `l` is a list: expected a number in 0..1, found `2`"),
        ("l.x=3", "command line: l.x: `l` is a list: expected a number in 0..1, found `x`"),
        ("l.-1=3", "command line: l.-1: `l` is a list: expected a number in 0..1, found `-1`"),
        (
            "e.0=3",
            "command line: e.0: `e` is a list: expected nothing: the list is empty, found `0`",
        ),
    ],
)
def test_a_bad_override_is_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        apply(document("a: {b: text}\nl: [1, 2]\ne: []\n"), [text])
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_options_of_a_command_are_pairs() -> None:
    assert pairs(["time=float32", "speed=1.5"]) == {"time": "float32", "speed": 1.5}
    with pytest.raises(ConfigError, match="expected key=value, found `=3`"):
        pairs(["=3"])
