"""A training from end to end: what it leaves, and that stopping it changes nothing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from neuro.errors import StoreError
from neuro.recording import Course, Recording
from sims.dataset.spike_dataset import read_spike_dataset
from sims.result import Provenance, Run
from sims.store import write_run
from sims.train import load_model
from sims.train.loop.trainer import Trainer
from sims.train.session.folder import TrainingFolder
from tests.reasoning._trained import PATIENCE_S, run_config, server

EXACT = (
    "checkpoint_phase", "checkpoint_counts", "model", "model_counts", "best_phase", "best_counts"
)  # fmt: skip
Train = Callable[..., tuple[int, str]]


def result(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "result.json").read_text("utf-8"))
    return found


def assert_bit_identical(one: Path, other: Path) -> None:
    for name in EXACT:
        a, b = (load_file(out / f"{name}.safetensors") for out in (one, other))
        assert a.keys() == b.keys() and len(a) > 10
        for key in a:
            assert a[key].dtype == b[key].dtype
            assert torch.equal(a[key], b[key]), f"{name}: {key}"
    assert (one / "log.jsonl").read_text("utf-8") == (other / "log.jsonl").read_text("utf-8")
    assert result(one)["models"] == result(other)["models"]
    assert result(one)["comparison"] == result(other)["comparison"]


def test_the_same_training_twice_is_bit_identical(
    train: Train, undisturbed: Path, tmp_path: Path
) -> None:
    assert train(tmp_path / "again")[0] == 0
    assert_bit_identical(undisturbed, tmp_path / "again")


def test_another_seed_gives_other_weights(train: Train, undisturbed: Path, tmp_path: Path) -> None:
    train(tmp_path / "other", "training.steps=2", "seed=4")
    train(tmp_path / "same", "training.steps=2")
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("same", "other"))
    assert not torch.equal(one["model.inputs.sense.weight"], other["model.inputs.sense.weight"])


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _killed(where: str, config: Path, cache: Path, out: Path) -> None:
    """A training in a process of its own, which ends in the middle of something."""
    log, replace = TrainingFolder.log, os.replace

    def log_and_die(self: TrainingFolder, entry: dict[str, Any]) -> None:
        log(self, entry)
        if where == "after the log" and (entry["arm"], entry["step"]) == ("phase", 16):
            _die()

    def die_before_replacing(source: Any, target: Any) -> None:
        second = "checkpoint_counts" in str(target) and os.path.exists(target)
        if where == "before a checkpoint" and second:
            _die()
        replace(source, target)

    TrainingFolder.log = log_and_die  # type: ignore[method-assign]
    os.replace = die_before_replacing  # type: ignore[assignment]
    run_config(config, out, f"output.cache={cache}")


@pytest.mark.slow
def test_a_training_killed_twice_and_resumed_is_bit_identical(
    train: Train, tiny_config: Path, cache: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out, context = tmp_path / "killed", server()
    for where in ("after the log", "before a checkpoint"):
        process = context.Process(target=_killed, args=(where, tiny_config, cache, out))
        process.start()
        process.join(PATIENCE_S)
        assert process.exitcode == -signal.SIGKILL
        assert not (out / "result.json").exists()
    assert (out / "checkpoint_phase.safetensors").exists()
    status, said = train(out)
    assert status == 0 and "going on" in said
    assert_bit_identical(undisturbed, out)
    assert not [file for file in out.iterdir() if file.name.startswith(".")]


def test_ctrl_c_keeps_the_step_in_hand_and_says_so(
    train: Train, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, advance = tmp_path / "stopped", Trainer.advance
    before = signal.getsignal(signal.SIGINT)  # ignored in a background job

    def interrupted(self: Trainer) -> None:
        advance(self)
        if self.step == 11:  # between two points of the curve and two checkpoints
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", interrupted)
        status, said = train(out)
        assert status == 130
        assert "11 of 40 steps of the model `phase` are kept" in " ".join(said.split())
        status, said = train(out)  # and again, in the other model
        assert status == 130
        assert "11 of 40 steps of the model `counts` are kept" in " ".join(said.split())
    assert signal.getsignal(signal.SIGINT) is before
    assert train(out)[0] == 0
    assert_bit_identical(undisturbed, out)


def test_ctrl_c_while_the_sounds_are_heard_keeps_what_was_heard(
    train: Train, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sims.dataset import build

    own, keep, kept = f"output.cache={tmp_path / 'cache'}", build._keep, []

    def interrupted(*arguments: Any) -> None:
        kept.append(keep(*arguments))
        if len(kept) == 4:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(build, "_AT_ONCE", 6)
    monkeypatch.setattr(build, "_keep", interrupted)
    status, said = train(tmp_path / "out", own)
    assert status == 130 and "6 of 22 sounds are heard and kept" in " ".join(said.split())
    assert train(tmp_path / "out", own)[0] == 0
    assert len(kept) == 22  # none was heard twice
    assert_bit_identical(undisturbed, tmp_path / "out")


def test_a_finished_training_is_not_done_again(train: Train, undisturbed: Path) -> None:
    before = (undisturbed / "result.json").stat().st_mtime_ns
    status, said = train(undisturbed)
    assert status == 0 and "already trained" in said
    assert (undisturbed / "result.json").stat().st_mtime_ns == before


def test_training_draws_from_no_global_generator(train: Train, tmp_path: Path) -> None:
    torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    threads = torch.get_num_threads()
    assert train(tmp_path / "out", "training.steps=8")[0] == 0
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    assert torch.get_num_threads() == threads


def test_result_says_what_its_schema_says(undisturbed: Path) -> None:
    found = result(undisturbed)
    assert found["data"]["items"] == {"train": 12, "test": 6, "extra": 0, "validation": 4}
    assert found["data"]["speakers"] == {"train": 6, "test": 3, "extra": 0, "validation": 2}
    for model in found["models"].values():
        assert set(model["sets"]) == {"train", "validation", "test", "untimed"}
        for name, scored in model["sets"].items():
            table = np.array(scored["confusion"])
            assert table.sum() == scored["of"] and np.trace(table) == scored["right"]
            low, high = scored["interval"]
            assert low <= scored["accuracy"] <= high
            assert found["baseline"][name]["accuracy"] == 0.5
        assert model["curve"]["step"] == [8, 16, 24, 32, 40]
        assert {len(column) for column in model["curve"].values()} == {5}
    parameters = load_file(undisturbed / "model.safetensors")
    trained = [part for name, part in parameters.items()
               if name.startswith("model.") and "start_" not in name]  # fmt: skip
    assert found["reasoner"]["parameters"] == sum(part.numel() for part in trained)


def test_both_models_are_one_size_and_start_and_counts_see_no_timing(undisturbed: Path) -> None:
    phase, counts = (load_file(undisturbed / f"{name}.safetensors")
                     for name in ("model", "model_counts"))  # fmt: skip
    assert {name: part.shape for name, part in phase.items()} == {
        name: part.shape for name, part in counts.items()
    }
    assert torch.equal(phase["model.start_y"], counts["model.start_y"])
    models = result(undisturbed)["models"]
    assert models["counts"]["sets"]["untimed"] == models["counts"]["sets"]["test"]


def test_a_modulator_lowers_the_steps_thought_and_leaves_the_weights(
    train: Train, undisturbed: Path, tmp_path: Path
) -> None:
    """The factor comes from a run file, as noradrenaline set it there."""
    factor = Course("reasoner.budget", "1", 1.0, np.array([1.0, 0.2, 0.2, 0.2]))
    run = Run(
        Recording(4.0, 0.1, 0, "numba", spikes={}, factors={"reasoner.budget": factor}),
        Provenance("aroused", "", "", (), {}, "", {}, "", ""),
    )
    write_run(tmp_path / "aroused.h5", run)
    out = tmp_path / "modulated"
    assert train(out, f"modulation={{run: {tmp_path / 'aroused.h5'}}}")[0] == 0
    found = result(out)
    assert found["modulation"]["factor"] == pytest.approx(0.4)
    assert found["modulation"]["budget"] == 1 and found["reasoner"]["budget"] == 3
    for model in found["models"].values():
        steps = [(entry["factor"], entry["mean_steps"]) for entry in model["budget"]]
        assert [factor for factor, _ in steps] == pytest.approx([0.3, 0.4, 1.0])
        assert [thought for _, thought in steps] == [1.0, 1.0, 3.0]
    for name in ("model", "model_counts"):
        one, other = (load_file(where / f"{name}.safetensors") for where in (out, undisturbed))
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_training_goes_on_where_the_run_that_modulates_it_was_moved(
    train: Train, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its factor is what counts: one of another factor is refused."""
    for name, level in (("here", 0.2), ("other", 0.8)):
        factor = Course("reasoner.budget", "1", 1.0, np.array([1.0, level]))
        run = Run(
            Recording(2.0, 0.1, 0, "numba", spikes={}, factors={"reasoner.budget": factor}),
            Provenance(name, "", "", (), {}, "", {}, "", ""),
        )
        write_run(tmp_path / f"{name}.h5", run)
    out, advance = tmp_path / "stopped", Trainer.advance

    def interrupted(self: Trainer) -> None:
        advance(self)
        if self.step == 11:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", interrupted)
        assert train(out, f"modulation={{run: {tmp_path / 'here.h5'}}}")[0] == 130
    assert str(tmp_path) not in json.dumps(
        json.loads((out / "training.json").read_text("utf-8"))["config"]
    )
    (tmp_path / "here.h5").rename(tmp_path / "there.h5")
    with pytest.raises(
        StoreError, match=r"training of another config: budget_factor: 0\.6 -> 0\.9"
    ):
        train(out, f"modulation={{run: {tmp_path / 'other.h5'}}}")
    status, said = train(out, f"modulation={{run: {tmp_path / 'there.h5'}}}", "training.device=cpu")
    assert status == 0 and "going on" in said
    one, other = (load_file(where / "model.safetensors") for where in (out, undisturbed))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_recordings_are_known_by_their_content_and_not_by_their_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from types import SimpleNamespace

    from sims.config.train import TrainConfig
    from sims.train.spikes import task

    heard = SimpleNamespace(about={"recordings": {"0.wav": "of some content"}})
    monkeypatch.setattr(task, "material", lambda data, *, seed: heard)
    config = TrainConfig.model_validate({
        "name": "moved", "reasoner": {}, "data": {
            "source": "digits", "voices": ["a"], "validation": ["c"], "held_out": ["b"],
            "recordings": "far/away",
        },
    })  # fmt: skip
    asked = config.model_dump(mode="json")
    assert "far/away" in json.dumps(asked)
    assert "far/away" not in json.dumps(task.SpikeTask(config).identity(asked))


