"""Names and shapes of Llama's weights, and whether a folder's files hold just these."""

from __future__ import annotations

from pathlib import Path

import torch

from bridges.language._tensor_files import Stored
from bridges.language.settings import LanguageSettings
from neuro.errors import StoreError

__all__ = ["check_table", "shown", "their_names"]

_TOP = {
    "model.embed_tokens.weight": "embedding.weight",
    "model.norm.weight": "norm.weight",
    "lm_head.weight": "head.weight",
}
_LAYER = {
    "input_layernorm.weight": "attention_norm.weight",
    "self_attn.q_proj.weight": "attention.query.weight",
    "self_attn.k_proj.weight": "attention.key.weight",
    "self_attn.v_proj.weight": "attention.value.weight",
    "self_attn.o_proj.weight": "attention.out.weight",
    "post_attention_layernorm.weight": "inner_norm.weight",
    "mlp.gate_proj.weight": "gate.weight",
    "mlp.up_proj.weight": "up.weight",
    "mlp.down_proj.weight": "down.weight",
}
# Older files keep these although they follow from the config.
_DERIVED = "rotary_emb.inv_freq"


def their_names(settings: LanguageSettings) -> dict[str, str]:
    """Their names of all weights of text, each with ours."""
    top = {a: b for a, b in _TOP.items() if not (settings.tied and b == "head.weight")}
    layers = {
        f"model.layers.{layer}.{theirs}": f"blocks.{layer}.{ours}"
        for layer in range(settings.layers)
        for theirs, ours in _LAYER.items()
    }
    return top | layers


def check_table(folder: Path, found: dict[str, Stored], settings: LanguageSettings) -> None:
    """That the files hold the model of the config, no less and no more."""
    stored_layers = {name.split(".")[2] for name in found if name.startswith("model.layers.")}
    if len(stored_layers) != settings.layers:
        raise StoreError(
            f"`{folder}` must hold the {settings.layers} layers of its config, found "
            f"{len(stored_layers)}; the files are of different models"
        )
    expected = {theirs: _shape_of(ours, settings) for theirs, ours in their_names(settings).items()}
    if settings.tied and "lm_head.weight" in found:
        _check_tied(folder, found)
        expected["lm_head.weight"] = _shape_of("head.weight", settings)
    for name, shape in expected.items():
        if name not in found:
            raise StoreError(
                f"`{folder}` must hold the tensor `{name}`, found no such name; the files are "
                "incomplete or of another kind of model"
            )
        if found[name].shape != shape:
            raise StoreError(
                f"`{found[name].path}`: `{name}` must be {shown(shape)} by the config, found "
                f"{shown(found[name].shape)}; the files are of different models"
            )
    unknown = [n for n in found if n not in expected and not n.endswith(_DERIVED)]
    if unknown:
        raise StoreError(
            f"`{found[unknown[0]].path}` must hold a Llama and nothing else, found "
            f"`{unknown[0]}`{f' and {len(unknown) - 1} more' if unknown[1:] else ''}; it belongs "
            "to another kind of model"
        )


def _shape_of(name: str, settings: LanguageSettings) -> tuple[int, ...]:
    """The shape of one of our weights of text, known without making it."""
    hidden, inner = settings.hidden, settings.inner
    queries = settings.heads * settings.head_width
    keys = settings.kv_heads * settings.head_width
    for end, shape in {
        "norm.weight": (hidden,),
        "query.weight": (queries, hidden),
        "key.weight": (keys, hidden),
        "value.weight": (keys, hidden),
        "out.weight": (hidden, queries),
        "gate.weight": (inner, hidden),
        "up.weight": (inner, hidden),
        "down.weight": (hidden, inner),
    }.items():
        if name.endswith(end):
            return shape
    return (settings.vocabulary, hidden)


def _check_tied(folder: Path, found: dict[str, Stored]) -> None:
    embedding = found.get("model.embed_tokens.weight")
    head = found["lm_head.weight"]
    if embedding is not None and embedding.shape == head.shape:
        if torch.equal(embedding.read(), head.read()):
            return
        raise StoreError(
            f"`{folder}`: config.json ties `lm_head.weight` to the embedding, found that they "
            "differ; set `tie_word_embeddings` to what the model was trained with"
        )


def shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"
