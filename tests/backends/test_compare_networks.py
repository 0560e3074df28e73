"""`ember compare` on networks of all kinds: sound back ends agree, broken copies are told.

Runs in this process, since what is compared here is numbers; `tests/cli/test_compare.py` starts
the real thing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuro.backends import BACKENDS
from neuro.errors import BackendUnsupported
from neuro.simulate import prepare
from sims.assembly import build_experiment
from sims.compare import Comparison, compare
from sims.compare.table import as_text
from sims.config import load
from tests.backends._broken import broken_copy

FOLDER = Path(__file__).parent / "compare"
REFERENCE = "numba:precision=float64"
WITHOUT_SINGLE = f"{REFERENCE},brian,norse,lava"
ALL = f"{WITHOUT_SINGLE},numba"
SINGLE = ("static_lif", "modulated", "plastic", "noisy", "loihi")
"""Compared with numba in single precision, too; each such kernel takes seconds to compile."""

# What of each network Loihi has not; empty if it has all.
LOIHI_LACKS = {
    "static_lif": "no refractory period",
    "hodgkin_huxley": "no conditional refractoriness",
    "plastic": "no edge variables, on_post",
    "modulated": "no neuromodulation",
    "noisy": "no refractory period",
    "loihi": "",
}
# Kinds that `test_agreement.py`, `test_plastic_agreement.py` and `test_torch_network.py` compare
# spike for spike; here, only that Loihi refuses them by name.
REFUSED = {
    "delayed": "no refractory period",
    "conductance": "no refractory period",
    "adex": "no synapses that depend on the target's voltage",
    "short_term": "no edge variables",
    "gap_junction": "no summed variables",
    "driven": "no input over time",
}
UPSWINGS = ("hodgkin_huxley",)
"""Models that amplify an error in the upswing of a spike, which no leak bounds."""

slow = pytest.mark.slow
NETWORKS = [
    pytest.param(name, marks=() if name in ("static_lif", "loihi") else slow)
    for name in LOIHI_LACKS
]


def compared(name: str, backends: str, *changes: str, seeds: int | None = None) -> Comparison:
    loaded = load(FOLDER / f"{name}.yaml", changes)
    return compare(loaded, backends, reference=REFERENCE, seeds=seeds, alone=False)


def bound_mv(arithmetic: str, dt_ms: float) -> float:
    """How far rounding can take a membrane that leaks.

    A rounding to nearest is off by half a unit in the last place, of numbers up to 100 mV; a step
    of these models has no more than ten on the way to `v`; and since a membrane forgets with its
    time constant, C/g_L = 15 ms, the errors of all steps add up to those of 15 ms (a geometric
    series). Between two back ends there are two such errors.
    """
    unit = {"float64": 2.0**-53, "float32": 2.0**-24}[arithmetic]
    return 2 * 10 * unit * 100.0 * 15.0 / dt_ms


@pytest.mark.parametrize("name", NETWORKS)
def test_back_ends_agree(name: str) -> None:
    backends = ALL if name in SINGLE else WITHOUT_SINGLE
    found = compared(name, backends, seeds=7 if name == "noisy" else None)
    report = found.report
    by_label = {one.label: one for one in report.backends}
    lacks = LOIHI_LACKS[name]

    reference = found.recordings[REFERENCE]
    for population in found.rates_hz[REFERENCE]:
        assert len(reference.spikes[population]) >= 20  # silence agrees with anything
    at_work(name, found)

    assert by_label.pop(REFERENCE).verdict == "reference"
    loihi = by_label.pop("lava")
    assert (loihi.verdict == "refused", lacks in loihi.error) == (bool(lacks), True)
    assert loihi.verdict in ("refused", "agrees"), as_text(report)
    assert [o.label for o in by_label.values() if o.verdict != "agrees"] == [], as_text(report)
    assert report.status == (3 if lacks else 0)
    assert bool(report.random) == (name == "noisy")
    if report.random:
        assert by_label["brian"].f < 0.2  # other random numbers: not spike for spike
        return

    # In double precision a spike moves where its membrane is within an error of the threshold at
    # a step: 1e-11 mV of the 0.01 mV and more by which it rises, so one of a billion spikes.
    assert by_label["brian"].identical
    assert by_label["brian"].f == 1.0
    if name not in UPSWINGS:
        for one in by_label.values():
            for trace in (t for t in one.traces if t.unit == "mV"):
                assert trace.largest_before <= bound_mv(one.arithmetic, report.dt_ms)
    # In single precision that is one of a few hundred, and others follow from it.
    for one in by_label.values():
        if one.label == "brian":
            continue
        assert one.arithmetic == "float32"
        assert one.f > 0.85
        assert all(t.largest_before > 0 for t in one.traces if t.unit == "mV")


def at_work(name: str, found: Comparison) -> None:
    """What the network is there for takes part in it."""
    reference = found.recordings[REFERENCE]
    if name == "plastic":
        weights = reference.traces["learning.w"].data
        assert np.abs(weights[-1] - weights[0]).max() > 0.02  # of at most 1 nS
    if name == "modulated":
        assert reference.factors["e.g_L"].values.max() > 1.02
        assert reference.factors["ee.weight"].values.min() < 0.97


@pytest.mark.parametrize("name", REFUSED)
def test_loihi_refuses_by_name(name: str) -> None:
    """Before anything is compiled or run."""
    network = build_experiment(load(FOLDER / f"{name}.yaml")).network
    assert prepare(network, backend="brian").network == network
    with pytest.raises(BackendUnsupported, match=REFUSED[name]):
        prepare(network, backend="lava")


@pytest.mark.parametrize(
    ("sound", "name", "kinds"),
    [
        ("numba", "static_lif", ("late", "weight", "lost", "reset", "seed")),
        pytest.param("brian", "static_lif", ("late", "weight"), marks=slow),
        pytest.param("norse", "static_lif", ("late", "weight", "seed"), marks=slow),
        # 1 % of a weight is what 8 bits leave out.
        ("lava", "loihi", ("late", "lost", "reset", "seed")),
    ],
)
def test_broken_copies_are_told_by_name(
    sound: str, name: str, kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the sound back end, in the precision that users have, in one comparison."""
    copies = [broken_copy(sound, kind) for kind in kinds]
    for copy in copies:
        monkeypatch.setitem(BACKENDS, copy.name, copy)
    report = compared(name, ",".join([REFERENCE, sound, *(c.name for c in copies)])).report
    by_label = {one.label: one for one in report.backends}
    assert by_label[sound].verdict == "agrees", as_text(report)
    assert report.status == 1
    for copy in copies:
        one = by_label[copy.name]
        assert one.verdict == "differs", as_text(report)
        assert f"{copy.name} differs: " in as_text(report)
        assert any(not check.passed and check.found > 0 for check in one.checks)
    # A single weight moves no spike here, and is seen all the same.
    if "weight" in kinds:
        assert by_label[f"{sound}_weight"].f > 0.99
        assert by_label[f"{sound}_late"].first_divergence.time_ms < 100


def test_random_networks_are_told_apart_by_what_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 % more input is seen; the same network with other edges and other noise is the same."""
    for kind in ("louder", "apart"):
        copy = broken_copy("numba", kind)
        monkeypatch.setitem(BACKENDS, copy.name, copy)
    found = compared("noisy", f"{REFERENCE},numba_louder,numba_apart", "duration=1 s")
    louder, apart = found.report.backends[1:]
    assert (louder.verdict, apart.verdict) == ("differs", "agrees"), as_text(found.report)
    assert found.report.status == 1
    assert apart.f < 0.2  # not one spike in five is shared by chance
    told = {(t.population, t.measure) for t in louder.distributions if t.p_corrected < 0.01}
    assert {population for population, _ in told} == {"e"}  # Poisson cells have no input
    assert ("e", "rate of runs") in told


def test_a_network_that_repeats_itself_is_compared_over_seeds() -> None:
    """Seeds of a network without random numbers draw other edges and start values."""
    found = compared("loihi", f"{REFERENCE},numba", seeds=2)
    assert found.report.seeds == (14, 15)
    assert {check.seed for check in found.report.backends[1].checks} == {14, 15}
    one, two = found.rates_hz["numba"]["e"]
    assert one != two
