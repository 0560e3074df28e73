"""A run of the tests draws what every other run draws; a search draws anew and keeps its finds."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests._shuffle import shuffle

ROOT = Path(__file__).parents[2]
CONFTEST = "from tests.conftest import *\n"
DRAWING = """
import pathlib
from hypothesis import given, settings, strategies as st
{imports}
drawn = []

@settings(max_examples=50)
@given(x=st.integers(), y=st.text(max_size=3))
def test_a(x, y):
    drawn.append((x, y))

def test_b():
    pathlib.Path("other").touch()

@settings(max_examples=50)
@given(x=st.integers())
def test_c(x):
    drawn.append(x)

def teardown_module():
    pathlib.Path("drawn").write_text(repr(sorted(map(repr, drawn))))
"""
FAILING = """
from hypothesis import given, strategies as st

@given(x=st.integers(), y=st.just("é"))
def test_small(x, y):
    assert x < 1000

@given(data=st.data())
def test_drawn_inside(data):
    assert data.draw(st.integers()) < 1000
"""


def run(folder: Path, text: str, *options: str, **environment: str) -> str:
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "test_it.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "-p", "_hypothesis_pytestplugin", "--rootdir=.", *options],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **environment,
             "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "INTERNALERROR" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stdout


def test_draws_repeat_but_in_a_search(tmp_path: Path) -> None:
    """Whichever modules are imported and whichever test runs first."""
    first = run(tmp_path, DRAWING.format(imports=""))
    drawn = (tmp_path / "drawn").read_text("utf-8")
    numbers = range(10**6, 10**9, 4_999_999)
    (tmp_path / "constants_here.py").write_text(
        "\n".join(f"a{k} = {k}" for k in numbers), encoding="utf-8"
    )
    imports = "import sys; sys.path.insert(0, '.'); import constants_here"
    second = run(tmp_path, DRAWING.format(imports=imports), "--shuffle", "3", CI="true")
    assert "3 passed" in first and "3 passed" in second
    assert (tmp_path / "drawn").read_text("utf-8") == drawn
    assert not (tmp_path / ".hypothesis" / "examples").exists()

    run(tmp_path, DRAWING.format(imports=""), "--hypothesis-profile=search", EMBER_FUZZ_TIMES="3")
    searched = (tmp_path / "drawn").read_text("utf-8")
    before, after = (len(ast.literal_eval(text)) for text in (drawn, searched))
    assert searched != drawn and after > 2 * before


def test_a_search_prints_what_to_keep(tmp_path: Path) -> None:
    printed = run(tmp_path, FAILING, "--hypothesis-profile=search", "--hypothesis-seed=1")
    kept = printed[printed.index("to keep above") :]
    line = kept[kept.index("@example(") : kept.index("\n)\n") + 2]
    blob = next(line for line in kept.splitlines() if line.startswith("@reproduce_"))
    again = FAILING.replace("import given,", f"import given, example, {blob[1 : blob.index('(')]},")
    again = again.replace("@given(x", f"{line}\n@given(x").replace("@given(d", f"{blob}\n@given(d")
    printed = run(tmp_path, again)
    assert "2 failed" in printed and "explicit example" in printed.lower()


@pytest.fixture
def items() -> list[Any]:
    names = [f"tests/{m}.py::test_{k}" for m in "abcdef" for k in range(8)]
    return [SimpleNamespace(nodeid=name) for name in names]


def test_a_shuffle_keeps_every_test_and_modules_together(items: list[Any]) -> None:
    before = [item.nodeid for item in items]
    orders = []
    for seed in ("1", "1", "2"):
        shuffled = list(items)
        shuffle(shuffled, seed)
        orders.append([item.nodeid for item in shuffled])
    assert orders[0] == orders[1] != orders[2]
    for order in orders:
        assert sorted(order) == sorted(before) and order != before
        modules = [name.partition("::")[0] for name in order]
        changes = sum(a != b for a, b in pairwise(modules))
        assert changes == len(set(modules)) - 1
    backwards = items[::-1]
    shuffle(backwards, "1")
    assert [item.nodeid for item in backwards] == orders[0]  # wherever collection began
