"""Batches from files: the same items in the same order however they are read, and no more."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bridges.features.batch import SpikeBatch
from bridges.features.counts import counts
from neuro.errors import ConfigError, StoreError
from neuro.recording import Recording
from neuro.spikes import Spikes
from neuro.wiring import generator
from sims.dataset.items import DatasetItems, Item, RunItems
from sims.dataset.loading import LabelledBatch, each, loader
from sims.dataset.spike_dataset import SpikeDataset, write_spike_dataset
from sims.result import Provenance, Run
from sims.store.run_file import write_run

N, UNITS = 11, 5


def drawn_spikes(seed: int, *, n: int = 40, stop: float = 100.0) -> Spikes:
    rng = generator(seed, "spikes")
    return Spikes(
        rng.uniform(0, stop, size=n), rng.integers(0, UNITS, size=n), n_units=UNITS, t_stop_ms=stop
    )


def data_set(n: int = N, per_item: int = 40) -> SpikeDataset:
    return SpikeDataset(
        spikes=[drawn_spikes(index, n=per_item) for index in range(n)],
        labels=np.arange(n) % 3,
        classes=("a", "b", "c"),
        speakers=("x",) * n,
        splits=tuple("test" if index % 4 == 0 else "train" for index in range(n)),
        keys=tuple(f"item {index}" for index in range(n)),
        channels=np.arange(UNITS),
        cf_hz=np.full(UNITS, 500.0),
        about={},
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_spike_dataset(tmp_path_factory.mktemp("data") / "set.h5", data_set())


def run_file(path: Path, spikes: Spikes, resolved: dict[str, Any]) -> Path:
    recording = Recording(
        duration_ms=spikes.t_stop_ms, dt_ms=0.1, seed=1, backend="numba", spikes={"cells": spikes},
        traces={}, modulators={}, factors={}, timings={},
    )  # fmt: skip
    about = Provenance(
        name="toy", config_text="", config_path="toy.yaml", overrides=(), resolved=resolved,
        config_hash="0", versions={}, git_commit="", created="", peak_memory_bytes=0,
    )  # fmt: skip
    return write_run(path, Run(recording=recording, provenance=about, signals={}, coordinates={}))


def test_items_are_those_of_the_whole_file(file: Path) -> None:
    whole = data_set()
    for split in (None, "train", "test"):
        items = DatasetItems(file, split)
        rows = np.arange(N) if split is None else whole.where(split)
        assert len(items) == len(rows) > 0
        for index, row in enumerate(rows):
            item = items[index]
            assert item.place == index and item.label == whole.labels[row]
            # Stored in seconds: there and back rounds twice.
            np.testing.assert_allclose(item.spikes.times_ms, whole.spikes[row].times_ms, rtol=1e-15)
            assert (item.spikes.units == whole.spikes[row].units).all()


def test_windows_of_runs(tmp_path: Path) -> None:
    long, other = drawn_spikes(1, n=400, stop=1000.0), drawn_spikes(2, n=150, stop=330.0)
    paths = [
        run_file(tmp_path / "one.h5", long, {"dose": {"serotonin": 0.5}}),
        run_file(tmp_path / "two.h5", other, {"dose": {"serotonin": 2}}),
        run_file(tmp_path / "three.h5", other, {"dose": {"serotonin": 0.5}}),
    ]
    items = RunItems(
        paths, "cells", window_ms=100.0, hop_ms=50.0, skip_ms=30.0, by="dose.serotonin"
    )
    assert items.classes == ("0.5", "2")
    assert items.labels.tolist() == [0] * 18 + [1] * 5 + [0] * 5
    for index, start in [(0, 30.0), (17, 880.0)]:
        assert items[index].spikes == long.between(start, start + 100.0)
    assert items[22].spikes == other.between(230.0, 330.0)
    assert len(items[0].spikes) > 10
    assert RunItems(paths, "cells", window_ms=100.0).classes == ("one.h5", "two.h5", "three.h5")


def test_order_is_a_function_of_the_seed_alone(file: Path) -> None:
    items = DatasetItems(file)

    def first(n: int, **how: Any) -> list[LabelledBatch]:
        return list(islice(loader(items, batch=4, **how), n))

    alone, ahead = first(7, seed=3), first(7, seed=3, workers=2)
    for one, other in zip(alone, ahead, strict=True):
        assert torch.equal(one.items, other.items)
        assert torch.equal(one.inputs.times_ms, other.inputs.times_ms)
        assert torch.equal(one.labels, torch.from_numpy(items.labels)[one.items])
    order = torch.cat([batch.items for batch in alone])
    assert sorted(order[:N].tolist()) == sorted(order[N : 2 * N].tolist()) == list(range(N))
    assert not torch.equal(order[:N], order[N : 2 * N])
    resumed = torch.cat([batch.items for batch in first(3, seed=3, drawn=10)])
    assert torch.equal(resumed, order[10:22])
    assert not torch.equal(torch.cat([batch.items for batch in first(7, seed=4)]), order)
    once = [batch.items.tolist() for batch in loader(items, batch=4)]
    assert once == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]


def test_features_are_made_by_the_worker(file: Path) -> None:
    items, feature = DatasetItems(file), partial(counts, bin_ms=20.0)
    for workers in (0, 1):
        made = next(iter(loader(items, batch=N, features=each(feature), workers=workers))).inputs
        assert made.shape == (N, 5, UNITS)
        for index in range(N):
            assert torch.equal(made[index], feature(items[index].spikes))


def test_a_batch_of_spikes_keeps_every_one(file: Path) -> None:
    items = DatasetItems(file)
    batch = next(iter(loader(items, batch=3))).inputs
    assert isinstance(batch, SpikeBatch) and (batch.n_items, batch.n_units) == (3, UNITS)
    for index in range(3):
        mine = batch.items == index
        assert batch.times_ms[mine].tolist() == items[index].spikes.times_ms.tolist()
        assert batch.units[mine].tolist() == items[index].spikes.units.tolist()


def test_nothing_is_read_before_it_is_asked_for(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    items, read = DatasetItems(file), DatasetItems.__getitem__

    def watched(self: DatasetItems, index: int) -> Item:
        asked.append(index)
        return read(self, index)

    monkeypatch.setattr(DatasetItems, "__getitem__", watched)
    batches = iter(loader(items, batch=2))
    assert asked == []
    next(batches)
    assert asked == [0, 1]


MEASURE = """
import sys
from sims.dataset.items import DatasetItems
from sims.dataset.loading import loader
from sims.dataset.spike_dataset import read_spike_dataset
from sims.store.provenance import peak_memory_bytes as peak
items = DatasetItems(sys.argv[1])
list(next(iter(loader(items, batch=2))).labels)
before = peak()
n = sum(len(batch.inputs.times_ms) for batch in loader(items, batch=2))
lazily = peak() - before
kept = read_spike_dataset(sys.argv[1])
print(n, lazily, peak() - before)
"""


def test_no_more_than_a_batch_is_in_memory(tmp_path: Path) -> None:
    """Read by batches, 100 items of 20,000 spikes take a small part of what they take at once."""
    path = write_spike_dataset(tmp_path / "large.h5", data_set(100, 20_000))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    n, lazily, at_once = map(int, done.stdout.split())
    assert n == 100 * 20_000
    whole = n * 16  # a float64 and an int64 for each spike
    assert at_once > 0.8 * whole  # the other reader does hold everything, and this sees it
    assert lazily < 0.4 * whole  # batches of 2 of 100, and caches of a few MB whatever n is


def test_what_cannot_be_loaded_is_said(file: Path, tmp_path: Path) -> None:
    items = DatasetItems(file)
    for wrong in ({"batch": 0}, {"batch": 2, "workers": -1}, {"batch": 2, "prefetch": 0}):
        with pytest.raises(ConfigError, match="a loader needs items"):
            loader(items, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="found 0 items"):
        loader([], batch=1)
    with pytest.raises(StoreError):
        DatasetItems(tmp_path / "absent.h5")
    path = run_file(tmp_path / "run.h5", drawn_spikes(1), {})
    with pytest.raises(StoreError, match="not a spike data set"):
        DatasetItems(path)
    with pytest.raises(ConfigError, match="must hold the spikes of `others`, found those of cells"):
        RunItems([path], "others", window_ms=10.0)
    with pytest.raises(ConfigError, match="must be longer than a window of 200 ms"):
        RunItems([path], "cells", window_ms=200.0)
    with pytest.raises(ConfigError, match="must have the key `dose`"):
        RunItems([path], "cells", window_ms=10.0, by="dose")
    gone = DatasetItems(write_spike_dataset(tmp_path / "gone.h5", data_set()))
    (tmp_path / "gone.h5").unlink()
    with pytest.raises(StoreError, match="cannot read"):
        gone[0]
