"""How neuromodulators reach the language model without passing through words.

Each is a named input with a value at rest; at rest every computation is bit for bit what it is
without modulation.

| name | at rest | what it does |
|---|---|---|
| `gain` | 1 | factor on the odds with which attention falls on what is perceived |
| `temperature` | 1 | factor on the temperature of sampling |
| `noise` | 0 | Gaussian noise on each incoming token, in parts of the token's own RMS |
| `budget` | 1 | factor on the rounds of looking again |

Gain acts on attention since a factor on the embedding itself would be undone by the next
normalisation. That a modulator turns attention toward the senses follows the account of
acetylcholine as raising the weight of bottom-up against top-down signals (Yu & Dayan 2005);
the form is an engineering choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from torch import Tensor

from bridges.reasoning.modulation import factors
from neuro.errors import ConfigError, nearest
from neuro.recording import Recording

__all__ = ["REST", "Modulation", "heard_from"]


@dataclass(frozen=True, eq=False)
class Modulation:
    """What modulators ask of the language model and of the rounds of looking again.

    Not what they ask of the recursive reasoner: that is `bridges.reasoning.modulation.Modulation`,
    whose gain and noise act on other things, and which `thinking.Thinking` is given.

    Attributes:
        gain: Positive; a tensor of `(batch,)` gives each item its own and passes gradient.

    Raises:
        ConfigError: if a value is no number, negative or not finite, or a gain of 0 would blind
            the model.
    """

    gain: float | Tensor = 1.0
    temperature: float = 1.0
    noise: float = 0.0
    budget: float = 1.0

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            _check_kind(part.name, value)
            low = value.min().item() if isinstance(value, Tensor) else value
            high = value.max().item() if isinstance(value, Tensor) else value
            if not (low >= 0 and math.isfinite(high)):
                raise ConfigError(
                    f"modulation `{part.name}` must be finite and 0 or more, found {low:g}"
                )
            if part.name == "gain" and low == 0:
                raise ConfigError(
                    "modulation `gain` must be above 0, found 0; leave the sensation out instead"
                )

    @property
    def turns_attention(self) -> bool:
        """Whether gain must be reckoned with: it is not 1, or gradient is to reach it."""
        if isinstance(self.gain, Tensor):
            return self.gain.requires_grad or bool((self.gain != 1).any())
        return self.gain != 1.0


def _check_kind(name: str, value: object) -> None:
    if isinstance(value, Tensor) and name == "gain" and value.ndim < 2 and value.numel():
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        found = f"{tuple(value.shape)} numbers" if isinstance(value, Tensor) else str(value)
        kind = "a number, or a tensor of (batch,)" if name == "gain" else "one number for all items"
        raise ConfigError(f"modulation `{name}` must be {kind}, found {found}")


REST = Modulation()


def heard_from(recording: Recording, *, noise: float = 0.0) -> Modulation:
    """Modulation by what a run's receptors did to the parameters of `reasoner`, on average.

    Args:
        noise: What the factor on `reasoner.noise` multiplies.

    Raises:
        ConfigError: if something acts on a parameter of the reasoner that is not one of these.
    """
    known = [part.name for part in fields(Modulation)]
    means = factors(recording)
    for name in means:
        if name not in known:
            raise ConfigError(
                f"an effect on `reasoner` must be on {', '.join(known)}, found `{name}`"
                f"{nearest(name, known)}"
            )
    return Modulation(**{**means, "noise": noise * means.get("noise", 1.0)})
