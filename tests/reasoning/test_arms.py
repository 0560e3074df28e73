"""The controls of a training on spikes: what each arm is denied, and that nothing else differs."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from bridges.features.tokens import TokenLayout
from neuro.errors import ConfigError
from sims.config import load
from sims.dataset.spike_dataset import read_spike_dataset
from sims.report.write import write_report
from sims.train.loop.trainer import Trainer
from sims.train.spikes.arms import ARMS, arm_data, shuffled_labels
from sims.train.spikes.results import comparisons
from sims.train.spikes.tensors import Seen

ALL = "arms=[timing, untimed, counts, shuffled]"
LAYOUT = TokenLayout(n_channels=3, bin_ms=50.0, phase_parts=3)
Train = Callable[..., tuple[int, str]]


def result(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "result.json").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def seen(undisturbed: Path, cache: Path) -> Seen:
    data = read_spike_dataset(cache / result(undisturbed)["data"]["file"])
    return Seen.of(data, LAYOUT, seed=3, bare=True)


@pytest.fixture(scope="module")
def trained(
    train: Train, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[dict[str, Any]]]:
    """A training of all arms, and what each of its trainers was given to begin with."""
    out, given = tmp_path_factory.mktemp("arms") / "training", []
    begin = Trainer.__init__

    def noted(self: Trainer, model: Any, source: Any, *rest: Any, **more: Any) -> None:
        weights = {name: part.clone() for name, part in model.state_dict().items()}
        given.append({"weights": weights, "inputs": source.inputs, "labels": source.labels})
        begin(self, model, source, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "__init__", noted)
        assert train(out, ALL, "training.steps=16")[0] == 0
    return out, given


def test_untimed_items_have_equal_counts_after_binning_and_other_timing(seen: Seen) -> None:
    met = arm_data("untimed", seen, seed=3)
    timed = LAYOUT.timed
    assert seen.tokens[..., ~timed].sum() > 0  # there are spikes
    assert torch.equal(met.tokens[..., ~timed], seen.tokens[..., ~timed])
    for split in ("train", "test"):
        for item in seen.data.where(split):
            assert not torch.equal(met.tokens[item][:, timed], seen.tokens[item][:, timed])
    assert torch.equal(met.tokens[seen.data.where("test")], seen.untimed)
    assert torch.equal(met.labels, seen.labels)


def test_untimed_is_fixed_for_an_item_and_follows_the_seed(seen: Seen) -> None:
    again, other = (Seen.of(seen.data, LAYOUT, seed=seed, bare=True) for seed in (3, 4))
    assert seen.bare is not None and again.bare is not None and other.bare is not None
    assert torch.equal(again.bare, seen.bare) and not torch.equal(other.bare, seen.bare)


def test_shuffled_labels_are_a_permutation_within_the_training_items_alone(seen: Seen) -> None:
    met = arm_data("shuffled", seen, seed=3)
    train, test = (torch.from_numpy(seen.data.where(split)) for split in ("train", "test"))
    assert not torch.equal(met.labels[train], seen.labels[train])
    assert torch.equal(met.labels[train].sort().values, seen.labels[train].sort().values)
    assert torch.equal(met.labels[test], seen.labels[test])
    assert torch.equal(met.tokens, seen.tokens)


def test_a_shuffle_moves_whole_labels_between_the_items_named() -> None:
    """With every label another number, a label from elsewhere would be seen."""
    labels, items = torch.arange(100), torch.arange(0, 100, 2)
    mixed = shuffled_labels(labels, items, seed=1)
    assert torch.equal(mixed[1::2], labels[1::2]) and torch.equal(labels, torch.arange(100))
    assert torch.equal(mixed[items].sort().values, items)
    assert int((mixed[items] == items).sum()) <= 5  # 1 is expected by chance; P(> 5) < 0.001
    assert not torch.equal(mixed, shuffled_labels(labels, items, seed=2))


def test_arms_differ_in_what_they_are_denied_and_in_nothing_else(
    trained: tuple[Path, list[dict[str, Any]]], seen: Seen
) -> None:
    out, given = trained
    found = result(out)["models"]
    assert list(found) == list(ARMS) and len(given) == 4
    timing = given[0]
    for arm, begun in zip(ARMS, given, strict=True):
        assert all(torch.equal(part, timing["weights"][name])
                   for name, part in begun["weights"].items()), arm  # fmt: skip
        assert torch.equal(begun["inputs"], timing["inputs"]) == (arm in {"phase", "shuffled"})
        assert torch.equal(begun["labels"], timing["labels"]) == (arm != "shuffled")
        assert found[arm]["curve"]["step"] == [8, 16]
        assert (out / found[arm]["file"]).is_file()
    blank: Tensor = given[2]["inputs"][..., LAYOUT.timed]
    assert not blank.any()
    assert torch.equal(
        given[1]["inputs"][..., :3], timing["inputs"][..., :3]
    )  # one scale of counts
    for arm in ("untimed", "counts"):  # neither has timing to lose in a test
        assert found[arm]["sets"]["untimed"] == found[arm]["sets"]["test"]


def test_arms_beside_it_change_nothing_in_a_model(
    train: Train, trained: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    assert train(tmp_path / "two", "training.steps=16")[0] == 0
    two, four = result(tmp_path / "two"), result(trained[0])
    assert list(two["models"]) == ["phase", "counts"]  # the default
    for arm in two["models"]:
        assert two["models"][arm] == four["models"][arm]
    assert two["comparison"] == four["comparison"]


def test_a_training_stopped_in_an_arm_goes_on_there(
    train: Train,
    trained: tuple[Path, list[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, advance = tmp_path / "stopped", Trainer.advance
    steps: list[int] = []

    def interrupted(self: Trainer) -> None:
        advance(self)
        steps.append(self.step)
        if len(steps) in {16 + 11, 48 + 3}:  # in the second arm, and in the fourth
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "advance", interrupted)
    for arm in ("11 of 16 steps of the model `untimed`", "3 of 16 steps of the model `shuffled`"):
        status, said = train(out, ALL, "training.steps=16")
        assert status == 130 and arm in " ".join(said.split())
    assert train(out, ALL, "training.steps=16")[0] == 0
    assert len(steps) == 64  # no step was done twice
    assert result(out)["models"] == result(trained[0])["models"]
    for arm in result(out)["models"].values():
        one, other = (load_file(where / arm["file"]) for where in (out, trained[0]))
        assert len(one) > 10 and all(torch.equal(one[name], other[name]) for name in one)


def test_the_report_shows_every_arm(
    trained: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    page = write_report(trained[0], tmp_path / "report.html").read_text("utf-8")
    for what in ARMS.values():
        assert f"<dt>{what}</dt>" in page and f">{what}</th>" in page
    for what in ("with counts alone", "with timing destroyed", "after learning shuffled labels"):
        assert what in page


def test_comparisons_are_corrected_for_their_number() -> None:
    labels = torch.zeros(20, dtype=torch.int64).numpy()
    right, wrong = labels, labels + 1
    some = labels.copy()
    some[:6] = 1
    found = comparisons({"phase": right, "counts": some, "shuffled": wrong}, labels)
    assert found["counts"] == {
        "phase_only": 6, "arm_only": 0,
        "p": pytest.approx(2 / 2**6), "p_holm": pytest.approx(2 / 2**6),
    }  # fmt: skip
    assert found["shuffled"]["p_holm"] == pytest.approx(2 * 2 / 2**20)


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        ("[counts]", "expected `timing` among them"),
        ("[timing, counts, counts]", "listed twice"),
        ("[timing, silent]", "arms"),
        ("[]", "arms"),
    ],
)
def test_arms_that_make_no_comparison_are_refused(tiny_config: Path, arms: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load(tiny_config, (f"arms={arms}",))


@pytest.mark.parametrize("name", ["digits_spikes", "digits_spikes_published"])
def test_the_bridged_digits_have_every_control(name: str) -> None:
    assert load(name).config.arms == ("timing", "untimed", "counts", "shuffled")
