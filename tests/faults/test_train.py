"""What is wrong with a training is said in one line, and nothing half-written is left."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from neuro.errors import ConfigError, EmberError, SignalError, StoreError
from neuro.recording import Recording
from sims.config import load
from sims.dataset.spike_dataset import read_spike_dataset
from sims.result import Provenance, Run
from sims.store import write_run
from sims.train import load_model, run_training

TINY = """
name: tiny
data:
  source: voices
  speakers: 2
  validation: 1
  held_out: 1
  duration: 100 ms
  nerve: {n_channels: 2, fibres_per_channel: 2}
reasoner: {hidden: 8, rounds: 1, latent_steps: 1, budget: 2}
training: {steps: 4, batch: 2}
"""
DIGITS = """
data:
  source: digits
  voices: [en-us+f1]
  validation: [en-us]
  held_out: [en-gb+m1]
reasoner: {}
"""
BOARDS = """
data: {source: sudoku, size: 4, train: 4, test: 4}
reasoner: {hidden: 8, heads: 2, layers: 1, budget: 2}
training: {steps: 2, batch: 2}
evaluation: {validation: 2}
"""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    path = tmp_path / "digits.yaml"
    path.write_text(DIGITS, encoding="utf-8")
    return path


@pytest.fixture
def train(cache: Path):  # type: ignore[no-untyped-def]
    def run(config: Path, out: Path, *overrides: str) -> int:
        loaded = load(config, (f"output.cache={cache}", *overrides))
        return run_training(loaded, out, console=Console(file=io.StringIO()))

    return run


def one_line(caught: pytest.ExceptionInfo[EmberError]) -> str:
    text = str(caught.value)
    assert "\n" not in text and len(text) < 400
    return text


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("reasoner.hiden=32", "reasoner.hiden: unknown key; did you mean `hidden`?"),
        ("reasoner.hidden=33", "reasoner.hidden: expected a multiple of `heads` (2), found `33`"),
        ("reasoner.budget=0", "reasoner.budget: expected a number of at least 1, found `0`"),
        ("data.source=voice", "data.source: expected one of `voices`, `digits`, "),
        ("data.duration=100", "data.duration: expected a time with its unit"),
        ("data.duration=90 ms", "data.duration: expected a whole number of bins of 50 ms"),
        ("data.speaker=3", "data.speaker: unknown key; did you mean `speakers`?"),
        ("data.nerve.high=50 Hz", "data.nerve.high: expected a frequency above `low` (125 Hz)"),
        ("data.level=60 ms", "data.level: expected a sound level"),
        ("features.pitch_high=5 kHz", "features.pitch_high: expected a rhythm between"),
        ("modulation.run=a.h5", "modulation: expected either `budget` or `run`, found both"),
        ("modulation.budget=-1", "modulation.budget: expected a number of at least 0"),
        ("training.ema=1.0", "training.ema: expected a number below 1"),
        ("data=null", ""),
    ],
)
def test_wrong_settings_are_refused_with_their_key(config: Path, override: str, words: str) -> None:
    config.write_text(TINY + "modulation: {budget: 1.0}\n", encoding="utf-8")
    if not words:  # a key set to null has its default
        assert load(config, [override]).config.data.speakers == 80
        return
    with pytest.raises(ConfigError) as caught:
        load(config, [override])
    assert words in one_line(caught)


SIZES = [
    ("expansion=0.001", "`expansion` with which 2/3 of 8 times it rounds to 1 or more"),
    ("expansion=1e30", "must fit into memory, found "),
    ("hidden=40000000", "must fit into memory, found "),
]


@pytest.mark.parametrize(("override", "words"), SIZES)
def test_a_reasoner_of_impossible_size_is_refused(
    train, config: Path, tmp_path: Path, override: str, words: str  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        train(config, tmp_path / "out", f"reasoner.{override}")
    assert words in one_line(caught)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        *SIZES,
        ("kind=transformer", "`H` (rounds) and `L` (latent steps) of 1 with kind `transformer`"),
    ],
)
def test_a_puzzle_solver_that_cannot_be_is_refused(
    train, tmp_path: Path, override: str, words: str  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    path = tmp_path / "boards.yaml"
    path.write_text(BOARDS, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        train(path, tmp_path / "out", f"reasoner.{override}")
    assert words in one_line(caught)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.held_out=[en-us+f1]", "data.held_out.0: `en-us+f1` is trained on too"),
        ("data.validation=[en-us+f1]", "data.validation.0: `en-us+f1` is trained on too"),
        ("data.held_out=[en-us]", "data.held_out.0: `en-us` is used for validation too"),
        ("data.validation=[]", "data.validation:"),
        ("data.voices=[]", "data.voices:"),
        ("data.pitches=[50, 50]", "data.pitches.1: `50` is listed twice"),
        ("data.pitches=[100]", "data.pitches.0: expected a number of at most 99"),
    ],
)
def test_wrong_voices_are_refused(digits: Path, override: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(digits, [override])
    assert words in one_line(caught)


def test_another_config_in_the_same_folder_is_refused(train, config: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"
    assert train(config, out) == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    with pytest.raises(StoreError) as caught:
        train(config, out, "training.steps=5", "seed=9")
    text = one_line(caught)
    assert "holds a training of another config" in text and "(and 1 more)" in text
    with pytest.raises(StoreError, match=r"training\.steps: 4 -> 5;"):
        train(config, out, "training.steps=5")
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_a_folder_with_something_else_is_refused(train, config: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("dear diary", encoding="utf-8")
    with pytest.raises(StoreError, match="holds no training"):
        train(config, tmp_path / "mine")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="file"):
        train(config, tmp_path / "file")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "training.json").write_text("[]", encoding="utf-8")
    with pytest.raises(StoreError, match="not the start of a training"):
        train(config, tmp_path / "odd")
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("damage", ["truncated", "foreign", "of another size"])
def test_a_damaged_checkpoint_is_named(train, config: Path, tmp_path: Path, damage: str) -> None:  # type: ignore[no-untyped-def]
    out, other = tmp_path / "out", tmp_path / "other"
    assert train(config, out) == 0
    (out / "result.json").unlink()
    file = out / "checkpoint_phase.safetensors"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:1000])
    elif damage == "foreign":
        file.write_bytes((out / "model.safetensors").read_bytes())
    else:
        assert train(config, other, "reasoner.hidden=16") == 0
        file.write_bytes((other / file.name).read_bytes())
    with pytest.raises(StoreError) as caught:
        train(config, out)
    assert "checkpoint_phase.safetensors" in one_line(caught)
    assert "start over" in str(caught.value) or damage == "foreign"
    file.unlink()
    assert train(config, out) == 0


def test_models_that_are_none_are_refused(tmp_path: Path) -> None:
    for name, content in (("a", b""), ("b", b"\x00" * 100), ("c", b"PK\x03\x04 a pickle?")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StoreError) as caught:
            load_model(tmp_path / name)
        one_line(caught)
    with pytest.raises(StoreError) as caught:
        load_model(tmp_path / "nowhere.safetensors")
    one_line(caught)


def test_data_sets_that_are_none_are_refused(train, config: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "a.h5").write_bytes(b"not HDF5")
    with pytest.raises(StoreError):
        read_spike_dataset(tmp_path / "a.h5")
    write_run(tmp_path / "run.h5", _run())
    with pytest.raises(StoreError, match="not a spike data set"):
        read_spike_dataset(tmp_path / "run.h5")
    own = f"output.cache={tmp_path / 'cache'}"
    train(config, tmp_path / "out", own)
    file = next((tmp_path / "cache").glob("*.h5"))
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(StoreError) as caught:
        train(config, tmp_path / "out2", own)
    assert file.name in one_line(caught)


def test_a_modulating_run_must_be_there_and_modulate(train, config: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"
    with pytest.raises(StoreError, match=r"missing\.h5"):
        train(config, out, "modulation={run: missing.h5}")
    write_run(tmp_path / "calm.h5", _run())
    with pytest.raises(ConfigError) as caught:
        train(config, out, f"modulation={{run: {tmp_path / 'calm.h5'}}}")
    assert "an effect on `reasoner.budget`, found no effect at all" in one_line(caught)
    assert not out.exists()


def test_a_run_is_no_training(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("duration: 10 ms\n", encoding="utf-8")
    loaded = load(tmp_path / "run.yaml")
    with pytest.raises(ConfigError, match="needs a config with the key `reasoner`, found a run"):
        run_training(loaded, tmp_path / "out", console=Console(file=io.StringIO()))


def test_without_pytorch_the_extra_is_named(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    with pytest.raises(ConfigError, match=r"needs safetensors, .*ember-neuro\[train\]"):
        run_training(load(config), tmp_path / "out", console=Console(file=io.StringIO()))


def test_without_espeak_its_package_is_named(
    train, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        train(digits, tmp_path / "out")
    assert "install the system package espeak-ng" in one_line(caught)
    assert not (tmp_path / "out").exists()


FAKE = """#!/bin/sh
case "$1" in
--version) echo "eSpeak NG text-to-speech: 9.9  Data at: /nowhere" ;;
--voices) printf 'Pty Language Age/Gender VoiceName File\\n 2 en-us M a b\\n 2 en-gb M a b\\n' ;;
--voices=variant) printf 'Pty Language Age/Gender VoiceName File\\n 5 variant F a !v/f1\\n' ;;
*) echo "out of breath" >&2; exit 1 ;;
esac
"""


def test_what_espeak_lacks_or_says_is_passed_on(
    train, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    from sims.dataset import espeak

    program = tmp_path / "bin" / "espeak-ng"
    program.parent.mkdir()
    program.write_text(FAKE, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    for cached in (espeak._languages, espeak._variants):
        cached.cache_clear()
    try:
        with pytest.raises(ConfigError, match="no voice variant `m1`; did you mean `f1`"):
            train(digits, tmp_path / "out")
        with pytest.raises(ConfigError, match="no voice `en-uk`"):
            train(digits, tmp_path / "out", "data.held_out=[en-uk]")
        with pytest.raises(ConfigError, match=r"found no 0\.wav in .*asterisk-core-sounds-en-wav"):
            train(digits, tmp_path / "out", "data.held_out=[en-gb]", f"data.recordings={tmp_path}")
        assert not (tmp_path / "out").exists()
        with pytest.raises(ConfigError, match="failed: out of breath"):
            train(digits, tmp_path / "out", "data.held_out=[en-gb]")
    finally:
        for cached in (espeak._languages, espeak._variants):
            cached.cache_clear()


def test_a_recording_that_is_silent_is_named(
    train, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    import soundfile

    from sims.dataset.digits import _recorded

    for digit in range(10):
        soundfile.write(tmp_path / f"{digit}.wav", np.zeros(8000), 8000)
    with pytest.raises(SignalError) as caught:
        _recorded(tmp_path / "3.wav")
    assert "3.wav" in one_line(caught) and "silent" in str(caught.value)


def test_a_log_torn_by_a_kill_is_mended(train, config: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"
    assert train(config, out) == 0
    whole = (out / "log.jsonl").read_text("utf-8")
    (out / "result.json").unlink()
    (out / "log.jsonl").write_text(whole + '{"arm": "phase", "st', encoding="utf-8")
    assert train(config, out) == 0
    assert (out / "log.jsonl").read_text("utf-8") == whole
    assert all(json.loads(line) for line in whole.splitlines())


def _run() -> Run:
    return Run(
        Recording(4.0, 0.1, 0, "numba", spikes={}),
        Provenance("calm", "", "", (), {}, "", {}, "", ""),
    )
