"""One population as a torch module: a StepProgram in Norse's functional style.

The contract with what builds networks on top (`bind` once a pass, the rest once a step; nothing
is changed in place, so `torch.compile`, `torch.func` and checkpointing may take any of it):

    bound = cell.bind()                                   parameters and constants, with gradients
    state = cell.initial(batch, bound)
    draws = cell.draw(seed, first_step, n_steps)          random numbers, for many steps at once
    each step, in Brian2's order:
        cell.observe("v", state, step, bound, …)          what a Record samples, before the step
        spikes, state = cell.update(state, step, bound, inputs, factors, draws_of_the_step)
        state = cell.deliver(state, additions)            what spikes that arrive now add
        state = cell.reset(state, spikes, step, bound, …)

Every tensor is `(batch, n)` or broadcasts to it: a parameter may be scalar, `(n,)`, `(batch, 1)`
or `(batch, n)`, so a batch of parameter settings is one call. `cell.source` is what is run.

All arithmetic is done in `dtype`, but for what is the same for all cells and changes with time:
that is computed in double precision, as single precision cannot hold the time of a long run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuro.backends.norse._distance import distances
from neuro.backends.norse._values import Values
from neuro.backends.norse.printed import Printed
from neuro.backends.norse.printer import CellPrinter
from neuro.backends.norse.random import normal, stream_of, uniform, words
from neuro.backends.norse.surrogate import Surrogate
from neuro.build import BuiltPopulation
from neuro.equations.port_names import inside
from neuro.errors import ConfigError, NetworkError, SimulationError, nearest

__all__ = ["Bound", "CellState", "CellStep"]

Bound = dict[str, Tensor]
"""Parameters and the constants computed from them, by name."""

_DTYPES = {torch.float32: "float32", torch.float64: "float64"}
_NEVER = -(2**62)  # the step of the last spike of a cell that has not spiked
_NONE: Mapping[str, Tensor] = {}


class CellState(NamedTuple):
    """The state of a population between two steps; a pytree of tensors.

    Attributes:
        values: `(batch, n)` for each of the program's states, in its order; slow ones, which single
            precision would not hold (`neuro.equations.increments`), in double precision.
        last: One tensor: the step of each cell's last spike (int64), or, where refractoriness is a
            condition, whether a cell is refractory; empty if the model has no refractoriness. A
            model without states has one that says nothing but how large the batch is.
        free: One bool tensor: the cells whose held states take what arrives; empty if nothing
            that arrives is held.
    """

    values: tuple[Tensor, ...]
    last: tuple[Tensor, ...]
    free: tuple[Tensor, ...]


class CellStep(torch.nn.Module):
    """One time step of a population, as functions of tensors.

    Args:
        built: What to step.
        dt_ms: Length of a step.
        surrogate: The threshold's gradient.
        dtype: Of states, parameters and arithmetic: float32 or float64.
        trainable: Names of parameters, or of states whose start values, that are
            `torch.nn.Parameter`s (`cell.given.<name>`, `cell.start.<name>`); everything else is a
            buffer.
        modulated: Parameters that `factors` will scale at each step.
        streamed: Parameters that `inputs` will give anew at each step.
        acted_on: States, besides those of `program.deliveries`, that `deliver` will add to.
        reset_gradient: Whether gradients pass from a reset into the spike that caused it. Norse's
            feed-forward cells let them; learning goes better without (Zenke & Vogels 2021).

    Raises:
        ConfigError: if a name in `trainable`, `modulated` or `streamed` is unknown, or the dtype
            is another.
        SimulationError: if a constant is not finite for these parameters.
    """

    def __init__(
        self,
        built: BuiltPopulation,
        dt_ms: float,
        *,
        surrogate: Surrogate | None = None,
        dtype: torch.dtype = torch.float32,
        trainable: Collection[str] = (),
        modulated: Collection[str] = (),
        streamed: Collection[str] = (),
        acted_on: Collection[str] = (),
        reset_gradient: bool = False,
    ) -> None:
        super().__init__()
        self.program, self.name, self.n = built.program, built.name, built.n
        self.dt_ms, self.dtype = dt_ms, dtype
        self.surrogate = surrogate or Surrogate()
        self.reset_gradient = reset_gradient or self.surrogate.method == "soft"
        self._check(built, trainable, modulated, streamed)
        printer = CellPrinter(
            built, dt_ms, _DTYPES[dtype], modulated, streamed, acted_on, self.surrogate.by_chance
        )
        self.source, self._code = printer.source, Printed(printer.source)
        self.draws = tuple(printer.draws)
        self._printed = printer

        self.given = Values(built.parameters, trainable, dtype)
        self.start = Values(built.initial, trainable, dtype)
        numbers: dict[str, float | NDArray[np.float64]] = {
            **printer.numbers, "dt": dt_ms, "N": float(built.n),
            "i": np.arange(built.n, dtype=np.float64),
        }  # fmt: skip
        self._numbers = Values(numbers, (), dtype, persistent=False)
        kept = {name: built.parameters[name] for name in printer.doubled if name not in trainable}
        self._exact = Values(kept, (), torch.float64, persistent=False)
        self._check_constants()
        # A start value that is a parameter follows it when that is trained, or given for a batch.
        chosen = {**built.composed.initial, **built.population.initial}
        named = {inside(state, built.program.states, built.ports): c for state, c in chosen.items()}
        self._starts_at = {
            state: choice
            for state, choice in named.items()
            if state and isinstance(choice, str) and state not in trainable
        }
        found = distances(built, printer, dt_ms)
        self.scales = tuple(self.surrogate.scale or distance for distance in found)

    def _check(
        self, built: BuiltPopulation, trainable: Collection[str], modulated: Collection[str],
        streamed: Collection[str],
    ) -> None:  # fmt: skip
        if self.dtype not in _DTYPES:
            raise ConfigError(
                f"population `{built.name}`: dtype must be float32 or float64, found {self.dtype}; "
                f"membranes do not hold in less"
            )
        parameters = {*built.parameters}
        for kind, names, known in (
            ("trainable", trainable, parameters | {*built.program.states}),
            ("modulated", modulated, parameters),
            ("streamed", streamed, parameters),
        ):
            if unknown := sorted(set(names) - known):
                able = sorted(map(built.shown, known))
                raise ConfigError(
                    f"population `{built.name}`: cannot make `{unknown[0]}` {kind}"
                    f"{nearest(unknown[0], able)} (known: {', '.join(able) or 'none'})"
                )

    def _check_constants(self) -> None:
        with torch.no_grad():
            for name, value in self.bind().items():
                if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                    meaning = dict(self._printed.constants).get(name, name)
                    raise SimulationError(
                        f"population `{self.name}`: the constant {meaning} is not finite for these "
                        f"parameters; where two time constants coincide, change one a little or "
                        f"give the model `method: exponential_euler`"
                    )

    def bind(self, overrides: Mapping[str, Tensor] | None = None) -> Bound:
        """Parameters, and all that is computed from them once a pass; gradients flow through.

        Args:
            overrides: Values in place of this module's own, `(n,)`, `(batch, 1)`, `(batch, n)` or
                scalar.

        Raises:
            NetworkError: if the model has no such parameter.
        """
        bound, exact = {**self.given.all(), **self._numbers.all()}, self._exact.all()
        for name, value in (overrides or {}).items():
            if name not in self.program.parameters:
                raise NetworkError(
                    f"population `{self.name}` has no parameter `{name}`"
                    f"{nearest(name, self.program.parameters)}"
                )
            bound[name] = torch.as_tensor(value, dtype=self.dtype, device=bound["dt"].device)
        for name in self._printed.doubled:
            double = bound[name].double()
            if name in exact:  # what was rounded to `dtype`, if it is still that
                double = torch.where(bound[name] == exact[name].to(self.dtype), exact[name], double)
            bound[f"{name}__64"] = double
        number = bound["dt"]

        def tensor(value: Any) -> Tensor:
            if isinstance(value, Tensor):
                return value
            # No parameter takes part in it, as in `2*pi`: a number of Python.
            dtype = torch.bool if isinstance(value, bool) else number.dtype
            return torch.as_tensor(value, dtype=dtype, device=number.device)

        return bound | {name: tensor(value) for name, value in self._code.bind(bound).items()}

    def initial(
        self, batch: int = 1, bound: Bound | None = None,
        overrides: Mapping[str, Tensor] | None = None,
    ) -> CellState:  # fmt: skip
        """The state before the first step.

        Args:
            bound: Where start values that are parameters are taken from.
            overrides: Start values of some states, `(n,)`, `(batch, 1)` or `(batch, n)`.
        """
        own, given = self.start.all(), overrides or {}
        values = []
        for name in self.program.states:
            value = own[name]
            if bound is not None and name in self._starts_at:
                value = bound[self._starts_at[name]]
            if name in given:
                value = torch.as_tensor(given[name], dtype=self.dtype, device=value.device)
            if name in self._printed.slow:
                value = value.double()
            values.append(value.expand(batch, self.n))
        device, shape = self._numbers.all()["dt"].device, (batch, self.n)
        last: tuple[Tensor, ...] = ()
        if self._printed.conditional:
            last = (torch.zeros(shape, dtype=torch.bool, device=device),)
        elif self._printed.timed:
            last = (torch.full(shape, _NEVER, dtype=torch.int64, device=device),)
        elif not values:
            last = (torch.zeros(shape, dtype=torch.bool, device=device),)
        free = torch.ones(shape, dtype=torch.bool, device=device)
        return CellState(tuple(values), last, (free,) if self._printed.guarded else ())

    def draw(self, seed: int | Sequence[int], first_step: int, n_steps: int) -> tuple[Tensor, ...]:
        """The random numbers of steps `first_step …`, one tensor for each of `draws`.

        Returns:
            `(n_steps, 1, n)` each; `(n_steps, batch, n)` for one seed for each of the batch. They
            are those that the numba back end draws for a seed.
        """
        if not self.draws:
            return ()
        stream, device = stream_of(self.name), self._numbers.all()["dt"].device
        makers = {"rand": uniform, "randn": normal}
        return tuple(
            makers[kind](
                words(seed, stream + k, self.n, first_step, n_steps, device), self.dtype
            )
            for k, kind in enumerate(self.draws)
        )  # fmt: skip

    def update(
        self, state: CellState, step: int | Tensor, bound: Bound,
        inputs: Mapping[str, Tensor] = _NONE, factors: Mapping[str, Tensor] = _NONE,
        draws: Sequence[Tensor] = (),
    ) -> tuple[Tensor, CellState]:  # fmt: skip
        """Advance all cells by one step.

        Args:
            step: Number of the step, as an int or a 0-d int64 tensor.
            inputs: The model's inputs, its summed variables and its streamed parameters.
            factors: Of each modulated parameter.
            draws: `(batch or 1, n)` for each of `draws`.

        Returns:
            Spikes, `(batch, n)` of 0 and 1 in `dtype` with the surrogate's gradient (all 0 for a
            model without a threshold), and the state before anything is delivered or reset.
        """
        spikes, values, last, free = self._code.update(
            state.values, state.last, step, self._time(step), bound, inputs, factors, draws,
            self.surrogate, self.scales,
        )  # fmt: skip
        like = values[0] if values else state.last[0]
        if spikes is None:
            spikes = torch.zeros((), dtype=self.dtype, device=like.device)
        if spikes.shape != like.shape and spikes.dim() <= like.dim():
            spikes = spikes.expand(torch.broadcast_shapes(spikes.shape, like.shape))
        return spikes, CellState(values, last or (() if values else state.last), free)

    def increments(
        self, port: int, weight: Tensor, bound: Bound, targets: Tensor | None = None,
        factors: Mapping[str, Tensor] = _NONE,
    ) -> dict[str, Tensor]:  # fmt: skip
        """What an arriving spike of each `weight` adds to which state, in the shape of `weight`.

        Args:
            targets: The target cell of each weight along the last dimension, where that dimension
                does not count the cells.
        """
        if targets is not None:
            bound = {
                name: x.expand(*x.shape[:-1], self.n)[..., targets] if x.dim() else x
                for name, x in bound.items()
            }
        values = getattr(self._code, f"arrive_{port}")(weight, bound, factors)
        states = [state for state, _ in self.program.deliveries[port]]
        return dict(zip(states, values, strict=True))

    def deliver(self, state: CellState, additions: Mapping[str, Tensor]) -> CellState:
        """Add to states; refractory cells take nothing on states that are held."""
        values = list(state.values)
        for name, added in additions.items():
            if name in self.program.held:
                added = added * state.free[0]
            at = self.program.states.index(name)
            values[at] = values[at] + added
        return state._replace(values=tuple(values))

    def reset(
        self, state: CellState, spikes: Tensor, step: int | Tensor, bound: Bound,
        inputs: Mapping[str, Tensor] = _NONE, factors: Mapping[str, Tensor] = _NONE,
        draws: Sequence[Tensor] = (),
    ) -> CellState:  # fmt: skip
        """Apply the reset to the cells that spiked."""
        if not self.program.reset:
            return state
        if not self.reset_gradient:
            spikes = spikes.detach()
        values = self._code.reset(
            spikes, state.values, state.last, step, self._time(step), bound, inputs, factors, draws
        )
        return state._replace(values=values)

    def observe(
        self, name: str, state: CellState, step: int | Tensor, bound: Bound,
        inputs: Mapping[str, Tensor] = _NONE, factors: Mapping[str, Tensor] = _NONE,
        draws: Sequence[Tensor] = (),
    ) -> Tensor:  # fmt: skip
        """A state or subexpression as it is now, `(batch, n)` or what broadcasts to it."""
        if name in self.program.states:
            return state.values[self.program.states.index(name)]
        if name in self.program.summed:
            return inputs[name]
        observe = getattr(self._code, f"observe_{name}")
        value: Tensor = observe(
            state.values, state.last, step, self._time(step), bound, inputs, factors, draws
        )
        return value

    def forward(
        self, state: CellState, step: int | Tensor = 0, inputs: Mapping[str, Tensor] = _NONE,
        factors: Mapping[str, Tensor] = _NONE, draws: Sequence[Tensor] = (),
        additions: Mapping[str, Tensor] = _NONE,
    ) -> tuple[Tensor, CellState]:  # fmt: skip
        """A whole step, for a single one or for `torch.func.functional_call`: spikes and state."""
        bound = self.bind()
        spikes, state = self.update(state, step, bound, inputs, factors, draws)
        state = self.deliver(state, additions)
        return spikes, self.reset(state, spikes, step, bound, inputs, factors, draws)

    def _time(self, step: int | Tensor) -> Tensor | None:
        if not self._printed.tells_time:
            return None
        device = self._numbers.all()["dt"].device
        return torch.as_tensor(step, dtype=torch.float64, device=device) * self.dt_ms
