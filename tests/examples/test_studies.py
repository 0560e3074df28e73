"""A study trains its variants, goes on where it was stopped, and refuses what is not its own."""

from __future__ import annotations

import fcntl
import importlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
TINY = (
    "data.size=4", "data.train=40", "data.test=24", "data.augment=2", "data.clues=[4,8]",
    "reasoner.hidden=16", "reasoner.budget=3", "training.steps=3", "training.batch=8",
    "training.evaluate_every=1", "evaluation.validation=8",
)  # fmt: skip


@pytest.fixture(scope="module")
def script() -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of `benchmarks/` or `docs/` by its name."""
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield importlib.import_module


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, script) -> Path:
    """Two variants over two seeds, one of which was trained by an earlier start."""
    folder = tmp_path_factory.mktemp("study")

    def study(*options: str) -> None:
        script("trainings").main([
            "sudoku6_ablations", *TINY, "--only", "TRM", "--only", "T=1",
            "--out", str(folder / "runs"), "--docs", str(folder / "docs"), *options,
        ])  # fmt: skip

    study("--seeds", "1")
    done = sorted((folder / "runs").rglob("result.json"))
    assert len(done) == 2
    before = [path.stat().st_mtime_ns for path in done]
    study("--seeds", "2", "--save")
    assert [path.stat().st_mtime_ns for path in done] == before  # finished ones are left alone
    return folder


def saved(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "docs/results/sudoku6_ablations.json").read_text("utf-8"))


def test_values_are_those_of_the_trainings(trained: Path) -> None:
    found, runs = saved(trained), trained / "runs/sudoku6_ablations"
    assert [row["variant"] for row in found["rows"]] == ["TRM", "TRM", "T=1", "T=1"]
    for row in found["rows"]:
        which = {"whole budget": "best", "may halt": "halting"}[row["score"]]
        files = [runs / row["variant"] / f"seed{seed}/result.json" for seed in (1, 2)]
        results = [json.loads(file.read_text("utf-8")) for file in files]
        assert row["values"] == [result["sets"][which]["accuracy"] for result in results]
        assert row["items"] == [16, 16]  # 24, less 8 that choose the weights
        assert row["parameters"] == found["rows"][0]["parameters"]
    attempts = (runs / "attempts.jsonl").read_text("utf-8").splitlines()
    assert len(attempts) == 8  # a start and an end of each: no training was done twice
    for one in found["trainings"]:
        assert one["whole"] and one["attempts"] == 1 and one["cpu_s"] > 0
    assert len({one["config_hash"] for one in found["trainings"]}) == 4
    halted = found["inside"]["halting"]
    assert sum(halted["right"]) + sum(halted["wrong"]) == 16
    assert np.array(found["inside"]["latent"]["paths"]).shape == (16, 3, 2)


def test_the_page_shows_them_and_how_to_do_it_again(trained: Path) -> None:
    text, found = (trained / "docs/results.md").read_text("utf-8"), saved(trained)
    assert found["command"] in text and "--save" in found["command"]
    assert str(trained) not in text + json.dumps(found)
    assert "Not measured yet: `python benchmarks/trainings.py maze --save`" in text
    assert "Trained on `source: sudoku, size: 4, train: 40," in text
    assert " for 3 steps of 8 " in text
    assert found["note"] in text and "| CPU time of a training |" in text
    for name in ("curves", "refined", "halting", "latent"):
        assert f"(images/results_sudoku6_ablations_{name}.png)" in text
        picture = trained / f"docs/images/results_sudoku6_ablations_{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 5000


def test_a_result_that_is_not_the_trainings_own_is_refused(
    trained: Path, tmp_path: Path, script
) -> None:
    runs, results, plan = script("_study_run"), script("_study_result"), script("_studies").STUDIES
    out = tmp_path / "sudoku6_ablations"
    shutil.copytree(trained / "runs/sudoku6_ablations", out)
    one, *_ = runs.trainings(plan["sudoku6_ablations"], out, seeds=1, changes=TINY)
    whole = results.read_result(one)
    file = one.folder / "result.json"
    for wrong in (
        {"seed": 2}, {"config_hash": "0" * 16}, {"format": "other"},
        {"sets": {**whole["sets"], "best": {"right": 20, "of": 16}}}, {"sets": {}},
    ):  # fmt: skip
        file.write_text(json.dumps(whole | wrong), encoding="utf-8")
        with pytest.raises(SystemExit, match="must be the result of TRM, seed 1"):
            results.read_result(one)
    file.write_text(json.dumps(whole)[:-20], encoding="utf-8")
    with pytest.raises(SystemExit, match="must be the result of TRM, seed 1"):
        results.read_result(one)


def test_a_saved_file_whose_figures_cannot_be_is_refused(
    trained: Path, tmp_path: Path, script
) -> None:
    from neuro.errors import StoreError

    page, found = script("_results"), saved(trained)
    file = tmp_path / "results/sudoku6_ablations.json"
    file.parent.mkdir()
    file.write_text(json.dumps(found), encoding="utf-8")
    assert page.read(file) == found
    row = found["rows"][0]
    for wrong in (
        {"version": 2}, {"study": "maze"}, {"rows": [{**row, "mean": row["mean"] + 0.01}]},
        {"rows": [{**row, "values": [0.0]}]},
        {"rows": [{**row, "values": [2.0, 2.0], "mean": 2.0}]},
        {"trainings": []}, {"asked": None},
    ):  # fmt: skip
        file.write_text(json.dumps(found | wrong), encoding="utf-8")
        with pytest.raises(StoreError, match=r"must be saved by benchmarks/trainings\.py"):
            page.page(tmp_path)


def test_a_training_that_is_still_at_work_is_not_started_again(tmp_path: Path, script) -> None:
    runs, plan = script("_study_run"), script("_studies").STUDIES
    wanted = runs.trainings(plan["sudoku4"], tmp_path, seeds=1)
    lock = wanted[0].folder.with_suffix(".lock")
    lock.parent.mkdir(parents=True)
    with lock.open("w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SystemExit, match="still at work"):
            runs.train_all(wanted, tmp_path)
    assert not wanted[0].folder.exists()


def test_the_interval_is_students_and_none_where_no_spread_is_known(script) -> None:
    over_seeds = script("_study_result").over_seeds
    # t(0.975, 2) = 4.3027; the deviation is 0.1, so 0.5 ± 4.3027 · 0.1 / √3.
    assert over_seeds([0.4, 0.5, 0.6])["interval"] == pytest.approx([0.2516, 0.7484], abs=1e-4)
    # One more seed: 0.5 ± 4.3027 · 0.1 · √(1 + 1/3).
    found = over_seeds([0.4, 0.5, 0.6], -1.0, 2.0)
    assert found["prediction"] == pytest.approx([0.0032, 0.9968], abs=1e-4)
    assert over_seeds([0.8, 0.9, 1.0])["interval"][1] == 1.0
    for unknown in ([0.9], [1.0, 1.0]):
        found = over_seeds(unknown)
        assert found["interval"] is None and found["prediction"] is None


def test_a_prediction_interval_holds_one_more_value_as_often_as_it_says() -> None:
    """Drawn from a normal distribution: 95 % of next values, and far fewer for the mean's."""
    from sims.train.statistics import mean_interval

    draw, held = np.random.default_rng(5), {"interval": 0, "prediction": 0}
    for _ in range(2000):
        *values, following = draw.normal(size=6).tolist()
        found = mean_interval(values)
        for name in held:
            low, high = found[name]
            held[name] += low <= following <= high
    assert 0.93 < held["prediction"] / 2000 < 0.97  # ± 4 standard errors of 0.95
    assert held["interval"] / 2000 < 0.75
    # By hand: mean 4, deviation sqrt(26/3), Student's 3.182 for three degrees of freedom.
    spread = 3.182446 * np.sqrt(26 / 3)
    found = mean_interval([1.0, 3.0, 4.0, 8.0])
    for name, share in (("prediction", 1 + 1 / 4), ("interval", 1 / 4)):
        wide = spread * np.sqrt(share)
        assert found[name] == pytest.approx([4 - wide, 4 + wide], abs=1e-4)


