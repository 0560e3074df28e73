"""What makes a command start and end sooner; nothing here changes what it computes."""

from __future__ import annotations

import atexit
import gc
import sys

__all__ = ["fewer_collections", "import_numba"]

_OBJECTS = 50_000
"""New objects between two searches for garbage; engineering choice: Python's 700 cost a fifth of
the time in which a thousand modules are imported."""


def fewer_collections() -> None:
    """Search for cyclic garbage less often, and not at the end, when all goes anyway.

    Arrays and files are freed and closed without such a search, which at the end of a short run
    took a quarter of its time.
    """
    gc.set_threshold(_OBJECTS, 20, 20)
    atexit.register(gc.freeze)


def import_numba() -> None:
    """Import Numba without SciPy and CFFI, for which it looks and of which Ember has no use there.

    Without SciPy's BLAS Numba multiplies vectors by a loop of its own in the one place where it
    does not look for it again; without CFFI it cannot call functions made by it. Both packages can
    be imported afterwards, by the ear or to read a sound.
    """
    if "numba" in sys.modules:
        return
    hidden = [name for name in ("scipy", "cffi") if name not in sys.modules]
    sys.modules |= dict.fromkeys(hidden)  # type: ignore[arg-type]  # None refuses to be imported
    try:
        import numba.core.typing.cffi_utils
        import numba.np.arraymath  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
