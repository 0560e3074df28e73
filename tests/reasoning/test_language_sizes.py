"""Settings that fit together or are refused; exact numbers of parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from bridges.language.model import LanguageModel
from bridges.language.settings import LanguageSettings, RopeScaling, Sense
from bridges.language.sizes import SIZES, Count, count, size
from neuro.errors import ConfigError
from tests.reasoning._language import TINY, generator


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tiny", Count(text=115_136, senses=3_333)),
        ("95m", Count(text=93_119_232, senses=992_261)),
        ("390m", Count(text=389_671_680, senses=1_653_765)),
    ],
)
def test_a_size_has_exactly_its_parameters(name: str, expected: Count) -> None:
    assert count(size(name)) == expected


def test_the_sizes_are_those_that_were_asked_for() -> None:
    assert 93e6 <= count(size("95m")).total <= 95e6
    assert 390e6 <= count(size("390m")).total <= 400e6


@pytest.mark.parametrize("name", list(SIZES))
@pytest.mark.parametrize("tied", [True, False])
def test_counting_agrees_with_the_arithmetic_of_the_architecture(name: str, tied: bool) -> None:
    s = replace(size(name), tied=tied)
    queries, keys = s.heads * s.head_width, s.kv_heads * s.head_width
    layer = 2 * s.hidden * queries + 2 * s.hidden * keys + 3 * s.hidden * s.inner + 2 * s.hidden
    tables = (1 if tied else 2) * s.vocabulary * s.hidden
    senses = sum(sense.width * s.hidden + s.hidden for sense in s.senses)
    request = 5 * s.hidden + 5  # whether, and four arguments
    assert count(s) == Count(tables + s.layers * layer + s.hidden, senses + request)


def test_a_built_model_has_what_was_counted_and_a_model_of_text_no_senses() -> None:
    built = sum(part.numel() for part in LanguageModel(TINY, generator=generator()).parameters())
    assert built == count(TINY).total
    assert count(replace(TINY, senses=())) == Count(text=115_136, senses=0)


def test_counting_allocates_nothing() -> None:
    """A model of 10^15 parameters would not fit anywhere."""
    assert count(replace(TINY, vocabulary=2**44)).total > 1e15


def test_start_weights_come_from_the_generator_alone() -> None:
    before = torch.get_rng_state()
    first, again = (LanguageModel(TINY, generator=generator(4)) for _ in range(2))
    other = LanguageModel(TINY, generator=generator(5))
    for one, two in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first.embedding.weight, other.embedding.weight)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"layers": 0}, "`layers` of 1 or more, found 0"),
        ({"kv_heads": 3}, "`kv_heads` must divide `heads`.*found 3 and 4"),
        ({"hidden": 66, "head_width": 0}, "`heads` must divide `hidden`, found 4 and 66"),
        ({"head_width": 15}, "`head_width` must be even.*found 15"),
        ({"rope_theta": 0.0}, "`rope_theta` must be positive"),
        ({"rms_epsilon": float("nan")}, "`rms_epsilon` must be positive and finite, found nan"),
        ({"senses": (Sense("a", 1), Sense("a", 2))}, "different names, found a, a"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        replace(TINY, **changes)
    assert "\n" not in str(refused.value)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"found `95M`.*did you mean `95m`"):
        size("95M")
    with pytest.raises(ConfigError, match=r"no sense `sond`.*did you mean `sound`"):
        TINY.kind_of("sond")
    with pytest.raises(ConfigError, match="linear or llama3, found `yarn`"):
        RopeScaling("yarn", 2.0)
    with pytest.raises(ConfigError, match="plain word, found `a b`"):
        Sense("a b", 3)
    with pytest.raises(ConfigError, match=r"factor must be 1 or more, found 0\.5"):
        RopeScaling("linear", 0.5)


def test_a_head_may_be_wider_than_its_share() -> None:
    wide = LanguageSettings(
        vocabulary=8, hidden=12, layers=1, heads=3, kv_heads=1, inner=8, head_width=8, senses=()
    )
    assert count(wide).text == 8 * 12 + 12 * (24 + 8 + 8) + 24 * 12 + 3 * 12 * 8 + 3 * 12
