"""What a compilation leaves behind in the process: nothing."""

from __future__ import annotations

import gc

import pytest

from neuro import Network, Population, simulate
from neuro.backends.numba.kernel import Kernel
from neuro.models import LIF


@pytest.mark.parametrize("collecting", [True, False])
@pytest.mark.parametrize("fails", [False, True])
def test_garbage_is_collected_after_a_compilation_as_before(
    collecting: bool, fails: bool, plain: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not during it, which a kernel's first call is."""
    during = []
    call = Kernel._call

    def watched(kernel: Kernel, block: int) -> int:
        during.append(gc.isenabled())
        if fails:
            raise RuntimeError("no such instruction")
        return call(kernel, block)

    monkeypatch.setattr(Kernel, "_call", watched)
    network = Network("one", (Population("cell", LIF, 1),))
    if not collecting:
        gc.disable()
    try:
        if fails:
            with pytest.raises(RuntimeError, match="no such instruction"):
                simulate(network, duration_ms=1)
        else:
            simulate(network, duration_ms=1)
        assert gc.isenabled() is collecting
    finally:
        gc.enable()
    assert during[0] is False  # the compilation
    assert during[1:] == ([] if fails else [collecting])  # the steps
