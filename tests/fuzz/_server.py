"""Run tasks in forked children of one warm process, each with limits of time and memory.

Imports are paid once, and a task that crashes, hangs or fills the memory takes only its own child
with it. Started by `_harness.Server`; reads one JSON request a line, answers with one.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["ember"]

_PATIENCE = 6  # seconds on the clock for each second of CPU time: other work may share the machine


def ember(*arguments: str) -> None:
    """Run a command line in this process.

    Raises:
        SystemExit: with the command's status, unless it is 0.
    """
    from sims.cli import main

    sys.argv = ["ember", *arguments]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise


def _work(request: dict[str, Any]) -> int:
    """Do a task in this child; its status."""
    from neuro.errors import EmberError

    module, name = request["task"].split(":")
    task = getattr(importlib.import_module(module), name)
    try:
        found = task(*map(Path, request["arguments"]))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except EmberError as error:
        print(f"ember: {error}", file=sys.stderr)
        return 1
    if isinstance(found, str):
        Path(request["folder"], "wrong").write_text(found, encoding="utf-8")
    else:
        made = json.dumps([str(path) for path in found])
        Path(request["folder"], "made").write_text(made, encoding="utf-8")
    return 0


def _child(request: dict[str, Any]) -> None:
    status = 99
    try:
        folder = Path(request["folder"])
        os.setsid()
        for number, name in ((0, os.devnull), (1, folder / "stdout"), (2, folder / "stderr")):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(name, flags, 0o600), number)
        os.chdir(folder)
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime + request["seconds"]) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        limit = _address_space() + request["memory"]
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        status = _work(request)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _at_work(group: int) -> bool:
    """Whether a process of this group computes, or would if it were its turn."""
    for process in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name, in brackets, may hold anything; then follow state, parent and group.
            fields = process.read_text("utf-8", "replace").rpartition(")")[2].split()
            if fields[0] in "RD" and fields[2] == str(group):
                return True
    return False


def _address_space() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * resource.getpagesize()


def _serve(request: dict[str, Any]) -> dict[str, Any]:
    child = os.fork()
    if not child:
        _child(request)
    ends = time.monotonic() + _PATIENCE * request["seconds"]
    hung = False
    while True:
        pid, status, used = os.wait4(child, os.WNOHANG)
        if pid:
            break
        if not hung and time.monotonic() > ends:
            # One that waits for its share of a busy machine has its CPU time as the only limit.
            if _at_work(child):
                ends = time.monotonic() + 1
                continue
            hung = True
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    with suppress(ProcessLookupError, PermissionError):  # what it started and did not wait for
        os.killpg(child, signal.SIGKILL)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    return {
        "status": code,
        "signal": number,
        "hung": hung or number == signal.SIGXCPU,
        "seconds": used.ru_utime + used.ru_stime,
    }


def main() -> None:
    """Import the modules named as arguments, then answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what an import prints is no answer
    for name in sys.argv[1:]:
        importlib.import_module(name)
    gc.freeze()  # a child's collection would copy the pages of all that was imported
    for line in sys.stdin:
        print(json.dumps(_serve(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
