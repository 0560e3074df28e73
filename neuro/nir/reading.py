"""What a NIR graph is in Ember: populations and projections, and how to feed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from neuro.errors import nearest
from neuro.network import Drive, Network, Population, Projection, Source
from neuro.nir._synapses import drive_of
from neuro.nir.errors import NirError
from neuro.nir.maps import Incoming
from neuro.nir.units import Units
from neuro.signal import Signal
from neuro.spikes import Spikes

__all__ = ["Reading"]


@dataclass(frozen=True, eq=False)
class Reading:
    """What a NIR graph is in Ember.

    Attributes:
        populations, projections: As in a `Network`; a projection from an input of the graph has
            the input's name as its source.
        inputs: Inputs that take spikes, by their name in `projections`, with their size.
        currents: Inputs that take currents, with their size.
        outputs: Per output of the graph, the population it reports.
        lags: Per population, how many steps its spikes come after those of other tools.
        nodes: Per population or input, the name of its node in the graph.
        dt_ms: The step that it was read for.
        notes: What a reader should know, a sentence each.
        own: Whether this is a network that Ember wrote, unchanged, with its own models.
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    inputs: Mapping[str, int]
    currents: Mapping[str, int]
    outputs: Mapping[str, str]
    lags: Mapping[str, int]
    nodes: Mapping[str, str]
    dt_ms: float
    notes: tuple[str, ...] = ()
    own: bool = False
    _arriving: Mapping[str, Incoming] = field(default_factory=dict, repr=False)
    _units: Units = field(default_factory=Units, repr=False)

    def network(
        self,
        spikes: Mapping[str, Spikes] | None = None,
        currents: Mapping[str, Signal] | None = None,
        *,
        name: str = "nir",
    ) -> Network:
        """The network, fed.

        Args:
            spikes: For each of `inputs`.
            currents: For each of `currents`, `(n_frames, n)`, in the file's own unit of current.

        Raises:
            NirError: if an input gets nothing, or something of another size.
        """
        spikes, currents = spikes or {}, currents or {}
        _fits("spikes", self.inputs, {key: s.n_units for key, s in spikes.items()})
        widths = {key: np.atleast_2d(s.values.T).shape[0] for key, s in currents.items()}
        _fits("currents", self.currents, widths)
        return Network(
            name=name,
            populations=self.populations,
            sources=tuple(Source(key, spikes[key]) for key in self.inputs),
            projections=self.projections,
            drives=self.drives(currents),
        )

    def drives(self, currents: Mapping[str, Signal]) -> tuple[Drive, ...]:
        """What flows into cells over time: currents from outside, and constants that start late."""
        by_node = {self.nodes[key]: signal for key, signal in currents.items()}
        return tuple(
            drive_of(
                population, self._arriving[self.nodes[population.name]], by_node,
                self.lags[population.name], self.dt_ms, self._units,
            )
            for population in self.populations
            if population.model.inputs
        )  # fmt: skip


def _fits(what: str, wanted: Mapping[str, int], found: Mapping[str, int]) -> None:
    for key in found:
        if key not in wanted:
            raise NirError(f"{what} for `{key}`: there is no such input{nearest(key, wanted)}")
    for key, n in wanted.items():
        if key not in found:
            raise NirError(f"input `{key}` needs {what} of {n} units, found none")
        if found[key] != n:
            raise NirError(f"input `{key}` needs {what} of {n} units, found {found[key]}")
