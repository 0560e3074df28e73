"""Lava's processes as data: cells, synapses and inputs in Loihi's whole numbers.

The same data is run by the emulator and by Lava itself. Nothing here knows of millivolts;
`quantise` does. Ranges are those of Loihi as the bit-accurate models of lava-nc 0.10.0 state them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.errors import NetworkError

__all__ = [
    "BIAS_MANTISSA", "DECAY", "DELAY", "EXPONENT", "FixedNetwork", "Inputs", "KINDS", "LifCells",
    "SIGN_MODES", "STATE", "Synapses", "THRESHOLD",
]  # fmt: skip

STATE = 2**23
"""Current and voltage have 24 bits: voltage is cut at ± (STATE - 1), current wraps round."""
DECAY = 4096
"""Decays are parts of this."""
THRESHOLD = 2**17 - 1
"""The largest threshold; it and weights stand 6 bits above the states."""
BIAS_MANTISSA = 2**12
"""Mantissas of a bias reach from -BIAS_MANTISSA to BIAS_MANTISSA - 1; its exponent from 0 to 7."""
EXPONENT = (-8, 7)
"""Of the weights of one process."""
DELAY = 63
"""Longest delay of a synapse, in steps, beyond the one step that every message takes."""
PAYLOAD = 2**16 - 1
"""Largest graded spike that is accepted here."""
KINDS = ("dense", "delay_dense", "sparse", "delay_sparse")
"""Lava's processes for synapses; the two with delays keep what is on its way."""
SIGN_MODES = ("auto", "null", "mixed", "excitatory", "inhibitory")
"""What signs the weights of a process may have; `auto` follows the weights."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """Spikes from outside: unit `units[k]` sends `payload[k]` (1 if it is None) in `steps[k]`."""

    name: str
    n: int
    steps: NDArray[np.int64]
    units: NDArray[np.int64]
    payload: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class LifCells:
    """`n` cells of one LIF process.

        u = u*(4096 - (du + 1))/4096 + 64*input       rounded toward zero; wraps at 24 bits
        v = v*(4096 - dv)/4096 + u + bias             rounded toward zero; cut at 24 bits
        spike if v > 64*vth, then v = 0

    `du`, `dv` and `vth` are those of the process; `bias_mant * 2**bias_exp`, `u` and `v` (the
    start) those of each cell, `(n,)`. With a `reset_interval`, it is Lava's LIFReset, which clears
    both states before the steps numbered `reset_offset` modulo the interval, counted from 1.
    """

    name: str
    n: int
    du: int
    dv: int
    vth: int
    bias_mant: NDArray[np.int64]
    bias_exp: NDArray[np.int64]
    u: NDArray[np.int64]
    v: NDArray[np.int64]
    reset_interval: int = 0
    reset_offset: int = 0


@dataclass(frozen=True, eq=False)
class Synapses:
    """One process of synapses: edge k from `sources[k]` to `targets[k]`.

    A spike of step t reaches the target's current in step t + 1 + delay; `delays` may be other
    than 0 for the two kinds that have them. What arrives in one step is summed, and the sum is
    shifted by `weight_exp`, downwards where that is negative. With `num_message_bits` a spike
    counts with its payload.
    """

    name: str
    source: str
    target: str
    kind: str
    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: NDArray[np.int64]
    delays: NDArray[np.int64]
    weight_exp: int = 0
    num_weight_bits: int = 8
    sign_mode: str = "auto"
    num_message_bits: int = 0


@dataclass(frozen=True, eq=False)
class FixedNetwork:
    """Processes that belong together.

    Raises:
        NetworkError: if a number is outside Loihi's range, or a name refers to nothing.
    """

    name: str
    cells: tuple[LifCells, ...]
    synapses: tuple[Synapses, ...] = ()
    inputs: tuple[Inputs, ...] = ()

    def __post_init__(self) -> None:
        senders: tuple[LifCells | Inputs, ...] = (*self.cells, *self.inputs)
        for names in ([part.name for part in senders], [part.name for part in self.synapses]):
            for name, times in Counter(names).items():
                if times > 1:
                    raise NetworkError(f"each process needs a name of its own, found two `{name}`")
        for cells in self.cells:
            _check_cells(cells)
        for inputs in self.inputs:
            _check_inputs(inputs)
        sizes = {part.name: part.n for part in senders}
        targets = {cells.name for cells in self.cells}
        for synapses in self.synapses:
            where = f"synapses `{synapses.name}`"
            _one_of(f"{where}: source", synapses.source, sizes)
            _one_of(f"{where}: target", synapses.target, targets)
            _check_synapses(synapses, where, sizes[synapses.source], sizes[synapses.target])
            for inputs in self.inputs:
                if synapses.num_message_bits and inputs.name == synapses.source:
                    _check_sums(synapses, inputs, where)

    @property
    def n_edges(self) -> int:
        """Synapses of all processes."""
        return sum(part.weights.size for part in self.synapses)


def _check_cells(cells: LifCells) -> None:
    where = f"cells `{cells.name}`"
    _within(f"{where}: n", cells.n, 1, 2**31 - 1)
    _within(f"{where}: du", cells.du, 0, DECAY - 1)
    _within(f"{where}: dv", cells.dv, 0, DECAY - 1)
    _within(f"{where}: vth", cells.vth, 0, THRESHOLD)
    _within(f"{where}: reset_interval", cells.reset_interval, 0, 2**31 - 1)
    for name, low, high in (
        ("bias_mant", -BIAS_MANTISSA, BIAS_MANTISSA - 1), ("bias_exp", 0, 7),
        ("u", 1 - STATE, STATE - 1), ("v", 1 - STATE, STATE - 1),
    ):  # fmt: skip
        values = getattr(cells, name)
        if np.shape(values) != (cells.n,):
            raise NetworkError(f"{where}: {name} needs {cells.n} values, found {np.shape(values)}")
        _within(f"{where}: {name}", values, low, high)


def _check_inputs(inputs: Inputs) -> None:
    where = f"inputs `{inputs.name}`"
    if inputs.steps.shape != inputs.units.shape:
        raise NetworkError(f"{where}: steps and units must be of one length")
    _within(f"{where}: n", inputs.n, 1, 2**31 - 1)
    _within(f"{where}: steps", inputs.steps, 0, 2**62)
    _within(f"{where}: units", inputs.units, 0, inputs.n - 1)
    if inputs.payload is not None:
        _within(f"{where}: payload", inputs.payload, 0, PAYLOAD)
    pairs = np.stack([inputs.steps, inputs.units])
    if np.unique(pairs, axis=1).shape[1] != inputs.steps.size:
        raise NetworkError(f"{where}: a unit may spike once a step, found one that does so twice")


def _check_synapses(synapses: Synapses, where: str, n_sources: int, n_targets: int) -> None:
    _one_of(f"{where}: kind", synapses.kind, KINDS)
    _one_of(f"{where}: sign_mode", synapses.sign_mode, SIGN_MODES)
    _within(f"{where}: weight_exp", synapses.weight_exp, *EXPONENT)
    _within(f"{where}: num_weight_bits", synapses.num_weight_bits, 0, 8)
    _within(f"{where}: num_message_bits", synapses.num_message_bits, 0, 32)
    sizes = {getattr(synapses, key).shape for key in ("sources", "targets", "weights", "delays")}
    if len(sizes) > 1:
        raise NetworkError(f"{where}: sources, targets, weights and delays must be of one length")
    _within(f"{where}: sources", synapses.sources, 0, n_sources - 1)
    _within(f"{where}: targets", synapses.targets, 0, n_targets - 1)
    _within(f"{where}: weights", synapses.weights, -(2**31), 2**31 - 1)
    _within(f"{where}: delays", synapses.delays, 0, DELAY if "delay" in synapses.kind else 0)
    pairs = synapses.sources.astype(np.int64) * n_targets + synapses.targets
    if np.unique(pairs).size != pairs.size:
        raise NetworkError(f"{where}: a matrix has one weight for each pair, found a pair twice")


def _check_sums(synapses: Synapses, inputs: Inputs, where: str) -> None:
    """Lava sums graded spikes in 32 bits or in 64, by the kind of process; both hold 31."""
    if inputs.payload is None or not synapses.targets.size:
        return
    most = 256 * int(np.bincount(synapses.targets).max()) * int(inputs.payload.max(initial=0))
    if most >= 2**31:
        raise NetworkError(
            f"{where}: graded spikes may add up to {2**31 - 1} at a cell, found up to {most}; "
            f"send smaller ones, or to fewer synapses of a cell"
        )


def _within(what: str, values: ArrayLike, low: int, high: int) -> None:
    array = np.asarray(values)
    if array.size and (array.min() < low or array.max() > high):
        odd = array.min() if array.min() < low else array.max()
        raise NetworkError(f"{what} must lie in {low}..{high}, found {odd}")


def _one_of(what: str, name: str, known: Iterable[str]) -> None:
    if name not in set(known):
        raise NetworkError(f"{what} must be one of {', '.join(known)}, found `{name}`")
