"""Trainings small enough to be done many times, here and in other processes.

The processes are forks of one server that has imported everything, so that each starts at once;
what they run is the real training, and what ends them is a real signal.
"""

from __future__ import annotations

import dataclasses
import io
import json
import multiprocessing
import os
import signal
import socket
from collections.abc import Iterable
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor, distributed

from bridges.reasoning.reasoner import Reasoner, build
from bridges.reasoning.settings import TRM_ATTENTION, ReasonerSettings
from neuro.errors import EmberError
from sims.config import load
from sims.config.training import TrainingSpec
from sims.dataset.build import Stopped
from sims.puzzles.puzzle_set import PuzzleFormat, PuzzleSet, PuzzleSplit
from sims.train import run_training
from sims.train.loop.checkpoint import write_tensors
from sims.train.loop.processes import ALONE, World, launched
from sims.train.loop.trainer import Trainer
from sims.train.puzzles.measure import measured
from sims.train.puzzles.source import PuzzleSource
from sims.train.session.interrupt import catch_interrupt
from sims.train.session.task import together as meeting
from tests.reasoning._small import small

TINY = """
name: tiny
seed: 3
data: {source: sudoku, size: 4, train: 40, test: 24, augment: 2, clues: [4, 8]}
reasoner: {mixer: mlp, hidden: 16, heads: 2, rounds: 2, latent_steps: 1, budget: 3}
training:
  steps: 60
  batch: 8
  learning_rate: 5.0e-3
  warm_up: 5
  ema: 0.9
  evaluate_every: 10
  checkpoint_every: 3
evaluation: {validation: 8}
"""
PATIENCE_S = 240  # for a process that does not come back

# Items halt at different steps: the halt head is content from the start, exploration is not.
SETTINGS = small(TRM_ATTENTION, H=2, L=1, steps_max=3, length=6, vocabulary=5, exploration=0.5)
SPEC = TrainingSpec(steps=20, batch=8, learning_rate=5e-3, warm_up=4, ema=0.9, weight_decay=0.1)


def puzzles(groups: int = 40, *, seed: int = 0) -> PuzzleSet:
    """Rows of symbols, and the same rows turned round, each in two copies."""
    draw = np.random.default_rng(seed)
    inputs = draw.integers(1, SETTINGS.vocabulary, size=(2 * groups, SETTINGS.length))
    n = np.arange(2 * groups + 1)
    split = PuzzleSplit(inputs, inputs[:, ::-1].copy(), np.zeros(2 * groups, np.int64), n, n[::2])
    format = PuzzleFormat("other", 1, SETTINGS.length, SETTINGS.vocabulary)
    return PuzzleSet(format, split, split)


def trainer(
    spec: TrainingSpec = SPEC,
    *,
    settings: ReasonerSettings = SETTINGS,
    seed: int = 1,
    world: World = ALONE,
) -> Trainer:
    """A trainer at its first step, with a halt head that wants to halt."""
    made, model = puzzles(), build(settings, seed=seed)
    model.halt_head.bias.data.copy_(torch.tensor([3.0, 0.0]))
    vectors = bool(settings.puzzle_ids)
    source = PuzzleSource(made.train, made.format, seed=seed, puzzle_vectors=vectors)
    return Trainer(model, source, spec, seed=seed, world=world)


def weights(model: Reasoner) -> dict[str, Tensor]:
    return {name: part.detach().clone() for name, part in model.state_dict().items()}


def run_config(config: Path, out: Path, *overrides: str, **options: bool) -> tuple[int, str]:
    """Train a config; the exit status and what was said."""
    console = Console(file=io.StringIO(), width=200)
    status = run_training(load(config, overrides), out, console=console, **options)
    assert isinstance(console.file, io.StringIO)
    return status, console.file.getvalue()


def outcome(out: Path) -> tuple[dict[str, Tensor], str, dict[str, Any]]:
    """All that a finished training leaves but for when and how long it was."""
    tensors = {f"{name} {key}": part for name in ("checkpoint", "best", "model")
               for key, part in load_file(out / f"{name}.safetensors").items()}  # fmt: skip
    result = json.loads((out / "result.json").read_text("utf-8"))
    kept = {key: result[key] for key in ("sets", "curve", "example", "best_step", "config_hash")}
    return tensors, (out / "log.jsonl").read_text("utf-8"), kept


def server() -> ForkServerContext:
    """Processes that start as forks of one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([
        __name__, "sims.config.loading", "sims.config.puzzles", "sims.train.session.run",
        "sims.train.puzzles.task", "sims.report.figures.puzzles", "sims.terminal.puzzle_boards",
        "rich.progress", "rich.table", "torch._dynamo",  # which the first optimizer imports
    ])  # fmt: skip
    return context


def _in_process(config: Path, out: Path, overrides: tuple[str, ...], env: dict[str, str]) -> None:
    os.environ.update(env)
    try:
        status = run_config(config, out, *overrides)[0]
    except EmberError as error:
        Path(f"{out}-said-{env.get('RANK', '0')}.txt").write_text(str(error), encoding="utf-8")
        status = 1
    raise SystemExit(status)


def started(
    context: ForkServerContext, config: Path, out: Path, *overrides: str, **env: str
) -> BaseProcess:
    """A training in a process of its own; its exit code is the training's status."""
    process = context.Process(target=_in_process, args=(config, out, overrides, env))
    process.start()
    return process


