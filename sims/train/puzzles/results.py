"""What a training on puzzles found, for `result.json`, the file its report is drawn from.

`sets` are figures of puzzles that chose nothing: `best`, of the weights that validation chose;
`halting`, of the same where an answer may end when the halt head is content; `last`, of the
weights of the last step. `curve` is `log.jsonl` by columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridges.reasoning.evaluation import refinement
from bridges.reasoning.reasoner import Reasoner, parameter_count
from sims.config.puzzles import PuzzleEvaluation
from sims.puzzles.puzzle_set import PuzzleSet
from sims.train.loop.trainer import Trainer
from sims.train.loop.trees import mapped
from sims.train.puzzles.arc_vote import voted
from sims.train.puzzles.data import examples_of
from sims.train.puzzles.model import TASK, read_puzzle_model
from sims.train.puzzles.source import as_batch
from sims.train.session.course import read_best
from sims.train.session.folder import TrainingFolder
from sims.train.session.task import Session

__all__ = ["conclude", "summary"]


def conclude(
    session: Session,
    spec: PuzzleEvaluation,
    trainer: Trainer,
    puzzles: PuzzleSet,
    tested: NDArray[np.int64],
    measure: Callable[..., dict[str, Any]],
) -> dict[str, Any]:
    """Measure the best weights on puzzles that chose nothing, draw the curve, show an example.

    Raises:
        Stopped: if it was asked for, between two batches; all that was trained is kept.
    """
    file, last = session.folder.best_file(""), trainer.ema.model
    best = read_puzzle_model(file, *read_best(session.folder, "")).model.to(trainer.device)
    with session.stage.timed("evaluate"):
        sets = {
            "best": measure(best, tested), "last": measure(last, tested),
            "halting": measure(best, tested, halting=True),
        }  # fmt: skip
        vote = None if spec.votes is None else voted(
            best, puzzles, tested, votes=spec.votes, batch=spec.batch, world=session.world,
            stop=lambda: session.interrupt.asked,
        )  # fmt: skip
    if not session.world.first:
        return {}
    format, log = puzzles.format, session.folder.read_log()
    found = {
        "task": TASK,
        "data": {
            "kind": format.kind, "rows": format.rows, "columns": format.columns, "box": format.box,
            "train": puzzles.train.n_groups, "test": int(tested.size),
            "examples": len(puzzles.train),
        },
        "reasoner": {"parameters": parameter_count(best), "budget": best.settings.steps_max},
        "best_step": trainer.best[1] if trainer.best else trainer.step,
        "sets": sets,
        "vote": vote,
        "curve": {key: [entry[key] for entry in log] for key in log[0] if key != "arm"},
        "example": _example(best, puzzles, tested),
    }  # fmt: skip
    _show(session, puzzles, found)
    return found


def _example(model: Reasoner, puzzles: PuzzleSet, groups: NDArray[np.int64]) -> dict[str, Any]:
    """A puzzle, its solution, and the answer after each step of thinking."""
    examples = examples_of(puzzles.test, groups)[:1]
    batch = as_batch(
        puzzles.test, puzzles.format, examples, puzzle_vectors=model.puzzles is not None
    )
    course = refinement(model, mapped(batch, lambda part: part.to(model.start_y.device)))
    steps = course.predictions[:, 0].cpu().numpy()
    return {
        "puzzle": np.asarray(puzzles.test.inputs[examples[0]]).tolist(),
        "solution": batch.labels[0].tolist(),
        "answer": steps[-1].tolist(),
        "steps": steps.tolist(),
        "halt": course.halt[:, 0].cpu().tolist(),
    }


def _show(session: Session, puzzles: PuzzleSet, found: Mapping[str, Any]) -> None:
    from sims.report import figures
    from sims.terminal.puzzle_boards import boards

    curve = session.folder.curve_file
    if undrawn := figures.written_png(curve, lambda: figures.puzzle_curves(found)):
        session.stage.say(f"note: {undrawn}")
    example = found["example"]
    puzzle, answer, truth = (np.array(example[name]) for name in ("puzzle", "answer", "solution"))
    width = session.stage.console.width
    session.stage.show(boards(puzzles.format, puzzle, answer, width=width, truth=truth))


def summary(outcome: Mapping[str, Any], folder: TrainingFolder) -> Iterator[str]:
    """Lines that say how many puzzles were solved."""
    found, halting = outcome["sets"]["best"], outcome["sets"]["halting"]
    low, high = found["interval"]
    yield (
        f"{found['right']} of {found['of']} held-out puzzles solved whole: "
        f"{found['accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%}), "
        f"{found['cells']:.2%} of cells, in {found['steps']:.0f} steps of thinking"
    )
    yield (
        f"when it may stop by itself: {halting['accuracy']:.1%} in {halting['steps']:.1f} "
        f"steps; weights of step {outcome['best_step']}, best by validation"
    )
    if vote := outcome["vote"]:
        yield (
            f"ARC's score, two attempts by a vote of up to {vote['votes']} augmentations: "
            f"{vote['score']:.1%} of {vote['n_tasks']} tasks"
        )
    yield f"written: {folder.result_file}, {folder.curve_file}"
    yield f"see it with: ember report {folder.path}"
