"""The one place that imports Brian2: late, and without letting it take over error reports."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["brian2"]


def brian2() -> Any:
    """The brian2 package.

    Importing it takes about a second and installs an exception hook that turns every later
    error of the program into a bug report for Brian2; the hook that was there is put back.
    """
    hook = sys.excepthook
    import brian2 as package

    sys.excepthook = hook
    return package
