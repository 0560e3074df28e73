"""A network's values for one pass: trained, given for each row of a batch, or as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neuro.backends.norse.cells import Bound
from neuro.backends.norse.connectivity import Product
from neuro.backends.norse.names import Place, places
from neuro.equations.names import WEIGHT
from neuro.errors import NetworkError

if TYPE_CHECKING:
    from neuro.backends.norse.network import TorchNetwork

__all__ = ["BoundNetwork", "rows_of"]


def rows_of(name: str, value: Any) -> int:
    """How many batch rows a setting has.

    Raises:
        NetworkError: if it is no array with rows.
    """
    shape = torch.as_tensor(value).shape
    if len(shape) not in (1, 2) or not shape[0]:
        raise NetworkError(
            f"settings: `{name}` needs one value a row, (batch,), or (batch, n), found shape "
            f"{tuple(shape)}"
        )
    return int(shape[0])


class BoundNetwork:
    """Every number that a pass reads, with its gradients.

    Attributes:
        cells: Parameters and constants of each population.
        starts: Start values given for this pass, of each population.
        weights: What each projection's and background's weight is.
        edges: Parameters and constants of synapses with a state of their own.
        modulators: The numbers of transmitters, receptors and effects.
        increments: What a spike adds to which state, `()`, `(n_edges,)`, `(batch, 1)` or
            `(batch, n_edges)`, of each static projection.
        arrivals: The same of each background, `()` up to `(batch, n)`.
    """

    def __init__(self, network: TorchNetwork, settings: Mapping[str, Any], batch: int) -> None:
        self._network, self._batch = network, batch
        given = self._given(settings)
        self.cells: dict[str, Bound] = {}
        self.starts: dict[str, dict[str, Tensor]] = {}
        for name, cell in network.cells.items():
            self.cells[name] = cell.bind(given.get(("cells", name)))
            self.starts[name] = given.get(("start", name), {})
        self.weights = {name: values.all()["weight"] for name, values in network.weights.items()}
        for (kind, owner), found in given.items():
            if kind == "weight":
                self.weights[owner] = found["weight"]
        self.edges = {
            name: edge.bind(self.weights[name], given.get(("edges", name)))
            for name, edge in network.edges.items()
        }
        self.modulators = {**network.numbers(), **given.get(("modulator", ""), {})}
        self.increments = {
            p.projection.name: self._increments(p.projection.name, p.projection.target, p.port)
            for p in network.built.projections
            if p.edge is None
        }
        self.arrivals = {
            b.background.name: self._arriving(b.background.name, b.background.target, b.port)
            for b in network.built.backgrounds
        }

    def _given(self, settings: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Tensor]]:
        found: dict[tuple[str, str], dict[str, Tensor]] = {}
        for name, value in settings.items():
            for place in places(self._network.built, name, "settings"):
                tensor = self._setting(name, value, place)
                found.setdefault((place.kind, place.owner), {})[place.name] = tensor
        return found

    def _setting(self, name: str, value: Any, place: Place) -> Tensor:
        network = self._network
        dtype = torch.float64 if place.kind == "modulator" else network.dtype
        tensor = torch.as_tensor(value, dtype=dtype, device=network.device)
        rows = rows_of(name, tensor)
        width = network.width(place)
        tensor = tensor[:, None] if tensor.ndim == 1 else tensor
        if rows != self._batch or tensor.shape[1] not in (1, width):
            wide = f" or ({self._batch}, {width})" if width > 1 else ""
            raise NetworkError(
                f"settings: `{name}` must be ({self._batch},){wide} for a batch of {self._batch}, "
                f"found shape {tuple(torch.as_tensor(value).shape)}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise NetworkError(f"settings: `{name}` must be finite, found NaN or infinity")
        return tensor

    def _increments(self, name: str, target: str, port: int) -> dict[str, Tensor]:
        weight, cell = self.weights[name], self._network.cells[target]
        texts = cell.program.deliveries[port]
        if all(text == WEIGHT for _, text in texts):
            return {state: weight for state, _ in texts}
        edges = self._network.paths[name]
        every = weight.expand(*weight.shape[:-1], edges.n_edges)
        return cell.increments(port, every, _OfTargets(self.cells[target], edges.target, cell.n))

    def _arriving(self, name: str, target: str, port: int) -> dict[str, Tensor]:
        cell = self._network.cells[target]
        return cell.increments(port, self.weights[name], self.cells[target])

    def products(self) -> dict[str, dict[str, Product]]:
        """The operators of each static projection, one for each state that it adds to."""
        found: dict[str, dict[str, Product]] = {}
        for name, increments in self.increments.items():
            paths, made = self._network.paths[name], dict[int, Product]()
            found[name] = {}
            for state, values in increments.items():
                if id(values) not in made:
                    made[id(values)] = paths.prepare(values)
                found[name][state] = made[id(values)]
        return found


class _OfTargets(dict[str, Tensor]):
    """Values of cells, `(…, n)`, as the edges that end on them read them; looked up when asked."""

    def __init__(self, bound: Bound, target: Tensor, n: int) -> None:
        super().__init__()
        self._bound, self._target, self._n = bound, target, n

    def __missing__(self, name: str) -> Tensor:
        value = self._bound[name]
        if value.ndim and value.shape[-1] == self._n:
            value = value[..., self._target]
        self[name] = value
        return value
