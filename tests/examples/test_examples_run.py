"""Each example runs as its reader would run it, and leaves a picture that shows something."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_draws(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    plt.close("all")
    runpy.run_path(str(path), run_name="__main__")
    figures = [plt.figure(number) for number in plt.get_fignums()]
    assert figures
    for figure in figures:
        figure.canvas.draw()
        picture = np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
        assert len(np.unique(picture.reshape(-1, 4), axis=0)) > 20  # more than an empty frame
    plt.close("all")
    assert not list(tmp_path.iterdir()), "an example leaves nothing behind"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_explains_itself(path: Path) -> None:
    text = path.read_text()
    documentation = ast.get_docstring(ast.parse(text))
    assert documentation
    assert "===" in documentation  # the gallery's title
    assert len(text.splitlines()) <= 120
