"""The gate before a compiled reasoner: what passes it, and that it is shut to a wrong one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bridges.reasoning.carry import Batch, State
from bridges.reasoning.compiled import ALLOWANCE, compiled, deviations
from bridges.reasoning.reasoner import Thought
from bridges.reasoning.supervision import start, supervision_step
from neuro.errors import SimulationError
from tests.reasoning._small import KINDS, awake, batch, generator

SETTINGS = dataclasses.replace(KINDS["trm-mlp"], H=2, L=1, layers=1)


def test_compiled_and_plain_learn_the_same() -> None:
    """Three supervision steps, with refills, compiled; then a change of weights."""
    model = awake(SETTINGS)
    fast = compiled(model, batch(SETTINGS, 4))
    found = []
    for forward in (model, fast):
        carry, rng = start(model, batch(SETTINGS, 4)), generator(5)
        for turn in range(3):
            carry, losses, _ = supervision_step(
                model, carry, batch(SETTINGS, 4, seed=turn), generator=rng, forward=forward
            )
        parts = torch.autograd.grad(losses.total, list(model.parameters()))
        found.append((losses.total.detach(), torch.cat([part.flatten() for part in parts])))
    (plain_loss, plain), (quick_loss, quick) = found
    assert plain.abs().max() > 1e-2
    # Twelve applications in float32, of inputs and weights around 1.
    assert torch.allclose(plain_loss, quick_loss, atol=1e-4)
    assert torch.allclose(plain, quick, atol=1e-3)

    before = fast(batch(SETTINGS, 4), model.start(4), None).logits.detach().clone()
    with torch.no_grad():
        model.head.weight *= 2
    after = fast(batch(SETTINGS, 4), model.start(4), None).logits
    assert torch.equal(after, 2 * before)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_is_one_graph(kind: str) -> None:
    """`fullgraph` refuses what branches on data; the tracer alone, without code generation."""
    torch.compiler.reset()
    settings = dataclasses.replace(KINDS[kind], layers=1, L=1, H=2)
    model, items = awake(settings), batch(settings, 3)
    whole = torch.compile(model, fullgraph=True, dynamic=False, backend="eager")
    found = deviations(model, whole, items)
    assert all(quick <= ALLOWANCE * plain for plain, quick in found.values())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_weights_are_shared_and_the_model_itself_stays_plain(precision: str) -> None:
    torch.compiler.reset()
    settings = dataclasses.replace(KINDS["hrm"], precision=precision)  # type: ignore[arg-type]
    model, items, calls = awake(settings), batch(settings, 3), []

    def counted(graph: torch.fx.GraphModule, _: object) -> object:
        def run(*inputs: object) -> object:
            calls.append(1)
            return graph(*inputs)

        return run

    fast = compiled(model, items, backend=counted)
    calls.clear()
    model(items, model.start(3))
    assert not calls
    fast(items, model.start(3), None)
    assert len(calls) == 6  # low four times, high twice
    assert isinstance(fast, torch.nn.Module)
    for one, other in zip(model.parameters(), fast.parameters(), strict=True):
        assert one is other


def wrong_halt(thought: Thought) -> Thought:
    return thought._replace(halt=thought.halt + 1e-3)


def wrong_gradient(thought: Thought) -> Thought:
    return thought._replace(logits=thought.logits.detach() + 0 * thought.logits.sum())


def wrong_state(thought: Thought) -> Thought:
    y = thought.state.y.clone()
    y[0, 0, 0] += 1e-3
    return thought._replace(state=State(y, thought.state.z))


@pytest.mark.parametrize(
    ("spoil", "shows"),
    [(wrong_halt, "halt"), (wrong_gradient, "gradient"), (wrong_state, "y")],
)
def test_deviations_show_what_is_wrong(spoil: Callable[[Thought], Thought], shows: str) -> None:
    model = awake(SETTINGS)

    def wrong(items: Batch, state: State, rows: Tensor | None = None) -> Thought:
        return spoil(model(items, state, rows))

    found = deviations(model, wrong, batch(SETTINGS, 4))
    assert [name for name, (plain, quick) in found.items() if quick > ALLOWANCE * plain] == [shows]


def test_a_compiler_that_is_wrong_by_little_is_found_out() -> None:
    torch.compiler.reset()

    def compiler(graph: torch.fx.GraphModule, _: object) -> Callable[..., tuple[Tensor, ...]]:
        return lambda *inputs: tuple(1.0001 * out for out in graph(*inputs))

    with pytest.raises(SimulationError, match="logits off by"):
        compiled(awake(SETTINGS), batch(SETTINGS, 4), backend=compiler)


def test_the_gate_leaves_gradients_as_they_were() -> None:
    model = awake(SETTINGS)
    deviations(model, model, batch(SETTINGS, 4))
    assert all(part.grad is None for part in model.parameters())
