"""Look through a `tokenizer.json` before the library that runs it does.

The library ends the process, or never ends, on some files: an empty pattern to replace, a table of
characters that is cut off, a regular expression that tries every way to split a text. So only the
parts that are known to be safe are let through, and those that encoding does not need are left out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["checked_tokenizer"]

MOST_TOKENS = 10_000_000
_LONGEST_PATTERN = 2_000
_DEEPEST = 8
_MOST_PARTS = 200

_MODELS = ("BPE", "WordPiece", "WordLevel", "Unigram")
_PARTS: dict[str, tuple[str, ...]] = {
    "normalizer": (
        "Sequence", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents", "Prepend",
        "Replace", "BertNormalizer", "Nmt", "ByteLevel",
    ),
    "pre_tokenizer": (
        "Sequence", "ByteLevel", "Whitespace", "WhitespaceSplit", "Metaspace", "Digits",
        "Punctuation", "Split", "BertPreTokenizer", "CharDelimiterSplit", "UnicodeScripts",
    ),
    "decoder": (
        "Sequence", "ByteLevel", "ByteFallback", "Fuse", "Strip", "Replace", "WordPiece",
        "Metaspace", "BPEDecoder",
    ),
}  # fmt: skip
_INNER = ("normalizers", "pretokenizers", "decoders")


def checked_tokenizer(text: str) -> str:
    """What may be handed to the library of a `tokenizer.json`.

    Raises:
        ValueError: if it has a part that is not known to be safe, which the text names.
    """
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("no object")
    _check_model(found.get("model"))
    for name, known in _PARTS.items():
        for part in _parts(found.get(name), name):
            _check_part(part, name, known)
    _check_added(found.get("added_tokens"))
    return json.dumps({**found, "post_processor": None, "truncation": None, "padding": None})


def _check_model(model: Any) -> None:
    if not isinstance(model, dict):
        raise ValueError("no `model`")
    kind = model.get("type")
    # Older files leave the type out; the library then finds it by its fields.
    if kind not in _MODELS and "type" in model:
        raise ValueError(f"the model must be one of {', '.join(_MODELS)}, found {kind!r:.40}")
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        _check_ids(vocabulary)
        _check_merges(model.get("merges", []), vocabulary)
    elif isinstance(vocabulary, list):
        _check_scores(vocabulary, model.get("unk_id"))
    else:
        raise ValueError("`vocab` must be an object or a list")
    dropout = model.get("dropout")
    if dropout is not None and not (_is_number(dropout) and dropout == 0):
        raise ValueError("`dropout` must be 0, as a text has one reading")


def _check_ids(vocabulary: dict[str, Any]) -> None:
    ids = list(vocabulary.values())
    wrong = next((n for n in ids if not _is_whole(n) or not 0 <= n < MOST_TOKENS), None)
    if wrong is not None:
        raise ValueError(f"a token's number must be 0 to {MOST_TOKENS - 1:,}, found {wrong!r:.40}")
    if len(set(ids)) != len(ids):
        raise ValueError("each token must have a number of its own, found two with one")


def _check_merges(merges: Any, vocabulary: dict[str, Any]) -> None:
    if not isinstance(merges, list) or len(merges) > MOST_TOKENS:
        raise ValueError("`merges` must be a list")
    for merge in merges:
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if (
            not isinstance(pair, list)
            or len(pair) != 2
            or not all(isinstance(part, str) and part for part in pair)
        ):
            raise ValueError(f"a merge must be two tokens, found {merge!r:.60}")
        for token in (*pair, "".join(pair)):
            if token not in vocabulary:
                raise ValueError(f"a merge must be of tokens in `vocab`, found {token!r:.40}")


def _check_scores(vocabulary: list[Any], unknown: Any) -> None:
    if not 1 <= len(vocabulary) < MOST_TOKENS:
        raise ValueError("`vocab` must have a token")
    for entry in vocabulary:
        fine = isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)
        if not fine or not _is_number(entry[1]):
            raise ValueError(f"a token must be a text and a finite score, found {entry!r:.60}")
    if unknown is not None and not (_is_whole(unknown) and 0 <= unknown < len(vocabulary)):
        raise ValueError(f"`unk_id` must be the number of a token, found {unknown!r:.40}")


def _parts(part: Any, name: str, depth: int = 0) -> Iterator[dict[str, Any]]:
    """A part, and the parts of a sequence."""
    if part is None:
        return
    if not isinstance(part, dict):
        raise ValueError(f"`{name}` must be an object")
    if depth > _DEEPEST:
        raise ValueError(f"`{name}` may be {_DEEPEST} deep, found more")
    yield part
    for key in _INNER:
        inner = part.get(key, [])
        if not isinstance(inner, list) or len(inner) > _MOST_PARTS:
            raise ValueError(f"`{key}` must be a list of up to {_MOST_PARTS}")
        for one in inner:
            yield from _parts(one, name, depth + 1)


def _check_part(part: dict[str, Any], name: str, known: tuple[str, ...]) -> None:
    kind = part.get("type")
    if kind not in known:
        raise ValueError(f"`{name}` may be {', '.join(known)}, found {kind!r:.40}")
    if "pattern" in part:
        _check_pattern(part["pattern"], name)
    for key in ("start", "stop", "prefix_len"):
        if _is_whole(part.get(key)) and not 0 <= part[key] <= 1000:
            raise ValueError(f"`{key}` of `{name}` must be 0 to 1000, found {part[key]}")


def _check_pattern(pattern: Any, name: str) -> None:
    kinds = list(pattern) if isinstance(pattern, dict) else []
    if kinds not in (["String"], ["Regex"]) or not isinstance(pattern[kinds[0]], str):
        raise ValueError(f"the pattern of `{name}` must be a String or a Regex")
    text = pattern[kinds[0]]
    if not 1 <= len(text) <= _LONGEST_PATTERN:
        raise ValueError(
            f"a pattern of `{name}` must have 1 to {_LONGEST_PATTERN} characters, found {len(text)}"
        )
    if kinds == ["Regex"]:
        _check_regex(text)


_SIGN = re.compile(  # a class or a property that is not closed goes to the end, and is refused
    r"\\[pP]\{[^{}\\]{0,60}\}|\\.|\[\^?\]?(?:\\.|[^\\\]])*\]?|\(\?(?:[im-]*:|[=!])|\(\?.{0,2}|\(|"
    r"\)|[*+?]|\{\d{0,9},?\d{0,9}\}|[^\\]",
    re.DOTALL,
)
_COUNTED = re.compile(r"\{(\d{0,9})(,?)(\d{0,9})\}")


def _check_regex(text: str) -> None:
    """Refuse what can take exponential or high polynomial time: a repetition of what repeats, and
    back references. Repetitions that follow one another are told apart by what must lie between.
    """
    open_groups: list[bool] = [False]  # whether the length of each group varies by repetition
    closed: bool | None = None  # the same of the group that has just ended
    in_a_row = 0
    repeats, before = False, ""  # whether what precedes is repeated, and the last sign of that
    for sign in _SIGN.findall(text):
        if sign == "?":
            before = sign
            continue
        if (most := _most(sign)) is not None:
            if sign == "+" and (before in ("*", "+") or (before == "?" and not repeats)):
                before = ""  # possessive: it tries nothing again
                continue
            if closed or repeats:
                raise ValueError(f"a pattern may not repeat what repeats, found {text!r:.60}")
            if 1000 < most < math.inf:
                raise ValueError(f"a pattern may repeat up to 1000 times, found {text!r:.60}")
            repeats, before = most > 1, sign
            open_groups[-1] = open_groups[-1] or repeats
            in_a_row += most > _FEW
            if in_a_row > _MOST_IN_A_ROW:
                raise ValueError(f"a pattern may not repeat so much in a row, found {text!r:.60}")
            closed = None
            continue
        closed, repeats, before = None, False, ""
        if re.fullmatch(r"\\[1-9gkcCM]", sign):
            raise ValueError(
                f"a pattern may have no back reference and no control sign, found {text!r:.60}"
            )
        if sign == "|":
            in_a_row = 0
        elif sign == ")":
            if len(open_groups) == 1:
                raise ValueError(f"a pattern must close what it opens, found {text!r:.60}")
            closed = open_groups.pop()
            open_groups[-1] = open_groups[-1] or closed
        elif sign.startswith("("):
            if sign.startswith("(?") and not re.fullmatch(r"\(\?(?:[im-]*:|[=!])", sign):
                raise ValueError(f"a pattern may have plain groups alone, found {text!r:.60}")
            open_groups.append(False)
        elif sign.startswith("[") and (len(sign) < 2 or not sign.endswith("]")):
            raise ValueError(f"a pattern must close what it opens, found {text!r:.60}")
    if len(open_groups) > 1:
        raise ValueError(f"a pattern must close what it opens, found {text!r:.60}")


def _most(sign: str) -> float | None:
    """How often a sign lets what precedes it repeat at most; None if it does not."""
    if sign in ("*", "+"):
        return math.inf
    counted = _COUNTED.fullmatch(sign)
    if not counted or not (counted[1] or counted[3]):  # `{}` and `{,}` stand for themselves
        return None
    least, comma, most = counted.groups()
    return math.inf if comma and not most else int(most or least)


_FEW = 10  # repetitions that are not worth a word, as in `\p{N}{1,3}`
_MOST_IN_A_ROW = 4  # of one alternative; the patterns of published models have up to 3


def _check_added(added: Any) -> None:
    if added is None:
        return
    if not isinstance(added, list) or len(added) > MOST_TOKENS:
        raise ValueError("`added_tokens` must be a list")
    for token in added:
        content = token.get("content") if isinstance(token, dict) else None
        if not isinstance(content, str) or not content:
            raise ValueError(f"an added token must have a text, found {token!r:.60}")
        if not _is_whole(token.get("id")) or not 0 <= token["id"] < MOST_TOKENS:
            raise ValueError(f"an added token must have a number, found {token.get('id')!r:.40}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
