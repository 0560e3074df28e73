"""Looking again: the model asks, a sensor serves, the model reads what came back and refines.

    round 1        read the words and the first sensation, followed (if there is a reasoner) by
                   its answer to it
    round 2 to R   of the items that ask: their request and what it brought are added to the
                   sequence, then (if there is a reasoner) its answer; the model reads on

What a sensor is, is not known here: circuits that are run again, or a cached data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from bridges.language._answers import check_given, checked
from bridges.language.kv_cache import KVCache
from bridges.language.model import LanguageModel
from bridges.language.modulation import REST, Modulation
from bridges.language.requests import Limits, Requests, ask
from bridges.language.sequence import Piece, Sensed, interleave
from bridges.language.settings import ANSWER, REQUEST, SOUND, Sense
from bridges.reasoning.modulation import halting_budget
from neuro.errors import ConfigError, SignalError

__all__ = ["MOST_ROUNDS", "Look", "Looks", "Sensor", "Thinker", "look"]

MOST_ROUNDS = 4


class Sensor(Protocol):
    """Serves requests about the items of one batch.

    Attributes:
        limits: What it can do.
    """

    @property
    def limits(self) -> Limits: ...

    def sense(self, items: Sequence[int], requests: Requests) -> Sequence[Tensor]:
        """`(token, width)` embeddings for each of `items`, whose requests these are.

        The requests are within the limits. A sensor that is differentiable reads their tensors,
        any other `requests.decoded()`.
        """
        ...


class Thinker(Protocol):
    """Thinks about what the items have sensed so far; `thinking.Thinking` does by the recursive
    reasoner."""

    def think(self, items: Sequence[int], sensed: Sequence[Tensor]) -> Sequence[Tensor]:
        """y of each of `items` as `(token, width)`, from all `(token, width)` sensed so far."""
        ...


@dataclass(frozen=True, eq=False)
class Look:
    """One round.

    Attributes:
        logits: `(batch, vocabulary)` of the next token after it.
        requests: What each item asks after it.
        served: Items that were given more before it; all are in the first round.
    """

    logits: Tensor
    requests: Requests
    served: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Looks:
    """All rounds, and the sequences they ended with.

    Attributes:
        items: The pieces given, with all requests, what they brought and a reasoner's answers:
            `generate` goes on from `interleave(items, …)`.
    """

    rounds: tuple[Look, ...]
    items: tuple[tuple[Piece, ...], ...]

    @property
    def logits(self) -> Tensor:
        """`(batch, vocabulary)` after the last round."""
        return self.rounds[-1].logits


def look(
    model: LanguageModel,
    items: Sequence[Sequence[Piece]],
    sensor: Sensor,
    *,
    rounds: int = 3,
    sense: str = SOUND.name,
    reasoner: Thinker | None = None,
    always: bool = False,
    modulation: Modulation = REST,
    noise: torch.Generator | None = None,
) -> Looks:
    """Read, ask, sense and read on, for up to `rounds` rounds.

    An item that does not ask keeps its answer while its neighbours look on; when none asks, it
    is over. Where gradient is recorded everything is read anew each round, elsewhere only what
    is new, from a cache; both give the same to rounding, unless there is noise.

    Args:
        rounds: 2 to 4, the first reading counted; a modulator's `budget` scales it, to 1 at the
            least and 4 at the most.
        sense: What the sensor's embeddings are.
        reasoner: Whose y follows what was sensed, as tokens of `answer`: at the end of each item
            that begins with a sensation it has not answered yet, before round 1, and after
            everything that a request brought. It is asked about what was sensed, never about
            words, and coloured by modulators of its own.
        always: Every item looks on in every round, as while the head is still being taught.

    Raises:
        ConfigError: if the rounds are not 2 to 4, or the model has no request head, or not the
            sense, or an item does not fit the model.
        SignalError: if the sensor cannot do what is asked; if its answer, or the reasoner's, does
            not fit or is not finite; or if what the model asks is no number.
    """
    if not 2 <= rounds <= MOST_ROUNDS:
        raise ConfigError(f"looking again takes 2 to {MOST_ROUNDS} rounds, found {rounds}")
    head, settings = model.request_head, model.settings
    if head is None:
        raise ConfigError("a model that looks again must have senses, found one of text alone")
    for needed in (sense, REQUEST.name, *([] if reasoner is None else [ANSWER.name])):
        settings.kind_of(needed)
    grown: list[tuple[Piece, ...]] = [tuple(pieces) for pieces in items]
    for item, pieces in enumerate(grown):
        check_given(pieces, settings, item)
    if reasoner is not None:
        unanswered = {item: own for item, own in enumerate(grown) if _unanswered(own, sense)}
        for item, y in _answers(reasoner, unanswered, sense, model).items():
            grown[item] += (y,)
    reader = _Reader(model, len(grown), modulation, noise)
    served: list[int] = list(range(len(grown)))
    state = reader(grown, [tuple(pieces) for pieces in grown])
    past: list[Look] = []
    for left in reversed(range(min(MOST_ROUNDS, halting_budget(rounds, modulation.budget)))):
        requests = ask(head, state, sensor.limits)
        if bool(requests.wanted.isnan().any() | requests.unit.isnan().any()):
            raise SignalError(
                "what a model asks must be numbers, found NaN; a weight of it is none, or overflows"
            )
        past.append(Look(model.logits(state), requests, tuple(served)))
        wants = torch.ones_like(requests.wanted) if always else requests.wanted.detach()
        served = (wants > 0).nonzero().flatten().tolist()
        if not left or not served:
            break
        added = _serve(served, requests, sensor, settings.sense(sense))
        if reasoner is not None:
            so_far = {item: grown[item] + pieces for item, pieces in added.items()}
            for item, y in _answers(reasoner, so_far, sense, model).items():
                added[item] += (y,)
        for item, pieces in added.items():
            grown[item] += pieces
        again = reader(grown, [added.get(item, ()) for item in range(len(grown))])
        looked = torch.zeros(len(grown), 1, dtype=torch.bool, device=state.device)
        looked[served] = True
        state = torch.where(looked, again, state)
    return Looks(tuple(past), tuple(grown))


def _serve(
    items: Sequence[int], requests: Requests, sensor: Sensor, sense: Sense
) -> dict[int, tuple[Piece, ...]]:
    """What each of the asking items asked and what came back."""
    asked = requests.of(items)
    for request in asked.decoded():
        sensor.limits.check(request)
    brought = checked("a sensor", sensor.sense(items, asked), len(items), sense.width)
    return {
        item: (Sensed(REQUEST.name, asked.unit[row : row + 1]), Sensed(sense.name, brought[row]))
        for row, item in enumerate(items)
    }


def _answers(
    reasoner: Thinker, items: Mapping[int, Sequence[Piece]], sense: str, model: LanguageModel
) -> dict[int, Sensed]:
    """What the reasoner makes of all that each of the items has sensed."""
    if not items:
        return {}
    device = model.embedding.weight.device
    sensed = [torch.cat([part.to(device) for part in _of(own, sense)]) for own in items.values()]
    answers = reasoner.think(list(items), sensed)
    answers = checked("a reasoner", answers, len(items), model.settings.sense(ANSWER.name).width)
    return {item: Sensed(ANSWER.name, y) for item, y in zip(items, answers, strict=True)}


def _of(pieces: Sequence[Piece], sense: str) -> list[Tensor]:
    return [p.embeddings for p in pieces if isinstance(p, Sensed) and p.sense == sense]


def _unanswered(pieces: Sequence[Piece], sense: str) -> bool:
    """Whether anything was sensed since the last answer."""
    senses = [p.sense for p in pieces if isinstance(p, Sensed) and p.embeddings.shape[0]]
    answered = max((n for n, each in enumerate(senses) if each == ANSWER.name), default=-1)
    return sense in senses[answered + 1 :]


class _Reader:
    """The state of each item's last token; from a cache where no gradient is recorded."""

    def __init__(
        self,
        model: LanguageModel,
        batch: int,
        modulation: Modulation,
        noise: torch.Generator | None,
    ) -> None:
        self.model, self.modulation, self.noise = model, modulation, noise
        self.cache: KVCache | None = None if torch.is_grad_enabled() else model.new_cache(batch)

    def __call__(self, whole: Sequence[Sequence[Piece]], new: Sequence[Sequence[Piece]]) -> Tensor:
        inputs = interleave(
            whole if self.cache is None else new,
            self.model.settings,
            device=self.model.embedding.weight.device,
            hollow=self.cache is not None and self.cache.length > 0,
        )
        states = self.model(
            inputs, cache=self.cache, modulation=self.modulation, generator=self.noise
        )
        return states[:, -1]
