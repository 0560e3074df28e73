"""The exact step of linear equations in which variables feed each other in one direction.

Synapses feed the membrane, and nothing comes back: that is every linear model here. The solution
is a sum of exponentials; where two rates meet, `exprel` takes the limit, or they are held a little
apart, so that equal time constants need no care. Equations that feed back are left to Brian2,
which solves any linear system.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from neuro.equations._affine import affine
from neuro.equations.fold import folded
from neuro.equations.program import Assignment
from neuro.equations.syntax import Line, names_in

__all__ = ["exact"]

_NEAREST = {3: 1e-8, 4: 1e-5}  # rate * dt, by the number of rates in a divided difference
_CONSTANT = ""  # stands for a source that is 1 and does not decay


def exact(lines: Sequence[Line]) -> list[Assignment] | None:
    """The step as assignments that end in `<state>__new`; None if it is not of this form.

    A new value is the old one and its change, `x + (x*expm1(-dt*rate) + ...)`, so that a back end
    can add changes that are small against the value without losing them.

    A source reaches a state over two others at most, which holds for an alpha synapse.
    """
    system = _System(lines)
    if not system.is_linear or any(system.depth(x, ()) > 3 for x in system.rates):
        return None
    step: list[Assignment] = []
    for x in system.rates:
        terms = []
        if system.rates[x] != "0":
            step.append((f"{x}__shrink", f"expm1(-dt*({system.rates[x]}))"))
            terms.append(f"{x}*{x}__shrink")
        for source, parts in system.inflow(x).items():
            name = f"{x}__from_{source}" if source else f"{x}__rise"
            step.append((name, " + ".join(parts)))
            terms.append(f"{source}*{name}" if source else name)
        step.append((f"{x}__new", f"{x} + ({' + '.join(terms) or '0'})"))
    return step


class _System:
    """dx/dt = sum of sources[x][y]*y - rates[x]*x, as text."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._texts = {ln.name: ln.expression for ln in lines if ln.kind == "subexpression"}
        states = {ln.name: ln.expression for ln in lines if ln.kind == "differential"}
        self.rates: dict[str, str] = {}
        self.sources: dict[str, dict[str, str]] = {x: {} for x in states}
        self.is_linear = bool(states)
        varying = {*states, "t"}
        for x, text in states.items():
            for y in states:
                form = affine(text, y, self._texts)
                # What stands beside y, and is not times y, may hide it in a function: exp(y).
                if form is None or self._reads(form.rate, varying) or self._reads(form.rest, {y}):
                    self.is_linear = False
                    return
                if y == x:
                    self.rates[x] = form.rate or "0"
                elif form.growth:
                    self.sources[x][y] = form.gain
            alone = self._written_out(text, states)
            if self._reads(alone, varying):
                self.is_linear = False
                return
            if alone != "0.0":
                self.sources[x][_CONSTANT] = alone

    def _reads(self, text: str, names: set[str]) -> bool:
        read = names_in(text) if text else set()
        return bool(read & names) or any(
            self._reads(self._texts[name], names) for name in read & set(self._texts)
        )

    def _written_out(self, text: str, states: dict[str, str]) -> str:
        """What is left of an expression when every state is 0."""
        while inside := {n for n in names_in(text) & set(self._texts)
                         if self._reads(self._texts[n], set(states))}:  # fmt: skip
            text = folded(text, lambda name: self._texts[name] if name in inside else None)
        return folded(text, lambda name: 0.0 if name in states else None)

    def depth(self, x: str, above: tuple[str, ...]) -> int:
        """How many variables a change passes on its longest way to x; many if it comes back."""
        if x in above:
            return len(self.rates) + 3
        feeding: Iterator[int] = (
            1 + self.depth(y, (*above, x)) if y else 1 for y in self.sources[x]
        )
        return max(feeding, default=0)

    def inflow(self, x: str) -> dict[str, list[str]]:
        """What a unit of each source adds to x over the step, one term for each way to x."""
        found: dict[str, list[str]] = {}

        def follow(way: tuple[str, ...], gain: str) -> None:
            for y, more in self.sources.get(way[-1], {}).items():
                product = f"{gain}*({more})" if gain else f"({more})"
                found.setdefault(y, []).append(f"{product}*{self._integral((*way, y))}")
                follow((*way, y), product)

        follow((x,), "")
        return found

    def _integral(self, way: tuple[str, ...]) -> str:
        """exp(-rate dt) of each variable on the way, convolved: a divided difference of exp."""
        return _convolved(_apart([self.rates[x] if x else "0" for x in way]))


def _convolved(rates: Sequence[str]) -> str:
    """Infinite where two rates are the same that are not neighbours."""
    first, last = rates[0], rates[-1]
    if len(rates) > 2:
        shorter = f"({_convolved(rates[:-1])} - {_convolved(rates[1:])})"
        return f"{shorter}/({last} - ({first}))"
    if last == "0":
        return f"dt*exprel(-dt*({first}))"
    return f"dt*exp(-dt*({first}))*exprel(dt*({first} - ({last})))"


def _apart(rates: Sequence[str]) -> list[str]:
    """The rates, each `_NEAREST` a step or more from all before it that are not its neighbours.

    A divided difference loses what its points have in common: of double precision's 2e-16, over
    three points, 2e-16 / `_NEAREST` of the result. A rate moved by `_NEAREST` changes a third of
    that. Over four points one digit in two is lost again, so they stand further apart.
    """
    near = _NEAREST[len(rates)] if len(rates) > 2 else 0.0
    found: list[str] = []
    for rate in rates:
        for other in found[:-1]:
            moved = f"({other} - ({rate}) + {near!r}/(dt + 1e-12*second))"  # dt may be 0
            rate = f"({rate} + int(abs({rate} - ({other}))*dt < {near!r})*{moved})"
        found.append(rate)
    return found
