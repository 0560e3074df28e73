"""The gate of a function or dataclass, derived from its parameters' names and annotations.

    def firing(*, onset: Time, dt_ms: float, weights: Sequence[Conductance]) -> …

takes `firing(onset="0.2 s", dt_ms=0.1 * brian2.ms, weights=[nS(1), "2 nS"])`. The body reads
quantities where the annotation has a dimension, and numbers in the unit that a name ends in, or
that `Annotated[ArrayLike, VOLTAGE]` is written in. A number of a function that has neither takes no
unit: what has one is refused. A default is trusted, and passes unread.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from neuro.errors import UnitError, shown
from neuro.units.dimension import NUMBER, Dimension, surface_shift
from neuro.units.foreign import from_foreign
from neuro.units.gate import (
    SUFFIXES,
    is_bare,
    number_of,
    parse_quantity,
    read,
    read_coherent,
    suffix_of,
)
from neuro.units.number import coherent
from neuro.units.quantity import Quantity
from neuro.units.text import checked

__all__ = ["Gate", "admit", "gates_of", "named", "quantities", "spread"]

P = ParamSpec("P")
R = TypeVar("R")
Gate = Callable[[Any], Any]


def quantities(function: Callable[P, R]) -> Callable[P, R]:
    """Check and convert the arguments that have a unit, before the function sees them.

    Raises:
        UnitError: when called with a value of another dimension; it names the parameter.
    """
    parameters = inspect.signature(function).parameters
    names = [p.name for p in parameters.values()]
    label = function.__qualname__.removesuffix(".__init__").removesuffix(".__new__")
    gates: dict[str, Gate] | None = None

    @functools.wraps(function)
    def gated(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal gates
        if gates is None:  # annotations may name what is defined further down
            gates = {**_gates_of_numbers(function, label), **gates_of(function, label)}
        given = dict(kwargs)
        for name in gates.keys() & kwargs.keys():
            if kwargs[name] is not parameters[name].default:
                given[name] = gates[name](kwargs[name])
        positional = [
            gates[name](value) if name in gates and value is not parameters[name].default else value
            for name, value in zip(names, args)  # noqa: B905 — too many are the function's to refuse
        ]
        return function(*positional, *args[len(positional) :], **given)  # type: ignore[arg-type]

    return gated


def admit(instance: Any) -> None:
    """In a dataclass's `__post_init__`: check and convert its fields that have a unit.

    Raises:
        UnitError: naming the field.
    """
    kind: Any = type(instance)
    for name, gate in _gates_of_fields(kind).items():
        value = getattr(instance, name)
        if value is None or value is getattr(kind, name, _NONE):  # the class keeps the default
            continue
        passed = gate(value)
        if passed is not value:
            object.__setattr__(instance, name, passed)


_NONE = object()


@functools.cache
def _gates_of_fields(kind: Any) -> dict[str, Gate]:
    known = {field.name for field in dataclasses.fields(kind)}
    return {name: gate for name, gate in gates_of(kind, kind.__name__).items() if name in known}


def gates_of(function: Any, label: str) -> dict[str, Gate]:
    """The gate of each parameter or field that has a unit."""
    found = {}
    for name, annotation in _annotations(function).items():
        gate = _by_annotation(annotation)
        suffix = suffix_of(name)
        if gate is None and suffix is not None:
            if not _holds_numbers(annotation):
                continue
            gate = _of_numbers(annotation, *SUFFIXES[suffix])
        if gate is not None:
            found[name] = named(gate, f"{label}: `{name}`")
    return found


def _gates_of_numbers(function: Any, label: str) -> dict[str, Gate]:
    """The gate of each parameter that is a number, or an array of them, and has no unit."""
    return {
        name: named(_without_unit, f"{label}: `{name}`")
        for name, annotation in _annotations(function).items()
        if _is_number(annotation)
    }


def _is_number(annotation: Any) -> bool:
    """Whether it is a number or an array of them; `ArrayLike` is a union with `complex`."""
    if _is_union(annotation):
        return any(_is_number(member) for member in get_args(annotation))
    return annotation in (float, int, complex) or get_origin(annotation) is np.ndarray


def _without_unit(value: Any) -> Any:
    if type(value) in (float, int, np.ndarray, str, bool) or value is None:
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(map(_without_unit, value)) if any(map(_has_unit, value)) else value
    if not _has_unit(value):
        return value
    found = read(value)
    if found.dimension != NUMBER:
        raise UnitError(f"expected a number without a unit, found {shown(value)}")
    return found.number


def _has_unit(value: Any) -> bool:
    if type(value) in (float, int, np.ndarray, str, bool):
        return False
    return isinstance(value, Quantity) or from_foreign(value) is not None


def named(gate: Gate, what: str) -> Gate:
    """The gate with `what` put before its refusals."""

    def gated(value: Any) -> Any:
        try:
            return gate(value)
        except UnitError as error:
            raise UnitError(f"{what}: {error}") from None

    return gated


def _annotations(function: Any) -> dict[str, Any]:
    """Each annotation as a type; as text where only a type checker imports what it names."""
    raw: dict[str, Any] = {}
    for owner in reversed(function.__mro__) if isinstance(function, type) else [function]:
        module = sys.modules.get(getattr(owner, "__module__", ""))
        for name, annotation in inspect.get_annotations(owner).items():
            raw[name] = _resolved(annotation, vars(module) if module else {})
    raw.pop("return", None)
    return raw


def _resolved(annotation: Any, space: Mapping[str, Any]) -> Any:
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return get_type_hints(holder, dict(space), include_extras=True)["it"]
    except (NameError, AttributeError, TypeError):
        return annotation


def _holds_numbers(annotation: Any) -> bool:
    text = str(annotation)
    return not text.endswith("bool'>") and text != "bool" and "Callable" not in text


def _of_numbers(annotation: Any, dimension: Dimension, shift: int) -> Gate:
    """The gate of a number, or an array of them, in a unit `shift` places from the coherent one."""
    members = set(get_args(annotation)) if _is_union(annotation) else {annotation}
    one = bool(members) and members <= {float, int, type(None), "float", "int"}
    whole = int in members and float not in members
    ours = tuple(m for m in members if str(getattr(m, "__module__", "")).startswith("neuro."))

    def gate(value: Any) -> Any:
        if (value is None and type(None) in members) or isinstance(value, ours):
            return value
        number = number_of(value, dimension, shift)
        if one and not isinstance(number, (int, float)) and _is_several(number):
            raise UnitError(f"expected one value, found {shown(value)}")
        if whole and isinstance(number, float) and number.is_integer():
            return int(number)
        return number

    return gate


def _is_several(number: Any) -> bool:
    return isinstance(number, (list, tuple)) or getattr(number, "shape", ()) != ()


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _by_annotation(annotation: Any) -> Gate | None:
    """The gate of an annotation that holds a `Quantity`, itself or inside a container."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Quantity:
        return parse_quantity
    if origin is Annotated:
        dimension = next((a for a in arguments[1:] if isinstance(a, Dimension)), None)
        if dimension is None:
            return _by_annotation(arguments[0])
        if arguments[0] is Quantity:
            return lambda value: parse_quantity(value, dimension)
        if _by_annotation(arguments[0]) is not None:
            return lambda value: spread(value, dimension)
        if _is_number(arguments[0]):
            return _of_numbers(arguments[0], dimension, surface_shift(dimension))
        return None
    if _is_union(annotation):
        return _of_union(arguments)
    if not (isinstance(origin, type) and arguments):
        return None
    if issubclass(origin, Mapping):
        inner = _by_annotation(arguments[1])
        return inner and (lambda value: _of_mapping(value, inner))
    if origin is tuple and arguments[-1] is not Ellipsis:
        each = [_by_annotation(argument) for argument in arguments]
        return (lambda value: _of_tuple(value, each)) if any(each) else None
    if issubclass(origin, Iterable):
        item = _by_annotation(arguments[0])
        return item and (lambda value: tuple(item(one) for one in _each(value)))
    return None


