"""Information that a response carries about a stimulus, with the bias of few trials removed."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.errors import SignalError
from neuro.units import quantities

__all__ = ["entropy", "mutual_information", "shuffled_information"]


@quantities
def entropy(counts: ArrayLike) -> float:
    """Entropy in bit of the distribution a histogram shows (plug-in, biased downward).

    NaN of a histogram that holds nothing.

    Raises:
        SignalError: if a count is negative or not finite.
    """
    n = np.asarray(counts, np.float64).ravel()
    if not (np.isfinite(n) & (n >= 0)).all():
        raise SignalError(
            f"entropy needs counts that are finite and 0 or more, found {n.min()}..{n.max()}"
        )
    if not n.any():
        return float("nan")
    p = n[n > 0] / n.sum()
    return float(-(p * np.log2(p)).sum()) + 0.0  # no negative zero


@quantities
def mutual_information(
    stimuli: ArrayLike,
    responses: ArrayLike,
    *,
    correction: Literal["panzeri_treves", "none"] = "panzeri_treves",
) -> float:
    """`I = H(R) - H(R|S)` in bit, from one discrete response a trial.

    Args:
        stimuli, responses: `(n_trials,)` labels; any integers.
        correction: `panzeri_treves` subtracts the first-order bias
            `[Σ_s (R_s - 1) - (R - 1)] / (2 N ln 2)`, with R the responses that occurred. With
            fewer trials a stimulus than about three per response it corrects too little.

    Raises:
        SignalError: if lengths differ, there is no trial, or a label is a fraction: a response
            that never occurs twice would seem to tell everything.

    Panzeri & Treves 1996, Network 7:87. Corrected values may be slightly below zero.
    """
    table = _table(stimuli, responses)
    n = table.sum()
    given = sum(row.sum() / n * entropy(row) for row in table)
    information = entropy(table.sum(axis=0)) - float(given)
    if correction == "none":
        return information
    if correction != "panzeri_treves":
        raise SignalError(f"correction must be panzeri_treves or none, found {correction!r}")
    occupied = (table > 0).sum(axis=1)
    bias = ((occupied - 1).sum() - (table.shape[1] - 1)) / (2 * n * np.log(2))
    return information - float(bias)


@quantities
def shuffled_information(
    stimuli: ArrayLike, responses: ArrayLike, *, rng: np.random.Generator, repeats: int = 100
) -> NDArray[np.float64]:
    """`(repeats,)` corrected information after the responses were dealt out anew: the null."""
    dealt = np.array(responses)
    return np.array([mutual_information(stimuli, rng.permutation(dealt)) for _ in range(repeats)])


def _table(stimuli: ArrayLike, responses: ArrayLike) -> NDArray[np.int64]:
    s, r = np.asarray(stimuli).ravel(), np.asarray(responses).ravel()
    if s.size != r.size or s.size == 0:
        raise SignalError(
            f"information needs one response a trial, found {s.size} stimuli, {r.size} responses"
        )
    for labels in (s, r):
        if labels.dtype.kind == "f" and not (labels % 1 == 0).all():
            raise SignalError(
                "information needs labels that are whole numbers, found "
                f"{labels[labels % 1 != 0][0]}; sort responses into bins first"
            )
    which_s, s_index = np.unique(s, return_inverse=True)
    which_r, r_index = np.unique(r, return_inverse=True)
    table = np.zeros((which_s.size, which_r.size), dtype=np.int64)
    np.add.at(table, (s_index, r_index), 1)
    return table
