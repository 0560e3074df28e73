"""A population as a cell among Norse's: `cell(input, state) -> (output, state)`.

`EmberCell` takes one step, as Norse's `LIFCell` does, and `EmberLayer` a whole sequence, as its
`LIF` does; both go into `norse.torch.SequentialState`, and the cell into `norse.torch.Lift`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neuro.backends.norse.cells import Bound, CellState, CellStep
from neuro.backends.norse.fused import Fused
from neuro.build import BuiltPopulation, build
from neuro.equations.port_names import inside
from neuro.errors import ConfigError, NetworkError, nearest
from neuro.model import SynapseModel
from neuro.network import Background, Drive, Network, Population
from neuro.units import Hz, Quantity, quantities

__all__ = ["EmberCell", "EmberLayer", "EmberState"]


class EmberState(NamedTuple):
    """Between two steps: the cells, and how many steps they have taken."""

    cells: CellState
    step: int


class EmberCell(torch.nn.Module):
    """One step of a population for each call.

    What comes in either arrives at a synapse of every cell, before the step, or drives the cells
    during it. It has Ember's units: pA for a current, nS for a conductance, mV for a jump.

    Args:
        population: What to step.
        dt_ms: Length of a step.
        synapse: Where the input arrives, as the weight of a spike does.
        drive: An input of the model, or a parameter to which the input is added; if no synapse is
            given.
        output: A state or subexpression to give out; otherwise spikes, or the first state of a
            model without a threshold. `input.I_syn` is the synapse's variable `I_syn`.
        seed: Of drawn parameters and of noise.
        options: Those of `CellStep`: surrogate, dtype, trainable, reset_gradient; `input.tau` is
            the synapse's parameter `tau`.

    Raises:
        NetworkError: if the model has no such input, parameter or output.
    """

    @quantities
    def __init__(
        self,
        population: Population,
        dt_ms: float,
        *,
        synapse: SynapseModel | None = None,
        drive: str = "I_ext",
        output: str = "",
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__()
        built = _built(population, dt_ms, synapse, drive, seed)
        self._drive = "" if synapse else drive
        self._added = self._drive in built.parameters
        if not synapse and not self._added and drive not in built.program.inputs:
            known = (*built.program.inputs, *built.parameters)
            raise NetworkError(
                f"population `{population.name}`: `{drive}` is no input or parameter to drive"
                f"{nearest(drive, known)} (known: {', '.join(known) or 'none'})"
            )
        if "trainable" in options:
            able = (*built.parameters, *built.program.states)
            options["trainable"] = [
                inside(name, able, built.ports) or name for name in options["trainable"]
            ]
        streamed = (drive,) if self._added else ()
        self.step = CellStep(built, dt_ms, streamed=streamed, **options)
        program = built.program
        named = (*program.states, *(name for name, _ in program.subexpressions))
        own = inside(output, named, built.ports) if output else ""
        if own is None:
            known = tuple(map(built.shown, named))
            raise NetworkError(
                f"population `{population.name}` has no variable `{output}` to give out"
                f"{nearest(output, known)} (known: {', '.join(known)})"
            )
        self.output = own or ("" if program.threshold else program.states[0])
        self._port = 0 if synapse else None
        self._seed = seed

    def initial_state(self, input_tensor: Tensor) -> EmberState:
        """The state before the first step, for a batch such as this."""
        return EmberState(self.step.initial(input_tensor.shape[0], self.step.bind()), 0)

    def forward(
        self, input_tensor: Tensor, state: EmberState | None = None
    ) -> tuple[Tensor, EmberState]:
        """One step.

        Args:
            input_tensor: `(batch, n)`, or `(batch, …)` with n values each.

        Returns:
            The output, in the shape of the input, and the state to go on from.
        """
        return self._one(input_tensor, state or self.initial_state(input_tensor), self.step.bind())

    def _flattened(self, given: Tensor, first: int) -> Tensor:
        """What comes in, one dimension for all cells, the `first` ones left as they are."""
        flat = given.flatten(first).to(self.step.dtype)
        if flat.shape[-1] != self.step.n:
            raise NetworkError(
                f"population `{self.step.name}` needs an input of {self.step.n} values for each of "
                f"the batch, found shape {tuple(given.shape[first - 1 :])}"
            )
        return flat

    def _one(self, given: Tensor, state: EmberState, bound: Bound) -> tuple[Tensor, EmberState]:
        arriving = self._flattened(given, 1)
        cells, step = state
        inputs: dict[str, Tensor] = {}
        if self._port is not None:
            added = self.step.increments(self._port, arriving, bound)
            cells = self.step.deliver(cells, added)
        elif self._added:
            inputs = {self._drive: bound[self._drive] + arriving}
        else:
            inputs = {self._drive: arriving}
        draws = [drawn[0] for drawn in self.step.draw(self._seed, step, 1)]
        spikes, cells = self.step.update(cells, step, bound, inputs, draws=draws)
        cells = self.step.reset(cells, spikes, step, bound, inputs, draws=draws)
        out = spikes
        if self.output:
            out = self.step.observe(self.output, cells, step + 1, bound, inputs, draws=draws)
        return out.expand_as(arriving).reshape(given.shape), EmberState(cells, step + 1)


class EmberLayer(EmberCell):
    """A population over a sequence, `(time, batch, …)`, for each call.

    On a CPU all steps are one call where that gives the same bits: see `fused`. It then takes less
    time and memory, forward and back.

    Args:
        fused: Whether all steps are one call: where they can be (None), always, or never. They
            cannot where a step holds random numbers, the time, or functions such as `exp` that
            are not rounded in one way everywhere.

    Raises:
        ConfigError: if `fused` is asked for, and the model is not for it.
    """

    @quantities
    def __init__(
        self, population: Population, dt_ms: float, *, fused: bool | None = None, **options: Any
    ) -> None:
        super().__init__(population, dt_ms, **options)
        self._fused = Fused(
            self.step, port=self._port, drive=self._drive, added=self._added, output=self.output
        )
        if fused and self._fused.reason:
            raise ConfigError(
                f"population `{population.name}` must be stepped one by one, since "
                f"{self._fused.reason}; leave out fused=True"
            )
        self.fused = not self._fused.reason if fused is None else fused

    def initial_state(self, input_tensor: Tensor) -> EmberState:
        return super().initial_state(input_tensor[0])

    def forward(
        self, input_tensor: Tensor, state: EmberState | None = None
    ) -> tuple[Tensor, EmberState]:
        """All steps of a sequence: the outputs, in the shape of the input, and the last state."""
        bound = self.step.bind()
        state = state or self.initial_state(input_tensor)
        if self.fused and len(input_tensor) and _plain(input_tensor, state):
            given = self._flattened(input_tensor, 2)
            out, cells = self._fused(self.step, given, state.cells, state.step, bound)
            return out.reshape(input_tensor.shape), EmberState(cells, state.step + len(out))
        outputs = []
        for now in input_tensor:
            out, state = self._one(now, state, bound)
            outputs.append(out)
        return torch.stack(outputs), state


def _plain(given: Tensor, state: EmberState) -> bool:
    """Whether tensors hold numbers, where a kernel finds them."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    return all(x.device.type == "cpu" for x in (given, *state.cells.values))


def _built(
    population: Population, dt_ms: float, synapse: SynapseModel | None, drive: str, seed: int
) -> BuiltPopulation:
    """The population with the synapse on it, and something for each of its inputs."""
    arrivals: tuple[Background, ...] = ()
    if synapse is not None:
        weight = Quantity(0.0, synapse.weight.dimension)
        arrivals = (Background("input", population.name, synapse, Hz(0), weight),)
    drives = tuple(
        Drive(population.name, name, np.zeros((1, population.n)), dt_ms)
        for name in population.model.inputs
        if name == drive
    )
    network = Network(population.name, (population,), drives=drives, backgrounds=arrivals)
    return build(network, seed=seed, dt_ms=dt_ms).populations[0]
