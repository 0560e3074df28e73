"""TRM and HRM once more, slowly: plain Python floats, one position and one number at a time.

Written from the papers and `reasoning.md`'s summary of them, not from `bridges`: no torch, no
matrix product, no shared helper. One item at a time; `w` is a state dict as nested lists.
"""

from __future__ import annotations

import math
import struct
from typing import Any

Vector = list[float]
Sequence = list[Vector]  # a vector a position


def single(value: float) -> float:
    """Rounded to float32, as the rotary tables are."""
    return struct.unpack("f", struct.pack("f", value))[0]


def times(matrix: Sequence, vector: Vector) -> Vector:
    out = []
    for row in matrix:
        total = 0.0
        for weight, value in zip(row, vector, strict=True):
            total += weight * value
        out.append(total)
    return out


def plus(*sequences: Sequence) -> Sequence:
    return [
        [sum(each) for each in zip(*rows, strict=True)] for rows in zip(*sequences, strict=True)
    ]


def turned(sequence: Sequence) -> Sequence:
    return [list(column) for column in zip(*sequence, strict=True)]


def normed(vector: Vector) -> Vector:
    square = sum(value * value for value in vector) / len(vector)
    return [value / math.sqrt(square + 1e-5) for value in vector]


def swiglu(w: dict[str, Any], name: str, vector: Vector) -> Vector:
    both = times(w[f"{name}.gate_up.weight"], vector)
    half = len(both) // 2
    inner = []
    for gate, up in zip(both[:half], both[half:], strict=True):
        inner.append(gate / (1 + math.exp(-gate)) * up)
    return times(w[f"{name}.down.weight"], inner)


def rotated(vector: Vector, position: int) -> Vector:
    out, half = list(vector), len(vector) // 2
    for i in range(half):
        angle = position * 10_000 ** (-2 * i / len(vector))
        cosine, sine = single(math.cos(angle)), single(math.sin(angle))
        out[i] = vector[i] * cosine - vector[i + half] * sine
        out[i + half] = vector[i + half] * cosine + vector[i] * sine
    return out


def attended(w: dict[str, Any], name: str, state: Sequence, heads: int, rope: bool) -> Sequence:
    hidden = len(state[0])
    width = hidden // heads
    projected = [times(w[f"{name}.qkv.weight"], vector) for vector in state]
    mixed: Sequence = [[] for _ in state]
    for head in range(heads):
        start = head * width
        query = [row[start : start + width] for row in projected]
        key = [row[hidden + start : hidden + start + width] for row in projected]
        value = [row[2 * hidden + start : 2 * hidden + start + width] for row in projected]
        if rope:
            query = [rotated(vector, i) for i, vector in enumerate(query)]
            key = [rotated(vector, i) for i, vector in enumerate(key)]
        for i, asks in enumerate(query):
            weights = []
            for answers in key:
                dot = sum(a * b for a, b in zip(asks, answers, strict=True))
                weights.append(math.exp(dot / math.sqrt(width)))
            total = sum(weights)
            for feature in range(width):
                mixed[i].append(
                    sum(g * v[feature] for g, v in zip(weights, value, strict=True)) / total
                )
    return [times(w[f"{name}.out.weight"], vector) for vector in mixed]


def looked_around(
    w: dict[str, Any], name: str, state: Sequence, slots: int, columns: int
) -> Sequence:
    inwards = [times(w[f"{name}.inwards.weight"], vector) for vector in state]
    hidden, cells = len(state[0]), len(state) - slots
    mixed: Sequence = []
    for slot in range(slots):
        mixed.append(
            [
                inwards[slot][i] + sum(row[i] for row in inwards[slots:]) / cells
                for i in range(hidden)
            ]
        )
    for cell in range(cells):
        seen = [0.0] * hidden
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                row, column = cell // columns + down, cell % columns + right
                if 0 <= row < cells // columns and 0 <= column < columns:
                    near = inwards[slots + row * columns + column]
                    for i in range(hidden):
                        kernel = w[f"{name}.around.weight"][i][0]
                        seen[i] += kernel[down + 1][right + 1] * near[i]
        mixed.append(seen)
    return [times(w[f"{name}.out.weight"], vector) for vector in mixed]


def applied(w: dict[str, Any], net: str, state: Sequence, s: Any) -> Sequence:
    """One network, once."""
    for layer in range(s.layers):
        block = f"recursion.{net}.blocks.{layer}"
        if s.mixer == "mlp":
            across = turned(state)
            across = [
                normed([a + b for a, b in zip(row, swiglu(w, f"{block}.mixer", row), strict=True)])
                for row in across
            ]
            state = turned(across)
        else:
            if s.mixer == "convolution":
                update = looked_around(w, f"{block}.mixer", state, s.slots, s.columns)
            else:
                update = attended(w, f"{block}.mixer", state, s.heads, s.positions == "rope")
            state = [normed(row) for row in plus(state, update)]
        update = [swiglu(w, f"{block}.mlp", row) for row in state]
        state = [normed(row) for row in plus(state, update)]
    return state


def embedded(w: dict[str, Any], tokens: list[int], s: Any) -> Sequence:
    rows = [list(row) for row in w["inputs.prefix"]]
    rows += [list(w["inputs.symbols"][token]) for token in tokens]
    scale = math.sqrt(s.hidden)
    if s.positions == "learned":
        rows = plus(rows, w["inputs.positions"])
        scale /= math.sqrt(2)
    return [[scale * value for value in row] for row in rows]


def step(
    w: dict[str, Any], tokens: list[int], y: Sequence, z: Sequence, s: Any, *, wrong: bool = False
) -> tuple[Sequence, Sequence, Sequence, Vector]:
    """One supervision step: new y and z, logits, and the two halting outputs.

    `wrong` lets x into the update of y, which the algorithm must not.
    """
    x = embedded(w, tokens, s)
    high = "high" if s.kind == "hrm" else "low"
    for _ in range(s.H):
        for _ in range(s.L):
            z = applied(w, "low", plus(z, y, x), s)
        y = applied(w, high, plus(y, z, x) if wrong else plus(y, z), s)
    logits = [times(w["head.weight"], vector) for vector in y[s.slots :]]
    halting = times(w["halt_head.weight"], y[0])
    return y, z, logits, [a + b for a, b in zip(halting, w["halt_head.bias"], strict=True)]


def single_z_step(
    w: dict[str, Any], tokens: list[int], y: Sequence, s: Any
) -> tuple[Sequence, Sequence]:
    """One supervision step with one state: new y and logits."""
    x = embedded(w, tokens, s)
    for _ in range(s.H):
        for _ in range(s.L):
            y = applied(w, "low", plus(y, x), s)
        y = applied(w, "low", y, s)
    return y, [times(w["head.weight"], vector) for vector in y[s.slots :]]


def transformer_step(
    w: dict[str, Any], tokens: list[int], y: Sequence, s: Any
) -> tuple[Sequence, Sequence]:
    """One pass of a plain transformer over what it has in mind and x."""
    y = applied(w, "low", plus(y, embedded(w, tokens, s)), s)
    return y, [times(w["head.weight"], vector) for vector in y[s.slots :]]
