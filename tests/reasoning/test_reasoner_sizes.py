"""The published numbers of parameters, and settings that cannot be."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from bridges.reasoning.reasoner import build, parameter_count
from bridges.reasoning.settings import (
    ABLATIONS,
    HRM,
    TRM_ATTENTION,
    TRM_MLP,
    ReasonerSettings,
    ablated,
    same_size_transformer,
    swiglu_width,
)
from neuro.errors import ConfigError
from tests.reasoning._small import KINDS, small

PUBLISHED = [(TRM_MLP, 5_028_866), (TRM_ATTENTION, 6_828_034), (HRM, 27_275_266)]


def every_parameter(settings: ReasonerSettings) -> int:
    return sum(part.numel() for part in build(settings, device="meta").parameters())


@pytest.mark.parametrize(("settings", "count"), PUBLISHED)
def test_parameters_are_as_published(settings: ReasonerSettings, count: int) -> None:
    """Publications keep what fills the slots in a buffer, as the table of puzzles here."""
    assert parameter_count(build(settings, device="meta")) == count
    assert every_parameter(settings) == count + settings.slots * settings.hidden
    assert every_parameter(dataclasses.replace(settings, puzzle_ids=1)) == count


@pytest.mark.parametrize(("settings", "count"), PUBLISHED)
def test_a_plain_transformer_of_the_same_size(settings: ReasonerSettings, count: int) -> None:
    model = build(same_size_transformer(settings, steps_max=1), device="meta")
    assert parameter_count(model) == count
    assert model.recursion.high is None and model.settings.kind == "transformer"


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_changes_settings_and_not_the_size(name: str) -> None:
    changed = ablated(TRM_MLP, name)
    assert changed != TRM_MLP
    assert parameter_count(build(changed, device="meta")) == 5_028_866


def test_the_count_would_notice_another_model() -> None:
    for change in ({"layers": 3}, {"multiple": 16}, {"vocabulary": 12}, {"length": 96, "slots": 0}):
        other = dataclasses.replace(TRM_MLP, **change)  # type: ignore[arg-type]
        assert parameter_count(build(other, device="meta")) != 5_028_866


def test_nothing_is_drawn_on_the_meta_device() -> None:
    model = build(HRM, device="meta")
    assert all(values.is_meta for values in model.state_dict().values())


def test_inner_widths_are_those_of_the_published_models() -> None:
    assert swiglu_width(512) == 1536 and swiglu_width(97) == 512
    # round(4 * 2/3 * 768) = 2048 is a multiple already
    assert swiglu_width(768) == 2048


@pytest.mark.parametrize("kind", list(KINDS))
def test_weights_follow_from_the_seed_alone(kind: str) -> None:
    before = torch.random.get_rng_state()
    one, same, other = (build(KINDS[kind], seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    drawn = 0
    for (name, a), b, c in zip(
        one.state_dict().items(), same.state_dict().values(), other.state_dict().values(),
        strict=True,
    ):  # fmt: skip
        assert torch.equal(a, b), name
        drawn += not torch.equal(a, c)
    # Only the prefix and the halt head do not start at random.
    assert drawn == len(one.state_dict()) - 3


def test_start_weights_have_the_scale_they_should() -> None:
    model = build(small(TRM_MLP, hidden=256, length=62, multiple=256, positions="learned"), seed=4)
    grid = small(TRM_MLP, hidden=256, length=62, columns=31, multiple=256, mixer="convolution")
    around = build(grid, seed=4).recursion.low.blocks[0].mixer
    block = model.recursion.low.blocks[0]
    scaled = {
        "tokens mixed": block.mixer.gate_up.weight * 64**0.5,
        "neighbours mixed": around.around.weight * 3,
        "features mixed": block.mlp.down.weight * 768**0.5,
        "symbols": model.inputs.symbols * 16,
        "positions": model.inputs.positions * 16,
        "y": model.start_y,
    }
    for name, values in scaled.items():
        # Five standard errors of a standard deviation over n values, each 1/sqrt(2n) of it.
        error = 5 / (2 * values.numel()) ** 0.5
        assert values.std().item() == pytest.approx(1.0, abs=error), name
        assert values.abs().max().item() <= 2 / 0.879, name
    assert model.halt_head.bias.tolist() == [-5.0, -5.0]
    assert not model.halt_head.weight.any()


def test_x_has_unit_variance_whatever_is_in_its_sum() -> None:
    from tests.reasoning._small import batch

    for change in ({}, {"positions": "learned"}, {"sensory": 7, "sensory_length": 30}):
        settings = small(TRM_ATTENTION, hidden=64, length=40, slots=0, **change)
        x = build(settings).inputs(batch(settings, 50))
        # 4 symbols and 40 positions are drawn: some 40 * 64 free values, error 5/sqrt(2n).
        assert x.std().item() == pytest.approx(1.0, abs=0.15), change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "lstm"}, "kind"),
        ({"heads": 3}, "multiple of `heads`"),
        ({"H": 0}, "`H` of 1 or more"),
        ({"length": 0}, "an input"),
        ({"mixer": "mlp"}, "positions"),
        ({"mixer": "convolution"}, "positions"),
        ({"mixer": "convolution", "positions": "none", "columns": 2}, "whole rows"),
        ({"mixer": "convolution", "positions": "none"}, "whole rows"),
        ({"mixer": "convolution", "positions": "none", "slots": 0}, "`slots` of 1"),
        (
            {
                "mixer": "convolution",
                "positions": "none",
                "length": 0,
                "sensory": 4,
                "sensory_length": 2,
            },
            "no `sensory`",
        ),
        ({"sensory": 4}, "sensory_length"),
        ({"sensory": 4, "sensory_length": 2, "puzzle_ids": 3}, "no `puzzle_ids`"),
        ({"answer": "slot", "slots": 0}, "positions to answer at"),
        ({"answer": "sensory"}, "positions to answer at"),
        ({"ema": 1.5}, "0..1"),
        ({"kind": "hrm", "single_z": True}, "single_z"),
        ({"sensory_gain": float("nan")}, "sensory_gain"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        dataclasses.replace(TRM_ATTENTION, **change)
    assert "\n" not in str(caught.value)


def test_an_unknown_ablation_is_refused() -> None:
    with pytest.raises(ConfigError, match="one-step gradient"):
        ablated(TRM_MLP, "no attention")
