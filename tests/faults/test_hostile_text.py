"""Text made to be slow or deep is answered at once: with the right result or in one line."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from neuro import Network, NeuronModel, Population, simulate
from neuro.equations import shape, syntax
from neuro.errors import ConfigError, EmberError, EquationError
from neuro.units import ms
from sims.config import yaml_lines
from sims.config.yaml_lines import read_yaml
from tests.backends._plain import plain_kernels

TAU = {"tau": ms(10)}
CPU_S = 2.0


def answered(what: Callable[[], object]) -> str:
    """The refusal, or nothing; in less than two seconds of this process's own time."""
    begun, refusal = time.process_time(), ""
    try:
        what()
    except EmberError as error:
        refusal = str(error)
        assert "\n" not in refusal
    # A count of work and not of a clock: the faults took minutes.
    assert time.process_time() - begun < 10 * CPU_S
    return refusal


def test_aliases_of_many_lines_are_refused() -> None:
    text = "text: &t |\n" + "  v\n" * 1_000 + "".join(f"k{i}: *t\n" for i in range(101))
    assert "at most 100,000 values and lines" in answered(lambda: read_yaml(text, "x.yaml"))


def test_a_chain_of_aliases_is_refused_where_it_is_too_deep() -> None:
    chain = "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 300))
    assert "nested at most 100 levels" in answered(lambda: read_yaml(chain, "x.yaml"))
    doubled = "a0: &a0 [1]\n" + "".join(
        f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40)
    )
    assert "at most 100,000 values" in answered(lambda: read_yaml(doubled, "x.yaml"))
    with pytest.raises(ConfigError, match="nested"):
        read_yaml("a: " + "[" * 5_000 + "]" * 5_000, "x.yaml")


def test_a_long_list_is_refused_before_all_of_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading all of one of 4 MB would take a minute."""
    monkeypatch.setattr(yaml_lines, "_MOST_NODES", 2_000)
    text = "a:\n" + "- 1\n" * 2_000 + "- [\n"  # which is no YAML, and not reached
    assert "x.yaml:2000: a file may hold at most" in answered(lambda: read_yaml(text, "x.yaml"))


def test_some_aliases_are_fine() -> None:
    found = read_yaml("a: &a {x: 1}\nb: *a\nc: [*a, *a]\n", "x.yaml").data
    assert found == {"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}


def run(equations: str) -> int:
    model = NeuronModel("m", equations, threshold="v > 1", reset="v = 0", parameters=TAU)
    with plain_kernels():
        return len(simulate(Network("n", (Population("p", model, 2),)), duration_ms=20).spikes["p"])


def test_a_sum_of_400_terms_is_their_sum() -> None:
    """v goes from 0 to 2 in 10 ms and crosses 1 after tau ln 2 = 6.93 ms: twice in 20 ms."""
    terms = [f"{1 / 100} - 0*v" for _ in range(200)]
    equations = "dv/dt = (" + " + ".join(terms) + " - v)/tau : 1"
    assert run(equations) == 2 * int(20 / (10 * np.log(2)))


@pytest.mark.parametrize(
    "text",
    [
        "dv/dt = (" + "+".join(f"v*v*{k}" for k in range(400)) + " - v)/tau : 1",
        "\n".join(f"x{k} = {'+'.join(['v*v*2'] * 40)} : 1" for k in range(9))
        + "\ndv/dt = x1/tau : 1",
        "dv/dt = (" + "+".join(["v"] * 600) + " - v)/tau : 1",
    ],
)
def test_what_would_compile_for_more_than_20_s_is_refused(text: str) -> None:
    assert re.search("at most (1,500 names|500 terms)", answered(lambda: run(text)))


def test_many_long_statements_are_refused() -> None:
    text = "; ".join(["v = " + "+".join(["v"] * 90)] * 20)
    with pytest.raises(EquationError, match="at most 1,500 names"):
        syntax.parse_statements(text, "here")


def test_long_sums_leave_the_recursion_limit_of_the_process_alone() -> None:
    before = sys.getrecursionlimit()
    with shape.deep_calls():
        assert sys.getrecursionlimit() >= 20_000
    assert sys.getrecursionlimit() == before < 20_000
    with pytest.raises(EquationError, match="at most 500 terms"):
        syntax.check_text("+".join(["v"] * 501), "here")


@pytest.mark.parametrize(("text", "problem"), [
    ("dv/dt = (2-v)/tau : 1" + " " * 30_000 + "!", "at most 20,000 characters"),
    ("dv/dt = (2-v)/tau : 1" + " " * 15_000 + "!", "an equation must read"),
    ("dv/dt = (2-v)/tau : " + "a " * 9_000 + "!", "an equation must read"),
    ("dv/dt = " + "(" * 19_000, "an equation must read"),
    (f"dv/dt = {'(' * 300}v{')' * 300}/tau : 1", "cannot read the expression"),
    (f"dv/dt = ({'-' * 800}v)/tau : 1", "at most 100 levels"),
    ("dv/dt = (2-v)/tau * " + "1" * 4_000 + " : 1", "beyond 1e308"),
    ("dv/dt = (2-v)/tau * " + "1" * 5_000 + " : 1", "cannot read the expression"),
    ("dv/dt = (9**9**9**9 - v)/tau : 1", "not finite"),
    (f"d{'v' * 9_999}/dt = -{'v' * 9_999}/tau : 1", "at most 20,000 characters"),
    ("a0 = v : 1\n" + "\n".join(f"a{i} = a{i-1} + a{i-1} : 1" for i in range(1, 30))
     + "\ndv/dt = (a29 - v)/tau : 1", "subexpressions written out"),
    ("dv/dt = (" + "(" * 90 + "v" + "+0)" * 90 + ")/tau : 1", ""),
])  # fmt: skip
def test_hostile_equations_are_refused_by_name(text: str, problem: str) -> None:
    found = answered(lambda: run(text))
    assert problem in found
    assert len(found) <= 600
    assert bool(found) == bool(problem)


def test_sums_in_halves_hold_the_same_terms() -> None:
    text = " ".join(f"{'+-'[i % 2]} {i}*x" for i in range(301))
    halves = shape.with_shallow_sums(f"(y - ({text} - (x - ({text}))))/y")
    x, y = 3.0, 7.0
    long = sum((1 if i % 2 == 0 else -1) * i * x for i in range(301))
    expected = (y - (long - (x - long))) / y
    from neuro.equations.hoist import evaluate

    assert float(evaluate(halves, {"x": x, "y": y})) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(EquationError, match="at most 100 levels"):
        syntax.check_text("-" * 150 + "x", "here")
