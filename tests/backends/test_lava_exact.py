"""The emulator against lava-nc itself: the same bits, on networks that reach every corner."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from neuro import Background, Network, Population, Projection, Record, Source, Spikes, simulate
from neuro.backends.lava import emulator, kernel
from neuro.backends.lava.emulator import emulate
from neuro.backends.lava.lava_nc import run_lava
from neuro.backends.lava.processes import KINDS, SIGN_MODES, FixedNetwork, Synapses
from neuro.backends.lava.python310 import environment
from neuro.backends.lava.runs import FixedRun, differences
from neuro.backends.lava.weights import effective_weights, sign_mode
from neuro.errors import EmberError
from neuro.models import LIF, POISSON
from neuro.network import Uniform
from neuro.synapses import DELTA, EXPONENTIAL_CURRENT
from neuro.units import Hz, ms, mV, pA
from neuro.wiring import FixedTotal, Pairwise
from tests.backends._lava import alone, random_network, together
from tests.conftest import IN_CI

# Networks that Lava runs as one, steps, longest delay. The last are few, and long enough for the
# longest delay to show.
BATCHES = (*[(40, 18, 7)] * 5, (12, 90, 63))

Pair = tuple[FixedNetwork, FixedRun]


def lava_or_skip() -> None:
    """In CI lava-nc must be there, or be made; on a person's machine it may be missing."""
    try:
        environment()
    except EmberError as error:
        if IN_CI:
            pytest.fail(f"CI must run lava-nc: {error}")
        pytest.skip(f"lava-nc was not run: {error}")


@cache
def lavas_runs() -> list[Pair]:
    """Random networks, each with what lava-nc made of it; one process of Lava for them all."""
    batches = [
        [random_network(1000 * number + k, steps, longest=longest) for k in range(size)]
        for number, (size, steps, longest) in enumerate(BATCHES)
    ]
    steps = [steps for _, steps, _ in BATCHES]
    runs = run_lava([together(batch) for batch in batches], steps, timeout_s=580)
    return [
        pair
        for batch, run in zip(batches, runs, strict=True)
        for pair in zip(batch, alone(run, batch), strict=True)
    ]


@pytest.fixture
def compared() -> list[Pair]:
    """All of them."""
    lava_or_skip()
    return lavas_runs()


def wrong(compared: list[Pair]) -> Iterator[str]:
    """The networks in which emulator and Lava differ, with their first difference."""
    for network, lavas in compared:
        if told := differences(emulate(network, lavas.n_steps), lavas):
            yield f"{network.name}: {told[0]}"


def test_the_emulator_equals_lava_bit_for_bit(compared: list[Pair]) -> None:
    """Current, voltage and spikes of every cell after every step."""
    assert list(wrong(compared)) == []


def test_the_networks_reach_every_corner(compared: list[Pair]) -> None:
    """Silence agrees with anything, and so does arithmetic that never overflows."""
    assert len(compared) >= 200
    cells = [c for network, _ in compared for c in network.cells]
    synapses = [s for network, _ in compared for s in network.synapses]
    runs = [emulate(network, lavas.n_steps, watch=False) for network, lavas in compared]
    spiking = [run for run in runs if sum(s.size for s, _ in run.spikes.values()) > 5]
    assert len(spiking) > 100
    assert sum(any(run.wrapped.values()) for run in runs) > 10
    assert sum(any(run.cut.values()) for run in runs) > 10
    assert {0, 4095} <= {c.du for c in cells} & {c.dv for c in cells}
    assert {0, 2**17 - 1} <= {c.vth for c in cells}
    assert sum(c.reset_interval > 0 for c in cells) > 10
    assert {s.kind for s in synapses} == set(KINDS)
    assert {s.sign_mode for s in synapses} == set(SIGN_MODES)
    assert {sign_mode(s) for s in synapses} == set(SIGN_MODES) - {"auto"}
    assert {s.weight_exp for s in synapses} == set(range(-8, 8))
    assert {s.num_weight_bits for s in synapses} == set(range(9))
    assert {s.num_message_bits for s in synapses} == {0, 8}
    assert sum(bool((effective_weights(s) != s.weights).any()) for s in synapses) > 50
    delays = {int(d) for s in synapses for d in s.delays}
    assert {0, 63} <= delays and len(delays) > 40
    assert any(s.source in {c.name for c in n.cells} for n, _ in compared for s in n.synapses)


