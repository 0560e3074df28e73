"""Which mailbox each spike goes to, and what arrives from it: delivery without gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from neuro.backends.norse.bound import BoundNetwork
from neuro.backends.norse.events import Mailbox, Route
from neuro.backends.norse.state import NetworkState

if TYPE_CHECKING:
    from neuro.backends.norse.network import TorchNetwork

__all__ = ["Arriving", "Post"]


class Arriving(NamedTuple):
    """Some columns of a mailbox.

    Attributes:
        population, state: What they are added to.
        factor: The key of the factor on them, or empty.
        scale: `(batch, 1)` the weight of all their edges, where each row has its own.
        first, n: Which columns.
    """

    population: str
    state: str
    factor: str
    scale: Tensor | None
    first: int
    n: int


class Post:
    """The mailboxes of all groups.

    Args:
        ahead: Steps that are taken at once at most.
    """

    def __init__(self, network: TorchNetwork, bound: BoundNetwork, batch: int, ahead: int) -> None:
        self._columns: list[list[Arriving]] = []
        self._boxes: list[Mailbox] = []
        self._senders: list[set[str]] = []
        for number in range(len(network.plan.groups)):
            columns: dict[tuple[object, ...], Arriving] = {}
            routes: list[Route] = []
            for projection in network.plan.incoming[number]:
                data = projection.projection
                paths = network.paths[data.name]
                factor = network.plan.weight_factors.get(data.name, "")
                for state, values in bound.increments[data.name].items():
                    scale = None
                    if values.ndim == 2 and values.shape[1] == 1:
                        scale, values = values, values.new_ones(())
                    key = (data.target, state, factor, None if scale is None else data.name)
                    first = sum(one.n for one in columns.values())
                    column = columns.setdefault(
                        key, Arriving(data.target, state, factor, scale, first, paths.n_post)
                    )
                    routes.append(Route(data.source, paths, values, column.first))
            width = sum(one.n for one in columns.values())
            self._columns.append(list(columns.values()))
            self._boxes.append(Mailbox(routes, width, batch, ahead, network.like))
            self._senders.append({route.sender for route in routes})

    def begin(self, state: NetworkState) -> None:
        """Enter what is under way."""
        for box, senders in zip(self._boxes, self._senders, strict=True):
            for sender in senders:
                recent = state.spikes[sender]
                box.post(sender, recent, state.step - recent.shape[0], state.step)

    def senders(self, group: int) -> set[str]:
        """Who sends to a group through static synapses."""
        return self._senders[group]

    def post(self, group: int, sender: str, spikes: Tensor, first: int) -> None:
        """Enter spikes, `(n_steps, batch, n)` from step `first` on, on their way to a group."""
        self._boxes[group].post(sender, spikes, first)

    def collect(self, group: int, first: int, n_steps: int) -> list[tuple[Arriving, Tensor]]:
        """What falls due in some steps, `(n_steps, batch, n)` each."""
        if not self._columns[group]:
            return []
        due = self._boxes[group].collect(first, n_steps)
        return [(one, due[..., one.first : one.first + one.n]) for one in self._columns[group]]
