"""EdgeProgram: what one synapse with a state of its own does, as inert, readable data.

It stands beside the target's StepProgram, which holds the variables that live on the target, and
like it knows nothing of sizes, values or the network.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from neuro.equations.names import printed
from neuro.equations.program import Assignment, printed_assignments

__all__ = ["EdgeProgram"]


@dataclass(frozen=True)
class EdgeProgram:
    """What happens at each edge of one projection, and when.

    In expressions a bare name is a variable or parameter of the edge; `<name>_post` and
    `<name>_pre` are state variables or parameters of the target and source cell, under the names
    of their StepPrograms; `t` and `dt` are the start and length of the step in ms. Subexpressions
    of either cell and of the edge are written out wherever they are used.

    `w` is the edge's weight. Where an effect scales the projection's weight, the scaled weight
    is what acts on the target and not what plasticity reads: `w__arriving` is `w` at that moment
    times the projection's factor, and appears only in expressions for the target's variables.

    A step in order: `summed` and `step`, both from values at the start of the step; update,
    threshold; `on_pre` for each arriving spike; `on_post` for each edge whose target crossed its
    threshold in this step; reset. `advance` comes before `on_pre` and `on_post` of an edge.

    Attributes:
        name: The synapse model's name, for messages.
        variables: Stored for every edge; `w` is among them where something writes it.
        parameters: One value for the projection, bound at run time, and scaled by effects on it.
            `advance` uses the value they have when it is done.
        reads_post, reads_pre: Names of the target's and source's StepProgram read as `…_post`
            and `…_pre`: states and parameters.
        writes_post: States of the target that `on_pre` or `on_post` change; like any delivery,
            this leaves a state alone while the target's program holds it.
        units: Unit of each variable, subexpression and parameter, and of `w`.
        subexpressions: In order of dependence; only for reading, as they are written out below.
        advance: Event-driven variables after `elapsed__` ms: helpers, then `<variable>__new`; all
            of them read old values.
        step: The same for clock-driven variables over one step.
        on_pre, on_post: In order, each seeing the results of those before; the left side is a
            variable of the edge or `<state>_post`.
        summed: `(name, expression)`: before the target's update the variable `name` of its
            StepProgram (one of `summed` there) becomes the sum over the edges.
        method: The integrator of `step`; empty if there is none.
        features: What a back end must be able to do to run this.
    """

    name: str
    variables: tuple[str, ...]
    parameters: tuple[str, ...]
    reads_post: tuple[str, ...]
    writes_post: tuple[str, ...]
    reads_pre: tuple[str, ...]
    units: dict[str, str]
    subexpressions: tuple[Assignment, ...]
    advance: tuple[Assignment, ...]
    step: tuple[Assignment, ...]
    on_pre: tuple[Assignment, ...]
    on_post: tuple[Assignment, ...]
    summed: tuple[Assignment, ...]
    method: str
    features: tuple[str, ...]

    def to_json(self) -> str:
        """The program as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> EdgeProgram:
        """The program that `to_json` wrote."""

        def frozen(value: Any) -> Any:
            return tuple(map(frozen, value)) if isinstance(value, list) else value

        return cls(**{key: frozen(value) for key, value in json.loads(text).items()})

    def printed(self) -> EdgeProgram:
        """The same program in the names that printed code uses (`neuro.equations.names`)."""
        return replace(
            self,
            variables=tuple(map(printed, self.variables)),
            parameters=tuple(map(printed, self.parameters)),
            reads_post=tuple(map(printed, self.reads_post)),
            writes_post=tuple(map(printed, self.writes_post)),
            reads_pre=tuple(map(printed, self.reads_pre)),
            units={printed(name): unit for name, unit in self.units.items()},
            subexpressions=printed_assignments(self.subexpressions),
            advance=printed_assignments(self.advance),
            step=printed_assignments(self.step),
            on_pre=printed_assignments(self.on_pre),
            on_post=printed_assignments(self.on_post),
            summed=printed_assignments(self.summed),
        )

    def __str__(self) -> str:
        """The synapse as a person would write it down."""
        parts = [f"synapse {self.name}{f' ({self.method})' if self.method else ''}"]
        parts.append(f"  variables   {', '.join(self.variables) or '-'}")
        parts.append(f"  parameters  {', '.join(self.parameters) or '-'}")
        for title, assignments in (
            ("after `elapsed__` ms", self.advance), ("step", self.step),
            ("a spike arrives", self.on_pre), ("the target spikes", self.on_post),
        ):  # fmt: skip
            if assignments:
                parts.append(f"  {title}:")
                parts.extend(f"    {name} = {expression}" for name, expression in assignments)
        for name, expression in self.summed:
            parts.append(f"  target's {name} = sum of {expression}")
        return "\n".join(parts)
