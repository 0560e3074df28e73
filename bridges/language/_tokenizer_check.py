"""Look through a `tokenizer.json` before the library that runs it does.

The library ends the process, or never ends, on some files: an empty pattern to replace, a table of
characters that is cut off, a regular expression that tries every way to split a text, replacements
that fill the memory. So only the parts that are known to be safe are let through, and those that
encoding does not need are left out.
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
        parts = list(_parts(found.get(name), name))
        for part in parts:
            _check_part(part, name, known)
        _check_growth(parts, name)
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


_MOST_GROWTH = 1_000
"""How many bytes may come of one, all parts of a sequence together; engineering choice: what comes
of a megabyte fits in memory."""

_GROWTH = {
    **dict.fromkeys(("NFC", "NFD"), 3),
    **dict.fromkeys(("NFKC", "NFKD"), 11),
    **dict.fromkeys(("ByteLevel", "BPEDecoder", "WordPiece"), 2),
    "BertNormalizer": 9,
    "Lowercase": 1.5,
}
"""Most bytes of UTF-8 that come of one, of parts with no text of their own: of the Unicode forms
and lower case as seen over all letters of Unicode 14. BERT puts a space on both sides of a sign of
three bytes, and takes NFD and lower case; byte-level writes a byte as a letter of two bytes, and
both decoders can put a space after each token."""


def _check_growth(parts: list[dict[str, Any]], name: str) -> None:
    growth = math.prod(_growth(part, name) for part in parts)
    if growth > _MOST_GROWTH:
        raise ValueError(
            f"`{name}` may make a text up to {_MOST_GROWTH:,} times as long, found {growth:.3g}"
        )


def _growth(part: dict[str, Any], name: str) -> float:
    """How many times as long a text can become, in bytes of UTF-8."""
    kind = part["type"]
    if kind == "Replace":
        content = _bytes_of(part, "content", name)
        pattern = part.get("pattern", {})
        if "String" not in pattern:  # a regular expression may match between any two letters
            return 1 + content
        return max(1.0, content / len(pattern["String"].encode(errors="surrogatepass")))
    if kind == "Prepend":
        return 1 + _bytes_of(part, "prepend", name)
    if kind == "Metaspace":  # in the place of a space, and before the first word
        return 1 + _bytes_of(part, "replacement", name)
    return _GROWTH.get(kind, 1)


def _bytes_of(part: dict[str, Any], key: str, name: str) -> int:
    text = part.get(key, "")
    if not isinstance(text, str):
        raise ValueError(f"`{key}` of `{name}` must be a text, found {text!r:.40}")
    return len(text.encode(errors="surrogatepass"))


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
    """Refuse what can take exponential or high polynomial time.

    That is a repetition of what varies in length, many choices in a row, and back references.
    One alternative may hold `_MOST_IN_A_ROW` repetitions and `_MOST_CHOICES` choices, whatever
    stands between them.
    """
    varies: list[bool] = [False]  # of each open group, whether it matches more than one length
    divided: list[bool] = [False]  # whether it has alternatives
    closed: bool | None = None  # whether the group that has just ended varies
    in_a_row = choices = 0
    repeats, before = False, ""  # whether what precedes is repeated, and the last sign of that
    for sign in _SIGN.findall(text):
        if sign == "?":
            if not before:  # else it says how what precedes repeats
                varies[-1] = True
                choices += 1
                _check_in_a_row(in_a_row, choices, text)
            before = sign
            continue
        if (most := _most(sign)) is not None:
            if sign == "+" and (before in ("*", "+") or (before == "?" and not repeats)):
                before = ""  # possessive: it tries nothing again
                continue
            if repeats or (closed and most > 1):
                raise ValueError(f"a pattern may not repeat what repeats, found {text!r:.60}")
            if 1000 < most < math.inf:
                raise ValueError(f"a pattern may repeat up to 1000 times, found {text!r:.60}")
            repeats, before = most > 1, sign
            varies[-1] = varies[-1] or repeats or "," in sign
            in_a_row += most > _FEW
            choices += "," in sign
            _check_in_a_row(in_a_row, choices, text)
            closed = None
            continue
        closed, repeats, before = None, False, ""
        if re.fullmatch(r"\\[1-9gkcCM]", sign):
            raise ValueError(
                f"a pattern may have no back reference and no control sign, found {text!r:.60}"
            )
        if sign == "|":
            varies[-1] = divided[-1] = True
            if len(divided) == 1:
                in_a_row = choices = 0
        elif sign == ")":
            if len(varies) == 1:
                raise ValueError(f"a pattern must close what it opens, found {text!r:.60}")
            closed = varies.pop()
            varies[-1] = varies[-1] or closed
            choices += divided.pop()
            _check_in_a_row(in_a_row, choices, text)
        elif sign.startswith("("):
            if sign.startswith("(?") and not re.fullmatch(r"\(\?(?:[im-]*:|[=!])", sign):
                raise ValueError(f"a pattern may have plain groups alone, found {text!r:.60}")
            varies.append(False)
            divided.append(False)
        elif sign.startswith("[") and (len(sign) < 2 or not sign.endswith("]")):
            raise ValueError(f"a pattern must close what it opens, found {text!r:.60}")
    if len(varies) > 1:
        raise ValueError(f"a pattern must close what it opens, found {text!r:.60}")


def _check_in_a_row(repeated: int, choices: int, text: str) -> None:
    if repeated > _MOST_IN_A_ROW:
        raise ValueError(f"a pattern may not repeat so much in a row, found {text!r:.60}")
    if choices > _MOST_CHOICES:
        raise ValueError(
            f"a pattern may leave up to {_MOST_CHOICES} choices in a row, found {text!r:.60}"
        )


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
_MOST_CHOICES = 10  # of one alternative; the patterns of published models leave up to 3


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
