"""Transmitters, receptors and effects as tensors: one row a batch row, with gradients.

Concentrations are kept in double precision whatever the cells have, as in the other back ends:
there are few of them, and an error would last as long as a hormone does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from neuro.build import Built
from neuro.timing import release_steps

__all__ = ["Modulators", "modulator_values"]

_REAL = torch.float64


def modulator_values(built: Built) -> dict[str, float]:
    """Every number that can be trained or set for a batch, by its name.

    `na.per_spike`, `na.uptake` and `na.baseline` of transmitters, `beta.ec50` and `beta.hill` of
    receptors, and `beta.cells.g_L` for the factor that an effect of `beta` has at saturation.
    """
    network = built.network
    found: dict[str, float] = {}
    for t in network.transmitters:
        found |= {f"{t.name}.per_spike": float(t.per_spike), f"{t.name}.uptake": float(t.uptake)}
        if not t.schedule:
            found[f"{t.name}.baseline"] = float(t.baseline)
    for r in network.receptors:
        found |= {f"{r.name}.ec50": float(r.ec50), f"{r.name}.hill": float(r.hill)}
    for e in network.effects:
        found[f"{e.receptor}.{e.target}.{e.parameter}"] = float(e.at_saturation)
    return found


class Modulators(torch.nn.Module):
    """Concentrations over time, and what they make of parameters.

    `values` are those of `modulator_values`, each `()` or `(batch, 1)`.

    Attributes:
        keys: `target.parameter` of each factor, in the network's order.
        release: Steps from a spike to the rise of each concentration.
    """

    def __init__(self, built: Built) -> None:
        super().__init__()
        self._network, self._dt_ms = built.network, built.dt_ms
        self.keys = list(dict.fromkeys(f"{e.target}.{e.parameter}" for e in built.network.effects))
        self.release = [
            release_steps(float(t.delay), built.dt_ms) for t in built.network.transmitters
        ]
        self.register_buffer("_anchor", torch.zeros((), dtype=_REAL), persistent=False)

    def initial(self, values: Mapping[str, Tensor], batch: int) -> list[Tensor]:
        """`(batch, 1)` of each transmitter: where it starts."""
        return [self._baseline(k, values, 0, 1)[0].expand(batch, 1)
                for k in range(len(self.release))]  # fmt: skip

    def course(
        self, k: int, before: Tensor, released: Tensor | None, values: Mapping[str, Tensor],
        first: int, n_steps: int,
    ) -> Tensor:  # fmt: skip
        """`(n_steps, batch, 1)` of transmitter k at the start of steps `first …`.

        Args:
            before: `(batch, 1)` in the step before the first; where the first is step 0, there.
            released: `(n_steps, batch, 1)` share of the releasing cells that spiked `release[k]`
                steps before each of the steps; None if nothing releases it.
        """
        name = self._network.transmitters[k].name
        decay = torch.exp(-self._dt_ms / values[f"{name}.uptake"])
        baseline = self._baseline(k, values, first - 1, n_steps)
        level, levels = before, []
        for step in range(n_steps):
            if first + step > 0:
                level = baseline[step] + (level - baseline[step]) * decay
                if released is not None:
                    level = level + values[f"{name}.per_spike"] * released[step]
            levels.append(level)
        return torch.stack(torch.broadcast_tensors(*levels))

    def _baseline(self, k: int, values: Mapping[str, Tensor], first: int, n_steps: int) -> Tensor:
        transmitter = self._network.transmitters[k]
        if not transmitter.schedule:
            level = values[f"{transmitter.name}.baseline"]
            return level.reshape(1, *(level.shape or (1, 1))).expand(n_steps, -1, -1)
        at_ms = (first + np.arange(n_steps)) * self._dt_ms
        anchor: Tensor = self.get_buffer("_anchor")
        return torch.as_tensor(transmitter.baseline_at(at_ms)).to(anchor).view(-1, 1, 1)

    def factors(
        self, levels: Mapping[int, Tensor], values: Mapping[str, Tensor], keys: Iterable[str]
    ) -> dict[str, Tensor]:
        """The factor of each modulated parameter, `(…, batch, 1)`, by its key.

        Args:
            levels: Transmitters by number, `(…, batch, 1)` each; all that the keys need.
        """
        network = self._network
        numbers = {t.name: k for k, t in enumerate(network.transmitters)}
        receptors = {r.name: r for r in network.receptors}
        occupancy: dict[str, Tensor] = {}
        found: dict[str, Tensor] = {}
        for key in keys:
            ours = [e for e in network.effects if f"{e.target}.{e.parameter}" == key]
            needed = {e.receptor: numbers[receptors[e.receptor].transmitter] for e in ours}
            total: Tensor | None = None
            for effect in ours:
                name = effect.receptor
                if name not in occupancy:
                    occupancy[name] = _occupancy(
                        levels[needed[name]], values[f"{name}.ec50"], values[f"{name}.hill"]
                    )
                full = values[f"{name}.{effect.target}.{effect.parameter}"]
                part = (full - 1) * occupancy[name]
                total = part if total is None else total + part
            if total is not None:
                found[key] = torch.relu(1 + total)
        return found


def _occupancy(concentration: Tensor, ec50: Tensor, hill: Tensor) -> Tensor:
    """`c^n/(EC50^n + c^n)`; where there is none of it, 0, with a gradient of 0."""
    some = concentration > 0
    # By logarithms, since powers may be beyond the range of the type; that of 0 has no slope.
    ratio = torch.where(some, concentration, 1.0) / ec50
    return torch.where(some, torch.sigmoid(hill * torch.log(ratio)), 0.0)
