"""Spike-timing-dependent plasticity against closed forms, and three-factor rules."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from neuro import Network
from neuro.model import SynapseModel
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.synapses import (
    STDP_ADDITIVE,
    STDP_GATED,
    STDP_MULTIPLICATIVE,
    STDP_REWARD,
    STDP_TRIPLET,
    STDP_TRIPLET_HIPPOCAMPUS,
)  # fmt: skip
from neuro.units import Hz, Quantity, ms, nM
from tests.exact._pairing import Kind, final, pairs, run

pytestmark = pytest.mark.usefixtures("plain")

# A weight is the sum of a few exactly computed terms: some 1e2 roundings of 1e-16, and decay over
# an interval that itself is the difference of two times of about 1e3 ms (1e-13 ms).
ROUNDING = 1e-11

Array = NDArray[np.float64]
DELTAS = np.array([-60, -40, -20, -10, -5, -1, 0, 1, 5, 10, 20, 40, 60], np.float64)
W_MAX = 0.15  # Song et al. 2000: 0.015 of a leak of 10 nS
NO_TRIPLETS = {"A3_plus": Quantity(0), "A3_minus": Quantity(0)}


# Typed from the papers and not read from the models: a number that is wrong there is found here.
ADDITIVE = {"A_plus": 0.005, "A_minus": 0.00525, "tau_plus": 20.0, "tau_minus": 20.0}
MULTIPLICATIVE = {"c_p": 0.001, "c_d": 0.003}
_SLOW = {"tau_plus": 16.8, "tau_minus": 33.7}
TRIPLETS = {  # Pfister & Gerstner 2006, table 4, all-to-all
    "stdp_triplet": _SLOW
    | {
        "tau_x": 101.0,
        "tau_y": 125.0,
        "A2_plus": 5e-10,
        "A3_plus": 6.2e-3,
        "A2_minus": 7e-3,
        "A3_minus": 2.3e-4,
    },
    "stdp_triplet_hippocampus": _SLOW
    | {
        "tau_x": 946.0,
        "tau_y": 27.0,
        "A2_plus": 6.1e-3,
        "A3_plus": 6.7e-3,
        "A2_minus": 1.6e-3,
        "A3_minus": 1.4e-3,
    },
}


def _pairings(deltas: Array, at_ms: float = 100.0) -> tuple[list[Array], list[Array]]:
    """One arrival at `at_ms` and one spike of the target `delta` later, for each delta."""
    return [np.array([at_ms])] * len(deltas), [np.array([at_ms + delta]) for delta in deltas]


def _by_pairs(start: float | Array) -> dict[str, Kind]:
    return {
        "additive": Kind(STDP_ADDITIVE, start),
        "weak": Kind(STDP_MULTIPLICATIVE, 0.1),
        "strong": Kind(STDP_MULTIPLICATIVE, 1.0),
    }


def test_pairs_give_their_window(backend: str) -> None:
    """Song et al. (2000), figure 1, and van Rossum et al. (2000); in one step counts as causal."""
    recording = run(pairs(_by_pairs(0.05), *_pairings(DELTAS)), backend)
    assert all(recording.spikes["post"].counts() == 1)
    p = ADDITIVE
    window = np.where(
        DELTAS >= 0,
        p["A_plus"] * np.exp(-DELTAS / p["tau_plus"]),
        -p["A_minus"] * np.exp(DELTAS / p["tau_minus"]),
    )
    change = (final(recording, "additive") - 0.05) / W_MAX
    assert np.abs(change - window).max() < ROUNDING
    assert np.abs(change + window).max() > 1e-3  # a window upside down would be seen

    # Potentiation is the same for all, depression in proportion to the weight.
    p = MULTIPLICATIVE
    for name, start in (("weak", 0.1), ("strong", 1.0)):
        expected = np.where(
            DELTAS >= 0,
            start + p["c_p"] * np.exp(-DELTAS / 20),
            start * (1 - p["c_d"] * np.exp(DELTAS / 20)),
        )
        assert np.abs(final(recording, name) - expected).max() < ROUNDING


UNEQUAL = {"tau_plus": ms(10), "tau_minus": ms(40)}


def test_each_side_of_the_window_has_its_own_time_constant(backend: str) -> None:
    """Potentiation fades with tau_plus and depression with tau_minus, in every pair rule."""
    kinds = {
        "additive": Kind(STDP_ADDITIVE, 0.05, UNEQUAL),
        "multiplicative": Kind(STDP_MULTIPLICATIVE, 0.1, UNEQUAL),
        "reward": Kind(STDP_REWARD, 0.5, UNEQUAL | {"tau_c": ms(1e6)}),
        "gated": Kind(STDP_GATED, 0.5, UNEQUAL | {"closed": Quantity(0)}),
        "hippocampus": Kind(
            STDP_TRIPLET_HIPPOCAMPUS, 1.0, UNEQUAL | NO_TRIPLETS | {"A2_minus": Quantity(6.1e-3)}
        ),
    }
    kept = {name: "c" if name == "reward" else "w" for name in kinds}
    recording = run(pairs(kinds, *_pairings(np.array([10.0, 30, -10, -30]))), backend, record=kept)
    for name, variable in kept.items():
        start = kinds[name].weight if variable == "w" else 0.0
        up, later_up, down, later_down = final(recording, name, variable) - start
        # The eligibility has decayed by e-6 a ms since, for some 50 ms at most.
        assert later_up / up == pytest.approx(np.exp(-20 / 10), rel=1e-4), name
        assert later_down / down == pytest.approx(np.exp(-20 / 40), rel=1e-4), name
        assert up > 0 > down


def test_weights_stay_within_their_bounds(backend: str) -> None:
    """From near a bound, a pair that would pass it ends on it exactly."""
    start = np.array([W_MAX * 0.999, W_MAX * 0.001])
    network = pairs(_by_pairs(start), *_pairings(np.array([1.0, -1.0])))
    up, down = final(run(network, backend), "additive")
    assert up == pytest.approx(W_MAX, rel=1e-15)
    assert down == 0.0


def test_all_pairs_of_two_trains_count(backend: str) -> None:
    """The weight is the sum over all pairs; nearest pairs alone would give another."""
    rng = np.random.default_rng(5)
    # Every other step: a relay's reset would swallow a trigger that comes in the very next one.
    pre, post = (10.0 + 2 * np.sort(rng.permutation(100)[:30]) for _ in range(2))
    recording = run(pairs(_by_pairs(0.07), [pre], [post]), backend)
    assert len(recording.spikes["post"]) == 30
    change = (final(recording, "additive")[0] - 0.07) / W_MAX

    def summed(pre: Array) -> float:
        lag = post[:, None] - pre[None, :]
        causal, acausal = np.exp(-lag[lag >= 0] / 20), np.exp(lag[lag < 0] / 20)
        return 0.005 * float(causal.sum() - 1.05 * acausal.sum())

    assert abs(summed(pre)) > 1e-3
    assert abs(change - summed(pre)) < ROUNDING
    assert abs(change - summed(pre[-1:])) > 1e-3


BY_TRIPLETS = {
    "cortex": Kind(STDP_TRIPLET, 1.0),
    "hippocampus": Kind(STDP_TRIPLET_HIPPOCAMPUS, 1.0),
    "pairs_alone": Kind(
        STDP_TRIPLET, 1.0, NO_TRIPLETS | {"A2_plus": Quantity(7e-3), "A2_minus": Quantity(7e-3)}
    ),
}


def _triplets(synapse: SynapseModel, lags: list[tuple[float, float]]) -> Array:
    """Pfister & Gerstner (2006), equations 3 and 4: pre-post-pre, then post-pre-post."""
    p = TRIPLETS[synapse.name]

    def decay(lag: float, tau: str) -> float:
        return float(np.exp(-lag / p[tau]))

    found = []
    for first, second in lags:
        between = first + second
        up, down = decay(first, "tau_plus"), decay(second, "tau_minus")
        found.append(
            up * p["A2_plus"] - down * (p["A2_minus"] + p["A3_minus"] * decay(between, "tau_x"))
        )
        down, up = decay(first, "tau_minus"), decay(second, "tau_plus")
        found.append(
            up * (p["A2_plus"] + p["A3_plus"] * decay(between, "tau_y")) - down * p["A2_minus"]
        )
    return np.array(found)


def test_triplets_have_their_closed_form(backend: str) -> None:
    """Both triplets of the paper's figure 3; pairs alone would give another change."""
    lags = [(5.0, 5.0), (10.0, 10.0), (15.0, 5.0), (5.0, 15.0)]
    arrivals, targets = [], []
    for first, second in lags:
        times = np.array([100.0, 100.0 + first, 100.0 + first + second])
        arrivals += [times[[0, 2]], times[[1]]]
        targets += [times[[1]], times[[0, 2]]]
    recording = run(pairs(BY_TRIPLETS, arrivals, targets), backend)
    for name in ("cortex", "hippocampus"):
        expected = _triplets(BY_TRIPLETS[name].synapse, lags)
        assert np.abs(final(recording, name) - 1 - expected).max() < ROUNDING
        assert np.abs(final(recording, "pairs_alone") - 1 - expected).max() > 1e-3


