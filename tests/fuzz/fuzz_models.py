"""Damaged tokenizers, safetensors, `.npy` stores and checkpoints."""

from __future__ import annotations

import io
import json
import random
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.fuzz._harness import Kind
from tests.fuzz._json import damage_json, damage_value
from tests.fuzz._mutate import damage_bytes
from tests.fuzz._preload import FILES, TORCH

TEXTS = ("the sound of a spike", "a" * 2000 + "!", " " * 2000, "é\u0301 ﬃ 東京 \U0001f600", "")


def make_tokenizers(folder: Path) -> Sequence[Path]:
    """Bytes alone; merges with a pattern as in published models; scores as in sentencepiece."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    from bridges.language.tokens import ByteTokenizer

    ByteTokenizer().save(folder / "bytes.json")
    split = pre_tokenizers.Split(Regex(r" ?\p{L}+|\p{N}{1,3}|\s+(?!\S)|\s+"), "isolated")
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace("_", " ")])
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=60, special_tokens=["<unk>", "</s>"])
    made.train_from_iterator(["the spike and the sound"] * 3, trainer)
    made.save(str(folder / "merges.json"))
    scores = Tokenizer(models.Unigram([("<unk>", 0.0), *((c, -2.0) for c in "abcdehinopst ")], 0))
    scores.pre_tokenizer = pre_tokenizers.Metaspace()
    scores.decoder = decoders.Metaspace()
    scores.save(str(folder / "scores.json"))
    return [folder / name for name in ("bytes.json", "merges.json", "scores.json")]


def use_tokenizer(mutant: Path, original: Path) -> str:
    """A tokenizer that is taken encodes and decodes any text, or refuses it in one line."""
    from bridges.language.tokens import FileTokenizer

    tokenizer = FileTokenizer(mutant)
    for text in TEXTS:
        tokenizer.decode(tokenizer.encode(text))
    tokenizer.decode(range(min(tokenizer.vocabulary, 300)))
    return ""


def make_safetensors(folder: Path) -> Sequence[Path]:
    """A model of a training, with all that Ember writes beside its tensors."""
    import torch

    from sims.train.loop.checkpoint import write_tensors

    tensors = {"model.w": torch.arange(60.0).reshape(6, 10), "model.b": torch.ones(6).half()}
    write_tensors(folder / "model.safetensors", tensors, {"about": "a test"}, kind="model")
    return [folder / "model.safetensors"]


def damage_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Bytes, or values in the header."""
    if rng.random() < 0.5:
        return damage_bytes(data, rng)
    n = struct.unpack("<Q", data[:8])[0]
    header = json.dumps(damage_value(json.loads(data[8 : 8 + n]), rng)).encode()
    return struct.pack("<Q", len(header)) + header + data[8 + n :]


def use_safetensors(mutant: Path, original: Path) -> str:
    """A model that is taken has the weights that were written."""
    import torch

    from bridges.language._tensor_files import read_table
    from neuro.errors import EmberError
    from sims.train.loop.checkpoint import read_tensors

    try:
        for stored in read_table(mutant).values():
            stored.read()
    except EmberError:
        pass
    found, about = read_tensors(mutant, kind="model")
    whole, said = read_tensors(original, kind="model")
    same = found.keys() == whole.keys() and all(torch.equal(found[k], whole[k]) for k in whole)
    return "" if same and about == said else "accepted, and its content differs"


def make_npy(folder: Path) -> Sequence[Path]:
    """Inputs of a puzzle set; the rest of the set lies beside."""
    _puzzle_set(folder / "set")
    (folder / "inputs.npy").write_bytes((folder / "set/train/all__inputs.npy").read_bytes())
    return [folder / "inputs.npy"]


def _puzzle_set(folder: Path) -> None:
    from sims.puzzles.npy_writer import writing_puzzles
    from sims.puzzles.puzzle_set import PuzzleFormat

    boards = np.random.default_rng(0).integers(2, 11, (6, 81)).astype(np.uint8)
    format = PuzzleFormat(
        kind="sudoku", rows=9, columns=9, vocabulary=11, pad_id=0, ignore_label_id=0,
        blank_identifier_id=0, n_identifiers=1, box=(3, 3),
    )  # fmt: skip
    with writing_puzzles(folder) as writer:
        for split in (writer.train, writer.test):
            split.group(boards, boards)
        writer.finish(format, {})


