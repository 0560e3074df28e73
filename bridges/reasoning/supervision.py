"""Deep supervision: every few thoughts the answer is marked, and the thought goes on from there.

One supervision step is one optimizer step. Between two of them the carry keeps what each slot has
in mind, without its graph, so gradient never reaches back across a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from bridges.reasoning.carry import IGNORED, Batch, Carry, State, refilled
from bridges.reasoning.checked import check_batch, check_next_batch
from bridges.reasoning.halting import exploration, wants_to_halt
from bridges.reasoning.losses import Losses, answer_loss, correct, halting_loss
from bridges.reasoning.modulation import Modulation, budgets
from bridges.reasoning.reasoner import Reasoner, Thought
from neuro.errors import ConfigError

__all__ = ["Forward", "start", "stirred", "supervision_step", "thinking"]

Forward: TypeAlias = Callable[[Batch, State, Tensor | None], Thought]
"""A reasoner, or what stands for it: compiled, or wrapped to train in several processes."""


def start(model: Reasoner, batch: Batch) -> Carry:
    """The carry before the first step, every slot of it halted.

    Raises:
        ConfigError: if the batch does not fit the model.
        SignalError: if a sensory embedding is not finite.
    """
    check_batch(model.settings, batch)
    return Carry.empty(model.start(batch.labels.shape[0]), batch)


def supervision_step(
    model: Reasoner,
    carry: Carry,
    batch: Batch,
    *,
    generator: torch.Generator,
    forward: Forward | None = None,
    at_least: Tensor | None = None,
) -> tuple[Carry, Losses, dict[str, Tensor]]:
    """Refill, think, mark, and book who halts. Go backward from `losses.total` yourself.

    Everything learns from its own loss alone: the answer through the logits, the halt head
    through its own output; targets and the carry are cut off.

    Args:
        batch: A new item for every slot; a slot that has not halted leaves its one unused.
        generator: On the CPU; for exploration, and for noise where a modulator asks for it.
        forward: What to call instead of `model`.
        at_least: `(batch,)` step before which each slot may not halt, where the caller drew it
            for a larger batch, of which this is a part; by default it is drawn here.

    Returns:
        The carry; the losses; and sums over the slots that halted, to be divided by `halted`:
        `accuracy` (share of right answers), `exact` (all right), `halt_accuracy` (the halt head
        was right about that) and `steps`.

    Raises:
        ConfigError: if the batch does not fit the model, or has other fields, or more or fewer
            items, than there are slots. Symbols and numbers in it are looked at on a CPU alone.
        SignalError: if a sensory embedding is not finite.
    """
    settings = model.settings
    check_next_batch(settings, batch, carry.steps.shape[0])
    carry = refilled(carry, model.start(carry.steps.shape[0]), batch)
    labels, modulation = carry.current.labels, carry.current.modulation
    step = thinking(model, forward)
    thought = step(carry.current, stirred(carry.state, modulation, generator))

    right, counted = correct(thought.logits, labels), (labels != IGNORED).sum(-1)
    labelled, exact = counted > 0, right.sum(-1) == counted
    with torch.no_grad():
        steps = carry.steps + 1
        limit = budgets(settings.steps_max, modulation, steps)
        last = steps >= limit
        halted = last
        if settings.halting:
            if at_least is None:
                at_least = exploration(settings, generator, like=steps)
            wants = wants_to_halt(settings, thought.halt, thought.go_on)
            halted = last | (wants & (steps >= at_least))

    go_on = None
    if settings.q_continue:
        target = _worth_going_on(step, carry.current, thought, last)
        go_on = halting_loss(thought.go_on, target, labelled)
    losses = Losses.of(
        answer_loss(thought.logits, labels), halting_loss(thought.halt, exact, labelled), go_on
    )
    told = (thought.halt.detach() >= 0) == exact
    metrics = _sums(halted & labelled, right.sum(-1) / counted.clamp(min=1), exact, told, steps)
    return Carry(*thought.state, steps, halted, carry.current), losses, metrics


@torch.no_grad()
def _worth_going_on(
    step: Callable[[Batch, State], Thought], current: Batch, thought: Thought, last: Tensor
) -> Tensor:
    """What going on would be worth: the better of the next step's two outputs (Q-learning without
    a replay buffer, as in HRM). Nothing learns here; it costs a forward pass more."""
    following = step(current, thought.state)
    best = torch.maximum(following.halt, following.go_on)
    return torch.where(last, following.halt, best).sigmoid()


@torch.no_grad()
def _sums(
    halted: Tensor, accuracy: Tensor, exact: Tensor, told: Tensor, steps: Tensor
) -> dict[str, Tensor]:
    found = {"accuracy": accuracy, "exact": exact, "halt_accuracy": told, "steps": steps}
    sums = {name: (values * halted).sum() for name, values in found.items()}
    return {"halted": halted.sum(), **sums}


def thinking(model: Reasoner, forward: Forward | None) -> Callable[[Batch, State], Thought]:
    """A step of the model or of its stand-in, with the puzzle vectors looked up where it has any.

    The vectors learn if gradient is on; `model.puzzles.update` moves them then.
    """
    call: Forward = model if forward is None else forward

    def step(batch: Batch, state: State) -> Thought:
        rows = None
        if model.puzzles is not None and batch.puzzle is not None:
            rows = model.puzzles.rows(batch.puzzle, learns=torch.is_grad_enabled())
        return call(batch, state, rows)

    return step


@torch.no_grad()
def stirred(
    state: State, modulation: Modulation | None, generator: torch.Generator | None
) -> State:
    """The state with each item's noise added to what is latent: z, or y where there is no z.

    One number is drawn from the generator in any case, the seed of this step's noise, so that
    noise of any strength, or none, leaves what else is drawn from it as it was.
    """
    seed = 0
    if generator is not None:
        seed = int(torch.randint(2**62, (), generator=generator))
    if modulation is None or modulation.noise is None:
        return state
    if generator is None:
        raise ConfigError("a modulation with noise needs a `generator` to draw it from, found none")
    target = state.y if state.z is None else state.z
    drawn = torch.randn(target.shape, generator=torch.Generator().manual_seed(seed)).to(target)
    noisy = target + modulation.noise.to(target).view(-1, 1, 1) * drawn
    return State(noisy, None) if state.z is None else State(state.y, noisy)