# Relative change after 60 pairs and its standard error (Sjöström et al. 2001, as tabled by Pfister
# & Gerstner 2006): rate (Hz), target minus source (ms), change, error.
SJOSTROM = np.array([
    (10, 10, 0.14, 0.10), (20, 10, 0.29, 0.14), (40, 10, 0.53, 0.11), (50, 10, 0.56, 0.26),
    (10, -10, -0.41, 0.11), (20, -10, -0.34, 0.10), (40, -10, 0.56, 0.32), (50, -10, 0.75, 0.19),
])  # fmt: skip


def test_triplets_depend_on_the_rate_as_measured(backend: str) -> None:
    """Acausal pairs depress at low and potentiate at high rates, which pairs alone cannot.

    The paper reports a mean squared error, in units of the standard error, of 0.33 over these
    and two more points; 0.5 allows for the missing ones.
    """
    arrivals = [200 + np.arange(60) * 1000 / rate for rate in SJOSTROM[:, 0]]
    targets = [times + lag for times, lag in zip(arrivals, SJOSTROM[:, 1], strict=True)]
    network = pairs(BY_TRIPLETS, arrivals, targets, dt_ms=5.0)
    recording = run(network, backend, dt_ms=5.0, every_ms=100.0)
    found = final(recording, "cortex") - 1
    assert np.mean(((found - SJOSTROM[:, 2]) / SJOSTROM[:, 3]) ** 2) < 0.5
    causal, acausal = found[:4], found[4:]
    assert (np.diff(causal) > 0).all()
    assert (acausal[:2] < -0.2).all()
    assert (acausal[2:] > 0.1).all()
    assert (final(recording, "pairs_alone")[4:] < 1).all()


