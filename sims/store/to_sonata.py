"""Export to a folder of plain SONATA files, as libsonata and bmtk expect to find them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from neuro.errors import StoreError
from neuro.files.regular import read_json
from neuro.recording import Recording, Trace
from sims.result import Run
from sims.store import sonata
from sims.store.atomic import atomic_folder, write_json
from sims.store.hdf5 import atomic_hdf5
from sims.store.home import text_without_home, without_home

__all__ = ["to_sonata"]

_MARKER = "ember_provenance.json"


def to_sonata(run: Run, out: Path, *, force: bool = False, say: Callable[[str], None]) -> None:
    """Write one run as a folder.

        spikes.h5                          every population's spikes
        nodes.h5                           every population's cells with their coordinates
        <population>.<variable>.h5         one frame report a trace, float32
        simulation_config.json             names them, for SonataConfig and SimulationConfig
        ember_provenance.json              the resolved config, versions and the files written

    Args:
        run: What to write.
        out: The folder, which must be new or empty.
        force: Replace an earlier export, if nothing but its own files is in the folder.
        say: Called with what SONATA cannot hold.

    Raises:
        StoreError: if the folder holds anything else, or cannot be written.
    """
    if out.suffix == ".h5":
        raise StoreError(f"a SONATA export is a folder of files, found `{out}`; leave out `.h5`")
    recording = run.recording
    with atomic_folder(out, replace=force and _is_own_export(out)) as folder:
        with atomic_hdf5(folder / "spikes.h5") as file:
            sonata.mark(file)
            file.create_group("spikes", track_order=True)
            for population, spikes in recording.spikes.items():
                sonata.write_spikes(file, population, spikes)
        with atomic_hdf5(folder / "nodes.h5") as file:
            sonata.mark(file)
            for population, spikes in recording.spikes.items():
                coordinates = run.coordinates.get(population, {})
                sonata.write_nodes(file, population, spikes.n_units, coordinates)
        for key, trace in _of_cells(recording).items():
            with atomic_hdf5(folder / f"{key}.h5") as file:
                sonata.mark(file)
                sonata.write_report(file, trace.population, trace, exact=False)
        write_json(folder / "simulation_config.json", _simulation_config(run))
        files = [_MARKER, *(file.name for file in folder.iterdir())]
        write_json(folder / _MARKER, _provenance(run, sorted(files)))
    if len(recording.traces) > len(_of_cells(recording)):
        say("traces of synapses are not in this export; the run file has them")
    if _of_cells(recording):
        say("traces are float32 in a SONATA report; the run file keeps float64")
    say("not in this export: modulators, stimulus and connections")


def _simulation_config(run: Run) -> dict[str, Any]:
    """What both readers need to find spikes and reports; libsonata and bmtk each skip the rest."""
    recording = run.recording
    return {
        "manifest": {"$OUTPUT_DIR": "."},
        "run": {
            "tstart": 0.0,
            "tstop": recording.duration_ms,
            "dt": recording.dt_ms,
            "random_seed": recording.seed % 2**32,  # libsonata reads 32 bits
        },
        "output": {
            "output_dir": "$OUTPUT_DIR",
            "spikes_file": "spikes.h5",
            "spikes_sort_order": "by_time",
        },
        "reports": {
            key: {
                "cells": trace.population,
                "module": "membrane_report",
                "sections": "soma",
                "type": "compartment",
                "variable_name": trace.variable,
                "unit": trace.unit,
                "dt": trace.every_ms,
                "start_time": 0.0,
                "end_time": trace.data.shape[0] * trace.every_ms,
                "file_name": f"{key}.h5",
            }
            for key, trace in _of_cells(recording).items()
        },
    }


def _of_cells(recording: Recording) -> dict[str, Trace]:
    return {key: trace for key, trace in recording.traces.items() if not trace.of_edges}


def _provenance(run: Run, files: Sequence[str]) -> dict[str, Any]:
    record = asdict(run.provenance)
    # An infinite bound is possible in a config and impossible in JSON.
    record["resolved"] = json.dumps(without_home(record["resolved"]), ensure_ascii=False)
    record["config_text"] = text_without_home(record["config_text"])
    return record | {"files": list(files)}


def _is_own_export(folder: Path) -> bool:
    """Whether the folder holds nothing but what an earlier export wrote there."""
    with suppress(StoreError, KeyError, TypeError):
        files = read_json(folder / _MARKER)["files"]
        return {entry.name for entry in folder.iterdir()} <= set(files)
    return False