VECTORS = dataclasses.replace(SETTINGS, puzzle_ids=1)
"""With a vector for the one puzzle there is."""


def _as_if_on_gpus(chosen: list[torch.device]) -> None:
    """Let this process believe that it has two GPUs, and gloo stand for NCCL: as that one does,
    it then serves tensors on a GPU, and others only where another back end is there for them."""
    start = distributed.init_process_group

    def standing_in(backend: str, **more: Any) -> None:
        start({"nccl": "cuda:gloo"}.get(backend, backend.replace("nccl", "gloo")), **more)

    distributed.init_process_group = standing_in  # type: ignore[assignment]
    torch.cuda.is_available, torch.cuda.device_count = lambda: True, lambda: 2
    torch.cuda.set_device = chosen.append  # type: ignore[assignment]


def _trained_in_process(steps: int, out: Path, env: dict[str, str], kind: str) -> None:
    os.environ.update(env)
    torch.set_num_threads(1)
    chosen: list[torch.device] = []
    if kind == "cuda":
        _as_if_on_gpus(chosen)
    with launched("cuda" if kind == "cuda" else "cpu") as world:
        if kind == "cuda" and chosen != [torch.device("cuda", world.rank)]:
            raise SystemExit(f"another GPU was chosen: {chosen}")
        one = trainer(world=world, settings=VECTORS if kind == "vectors" else SETTINGS)
        world.wait()
        for _ in range(steps):
            one.advance()
        tensors, numbers = one.state()
        if world.first:
            write_tensors(out, tensors, {"state": numbers}, kind="checkpoint")


def trained_together(
    context: ForkServerContext, steps: int, out: Path, size: int = 2, kind: str = "cpu"
) -> list[int | None]:
    """Bring a trainer that is shared by some processes so far, and write its state.

    Args:
        kind: `cpu`; `vectors`, with a puzzle vector; `cuda`, started as for GPUs.
    """
    return [process.exitcode for process in _joined(
        context.Process(target=_trained_in_process, args=(steps, out, env, kind))
        for env in environments(size)
    )]  # fmt: skip


def _measured_in_process(asked: int, env: dict[str, str]) -> None:
    os.environ.update(env)
    torch.set_num_threads(1)
    made = puzzles()
    with launched("cpu") as world:
        try:
            measured(
                build(SETTINGS), made.test, made.format, np.arange(9), batch=4, world=world,
                stop=lambda: world.rank == asked,
            )  # fmt: skip
        except Stopped:
            raise SystemExit(3) from None


def measured_together(context: ForkServerContext, *, asked: int) -> list[int | None]:
    """Measure in two processes, of which one is asked to stop; 3 for each that did."""
    return [process.exitcode for process in _joined(
        context.Process(target=_measured_in_process, args=(asked, env)) for env in environments(2)
    )]  # fmt: skip


def _met_in_process(env: dict[str, str]) -> None:
    os.environ.update(env)
    with launched("cpu") as world, catch_interrupt() as interrupt:
        try:
            with meeting(world, interrupt):
                if not world.first:
                    signal.raise_signal(signal.SIGTERM)
                    raise Stopped("asked")
        except Stopped:
            raise SystemExit(interrupt.status) from None


def met(context: ForkServerContext) -> list[int | None]:
    """Two processes, of which the second is terminated before they meet; their exit codes."""
    return [process.exitcode for process in _joined(
        context.Process(target=_met_in_process, args=(env,)) for env in environments(2)
    )]  # fmt: skip


def together(
    context: ForkServerContext, config: Path, out: Path, *overrides: str, size: int = 2
) -> list[int | None]:
    """Train a config in several processes; their exit codes. What one of them refuses is in
    `OUT-said-RANK.txt`."""
    return [process.exitcode for process in _joined(
        context.Process(target=_in_process, args=(config, out, overrides, env))
        for env in environments(size)
    )]  # fmt: skip


def environments(size: int) -> list[dict[str, str]]:
    """What `torchrun` tells each of its processes."""
    port = str(free_port())
    return [
        {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size),
         "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        for rank in range(size)
    ]  # fmt: skip


def _joined(processes: Iterable[BaseProcess]) -> list[BaseProcess]:
    started = list(processes)
    for process in started:
        process.start()
    for process in started:
        process.join(PATIENCE_S)
        if process.exitcode is None:
            process.kill()
    return started


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
