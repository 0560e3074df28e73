"""The sorted edge tables hold every edge once, at its target, under its delay, for any blocks."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro import Network, Population, Projection, Uniform
from neuro.backends.numba.kernel import Kernel
from neuro.backends.numba.tables import Table
from neuro.build import build
from neuro.models import LIF
from neuro.synapses import EXPONENTIAL_CURRENT
from neuro.units import ms, pA
from neuro.wiring import AllToAll, FixedInDegree, FixedTotal, Pairwise, Rule


def network(sizes: tuple[int, int], rule: Rule, longest: float, weight: object) -> Network:
    a, b = (Population(name, LIF, n) for name, n in zip("ab", sizes, strict=True))
    return Network(
        "pair", (a, b),
        projections=tuple(
            Projection(f"{pre}{post}", pre, post, EXPONENTIAL_CURRENT, rule, weight,
                       Uniform(ms(0.1), ms(longest)))
            for pre in "ab" for post in "ab"
        ),
    )  # fmt: skip


def edges_of(table: Table, kernel: Kernel) -> np.ndarray:
    """(sender, delay, target, weight) of all edges, sorted; targets numbered as senders are."""
    layout, found = kernel._layout, []
    for b, block in enumerate(layout.blocks):
        owner = np.full(block.S.size, -1)
        for k, name in enumerate(layout.rows):
            at = layout.address(k, name, "I_syn__p1")[b]
            low, high = layout.bounds[name][b : b + 2]
            owner[at : at + high - low] = layout.senders[name] + np.arange(low, high)
        for sender in range(table.n_senders):
            for s in range(table.pointer[b][sender], table.pointer[b][sender + 1]):
                start, delay = table.segment[b][s]
                if delay:
                    end = table.segment[b][s + 1, 0]
                    for e in range(start, end):
                        found.append((sender, delay, owner[table.target[e]], table.weight[e]))
    return np.array(sorted(found))


@settings(max_examples=12)
@given(
    sizes=st.tuples(st.integers(1, 300), st.integers(1, 90)),
    rule=st.sampled_from([Pairwise(0.05), FixedTotal(400), AllToAll(), FixedInDegree(3, True)]),
    longest=st.sampled_from([0.1, 3.0, 900.0]),  # one bucket, counted, sorted
    blocks=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_a_table_holds_every_edge_once(
    sizes: tuple[int, int], rule: Rule, longest: float, blocks: int, seed: int
) -> None:
    weight = Uniform(pA(1), pA(2))
    built = build(network(sizes, rule, longest, weight), seed=seed, dt_ms=0.1)
    kernel = Kernel(built, blocks, [], 1.0, np.float32)
    first = {"a": 0, "b": sizes[0]}
    expected = np.array(sorted(
        (first[p.pre.name] + s, d, first[p.post.name] + t, np.float32(w))
        for p in built.projections
        for s, d, t, w in zip(p.source, p.delay_steps, p.target, p.weight, strict=True)
    ))  # fmt: skip
    np.testing.assert_array_equal(edges_of(kernel._tables[0], kernel), expected)


def test_edges_do_not_depend_on_the_order_in_which_rows_are_drawn() -> None:
    built = build(network((700, 300), Pairwise(0.02), 2.0, pA(1)), seed=1, dt_ms=0.1)
    again = build(network((700, 300), Pairwise(0.02), 2.0, pA(1)), seed=1, dt_ms=0.1)
    projection, other = built.projections[0], again.projections[0]
    backwards = [other.row(k) for k in reversed(range(other.n_rows))][::-1]
    for k, row in enumerate(backwards):
        for mine, theirs in zip(projection.row(k), row, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert projection.edges_in(k) == row.target.size
