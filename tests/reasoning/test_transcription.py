"""Every kind of reasoner against a slow transcription of its algorithm, in float64."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.reasoning import _transcribed as slow
from tests.reasoning._small import KINDS, awake, batch

ROUNDING = 1e-11
"""Up to 18 applications of blocks whose sums have under 100 terms: some 1e4 roundings of 1e-16 in
a row, and norms that keep them from growing; tenfold for what they do grow."""


def listed(model: torch.nn.Module) -> dict[str, Any]:
    return {name: values.tolist() for name, values in model.state_dict().items()}


def largest(found: Tensor, wanted: Any) -> float:
    expected = torch.tensor(wanted, dtype=torch.float64)
    assert found.dtype == torch.float64 and found.shape == expected.shape
    return float((found.detach() - expected).abs().max())


@pytest.mark.parametrize(
    "kind", ["trm-attention", "trm-attention-learned", "trm-mlp", "trm-convolution", "hrm"]
)
def test_two_supervision_steps_equal_the_transcription(kind: str) -> None:
    settings = KINDS[kind]
    model, items = awake(settings).double(), batch(settings, 2)
    assert items.tokens is not None
    weights, state = listed(model), model.start(2)
    positions = settings.positions_total
    for item in range(2):
        y, z = ([weights[name]] * positions for name in ("start_y", "start_z"))
        state = model.start(2)
        for _ in range(2):
            thought = model(items, state)
            state = thought.state
            tokens = items.tokens[item].tolist()
            control = slow.step(weights, tokens, y, z, settings, wrong=True)[2]
            y, z, logits, halting = slow.step(weights, tokens, y, z, settings)
            assert largest(state.y[item], y) < ROUNDING
            assert state.z is not None and largest(state.z[item], z) < ROUNDING
            assert largest(thought.logits[item], logits) < ROUNDING
            assert largest(torch.stack([thought.halt, thought.go_on])[:, item], halting) < ROUNDING
            assert largest(thought.logits[item], control) > 1e-3  # a wrong algorithm shows


@pytest.mark.parametrize("kind", ["single-z", "transformer"])
def test_one_state_equals_the_transcription(kind: str) -> None:
    settings = KINDS[kind]
    model, items = awake(settings).double(), batch(settings, 1)
    assert items.tokens is not None
    weights, state = listed(model), model.start(1)
    assert state.z is None
    y = [weights["start_y"]] * settings.positions_total
    one = slow.single_z_step if kind == "single-z" else slow.transformer_step
    other = slow.transformer_step if kind == "single-z" else slow.single_z_step
    for _ in range(2):
        thought = model(items, state)
        state, tokens = thought.state, items.tokens[0].tolist()
        control = other(weights, tokens, y, settings)[1]
        y, logits = one(weights, tokens, y, settings)
        assert largest(state.y[0], y) < ROUNDING
        assert largest(thought.logits[0], logits) < ROUNDING
        assert largest(thought.logits[0], control) > 1e-3


@pytest.mark.parametrize("kind", list(KINDS))
def test_float32_keeps_what_float64_says(kind: str) -> None:
    """Rounding of 1e-7 grows through the recursion, but stays far below what matters."""
    settings = KINDS[kind]
    model, items = awake(settings), batch(settings, 8)
    with torch.no_grad():
        found = model(items, model.start(8)).logits
        exact = model.double()(items, model.start(8)).logits
    assert (found.double() - exact).abs().max() < 1e-4
    assert exact.abs().max() > 0.1


def test_bfloat16_thinks_much_the_same() -> None:
    """One round, before differences grow: two applications of two blocks, with some six
    roundings of 2^-9 each, of values around 1."""
    settings = dataclasses.replace(KINDS["trm-mlp"], H=1, L=1)
    low = dataclasses.replace(settings, precision="bfloat16")
    model, rounded, items = awake(settings), awake(low), batch(settings, 64)
    with torch.no_grad():
        full, half = (m(items, m.start(64)) for m in (model, rounded))
    assert half.state.y.dtype == torch.bfloat16 and half.logits.dtype == torch.float32
    assert all(part.dtype == torch.float32 for part in rounded.parameters())
    assert 0 < (full.logits - half.logits).abs().mean() < 2 * 2 * 6 * 2**-9
