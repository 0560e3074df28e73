"""Each example runs as its reader would run it, and leaves a picture that shows something."""

from __future__ import annotations

import ast
import io
import runpy
from pathlib import Path

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

    from sims.report.figures import Picture

    monkeypatch.chdir(tmp_path)
    plt.close("all")
    left = runpy.run_path(str(path), run_name="__main__")
    figures = [plt.figure(number) for number in plt.get_fignums()]
    figures += [value for value in left.values() if isinstance(value, Picture)]
    assert figures
    for figure in figures:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=60)
        picture = plt.imread(io.BytesIO(buffer.getvalue()))
        inked = (picture[..., :3].min(axis=-1) < 0.9).mean()
        assert inked > 0.02, "more than an empty frame"
    plt.close("all")
    assert not list(tmp_path.iterdir()), "an example leaves nothing behind"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_explains_itself(path: Path) -> None:
    text = path.read_text("utf-8")
    documentation = ast.get_docstring(ast.parse(text))
    assert documentation
    assert "===" in documentation  # the gallery's title
    assert len(text.splitlines()) <= 120