def pure(change: Callable[[str], str]) -> types.ModuleType:
    """The kernel's own text, changed, in plain Python."""
    source = Path(kernel.__file__).read_text("utf-8").replace("@kept\n@njit(nogil=True)\n", "")
    module = types.ModuleType("changed_kernel")
    exec(compile(change(source), "changed_kernel", "exec"), module.__dict__)
    return module


LATE = "slot = (step + 1 + edges.delay[e])"
BROKEN = {
    "current rounded down": ("np.int32(u[i] * keep_u)", "np.int32(np.floor(u[i] * keep_u))"),
    "voltage rounded down": ("np.int32(v[i] * keep_v)", "np.int32(np.floor(v[i] * keep_v))"),
    "messages late by a step": (LATE, "slot = (step + 2 + edges.delay[e])"),
    "messages early by a step": (LATE, "slot = (step + edges.delay[e])"),
    "current saturates": (
        "inside = np.int32(current - np.int32(16777216))", "inside = np.int32(8388607)",
    ),
    "current does not wrap": ("if current <= np.int32(-8388608):", "if False:"),
    "voltage is not cut": ("voltage = min(max(free", "voltage = free  # min(max(free"),
    "spikes at the threshold": ("spikes = voltage > threshold", "spikes = voltage >= threshold"),
    "threshold not aligned": ("np.int32(board.vth[p] << 6)", "np.int32(board.vth[p])"),
    "input not aligned": ("np.int32(arrived[i] << 6)", "arrived[i]"),
    "decay of the current without its offset": ("(board.du[p] + 1)", "board.du[p]"),
    "decay of the voltage with one": ("(4096 - board.dv[p])", "(4096 - (board.dv[p] + 1))"),
    "voltage takes the old current": ("np.int32(kept + inside)", "np.int32(kept + u[i])"),
    "reset by subtraction": ("np.int32(0) if spikes", "np.int32(voltage - threshold) if spikes"),
    "periodic reset a step late": ("(step + 1) % interval ==", "step % interval =="),
    "each weight shifted, not the sum": (
        "np.int64(edges.weight[e]) * times", "((edges.weight[e] * times) >> edges.down[g])",
    ),
    "shift toward zero": (
        "shifted = edges.sums[at] >> edges.down[g]",
        "shifted = np.int64(edges.sums[at] / 2.0 ** edges.down[g])",
    ),
    "graded spikes count once": ("payload[k] if edges.graded[g] else 1", "1"),
    "binary spikes count with payload": ("payload[k] if edges.graded[g] else 1", "payload[k]"),
}  # fmt: skip


