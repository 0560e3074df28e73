"""Weights of existing models read, and ours written, in the layout of Llama.

    config.json         sizes, and what would make it another model
    model.safetensors   the weights, or several files with model.safetensors.index.json
    tokenizer.json      the tokenizer, if it is not over bytes
    ember.safetensors   what senses add to it: others, who read the rest, need not know
    ember.json          the senses, if there are any

SmolLM, TinyLlama and Llama 1 to 3.2 of text are in it. The names are those of Hugging Face's
`LlamaForCausalLM`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bridges.language._llama_config import config_of, read_config, settings_of, text_ends
from bridges.language._llama_table import check_table, shown, their_names
from bridges.language._tensor_files import (
    INDEX,
    SENSE_WEIGHTS,
    SENSES,
    SINGLE,
    as_dtype,
    read_table,
    staged,
    stored_tensors,
    total_bytes,
    write_json,
    write_tensors,
)
from bridges.language.model import LanguageModel
from bridges.language.settings import Sense
from bridges.language.tokens import ByteTokenizer, FileTokenizer, Tokenizer
from neuro.errors import ConfigError, StoreError

__all__ = ["load_model", "load_tokenizer", "save_model"]


def load_model(
    folder: Path,
    *,
    senses: tuple[Sense, ...] = (),
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> LanguageModel:
    """Read a model whose weights lie in a folder.

    Args:
        senses: What a model of text is to be given beside it; a model that has senses of its
            own keeps them.
        generator: Where the new senses' start weights come from.
        dtype: Precision to compute in, whatever the files are in.

    Raises:
        StoreError: if a file is missing, truncated, foreign or a pickle, or a tensor is missing,
            unknown, of another shape or not of floating point numbers.
        ConfigError: if the config describes what is not computed here (named), or new senses
            have no generator.
    """
    config = read_config(folder)
    own = _read_senses(folder)
    settings = settings_of(config, senses=senses if own is None else own)
    found = stored_tensors(folder)
    # Before memory is taken for what the config only claims.
    check_table(folder, found, settings)
    with torch.device("cpu"):
        model = LanguageModel(settings).to(dtype)
    ours = dict(model.named_parameters())
    with torch.no_grad():
        for theirs, name in their_names(settings).items():
            ours[name].copy_(as_dtype(found[theirs].read(), ours[name]))
        if own is not None:
            _load_senses(folder, model)
        elif settings.senses:
            if generator is None:
                raise ConfigError(
                    "senses that are new to a model start from random weights; pass a `generator`"
                )
            model.start_senses(generator)
    return model


def save_model(
    model: LanguageModel,
    folder: Path,
    *,
    tokenizer: Tokenizer | None = None,
    shard_bytes: int | None = None,
) -> None:
    """Write a model so that `load_model`, and whoever reads Llama's layout, can read it.

    Args:
        folder: Made if needed; a model that is there is replaced, once the new one is whole.
        tokenizer: Written beside it, and its begin and end of a text into the config.
        shard_bytes: Most bytes a weight file may have; a larger tensor has one of its own.

    Raises:
        StoreError: if a file cannot be written; a model that was there is left as it was.
    """
    settings, ours = model.settings, dict(model.named_parameters())
    weights = {theirs: ours[name] for theirs, name in their_names(settings).items()}
    begin, ends = (None, frozenset()) if tokenizer is None else (tokenizer.begin, tokenizer.ends)
    dtype = str(model.embedding.weight.dtype).removeprefix("torch.")
    with staged(folder) as stage:
        _write_weights(stage, weights, shard_bytes)
        if settings.senses:
            write_tensors(stage / SENSE_WEIGHTS, _sense_weights(model))
            write_json(stage / SENSES, {"senses": [asdict(sense) for sense in settings.senses]})
        if isinstance(tokenizer, ByteTokenizer | FileTokenizer):
            tokenizer.save(stage / "tokenizer.json")
        write_json(stage / "config.json", config_of(settings, dtype=dtype, begin=begin, ends=ends))


def load_tokenizer(folder: Path) -> FileTokenizer:
    """The tokenizer of a model's folder, with the begin and end of a text from its config.

    Raises:
        StoreError: if a file is missing or unreadable.
        ConfigError: if begin or end is not a token.
    """
    begin, ends = text_ends(read_config(folder))
    return FileTokenizer(folder / "tokenizer.json", begin=begin, ends=ends)


def _write_weights(folder: Path, weights: Mapping[str, Tensor], shard_bytes: int | None) -> None:
    total = total_bytes(weights)
    if shard_bytes is None or total <= shard_bytes:
        write_tensors(folder / SINGLE, weights)
        return
    shards: list[dict[str, Tensor]] = [{}]
    for name, tensor in weights.items():
        if shards[-1] and total_bytes({**shards[-1], name: tensor}) > shard_bytes:
            shards.append({})
        shards[-1][name] = tensor
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_tensors(folder / file, shard)
        places |= dict.fromkeys(shard, file)
    write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": places})


def _read_senses(folder: Path) -> tuple[Sense, ...] | None:
    path = folder / SENSES
    if not path.exists():
        return None
    try:
        rows: Any = json.loads(path.read_text(encoding="utf-8"))["senses"]
        return tuple(
            Sense(str(row["name"]), int(row["width"]), perceived=bool(row["perceived"]))
            for row in rows
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreError(f"`{path}` must list a model's senses, found: {error!r}") from None


def _load_senses(folder: Path, model: LanguageModel) -> None:
    path = folder / SENSE_WEIGHTS
    found = read_table(path)
    for name, part in _sense_weights(model).items():
        if name not in found or found[name].shape != tuple(part.shape):
            shape = shown(found[name].shape) if name in found else "no such name"
            raise StoreError(
                f"`{path}`: `{name}` must be {shown(tuple(part.shape))}, found {shape}"
            )
        part.copy_(as_dtype(found[name].read(), part))


def _sense_weights(model: LanguageModel) -> dict[str, Tensor]:
    return {
        name: part
        for name, part in model.named_parameters()
        if name.startswith(("senses.", "request_head."))
    }
