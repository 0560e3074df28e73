"""Llama's forward pass in plain loops and double precision, written from its description.

Touvron et al. 2023 and the layout of `LlamaForCausalLM`; nothing of `bridges` is used, not even
its names. One sequence, one token at a time, one head at a time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[Any]]


def llama_logits(
    weights: Weights,
    ids: list[int],
    *,
    layers: int,
    heads: int,
    kv_heads: int,
    epsilon: float,
    theta: float,
    scaling: dict[str, float] | None = None,
) -> NDArray[np.float64]:
    """`(token, vocabulary)` logits."""
    w = {name: np.asarray(values, np.float64) for name, values in weights.items()}
    states = [w["model.embed_tokens.weight"][token].copy() for token in ids]
    for layer in range(layers):
        at = f"model.layers.{layer}."
        width = w[at + "self_attn.q_proj.weight"].shape[0] // heads
        normed = [rms(state, w[at + "input_layernorm.weight"], epsilon) for state in states]
        queries, keys, values = [], [], []
        for position, state in enumerate(normed):
            query = (w[at + "self_attn.q_proj.weight"] @ state).reshape(heads, width)
            key = (w[at + "self_attn.k_proj.weight"] @ state).reshape(kv_heads, width)
            queries.append([turned(head, position, theta, scaling) for head in query])
            keys.append([turned(head, position, theta, scaling) for head in key])
            values.append((w[at + "self_attn.v_proj.weight"] @ state).reshape(kv_heads, width))
        for now in range(len(ids)):
            mixed = []
            for head in range(heads):
                group = head * kv_heads // heads
                scores = [
                    sum(queries[now][head] * keys[before][group]) / math.sqrt(width)
                    for before in range(now + 1)
                ]
                odds = [math.exp(score - max(scores)) for score in scores]
                total = sum(odds)
                mixed.append(
                    sum(
                        (odd / total * values[before][group] for before, odd in enumerate(odds)),
                        np.zeros(width),
                    )
                )
            states[now] = states[now] + w[at + "self_attn.o_proj.weight"] @ np.concatenate(mixed)
        for now in range(len(ids)):
            inner = rms(states[now], w[at + "post_attention_layernorm.weight"], epsilon)
            gate = w[at + "mlp.gate_proj.weight"] @ inner
            up = w[at + "mlp.up_proj.weight"] @ inner
            silu = np.array([g / (1 + math.exp(-g)) for g in gate])
            states[now] = states[now] + w[at + "mlp.down_proj.weight"] @ (silu * up)
    head = w.get("lm_head.weight", w["model.embed_tokens.weight"])
    return np.stack([head @ rms(state, w["model.norm.weight"], epsilon) for state in states])


def rms(
    state: NDArray[np.float64], gain: NDArray[np.float64], epsilon: float
) -> NDArray[np.float64]:
    mean_square = sum(value * value for value in state) / len(state)
    return state / math.sqrt(mean_square + epsilon) * gain


def turned(
    head: NDArray[np.float64], position: int, theta: float, scaling: dict[str, float] | None
) -> NDArray[np.float64]:
    """Number i and i + width/2 turn together by position * theta^(-2i/width)."""
    half = len(head) // 2
    out = np.empty_like(head)
    for i in range(half):
        speed = slowed(theta ** (-2 * i / len(head)), scaling)
        cos, sin = math.cos(position * speed), math.sin(position * speed)
        out[i] = head[i] * cos - head[i + half] * sin
        out[i + half] = head[i + half] * cos + head[i] * sin
    return out


def slowed(speed: float, scaling: dict[str, float] | None) -> float:
    """Llama 3's rule, by wavelengths; with `factor` alone, linear scaling."""
    if scaling is None:
        return speed
    if "original" not in scaling:
        return speed / scaling["factor"]
    wavelength = 2 * math.pi / speed
    if wavelength < scaling["original"] / scaling["high"]:
        return speed
    if wavelength > scaling["original"] / scaling["low"]:
        return speed / scaling["factor"]
    smooth = (scaling["original"] / wavelength - scaling["low"]) / (
        scaling["high"] - scaling["low"]
    )
    return (1 - smooth) * speed / scaling["factor"] + smooth * speed
