"""Run a job in a process of its own, and hear how it goes; or in this one, for a quick look."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from neuro.files.regular import open_to_append
from sims.compare.worker import Job, run_job

__all__ = ["Answer", "here", "in_process"]

_CODE = "from sims.compare.worker import main; main()"
_LAST_S, _GRACE_S = 1.0, 5.0
"""For a process to end by itself, and to read its last line then; engineering choices."""


@dataclass
class Answer:
    """What came of a job.

    Attributes:
        done: What the worker told of each finished task, in their order.
        verdict: `refused`, `failed` or `timed out`; empty if every task finished.
        error: Why, in one line.
    """

    done: list[dict[str, Any]] = field(default_factory=list)
    verdict: str = ""
    error: str = ""

    def take(self, told: dict[str, Any]) -> None:
        """Note one line."""
        if "error" in told:
            self.verdict, self.error = told["verdict"], told["error"]
        elif "done" in told:
            self.done.append(told)


Watch = Callable[[float, float], None]
"""Called with the simulated time and its end, in ms."""

Runner = Callable[[Job, Watch], Answer]


def here(job: Job, watch: Watch) -> Answer:
    """Run a job in this process: nothing is known about its memory, and nothing ends it."""
    answer = Answer()

    def tell(told: dict[str, Any]) -> None:
        if "progress" in told:
            watch(*told["progress"])
        answer.take(told)

    run_job(job, tell, alone=False)
    return answer


def in_process(job: Job, watch: Watch, *, log: Path, timeout_s: float) -> Answer:
    """Run a job in a fresh process, which is ended with all its children when its time is up.

    Args:
        log: Where its own output goes.
        timeout_s: For each task.
    """
    answer = Answer()
    with open(open_to_append(log), "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output,
            env={**os.environ, "PYTHONPATH": _path()}, encoding="utf-8", start_new_session=True,
        )  # fmt: skip
        assert process.stdin and process.stdout  # noqa: S101  # they are pipes
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
        reader.start()
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(job.to_json() + "\n")
                process.stdin.flush()
            _listen(job, answer, lines, watch, timeout_s)
        finally:
            _end(process)
            reader.join(_GRACE_S)
            process.stdout.close()
            with suppress(BrokenPipeError):
                process.stdin.close()  # open until now, or the worker would end itself
    if not answer.verdict and len(answer.done) < len(job.tasks):
        answer.verdict = "failed"
        answer.error = f"its process ended with status {process.returncode}{_last(log)}"
    return answer


def _listen(
    job: Job, answer: Answer, lines: queue.SimpleQueue[str], watch: Watch, timeout_s: float
) -> None:
    """Take lines until the tasks are done, one failed, the process is gone or the time is up."""
    deadline = time.monotonic() + timeout_s
    while len(answer.done) < len(job.tasks) and not answer.verdict:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            answer.verdict = "timed out"
            answer.error = f"it was ended after {timeout_s:g} s in one run; raise --timeout"
            return
        if not line:  # its output is closed
            return
        told = json.loads(line)
        if "progress" in told:
            watch(*told["progress"])
            continue
        answer.take(told)
        deadline = time.monotonic() + timeout_s


def _read(out: TextIO, lines: queue.SimpleQueue[str]) -> None:
    with suppress(ValueError):  # closed by the other thread
        for line in out:
            lines.put(line)
    lines.put("")


def _end(process: subprocess.Popen[str]) -> None:
    """Wait for a process that is about to end; end it, and all that it started, if it does not."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(_LAST_S)
        return
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _path() -> str:
    """Where this process finds modules, for the other to find the same."""
    return os.pathsep.join(entry or os.getcwd() for entry in sys.path)


def _last(log: Path) -> str:
    """The last line that the process said, for a message."""
    with suppress(OSError):
        said = [
            s.strip()
            for s in log.read_text(errors="replace", encoding="utf-8").splitlines()
            if s.strip()
        ]
        if said:
            return f" ({said[-1][:300]})"
    return ""
