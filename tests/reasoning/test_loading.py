"""Batches from files: the same items in the same order however they are read, and no more."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from bridges.features.batch import SpikeBatch
from bridges.features.counts import counts
from neuro.errors import ConfigError, StoreError
from neuro.files.seal import add_seal
from neuro.recording import Recording
from neuro.spikes import Spikes
from neuro.wiring import generator
from sims.dataset.items import DatasetItems, Item, RunItems
from sims.dataset.loading import LabelledBatch, each, loader
from sims.dataset.spike_dataset import SpikeDataset, read_spike_dataset, write_spike_dataset
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


def test_runs_of_one_file_name_are_classes_apart(tmp_path: Path) -> None:
    """Two runs in folders of their own are two classes, by as much of the path as tells them."""
    paths = []
    for seed, name in enumerate(("a/run.h5", "b/run.h5", "x/b/calm.h5", "y/b/calm.h5", "one.h5")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        paths.append(run_file(tmp_path / name, drawn_spikes(seed), {}))
    items = RunItems([*paths, paths[0]], "cells", window_ms=50.0)
    assert items.classes == ("a/run.h5", "b/run.h5", "x/b/calm.h5", "y/b/calm.h5", "one.h5")
    assert items.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 0]  # one run given twice


@pytest.mark.parametrize("window_ms", [0.7, 5.1, 6.4, 12.8])
@pytest.mark.parametrize("skip_ms", [0.0, 0.3])
def test_windows_share_the_spikes_on_their_edges_as_bins_do(
    tmp_path: Path, window_ms: float, skip_ms: float
) -> None:
    """A spike every 0.1 ms: as many in each window as it is long, whatever was rounded."""
    steps = np.arange(1000)
    train = Spikes(np.round(steps * 0.1, 6), steps * 0, n_units=1, t_stop_ms=100.0)
    path = run_file(tmp_path / "grid.h5", train, {})
    items = RunItems([path], "cells", window_ms=window_ms, skip_ms=skip_ms)
    of_window, skipped = round(window_ms * 10), round(skip_ms * 10)
    assert len(items) == (1000 - skipped) // of_window
    for index in range(len(items)):
        found = items[index].spikes
        own = train.times_ms[skipped + index * of_window :][:of_window]
        # A few roundings of times below 100 ms.
        np.testing.assert_allclose(found.times_ms, own, rtol=0, atol=1e-12)
        assert (counts(found, bin_ms=0.1) == 1).all()


def test_a_spike_on_an_edge_is_in_the_window_that_begins_there(tmp_path: Path) -> None:
    hair = 1e-9 * 50.0  # the edge itself, where the earlier window ends, is a hair before
    times = [0.0, 49.0, 50.0 - 2 * hair, 50.0 - hair, 50.0, 50.0, 99.0]
    train = Spikes(times, [0] * 5 + [1, 0], n_units=2, t_stop_ms=100.0)
    items = RunItems([run_file(tmp_path / "edge.h5", train, {})], "cells", window_ms=50.0)
    assert [len(item.spikes) for item in items] == [3, 4]  # type: ignore[attr-defined]
    assert items[1].spikes.times_ms.tolist() == [50.0, 50.0, 50.0, 99.0]
    assert items[-1].place == 1


def changed(**parts: Any) -> SpikeDataset:
    return replace(data_set(3), **parts)


def silent(n_units: int = UNITS, *, start: float = 0.0, stop: float = 100.0) -> Spikes:
    return Spikes([], [], n_units=n_units, t_start_ms=start, t_stop_ms=stop)


MANY = (1 << 16) + 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (changed(spikes=[]), "of the same units and window, found none"),
        (changed(spikes=[silent(stop=t) for t in (100.0, 50.0, 200.0)]), "0..50 ms, 5 units 0..1"),
        (changed(spikes=[silent(start=t) for t in (0.0, 1.0, 0.0)]), "5 units 1..100 ms"),
        (changed(spikes=[silent(n) for n in (5, 6, 5)]), "5 units 0..100 ms, 6 units"),
        (
            changed(spikes=[silent(MANY)] * 3, channels=np.zeros(MANY, int), cf_hz=np.zeros(MANY)),
            "65536 units at most, found 65537",
        ),
        (changed(labels=np.array([0, 1, 3])), "from 0 to 2, one of its 3 classes, found 0 to 3"),
        (changed(labels=np.array([0, 1, 65536])), "found 0 to 65536"),
        (changed(labels=np.array([0, -1, 2])), "found -1 to 2"),
        (changed(labels=np.array([0, 0.5, 2])), "whole numbers .* of float64"),
        (changed(labels=np.array([0, 1])), "`labels` of .* must be 3, one for each item"),
        (changed(speakers=("x",)), "`speakers`"),
        (changed(keys=("x",) * 4), "`keys`"),
        (changed(splits=("train",)), "`splits`"),
        (changed(splits=("train", "test", "tset")), "found `tset`"),
        (changed(channels=np.arange(4)), r"`channels` .* 5, one for each unit, found shape \(4,\)"),
        (changed(cf_hz=np.zeros(6)), "`cf_hz`"),
        (changed(classes=tuple(map(str, range(MANY)))), "65536 classes and speakers at most"),
    ],
)
def test_what_does_not_fit_the_format_is_not_written(
    tmp_path: Path, data: SpikeDataset, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        write_spike_dataset(tmp_path / "set.h5", data)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_last_unit_of_the_format_is_read_back(tmp_path: Path) -> None:
    n, unit = 1 << 16, (1 << 16) - 1
    one = Spikes([1.0], [unit], n_units=n, t_stop_ms=100.0)
    data = changed(spikes=[one] * 3, channels=np.zeros(n, int), cf_hz=np.zeros(n))
    path = write_spike_dataset(tmp_path / "set.h5", data)
    assert DatasetItems(path)[0].spikes.units.tolist() == [unit]
    assert read_spike_dataset(path).spikes[2].units.tolist() == [unit]


def test_spikes_at_both_ends_of_a_window_are_read_back(tmp_path: Path) -> None:
    """Stored in seconds: of 10,000 windows, rounding moved out 60 at either end."""
    ends = generator(0, "windows").uniform(1, 2000, size=(2000, 2))
    starts, stops = np.sort(ends).T
    moved = [np.nextafter(stops, 0) / 1000 * 1000 >= stops, starts / 1000 * 1000 < starts]
    rows = np.flatnonzero(moved[0] | moved[1])
    assert min(map(np.count_nonzero, moved)) > 0
    for row in rows[:10]:
        start, stop = float(starts[row]), float(stops[row])
        times = [start, np.nextafter(stop, start)]
        one = Spikes(times, [0, 1], n_units=UNITS, t_start_ms=start, t_stop_ms=stop)
        path = write_spike_dataset(tmp_path / "set.h5", changed(spikes=[one] * 3))
        found = DatasetItems(path)[0].spikes.times_ms
        # Two roundings, and a step to the next number.
        np.testing.assert_allclose(found, times, rtol=4 * 2**-53)


def test_labels_of_no_class_are_refused_when_read(tmp_path: Path) -> None:
    path = write_spike_dataset(tmp_path / "set.h5", data_set(3))
    with h5py.File(path, "a") as inside:
        inside["labels"][1] = 7
    add_seal(path)
    for read in (DatasetItems, read_spike_dataset):
        with pytest.raises(StoreError, match="0 to 2 for 3 classes, found 0 to 7") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    with h5py.File(path, "a") as inside:
        del inside["labels"]
        inside["labels"] = np.zeros(2, np.uint16)
    add_seal(path)
    with pytest.raises(StoreError, match="each of 3 items must have a label, found 2"):
        DatasetItems(path)


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


class Watched:
    """Items that say how many of them were read, in whichever process."""

    def __init__(self) -> None:
        self.read = get_context().Semaphore(0)

    def __len__(self) -> int:
        return 100

    def __getitem__(self, index: int) -> Item:
        self.read.release()
        return Item(drawn_spikes(index), 0, index)


def test_batches_are_read_before_they_are_asked_for() -> None:
    """While one batch is worked on, workers read the next ones to their end, and then rest."""
    items, ahead = Watched(), 2 * 3
    batches = iter(loader(items, batch=4, workers=2, prefetch=3))
    for asked in range(1, 4):
        batch = next(batches)
        assert batch.items.tolist() == list(range(4 * asked - 4, 4 * asked))
        # Nothing is asked for here, and yet so many are read; the timeout is for a hang.
        for _ in range(4 * (asked + ahead) if asked == 1 else 4):
            assert items.read.acquire(timeout=60)
    assert not items.read.acquire(timeout=0.2)  # `workers * prefetch + 1` batches are in memory

    alone = Watched()
    next(iter(loader(alone, batch=4)))
    assert [alone.read.acquire(block=False) for _ in range(5)] == [True] * 4 + [False]


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
    for wrong in ({"hop_ms": np.inf}, {"window_ms": np.inf}, {"skip_ms": np.inf}, {"hop_ms": 0.0}):
        with pytest.raises(ConfigError, match="windows of runs need"):
            RunItems([path], "cells", **{"window_ms": 10.0, **wrong})
    with pytest.raises(ConfigError, match="must have the key `dose`"):
        RunItems([path], "cells", window_ms=10.0, by="dose")
    gone = DatasetItems(write_spike_dataset(tmp_path / "gone.h5", data_set()))
    (tmp_path / "gone.h5").unlink()
    with pytest.raises(StoreError, match="cannot read"):
        gone[0]
