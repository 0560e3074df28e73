"""One layer: attention, then SwiGLU, each reading a normalised state and adding to it (pre-norm).

    h <- h + attention(norm(h));   h <- h + down(silu(gate(norm(h))) * up(norm(h)))

Touvron et al. 2023, Llama. The recursive reasoner's blocks normalise after, without a learned
gain, and see the whole sequence: they are another thing under the same names.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from bridges.language.attention import Attention, Sight
from bridges.language.kv_cache import KVCache
from bridges.language.rope import Rotation
from bridges.language.settings import LanguageSettings
from bridges.reasoning.undrawn import linear

__all__ = ["Block"]


class Block(nn.Module):
    """One layer of the model."""

    def __init__(self, settings: LanguageSettings) -> None:
        super().__init__()
        hidden, epsilon = settings.hidden, settings.rms_epsilon
        self.attention_norm = nn.RMSNorm(hidden, eps=epsilon)
        self.attention = Attention(settings)
        self.inner_norm = nn.RMSNorm(hidden, eps=epsilon)
        self.gate = linear(hidden, settings.inner)
        self.up = linear(hidden, settings.inner)
        self.down = linear(settings.inner, hidden)

    def forward(
        self, state: Tensor, turned: Rotation, may: Sight, cache: KVCache | None, layer: int
    ) -> Tensor:
        state = state + self.attention(self.attention_norm(state), turned, may, cache, layer)
        inner = self.inner_norm(state)
        return state + self.down(functional.silu(self.gate(inner)) * self.up(inner))
