"""The whole path on real sound: `ember run startle` on recordings, read by the field's readers."""

from __future__ import annotations

import functools
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
from typer.testing import CliRunner

from sims.cli import app

SOUNDS = ("front_center", "digit_3", "digit_5", "digit_8")
ROOT = Path(__file__).parents[2]
Told = dict[str, int]


def as_process(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sims", *words],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_this_process(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def run(
    recording: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Path, Told]]:
    """The file of a run on a recording or on silence, and the spikes that the command counted.

    The first recording is run by a process of its own, the others in this one; each once.
    """
    folder = tmp_path_factory.mktemp("runs")

    @functools.cache
    def found(sound: str) -> tuple[Path, Told]:
        if sound == "silence":
            word = "stimulus.sound.embedded=silence"
        else:
            word = f"stimulus.sound.file={recording(sound)}"
        ember = as_process if sound == SOUNDS[0] else in_this_process
        out = folder / f"{sound}.h5"
        config = str(ROOT / "configs" / "startle.yaml")
        populations = json.loads(ember("run", config, word, "--out", str(out), "--json"))
        told = {name: p["spikes"] for name, p in populations["populations"].items()}
        return out, told

    return found


@pytest.mark.parametrize("sound", SOUNDS)
def test_a_recording_runs_and_every_reader_counts_the_same_spikes(
    sound: str, run: Callable[[str], tuple[Path, Told]]
) -> None:
    out, told = run(sound)
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


def test_the_sound_matters(run: Callable[[str], tuple[Path, Told]]) -> None:
    """Control: two recordings give different spikes; silence leaves spontaneous ones only."""
    counts = [run(sound)[1]["bushy"] for sound in ("digit_3", "digit_5", "silence")]
    assert counts[0] != counts[1]
    assert counts[2] < 0.7 * min(counts[:2])
