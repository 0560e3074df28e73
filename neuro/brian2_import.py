"""The one place that imports Brian2: late, and without letting it take over the process."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from typing import Any

__all__ = ["brian2"]

_LOCK = threading.Lock()


def brian2() -> Any:
    """The brian2 package; may be called from any thread.

    Importing it takes about a second, and as it stands installs an exception hook that turns
    every later error of the program into a bug report for Brian2, and a Ctrl-C handler that ends
    a simulation early as if it were complete (and that only the main thread may install, so that
    no worker thread could import Brian2). Neither is let through, nor is a change to how pytest
    collects doctests.
    """
    with _LOCK:
        if "brian2" in sys.modules:
            return sys.modules["brian2"]
        hook, register, pylab = sys.excepthook, signal.signal, sys.modules.get("pylab")
        doctest = sys.modules.get("_pytest.doctest")
        collector = getattr(doctest, "DoctestModule", None)
        signal.signal = lambda number, handler: signal.getsignal(number)  # type: ignore[assignment]
        # Without pylab Brian2 does with numpy, and a quarter of the time is saved.
        sys.modules["pylab"] = None  # type: ignore[assignment]
        try:
            return importlib.import_module("brian2")
        finally:
            sys.excepthook, signal.signal = hook, register
            if doctest is not None:  # else a test run loses the doctests of our packages
                doctest.DoctestModule = collector  # type: ignore[attr-defined]
            if pylab is None:
                del sys.modules["pylab"]
            else:
                sys.modules["pylab"] = pylab
