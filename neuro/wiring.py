"""Connection rules: who reaches whom. A rule is data; `edges` draws it reproducibly.

Random rules draw from `generator(seed, stream)`, a counter-based (Philox) stream that belongs
to one projection, so the result does not depend on the order in which projections are built.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from neuro.errors import NetworkError

__all__ = [
    "AllToAll", "Edges", "FixedInDegree", "FixedTotal", "Listed", "NearestCF", "OneToOne",
    "Pairwise", "Rule", "Site", "generator",
]  # fmt: skip


def generator(seed: int, *stream: str | int) -> np.random.Generator:
    """A generator that depends on the seed and the stream's name alone."""
    digest = hashlib.blake2b(repr((int(seed), *stream)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


class Site(NamedTuple):
    """One end of a projection, as a rule sees it."""

    name: str
    n: int
    coordinates: dict[str, NDArray[np.float64]]


class Edges(NamedTuple):
    """`(n_edges,)` indices of the source and target cells."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]


class Rule(Protocol):
    """Anything with `edges(pre, post, same, rng)`; `same` is true for a recurrent projection."""

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        """Draw the edges from `pre` to `post`."""
        ...


@dataclass(frozen=True)
class OneToOne:
    """Cell i reaches cell i; both sides must be of one size."""

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        if pre.n != post.n:
            raise NetworkError(
                f"one_to_one needs two populations of one size, "
                f"found {pre.name} with {pre.n} and {post.name} with {post.n}"
            )
        return Edges(np.arange(pre.n), np.arange(post.n))


@dataclass(frozen=True)
class AllToAll:
    """Every cell reaches every cell; never itself unless `autapses`."""

    autapses: bool = False

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        source = np.repeat(np.arange(pre.n), post.n)
        target = np.tile(np.arange(post.n), pre.n)
        return _without_autapses(source, target, same and not self.autapses)


@dataclass(frozen=True)
class Pairwise:
    """Each ordered pair is joined with one probability, independently."""

    probability: float
    autapses: bool = False

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        if not 0 <= self.probability <= 1:
            raise NetworkError(
                f"a connection probability must lie in 0..1, found {self.probability}"
            )
        pairs = pre.n * post.n
        # Geometric gaps between joined pairs: time and memory follow the edges, not the pairs.
        if self.probability >= 1:
            joined = np.arange(pairs)
        elif self.probability <= 0 or pairs == 0:
            joined = np.zeros(0, dtype=np.int64)
        else:
            parts, last = [], -1
            mean = pairs * self.probability
            block = int(mean + 6 * np.sqrt(mean) + 16)
            while last < pairs:
                # A gap past the last pair ends the search; uncut, tiny probabilities overflow.
                gaps = np.minimum(rng.geometric(self.probability, size=block), pairs + 1)
                positions = last + np.cumsum(gaps)
                parts.append(positions)
                last = int(positions[-1])
            joined = np.concatenate(parts)
            joined = joined[joined < pairs]
        source, target = np.divmod(joined, max(post.n, 1))
        return _without_autapses(source, target, same and not self.autapses)


@dataclass(frozen=True)
class FixedInDegree:
    """Every target hears `n` sources, drawn with replacement only if `multapses`."""

    n: int
    multapses: bool = False
    autapses: bool = False

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        no_self = same and not self.autapses
        available = pre.n - (1 if no_self else 0)
        if self.n > available and not self.multapses:
            raise NetworkError(
                f"fixed_in_degree needs {self.n} sources for each cell of {post.name}, found "
                f"{available} in {pre.name}; lower `n` or allow multapses"
            )
        target = np.repeat(np.arange(post.n), self.n)
        if self.multapses:
            drawn = rng.integers(0, available, size=(post.n, self.n))
        else:
            drawn = np.empty((post.n, self.n), dtype=np.int64)
            for cell in range(post.n):
                drawn[cell] = rng.choice(available, size=self.n, replace=False)
        if no_self:  # skip over the cell itself
            drawn += drawn >= np.arange(post.n)[:, None]
        return Edges(drawn.ravel(), target)


@dataclass(frozen=True)
class FixedTotal:
    """Exactly `n` edges, both ends drawn independently, with multapses."""

    n: int

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        return Edges(rng.integers(0, pre.n, size=self.n), rng.integers(0, post.n, size=self.n))


@dataclass(frozen=True)
class NearestCF:
    """Each target hears the `fan_in` sources of the nearest characteristic frequency.

    Both sides need the coordinate `cf_hz`; distance is counted in octaves. Among fibres of
    one frequency the draw is random, so that cells do not all share the same inputs.
    """

    fan_in: int

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        for site in (pre, post):
            if "cf_hz" not in site.coordinates:
                raise NetworkError(
                    f"nearest_cf needs the coordinate `cf_hz` on both sides, "
                    f"{site.name} has {sorted(site.coordinates) or 'none'}"
                )
        if self.fan_in > pre.n:
            raise NetworkError(
                f"nearest_cf needs {self.fan_in} sources, found {pre.n} in {pre.name}"
            )
        octaves_pre = np.log2(pre.coordinates["cf_hz"])
        octaves_post = np.log2(post.coordinates["cf_hz"])
        source = np.empty((post.n, self.fan_in), dtype=np.int64)
        for cell in range(post.n):
            shuffled = rng.permutation(pre.n)
            distance = np.abs(octaves_pre[shuffled] - octaves_post[cell])
            source[cell] = shuffled[np.argsort(distance, kind="stable")[: self.fan_in]]
        return Edges(source.ravel(), np.repeat(np.arange(post.n), self.fan_in))


@dataclass(frozen=True, eq=False)
class Listed:
    """Edges given one by one."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        source, target = np.asarray(self.source, np.int64), np.asarray(self.target, np.int64)
        for name, ends, site in (("source", source, pre), ("target", target, post)):
            if ends.size and (ends.min() < 0 or ends.max() >= site.n):
                raise NetworkError(
                    f"listed {name} cells must lie in 0..{site.n - 1} of {site.name}, "
                    f"found {ends.min()}..{ends.max()}"
                )
        return Edges(source, target)


def _without_autapses(source: NDArray[np.int64], target: NDArray[np.int64], drop: bool) -> Edges:
    if not drop:
        return Edges(source, target)
    keep = source != target
    return Edges(source[keep], target[keep])
