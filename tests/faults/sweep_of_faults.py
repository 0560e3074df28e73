"""A sweep whose points do what its first argument says; run as a script by the tests.

python sweep_of_faults.py KIND CONFIG OUT [key=value ...]
"""

from __future__ import annotations

import os
import signal
import sys
import time

from sims.config import load
from sims.sweep import run_sweep
from sims.sweep.worker import Job, PointResult


def die_at_20(job: Job) -> PointResult:
    """The process dies each time at 20 nM, and the first time at 40 nM."""
    amount = job.values["modulation.noradrenaline.per_spike"]
    if amount == "20 nM" or (amount == "40 nM" and job.attempt == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return PointResult({"amount": float(amount.removesuffix(" nM"))})


def hang_after_0(job: Job) -> PointResult:
    """Points at 0 nM end at once, others after ten minutes."""
    amount = job.values["modulation.noradrenaline.per_spike"]
    if amount != "0 nM":
        time.sleep(600)
    return PointResult({"amount": 0.0})


KINDS = {"die": die_at_20, "hang": hang_after_0}

if __name__ == "__main__":
    kind, config, out, *overrides = sys.argv[1:]
    sys.exit(run_sweep(load(config, overrides), out, workers=2, run_point=KINDS[kind]))
