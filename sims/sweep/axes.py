"""From the axes of a sweep to its combinations of values, written as a config would give them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neuro.errors import ConfigError
from neuro.units import Quantity, parse_quantity
from neuro.wiring import generator
from sims.config.sweep import Axis, Drawn, End, Listed, Spaced

__all__ = ["combinations", "spaced", "surface"]


def combinations(
    vary: Mapping[str, Axis], *, combine: str, samples: int | None, seed: int
) -> list[dict[str, Any]]:
    """Every combination of values, in a fixed order.

    Args:
        vary: How each dotted key varies.
        combine: `grid`: the product, last key fastest, where the random keys together are one
            axis of `samples` joint draws; `zip`: the n-th value of each key, all of one
            length; `random`: `samples` times one independent draw of each key, lists included.
        samples: How often random keys are drawn.
        seed: Draws depend on it and on their key alone, not on the other keys.

    Raises:
        ConfigError: if `zip` finds lists of different lengths.
    """
    draws = samples or 1
    if combine == "random":
        columns = [_draw(key, axis, draws, seed) for key, axis in vary.items()]
        return [dict(zip(vary, row, strict=True)) for row in zip(*columns, strict=True)]
    fixed = {key: spaced(axis) for key, axis in vary.items() if not isinstance(axis, Drawn)}
    random = {key: axis for key, axis in vary.items() if isinstance(axis, Drawn)}
    if combine == "zip":
        return _zipped(vary, fixed, samples, seed)
    drawn = {key: _draw(key, axis, draws, seed) for key, axis in random.items()}
    joint = [dict(zip(drawn, row, strict=True)) for row in zip(*drawn.values(), strict=True)]
    points = []
    for row in itertools.product(*fixed.values()):
        for draw in joint or [{}]:
            values = dict(zip(fixed, row, strict=True)) | draw
            points.append({key: values[key] for key in vary})
    return points


def spaced(axis: Listed | Spaced) -> list[Any]:
    """The values of a list, `linspace` or `geomspace`, in order.

    >>> spaced(Spaced("10 nM", "30 nM", 3, logarithmic=False))
    ['10 nM', '20 nM', '30 nM']
    """
    if isinstance(axis, Listed):
        return list(axis.values)
    scale = _Scale(axis.first, axis.last)
    first, last = scale.numbers
    # The ends are given exactly; what lies between is rounded to what a person would write.
    if axis.n == 1:
        return [axis.first]
    if axis.logarithmic:
        numbers = np.exp(np.linspace(math.log(first), math.log(last), axis.n))
        numbers[0], numbers[-1] = first, last
    else:
        numbers = np.linspace(first, last, axis.n)
    return [scale.write(number) for number in numbers]


def _draw(key: str, axis: Axis, n: int, seed: int) -> list[Any]:
    rng = generator(seed, "sweep", key)
    if not isinstance(axis, Drawn):
        values = spaced(axis)
        return [values[index] for index in rng.integers(0, len(values), size=n)]
    scale = _Scale(axis.first, axis.second)
    first, second = scale.numbers
    if axis.distribution == "normal":
        numbers = rng.normal(first, second, n)
    elif axis.distribution == "uniform":
        numbers = rng.uniform(first, second, n)
    else:
        numbers = np.exp(rng.uniform(math.log(first), math.log(second), n))
    return [scale.write(number, keep_whole=False) for number in numbers]


def _zipped(
    vary: Mapping[str, Axis], fixed: Mapping[str, Sequence[Any]], samples: int | None, seed: int
) -> list[dict[str, Any]]:
    lengths = {key: len(values) for key, values in fixed.items()}
    if samples is not None:
        lengths["samples"] = samples
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{key}: {length}" for key, length in lengths.items())
        raise ConfigError(f"sweep.combine: zip needs keys with one number of values, found {found}")
    if not lengths:
        raise ConfigError("sweep.combine: zip of random keys needs `samples: n`, found none")
    n = next(iter(lengths.values()))
    columns = [fixed[key] if key in fixed else _draw(key, vary[key], n, seed) for key in vary]
    return [dict(zip(vary, row, strict=True)) for row in zip(*columns, strict=True)]


class _Scale:
    """The unit that values between two ends are written in: theirs, or its dimension's."""

    def __init__(self, first: object, second: object) -> None:
        ends = End.read(first), End.read(second)
        self.whole = all(end.whole for end in ends)
        if ends[0].unit == ends[1].unit:
            self.unit = ends[0].unit
            self.numbers = ends[0].number, ends[1].number
        else:
            self.unit = ends[0].dimension.unit
            self.numbers = surface(parse_quantity(first)), surface(parse_quantity(second))

    def write(self, number: float, keep_whole: bool = True) -> Any:
        # Twelve digits are far below any effect and keep 0.1 + 0.2 readable.
        rounded = float(f"{number:.12g}")
        if not self.unit:
            return int(rounded) if self.whole and keep_whole and rounded.is_integer() else rounded
        return f"{rounded:.12g} {self.unit}"


def surface(quantity: Quantity) -> float:
    """The number a person reads before the unit `quantity.dimension.unit`.

    >>> surface(parse_quantity("2 kHz"))
    2000.0
    """
    return float(quantity.text.partition(" ")[0])
