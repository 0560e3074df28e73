"""What a model may ask of the senses: whether to look again, and with which arguments.

    band        low_hz to high_hz
    window_ms   how much of the past
    resolution_ms   how much of it one token tells

The head's four numbers lie between 0 and 1 and are laid on logarithmic scales within what the
sensor can do, so what the head asks is always possible and gradient reaches it through every
argument. What comes from elsewhere (a file, a person, another sensor's model) is checked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from neuro.errors import ConfigError, SignalError
from neuro.units import admit

__all__ = ["Limits", "Request", "Requests", "ask", "asking_loss"]


@dataclass(frozen=True)
class Request:
    """One wish to sense more.

    Attributes:
        low_hz, high_hz: The band.
        window_ms: How far back from the end of what was sensed.
        resolution_ms: What one token spans; no longer than the window.
    """

    low_hz: float
    high_hz: float
    window_ms: float
    resolution_ms: float

    def __post_init__(self) -> None:
        admit(self)


class Requests(NamedTuple):
    """What each item of a batch asks, as tensors through which gradient flows.

    Attributes:
        wanted: `(batch,)` logit that the item wants to sense more.
        unit: `(batch, 4)` the arguments between 0 and 1: place and width of the band, window,
            resolution. This is what the model reads back as its `request` token.
        low_hz, high_hz, window_ms, resolution_ms: `(batch,)` in double precision.
        raw: `(batch, 4)` what a head said before it was brought between 0 and 1, from which it is
            taught; None of requests that no head made.
    """

    wanted: Tensor
    unit: Tensor
    low_hz: Tensor
    high_hz: Tensor
    window_ms: Tensor
    resolution_ms: Tensor
    raw: Tensor | None = None

    def decoded(self) -> list[Request]:
        """Plain numbers, one request an item."""
        table = torch.stack(list(self[2:6]), dim=1).detach().cpu()
        return [Request(*row) for row in table.tolist()]

    def of(self, rows: Sequence[int]) -> Requests:
        """Those of some items."""
        return Requests._make(None if part is None else part[list(rows)] for part in self)


@dataclass(frozen=True)
class Limits:
    """What a sensor can do.

    Attributes:
        low_hz, high_hz: The lowest and the highest frequency it hears.
        shortest_ms, longest_ms: Windows it can look back over.
        finest_ms, coarsest_ms: Time that one token may span.
        narrowest: Least width of a band, in octaves. 1/3 is about one critical band of the ear
            (Glasberg & Moore 1990 give 0.2 to 0.4 over 200 Hz to 8 kHz).

    Raises:
        ConfigError: if a range is empty, or its windows are shorter than its finest token.
    """

    low_hz: float
    high_hz: float
    shortest_ms: float
    longest_ms: float
    finest_ms: float
    coarsest_ms: float
    narrowest: float = 1 / 3

    def __post_init__(self) -> None:
        admit(self)
        for part in fields(self):
            value = getattr(self, part.name)
            if not 0 < value < math.inf:
                raise ConfigError(
                    f"a sensor's `{part.name}` must be positive and finite, found {value}"
                )
        if not self.narrowest < self.octaves:
            raise ConfigError(
                f"a sensor must hear more than its narrowest band, {self.narrowest:.3g} octaves, "
                f"found {self.low_hz:g} to {self.high_hz:g} Hz"
            )
        if not (self.shortest_ms <= self.longest_ms and self.finest_ms <= self.coarsest_ms):
            raise ConfigError("a sensor's ranges must go from small to large, found one reversed")
        if self.finest_ms > self.shortest_ms:
            raise ConfigError(
                "a sensor's shortest window must hold a token of its finest resolution, found "
                f"{self.shortest_ms:g} ms and {self.finest_ms:g} ms"
            )

    @property
    def octaves(self) -> float:
        """Between the lowest and the highest frequency."""
        return math.log2(self.high_hz / self.low_hz)

    def check(self, request: Request) -> None:
        """Refuse what the sensor cannot do.

        Raises:
            SignalError: if an argument is outside the sensor's range.
        """
        low, high = request.low_hz, request.high_hz
        if not self.low_hz <= low < high <= self.high_hz:
            raise SignalError(
                f"a request must lie within what the sensor hears, {self.low_hz:g} to "
                f"{self.high_hz:g} Hz from low to high, found {low:g} to {high:g} Hz"
            )
        # Double rounding of the head's own narrowest band.
        if math.log2(high / low) < self.narrowest * (1 - 1e-12) - 1e-12:
            raise SignalError(
                f"a requested band must be {self.narrowest:.3g} octaves wide or more, found "
                f"{low:g} to {high:g} Hz; widen it"
            )
        if not self.shortest_ms <= request.window_ms <= self.longest_ms:
            raise SignalError(
                f"a requested window must be {self.shortest_ms:g} to {self.longest_ms:g} ms, "
                f"found {request.window_ms:g} ms"
            )
        coarsest = min(self.coarsest_ms, request.window_ms)
        if not self.finest_ms <= request.resolution_ms <= coarsest:
            raise SignalError(
                f"a requested resolution must be {self.finest_ms:g} to {coarsest:g} ms, no longer "
                f"than the window, found {request.resolution_ms:g} ms"
            )

    def lay_out(self, wanted: Tensor, unit: Tensor) -> Requests:
        """Lay `(batch, 4)` numbers between 0 and 1 on the sensor's ranges."""
        place, width, window, resolution = unit.double().unbind(dim=-1)
        octaves = self.narrowest + (self.octaves - self.narrowest) * width
        low_hz = self.low_hz * torch.exp2((self.octaves - octaves) * place)
        high_hz = low_hz * torch.exp2(octaves)
        window_ms = self.shortest_ms * (self.longest_ms / self.shortest_ms) ** window
        coarsest = window_ms.clamp(max=self.coarsest_ms)
        resolution_ms = self.finest_ms * (coarsest / self.finest_ms) ** resolution
        # Only rounding is clamped: nothing above goes further than that.
        window_ms = window_ms.clamp(self.shortest_ms, self.longest_ms)
        return Requests(
            wanted,
            unit,
            low_hz.clamp(min=self.low_hz),
            high_hz.clamp(max=self.high_hz),
            window_ms,
            torch.minimum(resolution_ms.clamp(min=self.finest_ms), window_ms),
        )

    def unit_of(self, request: Request) -> tuple[float, float, float, float]:
        """The four numbers that `lay_out` makes this request of; what a head is taught.

        Raises:
            SignalError: if the sensor cannot do it.
        """
        self.check(request)
        octaves = math.log2(request.high_hz / request.low_hz)
        coarsest = min(self.coarsest_ms, request.window_ms)
        return (
            _share(math.log2(request.low_hz / self.low_hz), self.octaves - octaves),
            _share(octaves - self.narrowest, self.octaves - self.narrowest),
            _share(
                math.log(request.window_ms / self.shortest_ms),
                math.log(self.longest_ms / self.shortest_ms),
            ),
            _share(
                math.log(request.resolution_ms / self.finest_ms),
                math.log(coarsest / self.finest_ms),
            ),
        )


