"""Run pytest in forked children of one process that has imported what others wrote.

Imports of numpy, numba and torch are most of what a short test costs; here they are paid once.
Nothing of the project is imported before the fork, so a child runs the files of its own copy.
Started by `copy.Copy`; reads one JSON request a line, answers with one.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from contextlib import chdir, redirect_stdout
from typing import Any

import pytest

OURS = {"bridges", "circuits", "encoders", "examples", "neuro", "sims", "tests"}


def _child(request: dict[str, Any]) -> None:
    status = 99
    try:
        os.setsid()  # so that what the test starts ends with it
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        output = os.open(request["output"], flags, 0o600)
        for number, handle in ((0, os.open(os.devnull, os.O_RDONLY)), (1, output), (2, output)):
            os.dup2(handle, number)
        os.chdir(request["folder"])
        os.environ.update(request["environment"])
        sys.path.insert(0, request["folder"])
        status = int(pytest.main(request["arguments"]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _serve(request: dict[str, Any]) -> int | None:
    """Exit status of a run, or None if it took longer than its limit."""
    child = os.fork()
    if not child:
        _child(request)
    ends = time.monotonic() + request["limit_s"]
    try:
        while time.monotonic() < ends:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                child = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        return None
    finally:
        if child:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)


def main() -> None:
    """Import the modules named as arguments, then answer requests until there are no more."""
    del sys.path[0]  # this folder, whose modules are no packages
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what an import prints is no answer
    for name in sys.argv[1:]:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as empty, chdir(empty), redirect_stdout(io.StringIO()):
        pytest.main([])  # imports its plugins
    found = sorted(OURS & {name.partition(".")[0] for name in sys.modules})
    if found:
        raise SystemExit(f"a warm process must import nothing of the project, found {found}")
    gc.freeze()  # a child need not look through what was imported
    for line in sys.stdin:
        print(json.dumps(_serve(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