def test_ctrl_c_while_answers_are_measured_keeps_the_steps(
    train: Train, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a point of the curve, and at the end, where nothing else is left to do."""
    from sims.train.spikes import asked

    out, evaluate = tmp_path / "stopped", asked.evaluate
    calls: list[int] = []

    def interrupted(*given: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) in (1, 43):
            signal.raise_signal(signal.SIGINT)
        return evaluate(*given, **more)

    # Four validation and six test items: four batches a point, of which a stopped one asks for the
    # first again; so the 42nd call is the first one after all points of both models.
    monkeypatch.setattr(asked, "_BATCH", 3)
    monkeypatch.setattr(asked, "evaluate", interrupted)
    said = []
    while len(said) < 9:
        status, text = train(out)
        said.append(" ".join(text.split()))
        if status == 0:
            break
        assert status == 130
    assert len(said) == 3 and "8 of 40 steps of the model `phase` are kept" in said[0]
    assert "all steps of all models are kept" in said[1]
    for name in EXACT:
        one, other = (load_file(where / f"{name}.safetensors") for where in (out, undisturbed))
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_finished_model_answers_as_it_did(undisturbed: Path, cache: Path) -> None:
    found = result(undisturbed)
    data = read_spike_dataset(cache / found["data"]["file"])
    held_out = data.where("test")
    for model in found["models"].values():
        trained = load_model(undisturbed / model["file"])
        answers = trained.ask([data.spikes[item] for item in held_out], data.channels)
        right = int((answers.logits.argmax(-1).numpy() == data.labels[held_out]).sum())
        assert right == model["sets"]["test"]["right"]
        short = trained.ask([data.spikes[held_out[0]]], data.channels, budget_factor=0.3)
        assert short.steps.tolist() == [1]


@pytest.mark.slow
def test_timing_tells_distress_in_voices_never_heard(train: Train, tmp_path: Path) -> None:
    """Jitter and tremor tell the classes apart; the model on counts, or untimed, finds little."""
    status, _ = train(
        tmp_path / "out", "seed=1", "data.speakers=32", "data.validation=8", "data.held_out=40",
        "data.duration=400 ms",
        "data.nerve={n_channels: 8, fibres_per_channel: 12}", "features.phase_parts=4",
        "reasoner={hidden: 32, rounds: 2, latent_steps: 2, budget: 2}",
        "training={steps: 100, batch: 24, evaluate_every: 50}",
    )  # fmt: skip
    assert status == 0
    found = result(tmp_path / "out")
    phase, counts = (found["models"][arm]["sets"] for arm in ("phase", "counts"))
    assert phase["test"]["interval"][0] > 0.6  # chance is 0.5
    low, high = phase["untimed"]["interval"]
    assert low < 0.5 < high or phase["untimed"]["accuracy"] < 0.5  # it came from timing
    assert phase["test"]["right"] > counts["test"]["right"]
    assert found["comparison"]["p"] < 0.05
