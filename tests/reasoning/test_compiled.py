"""The gate before a compiled reasoner: what passes it, and that it is shut to a wrong one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import pytest
import torch
from torch import Tensor

from bridges.reasoning.carry import Batch, State
from bridges.reasoning.compiled import compiled, deviations, once
from bridges.reasoning.reasoner import Reasoner, Thought, build
from bridges.reasoning.settings import TRM_MLP, ReasonerSettings
from bridges.reasoning.supervision import start, supervision_step
from neuro.errors import SimulationError
from tests.reasoning._small import KINDS, awake, batch, generator

SETTINGS = dataclasses.replace(KINDS["trm-mlp"], H=2, L=1, layers=1)
MIXERS = ("mlp", "attention", "convolution")
Compiler: TypeAlias = Callable[[torch.fx.GraphModule, object], Callable[..., tuple[Tensor, ...]]]


def of(mixer: str, precision: str) -> ReasonerSettings:
    """A recursion of published length, in which bfloat16 drowns the signal in rounding."""
    return dataclasses.replace(KINDS[f"trm-{mixer}"], H=3, L=6, precision=precision)  # type: ignore[arg-type]


def after(change: Callable[[Tensor], Tensor]) -> Compiler:
    """A compiler that spoils whatever a network answers."""
    return lambda graph, _: lambda *inputs: tuple(change(out) for out in graph(*inputs))


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
    rounds = {} if kind == "transformer" else {"H": 2, "L": 1}
    settings = dataclasses.replace(KINDS[kind], layers=1, **rounds)  # type: ignore[arg-type]
    model, items = awake(settings), batch(settings, 3)
    whole = torch.compile(model, fullgraph=True, dynamic=False, backend="eager")
    found = deviations(model, whole, items)
    assert all(deviation.explained for deviation in found.values())


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
    before = fast(items, model.start(3), None).logits.detach()
    assert len(calls) == 6  # low four times, high twice
    with torch.no_grad():
        model.head.weight *= 2
    assert torch.equal(fast(items, model.start(3), None).logits, 2 * before)


def test_batches_of_other_sizes_are_thought_about_by_the_plain_model() -> None:
    """Of any number of sizes: torch compiles no more than eight forms of a network."""
    torch.compiler.reset()
    model = awake(SETTINGS)
    fast = compiled(model, batch(SETTINGS, 4), backend=after(lambda out: out))
    for rows in range(1, 13):
        items, state = batch(SETTINGS, rows), model.start(rows)
        with torch.no_grad():
            plain, found = model(items, state), fast(items, state, None)
        assert torch.equal(plain.logits, found.logits)


def test_too_many_forms_are_told_in_one_line() -> None:
    torch.compiler.reset()
    with torch._dynamo.config.patch(recompile_limit=1), pytest.raises(SimulationError) as caught:
        compiled(awake(SETTINGS), batch(SETTINGS, 4), backend="eager")
    assert "torch.compiler.reset()" in str(caught.value) and "\n" not in str(caught.value)


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
    [
        (wrong_halt, {"halt", "halt without gradient"}),
        (wrong_gradient, {"gradient"}),
        (wrong_state, {"y", "y without gradient"}),
    ],
)
def test_deviations_show_what_is_wrong(
    spoil: Callable[[Thought], Thought], shows: set[str]
) -> None:
    model = awake(SETTINGS)

    def wrong(items: Batch, state: State, rows: Tensor | None = None) -> Thought:
        return spoil(model(items, state, rows))

    found = deviations(model, wrong, batch(SETTINGS, 4))
    assert {name for name, deviation in found.items() if not deviation.explained} == shows


def test_what_is_wrong_without_gradient_alone_is_found_out() -> None:
    """All rounds but the last run so, in a graph of their own."""
    torch.compiler.reset()

    def compiler(out: Tensor) -> Tensor:
        return out if torch.is_grad_enabled() else 1.1 * out

    with pytest.raises(SimulationError, match="without gradient off by"):
        compiled(awake(SETTINGS), batch(SETTINGS, 4), backend=after(compiler))


WRONG: dict[str, Callable[[Tensor], Tensor]] = {
    "ten per cent too large": lambda out: 1.1 * out,
    "other sign": lambda out: -out,
    "of another item": lambda out: out.roll(1, 0),
}


# In bfloat16, where rounding may hide what is wrong, each with each; in float32 each once.
@pytest.mark.parametrize(
    ("mixer", "precision", "change"),
    [
        pytest.param(mixer, precision, change, id=f"{name}-{mixer}-{precision}")
        for at, (name, change) in enumerate(WRONG.items())
        for mixer in MIXERS
        for precision in ("float32", "bfloat16")
        if precision == "bfloat16" or mixer == MIXERS[at]
    ],
)
def test_the_gate_is_shut_to_a_wrong_compiler(
    mixer: str, precision: str, change: Callable[[Tensor], Tensor]
) -> None:
    torch.compiler.reset()
    settings = of(mixer, precision)
    with pytest.raises(SimulationError, match="off by"):
        compiled(awake(settings), batch(settings, 4), backend=after(change))


@pytest.mark.parametrize("mixer", MIXERS)
def test_in_bfloat16_the_gate_is_open_to_a_compiler_that_rounds(mixer: str) -> None:
    """Once more than the plain one does, by less than half of 2**-8."""
    torch.compiler.reset()
    settings, draw = of(mixer, "bfloat16"), generator(3)

    def rounded(out: Tensor) -> Tensor:
        return out * (1 + 2**-9 * torch.rand(out.shape, generator=draw).to(out))

    compiled(awake(settings), batch(settings, 4), backend=after(rounded))


@pytest.mark.parametrize(
    "mixer",
    ["mlp", *(pytest.param(mixer, marks=pytest.mark.slow) for mixer in MIXERS[1:])],
)
def test_bfloat16_as_it_is_really_compiled_is_let_through(mixer: str) -> None:
    torch.compiler.reset()
    settings = dataclasses.replace(of(mixer, "bfloat16"), layers=1)
    compiled(awake(settings), batch(settings, 4))


def test_the_gate_sees_through_the_published_recursion_in_bfloat16() -> None:
    """Answers about the other of two items; after all 21 applications they would pass."""
    settings = dataclasses.replace(TRM_MLP, hidden=64, multiple=16, precision="bfloat16")
    model, items = build(settings), batch(settings, 2)
    assert items.tokens is not None
    swapped = items._replace(tokens=items.tokens.roll(1, 0))

    def hidden(model: Reasoner) -> bool:
        found = deviations(model, lambda items, *rest: model(swapped, *rest), items)
        return found["logits"].explained and found["gradient"].explained

    assert hidden(model) and not hidden(once(model))


def test_a_compiler_that_is_wrong_by_little_is_found_out() -> None:
    torch.compiler.reset()
    with pytest.raises(SimulationError, match="logits off by"):
        compiled(awake(SETTINGS), batch(SETTINGS, 4), backend=after(lambda out: 1.0001 * out))


def test_the_gate_leaves_gradients_as_they_were() -> None:
    model = awake(SETTINGS)
    deviations(model, model, batch(SETTINGS, 4))
    assert all(part.grad is None for part in model.parameters())


def test_a_model_that_no_longer_learns_goes_through_the_gate_too() -> None:
    torch.compiler.reset()
    settings = of("mlp", "bfloat16")
    model, items = awake(settings).requires_grad_(False), batch(settings, 4)
    compiled(model, items, backend="eager")
    with pytest.raises(SimulationError, match="without gradient off by"):
        compiled(model, items, backend=after(lambda out: -out))
    learns = awake(settings)
    with torch.no_grad():  # what learns is compared, whoever asks
        assert "gradient" in deviations(learns, learns, items)
