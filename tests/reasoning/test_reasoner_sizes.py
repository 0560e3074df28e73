"""The published numbers of parameters, and settings that cannot be."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
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
from bridges.reasoning.size import held
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


def test_it_has_the_mixer_that_the_settings_have() -> None:
    """Of TRM_MLP an MLP-mixer; attention is as large as TRM_ATTENTION."""
    kinds = {
        name: {type(part).__name__ for part in build(settings, device="meta").modules()}
        for name, settings in {
            "mlp": same_size_transformer(TRM_MLP), "attention": same_size_transformer(HRM),
        }.items()
    }  # fmt: skip
    assert "Attention" in kinds["attention"] and "Attention" not in kinds["mlp"]
    asked = same_size_transformer(TRM_MLP, mixer="attention", positions="rope")
    assert asked == same_size_transformer(TRM_ATTENTION)


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
        ({"kind": "transformer"}, r"`H` \(rounds\) and `L` .* of 1 .* found H: 3, L: 6"),
        ({"kind": "transformer", "H": 1}, "found H: 1, L: 6"),
        ({"kind": "transformer", "H": 1, "L": 1, "learns": "last_step"}, "`learns` of last_round"),
        ({"expansion": 0.001}, "an `expansion` with which 2/3 of 512"),
        ({"mixer": "mlp", "positions": "none", "length": 1, "slots": 0, "expansion": 0.5}, "of 1 "),
        ({"expansion": 1e308}, "is finite"),
        ({"hidden": 2**40}, "`hidden` to be a whole number up to 2147483647"),
        ({"hidden": 512.0}, "`hidden` to be a whole number"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        dataclasses.replace(TRM_ATTENTION, **change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "device"),
    [
        ({"expansion": 1e30}, "cpu"),
        ({"expansion": 1e30}, "meta"),
        ({"hidden": 40_000_000}, "cpu"),
        ({"layers": 10**9}, "cpu"),
        ({"puzzle_ids": 2**31 - 1}, "cpu"),
    ],
)
def test_a_reasoner_that_memory_cannot_hold_is_refused(change: dict[str, Any], device: str) -> None:
    with pytest.raises(ConfigError, match=r"must fit into memory, found .* bytes") as caught:
        build(dataclasses.replace(TRM_ATTENTION, **change), device=device)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        *KINDS.values(),
        TRM_MLP,
        HRM,
        dataclasses.replace(TRM_MLP, puzzle_ids=7),
        dataclasses.replace(TRM_MLP, sensory=7, sensory_length=5, positions="learned"),
        dataclasses.replace(TRM_MLP, sensory=7, sensory_length=5, length=0, answer="slot"),
    ],
)
def test_what_is_reckoned_is_what_is_held(settings: ReasonerSettings) -> None:
    model = build(settings, device="meta")
    assert held(settings) == sum(part.numel() for part in (*model.parameters(), *model.buffers()))


def test_no_reasoner_is_made_by_way_of_the_meta_device() -> None:
    """Its first use imports SymPy, which takes longer than all the rest."""
    code = (
        "import sys; from bridges.reasoning.reasoner import build; "
        "from bridges.reasoning.settings import ReasonerSettings as S; "
        "build(S(hidden=16, heads=2)); "
        "build(S(hidden=16, mixer='convolution', positions='none', columns=9)); "
        "sys.exit('sympy' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0


def test_an_ablation_that_changes_nothing_is_refused() -> None:
    plain = same_size_transformer(TRM_MLP)
    with pytest.raises(ConfigError, match="'T=1' must take something away, found H: 1"):
        ablated(plain, "T=1")
    for name in ("one-step gradient", "single z"):
        with pytest.raises(ConfigError, match="kind"):
            ablated(plain, name)
    with pytest.raises(ConfigError, match="'no EMA' must take something away"):
        ablated(HRM, "no EMA")


def test_an_unknown_ablation_is_refused() -> None:
    with pytest.raises(ConfigError, match="one-step gradient"):
        ablated(TRM_MLP, "no attention")
