"""One supervision step of a tiny recursive model on Sudoku boards, forward, backward and AdamW.

    ember, compiled   Ember's reasoner, plain and behind its gate for compiled models
    official          the public TRM code, from a folder
    package           `tiny-recursive-model` from PyPI, with its own mixer of default widths

Ember and the official code get the same weights, boards and labels, so they must answer and learn
alike; the package is another model, of which only the arithmetic can be compared.
"""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import importlib
import importlib.util
import math
import os
import statistics
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from _side import peak_bytes, side
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parents[2]
VOCABULARY, SLOTS = 11, 16
OPTIMIZER = {"lr": 1e-4, "betas": (0.9, 0.95), "weight_decay": 1.0}  # as published for Sudoku
SHOWN = 5  # of the items whose logits are compared

Step = Callable[[], Tensor]
"""Forward and backward of one supervision step of fresh slots; gives the loss."""


@dataclasses.dataclass
class Side:
    """What a way of doing it needs to show: its module, its step, and how it answers.

    Attributes:
        answer: `(items, cells, symbols)` logits after so many supervision steps, from the start.
        once: The same after one update of z and one of y; None where there is no telling.
    """

    model: nn.Module
    step: Step
    answer: Callable[[int], Tensor]
    once: Callable[[], Tensor] | None = None


class Absent(Exception):
    """A peer that is not there, and why."""


def weight(name: str, shape: tuple[int, ...]) -> Tensor:
    """A parameter of a name of Ember's, the same on every side: normal, of deviation 1/√inputs."""
    draw = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    # An embedding is scaled by the square root of its width, a start is not scaled at all.
    scale = 1.0 if name.startswith("start") else 1 / math.sqrt(shape[-1])
    return torch.randn(shape, generator=draw) * scale


@torch.no_grad()
def fill(parts: dict[str, Tensor]) -> None:
    """Give these tensors, by Ember's names, the weights of the comparison."""
    for name, part in parts.items():
        if name == "inputs.prefix":
            part.zero_()  # the official table of puzzles starts at 0
        elif name == "halt_head.bias":
            part.fill_(-5)
        elif name == "halt_head.weight":
            part.zero_()
        else:
            part.copy_(weight(name, tuple(part.shape)))


def boards(batch: int, length: int) -> tuple[Tensor, Tensor]:
    """Tokens and labels, `(batch, length)`; what they say makes no difference to the time."""
    draw = torch.Generator().manual_seed(1)
    tokens = torch.randint(1, VOCABULARY, (batch, length), generator=draw)
    return tokens, torch.randint(2, VOCABULARY, (batch, length), generator=draw)


def ember(
    size: dict[str, int], precision: str, *, compiled: bool = False, inference: int = 16
) -> Side:
    """Ember's TRM, its mixer over positions."""
    sys.path.insert(0, str(ROOT))
    from bridges.reasoning.carry import Batch
    from bridges.reasoning.compiled import compiled as compile_reasoner
    from bridges.reasoning.compiled import once as with_one_update
    from bridges.reasoning.evaluation import evaluate
    from bridges.reasoning.reasoner import build
    from bridges.reasoning.settings import TRM_MLP
    from bridges.reasoning.supervision import start, supervision_step

    settings = dataclasses.replace(
        TRM_MLP, precision=precision, length=size["length"], hidden=size["hidden"],
        H=size["H"], L=size["L"], steps_max=inference,
    )  # fmt: skip
    model = build(settings)
    fill(model.state_dict())
    tokens, labels = boards(size["batch"], size["length"])
    batch = Batch(labels, tokens)
    random = torch.Generator().manual_seed(2)
    forward = compile_reasoner(model, batch) if compiled else None
    # Every slot is halted, so each step refills all of them: the same work as a step in between.
    carry = start(model, batch)

    def step() -> Tensor:
        _, losses, _ = supervision_step(model, carry, batch, generator=random, forward=forward)
        losses.total.backward()
        return losses.total.detach()

    def answer(steps: int) -> Tensor:
        model.settings = dataclasses.replace(settings, steps_max=steps)
        return evaluate(model, batch, forward=forward).logits

    @torch.no_grad()
    def once() -> Tensor:
        short = with_one_update(model)
        think = compile_reasoner(short, batch) if compiled else short
        return think(batch, short.start(size["batch"]), None).logits

    return Side(model, step, answer, once)


