"""Whether a data set fits its file: what does not is refused before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuro.errors import ConfigError
from sims.dataset.labelled import SPLITS

if TYPE_CHECKING:
    from sims.dataset.spike_dataset import SpikeDataset

__all__ = ["checked_units", "fitting"]

_NUMBERS = 1 << 16
"""Units, classes and speakers that the layout's 16-bit numbers tell apart."""


def checked_units(n_units: int) -> None:
    """Refuse more units than the layout can number.

    Raises:
        ConfigError: if there are.
    """
    if n_units > _NUMBERS:
        raise ConfigError(
            f"a spike data set must have {_NUMBERS} units at most, found {n_units}; take fewer"
        )


def fitting(data: SpikeDataset) -> tuple[int, float, float]:
    """The units and the window, `t_start_ms` and `t_stop_ms`, that all items share.

    Raises:
        ConfigError: if the data set is not as `SpikeDataset` says, or too large for the layout's
            16-bit numbers.
    """
    windows = {(one.n_units, one.t_start_ms, one.t_stop_ms) for one in data.spikes}
    if len(windows) != 1:
        found = ", ".join(f"{n} units {a:g}..{b:g} ms" for n, a, b in sorted(windows)[:3])
        raise ConfigError(
            "items of a spike data set must be one or more, of the same units and window, "
            f"found {found or 'none'}"
        )
    window = windows.pop()
    checked_units(window[0])
    sizes = {
        "labels": np.shape(data.labels), "speakers": np.shape(data.speakers),
        "splits": np.shape(data.splits), "keys": np.shape(data.keys),
        "channels": np.shape(data.channels), "cf_hz": np.shape(data.cf_hz),
    }  # fmt: skip
    for name, found_shape in sizes.items():
        n, what = (window[0], "unit") if name in ("channels", "cf_hz") else (len(data), "item")
        if found_shape != (n,):
            raise ConfigError(
                f"`{name}` of a spike data set must be {n}, one for each {what}, found shape "
                f"{found_shape}"
            )
    labels, n_classes = np.asarray(data.labels), len(data.classes)
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= n_classes:
        raise ConfigError(
            f"labels of a spike data set must be whole numbers from 0 to {n_classes - 1}, one of "
            f"its {n_classes} classes, found {labels.min()} to {labels.max()} of {labels.dtype}"
        )
    if max(n_classes, len(set(data.speakers))) > _NUMBERS:
        raise ConfigError(
            f"a spike data set must have {_NUMBERS} classes and speakers at most, found "
            f"{n_classes} and {len(set(data.speakers))}"
        )
    if odd := set(data.splits) - set(SPLITS):
        raise ConfigError(f"a split must be one of {', '.join(SPLITS)}, found `{min(odd)}`")
    return window
