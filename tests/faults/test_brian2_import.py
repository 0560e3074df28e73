"""Brian2 compiles for us and does nothing else to the process."""

from __future__ import annotations

import subprocess
import sys

IN_A_THREAD = """
import signal, sys, threading
from neuro.brian2_import import brian2
from neuro.equations.dimensions import check_model
from neuro.models import MODELS

before = signal.getsignal(signal.SIGINT), signal.signal, sys.excepthook
errors = []

def work():
    try:
        check_model(MODELS["lif"])
    except Exception as error:
        errors.append(error)

threads = [threading.Thread(target=work) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not errors, errors
assert brian2().__name__ == "brian2"
assert (signal.getsignal(signal.SIGINT), signal.signal, sys.excepthook) == before
"""


def test_brian2_is_imported_from_any_thread_and_leaves_ctrl_c_alone() -> None:
    done = subprocess.run([sys.executable, "-c", IN_A_THREAD], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
