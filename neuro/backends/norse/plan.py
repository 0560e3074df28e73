"""Who sends to whom, what scales what, and how long spikes are remembered: known before a pass."""

from __future__ import annotations

from collections.abc import Mapping

from neuro.backends.norse.connectivity import Paths
from neuro.backends.norse.parts import Parts
from neuro.backends.norse.schedule import groups_of, targets_of
from neuro.build import Built, BuiltProjection
from neuro.network import participants
from neuro.timing import release_steps

__all__ = ["Plan"]

Scaled = Mapping[str, Mapping[str, Mapping[str, str]]]


class Plan:
    """A network's wiring as a pass reads it, in every block of steps.

    Args:
        modulated: For `cells`, `edges` and `weight`, the key of the factor on each parameter of
            each owner.

    Attributes:
        groups: In which order, and how many steps at a time, populations are stepped.
        incoming: Of each group, the projections onto it whose synapses have no state.
        keys: Of each group, the factors that act on it.
        weight_factors: The key of the factor on the weight of a projection or background.
        ends: Source and target of each projection.
        depths: Of each sender, how many steps its spikes are remembered.
    """

    def __init__(self, built: Built, paths: Parts[Paths], modulated: Scaled) -> None:
        self._modulated = modulated
        network = built.network
        self.groups = groups_of(built, {name: p.shortest for name, p in paths.items()})
        self.incoming: list[list[BuiltProjection]] = [
            [p for p in built.projections
             if p.edge is None and p.projection.target in group.populations]
            for group in self.groups
        ]  # fmt: skip
        self.weight_factors = {name: each["weight"] for name, each in modulated["weight"].items()}
        self.ends = {p.name: (p.source, p.target) for p in network.projections}
        inputs = targets_of(network)
        self.keys: list[list[str]] = []
        for group in self.groups:
            onto = [name for name, target in inputs.items() if target in group.populations]
            owners = {"cells": group.populations, "edges": onto, "weight": onto}
            found: dict[str, None] = {}
            for kind, names in owners.items():
                for name in names:
                    found |= dict.fromkeys(modulated[kind].get(name, {}).values())
            self.keys.append(list(found))
        self.depths = dict.fromkeys((sender.name for sender in participants(network)), 1)
        for name, (source, _) in self.ends.items():
            self.depths[source] = max(self.depths[source], paths[name].depth)
        for transmitter in network.transmitters:
            if source := transmitter.released_by:
                release = release_steps(float(transmitter.delay), built.dt_ms)
                self.depths[source] = max(self.depths[source], release)

    def factors_on(self, kind: str, owner: str) -> Mapping[str, str]:
        """The key of the factor on each parameter of `cells`; for `edges`, on `weight` too."""
        found = self._modulated[kind].get(owner, {})
        if kind == "edges" and owner in self.weight_factors:
            return {**found, "weight": self.weight_factors[owner]}
        return found
