"""Sensory embeddings, tokens, both; learned slots, and puzzle vectors for the published recipe."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from bridges.reasoning.carry import Batch
from bridges.reasoning.evaluation import evaluate
from bridges.reasoning.reasoner import build
from bridges.reasoning.settings import TRM_ATTENTION, TRM_MLP, ReasonerSettings
from bridges.reasoning.supervision import start, supervision_step
from neuro.errors import ConfigError, SignalError
from tests.reasoning._small import awake, batch, generator, normal, small
from tests.reasoning._trained import server

SENSES: dict[str, Any] = {"sensory": 3, "sensory_length": 6}
BOTH = small(TRM_ATTENTION, H=2, L=1, **SENSES)
SENSORY = small(TRM_ATTENTION, H=2, L=1, length=0, answer="sensory", **SENSES)
ONE_ANSWER = small(TRM_MLP, H=2, L=1, length=0, answer="slot", **SENSES)


@pytest.mark.parametrize("settings", [BOTH, SENSORY, ONE_ANSWER])
def test_gradient_reaches_every_number_that_was_sensed(settings: ReasonerSettings) -> None:
    model, items = awake(settings), batch(settings, 4)
    assert items.sensory is not None
    sensed = items.sensory.clone().requires_grad_()
    carry = start(model, items)
    carry, losses, _ = supervision_step(
        model, carry, items._replace(sensory=sensed), generator=generator(0)
    )
    losses.total.backward()
    assert sensed.grad is not None and (sensed.grad != 0).all()


@pytest.mark.parametrize("settings", [BOTH, SENSORY, ONE_ANSWER])
def test_answers_stand_where_they_are_asked_for(settings: ReasonerSettings) -> None:
    """Logits are the head's reading of y at the right positions, and halting of the first."""
    model, items = awake(settings), batch(settings, 2)
    thought = model(items, model.start(2))
    first = {"tokens": 2 + 6, "sensory": 2, "slot": 0}[settings.answer]
    y = thought.state.y[:, first : first + settings.answers]
    assert thought.logits.shape == (2, settings.answers, 4)
    assert torch.equal(thought.logits, model.head(y))
    assert torch.equal(thought.halt, model.halt_head(thought.state.y[:, 0])[:, 0])


def test_what_is_sensed_matters_to_answers_at_tokens() -> None:
    model, items = awake(BOTH), batch(BOTH, 3)
    other = items._replace(sensory=normal(3, 6, 3, seed=50))
    assert not torch.equal(evaluate(model, items).logits, evaluate(model, other).logits)


def test_sensation_of_any_precision_is_reckoned_with_in_that_of_the_weights() -> None:
    """NumPy's own is float64."""
    model, items = awake(ONE_ANSWER), batch(ONE_ANSWER, 3)
    assert items.sensory is not None
    precise = items._replace(sensory=items.sensory.double())
    assert torch.equal(evaluate(model, items).logits, evaluate(model, precise).logits)
    carry = start(model, precise)
    _, losses, _ = supervision_step(model, carry, items, generator=generator(0))
    assert losses.total.isfinite()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_sensation_that_is_not_finite_has_no_answer(value: float) -> None:
    model, items = awake(ONE_ANSWER), batch(ONE_ANSWER, 3)
    assert items.sensory is not None
    broken = items.sensory.double()
    broken[1, 2, 0] = value
    wrong = items._replace(sensory=broken)
    for ask in (
        lambda: evaluate(model, wrong),
        lambda: start(model, wrong),
        lambda: supervision_step(model, start(model, items), wrong, generator=generator(0)),
    ):
        with pytest.raises(SignalError, match="`sensory` embeddings must be finite") as caught:
            ask()
        assert "\n" not in str(caught.value)
    whole = items._replace(sensory=torch.ones(3, 6, 3, dtype=torch.int16))
    with pytest.raises(ConfigError, match="`sensory` of floats, found int16"):
        start(model, whole)


