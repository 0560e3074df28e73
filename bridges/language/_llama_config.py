"""A `config.json` in Llama's layout to our settings and back; what we do not compute is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bridges.language._tensor_files import MOST_JSON_BYTES
from bridges.language.settings import LanguageSettings, RopeScaling, Sense
from neuro.errors import ConfigError, StoreError
from neuro.files.regular import read_text

__all__ = ["config_of", "read_config", "read_generation_config", "settings_of", "text_ends"]

# Keys that would change what is computed, with the only value under which they do not.
_PLAIN: dict[str, tuple[Any, ...]] = {
    "model_type": ("llama",),
    "hidden_act": ("silu",),
    "attention_bias": (False,),
    "mlp_bias": (False,),
    "quantization_config": (None,),
    "sliding_window": (None,),
}
_SIZES = {
    "vocab_size": "vocabulary",
    "hidden_size": "hidden",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
    "intermediate_size": "inner",
    "head_dim": "head_width",
    "max_position_embeddings": "longest",
}


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's `config.json`; a `StoreError` if it is missing or is no JSON object."""
    return _read_object(folder / "config.json")


def read_generation_config(folder: Path) -> dict[str, Any]:
    """The folder's `generation_config.json`, empty if there is none; a `StoreError` if it is no
    JSON object."""
    path = folder / "generation_config.json"
    return _read_object(path) if path.is_file() else {}


def _read_object(path: Path) -> dict[str, Any]:
    try:
        if not path.exists():
            raise StoreError(
                f"a model's folder must hold `{path.name}`, found: No such file or directory, "
                f"`{path}`"
            )
        found = json.loads(read_text(path, MOST_JSON_BYTES))
    except StoreError:
        raise
    except (ValueError, RecursionError) as error:
        raise StoreError(f"`{path}` must be JSON, found: {error}; fetch it again") from None
    if not isinstance(found, dict):
        raise StoreError(f"`{path}` must be a JSON object, found {type(found).__name__}")
    return found


def settings_of(config: dict[str, Any], *, senses: tuple[Sense, ...]) -> LanguageSettings:
    """The settings that compute what the config describes.

    Raises:
        ConfigError: naming the key, if it describes something else than Llama, or a scaling of
            positions that is not known here, or a size is missing or no number.
    """
    for key, plain in _PLAIN.items():
        value = config.get(key, plain[0])
        if value not in plain:
            raise ConfigError(
                f"config.json: `{key}` must be {json.dumps(plain[0])} for a model to be read as "
                f"Llama, found {json.dumps(value)}; such a model is not supported"
            )
    given = {theirs: config.get(theirs) for theirs in _SIZES}
    if given["num_key_value_heads"] is None:
        given["num_key_value_heads"] = given["num_attention_heads"]
    sizes = {
        ours: _whole(theirs, given[theirs])
        for theirs, ours in _SIZES.items()
        if not (theirs == "head_dim" and given[theirs] is None)
    }
    positions = _positions(config)
    return LanguageSettings(
        **sizes,
        rope_theta=_number("rope_theta", positions.get("rope_theta", 10_000.0)),
        rope_scaling=_scaling(positions, sizes["longest"]),
        rms_epsilon=_number("rms_norm_eps", config.get("rms_norm_eps", 1e-6)),
        tied=_flag("tie_word_embeddings", config.get("tie_word_embeddings", False)),
        senses=senses,
    )


def config_of(
    settings: LanguageSettings, *, dtype: str, begin: int | None, ends: frozenset[int]
) -> dict[str, Any]:
    """The `config.json` under which others compute what we do, for text."""
    scaling, rope = settings.rope_scaling, None
    if scaling is not None:
        rope = {"rope_type": scaling.kind, "factor": scaling.factor}
        if scaling.kind == "llama3":
            rope |= {
                "low_freq_factor": scaling.low,
                "high_freq_factor": scaling.high,
                "original_max_position_embeddings": scaling.original,
            }
    return {
        "architectures": ["LlamaForCausalLM"],
        **{key: plain[0] for key, plain in _PLAIN.items() if plain[0] is not None},
        **{theirs: getattr(settings, ours) for theirs, ours in _SIZES.items()},
        "rope_theta": settings.rope_theta,
        "rope_scaling": rope,
        "rms_norm_eps": settings.rms_epsilon,
        "tie_word_embeddings": settings.tied,
        "torch_dtype": dtype,
        "bos_token_id": begin,
        "eos_token_id": (sorted(ends) if len(ends) > 1 else next(iter(ends), None)),
    }


