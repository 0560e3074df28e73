"""What `ember check` checks for each kind of config."""

from __future__ import annotations

from sims.config import Loaded
from sims.progress import Progress

__all__ = ["check_config"]


def check_config(loaded: Loaded, progress: Progress) -> str:
    """Check everything that can be checked without simulating; one line on what was found.

    Raises:
        EmberError: one line with file, line and key of what is wrong.
    """
    if loaded.kind == "train":
        return "fine; a training"
    if loaded.kind == "sweep":
        from sims.sweep.check import check_sweep

        network = check_sweep(loaded, progress).network
    else:
        from sims.assembly import check_experiment

        network = check_experiment(loaded, progress).network
    parts = {
        "stimulus output": len(network.sources),
        "population": len(network.populations),
        "cell": sum(population.n for population in network.populations),
        "projection": len(network.projections),
        "background": len(network.backgrounds),
        "transmitter": len(network.transmitters),
    }
    if loaded.kind == "sweep":
        from sims.sweep.check import plan_of

        progress("checking the points")
        parts["sweep point"] = len(plan_of(loaded).points)
    counts = [
        f"{number:,} {what}{'' if number == 1 else 's'}" for what, number in parts.items() if number
    ]
    return f"fine; {', '.join(counts)}"