def test_types_tell_sensation_from_tokens_only_where_both_are_given() -> None:
    assert awake(BOTH).inputs.types is not None
    assert awake(SENSORY).inputs.types is None
    model, items = awake(BOTH), batch(BOTH, 2)
    assert model.inputs.types is not None
    with torch.no_grad():
        before = model.inputs(items)
        model.inputs.types[0] += 1.0
        sensed = model.inputs(items) - before
        model.inputs.types[1] += 1.0
        both = model.inputs(items) - before
    changed = model.inputs.scale
    # Rounding of a difference of values around 1.
    assert torch.allclose(sensed[:, 2:8], torch.full_like(sensed[:, 2:8], changed), atol=1e-5)
    assert not sensed[:, :2].any() and not sensed[:, 8:].any()
    assert torch.allclose(both[:, 2:], torch.full_like(both[:, 2:], changed), atol=1e-5)


def test_nothing_tells_items_apart_but_what_is_given() -> None:
    """Two equal items, in different slots of a batch, get the same answer."""
    for settings in (BOTH, SENSORY, ONE_ANSWER):
        model, items = awake(settings), batch(settings, 3)
        twice = Batch(*(None if part is None else part[[0, 0, 0]] for part in items[:3]))
        logits = evaluate(model, twice).logits
        assert torch.equal(logits[0], logits[2])


def test_the_prefix_is_one_for_all_items_and_learns() -> None:
    settings = small(TRM_ATTENTION)
    model, items = awake(settings), batch(settings, 3)
    assert model.inputs.prefix is not None and model.inputs.prefix.requires_grad
    x = model.inputs(items)
    assert torch.equal(x[0, :2], x[2, :2])
    assert torch.equal(x[0, :2], model.inputs.prefix * model.inputs.scale)


@pytest.mark.parametrize("seed", [0, 1])
def test_loss_falls_on_a_task_that_needs_two_sensations(seed: int) -> None:
    """Whether the first and the last agree in sign: none alone tells. Answered at the slot."""
    settings = small(
        TRM_ATTENTION, vocabulary=2, length=0, sensory=3, sensory_length=5, sensory_gain=3.0,
        answer="slot", slots=1, positions="learned", hidden=16, multiple=16, H=2, L=2, steps_max=1,
    )  # fmt: skip
    model = build(settings, seed=seed)
    sensed = normal(256, 5, 3, seed=seed)
    labels = (sensed[:, 0, 0] * sensed[:, -1, 0] > 0).long().unsqueeze(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95))
    rng, losses = generator(seed), []
    carry = start(model, Batch(labels[:64], sensory=sensed[:64]))
    for step in range(160):
        items = torch.arange(step * 64, step * 64 + 64) % 256
        carry, found, _ = supervision_step(
            model, carry, Batch(labels[items], sensory=sensed[items]), generator=rng
        )
        found.total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(found.answer.item())
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


@pytest.mark.parametrize("mixer", ["attention", "mlp"])
def test_positions_are_told_apart(mixer: str) -> None:
    settings = small(TRM_ATTENTION if mixer == "attention" else TRM_MLP)
    model, items = awake(settings), batch(settings, 4)
    assert items.tokens is not None
    turned = items._replace(tokens=items.tokens.roll(1, dims=1))
    found = evaluate(model, turned).logits.roll(-1, dims=1)
    assert not torch.allclose(found, evaluate(model, items).logits, atol=1e-3)


def test_attention_without_positions_cannot_tell() -> None:
    """The control of the test above: then turning the input just turns the answer."""
    settings = small(TRM_ATTENTION, positions="none", H=1, L=1)
    model, items = awake(settings).double(), batch(settings, 4)
    assert items.tokens is not None
    turned = items._replace(tokens=items.tokens.roll(1, dims=1))
    found = model(turned, model.start(4)).logits.roll(-1, dims=1)
    # Two applications in float64.
    assert torch.allclose(found, model(items, model.start(4)).logits, atol=1e-12)


@pytest.mark.parametrize("mixer", ["convolution", "attention"])
def test_a_convolution_sees_one_cell_further_a_block(mixer: str) -> None:
    """Of 2 applications of 2 blocks, and no further; attention, the control, sees everything."""
    grid = {"length": 121, "columns": 11, "H": 1, "L": 1}
    settings = small(TRM_MLP, **grid, mixer=mixer)
    model, items = awake(settings).double(), batch(settings, 1)
    assert items.tokens is not None
    other = items.tokens.clone()
    centre = 5 * 11 + 5
    other[0, centre] = (other[0, centre] + 1) % settings.vocabulary
    start = model.start(1)
    before, after = (
        model(items._replace(tokens=tokens), start).logits for tokens in (items.tokens, other)
    )
    changed = (before != after).any(-1)[0].reshape(11, 11)
    near = torch.arange(11).sub(5).abs() <= 4
    assert (changed == (torch.outer(near, near) | (mixer == "attention"))).all()


