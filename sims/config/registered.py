"""Settings of registered circuits and encoders, typed by the signatures of their functions.

Each registered function becomes one strict schema: its `Port` and `Signal` parameters are
references such as `sound.nerve`, its keyword-only parameters are settings with their defaults,
and the lines of its docstring's `Args:` describe them in the published JSON Schema.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from circuits.circuit import CIRCUITS, Port
from encoders.encoding import ENCODERS
from neuro.network import Normal, Uniform
from neuro.registry import Registry
from neuro.signal import Signal
from neuro.units import Dimension, Quantity
from sims.config.base import Measure, StrictModel
from sims.config.errors import TAG, KeyProblem, hint, shown
from sims.config.values import Spreading
from sims.config.written import WrittenCircuit

__all__ = [
    "CircuitSettings", "EncoderSettings", "RegisteredCircuit", "RegisteredEncoder", "Settings",
    "default_encoder", "file_settings", "settings_schema",
]  # fmt: skip

SUPPLIED = ("duration_ms", "dt_ms", "seed")
"""Parameters the run supplies."""

_DEFAULT_ENCODERS = {"sound": "auditory_nerve", "heat": "heat_fibres", "path": "arena_path"}
_REFERENCE = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$"


class Settings(StrictModel):
    """Base of the schemas made from signatures; the class knows its function."""

    function: ClassVar[Callable[..., Any]]
    registered_as: ClassVar[str]
    references: ClassVar[Mapping[str, Literal["port", "signal"]]] = {}
    """Fields that refer to an output of a stimulus or circuit: its spikes, or a signal."""
    files: ClassVar[tuple[str, ...]] = ()
    """Fields that name a file to read."""

    def given(self) -> dict[str, Any]:
        """The function's settings as it takes them; references are left to the builder."""
        own = type(self)
        return {
            name: value
            for name in own.model_fields
            if name not in ("circuit", "encoder", "prefix") and name not in own.references
            for value in [getattr(self, name)]
        }

    def supplied(self, **values: Any) -> dict[str, Any]:
        """Those of `values` that the function takes and the config does not give."""
        taken = inspect.signature(type(self).function).parameters
        return {key: value for key, value in values.items() if key in taken}


