"""Text to numbers and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.language._tokenizer_check import checked_tokenizer
from bridges.language.tokens import BYTE_VOCABULARY, ByteTokenizer, FileTokenizer
from neuro.errors import ConfigError, SignalError, StoreError
from tests.reasoning._language import needs_tokenizers

characters = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.fixture
def library() -> None:
    needs_tokenizers()


@given(characters)
def test_any_text_comes_back_from_its_bytes(text: str) -> None:
    tokenizer = ByteTokenizer()
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert ids == tuple(text.encode()) and max(ids, default=0) < BYTE_VOCABULARY


@given(st.lists(st.integers(0, BYTE_VOCABULARY - 1)))
def test_any_tokens_are_some_text(ids: list[int]) -> None:
    """A model may say what is no UTF-8."""
    ByteTokenizer().decode(ids).encode()


def test_begin_and_end_are_not_text() -> None:
    tokenizer = ByteTokenizer()
    assert tokenizer.begin is not None
    assert tokenizer.decode((tokenizer.begin, 104, 105, *tokenizer.ends)) == "hi"
    assert {tokenizer.begin, *tokenizer.ends, *range(256)} == set(range(tokenizer.vocabulary))


@pytest.mark.usefixtures("library")
def test_bytes_are_the_same_in_a_tokenizer_json(tmp_path: Path) -> None:
    """What other tools read of ours is what we read."""
    ours = ByteTokenizer()
    ours.save(tmp_path / "tokenizer.json")
    read = FileTokenizer(tmp_path / "tokenizer.json", begin=ours.begin, ends=ours.ends)
    assert (read.vocabulary, read.begin, read.ends) == (BYTE_VOCABULARY, 256, frozenset({257}))

    @settings(max_examples=60)
    @given(characters.filter(lambda text: "<|" not in text))
    def same(text: str) -> None:
        ids = ours.encode(text)
        assert read.encode(text) == ids
        assert read.decode((256, *ids, 257)) == text

    same()
    assert read.encode("".join(map(chr, range(256)))) == ours.encode("".join(map(chr, range(256))))


@pytest.mark.usefixtures("library")
def test_a_tokenizer_with_merges_is_read(tmp_path: Path) -> None:
    """One that joins letters, made by the library from a text of its own."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=40, special_tokens=["<unk>", "<s>", "</s>"])
    made.train_from_iterator(["the spike and the sound and the pain"] * 3, trainer)
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    read = FileTokenizer(path, begin=1, ends=frozenset({2}))
    ids = read.encode("the sound")
    assert ids == tuple(made.encode("the sound").ids) and len(ids) < len("the sound")
    assert "sound" in read.decode(ids)
    read.save(tmp_path / "again.json")
    assert FileTokenizer(tmp_path / "again.json").encode("the sound") == ids
    with pytest.raises(ConfigError, match=r"said to be 999; the files are of different models"):
        FileTokenizer(path, ends=frozenset({999}))
    with pytest.raises(ConfigError, match=r"found 999$"):
        read.decode((999,))


@pytest.mark.usefixtures("library")
def test_a_text_is_encoded_whole_whatever_the_file_says_of_batches(tmp_path: Path) -> None:
    """As `tokenizer.json` files of models for sentences often do."""
    from tokenizers import Tokenizer

    path, ours = tmp_path / "tokenizer.json", ByteTokenizer()
    ours.save(path)
    cutting = Tokenizer.from_file(str(path))
    cutting.enable_truncation(5)
    cutting.enable_padding(length=8, pad_id=0)
    cutting.save(str(path))
    assert len(cutting.encode("hello world").ids) == len(cutting.encode("hi").ids) == 8  # it does
    read = FileTokenizer(path)
    for text in ("hello world", "hi", ""):
        assert read.encode(text) == ours.encode(text)
        assert read.decode(read.encode(text)) == text
    read.save(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text("utf-8"))["truncation"]["max_length"] == 5


@pytest.mark.usefixtures("library")
def test_files_that_are_no_tokenizer_are_refused(tmp_path: Path) -> None:
    ByteTokenizer().save(tmp_path / "good.json")
    good = (tmp_path / "good.json").read_text("utf-8")
    bad = tmp_path / "bad.json"
    for text in (
        "", "{", "[]", "null", "{}", good[: len(good) // 2], '{"model": {"type": "Nothing"}}',
        "[" * 100_000, json.dumps({**json.loads(good), "model": {"type": "BPE", "vocab": 3}}),
    ):  # fmt: skip
        bad.write_text(text, encoding="utf-8")
        with pytest.raises(StoreError, match=r"must be a tokenizer\.json, found: ") as refused:
            FileTokenizer(bad)
        assert "\n" not in str(refused.value)
    with pytest.raises(StoreError, match=r"cannot read .*no such file"):
        FileTokenizer(tmp_path / "missing.json")
    bad.write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match=r"must be UTF-8, found the byte 0xff at 0"):
        FileTokenizer(bad)
    with pytest.raises(StoreError, match="cannot write"):
        ByteTokenizer().save(tmp_path / "no" / "folder.json")


def _replace(text: str, times: int) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"String": text}, "content": "a" * times}


