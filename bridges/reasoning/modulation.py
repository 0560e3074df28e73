"""How neuromodulation reaches the reasoner without passing through words.

A run of circuits hands numbers to the bridge: the factors on `reasoner.gain`, `reasoner.budget`,
`reasoner.temperature` and `reasoner.noise`, which receptors of a transmitter have set. They reach
the model as named inputs beside what is sensed; where none is given, not a bit changes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from neuro.errors import ConfigError
from neuro.recording import Recording

__all__ = [
    "BUDGET", "Modulation", "budget_factor", "budgets", "check_modulation", "factors",
    "halting_budget",
]  # fmt: skip

_ROOM = "reasoner."
BUDGET = f"{_ROOM}budget"
_MOST_STEPS = 2**53
"""Beyond which float64 has no longer every whole number; nobody will ever think as long."""
_DTYPES = {"budget": torch.float64}


class Modulation(NamedTuple):
    """How the reasoning about each item is coloured; each `(batch,)`, of floats, or None.

    Attributes:
        gain: Factor on x: how loud the input is beside the thought. 1 is neutral.
        budget: Factor on the supervision steps an item may take. 1 is neutral. Best float64: in
            float32 a factor of 0.7 is a little less, and 5 * 0.7 no longer rounded up.
        temperature: Divides the logits of the answer. 1 is neutral.
        noise: Standard deviation of what is added to the latent state, whose mean square is 1,
            before each supervision step. 0 is neutral.
    """

    gain: Tensor | None = None
    budget: Tensor | None = None
    temperature: Tensor | None = None
    noise: Tensor | None = None

    @classmethod
    def of(cls, batch: int, **values: float) -> Modulation:
        """The same modulation for every item of a batch, by name: float32, the budget float64.

        Raises:
            ConfigError: if a name is unknown, a value is negative or not finite, or the
                temperature is 0.

        >>> Modulation.of(2, gain=1.3).gain
        tensor([1.3000, 1.3000])
        """
        for name, value in values.items():
            if name not in cls._fields:
                raise ConfigError(
                    f"a modulation must be one of {', '.join(cls._fields)}, found {name!r}"
                )
            if not _allowed(name, torch.tensor(value, dtype=torch.float64)).item():
                raise ConfigError(f"a `{name}` must be finite and {_least(name)}, found {value}")
        return cls(**{
            name: torch.full((batch,), float(value), dtype=_DTYPES.get(name, torch.float32))
            for name, value in values.items()
        })  # fmt: skip


def check_modulation(modulation: Modulation, batch: int, *, values: bool) -> None:
    """Hold a modulation against the items it is for.

    Args:
        batch: Items.
        values: Whether to look at the numbers too, for which a device must finish what it does.

    Raises:
        ConfigError: for the first field that does not fit.
    """
    for name, given in modulation._asdict().items():
        if given is None:
            continue
        if tuple(given.shape) != (batch,) or not given.is_floating_point():
            raise ConfigError(
                f"a modulation of {batch} items needs a `{name}` of shape ({batch},), of floats, "
                f"found {tuple(given.shape)}, {given.dtype}"
            )
        if values:
            wrong = given[~_allowed(name, given)]
            if wrong.numel():
                raise ConfigError(
                    f"a `{name}` must be finite and {_least(name)}, found {wrong[0].item()}"
                )


def _allowed(name: str, values: Tensor) -> Tensor:
    if name != "budget":  # the others are reckoned with in float32
        values = values.float()
    return values.isfinite() & (values > 0 if name == "temperature" else values >= 0)


def _least(name: str) -> str:
    return "above 0" if name == "temperature" else "0 or more"


def halting_budget(max_steps: int, factor: float) -> int:
    """Supervision steps an item may take: `max_steps * factor`, rounded, and 1 at the least.

    Raises:
        ConfigError: if `max_steps` is below 1, or the factor is negative or not finite.

    >>> halting_budget(8, 0.6), halting_budget(8, 0.0), halting_budget(8, 1.5)
    (5, 1, 12)
    """
    if max_steps < 1:
        raise ConfigError(f"a halting budget needs 1 step or more, found {max_steps}")
    if not (math.isfinite(factor) and factor >= 0):
        raise ConfigError(f"a budget factor must be finite and 0 or more, found {factor}")
    return int(_rounded(max_steps, torch.tensor(factor, dtype=torch.float64)))


def budgets(max_steps: int, modulation: Modulation | None, like: Tensor) -> Tensor:
    """`halting_budget` of each item, as a tensor like `like`, `(batch,)` int64."""
    if modulation is None or modulation.budget is None:
        return torch.full_like(like, max_steps)
    return _rounded(max_steps, modulation.budget).to(like)


def _rounded(max_steps: int, factors: Tensor) -> Tensor:
    """Half a step counts as one. No more than an int64 holds."""
    steps = (max_steps * factors.double() + 0.5).floor()
    return steps.clamp(min=1, max=_MOST_STEPS)


def factors(recording: Recording) -> dict[str, float]:
    """Mean over a run of every factor on the reasoner that its circuits set, by name.

    `gain`, `budget` and `temperature` can go to `Modulation.of` as they are; `noise` is a factor
    too, on a standard deviation that is yours to choose.
    """
    return {
        name.removeprefix(_ROOM): float(course.values.mean())
        for name, course in recording.factors.items()
        if name.startswith(_ROOM) and course.values.size
    }


def budget_factor(recording: Recording) -> float:
    """Mean over the run of the factor on `reasoner.budget`.

    Raises:
        ConfigError: if nothing in the run acts on the reasoner's budget.
    """
    course = recording.factors.get(BUDGET)
    if course is None or course.values.size == 0:
        raise ConfigError(
            f"a run that sets the reasoner's budget must have an effect on `{BUDGET}`, found "
            f"{', '.join(sorted(recording.factors)) or 'no effect at all'}; add to a receptor "
            "`effects: [{on: reasoner, parameter: budget, at_saturation: 0.5}]`"
        )
    return float(course.values.mean())
