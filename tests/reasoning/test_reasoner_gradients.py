"""Which pass learns: gradient reaches x from the end of a supervision step and no further."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from bridges.reasoning.carry import State
from bridges.reasoning.losses import answer_loss
from bridges.reasoning.reasoner import Reasoner
from bridges.reasoning.settings import ReasonerSettings
from tests.reasoning._small import KINDS, awake, batch, normal

TRM = KINDS["trm-attention"]
LEARNS = {
    # applications of `low` and `high` (or of the only network) that build a graph, at the end
    "trm-attention": (3, 0, 9),
    "trm-mlp": (3, 0, 9),
    "single-z": (3, 0, 9),
    "hrm": (1, 1, 6),
    "transformer": (1, 0, 1),
}


def graphs(model: Reasoner, items: int = 2) -> list[tuple[str, bool]]:
    """Of each application of a network: which one, and whether it built a graph."""
    found: list[tuple[str, bool]] = []
    names = {"low": model.recursion.low, "high": model.recursion.high}
    hooks = [
        net.register_forward_hook(
            lambda *call, name=name: found.append((name, call[2].grad_fn is not None))
        )
        for name, net in names.items()
        if net is not None
    ]
    model(batch(model.settings, items), model.start(items))
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("kind", list(LEARNS))
def test_only_the_end_builds_a_graph(kind: str) -> None:
    low, high, total = LEARNS[kind]
    found = graphs(awake(KINDS[kind]))
    assert len(found) == total
    learned = found[total - low - high :]
    assert [name for name, _ in learned] == ["low"] * low + ["high"] * high
    assert all(built for _, built in learned)
    assert not any(built for _, built in found[: total - low - high])


@pytest.mark.parametrize("kind", ["trm-attention", "trm-mlp", "single-z"])
def test_one_step_gradient_leaves_two_applications(kind: str) -> None:
    model = awake(dataclasses.replace(KINDS[kind], learns="last_step"))
    found = [built for _, built in graphs(model)]
    assert found == [False] * 7 + [True] * 2


def test_one_round_learns_as_a_whole() -> None:
    model = awake(dataclasses.replace(TRM, H=1))
    assert [built for _, built in graphs(model)] == [True] * 3


@pytest.mark.parametrize("kind", list(KINDS))
def test_nothing_is_built_without_gradient(kind: str) -> None:
    with torch.no_grad():
        assert not any(built for _, built in graphs(awake(KINDS[kind])))


def gradient_of_x(model: Reasoner, x: Tensor, state: State) -> Tensor:
    x = x.detach().clone().requires_grad_()
    model.recursion(x, state).y.square().mul(normal(*state.y.shape, seed=8)).mean().backward()
    assert x.grad is not None and x.grad.abs().max() > 0
    return x.grad


@pytest.mark.parametrize("learns", ["last_round", "last_step"])
def test_x_gets_the_gradient_of_the_last_pass_alone(learns: str) -> None:
    """As if the others had happened elsewhere: their end state, given, leads to the same."""
    settings = dataclasses.replace(TRM, learns=learns)  # type: ignore[arg-type]
    model = awake(settings)
    x = normal(2, settings.positions_total, settings.hidden)
    reached = gradient_of_x(model, x, model.start(2))

    before = dataclasses.replace(settings, H=settings.H - 1)
    rest = dataclasses.replace(settings, H=1)
    state = stepped(model, before, x, model.start(2))
    model.recursion.settings = rest
    assert torch.equal(reached, gradient_of_x(model, x, state))

    model.recursion.settings = dataclasses.replace(rest, learns="last_round")
    whole = gradient_of_x(model, x, state)
    assert torch.equal(reached, whole) == (learns == "last_round")


@torch.no_grad()
def stepped(model: Reasoner, settings: ReasonerSettings, x: Tensor, state: State) -> State:
    model.recursion.settings = settings
    return model.recursion(x, state)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_every_parameter_learns_in_full_precision(kind: str, precision: str) -> None:
    """In particular where weights are cast once for all passes, those with and without graph."""
    settings = dataclasses.replace(KINDS[kind], precision=precision)  # type: ignore[arg-type]
    model, items = awake(settings), batch(settings, 16)
    thought = model(items, model.start(16))
    loss = answer_loss(thought.logits, items.labels).mean() + thought.halt.mean()
    (loss + thought.go_on.square().mean()).backward()
    for name, part in model.named_parameters():
        assert part.grad is not None and part.grad.abs().max() > 0, name
        assert part.grad.dtype == torch.float32, name


def test_gradients_of_bfloat16_point_the_same_way() -> None:
    settings = dataclasses.replace(TRM, H=1, L=1)
    directions = []
    for precision in ("float32", "bfloat16"):
        model = awake(dataclasses.replace(settings, precision=precision))
        items = batch(settings, 32)
        answer_loss(model(items, model.start(32)).logits, items.labels).mean().backward()
        grads = [part.grad.flatten() for part in model.parameters() if part.grad is not None]
        directions.append(torch.cat(grads))
    # Relative errors of some 24 roundings of 2^-9 each leave an angle of under 0.05.
    assert torch.cosine_similarity(*directions, dim=0) > 0.995


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_carry_is_cut_off_and_the_weights_are_not_moved(kind: str) -> None:
    model = awake(KINDS[kind])
    thought = model(batch(model.settings, 2), model.start(2))
    assert all(values is None or not values.requires_grad for values in thought.state)
    assert thought.logits.requires_grad and thought.halt.requires_grad
    starts = [name for name in model.state_dict() if name.startswith("start_")]
    assert starts and not set(starts) & {name for name, _ in model.named_parameters()}
