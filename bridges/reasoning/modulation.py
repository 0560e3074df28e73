"""How neuromodulation reaches the reasoner without passing through words.

A run of circuits hands a number to the bridge: the factor on `reasoner.budget`, which receptors
of a transmitter have set. It scales how many supervision steps an answer may take.
"""

from __future__ import annotations

import math

from neuro.errors import ConfigError
from neuro.recording import Recording

__all__ = ["BUDGET", "budget_factor", "halting_budget"]

BUDGET = "reasoner.budget"


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
    return max(1, math.floor(max_steps * factor + 0.5))


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
