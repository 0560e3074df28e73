"""A trained module as the Ember network it now is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuro.errors import NetworkError
from neuro.network import Network, Population, Projection
from neuro.wiring import Listed

if TYPE_CHECKING:
    from neuro.backends.norse.network import TorchNetwork

__all__ = ["written_back"]

Values = dict[str, NDArray[np.float64]]
Trained = Callable[[Mapping[str, Tensor]], Values]


def written_back(module: TorchNetwork) -> Network:
    """The network of a module, with the values that its parameters have now, for any back end.

    Trained parameters and start values of populations and trained weights of projections are
    taken over. A projection whose weights were trained lists its edges one by one.

    Raises:
        NetworkError: if something else was trained, such as a modulator.
    """
    left = {id(parameter): name for name, parameter in module.named_parameters()}

    def trained(values: Mapping[str, Tensor]) -> Values:
        found: Values = {}
        for name, tensor in values.items():
            if left.pop(id(tensor), None) is not None:
                found[name] = tensor.detach().to("cpu", torch.float64).numpy().copy()
        return found

    network = module.built.network
    populations = tuple(_population(p, module, trained) for p in network.populations)
    projections = tuple(_projection(p, module, trained) for p in network.projections)
    if left:
        raise NetworkError(
            f"only populations and weights of projections can be written back, found trained "
            f"`{next(iter(left.values()))}`; set its value in the network by hand"
        )
    return replace(network, populations=populations, projections=projections)


def _population(population: Population, module: TorchNetwork, trained: Trained) -> Population:
    cell = module.cells[population.name]
    parameters, initial = trained(cell.given.all()), trained(cell.start.all())
    known = {*population.model.parameters, "I_ext"}
    if odd := sorted(set(parameters) - known):
        raise NetworkError(
            f"population `{population.name}`: `{odd[0]}` is a parameter of its synapses, which "
            f"can not be written back; set it in the projection by hand"
        )
    return replace(
        population,
        parameters={**population.parameters, **parameters},
        initial={**population.initial, **initial},
    )


def _projection(projection: Projection, module: TorchNetwork, trained: Trained) -> Projection:
    weights = trained(module.weights[projection.name].all())
    if not weights:
        return projection
    built = next(p for p in module.built.projections if p.projection.name == projection.name)
    # The module's weights are in the order of the built edges, not in that of the rule.
    return replace(
        projection,
        rule=Listed(built.source, built.target),
        weight=np.broadcast_to(weights["weight"], built.source.shape).copy(),
        delay=np.asarray(built.delay_steps * module.built.dt_ms, np.float64),
    )
