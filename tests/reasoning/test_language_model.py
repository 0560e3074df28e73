"""The transformer over mixed sequences: who sees whom, where gradient goes, what padding does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

from bridges.language.attention import sight
from bridges.language.modulation import REST, Modulation
from bridges.language.rope import frequencies, rotation, turn
from bridges.language.sequence import PADDING, TEXT, Mixed, Sensed, Text, interleave, text
from neuro.errors import ConfigError
from tests.reasoning._language import (
    MIXED_ITEM,
    TINY,
    answer,
    generator,
    model,
    random,
    sound,
    words,
)

# Sums of some hundred products of size 1 in double precision round at 1e-14; a mistake is of
# the size of the states, which is 1.
ROUNDING = 1e-10


def test_kinds_and_order_are_those_of_the_pieces() -> None:
    made = interleave([MIXED_ITEM, [sound(2, 9), words(1)]], TINY)
    sound_, answer_ = TINY.kind_of("sound"), TINY.kind_of("answer")
    row = [TEXT] * 3 + [sound_] * 4 + [TEXT] * 2 + [answer_] * 2 + [sound_] + [TEXT]
    assert made.kinds[0].tolist() == row
    assert made.kinds[1].tolist() == [PADDING] * 10 + [sound_] * 2 + [TEXT]
    heard = torch.cat([p.embeddings for p in MIXED_ITEM if isinstance(p, Sensed)][:1])
    assert torch.equal(made.sensed["sound"][:4], heard)
    assert made.sensed["sound"].shape == (7, 24) and made.sensed["answer"].shape == (2, 16)
    assert made.padded and not interleave([MIXED_ITEM], TINY).padded
    assert (made.history >= 0).sum() == 7


def test_each_token_is_embedded_by_its_own_kind() -> None:
    lm = model()
    state = lm.embed(interleave([MIXED_ITEM, [sound(2, 9), words(1)]], TINY))
    first, kind = lm.senses[0], 0
    assert isinstance(MIXED_ITEM[0], Text)
    assert torch.equal(state[0, kind], lm.embedding.weight[MIXED_ITEM[0].ids[0]])
    assert torch.allclose(state[0, 3], first(sound(4).embeddings)[0], atol=ROUNDING)
    assert torch.allclose(state[0, 9:11], lm.senses[1](answer(2).embeddings), atol=ROUNDING)
    assert torch.allclose(state[1, 10:12], first(sound(2, 9).embeddings), atol=ROUNDING)


def test_a_token_sees_itself_and_what_came_before() -> None:
    """Gradient of each state with respect to each input token: lower triangular, and full there."""
    lm = model()
    inputs = interleave([MIXED_ITEM], TINY)
    embedded: list[torch.Tensor] = []
    plain = lm.embed

    def watched(mixed: object) -> torch.Tensor:
        embedded.append(plain(mixed).detach().requires_grad_())  # type: ignore[arg-type]
        return embedded[-1]

    lm.embed = watched  # type: ignore[method-assign]
    states = lm(inputs)
    for token in range(states.shape[1]):
        (reached,) = torch.autograd.grad(states[0, token].sum(), embedded[0], retain_graph=True)
        touched = reached[0].abs().amax(dim=-1)
        assert (touched[: token + 1] > 1e-12).all()
        assert (touched[token + 1 :] == 0).all()


def test_gradient_reaches_sensations_and_every_weight() -> None:
    lm = model()
    heard = random(4, 24, dtype=torch.float64).requires_grad_()
    pieces = [words(3), Sensed("sound", heard), answer(2), Sensed("request", random(1, 4))]
    assert lm.request_head is not None
    states = lm(interleave([pieces], TINY))
    (lm.logits(states).square().mean() + lm.request_head(states[:, -1]).square().mean()).backward()
    assert heard.grad is not None and (heard.grad.abs().amax(dim=-1) > 1e-12).all()
    for name, part in lm.named_parameters():
        assert part.grad is not None and part.grad.abs().max() > 0, name


def test_louder_sensations_are_told_from_fainter_ones() -> None:
    """Were embeddings normalised on the way in, their energy would be lost."""
    lm = model()
    faint, loud = (
        lm(interleave([[Sensed("sound", scale * sound(4).embeddings)]], TINY)) for scale in (0.5, 1)
    )
    assert (faint - loud).abs().max() > 0.1


def test_text_is_not_changed_by_a_model_having_senses() -> None:
    """So weights of a text model mean what they meant."""
    with_senses = model()
    without = model(senses=())
    without.load_state_dict(with_senses.state_dict(), strict=False)
    inputs = text(torch.tensor([list(words(9).ids)]))
    assert torch.equal(with_senses(inputs), without(inputs))


@settings(max_examples=15)
@given(padding=st.lists(st.integers(0, 9), min_size=2, max_size=4))
def test_padding_changes_nothing(padding: list[int]) -> None:
    """Items of a batch read as they would alone, whatever stands beside them."""
    lm = model()
    whole = [*MIXED_ITEM, words(9, 7)]
    items = [whole, *([words(n + 1, n), sound(2, n)] for n in padding)]
    together = lm(interleave(items, TINY))
    for item, pieces in enumerate(items):
        alone = lm(interleave([pieces], TINY))[0]
        assert torch.allclose(together[item, -len(alone) :], alone, atol=ROUNDING)
    assert torch.isfinite(together).all()


@pytest.mark.parametrize("modulation", [REST, Modulation(gain=2.0)])
def test_padding_sees_itself_so_that_no_row_is_empty(modulation: Modulation) -> None:
    """A softmax over nothing is no number, on some devices for its neighbours' gradient too."""
    kinds = interleave([[words(4)], [words(1)]], TINY).kinds
    may = sight(kinds, 4, TINY, modulation, padded=True, dtype=torch.float64).mask
    assert may is not None
    seen = may if may.dtype == torch.bool else may > -math.inf
    assert seen[1, 0].tolist() == [[n == m for m in range(4)] for n in range(4)]
    assert seen[0, 0].tolist() == [[m <= n for m in range(4)] for n in range(4)]


