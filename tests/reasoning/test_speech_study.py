"""A study of trainings: what is kept apart, what is counted, and that stopping changes nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bridges.spiking.fitting import Fitting
from neuro.errors import ConfigError, StoreError
from neuro.wiring import generator
from sims.dataset import espeak
from sims.dataset.build import Stopped
from sims.report.figures import png
from sims.report.figures.speech import speech_study
from sims.train.loop.checkpoint import read_tensors
from sims.train.speech import run
from sims.train.speech.arms import ARMS
from sims.train.speech.heard import Heard, Items
from sims.train.speech.settings import STUDIES, Study, shifted, thinned
from sims.train.speech.summary import summary
from sims.train.speech.task import FULL, SMALL
from sims.train.speech.trial import Trial
from sims.train.statistics import mean_interval
from tests.conftest import IN_CI

N_CHANNELS, N_FIBRES, N_STEPS, DT_MS = 4, 3, 20, 4.0
STUDY = replace(
    STUDIES["small"], name="tiny", fitting=Fitting(epochs=3, batch=16), n_hidden=12, seeds=(1, 2),
    arms=("trained", "untimed"), windows_ms=(8.0, 80.0), transferred=2,
)  # fmt: skip


def items(n: int, *, split: str) -> Items:
    """Two classes, told by which half of the channels is the louder."""
    rng = generator(7, split)
    labels = np.arange(n) % 2
    louder = (np.arange(N_CHANNELS * N_FIBRES) >= N_CHANNELS * N_FIBRES // 2)[None] == labels[
        :, None
    ]
    frames = rng.random((n, N_STEPS, N_CHANNELS * N_FIBRES)) < np.where(louder, 0.4, 0.1)[:, None]
    return Items(
        torch.from_numpy(frames.astype(np.uint8)), torch.from_numpy(labels.astype(np.int64)),
        tuple(f"{split}-{k % 3}" for k in range(n)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def sounds() -> Heard:
    train, validation, test = (items(n, split=s) for n, s in ((48, "a"), (12, "b"), (24, "c")))
    return Heard(train, validation, test, None, ("low", "high"), N_CHANNELS, DT_MS, Path("none"))


@pytest.fixture
def spoken(sounds: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run_study` hears these sounds."""
    monkeypatch.setattr(run, "heard", lambda *arguments, **named: sounds)


def without_times(result: dict) -> dict:
    text = json.dumps(result, sort_keys=True)
    found = json.loads(text)
    for trials in found["trials"].values():
        for trial in trials:
            for place in (trial, *trial["curve"]):
                place.pop("wall_s"), place.pop("cpu_s")
    for arm in found["arms"].values():
        arm.pop("wall_s"), arm.pop("cpu_s")
    return found


@pytest.mark.usefixtures("spoken")
def test_a_study_stopped_and_taken_up_again_comes_to_the_same(tmp_path: Path) -> None:
    through = run.run_study(STUDY, tmp_path / "through", cache=tmp_path, say=lambda line: None)
    asked = []

    def at_the_fifth() -> bool:
        asked.append(True)
        return len(asked) == 5  # in the second training

    out = tmp_path / "stopped"
    with pytest.raises(Stopped, match="1 of 3 epochs of `trained`, seed 2, are kept"):
        run.run_study(STUDY, out, cache=tmp_path, say=lambda line: None, stop=at_the_fifth)
    assert not (out / "result.json").exists()
    said: list[str] = []
    resumed = run.run_study(STUDY, out, cache=tmp_path, say=said.append)
    assert "trained, seed 2, epoch 2 of 3" in said[0]  # nothing was done twice
    assert without_times(resumed) == without_times(through)
    for name in ("trained-1", "trained-2", "untimed-2"):
        ours, _ = read_tensors(tmp_path / "through" / f"{name}.safetensors", kind="checkpoint")
        theirs, _ = read_tensors(out / f"{name}.safetensors", kind="checkpoint")
        assert ours.keys() == theirs.keys() and len(ours) > 20
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert through["chance"] == 0.5
    assert through["trials"]["trained"][0]["transfer"]["spikes_differing"] == 0
    assert png(speech_study(through))[1:4] == b"PNG"


SHORT = replace(STUDY, fitting=Fitting(epochs=1, batch=16), arms=("untimed",), seeds=(1,))


