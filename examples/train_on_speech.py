"""
Train a spiking network on spoken digits
========================================

By surrogate gradients, on a CPU::

    python examples/train_on_speech.py                     some seconds: to see everything work
    python examples/train_on_speech.py --study full        the figures of the documentation

The digits are spoken by voices of espeak-ng (a system package) and heard by the auditory nerve;
whole voices are held out. The same command goes on with a training that was stopped. Everything it
writes is in one folder: `result.json`, `speech.png`, and each training's weights.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from neuro.errors import EmberError
from sims.dataset.build import Stopped
from sims.report.figures import png
from sims.report.figures.speech import speech_study
from sims.store.atomic import write_bytes
from sims.train.session.interrupt import EXIT_INTERRUPTED, catch_interrupt
from sims.train.speech.arms import ARMS
from sims.train.speech.run import run_study
from sims.train.speech.settings import STUDIES


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", choices=STUDIES, default="small")
    parser.add_argument("--seeds", type=int, nargs="+", help="of the trainings; the study's own")
    parser.add_argument("--arms", nargs="+", choices=ARMS, help="what to compare; the study's own")
    parser.add_argument("--out", type=Path, help="folder (default: runs/speech_STUDY)")
    parser.add_argument("--cache", type=Path, help="where heard sounds are kept")
    parser.add_argument("--recordings", help="folder with a person's digits, 0.wav to 9.wav")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch (default: 2)")
    parser.add_argument(
        "--allow-version-change",
        action="store_true",
        help="continue what was begun under other versions",
    )
    given = parser.parse_args()

    study = STUDIES[given.study]
    study = replace(
        study, seeds=tuple(given.seeds or study.seeds), arms=tuple(given.arms or study.arms)
    )
    if given.recordings:
        data = study.task.data.model_copy(update={"recordings": given.recordings})
        study = replace(study, task=replace(study.task, data=data))
    out = given.out or Path("runs") / f"speech_{study.name}"
    torch.set_num_threads(given.threads)
    try:
        with catch_interrupt() as interrupt:
            result = run_study(
                study, out, cache=given.cache or out.parent / "datasets",
                say=lambda line: print(line, flush=True), stop=lambda: interrupt.asked,
                allow_version_change=given.allow_version_change,
            )  # fmt: skip
    except Stopped as stopped:
        print(f"stopped: {stopped} in {out}; the same command goes on from there")
        return EXIT_INTERRUPTED
    except EmberError as error:
        print(error, file=sys.stderr)
        return 1
    write_bytes(out / "speech.png", png(speech_study(result)), force=True)
    tell(result)
    print(f"written: {out / 'result.json'} and {out / 'speech.png'}")
    return 0


def tell(result: dict) -> None:
    """The outcome as a table."""
    print(f"\n{'digits of voices never met':28}  right  over seeds       over voices        CPU s")
    for arm, found in result["arms"].items():
        test = found["sets"]["test"]
        seeds, voices = (
            "{:5.1%} to {:6.1%}".format(*test[kind]["interval"]) for kind in ("seeds", "voices")
        )
        print(f"{arm:28}  {test['seeds']['mean']:5.1%}  {seeds}  {voices}  {found['cpu_s']:7.0f}")
    print(f"{'always the commonest answer':28}  {result['chance']:5.1%}")
    for trial in result["trials"].get("trained", []):
        to = trial["transfer"]
        print(
            f"seed {trial['seed']} on {to['backend']}: {to['spikes_differing']} of {to['spikes']} "
            f"spikes and {to['answers_differing']} of {to['of']} answers differ"
        )


if __name__ == "__main__":
    sys.exit(main())
