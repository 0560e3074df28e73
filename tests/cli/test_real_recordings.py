"""The whole path on real sound: `ember run startle` on recordings, read by the field's readers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import libsonata
import pytest
from bmtk.utils.reports.spike_trains import SpikeTrains

SOUNDS = ("front_center", "digit_3", "digit_5", "digit_8")


def ember(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sims", *map(str, words)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


@pytest.mark.parametrize("sound", SOUNDS)
def test_a_recording_runs_and_every_reader_counts_the_same_spikes(
    sound: str, recording: Callable[[str], Path], tmp_path: Path
) -> None:
    out = tmp_path / "run.h5"
    done = ember(
        "run", "configs/startle.yaml", f"stimulus.sound.file={recording(sound)}",
        "--out", out, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = {name: p["spikes"] for name, p in json.loads(done.stdout)["populations"].items()}
    assert told["sound_nerve"] > 1000
    assert told["bushy"] > 100  # the sound got past the first synapse

    with h5py.File(out) as file:
        by_h5py = {name: group["timestamps"].size for name, group in file["spikes"].items()}
        assert "provenance" in file
    by_libsonata = {}
    reader = libsonata.SpikeReader(str(out))
    for name in reader.get_population_names():
        by_libsonata[name] = len(reader[name].get())
    trains = SpikeTrains.from_sonata(str(out))
    by_bmtk = {name: trains.n_spikes(name) for name in trains.populations}
    assert by_h5py == by_libsonata == told
    # bmtk leaves a population without spikes out of its list.
    assert by_bmtk == {name: count for name, count in told.items() if count}


def test_the_sound_matters(recording: Callable[[str], Path], tmp_path: Path) -> None:
    """Control: two recordings give different spikes; silence leaves spontaneous ones only."""
    counts = []
    for words in (
        [f"stimulus.sound.file={recording('digit_3')}"],
        [f"stimulus.sound.file={recording('digit_5')}"],
        ["stimulus.sound.embedded=silence"],
    ):
        done = ember("run", "startle", *words, "--out", tmp_path / f"{len(counts)}.h5", "--json")
        assert done.returncode == 0, done.stderr
        counts.append(json.loads(done.stdout)["populations"]["bushy"]["spikes"])
    assert counts[0] != counts[1]
    assert counts[2] < 0.7 * min(counts[:2])
