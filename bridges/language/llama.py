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

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from bridges.language._llama_config import (
    config_of,
    read_config,
    read_generation_config,
    settings_of,
    text_ends,
)
from bridges.language._llama_table import check_table, their_names
from bridges.language._replacing import CONFIG, staged, whole
from bridges.language._senses_files import (
    check_sense_table,
    load_senses,
    read_senses,
    write_senses,
)
from bridges.language._tensor_files import (
    INDEX,
    SINGLE,
    stored_tensors,
    total_bytes,
    write_json,
    write_tensors,
)
from bridges.language.model import LanguageModel
from bridges.language.settings import Sense
from bridges.language.tokens import ByteTokenizer, FileTokenizer, Tokenizer
from neuro.errors import ConfigError

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
        StoreError: if a file is missing, truncated, foreign or a pickle; if a tensor is missing,
            unknown, of another shape, not of floating point numbers, or not finite in `dtype`;
            or if the model was replaced while it was read.
        ConfigError: if the config describes what is not computed here (named), or new senses
            have no generator.

    A model that is being saved there, or whose saving was killed, is the old one or the new one,
    whole; see `save_model`. The sizes that a config claims are held against the files before
    memory is taken for them.
    """
    with whole(folder) as where:
        return _read_model(where, senses, generator, dtype)


def _read_model(
    folder: Path, senses: tuple[Sense, ...], generator: torch.Generator | None, dtype: torch.dtype
) -> LanguageModel:
    config = read_config(folder)
    own = read_senses(folder)
    settings = settings_of(config, senses=senses if own is None else own)
    found = stored_tensors(folder)
    check_table(folder, found, settings)
    sense_table = None if own is None else check_sense_table(folder, settings)
    if own is None and settings.senses and generator is None:
        raise ConfigError(
            "senses that are new to a model start from random weights; pass a `generator`"
        )
    with torch.device("cpu"):
        model = LanguageModel(settings).to(dtype)
    ours = dict(model.named_parameters())
    with torch.no_grad():
        for theirs, name in their_names(settings).items():
            found[theirs].into(ours[name])
        if sense_table is not None:
            load_senses(sense_table, model)
        elif generator is not None:
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
            One process at a time may save into it; others may load from it meanwhile.
        tokenizer: Written beside it, and its begin and end of a text into the config.
        shard_bytes: Most bytes a weight file may have; a larger tensor has one of its own.

    Raises:
        StoreError: if a file cannot be written; it says which model is there then.

    Whatever fails and whenever the process is killed, `load_model` finds the old model or the new
    one, whole: the old one until the new one is complete on the disk, the new one from then on.
    Until its files also lie where other programs look for them, those find no `config.json`; if
    this is as far as it came, saving again completes it. A load that a save overtakes is refused.
    """
    settings, ours = model.settings, dict(model.named_parameters())
    weights = {theirs: ours[name] for theirs, name in their_names(settings).items()}
    begin, ends = (None, frozenset()) if tokenizer is None else (tokenizer.begin, tokenizer.ends)
    dtype = str(model.embedding.weight.dtype).removeprefix("torch.")
    with staged(folder) as stage:
        _write_weights(stage, weights, shard_bytes)
        if settings.senses:
            write_senses(stage, model)
        if isinstance(tokenizer, ByteTokenizer | FileTokenizer):
            tokenizer.save(stage / "tokenizer.json")
        write_json(stage / CONFIG, config_of(settings, dtype=dtype, begin=begin, ends=ends))


def load_tokenizer(folder: Path) -> FileTokenizer:
    """The tokenizer of a model's folder, with the begin and end of a text from its configs.

    `generation_config.json`, where there is one, counts before `config.json`.

    Raises:
        StoreError: if a file is missing or unreadable.
        ConfigError: if begin or end is not a token.
    """
    with whole(folder) as where:
        begin, ends = text_ends(read_config(where), read_generation_config(where))
        return FileTokenizer(where / "tokenizer.json", begin=begin, ends=ends)


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