class CircuitSettings(Settings):
    """An instance of a registered circuit."""

    prefix: str = Field(default="", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")
    """Put before the name of each population and projection."""


class EncoderSettings(Settings):
    """An instance of a registered encoder."""


def default_encoder(stimulus: str) -> str | None:
    """The encoder a stimulus of this name has unless it says another."""
    return _DEFAULT_ENCODERS.get(stimulus)


def settings_schema(
    key: Literal["circuit", "encoder"], name: str, function: Callable[..., Any]
) -> type[Settings]:
    """The strict schema of one registered function.

    Raises:
        TypeError: if a parameter has no annotation or one that a config cannot hold.
    """
    hints = get_type_hints(function, include_extras=True)
    described = _descriptions(inspect.getdoc(function) or "")
    fields: dict[str, Any] = {key: (Literal[name], name)}
    references: dict[str, Literal["port", "signal"]] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in SUPPLIED:
            continue
        if parameter.name not in hints:
            raise TypeError(f"{key} `{name}`: parameter `{parameter.name}` has no annotation")
        annotation = hints[parameter.name]
        if {Port, Signal} & set(_leaves(annotation)):
            references[parameter.name] = "port" if Port in _leaves(annotation) else "signal"
            field_type: Any = _as_reference(annotation)
        else:
            try:
                field_type = _as_field(annotation)
            except TypeError as error:
                raise TypeError(f"{key} `{name}`: `{parameter.name}`: {error}") from None
        required = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = (
            field_type,
            Field(
                default=... if required else _plain(parameter.default),
                description=described.get(parameter.name),
            ),
        )
    base = CircuitSettings if key == "circuit" else EncoderSettings
    made: type[Settings] = create_model(
        f"{name}_{key}", __base__=base, __doc__=_summary(function), **fields
    )
    made.function = function
    made.registered_as = name
    made.references, made.files = references, _files(function)
    return made


def _leaves(annotation: Any) -> Iterable[Any]:
    arguments = get_args(annotation)
    if not arguments or get_origin(annotation) is Literal:
        yield annotation
    for argument in arguments:
        yield from _leaves(argument)


def _as_reference(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in (Port, Signal):
        return Annotated[str, Field(pattern=_REFERENCE)]
    if annotation in (type(None), Ellipsis):
        return annotation
    if origin is Annotated:
        return _as_reference(arguments[0])
    if origin in (Union, types.UnionType):
        return Union[tuple(_as_reference(argument) for argument in arguments)]  # noqa: UP007
    if origin in (tuple, list) or (isinstance(origin, type) and issubclass(origin, Iterable)):
        inner = _as_reference(arguments[0])
        return Annotated[tuple[inner, ...], Field(strict=False)]  # type: ignore[valid-type]
    raise TypeError(f"a config cannot refer to `{annotation}`")


def _as_field(annotation: Any) -> Any:
    """The annotation with quantities read from text and lists taken for tuples."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in (bool, int, float, str, type(None)) or origin is Literal:
        return annotation
    if annotation is Path:
        return Annotated[Path, Field(strict=False)]
    if isinstance(annotation, type) and issubclass(annotation, int):
        return int  # a count that carries its source
    if origin is Annotated:
        if arguments[0] is Quantity:
            dimension = next((a for a in arguments[1:] if isinstance(a, Dimension)), None)
            return Annotated[Quantity, Measure(dimension)]
        return Annotated[(_as_field(arguments[0]), *arguments[1:])]
    if annotation is Quantity:
        return Annotated[Quantity, Measure(None)]
    leaves = set(_leaves(annotation))
    if leaves & {Normal, Uniform}:
        dimensions = [leaf for leaf in leaves if isinstance(leaf, Dimension)]
        return Annotated[Any, Spreading(dimensions[0] if dimensions else None)]
    if origin in (Union, types.UnionType):
        return Union[tuple(_as_field(argument) for argument in arguments)]  # noqa: UP007
    if origin is tuple and arguments[-1:] != (...,):
        fields = tuple(_as_field(argument) for argument in arguments)
        return Annotated[tuple[fields], Field(strict=False)]  # type: ignore[valid-type]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        value = _as_field(arguments[1])
        return dict[str, value]  # type: ignore[valid-type]
    if isinstance(origin, type) and issubclass(origin, Iterable):
        item = _as_field(arguments[0])
        return Annotated[tuple[item, ...], Field(strict=False)]  # type: ignore[valid-type]
    raise TypeError(f"a config cannot hold `{annotation}`")


def _plain(default: Any) -> Any:
    if isinstance(default, np.ndarray):
        return tuple(default.tolist())
    if isinstance(default, int) and type(default) not in (bool, int):
        return int(default)
    return tuple(default) if isinstance(default, list) else default


def _summary(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or function.__name__).split("\n\n")[0]


def _descriptions(text: str) -> dict[str, str]:
    """Parameter descriptions in a docstring's `Args:` section."""
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", text, re.MULTILINE)
    if not section:
        return {}
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section[1].splitlines():
        start = re.match(r" {1,4}(\w+(?:, \w+)*): *(.*)", line)
        if start:
            names = start[1].split(", ")
            found.update(dict.fromkeys(names, start[2]))
        else:
            for name in names:
                found[name] = f"{found[name]} {line.strip()}".strip()
    return found


@dataclass(frozen=True)
class _Choice:
    """Pydantic metadata: one of the schemas of a registry, chosen by the key `key`."""

    key: Literal["circuit", "encoder"]

    @property
    def registry(self) -> Registry[Any]:
        """Where the names are looked up."""
        return CIRCUITS if self.key == "circuit" else ENCODERS

    def _known(self, data: Any) -> Any:
        """Refuse what names no registered thing, before its settings are read."""
        if isinstance(data, StrictModel):
            return data
        if not isinstance(data, Mapping):
            raise KeyProblem(f"expected a mapping with the key `{self.key}`, found {shown(data)}")
        if self._is_written(data):
            return data
        if self.key not in data:
            also = ", or `populations` to write one out" if self.key == "circuit" else ""
            raise KeyProblem(f"the key `{self.key}` is missing: name a registered one{also}")
        name = data[self.key]
        if not isinstance(name, str) or name not in self.registry:
            raise KeyProblem(
                f"unknown {self.key} {shown(name)}{hint(name, self.registry)} "
                f"(see `ember list {self.key}s`)",
                (self.key,),
            )
        return data

    def _is_written(self, data: Mapping[str, Any]) -> bool:
        return self.key == "circuit" and "circuit" not in data and "populations" in data

    def _tag(self, data: Any) -> str:
        if isinstance(data, WrittenCircuit):
            return f"{TAG}written"
        if isinstance(data, Settings):
            return TAG + type(data).registered_as
        return f"{TAG}written" if self._is_written(data) else TAG + data[self.key]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        choices = {
            TAG + name: handler.generate_schema(
                settings_schema(self.key, name, self.registry[name])
            )
            for name in self.registry
        }
        if self.key == "circuit":
            choices[f"{TAG}written"] = handler.generate_schema(WrittenCircuit)
        chosen = core_schema.tagged_union_schema(choices, self._tag)
        return core_schema.no_info_before_validator_function(
            self._known, chosen if choices else core_schema.any_schema()
        )


RegisteredCircuit = Annotated[CircuitSettings | WrittenCircuit, _Choice("circuit")]
"""A registered circuit with its settings, or one written out."""
RegisteredEncoder = Annotated[EncoderSettings, _Choice("encoder")]
"""A registered encoder with its settings."""


def file_settings(section: str, name: str, settings: object) -> tuple[str, ...]:
    """Which settings of a stimulus or circuit, as given in a config, name files to read."""
    if not isinstance(settings, Mapping):
        return ()
    if section == "circuits":
        chosen, registry = settings.get("circuit"), CIRCUITS
        return _files(registry[chosen]) if isinstance(chosen, str) and chosen in registry else ()
    encoder = settings.get("encoder", default_encoder(name))
    if not isinstance(encoder, str) or encoder not in ENCODERS:
        return ()
    return _files(ENCODERS[encoder])


@cache
def _files(function: Callable[..., Any]) -> tuple[str, ...]:
    """The parameters of a registered function that name files."""
    hints = get_type_hints(function, include_extras=True)
    return tuple(
        name
        for name in inspect.signature(function).parameters
        if name == "file" or (name in hints and Path in _leaves(hints[name]))
    )
