"""The page and the pictures of a training on puzzles."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from neuro.errors import StoreError
from sims.report import figures, write_report
from tests.reasoning._trained import TINY, run_config


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    steps = ("training.steps=6", "training.evaluate_every=2", f"output.cache={folder / 'cache'}")
    assert run_config(folder / "tiny.yaml", folder / "out", *steps)[0] == 0
    return folder / "out"


def test_the_page_says_what_the_result_says(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "out")
    page = write_report(tmp_path / "out").read_text("utf-8")
    result = json.loads((trained / "result.json").read_text("utf-8"))
    best = result["sets"]["best"]
    for words in (f"{best['right']} of {best['of']}", "Sudoku of 4 × 4", result["config_hash"],
                  "ember train tiny.yaml training.steps=6", "every step of thinking"):  # fmt: skip
        assert words in page, words
    pictures = {file.name for file in (tmp_path / "out" / "report_figures").iterdir()}
    assert pictures == {"learning-curves.png", "refined.png"}


def test_pictures_show_what_was_measured(trained: Path) -> None:
    result = json.loads((trained / "result.json").read_text("utf-8"))
    curves = figures.puzzle_curves(result)
    loss, solved, thought = curves.axes
    assert list(loss.lines[1].get_ydata()) == result["curve"]["test_loss"]
    assert list(solved.lines[2].get_ydata()) == result["curve"]["test_accuracy"]
    assert list(thought.lines[0].get_xdata()) == [2, 4, 6]
    board = figures.refined_board(result)
    puzzle = [text.get_text() for text in board.axes[0].texts]
    given = [str(token - 1) for token in result["example"]["puzzle"] if token > 1]
    assert [text for text in puzzle if text.isdigit()] == given
    last = [axis for axis in board.axes if axis.texts][-1]
    shown = [text.get_text() for text in last.texts if text.get_text().isdigit()]
    assert shown == [str(token - 1) for token in result["example"]["answer"] if token > 1]


def test_a_training_that_is_not_finished_says_so(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "out")
    (tmp_path / "out" / "result.json").unlink()
    with pytest.raises(StoreError, match="not finished"):
        write_report(tmp_path / "out")
    (tmp_path / "out" / "result.json").write_text(
        json.dumps({"format": "ember-training", "task": "puzzles", "name": "x"}), encoding="utf-8"
    )
    with pytest.raises(StoreError, match="must be a whole result"):
        write_report(tmp_path / "out")
