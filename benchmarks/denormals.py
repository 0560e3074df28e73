"""What denormal numbers cost where nothing happens, and that flushing them takes the cost away.

Quiet cells, whose synaptic current has decayed, and the ear after a sound has ended, each with
denormals flushed and without. CPU time, both sides in turn.

    python benchmarks/denormals.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

import encoders.cochlea.gammatone
import neuro.backends.numba.kernel
from encoders.cochlea.gammatone import gammatone
from neuro import Network, NeuronModel, Population, simulate
from neuro.denormals import flush_denormals
from neuro.units import ms, pA

CELLS, STEPS, SAMPLES = 4000, 10_000, 400_000
CURRENT = NeuronModel(
    name="current",
    equations="dI_syn/dt = -I_syn/tau_s : amp",
    threshold="",
    reset="",
    parameters={"tau_s": ms(0.5)},
    initial={"I_syn": pA(100)},
    source="a decaying current",
)


@contextmanager
def as_before() -> Iterator[None]:
    """Stand in for `flush_denormals` and change nothing."""
    yield


def cells() -> float:
    """CPU time of quiet cells, in ns for each cell and step."""
    network = Network("quiet", (Population("cells", CURRENT, CELLS),))
    begun = time.process_time()
    simulate(network, duration_ms=STEPS * 0.1)
    return (time.process_time() - begun) / (CELLS * STEPS) * 1e9


def ear() -> float:
    """CPU time of one channel of the ear after a click, in ns for each sample."""
    click = np.zeros(SAMPLES)
    click[0] = 1.0
    begun = time.process_time()
    gammatone(click, 44_100.0, 2000.0)
    return (time.process_time() - begun) / SAMPLES * 1e9


def main() -> None:
    """Compare, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="runs of each side")
    repeats = parser.parse_args().repeats
    cases: tuple[tuple[str, Callable[[], float], str], ...] = (
        ("quiet cells", cells, "ns a cell and step"),
        ("ear after a click", ear, "ns a sample"),
    )
    places = (neuro.backends.numba.kernel, encoders.cochlea.gammatone)
    for name, run, unit in cases:
        found: dict[bool, list[float]] = {True: [], False: []}
        run()  # compile
        for _ in range(repeats):
            for flushed in (True, False):
                for place in places:
                    place.flush_denormals = flush_denormals if flushed else as_before  # type: ignore[attr-defined]
                found[flushed].append(run())
        with_, without = (statistics.median(found[side]) for side in (True, False))
        print(
            f"{name}: {with_:.2f} {unit} flushed, {without:.2f} as computed: "
            f"{without / with_:.1f} times"
        )


if __name__ == "__main__":
    main()