def _of_union(members: tuple[Any, ...]) -> Gate | None:
    gates = [gate for gate in map(_by_annotation, members) if gate is not None]
    if not gates:
        return None
    optional, names = type(None) in members, str in members
    drawn = tuple(m for m in members if isinstance(m, type) and hasattr(m, "draw"))

    def gate(value: Any) -> Any:
        if value is None and optional:
            return None
        if names and isinstance(value, str) and value.strip().isidentifier():
            return value.strip()
        return spread(value, None) if drawn else gates[0](value)

    return gate


def spread(value: Any, dimension: Dimension | None) -> Any:
    """A value for all, one per cell or edge, or a distribution, checked against a dimension.

    A bare number is in the coherent unit; a bare rate or speed is refused.

    Raises:
        UnitError: if it is of another dimension.
    """
    if hasattr(type(value), "draw"):
        if dimension not in (None, value.dimension):
            checked(Quantity(0.0, value.dimension), dimension, str(value))
        return value
    if dimension is None and is_bare(value):
        return coherent(value)  # of a unit that only its owner knows
    return read_coherent(value, dimension)


def _of_mapping(value: Any, gate: Gate) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: named(gate, f"`{key}`")(each) for key, each in value.items()}


def _each(value: Any) -> Iterable[Any]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise UnitError(f"expected a list of values, found {value!r}")
    return value


def _of_tuple(value: Any, gates: list[Gate | None]) -> Any:
    if not isinstance(value, (tuple, list)) or len(value) != len(gates):
        raise UnitError(f"expected {len(gates)} values, found {value!r}")
    return tuple(one if g is None else g(one) for g, one in zip(gates, value, strict=True))
