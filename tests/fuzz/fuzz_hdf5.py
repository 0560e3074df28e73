"""Damaged HDF5 files: runs of this format and of the first one, data sets, NIR, SONATA, SHD."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.fuzz._harness import Kind
from tests.fuzz._hdf5 import damage_hdf5, damage_hdf5_and_seal
from tests.fuzz._mutate import damage_bytes
from tests.fuzz._preload import FILES, RUNS
from tests.fuzz._server import ember

OLD_RUN = Path(__file__).parents[1] / "formats" / "run_of_format_1.h5"
CONFIG = """\
name: tiny
seed: 3
duration: 30 ms
circuits:
  net:
    populations:
      cells: {n: 8, model: lif, parameters: {I_ext: 500 pA}}
      nucleus: {n: 2, model: lif, parameters: {I_ext: 400 pA}}
modulation:
  noradrenaline: {released_by: nucleus, per_spike: 20 nM}
record: {every: 1 ms, traces: [{population: cells, variable: v, cells: [1, 2], every: 0.5 ms}]}
"""


def make_runs(folder: Path) -> Sequence[Path]:
    """A run with spikes, a trace and a modulator."""
    from sims.config import load
    from sims.long_run import run_to_file

    (folder / "tiny.yaml").write_text(CONFIG, encoding="utf-8")
    run_to_file(load(folder / "tiny.yaml"), folder / "tiny.h5", force=True)
    return [folder / "tiny.h5"]


def make_old_runs(folder: Path) -> Sequence[Path]:
    """A run as the first format had it: no seal, texts of variable length."""
    (folder / "old.h5").write_bytes(OLD_RUN.read_bytes())
    return [folder / "old.h5"]


def make_data_sets(folder: Path) -> Sequence[Path]:
    """A spike data set of four items, and an SHD export of a run."""
    from neuro.spikes import Spikes
    from sims.dataset.spike_dataset import SpikeDataset, write_spike_dataset

    spikes = [Spikes([1.0, 2.5 + k], [0, 2], n_units=3, t_stop_ms=10.0) for k in range(4)]
    data = SpikeDataset(
        spikes=spikes, labels=np.array([0, 1, 0, 1]), classes=("a", "b"),
        speakers=("x", "x", "y", "y"), splits=("train", "test", "train", "extra"),
        keys=("1", "2", "3", "4"), channels=np.arange(3), cf_hz=np.array([100.0, 200.0, 400.0]),
        about={"seed": 1},
    )  # fmt: skip
    return [write_spike_dataset(folder / "set.h5", data)]


def make_nir(folder: Path) -> Sequence[Path]:
    """A small network as Ember writes it, and one as the package `nir` does."""
    import nir

    weight = np.random.default_rng(0).normal(size=(4, 3))
    cells = nir.LIF(*(np.full(4, x) for x in (0.02, 1.0, 0.0, 1.0)))
    graph = nir.NIRGraph(
        {"in": nir.Input(np.array([3])), "w": nir.Affine(weight, np.zeros(4)), "cells": cells,
         "out": nir.Output(np.array([4]))},
        [("in", "w"), ("w", "cells"), ("cells", "out")],
    )  # fmt: skip
    from neuro.nir.file import write_graph

    nir.write(folder / "theirs.nir", graph)
    return [write_graph(graph, folder / "ours.nir"), folder / "theirs.nir"]


def make_exports(folder: Path) -> Sequence[Path]:
    """SONATA and SHD files that Ember exported: no run files, whatever they hold."""
    from sims.store import export

    (run,) = make_runs(folder)
    sonata = export(run, "sonata", folder / "sonata")
    return [*sorted(sonata.glob("*.h5")), export(run, "shd", folder / "run.shd.h5")]


def read_all(path: Path) -> Any:
    """Everything that Ember reads of a run file, in a form that can be compared."""
    from sims.store import read_run

    run = read_run(path)
    found = run.recording
    return (
        {name: (s.times_ms.tobytes(), s.units.tobytes(), s.n_units, s.t_start_ms, s.t_stop_ms)
         for name, s in found.spikes.items()},
        {name: (t.data.tobytes(), t.cells.tobytes(), t.every_ms, t.unit, t.population, t.variable)
         for name, t in found.traces.items()},
        {name: (c.values.tobytes(), c.every_ms, c.unit)
         for name, c in {**found.modulators, **found.factors}.items()},
        {name: (s.values.tobytes(), s.dt_ms, s.unit) for name, s in run.signals.items()},
        {name: {key: v.tobytes() for key, v in of.items()} for name, of in run.coordinates.items()},
        (found.duration_ms, found.dt_ms, found.seed, found.backend, run.provenance.config_text,
         run.provenance.failure, json.dumps(run.provenance.resolved, sort_keys=True)),
    )  # fmt: skip


def sealed_run(mutant: Path, original: Path) -> str:
    """A run file that is accepted holds what the original held."""
    use_run(mutant, original)
    return "" if read_all(mutant) == read_all(original) else "accepted, and its content differs"


def use_run(mutant: Path, original: Path) -> str:
    """Whoever reads a run file gives a result or one line."""
    from sims.store.compare import same_spikes
    from sims.store.sketch import read_sketch

    _quiet("check", str(mutant))
    read_all(mutant)
    read_sketch(mutant, most=20)
    same_spikes(mutant, original)
    same_spikes(original, mutant)
    _quiet("export", str(mutant), "--to", "sonata", "--out", "exported")
    _quiet("run", str(mutant), "--out", "again.h5")
    return ""


def report_run(mutant: Path, original: Path) -> str:
    """A page of a file whose names are hostile holds no tag of theirs."""
    _quiet("report", str(mutant), "--out", "page.html")
    page = Path("page.html").read_text("utf-8")
    return "a name of the file became HTML" if "<b>bold" in page or "<script>alert" in page else ""


def use_data_set(mutant: Path, original: Path) -> str:
    """A data set that is accepted holds what the original held."""
    from sims.dataset.items import DatasetItems
    from sims.dataset.spike_dataset import read_spike_dataset

    found, whole = read_spike_dataset(mutant), read_spike_dataset(original)
    items = DatasetItems(mutant)
    spikes = [items[k].spikes for k in range(len(items))]
    same = (
        found.spikes == whole.spikes == spikes
        and found.labels.tolist() == whole.labels.tolist()
        and (found.classes, found.splits, found.keys) == (whole.classes, whole.splits, whole.keys)
    )
    return "" if same else "accepted, and its content differs"


def use_sealed_data_set(mutant: Path, original: Path) -> str:
    """Whoever reads a data set gives a result or one line."""
    use_data_set(mutant, original)
    return ""


def use_nir(mutant: Path, original: Path) -> str:
    """A NIR file becomes a network or one line."""
    from neuro.nir import read

    read(mutant, dt_ms=0.1, units="plain")
    return ""


def use_export(mutant: Path, original: Path) -> str:
    """Files of other kinds are refused as run files, data sets and NIR graphs."""
    from neuro.errors import EmberError
    from neuro.files.hdf5 import open_hdf5
    from neuro.nir import read
    from sims.dataset.items import DatasetItems
    from sims.store import read_run

    for use in (read_run, DatasetItems, read):
        with contextlib.suppress(EmberError):
            use(mutant)
            return f"{use} took a file of another kind"
    with open_hdf5(mutant) as file:
        file.visititems(lambda _, thing: thing[()] if isinstance(thing, h5py.Dataset) else None)
    return ""


def _quiet(*arguments: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        ember(*arguments)


_HERE = "tests.fuzz.fuzz_hdf5:"

KINDS = (
    Kind("run", make_runs, damage_hdf5, f"{_HERE}sealed_run", 500, 3, RUNS),
    Kind("run-bytes", make_runs, damage_bytes, f"{_HERE}sealed_run", 500, 3, RUNS),
    Kind("run-resealed", make_runs, damage_hdf5_and_seal, f"{_HERE}use_run", 500, 3, RUNS),
    Kind("run-format-1", make_old_runs, damage_hdf5, f"{_HERE}use_run", 500, 1, RUNS),
    Kind("run-report", make_runs, damage_hdf5_and_seal, f"{_HERE}report_run", 500, 1, RUNS),
    Kind("data-set", make_data_sets, damage_hdf5, f"{_HERE}use_data_set", 200, 4, FILES),
    Kind("data-set-resealed", make_data_sets, damage_hdf5_and_seal, f"{_HERE}use_sealed_data_set",
         200, 4, FILES),
    Kind("nir", make_nir, damage_hdf5, f"{_HERE}use_nir", 200, 3, FILES),
    Kind("nir-resealed", make_nir, damage_hdf5_and_seal, f"{_HERE}use_nir", 200, 6, FILES),
    Kind("sonata", make_exports, damage_hdf5, f"{_HERE}use_export", 200, 3, FILES),
)  # fmt: skip
