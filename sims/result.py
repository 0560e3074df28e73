"""What one experiment leaves behind, in memory: the same things a run file holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro.recording import Recording
from neuro.signal import Signal

__all__ = ["Provenance", "Run"]


@dataclass(frozen=True)
class Provenance:
    """Everything needed to say what was run, and to run it again.

    Attributes:
        name: The experiment's name.
        config_text: The config file as the user wrote it.
        config_path: Where it was read from (for messages only).
        overrides: The `key=value` texts of the command line.
        resolved: The full config with every default, JSON-ready.
        config_hash: Hash of `resolved`, the identity of the job.
        versions: Package name to version, Python and Ember included.
        git_commit: Commit of the working tree Ember ran from, or empty.
        created: ISO 8601 time, UTC.
        peak_memory_bytes: Largest resident set of the process so far.
        failure: Why the run ended before its time, in one line; empty if it did not. How far it
            came is the recording's `duration_ms`.
    """

    name: str
    config_text: str
    config_path: str
    overrides: tuple[str, ...]
    resolved: Mapping[str, Any]
    config_hash: str
    versions: Mapping[str, str]
    git_commit: str
    created: str
    peak_memory_bytes: int = 0
    failure: str = ""


@dataclass(frozen=True, eq=False)
class Run:
    """A recording with its stimulus, the cells' coordinates and its provenance.

    Attributes:
        signals: The stimulus, keyed `stimulus.output`, such as `sound.waveform`.
        coordinates: Per population, per coordinate (`cf_hz`, `x_m` …), one value a cell.
    """

    recording: Recording
    provenance: Provenance
    signals: Mapping[str, Signal] = field(default_factory=dict)
    coordinates: Mapping[str, Mapping[str, NDArray[np.float64]]] = field(default_factory=dict)