def _sequence(part: dict[str, Any], times: int, of: str = "normalizers") -> dict[str, Any]:
    return {"type": "Sequence", of: [part] * times}


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "Precompiled": ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
                    "found 'Precompiled'"),
    "empty Replace": (
        {"normalizer": {"type": "Replace", "content": "a", "pattern": {"String": ""}}},
        "must have 1 to 2000 characters, found 0"),
    "empty Replace in a sequence": (
        {"decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": ""}, "content": "a"}]}}, "found 0"),
    "(a+)+$": ({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"},
                                  "behavior": "Isolated", "invert": False}}, "repeat what repeats"),
    "((ab*)?){4,}": ({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "((ab*)?){4,}"},
                                        "behavior": "Isolated", "invert": False}}, "what repeats"),
    "a back reference": ({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": r"(a*)\1"},
                                            "behavior": "Isolated", "invert": False}}, "back ref"),
    "an empty added token": ({"added_tokens": [{"id": 0, "content": ""}]}, "must have a text"),
    "a number of 4e9": ({"model": {"type": "WordLevel", "vocab": {"a": 2**32}, "unk_token": "a"}},
                        "0 to 9,999,999"),
    "a merge of nothing": ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}},
                           "of tokens in `vocab`, found 'b'"),
    "growth": ({"normalizer": _sequence(_replace("a", 3000), 3)}, "as long, found 2.7e+10"),
    "growth of two letters": ({"normalizer": _sequence(_replace("ab", 20), 4)}, "found 1e+04"),
    "growth of bytes": ({"normalizer": _sequence({"type": "ByteLevel"}, 10)}, "found 1.02e+03"),
    "growth in front": (
        {"normalizer": _sequence({"type": "Prepend", "prepend": "ab"}, 7)}, "found 2.19e+03"),
    "growth by a pattern": (
        {"normalizer": {**_replace("a", 1000), "pattern": {"Regex": "x*"}}}, "found 1e+03"),
    "growth of an answer": (
        {"decoder": _sequence(_replace("a", 11), 3, "decoders")}, "found 1.33e+03"),
    "no unknown": ({"model": {"type": "Unigram", "vocab": [["a", 0.0]], "unk_id": 7}}, "unk_id"),
}  # fmt: skip


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("name", HOSTILE)
def test_what_ends_or_hangs_the_process_is_refused_by_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    ByteTokenizer().save(path)
    part, words = HOSTILE[name]
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **part}), encoding="utf-8")
    with pytest.raises(StoreError, match="must be a tokenizer") as refused:
        FileTokenizer(path)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "pattern",
    [
        "a{,5}{,5}{,5}{,5}$",
        "a+{1000}$",
        "a*{3,}$",
        "a+?{3}",
        "a+?+",
        "a{2}+",
        "(?:a{1,3})+$",
        "(?:a{0,999}){0,999}$",
        "(a+?){3}",
        "a{1,20}b{1,20}c{1,20}d{1,20}e{1,20}",
        "a{1,1001}",
        "(?x: # [\n(a+)+$ # ]\n)",
        r"\c[(a+)+$\c]",
        r"\M-[(a+)+$\M-]",
        "[abc",
        "(?>a)",
        r"\k<x>",
        "a?" * 28 + "a" * 28 + "b",
        "a{0,1}" * 28 + "a" * 28 + "b",
        "a?(?:|)" * 28 + "b",
        "(?:a|aa)" * 28 + "b",
        "(a|aa){40}b",
        "(?:a?){40}a{40}",
        "(a|a)*$",
    ],
)
def test_patterns_that_may_take_long_are_refused(pattern: str) -> None:
    part = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    with pytest.raises(ValueError, match=r"a pattern (may|must)"):
        checked_tokenizer(json.dumps({"model": {"vocab": {"a": 0}}, "pre_tokenizer": part}))


@pytest.mark.parametrize("pattern", [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+|"
    r"\s++$|\s*[\r\n]|\s+(?!\S)|\s",
])  # fmt: skip
def test_patterns_of_published_tokenizers_are_let_through(pattern: str) -> None:
    """Those of GPT-2, Llama 3, GPT-4o, and one with possessive signs."""
    part = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    checked_tokenizer(json.dumps({"model": {"vocab": {"a": 0}}, "pre_tokenizer": part}))


@pytest.mark.parametrize(
    "normalizers",
    [
        [{"type": "Prepend", "prepend": "▁"}, {**_replace(" ", 0), "content": "▁"}],
        [
            {**_replace("``", 0), "content": '"'},
            {"type": "NFKD"},
            {"type": "StripAccents"},
            {"type": "Lowercase"},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        ],
    ],
)
def test_normalizers_of_published_tokenizers_are_let_through(normalizers: list[Any]) -> None:
    """As of Llama 2, and a longer one."""
    part = {"type": "Sequence", "normalizers": normalizers}
    checked_tokenizer(json.dumps({"model": {"vocab": {"a": 0}}, "normalizer": part}))


def test_what_is_no_character_is_refused() -> None:
    with pytest.raises(SignalError, match="found half of one at 1"):
        ByteTokenizer().encode("a\ud800")
    with pytest.raises(ConfigError, match="0 to 257, found 258"):
        ByteTokenizer().decode((258,))


@pytest.mark.usefixtures("library")
def test_half_a_character_is_refused_by_a_file_too(tmp_path: Path) -> None:
    ByteTokenizer().save(tmp_path / "tokenizer.json")
    with pytest.raises(SignalError, match="found half of one"):
        FileTokenizer(tmp_path / "tokenizer.json").encode("a\ud800")


def test_without_the_library_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(ConfigError, match="pip install tokenizers, or use the byte tokenizer"):
        FileTokenizer(tmp_path / "tokenizer.json")
