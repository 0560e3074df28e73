"""Connection rules: what each promises, for any size and seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from neuro.errors import NetworkError
from neuro.wiring import (
    AllToAll,
    Edges,
    FixedInDegree,
    FixedTotal,
    Listed,
    NearestCF,
    OneToOne,
    Pairwise,
    Rule,
    Site,
    generator,
)

SIZES = st.integers(1, 30)
SEEDS = st.integers(0, 2**40)


def draw(rule: Rule, n_pre: int, n_post: int, seed: int = 0, same: bool = False) -> Edges:
    pre, post = Site("pre", n_pre, {}), Site("post", n_post, {})
    return rule.edges(pre, post, same, generator(seed, "edges", "p"))


@given(SIZES, SIZES, SEEDS, st.floats(0, 1), st.booleans())
def test_pairwise_edges_are_in_range_unique_and_repeatable(
    n_pre: int, n_post: int, seed: int, p: float, same: bool
) -> None:
    n_post = n_pre if same else n_post
    edges = draw(Pairwise(p), n_pre, n_post, seed, same)
    assert ((edges.source >= 0) & (edges.source < n_pre)).all()
    assert ((edges.target >= 0) & (edges.target < n_post)).all()
    assert len(set(zip(edges.source, edges.target, strict=True))) == edges.source.size
    assert not (same and (edges.source == edges.target).any())
    again = draw(Pairwise(p), n_pre, n_post, seed, same)
    assert np.array_equal(edges.source, again.source)
    assert np.array_equal(edges.target, again.target)


def test_pairwise_joins_every_pair_with_the_same_probability() -> None:
    """200 draws over 20 x 20 pairs: uniform by chi-square; the mean within 5 standard errors."""
    counts = np.zeros((20, 20))
    for seed in range(200):
        edges = draw(Pairwise(0.3), 20, 20, seed)
        np.add.at(counts, (edges.source, edges.target), 1)
    n = counts.size * 200
    assert abs(counts.sum() - 0.3 * n) < 5 * np.sqrt(n * 0.3 * 0.7)
    spread = ((counts - 60) ** 2 / (200 * 0.3 * 0.7)).sum()  # chi-square with 400 degrees
    assert abs(spread - 400) < 5 * np.sqrt(2 * 400)
    assert chisquare(counts.sum(axis=0)).pvalue > 1e-4
    assert np.abs(counts - 60).max() < 6 * np.sqrt(200 * 0.3 * 0.7)  # the first pair and the last


@given(SIZES, SIZES, SEEDS, st.data())
def test_fixed_in_degree_gives_each_target_that_many(
    n_pre: int, n_post: int, seed: int, data: st.DataObject
) -> None:
    fan_in = data.draw(st.integers(0, n_pre))
    edges = draw(FixedInDegree(fan_in), n_pre, n_post, seed)
    assert (np.bincount(edges.target, minlength=n_post) == fan_in).all()
    assert len(set(zip(edges.source, edges.target, strict=True))) == edges.source.size


def test_fixed_in_degree_of_itself_leaves_itself_out() -> None:
    edges = draw(FixedInDegree(9), 10, 10, same=True)
    assert not (edges.source == edges.target).any()
    assert (np.bincount(edges.source) == 9).all()
    with pytest.raises(NetworkError, match="needs 10 sources"):
        draw(FixedInDegree(10), 10, 10, same=True)


@given(SIZES, SIZES, SEEDS, st.integers(0, 50))
def test_fixed_total_gives_that_many(n_pre: int, n_post: int, seed: int, n: int) -> None:
    edges = draw(FixedTotal(n), n_pre, n_post, seed)
    assert edges.source.size == edges.target.size == n


def test_ends_that_are_drawn_are_all_as_likely() -> None:
    """Chi-square over pairs of a fixed total, and over sources of a fixed in-degree."""
    edges = draw(FixedTotal(8000), 20, 20)
    pairs = np.zeros((20, 20))
    np.add.at(pairs, (edges.source, edges.target), 1)
    assert chisquare(pairs.ravel()).pvalue > 1e-4
    for rule in (FixedInDegree(10), FixedInDegree(10, multapses=True)):
        edges = draw(rule, 50, 400)
        assert chisquare(np.bincount(edges.source, minlength=50)).pvalue > 1e-4
        joined = len(set(zip(edges.source, edges.target, strict=True)))
        # Of ten draws from fifty with replacement, 50 (1 - 0.98^10) = 9.15 differ.
        expected = 50 * (1 - 0.98**10) if rule.multapses else 10
        assert joined == pytest.approx(400 * expected, rel=0.01)


def test_no_cell_of_any_block_of_rows_reaches_itself() -> None:
    """Rows are drawn in blocks; of 1,300 cells, some lie in the second block."""
    for rule in (Pairwise(0.01), Pairwise(1.0), AllToAll()):
        n = 1300 if rule == Pairwise(0.01) else 4
        edges = draw(rule, n, n, same=True)
        assert edges.source.max() == n - 1 and not (edges.source == edges.target).any()
    edges = draw(Pairwise(0.01, autapses=True), 1300, 1300, same=True)
    assert (edges.source == edges.target).any()


def test_all_to_all_and_one_to_one() -> None:
    assert draw(AllToAll(), 3, 4).source.size == 12
    assert draw(AllToAll(), 4, 4, same=True).source.size == 12
    assert draw(AllToAll(autapses=True), 4, 4, same=True).source.size == 16
    assert np.array_equal(draw(OneToOne(), 5, 5).source, np.arange(5))
    with pytest.raises(NetworkError, match="one size"):
        draw(OneToOne(), 5, 4)


def test_listed_edges_are_checked() -> None:
    edges = draw(Listed(np.array([0, 2]), np.array([1, 1])), 3, 2)
    assert list(edges.source) == [0, 2]
    with pytest.raises(NetworkError, match=r"0\.\.2 of pre, found 0\.\.3"):
        draw(Listed(np.array([0, 3]), np.array([1, 1])), 3, 2)


@pytest.mark.parametrize(
    ("source", "target", "problem"),
    [
        ([0, 10**30], [0, 1], "list of whole numbers"),
        ([0, 2**63], [0, 1], r"must lie in 0\.\.2 of"),
        ([0.5, 1], [0, 1], "list of whole numbers"),
        ([True, False], [0, 1], "list of whole numbers"),
        ([0, float("nan")], [0, 1], "list of whole numbers"),
        ([[0, 1]], [[0, 1]], "list of whole numbers"),
        ([0, 1], [0], "must be as many, found 2 and 1"),
    ],
)
def test_listed_cells_are_whole_numbers(source: list, target: list, problem: str) -> None:
    with pytest.raises(NetworkError, match=problem):
        draw(Listed(source, target), 3, 2)


@given(SEEDS)
def test_nearest_cf_takes_the_nearest_in_octaves(seed: int) -> None:
    pre = Site("nerve", 40, {"cf_hz": np.repeat(np.geomspace(200, 4000, 10), 4)})
    post = Site("cells", 7, {"cf_hz": np.geomspace(250, 3500, 7)})
    edges = NearestCF(3).edges(pre, post, False, generator(seed, "x"))
    for cell in range(7):
        mine = edges.source[edges.target == cell]
        assert len(set(mine)) == 3
        distance = np.abs(np.log2(pre.coordinates["cf_hz"] / post.coordinates["cf_hz"][cell]))
        assert np.allclose(np.sort(distance[mine]), np.sort(distance)[:3])


def test_nearest_cf_without_frequencies_says_so() -> None:
    with pytest.raises(NetworkError, match="`cf_hz` on both sides, pre has none"):
        draw(NearestCF(1), 3, 3)


def test_streams_are_their_own() -> None:
    first = generator(1, "edges", "a").random(4)
    assert np.array_equal(first, generator(1, "edges", "a").random(4))
    assert not np.array_equal(first, generator(1, "edges", "b").random(4))
    assert not np.array_equal(first, generator(2, "edges", "a").random(4))
