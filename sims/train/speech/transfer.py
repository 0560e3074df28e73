"""A trained network on another back end: the same spikes, the same answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bridges.spiking.classifier import SpikingClassifier, logits_of
from bridges.spiking.frames import spikes_of
from bridges.spiking.written_back import written_back
from neuro.network import Network, Record, Source
from neuro.simulate import simulate

__all__ = ["transferred"]


def transferred(
    model: SpikingClassifier, frames: Tensor, *, backend: str = "numba"
) -> dict[str, Any]:
    """Answer some items on another back end too, both in double precision.

    Args:
        model: The trained network.
        frames: `(n_items, n_steps, n_inputs)`.

    Returns:
        `backend`, `of` (items), `spikes` (of hidden cells, in `norse`), `spikes_differing`,
        `answers_differing`, and `logits_apart`, the largest distance between logits, in mV.
    """
    network = written_back(model.network)
    dt_ms = model.network.built.dt_ms
    here = SpikingClassifier(
        network, dt_ms=dt_ms, source=model.source, hidden=model.hidden, readout=model.readout,
        trainable=(), dtype=torch.float64,
    )  # fmt: skip
    spikes = differing = answers = 0
    apart = 0.0
    for item in frames:
        with torch.no_grad():
            ours = here(item[:, None].double())
        there_spikes, there = _elsewhere(network, item, here, backend)
        our_spikes = ours.spikes[:, 0].numpy() > 0.5
        spikes += int(our_spikes.sum())
        differing += int((our_spikes != there_spikes).sum())
        answers += int(ours.logits[0].argmax() != there.argmax())
        apart = max(apart, float((ours.logits[0] - there).abs().max()))
    return {
        "backend": backend, "of": len(frames), "spikes": spikes, "spikes_differing": differing,
        "answers_differing": answers, "logits_apart": apart,
    }  # fmt: skip


def _elsewhere(
    network: Network, item: Tensor, model: SpikingClassifier, backend: str
) -> tuple[np.ndarray, Tensor]:
    """Spikes of the hidden cells `(n_steps, n_hidden)`, and logits, on that back end."""
    dt_ms, n_steps = model.network.built.dt_ms, len(item)
    heard = replace(network, sources=(Source(model.source, spikes_of(item, dt_ms=dt_ms)),))
    recording = simulate(
        heard, duration_ms=n_steps * dt_ms, dt_ms=dt_ms, backend=backend,
        options={"precision": "float64"} if backend == "numba" else None,
        record=[Record(model.readout, "v", every_ms=dt_ms)],
    )  # fmt: skip
    hidden = recording.spikes[model.hidden]
    fired = np.zeros((n_steps, hidden.n_units), dtype=bool)
    fired[np.rint(hidden.times_ms / dt_ms).astype(np.int64), hidden.units] = True
    voltages = torch.from_numpy(recording.traces[f"{model.readout}.v"].data)
    return fired, logits_of(voltages[:, None].double(), rest_mv=model.rest_mv)[0]
