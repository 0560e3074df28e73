"""Text to numbers and back: from bytes, which needs no file, or as a `tokenizer.json` says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bridges.language._tokenizer_check import checked_tokenizer
from neuro.errors import ConfigError, EmberError, SignalError, StoreError
from neuro.files.regular import read_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Foreign

__all__ = ["BYTE_VOCABULARY", "ByteTokenizer", "FileTokenizer", "Tokenizer"]

BYTE_VOCABULARY = 258
"""256 bytes, the begin and the end of a text."""

_MOST_BYTES = 1 << 29  # the largest published ones have some 30 MB; engineering choice


class Tokenizer(Protocol):
    """What the model needs of any tokenizer.

    Attributes:
        vocabulary: How many different tokens there are.
        begin: The token before a text, if there is one.
        ends: Tokens after which a text is over; may be none.
    """

    @property
    def vocabulary(self) -> int: ...
    @property
    def begin(self) -> int | None: ...
    @property
    def ends(self) -> frozenset[int]: ...

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a text, `begin` not among them."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens; what only marks begin or end is left out."""
        ...


class ByteTokenizer:
    """Each byte of a text's UTF-8 is a token: any text, no file, nothing unknown.

    >>> ByteTokenizer().encode("zé")
    (122, 195, 169)
    >>> ByteTokenizer().decode((256, 122, 195, 169, 257))
    'zé'
    """

    vocabulary: int = BYTE_VOCABULARY
    begin: int | None = 256
    ends: frozenset[int] = frozenset({257})

    def encode(self, text: str) -> tuple[int, ...]:
        """The bytes of a text.

        Raises:
            SignalError: if the text holds half of a surrogate pair, which is no character.
        """
        return tuple(_utf8(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of bytes; what is no UTF-8 becomes U+FFFD, so that half an answer is shown.

        Raises:
            ConfigError: if a token is outside the vocabulary.
        """
        _check(ids, self.vocabulary)
        return bytes(token for token in ids if token < 256).decode(errors="replace")

    def save(self, path: Path) -> None:
        """Write it as a `tokenizer.json`, for those who read our models with other tools.

        There `<|begin|>` and `<|end|>` in a text are read as the tokens, here as letters.
        """
        tokenizers = _library()
        vocabulary = {character: byte for byte, character in enumerate(_visible_bytes())}
        made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
        made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
            add_prefix_space=False, use_regex=False
        )
        made.decoder = tokenizers.decoders.ByteLevel()
        made.add_special_tokens(["<|begin|>", "<|end|>"])
        _write(path, made.to_str(pretty=True))


class FileTokenizer:
    """The tokenizer of an existing model, read by the `tokenizers` library.

    A text is encoded whole and as it is. What the file may say of cutting texts off and filling
    them up is for batches of another tool's training, and is left aside.

    Args:
        path: A `tokenizer.json`.
        begin, ends: As the model's `config.json` gives them; see `llama.load_tokenizer`.

    Raises:
        StoreError: if the file is missing or is no tokenizer.
        ConfigError: if the library is not installed, or `begin` or `ends` is not a token.
    """

    def __init__(
        self, path: Path, *, begin: int | None = None, ends: frozenset[int] = frozenset()
    ) -> None:
        library = _library()
        text = read_text(path, _MOST_BYTES)
        try:
            with _without_panics():
                self._inner: Foreign = library.Tokenizer.from_str(checked_tokenizer(text))
        except Exception as error:  # the library raises bare `Exception`
            reason = " ".join(str(error).split())
            raise StoreError(
                f"`{path}` must be a tokenizer.json, found: {reason}; fetch it again"
            ) from None
        self._text, self.begin, self.ends = text, begin, ends
        self.vocabulary: int = 1 + max(self._inner.get_vocab().values(), default=-1)
        for token in (*ends, *(() if begin is None else (begin,))):
            if not 0 <= token < self.vocabulary:
                raise ConfigError(
                    f"`{path}` has tokens 0 to {self.vocabulary - 1}, but begin or end of a text "
                    f"is said to be {token}; the files are of different models"
                )

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a text.

        Raises:
            SignalError: if the text holds half of a surrogate pair, which is no character, or
                the tokenizer fails on it.
        """
        with _without_panics():
            return tuple(self._inner.encode(_utf8(text).decode(), add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens.

        Raises:
            ConfigError: if a token is outside the vocabulary.
        """
        _check(ids, self.vocabulary)
        with _without_panics():
            return self._inner.decode(list(ids), skip_special_tokens=True)

    def save(self, path: Path) -> None:
        """Write the file that was read."""
        _write(path, self._text)


@contextmanager
def _without_panics() -> Iterator[None]:
    """Give every error of the library, also one that it did not expect, as one of ours."""
    try:
        yield
    except EmberError:
        raise
    except BaseException as error:
        # The library raises bare `Exception`, and hides the type of what it did not expect.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise SignalError(
            f"the tokenizer must read any text, found that it fails: {' '.join(str(error).split())}"
        ) from None


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise SignalError(
            f"a text must be of characters, found half of one at {error.start}; read it with "
            "another encoding"
        ) from None


def _check(ids: Sequence[int], vocabulary: int) -> None:
    for token in ids:
        if not 0 <= token < vocabulary:
            raise ConfigError(f"text tokens must be 0 to {vocabulary - 1}, found {token}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write `{path}`: {error.strerror}") from None


def _library() -> Any:
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.pre_tokenizers
    except ImportError:
        raise ConfigError(
            "a `tokenizer.json` is read by the package tokenizers, which is not installed; "
            "pip install tokenizers, or use the byte tokenizer"
        ) from None
    return tokenizers


def _visible_bytes() -> list[str]:
    """The character that stands for each byte in a byte-level `tokenizer.json`.

    Printable ones stand for themselves, the others for U+0100 and on, in order (Radford et al.
    2019, GPT-2).
    """
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(0x100, 0x200))
    return [chr(byte) if byte in plain else chr(next(spare)) for byte in range(256)]
