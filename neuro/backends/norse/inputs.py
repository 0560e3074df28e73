"""What a network is driven by, given as tensors or taken from the network itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuro.build import Built
from neuro.errors import NetworkError, nearest
from neuro.timing import steps_of

__all__ = ["Inputs", "OwnInputs"]


class OwnInputs(torch.nn.Module):
    """The spikes of the sources and the drives that a network was built with."""

    def __init__(self, built: Built, dtype: torch.dtype) -> None:
        super().__init__()
        self._built, self._dtype = built, dtype
        self._frames: dict[tuple[str, str], tuple[int, str]] = {}
        for k, drive in enumerate(built.network.drives):
            every = steps_of(drive.dt_ms, built.dt_ms, f"dt of the drive of `{drive.variable}`")
            values = torch.tensor(np.asarray(drive.values, np.float64), dtype=dtype)
            self.register_buffer(f"drive_{k}", values.view(len(values), -1), persistent=False)
            self._frames[drive.population, drive.variable] = every, f"drive_{k}"

    def spikes(self, source: str, first: int, n_steps: int, like: Tensor) -> Tensor:
        """`(n_steps, 1, n)` of a source."""
        built = next(s for s in self._built.sources if s.source.name == source)
        low, high = np.searchsorted(built.steps, [first, first + n_steps])
        found = like.new_zeros(n_steps, 1, built.source.n)
        steps = torch.from_numpy(built.steps[low:high] - first)
        found[steps, 0, torch.from_numpy(built.units[low:high])] = 1.0
        return found

    def drive(self, population: str, variable: str, first: int, n_steps: int) -> Tensor:
        """`(n_steps, 1, 1 or n)` of a population's input; the last frame holds for ever."""
        every, name = self._frames[population, variable]
        frames: Tensor = self.get_buffer(name)
        at = torch.arange(first, first + n_steps, device=frames.device) // every
        return frames[at.clamp(max=frames.shape[0] - 1)][:, None]


class Inputs:
    """What is given to one pass, checked.

    Args:
        given: `(n_steps, batch, n)` spikes by a source's name, or `(n_steps, batch, 1 or n)`
            values by `population.variable`.
        streamed: `population.parameter` that must be given.

    Attributes:
        n_steps, batch: What they all have; None if nothing is given.

    Raises:
        NetworkError: if a name is unknown, or a shape or value does not fit.
    """

    def __init__(
        self, built: Built, own: OwnInputs, given: Mapping[str, Any], streamed: frozenset[str],
        like: Tensor,
    ) -> None:  # fmt: skip
        self._built, self._own, self._like = built, own, like
        widths = {s.source.name: s.source.n for s in built.sources}
        for population in built.populations:
            names = {f"{population.name}.{name}" for name in population.program.inputs}
            names |= {name for name in streamed if name.rpartition(".")[0] == population.name}
            widths |= dict.fromkeys(names, population.n)
        sources = {s.source.name for s in built.sources}
        self._given: dict[str, Tensor] = {}
        for name, values in given.items():
            if name not in widths:
                raise NetworkError(
                    f"inputs: `{name}` must be a source or a population's input"
                    f"{nearest(name, widths)} (known: {', '.join(widths) or 'none'})"
                )
            tensor = torch.as_tensor(values).to(like)
            allowed = {widths[name]} if name in sources else {1, widths[name]}
            if tensor.ndim != 3 or tensor.shape[2] not in allowed:
                raise NetworkError(
                    f"inputs: `{name}` must be (n_steps, batch, {widths[name]}), found shape "
                    f"{tuple(tensor.shape)}"
                )
            if not bool(torch.isfinite(tensor).all()):
                raise NetworkError(f"inputs: `{name}` must be finite, found NaN or infinity")
            self._given[name] = tensor
        if missing := sorted(streamed - set(given)):
            raise NetworkError(f"inputs: `{missing[0]}` is streamed and must be given, found none")
        self._streamed = streamed
        self.n_steps = self._common(0, "n_steps")
        self.batch = self._common(1, "batch")

    @property
    def needs_gradient(self) -> bool:
        """Whether anything given takes part in one."""
        return any(tensor.requires_grad for tensor in self._given.values())

    @property
    def whole(self) -> bool:
        """Whether all spikes that are given are 0 or 1."""
        sources = {s.source.name for s in self._built.sources} & set(self._given)
        return all(bool((x * x == x).all()) for x in (self._given[name] for name in sources))

    def _common(self, dimension: int, what: str) -> int | None:
        sizes = {name: tensor.shape[dimension] for name, tensor in self._given.items()}
        if len(set(sizes.values())) > 1:
            found = ", ".join(f"{size} of `{name}`" for name, size in sizes.items())
            raise NetworkError(f"inputs must have one {what}, found {found}")
        return next(iter(sizes.values()), None)

    def spikes(self, start: int, first: int, n_steps: int, batch: int) -> dict[str, Tensor]:
        """`(n_steps, batch, n)` of each source.

        Args:
            start: The step with which what is given begins.
        """
        found = {}
        for built in self._built.sources:
            name = built.source.name
            if name in self._given:
                spikes = self._given[name][first - start : first - start + n_steps]
            else:
                spikes = self._own.spikes(name, first, n_steps, self._like)
            found[name] = spikes.expand(-1, batch, -1)
        return found

    def drives(self, start: int, first: int, n_steps: int) -> dict[str, dict[str, Tensor]]:
        """`(n_steps, 1 or batch, 1 or n)` of each population's inputs."""
        found: dict[str, dict[str, Tensor]] = {}
        for population in self._built.populations:
            streamed = [n.rpartition(".")[2] for n in self._streamed
                        if n.rpartition(".")[0] == population.name]  # fmt: skip
            for variable in (*population.program.inputs, *streamed):
                name = f"{population.name}.{variable}"
                if name in self._given:
                    values = self._given[name][first - start : first - start + n_steps]
                else:
                    values = self._own.drive(population.name, variable, first, n_steps)
                found.setdefault(population.name, {})[variable] = values
        return found