@pytest.mark.usefixtures("spoken")
def test_a_study_does_not_mix_two_softwares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.run_study(SHORT, tmp_path, cache=tmp_path, say=lambda line: None)
    now = {**run.training(), "sources": "0"}
    monkeypatch.setattr(run, "training", lambda: now)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    more = replace(SHORT, seeds=(1, 2))
    with pytest.raises(StoreError, match=r"Ember's own code has changed.*--allow-version-change"):
        run.run_study(more, tmp_path, cache=tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    mixed = run.run_study(
        more, tmp_path, cache=tmp_path, say=lambda line: None, allow_version_change=True
    )
    assert [one["sources"] == "0" for one in mixed["software"]] == [False, True]


@pytest.mark.usefixtures("spoken")
def test_the_second_process_in_a_folder_is_refused(tmp_path: Path) -> None:
    def second() -> bool:
        with pytest.raises(StoreError, match="is in use by another process"):
            run.run_study(SHORT, tmp_path, cache=tmp_path)
        raise Stopped("seen")

    with pytest.raises(Stopped, match="seen"):
        run.run_study(SHORT, tmp_path, cache=tmp_path, say=lambda line: None, stop=second)


@pytest.mark.usefixtures("spoken")
def test_a_folder_of_other_settings_is_refused(tmp_path: Path) -> None:
    run.run_study(SHORT, tmp_path / "out", cache=tmp_path, say=lambda line: None)
    more = replace(SHORT, seeds=(1, 2))  # other seeds are the same study
    assert (
        len(
            run.run_study(more, tmp_path / "out", cache=tmp_path, say=lambda line: None)["trials"][
                "untimed"
            ]
        )
        == 2
    )
    with pytest.raises(StoreError, match="holds a study of other settings"):
        run.run_study(STUDY, tmp_path / "out", cache=tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="holds no study"):
        run.run_study(STUDY, tmp_path / "full", cache=tmp_path)


def test_damaged_files_are_named(sounds: Heard, tmp_path: Path) -> None:
    trial = Trial(STUDY, "trained", 1, tmp_path)
    trial.checkpoint_file.write_bytes(b"\x10 not tensors")
    with pytest.raises(StoreError, match=r"trained-1\.safetensors.*delete it to start over"):
        trial.run(sounds)
    trial.checkpoint_file.unlink()
    after = iter([False, True])
    with pytest.raises(Stopped):
        trial.run(sounds, stop=lambda: next(after))
    other = Trial(replace(STUDY, n_hidden=13), "trained", 1, tmp_path)
    with pytest.raises(StoreError, match="found one of another"):
        other.run(sounds)
    trial.result_file.write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match=r"trained-1\.json.*delete it to have it measured again"):
        trial.run(sounds)


def test_each_arm_lacks_one_thing(sounds: Heard) -> None:
    trained, untimed, shuffled = (
        ARMS[n].train(sounds, seed=3) for n in ("trained", "untimed", "shuffled")
    )
    assert torch.equal(trained.frames, sounds.train.frames)
    assert torch.equal(untimed.frames.sum(1), sounds.train.frames.sum(1))  # counts are equal
    assert not torch.equal(untimed.frames, sounds.train.frames)
    assert torch.equal(untimed.labels, sounds.train.labels)
    assert torch.equal(shuffled.frames, sounds.train.frames)
    assert torch.equal(shuffled.labels.bincount(), sounds.train.labels.bincount())
    agree = float((shuffled.labels == sounds.train.labels).double().mean())
    assert 0.2 < agree < 0.8  # of 48 coins, four standard deviations
    tested = ARMS["shuffled"].tested(sounds, sounds.test, seed=3)
    assert torch.equal(tested.labels, sounds.test.labels)


def test_without_timing_every_epoch_has_other_times(sounds: Heard, tmp_path: Path) -> None:
    still = replace(STUDY, shift=0, drop=0.0)
    random = torch.Generator().manual_seed(0)
    batch = sounds.train.frames[:8]
    arms = {name: Trial(still, name, 1, tmp_path) for name in ("trained", "untimed")}
    kept = arms["trained"]._augment(batch, random, n_channels=N_CHANNELS)
    assert torch.equal(kept, batch)
    one, two = (arms["untimed"]._augment(batch, random, n_channels=N_CHANNELS) for _ in "ab")
    assert not torch.equal(one, two) and not torch.equal(one, batch)
    assert torch.equal(one.sum(1), batch.sum(1)) and torch.equal(two.sum(1), batch.sum(1))