def damage_npy(data: bytes, rng: random.Random) -> bytes:
    """Bytes, or another header."""
    if rng.random() < 0.6:
        return damage_bytes(data, rng)
    shape = rng.choice(
        ("(True, 81)", "(1000000000000, 81)", "(6, 81, 1)", "(-6, -81)", "(6.0, 81)", "(0, 81)",
         "(" * 500, "(6, 81", "(6,)", "()", "(486, 1)", "__import__('os')", "(81, 6)")
    )  # fmt: skip
    kind = rng.choice(("|u1", "|u1", "|u1", "|O", "<f8", "|V81", "|b1", "<M8[ns]", "x", ">u2"))
    order = rng.choice(("False", "False", "True", "2"))
    header = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    start = 10 + struct.unpack("<H", data[8:10])[0]
    return data[:8] + struct.pack("<H", len(header)) + header.encode() + data[start:]


def use_npy(mutant: Path, original: Path) -> str:
    """A set with this array is refused, or gives the boards that were written."""
    from sims.puzzles.npy_layout import read_puzzles

    _puzzle_set(Path("set"))
    whole = np.asarray(read_puzzles("set").train.inputs).copy()
    Path("set/train/all__inputs.npy").write_bytes(mutant.read_bytes())
    found = np.asarray(read_puzzles("set").train.inputs)
    return "" if np.array_equal(found, whole) else "accepted, and its boards differ"


def make_checkpoints(folder: Path) -> Sequence[Path]:
    """A checkpoint of a run."""
    from sims.store.checkpoint import Checkpoint, write_checkpoint

    state = {"v": np.arange(50.0), "step": 3, "seed": np.uint64(7)}
    identity = {"hash": "h", "config": {}, "versions": {}, "code": "c"}
    tails = {"/spikes/cells/timestamps": np.arange(5.0)}
    write_checkpoint(
        folder / "checkpoint.npz",
        Checkpoint(identity, 10.0, 1.0, {"/a": 5}, tails, state, 4096, [(0, b"abc")], [1, 2]),
    )
    return [folder / "checkpoint.npz"]


def damage_checkpoint(data: bytes, rng: random.Random) -> bytes:
    """Bytes, or arrays left out, with a checksum that fits."""
    if rng.random() < 0.6:
        return damage_bytes(data, rng)
    from neuro.files.seal import SEAL_BYTES, add_seal

    with np.load(io.BytesIO(data[:-SEAL_BYTES])) as found:
        arrays = {name: found[name] for name in found.files}
    name = rng.choice(sorted(arrays))
    if rng.random() < 0.5:
        del arrays[name]
    else:
        arrays[name] = rng.choice((np.zeros(3), np.zeros((2, 2), np.uint8), np.array("text")))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npz"
        np.savez(path, **arrays)
        add_seal(path)
        return path.read_bytes()


def use_checkpoint(mutant: Path, original: Path) -> str:
    """A checkpoint is read or refused in one line."""
    from sims.store.checkpoint import read_checkpoint, read_patches

    read_checkpoint(mutant)
    read_patches(mutant)
    return ""


_HERE = "tests.fuzz.fuzz_models:"

KINDS = (
    Kind("tokenizer", make_tokenizers, damage_json, f"{_HERE}use_tokenizer", 600, 12, TORCH),
    Kind("safetensors", make_safetensors, damage_safetensors, f"{_HERE}use_safetensors", 200, 12,
         TORCH),
    Kind("npy", make_npy, damage_npy, f"{_HERE}use_npy", 200, 12, FILES),
    Kind("checkpoint", make_checkpoints, damage_checkpoint, f"{_HERE}use_checkpoint", 200, 12,
         FILES),
)  # fmt: skip
