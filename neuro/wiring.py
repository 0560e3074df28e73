"""Connection rules: who reaches whom. A rule is data; `edges` draws it reproducibly.

Random rules draw from `generator(seed, stream)`, a counter-based (Philox) stream that belongs
to one projection, so the result does not depend on the order in which projections are built.
"""

from __future__ import annotations

import hashlib
import reprlib
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro.errors import NetworkError
from neuro.ranges import flags, pure, whole_field
from neuro.units.declared import named
from neuro.units.gate import number_in
from neuro.units.number import refuse_masked

__all__ = [
    "AllToAll", "Edges", "FixedInDegree", "FixedTotal", "Listed", "NearestCF", "OneToOne",
    "Pairwise", "ROWS", "Rowwise", "Rule", "Site", "generator",
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


ROWS = 256
"""Sources whose edges a `Rowwise` rule draws from one generator."""


class Rule(Protocol):
    """A connection rule; `same` is true for a recurrent projection."""

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        """Draw the edges from `pre` to `post`."""
        ...

    def expected(self, pre: Site, post: Site, same: bool) -> float:
        """About how many edges `edges` will give."""
        ...


@runtime_checkable
class Rowwise(Rule, Protocol):
    """A rule that can draw the edges of some sources without those of the others."""

    def begin(self, pre: Site, post: Site, rng: np.random.Generator) -> object:
        """What all rows need to know, drawn once."""
        ...

    def row(
        self, pre: Site, post: Site, same: bool, begun: object, first: int, last: int,
        rng: np.random.Generator,
    ) -> Edges:  # fmt: skip
        """Edges of sources `first` up to `last`, sorted by source, which counts from `first`."""
        ...


def _all_rows(rule: Rowwise, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
    """All edges of a rule that draws by rows, from one generator."""
    begun = rule.begin(pre, post, rng)
    parts = [(first, min(first + ROWS, pre.n)) for first in range(0, pre.n, ROWS)]
    rows = [(first, rule.row(pre, post, same, begun, first, last, rng)) for first, last in parts]
    none = [np.zeros(0, np.int64)]
    return Edges(
        np.concatenate(none + [first + row.source for first, row in rows]),
        np.concatenate(none + [row.target for _, row in rows]),
    )


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

    def expected(self, pre: Site, post: Site, same: bool) -> float:
        return float(pre.n)


@dataclass(frozen=True)
class AllToAll:
    """Every cell reaches every cell; never itself unless `autapses`."""

    autapses: bool = False

    def __post_init__(self) -> None:
        flags(self, "autapses")

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        return _all_rows(self, pre, post, same, rng)

    def expected(self, pre: Site, post: Site, same: bool) -> float:
        return float(pre.n) * post.n

    def begin(self, pre: Site, post: Site, rng: np.random.Generator) -> object:
        return None

    def row(
        self, pre: Site, post: Site, same: bool, begun: object, first: int, last: int,
        rng: np.random.Generator,
    ) -> Edges:  # fmt: skip
        source = np.repeat(np.arange(last - first), post.n)
        target = np.tile(np.arange(post.n), last - first)
        return _without_autapses(source, target, first, same and not self.autapses)


@dataclass(frozen=True)
class Pairwise:
    """Each ordered pair is joined with one probability, independently."""

    probability: float
    autapses: bool = False

    def __post_init__(self) -> None:
        pure(self, "probability")
        flags(self, "autapses")
        if not 0 <= self.probability <= 1:
            raise NetworkError(
                f"Pairwise: `probability` must lie in 0..1, found {self.probability}"
            )

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        return _all_rows(self, pre, post, same, rng)

    def expected(self, pre: Site, post: Site, same: bool) -> float:
        return float(pre.n) * post.n * self.probability

    def begin(self, pre: Site, post: Site, rng: np.random.Generator) -> object:
        return None

    def row(
        self, pre: Site, post: Site, same: bool, begun: object, first: int, last: int,
        rng: np.random.Generator,
    ) -> Edges:  # fmt: skip
        pairs = (last - first) * post.n
        # Geometric gaps between joined pairs: time and memory follow the edges, not the pairs.
        if self.probability >= 1:
            joined = np.arange(pairs)
        elif self.probability <= 0 or pairs == 0:
            joined = np.zeros(0, dtype=np.int64)
        else:
            parts, reached = [], -1
            mean = pairs * self.probability
            block = int(mean + 6 * np.sqrt(mean) + 16)
            while reached < pairs:
                # A gap past the last pair ends the search; uncut, tiny probabilities overflow.
                gaps = np.minimum(rng.geometric(self.probability, size=block), pairs + 1)
                positions = reached + np.cumsum(gaps)
                parts.append(positions)
                reached = int(positions[-1])
            joined = np.concatenate(parts)
            joined = joined[joined < pairs]
        source, target = np.divmod(joined, max(post.n, 1))
        return _without_autapses(source, target, first, same and not self.autapses)


@dataclass(frozen=True)
class FixedInDegree:
    """Every target hears `n` sources, drawn with replacement only if `multapses`."""

    n: int
    multapses: bool = False
    autapses: bool = False

    def __post_init__(self) -> None:
        whole_field(self, "n")
        flags(self, "multapses", "autapses")

    def expected(self, pre: Site, post: Site, same: bool) -> float:
        return float(self.n) * post.n

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        no_self = same and not self.autapses
        available = pre.n - (1 if no_self else 0)
        if self.n > available and (available < 1 or not self.multapses):
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

    def __post_init__(self) -> None:
        whole_field(self, "n")

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        return _all_rows(self, pre, post, same, rng)

    def expected(self, pre: Site, post: Site, same: bool) -> float:
        return float(self.n)

    def begin(self, pre: Site, post: Site, rng: np.random.Generator) -> object:
        """`(pre.n,)` how many edges each source has."""
        return rng.multinomial(self.n, np.full(pre.n, 1 / pre.n)) if pre.n else np.zeros(0, int)

    def row(
        self, pre: Site, post: Site, same: bool, begun: object, first: int, last: int,
        rng: np.random.Generator,
    ) -> Edges:  # fmt: skip
        counts = np.asarray(begun)[first:last]
        target = rng.integers(0, post.n, size=int(counts.sum()), dtype=np.uint32)
        return Edges(np.repeat(np.arange(last - first), counts), target.astype(np.int64))


@dataclass(frozen=True)
class NearestCF:
    """Each target hears the `fan_in` sources of the nearest characteristic frequency.

    Both sides need the coordinate `cf_hz`; distance is counted in octaves. Among fibres of
    one frequency the draw is random, so that cells do not all share the same inputs.
    """

    fan_in: int

    def __post_init__(self) -> None:
        whole_field(self, "fan_in")

    def expected(self, pre: Site, post: Site, same: bool) -> float:
        return float(self.fan_in) * post.n

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        octaves_pre, octaves_post = _octaves(pre), _octaves(post)
        if self.fan_in > pre.n:
            raise NetworkError(
                f"nearest_cf needs {self.fan_in} sources, found {pre.n} in {pre.name}"
            )
        source = np.empty((post.n, self.fan_in), dtype=np.int64)
        for cell in range(post.n):
            shuffled = rng.permutation(pre.n)
            distance = np.abs(octaves_pre[shuffled] - octaves_post[cell])
            source[cell] = shuffled[np.argsort(distance, kind="stable")[: self.fan_in]]
        return Edges(source.ravel(), np.repeat(np.arange(post.n), self.fan_in))


def _octaves(site: Site) -> NDArray[np.float64]:
    """`(n,)` characteristic frequencies on a scale of octaves."""
    if "cf_hz" not in site.coordinates:
        raise NetworkError(
            f"nearest_cf needs the coordinate `cf_hz` on both sides, "
            f"{site.name} has {sorted(site.coordinates) or 'none'}"
        )
    gate = named(lambda given: number_in(given, "hz"), f"`cf_hz` of {site.name}")
    cf_hz = np.asarray(gate(site.coordinates["cf_hz"]), np.float64)
    if cf_hz.shape != (site.n,) or not ((cf_hz > 0) & (cf_hz < np.inf)).all():
        raise NetworkError(
            f"nearest_cf needs {site.n} frequencies above 0 as `cf_hz` of {site.name}, "
            f"found {reprlib.repr(cf_hz.tolist())}"
        )
    return np.log2(cf_hz)


@dataclass(frozen=True, eq=False)
class Listed:
    """Edges given one by one."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]

    def expected(self, pre: Site, post: Site, same: bool) -> float:
        return float(np.size(self.source))

    def edges(self, pre: Site, post: Site, same: bool, rng: np.random.Generator) -> Edges:
        source, target = _listed("source", self.source, pre), _listed("target", self.target, post)
        if source.shape != target.shape:
            raise NetworkError(
                f"listed source and target cells must be as many, found {source.size} and "
                f"{target.size}"
            )
        return Edges(source, target)


def _listed(end: str, cells: ArrayLike, site: Site) -> NDArray[np.int64]:
    """Cell numbers as they are; a mask or a fraction is refused instead of cut to a number."""
    refuse_masked(cells)
    found = np.asarray(cells)
    if not found.size:
        return np.zeros(0, np.int64)
    if found.dtype.kind not in "iuf" or found.ndim != 1 or not (found % 1 == 0).all():
        raise NetworkError(
            f"listed {end} cells must be a list of whole numbers, found {reprlib.repr(cells)}"
        )
    if found.min() < 0 or found.max() >= site.n:
        raise NetworkError(
            f"listed {end} cells must lie in 0..{site.n - 1} of {site.name}, "
            f"found {found.min()}..{found.max()}"
        )
    return found.astype(np.int64)


def _without_autapses(
    source: NDArray[np.int64], target: NDArray[np.int64], first: int, drop: bool
) -> Edges:
    if not drop:
        return Edges(source, target)
    keep = source + first != target
    return Edges(source[keep], target[keep])
