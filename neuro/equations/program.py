"""StepProgram: what one time step of a population does, as inert, readable data.

Brian2 derives the integration step; back ends print this program in their own language. The
program knows nothing of sizes, values or the network, so one program serves every population
and every sweep point of the same text, and is kept on disk as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from neuro.equations.names import printed, printed_text
from neuro.equations.syntax import is_condition, names_in

__all__ = ["Assignment", "StepProgram", "needed_for", "printed_assignments"]

Assignment = tuple[str, str]
"""`name = expression`, each name assigned once."""


def printed_assignments(items: Sequence[Assignment]) -> tuple[Assignment, ...]:
    """Assignments in the names that printed code uses."""
    return tuple((printed(name), printed_text(text)) for name, text in items)


def needed_for(names: set[str], subexpressions: Sequence[Assignment]) -> list[Assignment]:
    """Subexpressions that must be computed before these names can be read, in order."""
    needed: list[Assignment] = []
    for name, expression in reversed(subexpressions):
        if name in names:
            needed.append((name, expression))
            names = names | names_in(expression)
    return needed[::-1]


@dataclass(frozen=True)
class StepProgram:
    """One step of one composed model.

    Attributes:
        name: The model's name, for messages.
        states: State variables, each stored for every cell.
        parameters: Names whose values are bound at run time (scalars, or one a cell).
        inputs: Names a `Drive` supplies over time.
        units: Unit of each state, subexpression, parameter and input, as a person writes it.
        subexpressions: Definitions in order of dependence, in terms of the names above.
        active: Step outside the refractory period; the results are the names `new_<state>`.
        resting: Step within it, when some variable is held; empty if nothing is held.
        held: States that neither the step nor a synapse changes while refractory.
        threshold: Condition for a spike, after the step; empty if it never spikes.
        reset: At a spike, in order: assignments to states, and to each subexpression that they
            read, before what reads it, and again where a state that it reads has changed.
        refractory: Duration after a spike, an expression in ms; or a condition (`is_condition`)
            that, read before each step, keeps a cell that has spiked refractory while it holds;
            empty if none.
        deliveries: Per port, `(state, increment)` for each arriving weight `w`.
        method: The integrator that was used.
        features: What a back end must be able to do to run this.
        summed: Names that synapses set before each step, one value a cell (`EdgeProgram.summed`).
    """

    name: str
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    inputs: tuple[str, ...]
    units: dict[str, str]
    subexpressions: tuple[Assignment, ...]
    active: tuple[Assignment, ...]
    resting: tuple[Assignment, ...]
    held: tuple[str, ...]
    threshold: str
    reset: tuple[Assignment, ...]
    refractory: str
    deliveries: tuple[tuple[Assignment, ...], ...]
    method: str
    features: tuple[str, ...]
    summed: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The program as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> StepProgram:
        """The program that `to_json` wrote."""

        def frozen(value: Any) -> Any:
            return tuple(map(frozen, value)) if isinstance(value, list) else value

        return cls(**{key: frozen(value) for key, value in json.loads(text).items()})

    def printed(self) -> StepProgram:
        """The same program in the names that printed code uses (`neuro.equations.names`)."""
        return replace(
            self,
            states=tuple(map(printed, self.states)),
            parameters=tuple(map(printed, self.parameters)),
            inputs=tuple(map(printed, self.inputs)),
            units={printed(name): unit for name, unit in self.units.items()},
            subexpressions=printed_assignments(self.subexpressions),
            active=printed_assignments(self.active),
            resting=printed_assignments(self.resting),
            held=tuple(map(printed, self.held)),
            threshold=printed_text(self.threshold),
            reset=printed_assignments(self.reset),
            refractory=printed_text(self.refractory),
            deliveries=tuple(map(printed_assignments, self.deliveries)),
            summed=tuple(map(printed, self.summed)),
        )

    def _after_step(self) -> list[Assignment]:
        """The subexpressions that are read after the step, each after those it reads."""
        read = set[str]().union(
            *(names_in(text) for text in (self.threshold, self.refractory) if text)
        )
        found: list[Assignment] = []
        for name, text in reversed(self.subexpressions):
            if name in read:
                read |= names_in(text)
                found.append((name, text))
        return found[::-1]

    def __str__(self) -> str:
        """The step as a person would write it down."""
        parts = [f"program {self.name} ({self.method})"]
        parts.append(f"  states      {', '.join(self.states) or '-'}")
        parts.append(f"  parameters  {', '.join(self.parameters) or '-'}")
        if self.inputs:
            parts.append(f"  inputs      {', '.join(self.inputs)}")
        if self.summed:
            parts.append(f"  summed      {', '.join(self.summed)}")
        for title, assignments in (
            ("step", self.active), ("step while refractory", self.resting), ("reset", self.reset),
        ):  # fmt: skip
            if assignments:
                parts.append(f"  {title}:")
                parts.extend(f"    {name} = {expression}" for name, expression in assignments)
            if title == "step" and self.threshold:
                parts.append(f"  spike if {self.threshold}")
                parts.extend(f"    where {name} = {text}" for name, text in self._after_step())
        if self.refractory:
            lasts = "while" if is_condition(self.refractory) else "for"
            parts.append(f"  refractory {lasts} {self.refractory}")
        for number, delivery in enumerate(self.deliveries, start=1):
            for name, increment in delivery:
                parts.append(f"  a spike at port {number}: {name} += {increment}")
        return "\n".join(parts)