def test_components_are_those_of_a_plane_that_is_known(script) -> None:
    draw = np.random.default_rng(1)
    plane, _ = np.linalg.qr(draw.normal(size=(30, 2)))
    flat = draw.normal(size=(5, 4, 2)) * (3.0, 1.0)
    paths, share = script("_study_inside").principal(flat @ plane.T + 7.0)
    assert share.sum() == pytest.approx(1.0) and share[0] > share[1]
    apart = [np.linalg.norm(x[:, :, None] - x[:, None], axis=-1) for x in (paths, flat)]
    assert np.allclose(*apart)
    _, spread = script("_study_inside").principal(draw.normal(size=(50, 4, 30)))
    assert spread.sum() < 0.3  # noise lies in no plane


def test_the_hardest_puzzle_shown_is_one_that_was_solved_late(script) -> None:
    hardest = script("_study_inside").hardest
    never, early, lost, late = [0, 0, 0], [1, 1, 1], [1, 1, 0], [1, 0, 1]
    assert hardest(np.array([never, early, lost, late, early], dtype=bool).T) == 3
    assert hardest(np.array([lost, never, early], dtype=bool).T) == 2
    assert hardest(np.array([lost, never], dtype=bool).T) == 0


def test_variants_have_as_many_parameters_and_the_page_knows_every_study(script) -> None:
    from bridges.reasoning.reasoner import build, parameter_count
    from sims.config import load
    from sims.puzzles.puzzle_set import PuzzleFormat
    from sims.train.puzzles.model import settings_of

    studies = script("_studies").STUDIES
    assert tuple(studies) == script("_results").ORDER
    counts = {}
    for name, changes in studies["sudoku6_ablations"].variants.items():
        config = load("sudoku6", changes).config
        counts[name] = parameter_count(
            build(settings_of(config, PuzzleFormat("sudoku", 6, 6, 8, box=(2, 3))))
        )
    assert max(counts.values()) <= 1.02 * min(counts.values())  # as the page's note says
    mixed = {
        name: counts[name]
        for name in counts
        if name not in ("TRM by attention", "HRM", "transformer")
    }
    assert max(mixed.values()) - min(mixed.values()) <= 97  # q_continue: one row and its bias
    assert len(counts) == 9
    assert all(load(study.config).kind == "train" for study in studies.values())


