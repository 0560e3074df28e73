"""Arrays and tensors of others: no waiting on a pipe, no impossible shape, no NaN as a weight."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from neuro.errors import StoreError
from neuro.files.npy import map_npy
from neuro.files.regular import open_to_append, read_json, read_text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "all__inputs.npy"
    os.mkfifo(pipe)
    for use in (map_npy, lambda path: read_text(path, 10), read_json, open_to_append):
        with pytest.raises(StoreError, match="must be a regular file, found a pipe"):
            use(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(StoreError, match="must be a regular file, found a pipe"):
        open_to_append(pipe)
    os.close(reader)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")
@pytest.mark.parametrize("name", ["training.json", "log.jsonl", "sweep.json"])
def test_a_pipe_in_the_place_of_a_record_is_refused_and_not_waited_for(
    name: str, tmp_path: Path
) -> None:
    from sims.sweep.ledger import Ledger
    from sims.train.session.folder import TrainingFolder

    (tmp_path / "training.json").write_text('{"format": "ember-training"}', encoding="utf-8")
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    uses = {
        "training.json": lambda: TrainingFolder(tmp_path).started(),
        "log.jsonl": lambda: TrainingFolder(tmp_path).read_log(),
        "sweep.json": lambda: Ledger(tmp_path).read_plan(),
    }
    with pytest.raises(StoreError) as refused:
        uses[name]()
    assert name in str(refused.value) and "\n" not in str(refused.value)
    if name == "log.jsonl":
        with pytest.raises(StoreError, match="must be a regular file, found a pipe"):
            TrainingFolder(tmp_path).log({"arm": "", "step": 1})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, "1" * 5_000, '"\\ud800', "nul", "{}{}", "\ufeff{}"],
    ids=["empty", "open", "deep", "long", "half a letter", "a word", "two", "a mark"],
)
def test_what_is_no_json_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match="it must be JSON, found") as refused:
        read_json(tmp_path / "x.json")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused_by_file_and_line(
    number: str, tmp_path: Path
) -> None:
    from sims.train.session.folder import TrainingFolder

    (tmp_path / "x.json").write_text(f'{{"a": [1, {number}]}}', encoding="utf-8")
    with pytest.raises(StoreError, match=f"x.json`: its numbers must be finite, found {number}"):
        read_json(tmp_path / "x.json")
    log = tmp_path / "log.jsonl"
    good = '{"arm": "", "step": 1, "loss": 0.5}\n'
    for lines, which in ((good + good.replace("0.5", number), 2), (good.replace("0.5", number), 1)):
        log.write_text(lines, encoding="utf-8")
        with pytest.raises(StoreError, match=f"finite numbers, found {number} in line {which}"):
            TrainingFolder(tmp_path).read_log()
    log.write_text(good + good[:-9], encoding="utf-8")  # torn by a kill
    assert TrainingFolder(tmp_path).read_log() == [{"arm": "", "step": 1, "loss": 0.5}]


def npy(shape: str, kind: str = "|u1", body: bytes = bytes(12)) -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy("(True, 12)"), "found the shape (True, 12)"),
        (npy("(1000000000000, 4)"), "12 bytes where its shape (1000000000000, 4) needs"),
        (npy("(3, 5)"), "found 12 bytes where its shape (3, 5) needs 15"),
        (npy("(-3, -4)"), "found the shape (-3, -4)"),
        (npy("(0, 99999999999)", body=b""), "found the shape (0, 99999999999)"),
        (npy("(12,)", "|O"), "found object"),
        (npy("(" * 400), "a header that it cannot have"),
        (b"", "a header that it cannot have"),
        (b"\x93NUMPY\x09\x00" + bytes(50), "a header that it cannot have"),
    ],
)
def test_an_impossible_array_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(StoreError) as refused:
        map_npy(path)
    assert words in str(refused.value)


def test_arrays_of_numpy_are_mapped(tmp_path: Path) -> None:
    for k, array in enumerate(
        (np.arange(6).reshape(2, 3), np.zeros((0, 4)), np.array(5.5), np.asfortranarray(np.eye(3)))
    ):
        np.save(tmp_path / f"{k}.npy", array)
        np.testing.assert_array_equal(map_npy(tmp_path / f"{k}.npy"), array)


def test_a_model_with_a_weight_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from sims.train import load_model
    from sims.train.loop.checkpoint import read_tensors, write_tensors

    path = tmp_path / "model.safetensors"
    weights = {"model.w": torch.tensor([1.0, float("nan")])}
    write_tensors(path, weights, {}, kind="model")
    with pytest.raises(StoreError, match=r"`model\.w` must be finite, found NaN"):
        load_model(path)
    write_tensors(path, weights, {}, kind="checkpoint")  # of a training that may go on
    assert read_tensors(path, kind="checkpoint")[0]["model.w"].isnan().any()


def test_one_flipped_bit_of_a_weight_is_found(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from sims.train.loop.checkpoint import read_tensors, write_tensors

    path = tmp_path / "model.safetensors"
    write_tensors(path, {"model.w": torch.ones(64)}, {"about": 1}, kind="model")
    whole = path.read_bytes()
    assert read_tensors(path, kind="model")[1] == {"kind": "model", "about": 1}
    for place in range(len(whole) - 256, len(whole), 17):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(StoreError, match="its checksum does not fit its content"):
            read_tensors(path, kind="model")


def test_a_changed_board_of_a_puzzle_set_is_found(tmp_path: Path) -> None:
    from sims.puzzles.npy_layout import read_puzzles
    from tests.fuzz.fuzz_models import _puzzle_set

    folder = tmp_path / "set"
    _puzzle_set(folder)
    read_puzzles(folder)
    assert json.loads((folder / "ember.json").read_text("utf-8"))["sums"]
    inputs = folder / "train" / "all__inputs.npy"
    content = bytearray(inputs.read_bytes())
    content[-1] = 2 if content[-1] != 2 else 3
    inputs.write_bytes(content)
    with pytest.raises(StoreError, match=r"all__inputs\.npy` does not fit its checksum"):
        read_puzzles(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")
def test_a_sound_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    from neuro.errors import ConfigError
    from sims.config import load

    os.mkfifo(tmp_path / "a.wav")
    config = tmp_path / "x.yaml"
    config.write_text(
        "duration: 1 ms\nstimulus: {sound: {encoder: auditory_nerve, file: a.wav}}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match="must be a regular file, found a pipe"):
        load(config)
