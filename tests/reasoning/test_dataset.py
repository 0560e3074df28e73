"""Spike data sets: whole voices held out, built once, read by others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from encoders.sound import Sound
from neuro.errors import ConfigError
from neuro.files.seal import add_seal
from sims.config.train import DigitsData, NerveSpec, VoicesData
from sims.dataset.build import dataset_file, hear, identity, material, spike_dataset
from sims.dataset.digits import trimmed
from sims.dataset.labelled import LabelledSound, Material
from sims.dataset.spike_dataset import read_spike_dataset
from sims.train.spikes.sampler import Sampler
from sims.train.statistics import accuracy, confusion, majority, wilson_interval
from tests.conftest import IN_CI

NERVE = NerveSpec(n_channels=3, fibres_per_channel=2)
DATA = VoicesData(speakers=2, validation=1, held_out=1, duration="100 ms", nerve=NERVE)
RECORDED = Path("/usr/share/asterisk/sounds/en_US_f_Allison/digits")


def test_whole_voices_are_held_out_in_both_states(tmp_path: Path) -> None:
    data, _ = spike_dataset(DATA, seed=5, folder=tmp_path)
    assert len(data) == 8
    parts = {"train": 2, "validation": 1, "test": 1}
    voices = {split: {data.speakers[i] for i in data.where(split)} for split in parts}  # type: ignore[arg-type]
    assert {split: len(of) for split, of in voices.items()} == parts
    assert len(set.union(*voices.values())) == 4  # each voice is in one part
    for split in parts:
        assert np.bincount(data.labels[data.where(split)]).tolist() == [parts[split]] * 2  # type: ignore[arg-type]
    assert all(spikes.duration_ms == 100.0 and len(spikes) > 10 for spikes in data.spikes)


def test_spikes_do_not_depend_on_threads_and_are_read_back(tmp_path: Path) -> None:
    one, file = spike_dataset(DATA, seed=5, folder=tmp_path / "one", threads=1)
    two, _ = spike_dataset(DATA, seed=5, folder=tmp_path / "two", threads=3)
    again, same = spike_dataset(DATA, seed=5, folder=tmp_path / "one")
    assert same == file and not list(tmp_path.glob("*/*.parts"))
    for a, b, c in zip(one.spikes, two.spikes, again.spikes, strict=True):
        assert a == b == c


def test_the_file_has_the_layout_of_the_heidelberg_digits(tmp_path: Path) -> None:
    data, path = spike_dataset(DATA, seed=5, folder=tmp_path)
    with h5py.File(path) as file:
        times, units = file["spikes/times"], file["spikes/units"]
        assert times.shape == units.shape == file["labels"].shape == (8,)
        assert h5py.check_vlen_dtype(times.dtype) == np.float64
        assert times[0].max() < 0.1 and (np.diff(times[0]) >= 0).all()  # seconds, sorted
        assert units[0].max() < 6
        assert [key.decode() for key in file["extra/keys"]] == ["calm", "distressed"]
        assert file["extra/speaker"].shape == (8,)
    assert data.cf_hz[0] == pytest.approx(125) and data.cf_hz[-1] == pytest.approx(3500)


def test_the_name_of_a_file_follows_all_that_decides_it() -> None:
    def name(data: VoicesData, seed: int = 0) -> str:
        return dataset_file(Path(), identity(data, material(data, seed=seed), seed=seed)).name

    assert name(DATA) == name(DATA.model_copy())
    others = [name(DATA, 1), name(DATA.model_copy(update={"takes": 2}))]
    others.append(name(DATA.model_copy(update={"nerve": NerveSpec(n_channels=4)})))
    assert len({name(DATA), *others}) == 4


def test_where_recordings_lie_does_not_decide_the_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same recordings in another folder are the same data set; others are another."""
    monkeypatch.setattr("sims.dataset.espeak.version", lambda: "espeak-ng 1")
    monkeypatch.setattr("sims.dataset.espeak.check_voice", lambda name: None)

    def name(folder: str | None, content: bytes = b"one") -> str:
        if folder is not None:
            (tmp_path / folder).mkdir(exist_ok=True)
            for digit in range(10):
                (tmp_path / folder / f"{digit}.wav").write_bytes(content)
        digits = DigitsData(
            source="digits", voices=["a"], validation=["c"], held_out=["b"],
            nerve=NERVE,
            recordings=None if folder is None else str(tmp_path / folder),
        )  # fmt: skip
        about = identity(digits, material(digits, seed=0), seed=0)
        assert about["data"]["recordings"] == digits.recordings  # where to hear them again
        return dataset_file(Path(), about).name

    assert name("here") == name("there")
    assert len({name("here"), name("there", b"two"), name(None)}) == 3


