"""YAML with lines: every key knows its line, scalars are YAML 1.2, nothing is constructed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.errors import ConfigError
from sims.config.yaml_lines import read_scalar, read_yaml, read_yaml_file

TEXT = """\
# a comment
name: a

stimulus:
  sound: {level: 85 dB,
          speaker: 2}
list:
  - 1
  - b: 2
equations: |
  # a comment in a text
  dv/dt = 0 : volt
"""


def test_every_key_knows_its_line() -> None:
    document = read_yaml(TEXT, "a.yaml")
    lines = {
        ("name",): 2,
        ("stimulus",): 4,
        ("stimulus", "sound"): 5,
        ("stimulus", "sound", "level"): 5,
        ("stimulus", "sound", "speaker"): 6,
        ("list", 0): 8,
        ("list", 1, "b"): 9,
        ("equations",): 10,
        ("equations", 1): 12,  # the second line of the text
    }
    assert {path: document.where(path).line for path in lines} == lines
    assert str(document.where(("stimulus", "sound", "unknown"))) == "a.yaml:5"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("no", "no"), ("1e-3", 1e-3), ("1.", 1.0),
        (".5", 0.5), ("-2", -2), ("+2", 2), ("0x10", 16), ("0o17", 15), ("010", 10),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"), ("1_000", "1_000"), ("true", True), ("False", False),
        ("null", None), ("~", None), ("", None), ("'5'", "5"), ('"true"', "true"),
        ("20 ms", "20 ms"),
        ("-.inf", float("-inf")), ("=", "="), ("<<", "<<"),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = read_scalar(text, "here")
    assert (found, type(found)) == (value, type(value))


def test_numbers_that_are_none_are_left_to_the_schema_to_refuse() -> None:
    assert read_scalar("1" * 5000, "here") == float("inf")
    assert str(read_scalar(".nan", "here")) == "nan"


# PyYAML's writer leaves control characters and line separators unquoted.
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=5)
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts)
trees = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=50)
@given(st.dictionaries(texts, trees, max_size=3))
def test_what_is_written_is_read(data: dict[str, Any]) -> None:
    text = yaml.safe_dump(data, allow_unicode=True)
    assert read_yaml(text, "a.yaml").data == data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.yaml: expected a mapping of keys, found an empty file"),
        ("# nothing\n", "a.yaml: expected a mapping of keys, found an empty file"),
        ("- 1\n", "a.yaml: expected a mapping of keys, found list"),
        ("a: 1\nb: [1\nc: 2\n", "a.yaml:3: not valid YAML: "),
        ("a: b: c\n", "a.yaml:1: not valid YAML: mapping values are not allowed here"),
        ("a: 1\n\tb: 2\n", "a.yaml:2: not valid YAML: "),
        ("a: 1\n---\na: 2\n", "a.yaml:2: not valid YAML: "),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "a.yaml:4: b.c: the key is given twice, first in line 3"),
        ("a: 1\n[1]: 2\n", "a.yaml:2: a key must be text, found a list or mapping"),
        ("a: !!python/object/apply:os.system [ls]\n", "a.yaml:1: a: expected plain YAML, found"),
        ("a: !!python/name:os.system\n", "a.yaml:1: a: expected plain YAML, found the tag"),
        ("a: !!binary aGk=\n", "a.yaml:1: a: expected plain YAML, found the tag"),
        ("a: !mine {b: 1}\n", "a.yaml:1: a: expected plain YAML, found the tag"),
        ("a: &x [*x]\n", "a.yaml:1: a.0: the aliases (`*name`) expand without end"),
        ("a: *nobody\n", "a.yaml:1: not valid YAML: found undefined alias"),
        ("{a: " * 2000 + "}" * 2000, "a.yaml: values may be nested at most 100 levels deep"),
        ("a: \x07\n", "a.yaml: not valid YAML: "),
    ],
)  # fmt: skip
def test_bad_yaml_is_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_yaml(text, "a.yaml")
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_aliases_that_multiply_are_stopped() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 12):
        bomb += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n"
    with pytest.raises(ConfigError, match="at most 100,000 values"):
        read_yaml(bomb, "a.yaml")
    assert read_yaml("a: &x {b: 1}\nc: *x\n", "a.yaml").data["c"] == {"b": 1}


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "noise.yaml").write_bytes(bytes(range(256)))
    with pytest.raises(ConfigError, match="expected a YAML text file in UTF-8"):
        read_yaml_file(tmp_path / "noise.yaml")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_yaml_file(tmp_path / "none.yaml")
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(ConfigError, match="expected a small YAML file"):
        read_yaml_file(tmp_path / "huge.yaml")
