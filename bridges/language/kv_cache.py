"""Keys and values of what was read, so that only what is new is computed.

Memory is taken ahead and doubled when it is full. Items of a batch may be padded anywhere: each
has its own next position, and what is padding is never attended to.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bridges.language.sequence import PADDING
from bridges.language.settings import LanguageSettings
from neuro.errors import ConfigError

__all__ = ["KVCache"]


class KVCache:
    """What a model keeps between calls, for inference only.

    Args:
        batch: Items read at the same time.
        capacity: Tokens to have room for at first.

    A call is `begin`, `put` once for every layer, `commit`. Without the last nothing has
    happened, so a call that fails leaves the cache as it was.
    """

    def __init__(
        self,
        settings: LanguageSettings,
        batch: int,
        *,
        capacity: int = 64,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if batch < 1 or capacity < 1:
            raise ConfigError(
                f"a cache needs a batch and a capacity of 1 or more, found {batch} and {capacity}"
            )
        shape = (batch, settings.kv_heads, capacity, settings.head_width)
        self.longest = settings.longest
        self.keys = [torch.empty(shape, dtype=dtype, device=device) for _ in range(settings.layers)]
        self.values = [torch.empty_like(keys) for keys in self.keys]
        self._kinds = torch.full((batch, capacity), PADDING, dtype=torch.int64, device=device)
        self._used = torch.zeros(batch, dtype=torch.int64, device=device)
        self.length = 0
        self.padded = False
        self._pending: tuple[int, Tensor, bool] | None = None

    @property
    def batch(self) -> int:
        """Items read at the same time."""
        return self._kinds.shape[0]

    @property
    def capacity(self) -> int:
        """Tokens it has room for before it must grow."""
        return self._kinds.shape[1]

    @property
    def kinds(self) -> Tensor:
        """`(batch, length)` kind of every token kept, `PADDING` where there is none."""
        return self._kinds[:, : self.length]

    def begin(self, kinds: Tensor, *, padded: bool) -> tuple[Tensor, Tensor]:
        """Make room for `(batch, token)` more.

        Returns:
            The kinds of all tokens, `(batch, length + token)`, and the positions of the new.

        Raises:
            ConfigError: if the batch is another, or an item outgrows the model's positions.
        """
        if kinds.shape[0] != self.batch:
            raise ConfigError(
                f"a cache of {self.batch} items must go on with as many, found {kinds.shape[0]}"
            )
        valid = kinds != PADDING
        positions = (self._used[:, None] + valid.cumsum(dim=1) - 1).clamp(min=0)
        used = self._used + valid.sum(dim=1)
        end = self.length + kinds.shape[1]
        # Padding takes no position; only where it might matter is it worth asking the device.
        if end > self.longest and int(used.max()) > self.longest:
            raise ConfigError(
                f"a sequence must fit the model's {self.longest} positions, found "
                f"{int(used.max())} tokens; shorten it"
            )
        self._grow(end)
        self._kinds[:, self.length : end] = kinds
        self._pending = (end, used, padded)
        return self._kinds[:, :end], positions

    def put(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep a layer's `(batch, kv_head, token, head_width)`; gives those of all tokens."""
        if self._pending is None:
            raise ConfigError("a cache takes keys between `begin` and `commit`, found neither")
        end = self._pending[0]
        self.keys[layer][:, :, self.length : end] = keys
        self.values[layer][:, :, self.length : end] = values
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end]

    def commit(self) -> None:
        """The tokens of the call have been read by every layer."""
        if self._pending is None:
            raise ConfigError("a cache commits what was begun, found nothing")
        self.length, self._used, padded = self._pending
        self.padded = self.padded or padded
        self._pending = None

    def _grow(self, needed: int) -> None:
        if needed <= self.capacity:
            return
        capacity = max(needed, 2 * self.capacity)
        for kept in (self.keys, self.values):
            for layer, old in enumerate(kept):
                new = old.new_empty((*old.shape[:2], capacity, old.shape[3]))
                new[:, :, : self.length] = old[:, :, : self.length]
                kept[layer] = new
        kinds = self._kinds.new_full((self.batch, capacity), PADDING)
        kinds[:, : self.length] = self._kinds[:, : self.length]
        self._kinds = kinds
