"""Going on with a text: from a cache as if without one, until it is told to stop."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch

from bridges.language.contrast import Amateur
from bridges.language.generate import Continuation, generate
from bridges.language.model import LanguageModel
from bridges.language.modulation import Modulation
from bridges.language.sampling import GREEDY, Decoding
from bridges.language.sequence import Mixed, Piece, Text, interleave
from neuro.errors import ConfigError
from tests.reasoning._language import MIXED_ITEM, TINY, generator, model, sound, words

ITEMS: list[list[Piece]] = [MIXED_ITEM, [words(2, 5)], [sound(3, 6), words(4, 6)]]


def talker(**changes: Any) -> LanguageModel:
    """Untied, since a random model that reads and says with the same weights repeats itself."""
    return model(tied=False, **changes)


def prompts(*items: list[Piece]) -> Mixed:
    return interleave(items or ITEMS, TINY)


def by_hand(lm: LanguageModel, pieces: list[Piece], limit: int) -> Continuation:
    """The likeliest tokens, everything read anew for each."""
    said: list[int] = []
    surprise: list[float] = []
    for _ in range(limit):
        row = lm.logits(lm(interleave([[*pieces, Text(tuple(said))]], TINY)))[0, -1]
        said.append(int(row.argmax()))
        surprise.append(row.log_softmax(dim=-1).max().item())
    return Continuation(tuple(said), tuple(surprise), stopped=False)


def test_greedy_generation_is_the_likeliest_token_again_and_again() -> None:
    """Batched, padded and cached, against one item at a time without any of it."""
    lm = talker()
    made = generate(lm, prompts(), limit=12, decoding=GREEDY)
    for got, pieces in zip(made, ITEMS, strict=True):
        expected = by_hand(lm, pieces, 12)
        assert got.ids == expected.ids and not got.stopped
        assert got.log_probability == pytest.approx(expected.log_probability, abs=1e-9)
    assert len({token for got in made for token in got.ids}) > 5  # it says more than one thing


def test_stop_tokens_end_an_item_and_not_its_neighbours() -> None:
    lm = talker()
    free = [got.ids for got in generate(lm, prompts(), limit=12, decoding=GREEDY)]
    stop = free[0][3]
    made = generate(lm, prompts(), limit=12, decoding=GREEDY, stop={stop})
    for got, ids in zip(made, free, strict=True):
        end = ids.index(stop) if stop in ids else 12
        assert got.ids == ids[:end] and got.stopped == (stop in ids)
        assert len(got.log_probability) == len(got.ids)
    assert made[0].stopped and not all(got.stopped for got in made)


def test_the_same_seed_says_the_same_and_another_does_not() -> None:
    lm = talker(exact=False)

    def say(seed: int) -> list[tuple[int, ...]]:
        return [got.ids for got in generate(lm, prompts(), limit=8, randomness=generator(seed))]

    assert say(1) == say(1) != say(2)


def test_items_with_their_own_generators_do_not_depend_on_the_batch() -> None:
    lm = talker()
    together = generate(lm, prompts(), limit=8, randomness=[generator(n) for n in range(3)])
    for n, pieces in enumerate(ITEMS):
        alone = generate(lm, prompts(pieces), limit=8, randomness=[generator(n)])
        assert alone[0].ids == together[n].ids


def test_repetition_control_reaches_over_the_prompt() -> None:
    lm = talker()
    pieces: list[Piece] = [Text((7, 8, 9, 7, 8))]
    said = generate(lm, prompts(pieces), limit=40, decoding=Decoding(0.0, no_repeat=2))[0].ids
    whole = (7, 8, 9, 7, 8, *said)
    new = list(pairwise(whole[4:]))
    assert len(set(new)) == len(new) and not {(7, 8), (8, 9), (9, 7)} & set(new)
    once = generate(lm, prompts(pieces), limit=40, decoding=Decoding(0.0, no_repeat=1))[0].ids
    assert len(set(once)) == 40 and not {7, 8, 9} & set(once)
    free = generate(lm, prompts(pieces), limit=40, decoding=GREEDY)[0].ids
    assert len(set(free)) < 40  # or nothing had been controlled


def test_contrast_with_itself_is_greedy_and_without_the_sound_is_not() -> None:
    """An amateur that hears nothing: what is favoured is what the sound alone tells."""
    lm = talker()
    item: list[Piece] = [sound(4), words(3)]
    plain = generate(lm, prompts(item), limit=10, decoding=GREEDY)[0].ids

    def against(pieces: list[Piece]) -> tuple[int, ...]:
        amateur = Amateur(lm, prompts(pieces), beta=2.0)
        return generate(lm, prompts(item), limit=10, decoding=GREEDY, amateur=amateur)[0].ids

    assert against(item) == plain != against([words(3)])


def test_a_modulators_temperature_scales_the_decodings() -> None:
    lm = talker(exact=False)
    hot = generate(
        lm, prompts(), limit=8, randomness=generator(), modulation=Modulation(temperature=3.0)
    )
    same = generate(lm, prompts(), limit=8, decoding=Decoding(3.0), randomness=generator())
    rest = generate(lm, prompts(), limit=8, randomness=generator())
    assert [one.ids for one in hot] == [one.ids for one in same] != [one.ids for one in rest]


def test_what_cannot_be_generated_is_refused() -> None:
    lm = talker(longest=16)
    with pytest.raises(ConfigError, match="limit of 1 token or more, found 0"):
        generate(lm, prompts(), limit=0)
    with pytest.raises(ConfigError, match="fit the model's 16 positions, found 13 and 4"):
        generate(lm, prompts(), limit=4, decoding=GREEDY)
    assert len(generate(lm, prompts(), limit=3, decoding=GREEDY)[0].ids) == 3
    with pytest.raises(ConfigError, match="stop token must be 0 to 257, found 258"):
        generate(lm, prompts(), limit=1, stop={258})
    right = prompts()
    flipped = Mixed(right.ids.flip(1), right.kinds.flip(1), {}, padded=True)
    with pytest.raises(ConfigError, match="padded on their left, found padding on the right"):
        generate(lm, flipped, limit=1)
    smaller = talker(vocabulary=300)
    with pytest.raises(ConfigError, match=r"one vocabulary, found logits \(3, 258\) and \(3, 300"):
        generate(lm, prompts(), limit=1, decoding=GREEDY, amateur=Amateur(smaller, prompts()))


def test_no_gradient_is_recorded() -> None:
    lm = talker()
    assert torch.is_grad_enabled()
    generate(lm, prompts(), limit=2, decoding=GREEDY)
    assert all(part.grad is None for part in lm.parameters())


def test_tokens_beyond_the_tokenizer_are_never_said() -> None:
    """A table padded beyond the tokenizer, whose last rows the model likes best."""
    lm = talker()
    free = {
        token for got in generate(lm, prompts(), limit=12, decoding=GREEDY) for token in got.ids
    }
    few = max(free)  # the highest that it says is unknown to a tokenizer of so many
    for how, random in ((GREEDY, None), (Decoding(5.0), generator())):
        made = generate(lm, prompts(), limit=12, decoding=how, vocabulary=few, randomness=random)
        assert max(token for got in made for token in got.ids) < few
        assert all(p <= 0 for got in made for p in got.log_probability)
    whole = [got.ids for got in generate(lm, prompts(), limit=12, decoding=GREEDY)]
    more = generate(lm, prompts(), limit=12, decoding=GREEDY, vocabulary=10_000)
    assert [got.ids for got in more] == whole
    with pytest.raises(ConfigError, match=r"hold a token and all stop tokens, found 5 tokens"):
        generate(lm, prompts(), limit=1, stop={6}, vocabulary=5)