def test_a_data_set_says_where_its_recordings_lie_now(tmp_path: Path) -> None:
    """It was built from the same ones elsewhere: what is asked for now is what `about` has."""
    built, file = spike_dataset(DATA, seed=5, folder=tmp_path)
    with h5py.File(file, "a") as inside:
        written = json.loads(inside["extra/meta_info/about"][()])
        written["data"]["recordings"] = "/gone"
        del inside["extra/meta_info/about"]
        inside["extra/meta_info/about"] = json.dumps(written)
    add_seal(file)
    assert read_spike_dataset(file).about["data"]["recordings"] == "/gone"
    again, _ = spike_dataset(DATA, seed=5, folder=tmp_path)
    assert again.about == built.about and "recordings" not in again.about["data"]


def test_more_units_than_a_file_numbers_are_refused_before_any_is_heard(tmp_path: Path) -> None:
    vast = DATA.model_copy(update={"nerve": NerveSpec(n_channels=257, fibres_per_channel=256)})
    with pytest.raises(ConfigError, match="65536 units at most, found 65792"):
        spike_dataset(vast, seed=5, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_calm_and_distressed_of_a_speaker_are_equally_loud() -> None:
    for sound in material(DATA, seed=5).sounds:
        made = sound.make()
        assert np.sqrt(np.mean(made.values**2)) == pytest.approx(0.1, rel=0.01)


def test_a_voice_cannot_be_trained_on_and_held_out() -> None:
    sounds = [LabelledSound(s, 0, "her", s, lambda: None) for s in ("train", "test")]  # type: ignore[arg-type,return-value]
    with pytest.raises(ConfigError, match="not both, found `her`"):
        Material(("a",), tuple(sounds))


def test_a_word_is_cut_where_it_is_quiet() -> None:
    rate = 8000.0
    word = np.sin(2 * np.pi * 440 * np.arange(800) / rate)
    padded = np.concatenate([np.zeros(1600), word, 1e-4 * np.ones(2400)])
    kept = trimmed(Sound(padded, rate))
    assert 100 <= kept.duration_ms <= 100 + 2 * 5  # to a frame of 5 ms at either end


def test_a_channel_above_the_recording_is_refused() -> None:
    sound = Sound(np.sin(np.arange(800.0)), 6000.0, "an old telephone")
    with pytest.raises(ConfigError, match=r"half the sampling rate of an old telephone, 3000 Hz"):
        hear(sound, NERVE, duration_ms=100.0, level_db=60.0, seed=0)


@pytest.mark.skipif(
    not IN_CI and not shutil.which("espeak-ng"), reason="the system package espeak-ng is not here"
)
def test_digits_are_spoken_by_voices_and_recorded_by_a_person(tmp_path: Path) -> None:
    recorded = RECORDED.is_dir() or IN_CI
    digits = DigitsData(
        source="digits", voices=["en-us+m1"], validation=["en-us+m4"], held_out=["en-gb+f2"],
        duration="500 ms", nerve=NERVE,
        recordings=str(RECORDED) if recorded else None,
    )  # fmt: skip
    data, _ = spike_dataset(digits, seed=1, folder=tmp_path)
    assert len(data.classes) == 10
    for split in ("train", "validation", "test", *(["extra"] if recorded else [])):
        assert data.labels[data.where(split)].tolist() == list(range(10))
    seven, nine = (
        data.spikes[data.keys.index(f"en-us+m1-p50-s175-{w}")] for w in ("seven", "nine")
    )
    assert seven != nine and seven.rate_hz > 10


@pytest.mark.parametrize("n", [1, 5])
def test_every_item_is_drawn_once_an_epoch(n: int) -> None:
    sampler = Sampler(n, seed=2)
    drawn = np.concatenate([sampler.draw(k) for k in (0, 1, 2, 3, 4 * n)])
    for epoch in range(4):
        assert sorted(drawn[epoch * n : (epoch + 1) * n]) == list(range(n))
    assert sampler.drawn == drawn.size


def test_accuracies_and_their_intervals() -> None:
    """81 of 263 as in Newcombe 1998 (method 3), Stat Med 17:857."""
    assert [round(bound, 4) for bound in wilson_interval(81, 263)] == [0.2553, 0.3662]
    assert wilson_interval(0, 20)[0] == 0 and wilson_interval(20, 20)[1] == 1
    labels, answers = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0])
    assert accuracy(answers, labels)["right"] == 3
    assert confusion(answers, labels, 3) == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert majority([2, 2, 1], labels, 3)["right"] == 1
