"""How many synapses a config has, and how many synaptic events its spikes made, on average."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from _common import Failed

__all__ = ["events", "outgoing"]


def outgoing(config: str, *overrides: str) -> dict[str, float]:
    """Synapses that leave each population or source, as its rules fix or expect them.

    Raises:
        Failed: if a rule fixes no number.
    """
    from neuro.network import participants
    from neuro.wiring import AllToAll, FixedInDegree, FixedTotal, OneToOne, Pairwise
    from sims.assembly import build_experiment
    from sims.config import load

    network = build_experiment(load(config, list(overrides))).network
    cells = {member.name: member.n for member in participants(network)}
    found = dict.fromkeys(cells, 0.0)
    for projection in network.projections:
        n_pre, n_post, rule = cells[projection.source], cells[projection.target], projection.rule
        match rule:
            case FixedTotal():
                found[projection.source] += rule.n
            case FixedInDegree():
                found[projection.source] += rule.n * n_post
            case Pairwise():
                found[projection.source] += rule.probability * n_pre * n_post
            case AllToAll():
                found[projection.source] += n_pre * n_post
            case OneToOne():
                found[projection.source] += n_pre
            case _:
                raise Failed(f"{config}: `{projection.name}` must fix its number of synapses")
    return found


def events(figures: Mapping[str, Any], synapses: Mapping[str, float]) -> float:
    """Synaptic events of a run: each spike reaches as many synapses as its cell has on average."""
    return sum(
        about["spikes"] * synapses[name] / about["n"]
        for name, about in figures["populations"].items()
    )
