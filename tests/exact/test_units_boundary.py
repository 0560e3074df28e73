"""Every public parameter that has a unit passes the gate: found by walking the whole API."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pint
import pytest
import quantities as pq
from pydantic import BaseModel

import bridges
import circuits
import encoders
import neuro
import sims
from neuro.brian2_import import brian2 as load_brian2
from neuro.errors import UnitError
from neuro.units import (
    LEVEL,
    NUMBER,
    TEMPERATURE,
    TIME,
    Dimension,
    Quantity,
    coherent,
    coherent_factor,
    ms,
    mV,
)
from neuro.units.declared import _annotations, _is_number, gates_of
from neuro.units.dimension import surface_shift
from neuro.units.gate import SUFFIXES, suffix_of

brian2 = load_brian2()

ROOMS = (neuro, circuits, encoders, bridges, sims)
INTERNAL = {
    "neuro.units": "the gate itself",
    "neuro.bins": "inside measures, which have checked",
    "neuro.equations": "compiles models that are checked",
    "neuro.build": "inside `simulate`, which has checked",
    "neuro.edges": "inside `simulate`",
    "neuro.stability": "inside `simulate`",
    "neuro.timing": "inside `simulate`",
    "neuro.raw_run": "what an engine gives back",
    "neuro.backends.numba": "inside `simulate`",
    "neuro.backends.brian": "inside `simulate`",
    "neuro.backends.lava": "inside `simulate`, but for `losses` and the report",
    "neuro.backends.norse": "inside `simulate`, but for `torch_network` and the layers",
    "neuro.nir.maps": "inside `read`",
    "neuro.nir.own": "inside `read`",
    "neuro.nir.readers": "inside `read`",
    "neuro.nir.reading": "what `read` gives back",
    "neuro.nir.units": "reads what a file notes",
    "encoders.cochlea._kernels": "compiled",
    "sims.config": "schemas, whose fields read text by `parse_quantity`",
    "sims.assembly": "takes a checked config",
    "sims.cli": "takes a checked config",
    "sims.compare": "takes a checked config",
    "sims.long_run": "takes a checked config",
    "sims.report": "draws what a run file holds",
    "sims.store": "writes and reads plain numbers",
    "sims.sweep": "takes a checked config",
    "sims.train": "takes a checked config",
}
"""Modules whose functions a user does not call with quantities, and why."""
OPEN = {
    "neuro.backends.lava.lost", "neuro.backends.lava.report", "neuro.backends.norse.making",
    "neuro.backends.norse.adapter",
}  # fmt: skip
"""Modules inside those that a user does call."""
ELSEWHERE = {
    ("neuro.modulation", "Transmitter", "schedule"): "pairs of two dimensions",
    ("neuro.modulation", "Receptor.occupancy", "concentration"): "no unit in its name",
}
"""Parameters that the walk cannot try, and why; `test_units_inputs` tries them."""


class Parameter(NamedTuple):
    """One parameter of the API, and what sets it."""

    module: str
    label: str
    name: str
    dimension: Dimension
    shift: int
    bare: bool
    owner: Any
    call: Callable[..., Any]


def _modules() -> Iterator[ModuleType]:
    for room in ROOMS:
        yield room
        for found in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
            if not any(part.startswith("_") for part in found.name.split(".")):
                yield importlib.import_module(found.name)


def _internal(module: str) -> bool:
    inside = any(module == name or module.startswith(name + ".") for name in INTERNAL)
    return inside and module not in OPEN


def _need(name: str, annotation: Any) -> tuple[Dimension, int, bool] | None:
    dimensions = [leaf for leaf in _leaves(annotation) if isinstance(leaf, Dimension)]
    if len(dimensions) == 1:
        bare = not any(leaf is Quantity or hasattr(leaf, "draw") for leaf in _leaves(annotation))
        return dimensions[0], surface_shift(dimensions[0]) if bare else 0, bare
    if dimensions:
        return None  # stands in ELSEWHERE
    suffix = suffix_of(name)
    if suffix is None or annotation is bool or "Callable" in str(annotation):
        return None
    return *SUFFIXES[suffix], True


def _leaves(annotation: Any) -> Iterator[Any]:
    parts = [*getattr(annotation, "__args__", ()), *getattr(annotation, "__metadata__", ())]
    if not parts:
        yield annotation
    for part in parts:
        yield from [part] if isinstance(part, Dimension) else _leaves(part)


def _set_field(kind: type, name: str, value: Any) -> None:
    """Run the checks of a dataclass with one field set and the rest empty."""
    instance = object.__new__(kind)
    for field in dataclasses.fields(kind):
        object.__setattr__(instance, field.name, value if field.name == name else None)
    instance.__post_init__()  # type: ignore[attr-defined]


def _of_class(kind: type) -> Iterator[tuple[str, Any, Callable[[str, Any], Any]]]:
    own_init = "__init__" in vars(kind) and not (
        dataclasses.is_dataclass(kind) and not hasattr(kind.__init__, "__wrapped__")
    )
    if dataclasses.is_dataclass(kind) and not own_init:
        yield kind.__name__, kind, lambda name, value: _set_field(kind, name, value)
    elif own_init:
        yield kind.__name__, kind.__init__, lambda name, value: kind(**{name: value})
    for name, member in vars(kind).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            call = lambda n, value, f=member: f(None, **{n: value})  # noqa: E731
            yield f"{kind.__name__}.{name}", member, call


@cache
def parameters() -> list[Parameter]:
    found: dict[tuple[str, str, str], Parameter] = {}
    for module in _modules():
        for exported in getattr(module, "__all__", ()):
            item = getattr(module, exported)
            home = getattr(item, "__module__", "") or ""
            if home.split(".")[0] not in {room.__name__ for room in ROOMS} or _internal(home):
                continue
            if any(part.startswith("_") for part in home.split(".")):
                continue
            if inspect.isclass(item):
                result = hasattr(item, "_fields") or getattr(item, "_is_protocol", False)
                if result or issubclass(item, (BaseModel, BaseException)):
                    continue  # what comes out, or a schema
                ways = list(_of_class(item))
            elif inspect.isfunction(item):
                ways = [(exported, item, lambda name, value, f=item: f(**{name: value}))]
            else:
                continue
            for label, owner, call in ways:
                known = (
                    {f.name for f in dataclasses.fields(owner)}
                    if inspect.isclass(owner)
                    else (set(inspect.signature(owner).parameters))
                )
                for name, annotation in _annotations(owner).items():
                    need = _need(name, annotation) if name in known else None
                    if need is not None and (home, label, name) not in ELSEWHERE:
                        found[home, label, name] = Parameter(
                            home, label, name, *need, owner, lambda v, c=call, n=name: c(n, v)
                        )
    return list(found.values())


def test_the_walk_finds_the_api() -> None:
    labels = {parameter.label for parameter in parameters()}
    assert len(parameters()) > 150
    assert {"simulate", "Spikes", "Projection", "vector_strength", "heat_fibres", "Transmitter",
            "Signal", "psth", "torch_network", "counts", "LiveSensor"} <= labels  # fmt: skip
    for module in (*INTERNAL, *OPEN):
        importlib.import_module(module)  # none of the two lists is out of date
    for module, label, name in ELSEWHERE:
        owner: Any = importlib.import_module(module)
        for part in label.split("."):
            owner = getattr(owner, part)
        assert name in inspect.signature(owner).parameters


def _wrong(dimension: Dimension) -> Quantity:
    return mV(3) if dimension == TIME else ms(3)


def _let_through(call: Callable[[Any], Any], wrong: Any, said: str) -> str:
    """Empty if the call refuses the value in one line with `said`; else, what it did instead."""
    try:
        call(wrong)
    except UnitError as error:
        refused = said in str(error) and "\n" not in str(error)
        return "" if refused else str(error)
    except Exception as error:
        return repr(error)
    return f"accepted {wrong}"


def test_a_wrong_dimension_is_refused_by_every_parameter() -> None:
    accepted = []
    for each in parameters():
        for wrong in (_wrong(each.dimension), [_wrong(each.dimension)] * 2):
            if found := _let_through(each.call, wrong, f"`{each.name}`"):
                accepted.append(f"{each.module}.{each.label}: `{each.name}`: {found}")
    assert accepted == []


def test_a_number_without_a_unit_takes_none() -> None:
    """Of each function that a scientist calls; one that has a unit would be stripped of it."""
    accepted, tried = [], 0
    for module in _modules():
        if not module.__name__.startswith(("neuro.measures", "circuits", "encoders")):
            continue
        for exported in getattr(module, "__all__", ()):
            item = getattr(module, exported)
            if not inspect.isfunction(item) or "._" in item.__module__:
                continue
            for name, annotation in _annotations(item).items():
                if _need(name, annotation) is not None or not _is_number(annotation):
                    continue
                for wrong in (mV(3), [mV(3)], mV([1, 2]), 3 * brian2.mV, REGISTRY("3 mV")):
                    tried += 1
                    said = f"`{name}`: expected a number without a unit"
                    if found := _let_through(lambda v: item(**{name: v}), wrong, said):  # noqa: B023
                        accepted.append(f"{item.__module__}.{exported}: `{name}`: {found}")
    assert accepted == []
    assert tried > 200


REGISTRY = pint.UnitRegistry()
SI = {"time": ("second", "s"), "voltage": ("volt", "V"), "current": ("amp", "A"),
      "concentration": ("mmolar", "mmol/L"), "length": ("meter", "m")}  # fmt: skip


def _kinds(number: float, dimension: Dimension) -> dict[str, Any]:
    """`number` in the unit that a person writes, in each package that has one."""
    ours = Quantity(number, dimension)
    if dimension in (LEVEL, NUMBER):
        return {"ours": ours, "text": ours.text}
    if dimension == TEMPERATURE:
        kelvin = number + 273.15
        return {"ours": ours, "text": ours.text, "brian2": kelvin * brian2.kelvin,
                "pint": REGISTRY.Quantity(number, "degC"), "quantities": kelvin * pq.K}  # fmt: skip
    kinds: dict[str, Any] = {"ours": ours, "text": ours.text}
    si: dict[str, Any] = {"brian2": number / coherent_factor(dimension), "pint": 1, "quantities": 1}
    si["pint"] = si["brian2"] * REGISTRY.dimensionless
    si["quantities"] = si["brian2"] * pq.dimensionless
    units = {
        "brian2": (brian2.second, brian2.volt, brian2.amp, brian2.mmolar, brian2.meter),
        "pint": tuple(REGISTRY(u) for u in ("s", "V", "A", "mol/m**3", "m")),
        "quantities": (pq.s, pq.V, pq.A, pq.mol / pq.m**3, pq.m),
    }
    for package, bases in units.items():
        value = si[package]
        for base, power in zip(bases, dimension, strict=False):
            if power:
                value = value * base ** float(power)
        kinds[package] = value
    return kinds


def test_a_quantity_of_any_package_gives_what_the_bare_number_gives() -> None:
    differ = []
    tried = {(p.label, p.name): p for p in parameters()}.values()
    for each in tried:
        if each.dimension.temperature and each.dimension != TEMPERATURE:
            continue  # Hz per °C: no package writes it
        gate = gates_of(each.owner, each.label)[each.name]
        expected = 0.3 if not each.shift else float(np.float64(0.3))
        coherent_number = expected * 10.0**-each.shift
        coherent_number = float(f"{coherent_number:.15g}")
        for package, value in _kinds(coherent_number, each.dimension).items():
            for one in (value, [value]):
                try:
                    found = gate(one)
                except UnitError as error:
                    if isinstance(one, list) and "one" in str(error):
                        continue  # it takes one value
                    if isinstance(one, list) and "1 values" in str(error):
                        continue
                    differ.append(f"{each.label}: `{each.name}` from {package}: {error}")
                    continue
                number = float(np.ravel(coherent(found))[0])
                wanted = expected if each.bare else coherent_number
                if number != pytest.approx(wanted, rel=4e-16 if package != "brian2" else 1e-15):
                    differ.append(f"{each.label}: `{each.name}` from {package}: {number}")
    assert differ == []


def test_a_bare_number_passes_unchanged_where_the_name_has_its_unit() -> None:
    for each in parameters():
        gate = gates_of(each.owner, each.label)[each.name]
        if each.bare:
            number, array = 3.5, np.array([3.0, 4.0], np.float32)
            assert gate(number) is number
            try:
                assert gate(array) is array
            except UnitError as error:
                assert "expected one value" in str(error)  # noqa: PT017
        elif each.dimension != NUMBER and each.name != "delay":
            with pytest.raises(UnitError, match="found the bare number"):
                gate(3.0)


@pytest.mark.parametrize("bad", [True, 1j, None, {}, object(), float("nan"), np.bool_(False)])
def test_no_parameter_takes_what_is_no_number(bad: Any) -> None:
    if bad is None:
        with pytest.raises(UnitError):
            neuro.simulate(neuro.Network(), duration_ms=None)  # type: ignore[arg-type]
        return
    for each in parameters():
        if each.name == "delay" and bad != bad:
            continue  # one of many may be NaN; `prepare` refuses it
        with pytest.raises(UnitError, match=f"`{each.name}`"):
            each.call(bad)