def official(size: dict[str, int], precision: str, *, folder: str | None) -> Side:
    """The public code, with its loss and its carry.

    Raises:
        Absent: if it, or einops, which it imports, is not there.
    """
    if not folder:
        raise Absent("no folder given: --official, or the variable EMBER_OFFICIAL_TRM")
    if not (Path(folder) / "models/recursive_reasoning/trm.py").is_file():
        raise Absent("its folder has no models/recursive_reasoning/trm.py")
    if importlib.util.find_spec("einops") is None:
        raise Absent("einops is not installed")
    sys.path.insert(0, folder)
    trm = importlib.import_module("models.recursive_reasoning.trm")
    losses = importlib.import_module("models.losses")
    tokens, labels = boards(size["batch"], size["length"])
    config = {
        "batch_size": size["batch"], "seq_len": size["length"], "vocab_size": VOCABULARY,
        "puzzle_emb_ndim": size["hidden"], "num_puzzle_identifiers": 1, "puzzle_emb_len": SLOTS,
        "H_cycles": size["H"], "L_cycles": size["L"], "H_layers": 0, "L_layers": 2,
        "hidden_size": size["hidden"], "expansion": 4.0, "num_heads": 8,
        "pos_encodings": "none", "halt_max_steps": 16, "halt_exploration_prob": 0.1,
        "forward_dtype": precision, "mlp_t": True,
    }  # fmt: skip
    model = trm.TinyRecursiveReasoningModel_ACTV1(config)
    inner = model.inner
    parts = {
        "start_y": inner.H_init, "start_z": inner.L_init, "head.weight": inner.lm_head.weight,
        "inputs.symbols": inner.embed_tokens.embedding_weight,
        "halt_head.weight": inner.q_head.weight, "halt_head.bias": inner.q_head.bias,
    }  # fmt: skip
    for index, layer in enumerate(inner.L_level.layers):
        for ours, theirs in (("mixer", layer.mlp_t), ("mlp", layer.mlp)):
            name = f"recursion.low.blocks.{index}.{ours}"
            parts[f"{name}.gate_up.weight"] = theirs.gate_up_proj.weight
            parts[f"{name}.down.weight"] = theirs.down_proj.weight
    fill(parts)
    head = losses.ACTLossHead(model, "stablemax_cross_entropy").train()
    batch = {
        "inputs": tokens.int(), "labels": labels.int(),
        "puzzle_identifiers": torch.zeros(size["batch"], dtype=torch.int32),
    }  # fmt: skip
    carry = head.initial_carry(batch)

    def step() -> Tensor:
        _, loss, _, _, _ = head(return_keys=[], carry=carry, batch=batch)
        loss = loss / size["batch"]
        loss.backward()
        return loss.detach()

    @torch.no_grad()
    def answer(steps: int) -> Tensor:
        head.eval()
        thought = carry
        for _ in range(steps):
            thought, _, _, found, _ = head(return_keys=["logits"], carry=thought, batch=batch)
        head.train()
        return found["logits"].float()

    def once() -> Tensor:
        inner.config.H_cycles = inner.config.L_cycles = 1
        try:
            return answer(1)
        finally:
            inner.config.H_cycles, inner.config.L_cycles = size["H"], size["L"]

    return Side(head, step, answer, once)


