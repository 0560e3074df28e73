"""A network of another tool, from a NIR file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from circuits.circuit import Circuit, Port, circuit
from neuro.errors import NetworkError
from neuro.signal import Signal

if TYPE_CHECKING:
    from neuro.nir.reading import Reading


@circuit
def nir(
    inputs: Sequence[Port] = (),
    currents: Sequence[Signal] = (),
    *,
    file: Path,
    units: Literal["noted", "plain", "SI", "norse"] = "noted",
    loops: Literal["refuse", "one_step"] = "refuse",
    dt_ms: float,
) -> Circuit:
    """The network in a NIR file, of whichever tool (Pedersen et al. 2024, Nat Commun 15:8122).

    Its neurons are populations by the names of their nodes, each an output. They take the steps
    that tools which read NIR take, so their spikes are those of the tool, a few steps later.

        inputs --> the file's Input nodes --> its neurons

    Args:
        inputs: Spikes for the file's Input nodes, in the order of their names.
        currents: Signals for the Input nodes after those.
        file: The NIR file.
        units: What its numbers stand for: as it notes itself, plain numbers, SI units, or what
            Norse's export makes of them.
        loops: What to do with a loop that has no Delay node: refuse it, or give it one step, as
            other tools do.
    """
    from neuro.nir.read import read  # every command lists the circuits, few read a file

    said = None if units == "noted" else units
    reading = read(file, dt_ms=dt_ms, units=said, loops=loops)
    if currents:  # which inputs they are, the file had to say first
        taken = list(reading.inputs)[len(inputs) :]
        reading = read(file, dt_ms=dt_ms, units=said, loops=loops,
                       currents=[reading.nodes[name] for name in taken])  # fmt: skip
    _check(file, reading, inputs, currents)
    ports = dict(zip(reading.inputs, inputs, strict=True))
    net = Circuit("nir")
    net.populations = list(reading.populations)
    net.projections = [
        replace(p, source=ports[p.source].name) if p.source in ports else p
        for p in reading.projections
    ]
    net.drives = list(reading.drives(dict(zip(reading.currents, currents, strict=True))))
    return net.with_outputs(**{p.name: Port.of(p) for p in net.populations})


def _check(
    file: Path, reading: Reading, inputs: Sequence[Port], currents: Sequence[Signal]
) -> None:
    wanted = {**reading.inputs, **reading.currents}
    widths = [s.values.shape[1] if s.values.ndim == 2 else 1 for s in currents]
    found = [*(port.n for port in inputs), *widths]
    if list(wanted.values()) != found:
        shown = ", ".join(f"`{name}` of {n:,}" for name, n in wanted.items()) or "none"
        raise NetworkError(
            f"nir: `{file}` has the inputs {shown}; found {', '.join(map(str, found)) or 'none'}: "
            f"name as many outputs of stimuli or circuits in `inputs` and `currents`"
        )