def ask(head: nn.Module, states: Tensor, limits: Limits) -> Requests:
    """What `(batch, hidden)` states ask of a sensor with these limits."""
    said = head(states)
    return limits.lay_out(said[:, 0], said[:, 1:].sigmoid())._replace(raw=said[:, 1:])


def asking_loss(requests: Requests, wanted: Tensor, unit: Tensor) -> Tensor:
    """Loss against what should have been asked, `(batch,)`.

    Args:
        wanted: `(batch,)` whether it should have asked.
        unit: `(batch, 4)` the arguments, of `Limits.unit_of`; where nothing was to be asked
            they do not count.

    Reckoned in single precision at the least, whatever the head is in. For requests that no head
    made, which have no `raw`, their units are taken for what it would have said, within 1e-6 of
    0 and 1.
    """
    raw = requests.raw
    if raw is None:
        raw = torch.logit(_single_at_least(requests.unit), eps=1e-6)
    asked = _cross_entropy(requests.wanted, wanted)
    # Cross-entropy too: its gradient does not fade where the head is wrong and sure.
    how = _cross_entropy(raw, unit)
    return asked + wanted.to(how.dtype) * how.sum(dim=-1)


def _cross_entropy(said: Tensor, should: Tensor) -> Tensor:
    logit = _single_at_least(said)
    return functional.binary_cross_entropy_with_logits(
        logit, should.to(logit.dtype), reduction="none"
    )


def _single_at_least(numbers: Tensor) -> Tensor:
    return numbers.to(torch.promote_types(numbers.dtype, torch.float32))


def _share(part: float, whole: float) -> float:
    """`part / whole`; 0 where there is nothing to choose from."""
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0
