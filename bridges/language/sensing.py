"""Looking again: the model asks, a sensor serves, the model reads what came back and refines.

    round 1        read the words and the first sensation
    round 2 to R   of the items that ask: their request and what it brought are added to the
                   sequence, then (if there is a reasoner) its answer; the model reads on

What a sensor is, is not known here: circuits that are run again, or a cached data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from bridges.language.kv_cache import KVCache
from bridges.language.model import LanguageModel
from bridges.language.modulation import REST, Modulation
from bridges.language.requests import Limits, Requests, ask
from bridges.language.sequence import Piece, Sensed, interleave
from bridges.language.settings import ANSWER, REQUEST, SOUND
from bridges.reasoning.modulation import halting_budget
from neuro.errors import ConfigError, SignalError

__all__ = ["MOST_ROUNDS", "Look", "Looks", "Reasoner", "Sensor", "look"]

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


class Reasoner(Protocol):
    """Thinks about what the items have sensed so far, as the recursive reasoner does."""

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
        items: The pieces given, with all requests and what they brought: `generate` goes on
            from `interleave(items, …)`.
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
    reasoner: Reasoner | None = None,
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
        reasoner: Whose y follows each sensation, as tokens of `answer`.
        always: Every item looks on in every round, as while the head is still being taught.

    Raises:
        ConfigError: if the rounds are not 2 to 4, or the model has no request head, or not the
            sense.
        SignalError: if the sensor cannot do what is asked, or its answer does not fit.
    """
    if not 2 <= rounds <= MOST_ROUNDS:
        raise ConfigError(f"looking again takes 2 to {MOST_ROUNDS} rounds, found {rounds}")
    head, settings = model.request_head, model.settings
    if head is None:
        raise ConfigError("a model that looks again must have senses, found one of text alone")
    for needed in (sense, REQUEST.name, *([] if reasoner is None else [ANSWER.name])):
        settings.kind_of(needed)
    grown: list[tuple[Piece, ...]] = [tuple(pieces) for pieces in items]
    reader = _Reader(model, len(grown), modulation, noise)
    served: list[int] = list(range(len(grown)))
    state = reader(grown, [tuple(pieces) for pieces in grown])
    past: list[Look] = []
    for left in reversed(range(min(MOST_ROUNDS, halting_budget(rounds, modulation.budget)))):
        requests = ask(head, state, sensor.limits)
        past.append(Look(model.logits(state), requests, tuple(served)))
        wants = torch.ones_like(requests.wanted) if always else requests.wanted.detach()
        served = (wants > 0).nonzero().flatten().tolist()
        if not left or not served:
            break
        added = _serve(grown, served, requests, sensor, sense, reasoner)
        width = settings.sense(sense).width
        for item, pieces in added.items():
            _check(pieces, width)
            grown[item] += pieces
        again = reader(grown, [added.get(item, ()) for item in range(len(grown))])
        looked = torch.zeros(len(grown), 1, dtype=torch.bool, device=state.device)
        looked[served] = True
        state = torch.where(looked, again, state)
    return Looks(tuple(past), tuple(grown))


def _serve(
    grown: Sequence[tuple[Piece, ...]],
    items: Sequence[int],
    requests: Requests,
    sensor: Sensor,
    sense: str,
    reasoner: Reasoner | None,
) -> dict[int, tuple[Piece, ...]]:
    """What each of the asking items reads next."""
    asked = requests.of(items)
    for request in asked.decoded():
        sensor.limits.check(request)
    brought = sensor.sense(items, asked)
    if len(brought) != len(items):
        raise SignalError(
            f"a sensor must answer each of {len(items)} requests, found {len(brought)} answers"
        )
    added: dict[int, tuple[Piece, ...]] = {
        item: (Sensed(REQUEST.name, asked.unit[row : row + 1]), Sensed(sense, brought[row]))
        for row, item in enumerate(items)
    }
    if reasoner is not None:
        so_far = [
            torch.cat(
                [
                    piece.embeddings
                    for piece in (*grown[item], *added[item])
                    if isinstance(piece, Sensed) and piece.sense == sense
                ]
            )
            for item in items
        ]
        for item, y in zip(items, reasoner.think(items, so_far), strict=True):
            added[item] += (Sensed(ANSWER.name, y),)
    return added


def _check(pieces: Sequence[Piece], width: int) -> None:
    brought = pieces[1]
    shape = tuple(brought.embeddings.shape) if isinstance(brought, Sensed) else ()
    if len(shape) != 2 or shape[0] < 1 or shape[1] != width:
        raise SignalError(
            f"a sensor must answer with 1 token or more, (token, {width}), found {shape}"
        )


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
