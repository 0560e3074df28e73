"""The Tiny Recursive Model: its size, which pass learns, and that it learns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bridges.reasoning.losses import supervision_loss
from bridges.reasoning.trm import TRM, Carry, core_parameters
from neuro.errors import ConfigError


def model(seed: int = 0, **changes: int) -> TRM:
    sizes = {
        "features": 3, "tokens": 5, "classes": 2, "hidden": 16, "heads": 2, "rounds": 3,
        "latent_steps": 2, **changes,
    }  # fmt: skip
    return TRM(**sizes, generator=torch.Generator().manual_seed(seed))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_core_has_the_published_number_of_parameters() -> None:
    """6,828,034 with 11 symbols embedded, a head for them and two halting outputs with bias."""
    assert core_parameters(512) + 2 * 11 * 512 + 2 * 512 + 2 == 6_828_034


@pytest.mark.parametrize(("hidden", "layers"), [(16, 1), (32, 2), (256, 3)])
def test_a_model_has_the_parameters_of_the_formula(hidden: int, layers: int) -> None:
    made = model(hidden=hidden, layers=layers, tokens=5, features=3, classes=4)
    core = sum(part.numel() for part in made.net.parameters())
    assert core == core_parameters(hidden, layers)
    around = (3 + 1) * hidden + hidden + 6 * hidden + 4 * hidden + hidden + 1
    assert sum(part.numel() for part in made.parameters()) == core + around


def test_only_the_last_round_builds_a_graph() -> None:
    made = model()
    graphs: list[bool] = []
    made.net.register_forward_hook(lambda *call: graphs.append(call[2].grad_fn is not None))
    made.think(made.embed(random(4, 5, 3)), made.start(4))
    applications = made.latent_steps + 1
    assert graphs == [False] * applications * (made.rounds - 1) + [True] * applications


def test_gradient_is_that_of_the_last_round_alone() -> None:
    """T rounds give x the gradient of one round that starts where the others ended."""
    deep = model()
    x = random(4, 6, 16, seed=1).requires_grad_()
    deep.think(x, deep.start(4)).y.square().mean().backward()
    reached = x.grad
    assert reached is not None and reached.abs().max() > 0

    with torch.no_grad():
        deep.rounds -= 1
        before = deep.think(x, deep.start(4))
    deep.rounds = 1
    again = x.detach().clone().requires_grad_()
    deep.think(again, before).y.square().mean().backward()
    assert again.grad is not None
    assert torch.equal(reached, again.grad)


def test_gradient_reaches_the_inputs_and_every_trained_part() -> None:
    made = model()
    with torch.no_grad():  # at the start the halt head has no weights to pass gradient through
        made.halt_head.weight.fill_(0.1)
    inputs = random(4, 5, 3).requires_grad_()
    supervision_loss(made(inputs, made.start(4)), torch.tensor([0, 1, 0, 1])).backward()
    assert inputs.grad is not None
    assert (inputs.grad.abs().sum(dim=(0, 1)) > 0).all()
    for name, part in made.named_parameters():
        assert part.grad is not None and part.grad.abs().max() > 0, name


def test_carry_is_detached_and_continues_the_thought() -> None:
    made = model(rounds=1)
    inputs = random(2, 5, 3)
    first = made(inputs, made.start(2))
    assert not first.carry.y.requires_grad and not first.carry.z.requires_grad
    second = made(inputs, first.carry)
    with torch.no_grad():
        made.rounds = 2
        both = made(inputs, made.start(2))
    assert torch.allclose(second.logits, both.logits, atol=1e-5)
    assert not torch.allclose(first.logits, second.logits, atol=1e-3)


def test_weights_follow_from_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = model(seed=1), model(seed=1), model(seed=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    for (name, a), b, c in zip(
        one.state_dict().items(), same.state_dict().values(), other.state_dict().values(),
        strict=True,
    ):  # fmt: skip
        assert torch.equal(a, b), name
        if not name.startswith(("halt_head", "embedding.bias")):
            assert not torch.equal(a, c), name


def test_start_weights_have_the_scale_they_should() -> None:
    made = model(hidden=256, heads=4)
    weight = made.net.blocks[0].mixer.qkv.weight
    # The standard error of a standard deviation over n values is below 1/sqrt(n) of it.
    assert weight.std().item() * 16 == pytest.approx(1.0, abs=5 / weight.numel() ** 0.5)
    assert weight.abs().max().item() * 16 <= 2 / 0.879


def test_no_untrained_slot_halts() -> None:
    made = model()
    assert (made(random(64, 5, 3), made.start(64)).halt < -4).all()


def test_tokens_are_told_apart_by_their_place() -> None:
    made = model()
    inputs = random(1, 5, 3)
    turned = inputs[:, [1, 0, 2, 3, 4]]
    start = made.start(1)
    assert not torch.allclose(made(inputs, start).logits, made(turned, start).logits, atol=1e-3)


@pytest.mark.parametrize("seed", [0, 1])
def test_loss_falls_on_a_task_that_needs_two_tokens(seed: int) -> None:
    """Whether the first and the last token agree in sign: no token alone tells."""
    made = model(seed=seed, rounds=2)
    inputs = random(256, 5, 3, seed=seed)
    labels = (inputs[:, 0, 0] * inputs[:, -1, 0] > 0).long()
    optimizer = torch.optim.AdamW(made.parameters(), lr=3e-3, betas=(0.9, 0.95))
    losses = []
    for step in range(100):
        batch = torch.arange(step * 64, step * 64 + 64) % 256
        thought = made(inputs[batch], made.start(64))
        loss = supervision_loss(thought, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"heads": 3}, "multiple"), ({"rounds": 0}, "rounds"), ({"tokens": 0}, "tokens")],
)
def test_impossible_sizes_are_refused(changes: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        model(**changes)


def test_carry_has_the_shape_of_slot_and_tokens() -> None:
    made = model()
    carry = made(random(3, 5, 3), made.start(3)).carry
    assert isinstance(carry, Carry)
    assert carry.y.shape == carry.z.shape == (3, 6, 16)
