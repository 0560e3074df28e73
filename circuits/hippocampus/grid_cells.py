"""Grid cells: firing fields on a hexagonal lattice that tiles the arena."""

from __future__ import annotations

import numpy as np

from circuits._checks import counts, positive
from circuits.circuit import Circuit, circuit
from circuits.hippocampus._path import same_clock
from neuro.errors import NetworkError
from neuro.model import NeuronModel
from neuro.signal import Signal
from neuro.units import LENGTH, Frequency, Hz, Length, Quantity, m
from neuro.wiring import generator

GRID = NeuronModel(
    name="grid",
    equations="""
        k    = 4*pi/(sqrt(3)*spacing) : 1/meter
        g    = (cos(k*((x - x_0)*cos(psi)        + (y - y_0)*sin(psi)))
              + cos(k*((x - x_0)*cos(psi + pi/3) + (y - y_0)*sin(psi + pi/3)))
              + cos(k*((x - x_0)*cos(psi - pi/3) + (y - y_0)*sin(psi - pi/3)))) / 3 : 1
        rate = r_max*2/3*(g + 0.5)    : Hz
    """,
    threshold="rand() < rate*dt",
    parameters={
        "x_0": m(0), "y_0": m(0), "spacing": m(0.4), "psi": Quantity(0), "r_max": Hz(20),
    },
    inputs={"x": LENGTH, "y": LENGTH},
    source="Solstad, Moser & Einevoll 2006, Hippocampus 16:1026 (sum of three cosines)",
)  # fmt: skip

MODULE_RATIO = 1.42


@circuit
def grid_cells(
    x: Signal,
    y: Signal,
    *,
    n_modules: int = 3,
    cells_per_module: int = 20,
    smallest_spacing: Length = m(0.3),
    module_ratio: float = MODULE_RATIO,
    peak_rate: Frequency = Hz(20),
    layout: int = 0,
) -> Circuit:
    """Grid cells of the medial entorhinal cortex that follow an animal's path by rule.

    The rate is the sum of three plane waves 60° apart, which peaks on a hexagonal lattice.
    Cells come in modules: within one they share spacing and orientation and differ in phase.
    Spikes are a thinned Poisson process.

        path --x, y--> grid

    Args:
        x, y: Position in m.
        n_modules, cells_per_module: Cells are numbered module after module.
        smallest_spacing: Distance between neighbouring fields in the first module; 0.3 m at the
            dorsal end in the rat (Hafting et al. 2005: 0.39-0.73 m further down).
        module_ratio: Spacing of a module over that of the one before, if there are two or more;
            1.42 in the rat (Stensola et al. 2012, Nature 492:72).
        peak_rate: At a vertex. Engineering choice within the 5-30 Hz seen.
        layout: Number of the arrangement of phases and orientations.
    """
    same_clock(x, y)
    counts("grid_cells", n_modules=n_modules, cells_per_module=cells_per_module)
    positive(
        "grid_cells", smallest_spacing=smallest_spacing, module_ratio=module_ratio,
        peak_rate=peak_rate,
    )  # fmt: skip
    if n_modules == 1 and module_ratio != MODULE_RATIO:
        raise NetworkError(
            f"grid_cells needs n_modules of at least 2 for `module_ratio`, found n_modules 1 and "
            f"module_ratio {module_ratio:g}; leave `module_ratio` out or set more modules"
        )
    rng = generator(layout, "layout", "grid")
    module = np.repeat(np.arange(n_modules), cells_per_module)
    spacing = float(smallest_spacing) * module_ratio ** module.astype(float)
    orientation = rng.uniform(0, np.pi / 3, n_modules)[module]
    # A random point of the unit cell, spanned by two lattice vectors 60° apart.
    u, v = rng.random((2, module.size))
    along, turned = orientation - np.pi / 6, orientation + np.pi / 6
    x_0 = spacing * (u * np.cos(along) + v * np.cos(turned))
    y_0 = spacing * (u * np.sin(along) + v * np.sin(turned))

    net = Circuit("grid_cells")
    grid = net.add(
        "grid",
        GRID,
        module.size,
        parameters={
            "x_0": m(x_0), "y_0": m(y_0), "spacing": m(spacing), "psi": orientation,
            "r_max": peak_rate,
        },
        coordinates={
            "module": module.astype(float), "spacing_m": spacing, "orientation_rad": orientation,
            "vertex_x_m": x_0, "vertex_y_m": y_0,
        },
    )  # fmt: skip
    net.drive(grid, "x", x)
    net.drive(grid, "y", y)
    return net.with_outputs(grid=grid)
