"""The published JSON Schema accepts what Ember accepts, and completes registered settings."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from circuits import CIRCUITS
from circuits.circuit import Circuit, Port, circuit
from encoders import ENCODERS
from neuro.backends import BACKENDS
from neuro.errors import ConfigError
from neuro.units import Frequency, Hz
from sims.config import load
from sims.config.experiment import BackendSpec
from sims.config.registered import SUPPLIED, settings_schema
from sims.config.schema import published
from sims.config.shipped import shipped
from sims.config.yaml_lines import read_yaml


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return published()


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", shipped())
def test_shipped_configs_pass_as_they_are_written(
    name: str, validator: jsonschema.Draft202012Validator
) -> None:
    data = read_yaml(shipped()[name].read_text("utf-8"), name).data
    assert not [error.message for error in validator.iter_errors(data)]


@pytest.mark.parametrize("name", shipped())
def test_resolved_configs_pass(name: str, validator: jsonschema.Draft202012Validator) -> None:
    assert not [error.message for error in validator.iter_errors(load(name).resolved)]


GOOD: dict[str, Any] = {
    "duration": "10 ms",
    "stimulus": {"heat": {"peak": "46 degC"}},
    "circuits": {"horn": {"circuit": "dorsal_horn", "a_delta": "heat.a_delta", "c": "heat.c"}},
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("duratoin", "10 ms"),
        ("duration", 10),
        ("seed", "three"),
        ("backend", "numbaa"),
        ("stimulus", {"heat": {"peak": 46}}),
        ("stimulus", {"heat": {"encoder": "heat_fibers"}}),
        ("circuits", {"horn": {"circuit": "dorsal_horn", "a_delta": "heat.a_delta"}}),
        ("circuits", {"horn": {"circuit": "dorsal_hornet"}}),
        ("circuits", {"mine": {"populations": {"cells": {"model": "lif"}}}}),
    ],
)
def test_an_editor_underlines_what_ember_refuses(
    key: str, value: object, validator: jsonschema.Draft202012Validator, tmp_path: Path
) -> None:
    assert validator.is_valid(GOOD)
    bad = {**GOOD, key: value}
    assert not validator.is_valid(bad)
    (tmp_path / "bad.yaml").write_text(json.dumps(bad), encoding="utf-8")
    with pytest.raises(ConfigError):
        load(tmp_path / "bad.yaml")


def test_a_config_with_a_base_needs_to_give_only_what_it_changes(
    validator: jsonschema.Draft202012Validator,
) -> None:
    assert validator.is_valid({"base": "startle", "circuits": {"bushy": {"n_cells": 5}}})
    assert not validator.is_valid({"base": "startle", "circuitz": {}})


@pytest.mark.parametrize(
    "changes",
    [
        {"stimulus": {"heat": None}},
        {"circuits": {"bushy": None}},
        {"circuits": {"bushy": {"n_cells": None}}},
        {"training": {"fall": None}},
    ],
)
def test_null_takes_a_key_of_the_base_away(
    changes: dict[str, Any], validator: jsonschema.Draft202012Validator
) -> None:
    assert validator.is_valid({"base": "maze" if "training" in changes else "startle", **changes})
    assert not validator.is_valid({"base": "startle", **changes, "circuitz": None})


def test_every_setting_of_every_registered_function_is_there(schema: dict[str, Any]) -> None:
    checked = 0
    for key, registry in (("circuit", CIRCUITS), ("encoder", ENCODERS)):
        for name in registry:
            properties = schema["$defs"][f"run.{name}_{key}"]["properties"]
            for parameter in inspect.signature(registry[name]).parameters:
                if parameter not in SUPPLIED:
                    assert properties[parameter]
                    checked += 1
    assert checked > 40
    horn = schema["$defs"]["run.dorsal_horn_circuit"]["properties"]
    assert horn["a_delta_weight"]["examples"] == ["20 nS"]
    assert horn["a_delta_weight"]["default"].endswith(" nS")


def test_the_schema_names_every_back_end() -> None:
    short, long = BackendSpec.model_json_schema()["anyOf"]
    assert set(long["properties"]["name"]["enum"]) == set(short["enum"]) == set(BACKENDS)


def test_a_circuit_registered_later_is_known_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(CIRCUITS, "_items", dict(CIRCUITS._items))
    (tmp_path / "new.yaml").write_text(
        "duration: 10 ms\ncircuits:\n  a: {circuit: new_one, inputs: [b.out], rate: 3 Hz}\n"
        "  b: {populations: {out: {n: 1, model: lif}}}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match="unknown circuit `new_one`"):
        load(tmp_path / "new.yaml")

    @circuit
    def new_one(inputs: tuple[Port, ...], *, rate: Frequency = Hz(5)) -> Circuit:
        """A circuit of a user's own module.

        Args:
            rate: How fast.
        """
        return Circuit("new_one")

    config = load(tmp_path / "new.yaml").config
    assert config.circuits["a"].rate == Hz(3)
    assert config.circuits["a"].inputs == ("b.out",)
    properties = published()["$defs"]["run.new_one_circuit"]["properties"]
    assert properties["rate"]["description"] == "How fast."
    assert properties["rate"]["default"] == "5 Hz"


def test_a_signature_that_no_config_can_hold_is_a_programming_error() -> None:
    def odd(nerve: Port, *, shape: complex = 1j) -> Circuit:
        return Circuit("odd")

    def bare(nerve: Port, *, size=3) -> Circuit:  # type: ignore[no-untyped-def]
        return Circuit("bare")

    with pytest.raises(TypeError, match=r"circuit `odd`: `shape`: a config cannot hold .*complex"):
        settings_schema("circuit", "odd", odd)
    with pytest.raises(TypeError, match="circuit `bare`: parameter `size` has no annotation"):
        settings_schema("circuit", "bare", bare)