def test_a_convolution_fits_a_grid_of_any_size() -> None:
    grid = small(TRM_MLP, mixer="convolution", length=6, columns=3)
    larger = dataclasses.replace(grid, length=35, columns=5)
    model = build(larger)
    model.load_state_dict(awake(grid).state_dict())
    assert evaluate(model, batch(larger, 2)).logits.shape == (2, 35, 4)


def with_ids() -> ReasonerSettings:
    return small(TRM_ATTENTION, H=1, L=1, puzzle_ids=5)


def test_puzzle_vectors_are_no_parameters_and_move_by_the_sign_of_their_gradient() -> None:
    settings = with_ids()
    model = awake(settings)
    assert model.puzzles is not None and model.inputs.prefix is None
    assert "puzzles.table" not in dict(model.named_parameters())
    table = normal(5, 8, seed=3)
    model.puzzles.table.copy_(table)
    items = batch(settings, 3)._replace(puzzle=torch.tensor([4, 1, 4]))
    _, losses, _ = supervision_step(model, start(model, items), items, generator=generator(0))
    losses.total.backward()
    model.puzzles.update(learning_rate=0.01, weight_decay=0.5)
    moved = model.puzzles.table
    assert torch.equal(moved[[0, 2, 3]], table[[0, 2, 3]])
    for used in (1, 4):
        step = moved[used] - table[used] * (1 - 0.01 * 0.5)
        # One step either way, to the rounding of values around 1.
        assert torch.allclose(step.abs(), torch.full((8,), 0.01), atol=1e-6)
    before = moved.clone()
    model.puzzles.update(learning_rate=0.01, weight_decay=0.5)  # nothing was used since
    assert torch.equal(model.puzzles.table, before)


def test_the_sign_is_that_of_the_sum_over_a_puzzles_items() -> None:
    from bridges.reasoning.puzzles import Puzzles

    puzzles = Puzzles(3, 2)
    for weights in ([[1.0, 1.0], [2.0, -3.0]], [[-4.0, 1.0], [0.0, 0.0]]):  # two backward passes
        rows = puzzles.rows(torch.tensor([2, 2]), learns=True)
        (rows * torch.tensor(weights)).sum().backward()
    puzzles.update(learning_rate=0.1, weight_decay=0.0)
    assert torch.allclose(puzzles.table[2], torch.tensor([0.1, 0.1]))  # sums -1 and -1
    assert not puzzles.table[:2].any()


def test_another_puzzle_vector_leads_to_another_answer() -> None:
    settings = with_ids()
    model, items = awake(settings), batch(settings, 2)
    assert model.puzzles is not None
    model.puzzles.table.copy_(normal(5, 8))
    one, other = (
        evaluate(model, items._replace(puzzle=torch.tensor([i, i]))).logits for i in (0, 3)
    )
    assert not torch.equal(one, other)


def _puzzle_process(rank: int, address: str, out: str) -> None:
    import torch.distributed as dist

    from bridges.reasoning.puzzles import Puzzles

    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=2)
    puzzles = Puzzles(2, 1)
    rows = puzzles.rows(torch.tensor([1]), learns=True)
    (rows * (2.0 if rank else -1.0)).sum().backward()
    puzzles.update(learning_rate=0.1, weight_decay=0.0)
    Path(out, str(rank)).write_text(str(puzzles.table[1].item()), encoding="utf-8")
    dist.destroy_process_group()


def test_two_processes_move_the_table_alike(tmp_path: Path) -> None:
    """Gradients -1 and 2 add up to 1, whatever each process saw."""
    context = server()
    processes = [
        context.Process(target=_puzzle_process, args=(rank, str(tmp_path / "meet"), str(tmp_path)))
        for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert [float((tmp_path / str(rank)).read_text("utf-8")) for rank in (0, 1)] == pytest.approx(
        [-0.1] * 2
    )


def test_a_model_of_another_precision_takes_the_same_weights() -> None:
    settings = small(TRM_MLP)
    low = awake(dataclasses.replace(settings, precision="bfloat16"), seed=1)
    full = awake(settings, seed=2)
    full.load_state_dict(low.state_dict())
    items = batch(settings, 2)
    assert torch.equal(full.inputs(items), low.inputs(items))
