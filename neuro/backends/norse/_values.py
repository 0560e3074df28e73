"""Named tensors of a module, some trained and the others not."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Values"]


class Values(torch.nn.Module):
    """A tensor for each name, as an attribute: a `torch.nn.Parameter` or a buffer.

    A name that `torch.nn.Module` has a use for, such as `half`, is followed by `_`; so that `half_`
    stays another, it is as well.
    """

    def __init__(
        self, values: Mapping[str, float | NDArray[np.float64]], trainable: Collection[str],
        dtype: torch.dtype, *, persistent: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        taken = set(dir(self)) | {"_attributes"}
        self._attributes = {
            name: f"{name}_" if name.rstrip("_") in taken else name for name in values
        }
        for name, value in values.items():
            tensor = torch.tensor(np.asarray(value, np.float64), dtype=dtype)
            if name in trainable:
                setattr(self, self._attributes[name], torch.nn.Parameter(tensor))
            else:
                self.register_buffer(self._attributes[name], tensor, persistent=persistent)

    def all(self) -> dict[str, Tensor]:
        """Every tensor by its name."""
        return {name: getattr(self, attribute) for name, attribute in self._attributes.items()}
