"""The optimizers, against updates written by hand, and what a schedule is."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from neuro.errors import ConfigError
from sims.config.training import TrainingSpec
from sims.train.loop.atan2 import AdamATan2
from sims.train.loop.optimizer import BETAS, moments_of, new_optimizer, restore_moments
from sims.train.loop.schedule import rate_at

ATAN2 = TrainingSpec(optimizer="adam_atan2", learning_rate=0.01, weight_decay=0.5)
ADAMW = TrainingSpec(optimizer="adamw", learning_rate=0.01, weight_decay=0.5)


def parameters() -> list[nn.Parameter]:
    draw = torch.Generator().manual_seed(1)
    shapes = ((3, 4), (5,))
    return [
        nn.Parameter(torch.randn(*shape, generator=draw, dtype=torch.float64)) for shape in shapes
    ]


def gradients(step: int, like: list[nn.Parameter]) -> list[Tensor]:
    draw = torch.Generator().manual_seed(100 + step)
    return [torch.randn(part.shape, generator=draw, dtype=part.dtype) for part in like]


def trained(spec: TrainingSpec, steps: int, *, scale: float = 1.0) -> list[nn.Parameter]:
    moving = parameters()
    optimizer = new_optimizer(spec, moving)
    for step in range(steps):
        for part, gradient in zip(moving, gradients(step, moving), strict=True):
            part.grad = scale * gradient
        optimizer.step()
    return moving


def by_hand(spec: TrainingSpec, steps: int) -> list[list[float]]:
    """The same, one number at a time."""
    beta1, beta2 = BETAS
    rate, found = spec.learning_rate, []
    start = parameters()
    for index, part in enumerate(start):
        values = part.detach().flatten().tolist()
        for place in range(len(values)):
            mean = square = 0.0
            for step in range(steps):
                gradient = float(gradients(step, start)[index].flatten()[place])
                mean = beta1 * mean + (1 - beta1) * gradient
                square = beta2 * square + (1 - beta2) * gradient**2
                unbiased1, unbiased2 = 1 - beta1 ** (step + 1), 1 - beta2 ** (step + 1)
                root = math.sqrt(square / unbiased2)
                values[place] *= 1 - rate * spec.weight_decay
                if spec.optimizer == "adam_atan2":
                    values[place] -= rate / unbiased1 * math.atan2(mean, root)
                else:
                    values[place] -= rate * (mean / unbiased1) / (root + 1e-8)
        found.append(values)
    return found


@pytest.mark.parametrize("spec", [ATAN2, ADAMW], ids=["atan2", "adamw"])
def test_an_update_is_the_one_written_by_hand(spec: TrainingSpec) -> None:
    for part, wanted in zip(trained(spec, 5), by_hand(spec, 5), strict=True):
        exact = torch.tensor(wanted, dtype=torch.float64)
        # Five steps of some ten float64 roundings each, of numbers of order 1.
        assert (part.detach().flatten() - exact).abs().max() < 50 * torch.finfo(exact.dtype).eps


def test_atan2_does_not_depend_on_the_scale_of_the_loss_and_adamw_does() -> None:
    """By a power of two every product is exact, so the weights are equal bit for bit."""
    for one, other in zip(trained(ATAN2, 6), trained(ATAN2, 6, scale=2.0**-40), strict=True):
        assert torch.equal(one, other)
    pairs = zip(trained(ADAMW, 6), trained(ADAMW, 6, scale=2.0**-40), strict=True)
    assert not any(torch.equal(one, other) for one, other in pairs)  # its epsilon has a unit


def test_a_gradient_of_zero_moves_nothing_but_the_decay() -> None:
    part = nn.Parameter(torch.ones(2))
    optimizer = AdamATan2([part], lr=0.1, weight_decay=0.5)
    part.grad = torch.zeros(2)
    optimizer.step()
    assert torch.equal(part.detach(), torch.full((2,), 1 - 0.1 * 0.5))
    untouched = nn.Parameter(torch.ones(2))
    AdamATan2([untouched], lr=0.1, weight_decay=0.5).step()  # no gradient at all
    assert torch.equal(untouched.detach(), torch.ones(2))


@pytest.mark.parametrize("spec", [ATAN2, ADAMW], ids=["atan2", "adamw"])
def test_saved_moments_go_on_bit_for_bit(spec: TrainingSpec) -> None:
    moving = trained(spec, 0)
    first = new_optimizer(spec, moving)
    for step in range(7):
        if step == 4:  # through a dictionary of tensors, into another optimizer
            moments = {name: part.clone() for name, part in moments_of(first).items()}
            first = new_optimizer(spec, moving)
            restore_moments(first, moments)
        for part, gradient in zip(moving, gradients(step, moving), strict=True):
            part.grad = gradient
        first.step()
    assert all(map(torch.equal, moving, trained(spec, 7)))


def test_moments_of_another_shape_are_refused() -> None:
    one = nn.Parameter(torch.ones(3))
    optimizer = new_optimizer(ATAN2, [one])
    one.grad = torch.ones(3)
    optimizer.step()
    with pytest.raises(ValueError, match="another shape"):
        restore_moments(new_optimizer(ATAN2, [nn.Parameter(torch.ones(4))]), moments_of(optimizer))


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"betas": (0.9, 1.0)}, {"weight_decay": -0.1}])
def test_impossible_numbers_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        AdamATan2([nn.Parameter(torch.ones(1))], **wrong)  # type: ignore[arg-type]


def test_a_schedule_rises_and_then_stays_or_falls() -> None:
    def rates(shape: str, **more: float) -> list[float]:
        return [rate_at(step, peak=1.0, steps=100, warm_up=10, shape=shape, **more)  # type: ignore[arg-type]
                for step in range(100)]  # fmt: skip

    constant, cosine, part = rates("constant"), rates("cosine"), rates("cosine", final=0.25)
    late = rates("cosine", fall=0.3)
    for found in (constant, cosine, part, late):
        assert found[:10] == [(step + 1) / 10 for step in range(10)]
        assert found[10] == 1.0
    assert set(constant[10:]) == {1.0}
    assert all(later < before for before, later in itertools.pairwise(cosine[10:]))
    assert cosine[-1] == pytest.approx(0.0, abs=1e-15) and part[-1] == pytest.approx(0.25)
    assert set(late[10:73]) == {1.0} and late[-1] == pytest.approx(0.0, abs=1e-15)
    assert all(later < before for before, later in itertools.pairwise(late[73:]))