def package(size: dict[str, int], precision: str) -> Side:
    """The PyPI package's model with its mixer, in autocast where bfloat16 is asked for.

    Its trainer asks for four packages more, so the model is imported without it.

    Raises:
        Absent: if it, or einops, which it imports, is not there.
    """
    found = importlib.util.find_spec("tiny_recursive_model")
    if found is None or importlib.util.find_spec("einops") is None:
        raise Absent("tiny-recursive-model or einops is not installed")
    bare = ModuleType("tiny_recursive_model")
    bare.__path__ = list(found.submodule_search_locations or [])
    sys.modules["tiny_recursive_model"] = bare
    trm = importlib.import_module("tiny_recursive_model.trm")
    tokens, labels = boards(size["batch"], size["length"])
    torch.manual_seed(3)
    mixer = trm.MLPMixer1D(dim=size["hidden"], depth=2, seq_len=size["length"] + SLOTS)
    model = trm.TinyRecursiveModel(
        dim=size["hidden"], num_tokens=VOCABULARY, network=mixer,
        num_refinement_blocks=size["H"], num_latent_refinements=size["L"],
        num_register_tokens=SLOTS,
    )  # fmt: skip
    cast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")

    def step() -> Tensor:
        with cast:
            loss, *_ = model(tokens, *model.get_initial(), labels=labels)
        loss = loss / size["batch"]
        loss.backward()
        return loss.detach()

    @torch.no_grad()
    def answer(steps: int) -> Tensor:
        y, z = model.get_initial()
        with cast:
            for _ in range(steps):
                y, z, logits, _ = model(tokens, y, z)
        return logits.float()

    return Side(model, step, answer)


def reasoner_step(
    *,
    way: str,
    precision: str,
    size: dict[str, int],
    threads: int,
    passes: int,
    official_folder: str | None = None,
    inference: list[int] | None = None,
) -> dict[str, Any]:
    """Seconds, memory and multiply-adds of a step, and what it answers; or why it is `absent`.

    Args:
        inference: Supervision steps after which answers are timed; none by default.
    """
    torch.set_num_threads(threads)
    started = time.perf_counter()
    try:
        if way == "official":
            made = official(size, precision, folder=official_folder)
        elif way == "package":
            made = package(size, precision)
        else:
            made = ember(size, precision, compiled=way == "compiled")
    except Absent as why:
        return {"absent": str(why)}
    made_s = time.perf_counter() - started
    found: dict[str, Any] = {"logits": _listed(made.answer(1))}
    found["once"] = _listed(made.once()) if made.once else []
    if way != "compiled":  # the counter would see another graph, which is compiled anew
        with FlopCounterMode(display=False) as counter:
            found["loss"] = float(made.step())
        found["multiply_adds"] = counter.get_total_flops() / 2
    else:
        found["loss"] = float(made.step())
    learned = [
        part.grad for name, part in made.model.named_parameters()
        if part.grad is not None and name != "inputs.prefix"  # a buffer in the public code
    ]  # fmt: skip
    found["gradient"] = math.sqrt(sum(float(part.double().square().sum()) for part in learned))
    found["parameters"] = sum(part.numel() for part in made.model.parameters())
    del learned
    optimizer = torch.optim.AdamW(made.model.parameters(), **OPTIMIZER)

    def once() -> tuple[float, float]:
        begun, used = time.perf_counter(), time.process_time()
        made.step()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - begun, time.process_time() - used

    once()
    run_s, cpu_s = zip(*(once() for _ in range(passes)), strict=True)
    found |= {"made_s": made_s, "run_s": run_s, "median_s": statistics.median(run_s),
              "cpu_s": cpu_s, "pass_bytes": _added_by(once)}  # fmt: skip
    answered = {}
    for steps in inference or []:
        begun = time.perf_counter()
        made.answer(steps)
        answered[str(steps)] = time.perf_counter() - begun
    return {**found, "answer_s": answered}


def _listed(logits: Tensor) -> list[float]:
    """Those of the first items; none if one is not finite."""
    shown = logits[:SHOWN].double().flatten().tolist()
    return shown if all(map(math.isfinite, shown)) else []


def _added_by(once: Callable[[], Any]) -> int | None:
    """How far one more pass takes the resident memory above what it was; None if not told."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # gives back what earlier passes left free
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew
    except OSError:
        return None
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    once()
    peak = peak_bytes()
    return None if peak is None else peak - pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    side(reasoner_step)