def test_augmentation_moves_whole_channels_and_thins() -> None:
    random = torch.Generator().manual_seed(0)
    frames = torch.zeros((200, 5, N_CHANNELS * N_FIBRES), dtype=torch.uint8)
    frames[:, :, N_FIBRES : 2 * N_FIBRES] = 1  # channel 1
    moved = shifted(frames, 1, random, N_CHANNELS).view(200, 5, N_CHANNELS, N_FIBRES)
    where = moved.float().mean((1, 3)).argmax(1).bincount(minlength=N_CHANNELS)
    assert int(moved.sum()) == int(frames.sum()) and (where[:3] > 40).all() and where[3] == 0
    at_edge = shifted(frames[:, :, N_FIBRES:].contiguous(), 1, random, N_CHANNELS - 1)
    assert int(at_edge.sum()) < int(frames.sum())  # moved out: silence moved in, nothing wrapped
    kept = float(thinned(frames, 0.25, random).sum()) / float(frames.sum())
    assert kept == pytest.approx(0.75, abs=5 * (0.25 * 0.75 / 3000) ** 0.5)
    assert torch.equal(shifted(frames, 0, random, N_CHANNELS), frames)


def test_intervals_are_over_seeds_and_over_voices() -> None:
    def scored(accuracy: float, voices: dict[str, float]) -> dict:
        return {"accuracy": accuracy, "voices": voices, "of": 20}

    trials = [
        {"sets": {"test": scored(a, v)}, "curve": [{"rate_hz": 5.0}], "wall_s": 1.0, "cpu_s": 1.0}
        for a, v in ((0.5, {"x": 0.2, "y": 0.8}), (0.7, {"x": 0.4, "y": 1.0}))
    ]
    found = summary(trials)["sets"]["test"]
    shares = [0.0, 1.0]  # of 0 to 1
    assert found["seeds"] == {"mean": 0.6, "interval": shares, "prediction": shares, "n": 2}
    for trial, by in zip(trials, (-0.001, 0.001), strict=True):
        trial["sets"]["test"] = scored(0.6 + by, {"x": 0.3 + by, "y": 0.9 + by})
    near = summary(trials)["sets"]["test"]
    assert near["seeds"] == mean_interval([0.599, 0.601])
    assert near["voices"]["mean"] == 0.6 and near["voices"]["n"] == 2
    # Student's t of one degree of freedom: 12.706 * sd / sqrt(2), sd = 0.1 * sqrt(2)
    low, high = mean_interval([0.5, 0.7])["interval"]
    assert (high - low) / 2 == pytest.approx(1.2706, abs=1e-3)
    with pytest.raises(ConfigError, match="one value or more"):
        mean_interval([])


@pytest.mark.parametrize("task", [FULL, SMALL], ids=["full", "small"])
def test_no_timbre_is_in_two_groups(task) -> None:  # type: ignore[no-untyped-def]
    groups = [
        {voice.partition("+")[2] for voice in voices}
        for voices in (task.data.voices, task.data.validation, task.data.held_out)
    ]
    assert all(groups)
    assert len(set.union(*groups)) == sum(map(len, groups))
    if task is FULL:
        relatives = [{"edward", "edward2"}, {"steph", "steph2", "steph3"}, {"iven", "iven4"}]
        assert all(any(family <= group for group in groups) for family in relatives)


@pytest.mark.skipif(
    not IN_CI and not shutil.which("espeak-ng"), reason="the system package espeak-ng is not here"
)
def test_every_voice_of_the_study_can_speak() -> None:
    for voice in (*FULL.data.voices, *FULL.data.validation, *FULL.data.held_out):
        espeak.check_voice(voice)


def test_the_studies_name_arms_that_are_there() -> None:
    for study in STUDIES.values():
        assert isinstance(study, Study) and set(study.arms) <= set(ARMS) and study.seeds
    assert len(STUDIES["full"].seeds) >= 3 and set(STUDIES["full"].arms) == set(ARMS)
