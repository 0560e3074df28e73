"""A trainer: its state is whole, parts of a batch are the batch, and it stops where numbers end."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bridges.reasoning.settings import HRM, ReasonerSettings
from neuro.errors import ConfigError
from sims.config.training import TrainingSpec
from sims.train.loop.checkpoint import read_tensors, write_tensors
from sims.train.loop.non_finite import TrainingError
from sims.train.loop.trainer import MEASURES, Trainer
from tests.reasoning._small import small
from tests.reasoning._trained import SETTINGS, SPEC, VECTORS, puzzles, trainer, weights

VALUED = small(HRM, layers=1, slots=1, steps_max=3, length=6, vocabulary=5)
KINDS = {"trm": SETTINGS, "vectors": VECTORS, "hrm": VALUED,
         "bfloat16": dataclasses.replace(SETTINGS, precision="bfloat16")}  # fmt: skip
ATAN2 = SPEC.model_copy(update={"optimizer": "adam_atan2", "schedule": "cosine"})


def trained(one: Trainer, steps: int) -> Trainer:
    for _ in range(steps):
        one.advance()
    return one


def assert_same(one: Trainer, other: Trainer) -> None:
    (tensors, numbers), (others, other_numbers) = one.state(), other.state()
    assert numbers == other_numbers and tensors.keys() == others.keys()
    for name, part in tensors.items():
        assert part.dtype == others[name].dtype and torch.equal(part, others[name]), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spec", [SPEC, ATAN2], ids=["adamw", "atan2"])
def test_a_trainer_goes_on_from_its_file_bit_for_bit(
    kind: str, spec: TrainingSpec, tmp_path: Path
) -> None:
    whole = trained(trainer(spec, settings=KINDS[kind]), 11)
    before = trained(trainer(spec, settings=KINDS[kind]), 5)
    tensors, numbers = before.state()
    write_tensors(tmp_path / "a.safetensors", tensors, {"state": numbers}, kind="checkpoint")
    read, header = read_tensors(tmp_path / "a.safetensors", kind="checkpoint")
    after = trainer(spec, settings=KINDS[kind], seed=1)
    after.restore(read, header["state"])
    assert_same(before, after)
    assert_same(trained(after, 6), whole)
    assert whole.step == 11 and int(whole.sums[MEASURES.index("halted")]) > 8  # slots were refilled
    assert not any(map(torch.equal, whole.model.parameters(), trainer(spec).model.parameters()))


def test_everything_is_in_the_state(tmp_path: Path) -> None:
    """Each part of the state, left out, makes the training go on otherwise, or not at all."""
    whole = trained(trainer(), 11)
    tensors, numbers = trained(trainer(), 5).state()
    fresh, fresh_numbers = trainer().state()
    owners = ("model", "ema", "optimizer", "slots.y", "slots.z", "slots.items", "slots.steps")
    for owner in owners:
        mixed = {name: fresh.get(name, torch.zeros_like(part)) if name.startswith(owner) else part
                 for name, part in tensors.items()}  # fmt: skip
        other = trainer()
        other.restore(mixed, numbers)
        with pytest.raises(AssertionError):
            assert_same(trained(other, 6), whole)
    for number in ("step", "position", "ema_updates"):
        other = trainer()
        other.restore(tensors, {**numbers, number: fresh_numbers[number]})
        with pytest.raises(AssertionError):
            assert_same(trained(other, 11 - other.step), whole)


def test_the_state_is_of_its_own_batch_and_kind() -> None:
    tensors, numbers = trained(trainer(), 2).state()
    json.dumps(numbers, allow_nan=False)
    with pytest.raises((ValueError, RuntimeError)):
        trainer(SPEC.model_copy(update={"batch": 16})).restore(tensors, numbers)
    single = dataclasses.replace(SETTINGS, single_z=True)
    with pytest.raises((ValueError, RuntimeError)):
        trainer(settings=single).restore(tensors, numbers)


@pytest.mark.parametrize("kind", ["trm", "hrm"])
def test_a_batch_in_parts_is_the_batch(kind: str) -> None:
    """Sums of other order: float32 roundings, spread by a few steps of the recursion."""
    whole = trained(trainer(settings=KINDS[kind]), 6)
    spec = SPEC.model_copy(update={"accumulate": 4})
    parts = trained(trainer(spec, settings=KINDS[kind]), 6)
    assert np.array_equal(whole.items, parts.items)
    assert torch.equal(whole.carry.halted, parts.carry.halted)
    # A first step of Adam is the sign of the gradient, which rounding may turn where it is 0.
    bound = 200 * torch.finfo(torch.float32).eps
    for one, other in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        assert (one - other).norm() <= bound * (1 + one.norm())
    assert torch.allclose(whole.sums, parts.sums, rtol=bound)
    half = SPEC.model_copy(update={"batch": 4})  # known to be another training, and told apart
    third = trained(trainer(half, settings=KINDS[kind]), 6)
    pairs = zip(whole.model.parameters(), third.model.parameters(), strict=True)
    assert any((one - other).norm() > bound * (1 + one.norm()) for one, other in pairs)


def test_halted_slots_take_the_next_items_and_the_others_go_on() -> None:
    one = trained(trainer(), 4)
    while not 0 < int(one.carry.halted.sum()) < SPEC.batch and one.step < 30:
        one.advance()
    drawn = one.source.position
    halted = one.carry.halted.numpy().copy()
    items, steps = one.items.copy(), one.carry.steps.clone()
    assert 0 < halted.sum() < halted.size
    following = trainer().source
    following.position = drawn
    one.advance()
    assert np.array_equal(one.items[halted], following.draw(int(halted.sum())))
    assert np.array_equal(one.items[~halted], items[~halted])
    assert torch.equal(one.carry.steps, torch.where(torch.from_numpy(halted), 1, steps + 1))


def test_the_average_has_the_buffers_too_and_none_is_the_weights() -> None:
    without = trained(trainer(SPEC.model_copy(update={"ema": 0.0}), settings=VECTORS), 5)
    for name, part in weights(without.ema.model).items():
        assert torch.equal(part, without.model.state_dict()[name]), name
    one = trained(trainer(settings=VECTORS), 5)
    assert one.model.puzzles is not None and one.ema.model.puzzles is not None
    table, average = one.model.puzzles.table, one.ema.model.puzzles.table
    assert table.abs().max() > 0 and average.abs().max() > 0 and not torch.equal(table, average)


def test_a_loss_that_is_no_number_names_the_step_and_the_layer() -> None:
    one = trained(trainer(), 2)
    before = weights(one.model)
    with torch.no_grad():
        one.model.halt_head.weight[0, 0] = torch.nan
    with pytest.raises(TrainingError, match=r"parameter `halt_head\.weight` not finite at step 3"):
        one.advance()
    changed = {name for name, part in weights(one.model).items()
               if not torch.equal(part, before[name])}  # fmt: skip
    assert changed == {"halt_head.weight"}  # by us


def test_an_overflow_names_the_first_layer_that_has_it() -> None:
    one = trained(trainer(), 1)
    inner = next(name for name, _ in one.model.named_parameters() if name.startswith("recursion"))
    with torch.no_grad():
        one.model.get_parameter(inner).fill_(3e38)
    with pytest.raises(TrainingError) as caught:
        one.advance()
    layer = inner.rsplit(".", 1)[0]
    assert f"the output of the layer `{layer}`" in str(caught.value)
    assert "at step 2" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("clip", [1.0, 0.0])
@pytest.mark.parametrize("factor", [torch.nan, torch.inf])
@pytest.mark.parametrize("which", [0, 2, -1])
def test_a_gradient_that_is_no_number_is_named(which: int, factor: float, clip: float) -> None:
    """It, and none of those that would have been scaled by a norm that is no number."""
    one = trained(trainer(SPEC.model_copy(update={"clip": clip})), 2)
    name, parameter = list(one.model.named_parameters())[which]
    parameter.register_hook(lambda gradient: gradient * factor)
    with pytest.raises(TrainingError, match=f"the gradient of `{name}` not finite at step 3"):
        one.advance()


def test_of_gradients_that_spread_the_first_of_the_backward_pass_is_named() -> None:
    """What comes back from the head is no number, and so is every gradient before it: that of the
    layer which was done last is named, and not that of the inputs, which come first by name."""
    one = trained(trainer(), 2)

    def poisoning(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].requires_grad:
            inputs[0].register_hook(lambda gradient: gradient * torch.nan)

    one.model.head.register_forward_pre_hook(poisoning)
    with pytest.raises(TrainingError, match=r"the gradient of `recursion\.") as caught:
        one.advance()
    broken = [name for name, part in one.model.named_parameters()
              if part.grad is not None and not torch.isfinite(part.grad).all()]  # fmt: skip
    assert broken[0].startswith("inputs") and f"`{broken[-1]}`" in str(caught.value)
    assert not any(name.startswith("head") for name in broken)


@pytest.mark.parametrize("kind", ["trm", "vectors"])
def test_a_trainer_that_refused_a_step_is_as_it_was_before(kind: str) -> None:
    """Its items and its place among them too, though they were drawn for the step."""
    one, same = (trained(trainer(settings=KINDS[kind]), 5) for _ in range(2))
    hook = one.model.head.weight.register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(TrainingError):
        one.advance()
    assert one.sound
    assert_same(one, same)
    hook.remove()
    if one.model.puzzles is not None:
        one.model.puzzles.update(learning_rate=0.0, weight_decay=0.0)  # as in a new process
    assert_same(trained(one, 4), trained(same, 4))


@pytest.mark.parametrize("clip", [0.01, 0.0])
def test_gradients_are_clipped_to_their_norm(clip: float) -> None:
    """What is logged is the norm before."""
    one = trained(trainer(SPEC.model_copy(update={"clip": clip})), 1)
    left = torch.nn.utils.get_total_norm([part.grad for part in one.model.parameters()
                                          if part.grad is not None])  # fmt: skip
    norm = float(one.sums[MEASURES.index("gradient")])
    assert norm > 0.1
    # PyTorch divides by the norm and 1e-6; float32 sums of as many roundings as there are parts.
    assert float(left) == pytest.approx(clip or norm, rel=1e-6 / norm + 1e-5)


def test_the_loss_falls() -> None:
    one = trainer(SPEC.model_copy(update={"steps": 150}))
    early = trained(one, 20).averages()
    late = trained(one, 80).averages()
    assert late["loss"] < early["loss"] < 3
    assert set(late) == {"loss", "gradient", "accuracy", "exact", "halt_accuracy", "thought"}
    assert 1 <= late["thought"] <= SETTINGS.steps_max


def test_batches_must_divide() -> None:
    with pytest.raises(ConfigError, match=r"training\.accumulate: expected a divisor of the 8"):
        trainer(SPEC.model_copy(update={"accumulate": 3}))


def test_a_compiled_training_is_the_same_training() -> None:
    """Traced, and run by eager kernels: the same arithmetic in the same order."""
    plain, traced = trainer(), trainer()
    traced.compile(backend="eager")
    assert_same(trained(plain, 3), trained(traced, 3))


def test_what_compiles_wrongly_is_refused() -> None:
    from neuro.errors import SimulationError

    def wrong(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]):  # type: ignore[no-untyped-def]
        def run(*given: torch.Tensor):  # type: ignore[no-untyped-def]
            return [part * 1.01 if part.is_floating_point() else part for part in graph(*given)]

        return run

    one = trainer()
    with pytest.raises(SimulationError, match="compile: false"):
        one.compile(backend=wrong)  # type: ignore[arg-type]
    assert one.forward is None


def test_puzzles_are_what_the_trainer_is_given() -> None:
    made, one = puzzles(), trainer()
    batch = one.source.batch(np.array([3, 5]), 0)
    assert batch.tokens is not None
    assert np.array_equal(batch.tokens.numpy(), made.train.inputs[[3, 5]])
    assert isinstance(SETTINGS, ReasonerSettings) and batch.labels.shape == (2, SETTINGS.length)