def text_ends(
    config: dict[str, Any], generation: dict[str, Any] | None = None
) -> tuple[int | None, frozenset[int]]:
    """The tokens that begin and end a text.

    What `generation_config.json` gives counts before what `config.json` gives, key by key: models
    for conversation end an answer with other tokens than a text, and say so only there.

    Raises:
        ConfigError: naming the file, if one is not a whole number or a list of them.
    """
    found: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None}
    for file, given in (("config.json", config), ("generation_config.json", generation or {})):
        for key in found:
            value = given.get(key)
            many = value if isinstance(value, list) and key == "eos_token_id" else [value]
            if value is None:
                continue
            if not all(_is_whole(each) for each in many):
                raise ConfigError(
                    f"{file}: `bos_token_id` must be a whole number, and `eos_token_id` one or a "
                    f"list of them, found `{key}`: {_shown(value)}"
                )
            found[key] = value if key == "bos_token_id" else many
    return found["bos_token_id"], frozenset(found["eos_token_id"] or ())


def _positions(config: dict[str, Any]) -> dict[str, Any]:
    """Base and scaling of the rotations, from where older and newer configs keep them."""
    older = config.get("rope_scaling") or {}
    newer = config.get("rope_parameters") or {}
    if not (isinstance(older, dict) and isinstance(newer, dict)):
        raise ConfigError(
            "config.json: `rope_scaling` and `rope_parameters` must be objects or null, found "
            f"{_shown(older)} and {_shown(newer)}"
        )
    base = {"rope_theta": config["rope_theta"]} if config.get("rope_theta") is not None else {}
    return {**base, **older, **newer}


def _scaling(positions: dict[str, Any], longest: int) -> RopeScaling | None:
    turned = positions.get("partial_rotary_factor", 1.0)
    if turned != 1.0:
        raise ConfigError(
            "config.json: `partial_rotary_factor` must be 1, so that all of a head turns, found "
            f"{_shown(turned)}; such a model is not supported"
        )
    kind = positions.get("rope_type", positions.get("type", "default"))
    if kind == "default":
        return None
    if kind not in ("linear", "llama3"):
        raise ConfigError(
            f"config.json: rope scaling must be linear, llama3 or none, found {json.dumps(kind)}; "
            "such a model is not supported"
        )
    factor = _number("rope_scaling.factor", positions.get("factor"))
    if kind == "linear":
        return RopeScaling(kind, factor)
    original = positions.get("original_max_position_embeddings", longest)
    return RopeScaling(
        kind,
        factor,
        low=_number("rope_scaling.low_freq_factor", positions.get("low_freq_factor")),
        high=_number("rope_scaling.high_freq_factor", positions.get("high_freq_factor")),
        original=_whole("rope_scaling.original_max_position_embeddings", original),
    )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(
            f"config.json: `{key}` must be a whole number of 1 or more, found {_shown(value)}"
        )
    return value


def _number(key: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ConfigError(f"config.json: `{key}` must be a number, found {_shown(value)}")
    try:
        return float(value)
    except OverflowError:  # JSON has whole numbers of any length
        raise ConfigError(
            f"config.json: `{key}` must be a number that fits in double precision, found "
            f"{_shown(value)}…"
        ) from None


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"config.json: `{key}` must be true or false, found {_shown(value)}")
    return value


def _shown(value: object) -> str:
    return "none" if value is None else json.dumps(value)[:60]
