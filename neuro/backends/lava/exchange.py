"""A job for Lava's own process as files, and what comes back: JSON and npz, never pickle."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.backends.lava.processes import FixedNetwork, Inputs, LifCells, Synapses
from neuro.backends.lava.runs import FixedRun
from neuro.errors import SimulationError

__all__ = ["read_runs", "write_job"]


def write_job(
    folder: Path,
    networks: Sequence[FixedNetwork],
    n_steps: Sequence[int],
    watched: Sequence[Mapping[str, NDArray[np.int64]]],
) -> None:
    """Write `job.json` and `job.npz`: networks, how long each runs, and whose states to keep.

    Args:
        watched: Per network, the cells of each process whose states are kept after every step.
    """
    arrays: dict[str, Any] = {}
    described = []
    for k, (network, steps, kept) in enumerate(zip(networks, n_steps, watched, strict=True)):
        none = np.zeros(0, np.int64)
        described.append({
            "name": network.name,
            "n_steps": steps,
            "cells": [
                _part(f"{k}/cells/{j}", part, arrays, watched=kept.get(part.name, none))
                for j, part in enumerate(network.cells)
            ],
            "synapses": [
                _part(f"{k}/synapses/{j}", part, arrays) for j, part in enumerate(network.synapses)
            ],
            "inputs": [
                _part(f"{k}/inputs/{j}", part, arrays) for j, part in enumerate(network.inputs)
            ],
        })  # fmt: skip
    (folder / "job.json").write_text(json.dumps({"networks": described}), encoding="utf-8")
    np.savez(folder / "job.npz", **arrays)


def _part(
    key: str, part: LifCells | Synapses | Inputs, arrays: dict[str, Any],
    **more: NDArray[Any],
) -> dict[str, Any]:  # fmt: skip
    values = {field.name: getattr(part, field.name) for field in fields(part)} | more
    if isinstance(part, Inputs) and part.payload is None:
        values["payload"] = np.ones(part.steps.size, np.int64)
    plain = {name: value for name, value in values.items() if not isinstance(value, np.ndarray)}
    plain["arrays"] = {}
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            arrays[f"{key}/{name}"] = value
            plain["arrays"][name] = f"{key}/{name}"
    return plain


def read_runs(
    folder: Path,
    networks: Sequence[FixedNetwork],
    n_steps: Sequence[int],
    watched: Sequence[Mapping[str, NDArray[np.int64]]],
) -> list[FixedRun]:
    """What the worker left.

    Raises:
        SimulationError: if a file is missing or is not what was asked for.
    """
    try:
        seconds = json.loads((folder / "done.json").read_text("utf-8"))["seconds"]
        return [
            FixedRun(steps, *_states(folder, k, network, steps, kept), run_s=float(seconds[k]))
            for k, (network, steps, kept) in enumerate(zip(networks, n_steps, watched, strict=True))
        ]
    except (OSError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile) as error:
        raise SimulationError(
            f"lava-nc must leave its spikes and states in full, found {type(error).__name__}: "
            f"{error}; run again, or use the emulator"
        ) from None


def _states(
    folder: Path, k: int, network: FixedNetwork, n_steps: int,
    watched: Mapping[str, NDArray[np.int64]],
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:  # fmt: skip
    spikes: dict[str, Any] = {}
    states: dict[str, dict[str, Any]] = {"u": {}, "v": {}}
    with np.load(folder / f"found_{k}.npz", allow_pickle=False) as found:
        for j, cells in enumerate(network.cells):
            steps, units = (found[f"{key}_{j}"].astype(np.int64) for key in ("steps", "units"))
            order = np.lexsort((units, steps))
            spikes[cells.name] = (steps[order], units[order])
            if not (chosen := watched.get(cells.name, np.zeros(0, np.int64))).size:
                continue
            for name, kept in states.items():
                kept[cells.name] = found[f"{name}_{j}"].astype(np.int32)
                if kept[cells.name].shape != (n_steps, chosen.size):
                    raise ValueError(f"{name} of {cells.name} has shape {kept[cells.name].shape}")
    return spikes, states["u"], states["v"]
