"""Time cells: each fires a certain time after something happened, the later the more broadly."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from circuits._checks import counts, positive, spread
from circuits.circuit import Circuit, circuit
from circuits.hippocampus._path import entries, within_reach
from neuro.errors import NetworkError
from neuro.model import NeuronModel
from neuro.signal import Signal
from neuro.units import FREQUENCY, Frequency, Hz, Length, Time, m, ms

# Engineering choice: an event lasts some steps, so that no step size can miss it, and is yet
# short beside the earliest time cell.
PULSE_MS = 10.0
LATEST = ms(10_000)
# The exact step of a chain is derived symbolically; beyond this it takes minutes.
HIGHEST_ORDER = 12


@lru_cache
def time_cell_model(k: int) -> NeuronModel:
    """Cell at the end of a chain of k + 1 leaky stages, all of rate s.

    An event, an impulse of unit area on `event`, comes out of stage k as
    `F_k(t) = (s t)^k e^{-s t} / k!`: peak at k/s, mean (k + 1)/s, CV 1/sqrt(k + 1). This is
    the inverse Laplace transform of Shankar & Howard in closed form: their
    `f̃ = C_k s^{k+1} d^k F/ds^k` has the same impulse response, and a chain needs no derivative
    across cells. `rate` is scaled so that it peaks at `r_max` whatever s is.
    """
    stages = ["dF_0/dt = event - s*F_0 : 1"]
    stages += [f"dF_{j}/dt = s*(F_{j - 1} - F_{j}) : 1" for j in range(1, k + 1)]
    peak = k**k * math.exp(-k) / math.factorial(k)  # of F_k
    stages.append(f"rate = r_max*F_{k}/{peak!r} : Hz")
    return NeuronModel(
        name=f"time_{k}",
        equations="\n".join(stages),
        threshold="rand() < rate*dt",
        parameters={"s": Hz(k), "r_max": Hz(20)},
        inputs={"event": FREQUENCY},
        source="Shankar & Howard 2012, Neural Comput 24:134",
    )


@circuit
def time_cells(
    x: Signal,
    y: Signal,
    *,
    n_cells: int = 30,
    earliest: Time = ms(300),
    latest: Time = LATEST,
    order: int = 4,
    peak_rate: Frequency = Hz(20),
    landmark_x: Length = m(0.5),
    landmark_y: Length = m(0.5),
    landmark_radius: Length = m(0.15),
) -> Circuit:
    """Time cells of the hippocampus that count the time since the animal came to a landmark.

    Each entry within `landmark_radius` of the landmark is the event. Cell i peaks at time τ_i
    after it, with a width in proportion to τ_i (scalar timing); the τ_i are spaced evenly in
    log time (Cao, Bladon, Charczynski, Hasselmo & Howard 2022, eLife 11:e75353). A second event
    adds to the trace of the first. Spikes are a thinned Poisson process.

        path --event--> time

    Args:
        x, y: Position in m.
        n_cells: Cells, earliest first.
        earliest, latest: Peak times of the first and last cell; one cell has no `latest`.
            Engineering choice within the hundreds of ms to tens of s seen (MacDonald et al. 2011).
        order: k, the length of the chain less one: the trace's CV is 1/sqrt(k + 1). Engineering
            choice; Shankar & Howard use 4 in their demonstrations.
        peak_rate: At τ after a single event. Engineering choice.
        landmark_x, landmark_y, landmark_radius: What counts as an event.

    Raises:
        NetworkError: if `order` is out of range, or `latest` is before `earliest` or given for
            one cell.
    """
    counts("time_cells", n_cells=n_cells)
    positive("time_cells", earliest=earliest, peak_rate=peak_rate, landmark_radius=landmark_radius)
    if not 1 <= order <= HIGHEST_ORDER:
        raise NetworkError(f"time_cells needs an order of 1 to {HIGHEST_ORDER}, found {order}")
    spread("time_cells", n_cells, LATEST, earliest=earliest, latest=latest)
    peaks_ms = np.geomspace(float(earliest), float(latest), n_cells)
    net = Circuit("time_cells")
    time = net.add(
        "time",
        time_cell_model(order),
        n_cells,
        parameters={"s": order / ms(peaks_ms), "r_max": peak_rate},
        coordinates={"peak_ms": peaks_ms},
    )
    landmark = float(landmark_x), float(landmark_y), float(landmark_radius)
    within_reach("time_cells", x, y, *landmark)
    enters = entries(x, y, *landmark)
    frames = max(1, round(PULSE_MS / x.dt_ms))
    pulse = np.full(frames, 1.0 / (frames * x.dt_ms))
    event = np.convolve(enters, pulse)[: enters.size]
    net.drive(time, "event", Signal(event, x.dt_ms, "1/ms"))
    return net.with_outputs(time=time)
