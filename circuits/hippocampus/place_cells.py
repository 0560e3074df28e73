"""Place cells: a bump of firing at one place, whose phase in theta tells where within it."""

from __future__ import annotations

import numpy as np

from circuits._checks import counts, not_negative, positive
from circuits.circuit import Circuit, circuit
from circuits.hippocampus._path import same_arena, same_clock
from neuro.model import NeuronModel
from neuro.signal import Signal
from neuro.units import LENGTH, NUMBER, Frequency, Hz, Length, Quantity, m
from neuro.wiring import generator

PLACE = NeuronModel(
    name="place",
    equations="""
        theta     = 2*pi*f_theta*t                                        : 1
        ahead     = ((x - x_0)*cos(heading) + (y - y_0)*sin(heading)) / L : 1
        field     = exp(-((x - x_0)**2 + (y - y_0)**2) / (2*sigma**2))    : 1
        locking   = exp(kappa*(cos(theta + 2*pi*ahead) - 1))              : 1
        rate      = r_max*field*locking                                   : Hz
    """,
    threshold="rand() < rate*dt",
    parameters={
        "x_0": m(0.5), "y_0": m(0.5), "sigma": m(0.08), "r_max": Hz(60), "L": m(0.4),
        "f_theta": Hz(8), "kappa": Quantity(1.5),
    },
    inputs={"x": LENGTH, "y": LENGTH, "heading": NUMBER},
    source="O'Keefe & Recce 1993, Hippocampus 3:317 (field and precession); "
    "f_c = f_theta + v/L: Geisler et al. 2007, PNAS 104:8149",
)  # fmt: skip


@circuit
def place_cells(
    x: Signal,
    y: Signal,
    heading: Signal,
    *,
    n_cells: int = 60,
    width: Length = m(1),
    height: Length = m(1),
    field_sd: Length = m(0.08),
    peak_rate: Frequency = Hz(60),
    theta: Frequency = Hz(8),
    locking: float = 1.5,
    precession_length: Length = m(0.4),
    layout: int = 0,
) -> Circuit:
    """Place cells of CA1 that follow an animal's path by rule, without a network.

    The rate is a Gaussian of the distance to the field's centre, modulated by theta. The cell's
    own oscillator runs faster than theta by `v / L` while the animal moves, `f_c = f_θ + v/L`;
    integrated along the way this is a phase that falls by one cycle per `L` travelled, 0 (the
    peak of theta) at the field's centre. Spikes are a thinned Poisson process.

        path --x, y, heading--> place

    Args:
        x, y: Position in m.
        heading: Direction of movement in rad, from the x axis.
        n_cells: Cells; centres are spread over the arena with little clumping.
        width, height: Of the arena, which reaches from 0 to there; must match the path's.
        field_sd: SD of the field: about 4 SD wide, so 0.08 m is a 30 cm field (15-60 cm
            are seen: Muller, Kubie & Ranck 1987).
        peak_rate: At the centre and the best phase of theta; the mean over a theta cycle is
            about 0.35 of it at the default locking, 20 Hz (5-40 Hz are seen).
        theta: Frequency of the rhythm; 6-10 Hz in a running rat.
        locking: Concentration κ of spikes around the preferred phase; 0 for none. Engineering
            choice.
        precession_length: Distance over which phase falls by 360°. Engineering choice: 0.4 m
            makes about -290° over a 0.32 m field (-200...-400°: Kempter et al. 2012).
        layout: Number of the arrangement of fields; another room is another number.
    """
    same_clock(x, y, heading)
    counts("place_cells", n_cells=n_cells)
    positive(
        "place_cells", width=width, height=height, field_sd=field_sd, peak_rate=peak_rate,
        theta=theta, precession_length=precession_length,
    )  # fmt: skip
    not_negative("place_cells", locking=locking)
    same_arena("place_cells", width=(x, width), height=(y, height))
    centres = scattered(n_cells, layout, "place") * [float(width), float(height)]
    net = Circuit("place_cells")
    place = net.add(
        "place",
        PLACE,
        n_cells,
        parameters={
            "x_0": m(centres[:, 0]), "y_0": m(centres[:, 1]), "sigma": field_sd, "r_max": peak_rate,
            "f_theta": theta, "kappa": locking, "L": precession_length,
        },
        coordinates={"x_m": centres[:, 0], "y_m": centres[:, 1]},
    )  # fmt: skip
    for variable, signal in (("x", x), ("y", y), ("heading", heading)):
        net.drive(place, variable, signal)
    return net.with_outputs(place=place)


def scattered(n: int, layout: int, stream: str) -> np.ndarray:
    """`(n, 2)` points in the unit square, evenly spread yet unordered; one set a layout.

    Roberts' R2 sequence, shifted by a random offset that the layout chooses and in an order
    it chooses.
    """
    golden = 1.32471795724474602596  # the real root of g³ = g + 1
    rng = generator(layout, "layout", stream)
    steps = np.arange(n)[:, None] * np.array([1 / golden, 1 / golden**2])
    return np.asarray(rng.permutation((steps + rng.random(2)) % 1.0))