def test_the_kernel_in_plain_python_is_right(
    compared: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So whatever a change below breaks, the change broke it."""
    monkeypatch.setattr(emulator, "kernel", pure(lambda source: source))
    with np.errstate(over="ignore"):
        assert list(wrong(compared)) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_wrong_emulator_is_caught(
    compared: list[Pair], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    old, new = BROKEN[name]

    def change(source: str) -> str:
        assert source.count(old) >= 1
        return source.replace(old, new)

    monkeypatch.setattr(emulator, "kernel", pure(change))
    with np.errstate(all="ignore"):
        assert next(wrong(compared), "") != ""


def rounded_to_zero(synapses: Synapses) -> np.ndarray:
    dropped = 8 - synapses.num_weight_bits + (sign_mode(synapses) == "mixed")
    signed = sign_mode(synapses) == "mixed"
    high = 0 if sign_mode(synapses) == "inhibitory" else 255
    low = -256 if signed else -255 if sign_mode(synapses) == "inhibitory" else 0
    cut = np.clip(synapses.weights, low, high)
    return np.sign(cut) * (np.abs(cut) >> dropped << dropped)


@pytest.mark.parametrize(
    "weights",
    [rounded_to_zero, lambda s: s.weights.astype(np.int64),
     lambda s: effective_weights(replace(s, sign_mode="auto")),
     lambda s: effective_weights(replace(s, num_weight_bits=8))],
    ids=["bits dropped toward zero", "nothing dropped", "sign mode ignored", "bits ignored"],
)  # fmt: skip
def test_wrong_weights_are_caught(
    compared: list[Pair], monkeypatch: pytest.MonkeyPatch, weights: Callable[[Synapses], np.ndarray]
) -> None:
    monkeypatch.setattr(emulator, "effective_weights", weights)
    assert next(wrong(compared), "") != ""


def test_the_comparator_sees_a_single_bit(compared: list[Pair]) -> None:
    network, lavas = next(pair for pair in compared if len(pair[0].cells) == 2)
    name = network.cells[1].name
    for kind in ("u", "v"):
        states = dict(getattr(lavas, kind))
        states[name] = states[name].copy()
        states[name][7, 0] ^= 1
        told = differences(lavas, replace(lavas, **{kind: states}))
        assert len(told) == 1 and told[0].startswith(f"{kind} of {name}: step 7, cell 0")
    steps, units = lavas.spikes[name]
    more = {**lavas.spikes, name: (np.append(steps, 99), np.append(units, 0))}
    assert differences(lavas, replace(lavas, spikes=more)) == [
        f"spikes of {name}: 1, first step 99, cell 0"
    ]
    assert differences(lavas, replace(lavas, u={})) != []


def network() -> Network:
    """Everything a Network can bring to Lava: sources, chance, delays, twofold synapses."""
    still = {"t_ref": ms(0), "I_ext": pA(280)}
    times = np.arange(5, 45, 2.5)
    source = Source("s", Spikes(times, np.arange(times.size) % 3, n_units=3, t_stop_ms=45))
    cells = (
        Population("a", LIF, 8, {**still, "V_r": mV(-62)}, {"sa.I_syn": pA(30)}),
        Population("b", LIF, 5, still),
        Population("p", POISSON, 6, {"rate": Hz(60)}),
    )
    return Network(
        "all of it",
        cells,
        (source,),
        (
            Projection("sa", "s", "a", EXPONENTIAL_CURRENT, Pairwise(0.7), pA(90), ms(1)),
            Projection("pa", "p", "a", EXPONENTIAL_CURRENT, FixedTotal(60),
                       Uniform(pA(-20), pA(60)), Uniform(ms(0.5), ms(31.5))),
            Projection("ab", "a", "b", DELTA, Pairwise(0.8), mV(1.5), ms(2)),
        ),
        backgrounds=(Background("noise", "b", DELTA, Hz(300), mV(0.4), n=3),),
    )  # fmt: skip


def test_the_back_end_gives_the_same_recording_by_either_runner() -> None:
    lava_or_skip()
    records = [Record("a", "v", 0.5), Record("a", "sa.I_syn", 1.0, (3, 1)), Record("b", "v", 1.0)]
    ours, lavas = (
        simulate(
            network(), duration_ms=45, dt_ms=0.5, seed=3, backend="lava", record=records,
            options={"runner": runner, "timeout_s": 300},
        )
        for runner in ("emulator", "lava-nc")
    )  # fmt: skip
    assert all(len(ours.spikes[name]) > 5 for name in "abps")
    assert all(ours.spikes[name] == lavas.spikes[name] for name in "abps")
    for name, trace in ours.traces.items():
        assert np.ptp(trace.data) > 0.1
        np.testing.assert_array_equal(trace.data, lavas.traces[name].data)


@pytest.mark.slow
def test_the_benchmark_compares_the_same_spikes() -> None:
    lava_or_skip()
    script = Path(__file__).parents[2] / "benchmarks" / "lava_emulator.py"
    done = subprocess.run(
        [sys.executable, str(script), "--quick", "--repeats", "1"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count(": agree") == 2
    assert "every spike of both sides is the same" in done.stdout
