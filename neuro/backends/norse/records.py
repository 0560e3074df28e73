"""What a pass keeps besides spikes: traces of cells and edges, sampled before the step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from neuro.build import Built
from neuro.errors import NetworkError, nearest
from neuro.network import Record
from neuro.recorded import recorded_at
from neuro.timing import steps_of

__all__ = ["Watch", "watches"]


class Watch(NamedTuple):
    """A variable to keep.

    Attributes:
        owner, shown: A population and its variable, or, if `edges`, a projection and its.
        variable: The program's name of it.
        every: Steps from sample to sample.
        cells: Which cells or edges; all if empty.
    """

    owner: str
    shown: str
    variable: str
    edges: bool
    every: int
    cells: tuple[int, ...]

    @property
    def name(self) -> str:
        """`owner.variable`, as people call it."""
        return f"{self.owner}.{self.shown}"

    def taken(self, first: int, values: Tensor) -> Tensor:
        """The frames of `(n_steps, batch, n)` from step `first` on, of the chosen cells."""
        values = values[-first % self.every :: self.every]
        if not self.cells:
            return values
        return values[..., torch.tensor(self.cells, device=values.device)]


def watches(built: Built, records: Sequence[Record | str]) -> tuple[Watch, ...]:
    """The records as the pass needs them; a name such as `cells.v` keeps every cell and step.

    Raises:
        NetworkError: if there is no such variable.
    """
    return tuple(_watch(built, record) for record in records)


def _watch(built: Built, record: Record | str) -> Watch:
    if isinstance(record, str):
        record = Record(*_owned(built, record), built.dt_ms)
    place = recorded_at(built, record)
    if not place.variable:
        raise NetworkError(
            f"record: `{record.population}` has no variable `{record.variable}`"
            f"{nearest(record.variable, place.known)} (known: {', '.join(place.known) or 'none'})"
        )
    n = place.size(built)
    if odd := [cell for cell in record.cells if not 0 <= cell < n]:
        raise NetworkError(
            f"record: `{record.variable}` of `{record.population}`: "
            f"{'edges' if place.edges else 'cells'} must lie in 0..{n - 1}, found {odd[0]}"
        )
    every = steps_of(record.every_ms, built.dt_ms, f"every of `{record.variable}`")
    return Watch(
        record.population, record.variable, place.variable, place.edges, max(1, every), record.cells
    )


def _owned(built: Built, name: str) -> tuple[str, str]:
    """The owner and the variable of `cells.v`, or of `cells.ff.I_syn`; names may hold a stop."""
    parts = name.split(".")
    splits = [(".".join(parts[:k]), ".".join(parts[k:])) for k in range(len(parts) - 1, 0, -1)]
    owners = {p.name for p in built.populations} | {p.name for p in built.network.projections}
    return next((split for split in splits if split[0] in owners), (name, ""))
