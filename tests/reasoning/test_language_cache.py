"""Reading on from a cache is reading everything anew."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.language.kv_cache import KVCache
from bridges.language.sequence import Mixed, Piece, interleave
from neuro.errors import ConfigError
from tests.reasoning._language import MIXED_ITEM, TINY, model, sound, words

ROUNDING = 1e-10
"""Of sums of some hundred products of size 1 in double precision; states are of size 1."""


def cut(mixed: Mixed, start: int, stop: int) -> Mixed:
    """Columns of a batch, with the embeddings that fall in them."""
    sensed = {}
    for name, embeddings in mixed.sensed.items():
        rows = (mixed.kinds == TINY.kind_of(name)).flatten()
        inside = torch.zeros_like(mixed.kinds, dtype=torch.bool)
        inside[:, start:stop] = True
        if (here := inside.flatten()[rows]).any():
            sensed[name] = embeddings[here]
    return Mixed(mixed.ids[:, start:stop], mixed.kinds[:, start:stop], sensed, mixed.padded)


@settings(max_examples=20)
@given(
    cuts=st.sets(st.integers(1, 21), max_size=6),
    capacity=st.integers(1, 40),
    short=st.integers(1, 22),
)
def test_cached_equals_uncached(cuts: set[int], capacity: int, short: int) -> None:
    """In pieces of any length, with padding, from a cache that has to grow or not."""
    lm = model()
    whole: list[Piece] = [*MIXED_ITEM, words(9, 3)]
    inputs = interleave([whole, [words(short, 4)]], TINY)
    edges = [0, *sorted(cuts), 22]
    with torch.no_grad():
        expected = lm(inputs)
        cache = lm.new_cache(2, capacity=capacity)
        parts = [lm(cut(inputs, start, stop), cache=cache) for start, stop in pairwise(edges)]
    valid = inputs.kinds >= 0
    assert valid.sum() == 22 + short
    assert torch.allclose(torch.cat(parts, dim=1)[valid], expected[valid], atol=ROUNDING)
    assert cache.length == 22 and cache.capacity >= 22
    assert torch.equal(cache.kinds, inputs.kinds)


def test_without_padding_a_cache_is_the_same_in_single_precision_too() -> None:
    lm = model(exact=False)
    inputs = interleave([MIXED_ITEM], TINY)
    with torch.no_grad():
        cache = lm.new_cache(1)
        cached = torch.cat([lm(cut(inputs, n, n + 1), cache=cache) for n in range(13)], dim=1)
        # Two layers of sums of a hundred terms of size 1, at 6e-8 each.
        assert torch.allclose(cached, lm(inputs), atol=2e-5)


def test_padding_inside_a_row_takes_no_position() -> None:
    """An item that has nothing to add waits while its neighbour reads on."""
    lm = model()
    with torch.no_grad():
        cache = lm.new_cache(2)
        lm(interleave([[words(3)], [words(5, 1)]], TINY), cache=cache)
        lm(interleave([[sound(4)], []], TINY, hollow=True), cache=cache)
        last = lm(interleave([[words(2, 2)], [words(2, 3)]], TINY), cache=cache)
        first = lm(interleave([[words(3), sound(4), words(2, 2)]], TINY))
        second = lm(interleave([[words(5, 1), words(2, 3)]], TINY))
    assert torch.allclose(last[0], first[0, -2:], atol=ROUNDING)
    assert torch.allclose(last[1], second[0, -2:], atol=ROUNDING)


def test_memory_grows_by_doubling_and_keeps_what_was_in_it() -> None:
    cache = KVCache(TINY, 1, capacity=2)
    kept = torch.arange(5.0).reshape(1, 1, 5, 1).expand(1, 2, 5, 16)
    for start in range(5):
        cache.begin(torch.zeros(1, 1, dtype=torch.int64), padded=False)
        new = kept[:, :, start : start + 1]
        keys, _ = cache.put(0, new, new)
        cache.put(1, new, -new)
        cache.commit()
        assert torch.equal(keys, kept[:, :, : start + 1])
    assert cache.capacity == 8
    assert torch.equal(cache.values[1][:, :, :5], -kept)


def test_a_call_that_fails_leaves_the_cache_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = model()
    inputs = interleave([MIXED_ITEM], TINY)
    with torch.no_grad():
        cache = lm.new_cache(1, capacity=4)
        lm(cut(inputs, 0, 7), cache=cache)
        with monkeypatch.context() as patch:
            patch.setattr(lm.blocks[1], "forward", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                lm(cut(inputs, 0, 13), cache=cache)
        rest = lm(cut(inputs, 7, 13), cache=cache)
        assert torch.allclose(rest, lm(inputs)[:, 7:], atol=ROUNDING)


def test_what_a_cache_cannot_do_is_refused() -> None:
    lm = model(longest=8)
    eight = interleave([[words(8)]], TINY)
    with pytest.raises(ConfigError, match="a cache passes no gradient"):
        lm(eight, cache=lm.new_cache(1))
    with torch.no_grad():
        cache = lm.new_cache(1)
        lm(eight, cache=cache)
        with pytest.raises(ConfigError, match="fit the model's 8 positions, found 9 tokens"):
            lm(interleave([[words(1)]], TINY), cache=cache)
        with pytest.raises(ConfigError, match="a cache of 2 items must go on with as many"):
            lm(eight, cache=lm.new_cache(2))
    with pytest.raises(ConfigError, match="batch and a capacity of 1 or more, found 0 and 64"):
        KVCache(TINY, 0)
    with pytest.raises(ConfigError, match="commits what was begun"):
        KVCache(TINY, 1).commit()
