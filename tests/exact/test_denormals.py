"""Kernels flush denormal numbers to zero, and leave the caller's arithmetic as it was."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from encoders.cochlea.gammatone import gammatone
from neuro import Network, NeuronModel, Population, Record, simulate
from neuro.backends.numba.kernel import Kernel
from neuro.denormals import flush_denormals, flushes_denormals, is_flushing
from neuro.units import ms, pA

pytestmark = pytest.mark.skipif(
    not flushes_denormals(), reason="this machine cannot flush denormals"
)
SMALLEST = np.finfo(np.float64).tiny
SMALLEST_SINGLE = np.finfo(np.float32).tiny

# A current that decays tenfold in each step: single precision ends after 38 steps.
DECAY = NeuronModel(
    name="decay",
    equations="dx/dt = -x/tau : amp",
    threshold="",
    reset="",
    parameters={"tau": ms(0.1 / np.log(10))},
    initial={"x": pA(100)},
    source="a closed form",
)


@pytest.fixture(autouse=True)
def _the_caller_is_left_as_it_was() -> Iterator[None]:
    """Denormal arithmetic of numpy in this thread is the same after each test as before."""
    before = np.array([SMALLEST]) / 4
    assert before[0] > 0
    yield
    assert not is_flushing()
    np.testing.assert_array_equal(np.array([SMALLEST]) / 4, before)


def test_the_block_flushes_and_its_end_restores() -> None:
    with flush_denormals():
        assert is_flushing()
        assert (np.array([SMALLEST]) / 4)[0] == 0
        with flush_denormals():
            pass
        assert is_flushing()  # the inner block gave back what the outer one had set


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_an_exception_restores_the_mode(error: type[BaseException]) -> None:
    with pytest.raises(error), flush_denormals():
        raise error


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("backend", ["numba", "norse"])
def test_a_state_decays_below_every_denormal(backend: str, threads: int) -> None:
    """Of 100 pA less than the smallest normal number, 1.2e-38, is left after 41 steps."""
    recording = simulate(
        Network("decay", (Population("cells", DECAY, 200),)),
        duration_ms=6.0, backend=backend, threads=threads,
        record=(Record("cells", "x", ms(0.1)),),
    )  # fmt: skip
    x = np.abs(recording.traces["cells.x"].data)
    assert (x[:38] > 0).all()
    assert not ((x > 0) & (x < SMALLEST_SINGLE)).any()
    assert (x[42:] < 100 * 10.0**-38).all()


def test_kernels_run_flushed_on_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call compiles, which must not be flushed; all others step a block of cells."""
    seen: list[tuple[int, bool]] = []
    call = Kernel._call

    def watched(kernel: Kernel, block: int) -> int:
        seen.append((block, is_flushing()))
        return call(kernel, block)

    monkeypatch.setattr(Kernel, "_call", watched)
    simulate(Network("decay", (Population("cells", DECAY, 200),)), duration_ms=1.0, threads=2)
    assert seen[0] == (0, False)
    assert {block for block, _ in seen[1:]} == {0, 1}
    assert all(flushed for _, flushed in seen[1:])


def test_a_stopped_run_restores_the_mode() -> None:
    def stop(done_ms: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(Network("decay", (Population("cells", DECAY, 2),)), duration_ms=1.0, progress=stop)


def test_the_ear_is_silent_after_a_click() -> None:
    """The filter's ring ends at zero and not at denormals, which cost a hundred times more."""
    click = np.zeros(40_000)
    click[0] = 1.0
    ring = gammatone(click, 16_000.0, 2000.0)
    parts = np.abs(np.concatenate([ring.real, ring.imag]))
    assert parts.max() > 0
    assert not ((parts > 0) & (parts < SMALLEST)).any()
    assert not parts.reshape(2, -1)[:, -10_000:].any()
