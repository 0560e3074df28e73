"""Two processes train as one does with the whole batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pytest
import torch

from neuro.errors import ConfigError
from sims.train.loop.checkpoint import read_tensors
from sims.train.loop.processes import ALONE, World, launched
from tests.reasoning._trained import (
    PATIENCE_S,
    SETTINGS,
    TINY,
    VECTORS,
    measured_together,
    met,
    outcome,
    run_config,
    server,
    together,
    trained_together,
    trainer,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    return server()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["cpu", "vectors", "cuda"])
def test_two_processes_take_the_steps_of_one(
    context: ForkServerContext, tmp_path: Path, kind: str
) -> None:
    """Items, who halted and who was refilled are equal; weights, averages and moments agree to the
    rounding of sums. With `cuda`, gloo stands for NCCL, and what lies on the CPU has to find a
    back end of its own."""
    assert trained_together(context, 8, tmp_path / "two.safetensors", kind=kind) == [0, 0]
    two, header = read_tensors(tmp_path / "two.safetensors", kind="checkpoint")
    whole = trainer(settings=VECTORS if kind == "vectors" else SETTINGS)
    halted = []
    for _ in range(8):
        whole.advance()
        halted.append(int(whole.carry.halted.sum()))
    one, numbers = whole.state()
    assert len(set(halted)) > 2  # not in step
    assert header["state"] == numbers and one.keys() == two.keys()
    # As for the parts of a batch: 8 steps, each an order of sums.
    bound = 200 * torch.finfo(torch.float32).eps
    for name, part in one.items():
        if part.is_floating_point():
            assert (part - two[name]).norm() <= bound * (1 + part.norm()), name
        else:
            assert torch.equal(part, two[name]), name
    assert not torch.equal(one["ema.head.weight"], one["model.head.weight"])
    assert ("model.puzzles.table" in one) == (kind == "vectors")


def test_two_processes_train_as_one_with_the_whole_batch(
    context: ForkServerContext, config: Path, tmp_path: Path
) -> None:
    """Weights, average, moments and slots agree to the rounding of sums; who halted, exactly."""
    steps = ("training.steps=30", f"output.cache={tmp_path / 'cache'}")
    assert run_config(config, tmp_path / "one", *steps)[0] == 0
    assert together(context, config, tmp_path / "two", *steps) == [0, 0]
    (one, _, result), (two, _, other) = (outcome(tmp_path / name) for name in ("one", "two"))
    assert one.keys() == two.keys()
    moved = float(one["checkpoint model.head.weight"].norm())
    for name, part in one.items():
        if part.is_floating_point():
            # 30 steps of Adam, each of which may turn a rounding of the gradient, a share of
            # `eps` of the learning rate, into as much of a weight; the recursion amplifies it.
            assert (part - two[name]).norm() <= 1e-3 * (part.norm() + 1e-3 * moved), name
        else:
            assert torch.equal(part, two[name]), name
    assert other["curve"]["step"] == result["curve"]["step"] == [10, 20, 30]
    for key in ("loss", "thought", "test_loss"):
        assert np.allclose(result["curve"][key], other["curve"][key], rtol=1e-4)
    for left in ("one", "two"):
        assert sorted(path.name for path in (tmp_path / left).iterdir()) == sorted(
            ("best.safetensors", "checkpoint.safetensors", "curve.png", "log.jsonl",
             "model.safetensors", "result.json", "training.json")
        )  # fmt: skip


def test_another_number_of_processes_goes_on(
    context: ForkServerContext, config: Path, tmp_path: Path
) -> None:
    """The slots of all are in the checkpoint, so a training may be shared out anew."""
    cache = f"output.cache={tmp_path / 'cache'}"
    assert together(context, config, tmp_path / "out", "training.steps=24", cache) == [0, 0]
    (tmp_path / "out" / "result.json").unlink()
    before, header = read_tensors(tmp_path / "out" / "checkpoint.safetensors", kind="checkpoint")
    assert before["slots.items"].shape == (8,) and header["state"]["step"] == 24
    status, said = run_config(config, tmp_path / "out", "training.steps=24", cache)
    assert status == 0 and "going on" in said
    after, _ = read_tensors(tmp_path / "out" / "checkpoint.safetensors", kind="checkpoint")
    assert all(torch.equal(part, after[name]) for name, part in before.items())
    assert (
        json.loads((tmp_path / "out" / "result.json").read_text("utf-8"))["sets"]["best"]["of"]
        == 16
    )


def test_what_one_process_refuses_ends_all_with_one_line_each(
    context: ForkServerContext, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("somebody else's", encoding="utf-8")
    assert together(context, config, tmp_path / "other") == [1, 1]
    first, second = ((tmp_path / f"other-said-{rank}.txt").read_text("utf-8") for rank in (0, 1))
    assert "holds no training" in first
    assert second == "another process of this training could not go on; see what it said"


def test_a_process_that_is_gone_is_said_in_one_line(
    context: ForkServerContext, config: Path, tmp_path: Path
) -> None:
    """The first one dies of a full disk, as it is alone in writing; the second one waits for it."""
    out = tmp_path / "out"
    cache = f"output.cache={tmp_path / 'cache'}"
    assert run_config(config, out, "training.steps=3", cache)[0] == 0
    for name in ("result.json", "checkpoint.safetensors"):
        (out / name).unlink()
    (out / "log.jsonl").unlink()
    (out / "log.jsonl").mkdir()  # nothing can be appended to it
    assert together(context, config, out, "training.steps=3", cache) == [1, 1]
    first, second = (Path(f"{out}-said-{rank}.txt").read_text("utf-8") for rank in (0, 1))
    assert "log.jsonl" in first
    assert "must live until its end, found that another one ended" in second
    assert "\n" not in second and len(second) < 450


@pytest.mark.parametrize("asked", [0, 1])
def test_one_process_that_is_asked_to_stop_stops_all(
    context: ForkServerContext, asked: int
) -> None:
    """Also where the others have more batches, or fewer, to answer; and none if nobody is."""
    assert measured_together(context, asked=asked) == [3, 3]
    if asked:
        assert measured_together(context, asked=9) == [0, 0]


def test_a_signal_to_one_process_ends_all_with_its_status(context: ForkServerContext) -> None:
    assert met(context) == [143, 143]


@pytest.mark.slow
def test_torchrun_starts_them(config: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "sims", "train", str(config), "training.steps=4", "--out", str(tmp_path / "out")],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("held-out puzzles solved whole") == 1  # the first one speaks
    assert (tmp_path / "out" / "result.json").is_file()


def test_one_process_needs_nothing_of_it() -> None:
    rows = torch.arange(3)
    assert torch.equal(ALONE.gathered(rows), rows) and torch.equal(ALONE.summed(rows), rows)
    assert ALONE.highest(7) == 7
    assert ALONE.first and not World(rank=1, size=2).first
    with pytest.raises(ConfigError, match="a multiple of the 2 processes, found 7"):
        World(rank=0, size=2).share(7)


def test_processes_that_are_not_told_who_they_are_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match="torchrun --nproc-per-node"), launched("cpu"):
        pass