DT_MS, TAU_C = 0.5, 50.0
QUICK = {"tau_c": ms(TAU_C), "rate": Hz(1)}


def _modulated(rises_at_ms: float, to_nM: float) -> Network:
    """A causal and an acausal pair under dopamine and noradrenaline, each at half occupancy.

    Dopamine is absent until `rises_at_ms`; 50 nM occupy half of the receptors.
    """
    kinds = {
        "rewarded": Kind(STDP_REWARD, 0.5, QUICK),
        "disappointed": Kind(STDP_REWARD, 0.5, QUICK | {"reward_0": Quantity(2)}),
        "unheard": Kind(STDP_REWARD, 0.5, QUICK),
        **{name: Kind(STDP_GATED, 0.5) for name in ("both", "up", "down", "closed")},
    }
    course = ((ms(rises_at_ms), nM(0)), (ms(rises_at_ms + 0.1), nM(to_nM)))
    return replace(
        pairs(kinds, *_pairings(np.array([10.0, -10.0])), dt_ms=DT_MS),
        transmitters=(
            Transmitter("dopamine", uptake=ms(0.01), schedule=course),
            Transmitter("noradrenaline", baseline=nM(50)),
        ),
        receptors=(Receptor("d1", "dopamine", nM(50)), Receptor("beta", "noradrenaline", nM(50))),
        effects=(
            Effect("d1", "rewarded", "reward", 2.0), Effect("d1", "disappointed", "reward", 2.0),
            Effect("beta", "both", "gate_plus", 2.0), Effect("beta", "both", "gate_minus", 2.0),
            Effect("beta", "up", "gate_plus", 2.0), Effect("beta", "down", "gate_minus", 2.0),
        ),
    )  # fmt: skip


