"""The JSON Schema of configs, for editors: completion, descriptions and checks while typing."""

from __future__ import annotations

import ast
import inspect
import sys
from copy import deepcopy
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from neuro.network import Normal, Uniform
from neuro.units import Quantity
from sims.config.values import as_config

__all__ = ["published"]

_PARTIAL = "_partial"


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, which writes quantities as a config does."""

    def encode_default(self, dft: Any) -> Any:
        """A default, JSON-ready."""
        if isinstance(dft, (Quantity, Normal, Uniform)):
            return as_config(dft)
        return super().encode_default(dft)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A model's schema, each field described by the docstring under it."""
        written = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        for name, text in _docstrings(model).items():
            field = model.model_fields.get(name)
            found = written.get("properties", {}).get((field and field.alias) or name)
            if field and not field.description and found is not None:
                found["description"] = text
        return written


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The docstring under each field, also of inherited ones.

    Pydantic can collect them when a class is made (`use_attribute_docstrings`), but that reads
    the source of every class at every start, 0.25 s, for what only this schema shows.
    """
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        for field, below in pairwise(_bodies(cls.__module__).get(cls.__qualname__, ())):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = inspect.cleandoc(text)
    return found


@cache
def _bodies(module: str) -> dict[str, list[ast.stmt]]:
    """What stands in each class of a module, by qualified name; nothing where there is no source.

    A module is read once: `inspect.getsource` of a class reads all of its module each time.
    """
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (KeyError, OSError, TypeError):  # made at run time, or not in Python
        return {}
    found: dict[str, list[ast.stmt]] = {}

    def collect(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                found[prefix + child.name] = child.body
                collect(child, f"{prefix}{child.name}.")
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                collect(child, f"{prefix}{child.name}.<locals>.")
            else:
                collect(child, prefix)

    collect(tree, "")
    return found


def published() -> dict[str, Any]:
    """One schema for every kind of config.

    A file with the key `reasoner` is a training, on puzzles if its data come from there; any other
    is a run or sweep. A file with a `base` only has to give what it changes, so nothing in it is
    required.
    """
    from sims.config.experiment import run_schema
    from sims.config.puzzles import PUZZLES, PuzzleTrainConfig
    from sims.config.train import TrainConfig

    models: dict[str, type[BaseModel]] = {
        "run": run_schema(), "train": TrainConfig, "puzzles": PuzzleTrainConfig,
    }  # fmt: skip
    definitions: dict[str, Any] = {}
    for name, model in models.items():
        definitions.update(_definitions(name, model))
    of_puzzles = {"required": ["source"], "properties": {"source": {"enum": list(PUZZLES)}}}
    kinds = {
        "if": {"required": ["reasoner"]},
        "then": {
            "if": {"required": ["data"], "properties": {"data": of_puzzles}},
            "then": {"$ref": "#/$defs/puzzles"},
            "else": {"$ref": "#/$defs/train"},
        },
        "else": {"$ref": "#/$defs/run"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Ember config",
        "type": "object",
        "if": {"required": ["base"]},
        "then": {"anyOf": [{"$ref": f"#/$defs/{name}{_PARTIAL}"} for name in models]},
        "else": kinds,
        "$defs": definitions,
    }


def _definitions(name: str, model: type[BaseModel]) -> dict[str, Any]:
    """The model and all it refers to, whole and in a form where everything may be left out."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    inner = schema.pop("$defs", {})
    found = {name: schema, **{f"{name}.{key}": value for key, value in inner.items()}}
    whole = {key: _renamed(value, name, "") for key, value in found.items()}
    whole[name]["properties"]["name"].pop("default", None)
    if "name" in whole[name].get("required", []):
        whole[name]["required"].remove("name")  # the file's own name stands for it
    parts = {f"{key}{_PARTIAL}": _renamed(value, name, _PARTIAL) for key, value in found.items()}
    parts[name + _PARTIAL]["properties"]["base"] = {
        "type": "string",
        "description": "A config that this one changes: a path, or the name of a shipped one.",
    }
    return {**whole, **parts}


def _renamed(schema: Any, name: str, suffix: str) -> Any:
    """A copy whose references point to this kind's definitions.

    With `suffix` it is that of a config with a base: no key is required, and null takes any away.
    """
    if isinstance(schema, list):
        return [_renamed(item, name, suffix) for item in schema]
    if not isinstance(schema, dict):
        return deepcopy(schema)
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "$ref":
            found[key] = value.replace("#/$defs/", f"#/$defs/{name}.") + suffix
        elif key == "discriminator":
            continue  # an OpenAPI key
        elif suffix and key == "required" and isinstance(value, list):
            continue
        elif suffix and key == "oneOf":
            found["anyOf"] = _renamed(value, name, suffix)
        elif suffix and key in ("properties", "patternProperties"):
            found[key] = {of: _or_null(_renamed(item, name, suffix)) for of, item in value.items()}
        elif suffix and key == "additionalProperties" and isinstance(value, dict):
            found[key] = _or_null(_renamed(value, name, suffix))
        else:
            found[key] = _renamed(value, name, suffix)
    return found


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Either this or null, described as this is."""
    about: dict[str, Any] = {
        key: schema.pop(key) for key in ("title", "description") if key in schema
    }
    return {**about, "anyOf": [schema, {"type": "null"}]}