def test_controls_are_compared_with_what_they_control_for(tmp_path: Path, script) -> None:
    from sims.config import load

    study, plan = script("_study_result"), script("_studies").STUDIES
    wanted = script("_study_run").trainings(plan["digits_spikes"], tmp_path, seeds=2)
    simple = {"linear": {"right": 5, "of": 10, "parameters": 30},
              "mlp": {"right": 6, "of": 10, "parameters": 90}}  # fmt: skip
    for one, counts in zip(wanted, (8, 6), strict=True):
        right = {"phase": 7, "untimed": 7, "counts": counts, "shuffled": 1}
        arms = {
            arm: {"sets": {name: {"right": n - (name == "untimed"), "of": 10}
                           for name in ("test", "untimed")},
                  "curve": {"step": [1], "test_accuracy": [n / 10], "validation_accuracy": [0.25]}}
            for arm, n in right.items()
        }  # fmt: skip
        one.folder.mkdir(parents=True)
        (one.folder / "result.json").write_text(json.dumps({
            "format": "ember-training", "version": 1, "seed": one.seed, "models": arms,
            "config_hash": load(one.config, one.overrides).hash, "reasoner": {"parameters": 5},
            "git_commit": "", "created": "", "versions": {},
            "readers": {"phase": simple, "counts": simple},
            "baseline": {"test": {"right": 1, "of": 10}},
            "permutations": {"linear": {"values": [0.0, 0.1, counts / 20], "of": 10}},
        }), encoding="utf-8")  # fmt: skip
    found = study.collected(wanted, {one.name: {} for one in wanted})
    means = {row["score"]: row["mean"] for row in found["rows"]}
    assert means == {
        "counts and timing": 0.7, "timing destroyed, counts equal": 0.7, "counts alone": 0.7,
        "shuffled labels": 0.1, "counts and timing, which tests destroy": 0.6,
        "linear reader, counts and timing": 0.5, "MLP reader, counts and timing": 0.6,
        "linear reader, counts alone": 0.5, "MLP reader, counts alone": 0.6,
        "always the commonest answer": 0.1, "linear reader, permuted labels": 0.15,
    }  # fmt: skip
    parameters = {row["score"]: row["parameters"] for row in found["rows"]}
    assert parameters["counts alone"] == 5 and parameters["MLP reader, counts alone"] == 90
    assert parameters["always the commonest answer"] == 0
    permuted = found["rows"][-1]
    assert permuted["values"] == [0.0, 0.1, 0.4, 0.0, 0.1, 0.3]  # of each permutation of each seed
    assert permuted["each"] == "permutation" and "difference" not in permuted
    assert all(curve["solved"] == [0.25] for curve in found["curves"])  # what chooses is drawn
    first, *others = found["rows"]
    assert "difference" not in first and found["compared_with"] == first["score"]
    paired = {row["score"]: row["difference"]["values"] for row in others if "difference" in row}
    assert paired["counts alone"] == pytest.approx([0.1, -0.1])
    assert paired["shuffled labels"] == pytest.approx([-0.6, -0.6])
