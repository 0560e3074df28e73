"""How many synapses a config has, and how many synaptic events its spikes made, on average."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["events", "outgoing"]


def outgoing(config: str, *overrides: str) -> dict[str, float]:
    """Synapses that leave each population or source, as its rules fix or expect them."""
    from neuro.network import participants
    from sims.assembly import build_experiment
    from sims.config import load

    network = build_experiment(load(config, list(overrides))).network
    sites = {member.name: member.site for member in participants(network)}
    found = dict.fromkeys(sites, 0.0)
    for projection in network.projections:
        pre, post = sites[projection.source], sites[projection.target]
        found[pre.name] += projection.rule.expected(pre, post, pre.name == post.name)
    return found


def events(figures: Mapping[str, Any], synapses: Mapping[str, float]) -> float:
    """Synaptic events of a run: each spike reaches as many synapses as its cell has on average."""
    return sum(
        about["spikes"] * synapses[name] / about["n"]
        for name, about in figures["populations"].items()
    )