def test_a_product_of_turned_heads_depends_on_their_distance_alone() -> None:
    query, key = random(1, 1, 1, 16, seed=1), random(1, 1, 1, 16, seed=2)
    query, key = query.double(), key.double()

    def product(at: int, other: int) -> float:
        one = turn(query, rotation(torch.tensor([[at]]), TINY, torch.float64))
        two = turn(key, rotation(torch.tensor([[other]]), TINY, torch.float64))
        return float((one * two).sum())

    assert product(5, 2) == pytest.approx(product(105, 102), abs=1e-11)  # angles of 100 rad
    assert abs(product(5, 2) - product(5, 3)) > 1e-3
    assert frequencies(TINY)[0] == 1


def test_groups_of_queries_share_keys_as_if_they_were_copied() -> None:
    """Ainslie et al. 2023: grouped attention is full attention with repeated keys and values."""
    grouped, full = model(), model(kv_heads=4)
    state = {}
    for name, part in grouped.state_dict().items():
        if name.endswith(("attention.key.weight", "attention.value.weight")):
            heads = part.unflatten(0, (2, 16)).repeat_interleave(2, dim=0)
            state[name] = heads.flatten(0, 1)
        else:
            state[name] = part
    full.load_state_dict(state)
    inputs = interleave([MIXED_ITEM], TINY)
    assert torch.allclose(grouped(inputs), full(inputs), atol=ROUNDING)


def test_half_precision_keeps_far_positions_apart() -> None:
    """In bfloat16 itself position 257 would be position 256."""
    near, far = (rotation(torch.tensor([[p]]), TINY, torch.bfloat16) for p in (256, 257))
    assert (near.cos - far.cos).abs().max() > 0.5


@pytest.mark.parametrize("way", ["autocast", "weights"])
def test_half_precision_is_near_and_reads_on_from_a_cache(way: str) -> None:
    """bfloat16 keeps 8 bits, 0.4 % of each of some ten sums in a row; another model is 1 away."""
    lm = model(exact=False)
    inputs = interleave([MIXED_ITEM, [words(2, 3)]], TINY)
    valid = inputs.kinds != PADDING
    exact, other = lm(inputs)[valid], model(exact=False, seed=9)(inputs)[valid]
    assert (exact - other).abs().max() > 1
    if way == "weights":
        lm = lm.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=way == "autocast"):
        for modulation in (REST, Modulation(gain=1.0001)):  # the mask is one of numbers then
            states = lm(inputs, modulation=modulation)
            assert 0 < (states[valid].float() - exact).abs().max() < 0.1
            with torch.no_grad():
                cached = lm(inputs, modulation=modulation, cache=lm.new_cache(2))
            assert (cached[valid].float() - exact).abs().max() < 0.1
        states.float().square().mean().backward()
    assert all(part.grad is None or torch.isfinite(part.grad).all() for part in lm.parameters())


