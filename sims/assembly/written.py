"""Circuits that a config writes out: checked first, then their cells, then what joins them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from circuits.circuit import Circuit
from neuro.equations import check_model, check_synapse
from neuro.errors import EmberError, UnitError
from neuro.model import SynapseModel
from neuro.network import Drive
from neuro.units import parse_quantity
from sims.assembly.parts import Parts
from sims.config import Loaded
from sims.config.errors import KeyPath, hint
from sims.config.experiment import RunConfig
from sims.config.located import in_equations, located
from sims.config.values import as_value
from sims.config.written import (
    BackgroundSpec,
    PopulationSpec,
    ProjectionSpec,
    SynapseSpec,
    WrittenCircuit,
)

__all__ = ["cells_of", "check_written", "join"]

_DEAF = "is a stimulus, which takes no input"


def check_written(loaded: Loaded) -> None:
    """Check the equations of every neuron and synapse that is written out.

    Raises:
        EquationError: with the line of the equation, naming the term that is wrong.
    """
    config: RunConfig = loaded.config
    written = {n: c for n, c in config.circuits.items() if isinstance(c, WrittenCircuit)}
    cells = {
        name: population.neuron_model(key)
        for circuit_name, circuit in written.items()
        for key, population in circuit.populations.items()
        for name in (f"{circuit_name}.{key}", circuit.prefix + key)
    }
    for name, circuit in written.items():
        for key, population in circuit.populations.items():
            path: KeyPath = ("circuits", name, "populations", key)
            try:
                check_model(population.neuron_model(key))
            except EmberError as error:
                at = in_equations(path, population.equations or "", error)
                raise located(error, loaded, at) from None
        for kind, specs in _inputs(circuit):
            for number, spec in enumerate(specs):
                if isinstance(spec.synapse, SynapseSpec):
                    path = ("circuits", name, kind, number, "synapse")
                    # Cells of registered circuits are not known yet, and stand for any membrane.
                    ends = [
                        cells.get(f"{name}.{end}") or cells.get(end)
                        for end in (spec.target, getattr(spec, "source", ""))
                    ]
                    try:
                        check_synapse(spec.synapse_model, *ends)
                    except EmberError as error:
                        texts = spec.synapse
                        at = in_equations(path, texts.equations, error, texts.edges)
                        raise located(error, loaded, at) from None


def _inputs(
    circuit: WrittenCircuit,
) -> tuple[tuple[str, Sequence[ProjectionSpec | BackgroundSpec]], ...]:
    return (("projections", circuit.projections), ("backgrounds", circuit.backgrounds))


def cells_of(name: str, written: WrittenCircuit) -> Circuit:
    """The populations of a written-out circuit; its projections are joined later."""
    circuit = Circuit(name)
    for key, spec in written.populations.items():
        port = circuit.add(
            key,
            spec.neuron_model(key),
            spec.n,
            parameters=_values(spec),
            initial={k: as_value(v) for k, v in spec.initial.items() if not isinstance(v, str)},
            coordinates=spec.coordinate_values(),
        )
        circuit.with_outputs(**{key: port})
    return circuit


def _values(spec: PopulationSpec) -> dict[str, Any]:
    return {key: as_value(value) for key, value in spec.parameters.items()}


def join(parts: Parts, name: str, circuit: Circuit, models: dict[str, SynapseModel]) -> None:
    """Add what a written-out circuit's cells receive, now that all cells are there."""
    spec = parts.loaded.config.circuits[name]
    cells = {population.name: population for population in parts.populations()}
    for number, given in enumerate(spec.projections):
        path: KeyPath = ("circuits", name, "projections", number)
        pre = parts.port(given.source, (*path, "from"), circuit.outputs)
        post = parts.port(given.target, (*path, "to"), circuit.outputs)
        if post.name not in cells:
            raise parts.loaded.refusal((*path, "to"), f"`{given.target}` {_DEAF}")
        chosen = _named(given, f"{pre.name}_to_{post.name}", spec.prefix, path, parts)
        circuit.connect(
            pre,
            post,
            rule=given.rule.rule(),
            synapse=_shared(given, models),
            weight=None if given.weight is None else as_value(given.weight),
            delay=as_value(given.delay),
            parameters=given.parameters,
            name=chosen,
        )
    for number, given in enumerate(spec.backgrounds):
        path = ("circuits", name, "backgrounds", number)
        post = parts.port(given.target, (*path, "to"), circuit.outputs)
        if post.name not in cells:
            raise parts.loaded.refusal((*path, "to"), f"`{given.target}` {_DEAF}")
        circuit.background(
            post,
            synapse=_shared(given, models),
            rate=given.rate,
            weight=given.weight,
            n=given.n,
            parameters=given.parameters,
            name=_named(given, f"background_to_{post.name}", spec.prefix, path, parts),
        )
    for number, drive in enumerate(spec.drives):
        path = ("circuits", name, "drives", number)
        post = parts.port(drive.target, (*path, "to"), circuit.outputs)
        signal = parts.signal(drive.source, (*path, "from"))
        if post.name not in cells:
            raise parts.loaded.refusal((*path, "to"), f"`{drive.target}` {_DEAF}")
        model = cells[post.name].model
        if drive.variable not in model.inputs:
            raise parts.loaded.refusal(
                (*path, "variable"),
                f"model `{model.name}` has no input `{drive.variable}`"
                + hint(drive.variable, model.inputs),
            )
        wanted = model.inputs[drive.variable]
        try:
            unit = parse_quantity(1.0 if signal.unit == "1" else f"1 {signal.unit}", wanted)
        except UnitError:
            raise parts.loaded.refusal(
                (*path, "from"),
                f"`{drive.source}` is in {signal.unit}, but `{drive.variable}` is in {wanted.unit}",
            ) from None
        values = signal.values * float(unit)
        circuit.drives.append(Drive(post.name, drive.variable, values, signal.dt_ms))


def _named(
    given: ProjectionSpec | BackgroundSpec, usual: str, prefix: str, path: KeyPath, parts: Parts
) -> str:
    """The name it goes by, from now on known."""
    chosen = _free(prefix + (given.name or usual), parts)
    if given.name and chosen != prefix + given.name:
        raise parts.loaded.refusal((*path, "name"), f"the name `{given.name}` is taken")
    parts.places[chosen] = path
    return chosen


def _free(name: str, parts: Parts) -> str:
    """`name`, or with a number behind it if it is taken."""
    number, chosen = 1, name
    while chosen in parts.places:
        number += 1
        chosen = f"{name}_{number}"
    return chosen


def _shared(
    given: ProjectionSpec | BackgroundSpec, models: dict[str, SynapseModel]
) -> SynapseModel:
    """The synapse model; equal invented ones are one, so that they share their variables."""
    model = given.synapse_model
    if isinstance(given.synapse, str):
        return model
    key = json.dumps([given.synapse.model_dump(mode="json"), model.weight.dimension.unit])
    return models.setdefault(key, model)
