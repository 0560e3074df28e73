"""Simple readers beside the reasoner: what they find, what chooses, and what they never see."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bridges.features.tokens import TokenLayout
from sims.dataset.spike_dataset import read_spike_dataset
from sims.train.spikes.arms import permuted
from sims.train.spikes.readers import READERS, Divided, linear, mlp, permutations
from sims.train.spikes.results import validation_score
from sims.train.spikes.tensors import Seen

Train = Callable[..., tuple[int, str]]


def made(rule: str, *, seed: int = 1) -> Divided:
    """Two classes of points in ten dimensions: told apart by a line, by a parity, or not."""
    draw = np.random.default_rng(seed)

    def part(n: int) -> tuple[np.ndarray, np.ndarray]:
        points = draw.normal(size=(n, 10))
        labels = {
            "line": points[:, 0] > 0, "parity": (points[:, 0] > 0) ^ (points[:, 1] > 0),
            "nothing": draw.random(n) > 0.5,
        }[rule]  # fmt: skip
        return points, labels.astype(np.int64)

    return Divided(part(400), part(100), part(400), 2)


def right(answers: np.ndarray, data: Divided) -> float:
    return float(np.mean(answers == data.test[1]))


def test_a_line_is_found_by_both_and_a_parity_by_the_mlp() -> None:
    line, parity, nothing = (made(rule) for rule in ("line", "parity", "nothing"))
    assert right(linear(line), line) > 0.9 and right(mlp(line), line) > 0.9
    assert right(mlp(parity), parity) > 0.75
    assert right(linear(parity), parity) < 0.6  # no line tells it
    for reader in READERS.values():
        assert 0.4 < right(reader(nothing), nothing) < 0.6  # ± 4 standard errors of a fair coin


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_reader_never_sees_the_answers_of_the_test(reader: Callable[..., np.ndarray]) -> None:
    data = made("line")
    first = reader(data, seed=3)
    assert np.array_equal(first, reader(data, seed=3))
    hidden = replace(data, test=(data.test[0], 1 - data.test[1]))
    assert np.array_equal(first, reader(hidden, seed=3))
    half = replace(data, test=(data.test[0][:200], data.test[1][:200]))  # nor the other items
    assert np.array_equal(first[:200], reader(half, seed=3))
    wrong = replace(data, validation=(data.validation[0], 1 - data.validation[1]))
    assert right(reader(wrong, seed=3), data) <= right(
        first, data
    )  # what chooses is the validation


def test_no_reader_draws_from_a_global_generator() -> None:
    before = torch.random.get_rng_state()
    mlp(made("line"))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.fixture(scope="module")
def seen(undisturbed: Path, cache: Path) -> Seen:
    found = json.loads((undisturbed / "result.json").read_text("utf-8"))
    data = read_spike_dataset(cache / found["data"]["file"])
    return Seen.of(data, TokenLayout(n_channels=3, bin_ms=50.0, phase_parts=3), seed=3, bare=False)


def test_permutations_differ_and_leave_the_test_alone(seen: Seen) -> None:
    parts = {split: seen.data.where(split) for split in ("train", "validation", "test")}  # type: ignore[arg-type]
    labels = [permuted(seen, seed=3, number=number).numpy() for number in range(5)]
    given = seen.labels.numpy()
    assert len({tuple(one) for one in labels}) == 5
    for one in labels:
        assert np.array_equal(one[parts["test"]], given[parts["test"]])
        for split in ("train", "validation"):  # each class keeps its number in each part
            assert (
                np.bincount(one[parts[split]]).tolist() == np.bincount(given[parts[split]]).tolist()
            )
    found = permutations(seen, how_many=5, seed=3)
    for row in found.values():
        assert len(row["values"]) == row["n"] == 5
        assert row["mean"] == pytest.approx(np.mean(row["values"]), abs=1e-4)


def test_validation_chooses_the_step_and_the_result_says_so(undisturbed: Path) -> None:
    found: dict[str, Any] = json.loads((undisturbed / "result.json").read_text("utf-8"))
    log = [json.loads(line) for line in (undisturbed / "log.jsonl").read_text("utf-8").splitlines()]
    for arm, model in found["models"].items():
        points = [point for point in log if point["arm"] == arm]
        scores = [validation_score(point, 4) for point in points]
        assert scores == [point["score"] for point in points]
        chosen = max(range(len(points)), key=lambda k: (scores[k], k))
        assert model["step"] == points[chosen]["step"]
        # The points are measured with the whole budget, and so are the sets, at factor 1.
        assert model["sets"]["test"]["accuracy"] == pytest.approx(points[chosen]["test_accuracy"])
        assert model["last"]["accuracy"] == pytest.approx(points[-1]["test_accuracy"])
        best = max(point["test_accuracy"] for point in points)
        assert model["best_on_test"]["accuracy"] == pytest.approx(best)
    assert set(found["readers"]) == {"phase", "counts"} and found["chance"] == 0.5
    for readers in found["readers"].values():
        assert all(row["of"] == 6 for row in readers.values()) and set(readers) == set(READERS)
    assert all(len(row["values"]) == 2 for row in found["permutations"].values())


def test_the_command_and_the_report_show_every_row(
    train: Train, tmp_path: Path, undisturbed: Path
) -> None:
    from sims.report.write import write_report

    status, said = train(tmp_path / "short", "training.steps=2")
    assert status == 0
    shown = " ".join(said.split())
    for words in (
        "which validation chose; last step", "linear reader", "MLP reader", "2 permutations",
        "confidence interval of the mean", "prediction interval of another permutation",
        "chance: 50.0%", "always the commonest answer",
    ):  # fmt: skip
        assert words in shown, words
    page = write_report(undisturbed, tmp_path / "report.html").read_text("utf-8")
    for words in (
        "chosen by validation", "best on the test", "linear reader", "MLP reader", "permutations",
        "confidence interval of the mean", "prediction interval of another permutation",
        "speakers to choose by",
    ):  # fmt: skip
        assert words in page, words