PAIRED_MS, END_MS = np.array([110.0, 100.0]) + DT_MS, 260.0  # a spike adds at its step's end


@cache
def _changes(backend: str, rises_at_ms: float, to_nM: float) -> dict[str, Array]:
    """How far weights have moved at the end; two tests read one of the runs."""
    network = _modulated(rises_at_ms, to_nM)
    recording = run(network, backend, dt_ms=DT_MS, after_ms=150.0, every_ms=10.0)
    assert recording.traces["rewarded.w"].times_ms[-1] == END_MS
    return {p.name: final(recording, p.name) - 0.5 for p in network.projections[1:]}


def test_reward_turns_eligibility_into_weight(backend: str) -> None:
    """Izhikevich (2007): the pair proposes a change, which only dopamine within tau_c makes.

    From the pair, or from the rise of dopamine if that is later, dw/dt = rate*w_max*o*c integrates
    to rate*w_max*o*tau_c*(c at the start - c at the end), which the linear equations keep exactly.
    """
    rate_per_ms = 1e-3
    eligibility = np.exp(-10 / 20) * np.array([1.0, -1.5])

    def expected(rises_at_ms: float, occupancy: float) -> Array:
        start, end = (
            np.exp(-(at - PAIRED_MS) / TAU_C)
            # A schedule's rise within one step is there in the next, and acts in the one after.
            for at in (np.maximum(rises_at_ms + 2 * DT_MS, PAIRED_MS), END_MS)
        )
        return rate_per_ms * occupancy * eligibility * TAU_C * (start - end)

    early, late, never = (
        _changes(backend, *course) for course in ((50.0, 50.0), (200.0, 50.0), (50.0, 0.0))
    )
    assert np.abs(early["rewarded"]).min() > 0.01
    assert np.allclose(early["rewarded"], expected(50.0, 0.5), rtol=1e-9)
    assert np.allclose(late["rewarded"], expected(200.0, 0.5), rtol=1e-9)
    # What comes late is worth little.
    assert (np.abs(late["rewarded"]) < 0.2 * np.abs(early["rewarded"])).all()
    for without in (never["rewarded"], early["unheard"]):
        assert (without == 0).all()  # no reward, no change, not even a rounding
    # Less reward than expected: the same pairs change the weight the other way.
    assert np.allclose(early["disappointed"], -early["rewarded"], rtol=1e-9)


def test_each_direction_has_a_gate_of_its_own(backend: str) -> None:
    """Seol et al. (2007): one receptor permits potentiation, another depression."""
    changes = _changes(backend, 50.0, 0.0)
    up, down = 0.5 * np.exp(-0.5) * np.array([0.005, -0.00525])  # half are occupied
    for name, expected in (("both", [up, down]), ("up", [up, 0]), ("down", [0, down])):
        assert np.abs(changes[name] - expected).max() < ROUNDING  # of 1 nS
    assert (changes["closed"] == 0).all()
