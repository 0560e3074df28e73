"""Phase of firing: cells that say how strongly they are driven by when they fire in a cycle."""

from __future__ import annotations

import math

import numpy as np

from circuits._checks import counts, not_negative, positive, spread
from circuits.circuit import Circuit, circuit
from neuro.model import NeuronModel
from neuro.units import Current, Frequency, Hz, Voltage, ms, mV, nS, pA, pF

THETA_LIF = NeuronModel(
    name="theta_lif",
    equations="""
        dv/dt = (g_L*(E_L - v) + A*cos(theta) + I) / C : volt (unless refractory)
        dtheta/dt = 2*pi*f                             : 1
    """,
    threshold="v > V_th",
    reset="v = V_r",
    refractory="t_ref",
    parameters={
        # A pyramidal cell of CA1 as a point, 80 MOhm and 20 ms: of the order of Spruston &
        # Johnston 1992, J Neurophysiol 67:508; threshold 20 mV above rest.
        "C": pF(250), "g_L": nS(12.5), "E_L": mV(-70), "V_th": mV(-50),
        "V_r": mV(-65),  # engineering choice: a shallow reset leaves room for several spikes
        "t_ref": ms(2), "A": pA(60), "f": Hz(5),
    },
    initial={"v": "E_L"},
    source="McLelland & Paulsen 2009, J Physiol 587:769 (oscillating current on tonic drive)",
)  # fmt: skip

STRONGEST = pA(300)


@circuit
def phase_code(
    *,
    n_cells: int = 60,
    frequency: Frequency = Hz(5),
    swing: Voltage = mV(4),
    weakest: Current = pA(200),
    strongest: Current = STRONGEST,
) -> Circuit:
    """A tonic drive is turned into the phase of the first spike in each theta cycle.

    All cells share one oscillating current, `A cos θ`, that peaks at phase 0; each has a tonic
    drive of its own. A weakly driven cell crosses threshold only near the peak, a strongly
    driven one already on the way up from the trough: over the default drives the phase advances
    by nearly half a cycle at 5 Hz (McLelland & Paulsen 2009). Faster than the membrane the code
    breaks down: at 40 Hz the cell cannot recharge within a cycle and drive changes only how many
    cycles it skips.

        theta --A cos θ--> phase <-- drive, one strength a cell

    Args:
        n_cells: Cells; their drives are spread evenly from `weakest` to `strongest`.
        frequency: Of the reference oscillation.
        swing: Amplitude of the membrane oscillation it causes in a cell at rest, the same at
            every frequency. Engineering choice; intracellular theta swings by 2-10 mV.
        weakest, strongest: Range of drives; one cell has the weakest. The default runs from
            where only the peak of theta reaches threshold to where its trough does: rheobase ±
            `swing * g_L`.
    """
    counts("phase_code", n_cells=n_cells)
    positive("phase_code", frequency=frequency)
    not_negative("phase_code", swing=swing)
    spread("phase_code", n_cells, STRONGEST, weakest=weakest, strongest=strongest)
    leak = THETA_LIF.parameters["g_L"]
    tau = THETA_LIF.parameters["C"] / leak
    # |impedance| of the membrane falls with frequency; the current makes up for it.
    amplitude = swing * leak * math.hypot(1.0, 2 * math.pi * frequency * tau)
    drives = np.linspace(float(weakest), float(strongest), n_cells)
    net = Circuit("phase_code")
    cells = net.add(
        "phase",
        THETA_LIF,
        n_cells,
        parameters={"f": frequency, "A": amplitude, "I_ext": pA(drives)},
        coordinates={"drive_pA": drives},
    )
    return net.with_outputs(phase=cells)