def test_a_small_model_learns_what_only_the_sound_tells() -> None:
    """The word to say is written in the sound; if the sounds are shuffled it stays a guess."""
    mark = random(2, 24, seed=8)

    def batch(step: int, shuffled: bool) -> tuple[Mixed, torch.Tensor]:
        told = torch.randint(2, (32,), generator=generator(step))
        heard = torch.randint(2, (32,), generator=generator(-1 - step)) if shuffled else told
        items = [[words(2, n), Sensed("sound", mark[t : t + 1])] for n, t in enumerate(heard)]
        return interleave(items, TINY), told

    def loss_after_training(shuffled: bool) -> float:
        lm = model(seed=3, exact=False, layers=1)
        optimizer = torch.optim.AdamW(lm.parameters(), lr=3e-3)
        for step in range(40):
            inputs, told = batch(step, shuffled)
            loss = cross_entropy(lm.logits(lm(inputs)[:, -1]), told)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        inputs, told = batch(1000, shuffled)
        return cross_entropy(lm.logits(lm(inputs)[:, -1]), told).item()

    guess = math.log(2)
    assert loss_after_training(shuffled=False) < 0.1 * guess
    assert loss_after_training(shuffled=True) > 0.9 * guess


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([[Text(())]], "1 token or more, found an empty one"),
        ([], "1 token or more, found an empty one"),
        ([[Text((258,))]], "0 to 257, found 258; use the tokenizer"),
        ([[Text((-1,))]], "0 to 257, found -1"),
        ([[Sensed("sound", random(2, 23))]], r"must be \(token, 24\), found \(2, 23\)"),
        ([[Sensed("sound", random(24))]], r"must be \(token, 24\), found \(24,\)"),
        ([[Sensed("smell", random(2, 24))]], "no sense `smell`"),
        ([["hello"]], "item 0: a piece must be Text or Sensed, found str"),
    ],
)
def test_sequences_that_do_not_fit_are_refused(items: list[list[object]], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        interleave(items, TINY)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("ids", [(1.7, 2), 5, "ab", torch.tensor([1.5])])
def test_text_that_is_no_whole_numbers_is_refused(ids: Any) -> None:
    with pytest.raises(ConfigError, match=r"must be whole numbers, found .*; encode") as no:
        Text(ids)
    assert "\n" not in str(no.value)


def test_whole_numbers_of_any_kind_are_text() -> None:
    for ids in ([1, 2], torch.tensor([1, 2]), np.array([1, 2], np.int32)):
        assert Text(ids) == Text((1, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize("token", [-1, 258, 2**40])
def test_text_alone_outside_the_vocabulary_is_refused(token: int) -> None:
    ids = torch.tensor([[3, token]])
    found = f"{min(3, token)} to {max(3, token)}"
    with pytest.raises(ConfigError, match=f"must be 0 to 257, found {found}; use the tokenizer"):
        model()(text(ids))


@pytest.mark.parametrize(
    "ids", [torch.ones(1, 2), torch.tensor([1, 2]), torch.zeros(1, 0, dtype=torch.int64)]
)
def test_text_alone_of_another_shape_or_type_is_refused(ids: Tensor) -> None:
    with pytest.raises(
        ConfigError, match=r"must be \(batch, token\) whole numbers, 1 token or more"
    ):
        text(ids)


def test_a_sequence_longer_than_the_positions_is_refused() -> None:
    lm = model(longest=8)
    lm(interleave([[words(8)], [words(3)]], TINY))
    with pytest.raises(ConfigError, match="fit the model's 8 positions, found 9 tokens"):
        lm(interleave([[words(9)]], TINY))
