"""What a run leaves: spikes per population, traces, modulator time courses, timings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuro.spikes import Spikes
from neuro.units import admit

if TYPE_CHECKING:
    import neo
    import pandas
    import xarray

__all__ = ["Course", "Recording", "Trace"]


@dataclass(frozen=True, eq=False)
class Trace:
    """One variable of some cells over time.

    `data` is `(n_frames, n_cells)` in coherent units; frame k was taken at `k * every_ms`,
    before the step that starts there. With `of_edges`, `population` is a projection and `cells`
    are its edges, in the order of source, delay and target.
    """

    population: str
    variable: str
    unit: str
    cells: NDArray[np.int64]
    every_ms: float
    data: NDArray[np.float64]
    of_edges: bool = False

    def __post_init__(self) -> None:
        admit(self)

    @property
    def times_ms(self) -> NDArray[np.float64]:
        """`(n_frames,)` time of each frame."""
        return np.asarray(np.arange(self.data.shape[0]) * self.every_ms, np.float64)


@dataclass(frozen=True, eq=False)
class Course:
    """One number over time: a concentration (nM), or the factor on a parameter (1)."""

    name: str
    unit: str
    every_ms: float
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        admit(self)

    @property
    def times_ms(self) -> NDArray[np.float64]:
        """`(n_frames,)` time of each value."""
        return np.asarray(np.arange(self.values.size) * self.every_ms, np.float64)


@dataclass(frozen=True, eq=False)
class Recording:
    """The result of one run.

    Attributes:
        spikes: Per population and source.
        traces: Keyed `population.variable`.
        modulators: Concentration of each transmitter, keyed by its name.
        factors: Factor of each modulated parameter, keyed `target.parameter`;
            `reasoner.…` are the numbers handed to the bridge.
        timings: Seconds spent: `build`, `compile`, `simulate`.
        notes: What a reader should know of the run, a line each; a run file does not hold them.
    """

    duration_ms: float
    dt_ms: float
    seed: int
    backend: str
    spikes: Mapping[str, Spikes]
    traces: Mapping[str, Trace] = field(default_factory=dict)
    modulators: Mapping[str, Course] = field(default_factory=dict)
    factors: Mapping[str, Course] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        admit(self)

    def to_pandas(self) -> pandas.DataFrame:
        """One row a spike: `population`, `unit`, `time_ms`.

        Silent populations stay as categories; `attrs["n_units"]` says how many units each
        population has, silent ones included.
        """
        import pandas

        units = [np.zeros(0, np.int64), *(s.units for s in self.spikes.values())]
        times = [np.zeros(0), *(s.times_ms for s in self.spikes.values())]
        frame = pandas.DataFrame(
            {
                "population": pandas.Categorical(
                    np.repeat(list(self.spikes), [len(s) for s in self.spikes.values()]),
                    categories=list(self.spikes),
                ),
                "unit": np.concatenate(units),
                "time_ms": np.concatenate(times),
            }
        )
        frame.attrs["n_units"] = {name: s.n_units for name, s in self.spikes.items()}
        return frame

    def to_xarray(self) -> xarray.Dataset:
        """Traces, modulators and factors as labelled arrays, each with its own time axis.

        A factor is named `factor.<target>.<parameter>`, since a trace may have the bare name.
        Units are in the attribute `units`, which xarray's plots show.
        """
        import xarray

        def labelled(name: str, unit: str, data: NDArray[np.float64], times: NDArray[np.float64],
                     cells: NDArray[np.int64] | None = None) -> xarray.DataArray:  # fmt: skip
            coords: dict[str, object] = {f"time_{name}": (f"time_{name}", times, {"units": "ms"})}
            if cells is not None:
                coords[f"cell_{name}"] = cells
            return xarray.DataArray(data, dims=tuple(coords), coords=coords, attrs={"units": unit})

        variables = {
            key: labelled(key, trace.unit, trace.data, trace.times_ms, trace.cells)
            for key, trace in self.traces.items()
        }
        for prefix, courses in (("", self.modulators), ("factor.", self.factors)):
            for key, course in courses.items():
                name = prefix + key
                variables[name] = labelled(name, course.unit, course.values, course.times_ms)
        return xarray.Dataset(
            variables, attrs={"duration_ms": self.duration_ms, "dt_ms": self.dt_ms}
        )

    def to_neo(self) -> neo.Block:
        """A neo Block with one Segment: a SpikeTrain a cell, an AnalogSignal a trace or course.

        Silent cells keep their empty train. Trains carry `population` and `unit` annotations,
        signals the array annotation `cell` or, for a modulator or factor, the annotation `course`.
        """
        import neo
        import quantities

        segment = neo.Segment(name="run")
        for population, spikes in self.spikes.items():
            # One pass over the sorted spikes instead of one search a unit.
            times = spikes.times_ms[np.argsort(spikes.units, kind="stable")]
            edges = np.concatenate([[0], np.cumsum(spikes.counts())])
            for unit in range(spikes.n_units):
                segment.spiketrains.append(
                    neo.SpikeTrain(
                        times[edges[unit] : edges[unit + 1]],
                        units="ms",
                        t_start=spikes.t_start_ms,
                        t_stop=spikes.t_stop_ms,
                        population=population,
                        unit=unit,
                    )
                )
        for key, trace in self.traces.items():
            segment.analogsignals.append(
                neo.AnalogSignal(
                    trace.data,
                    units=_for_quantities(trace.unit),
                    sampling_period=trace.every_ms * quantities.ms,
                    name=key,
                    array_annotations={"cell": trace.cells},
                )
            )
        for kind, courses in (("concentration", self.modulators), ("factor", self.factors)):
            for key, course in courses.items():
                segment.analogsignals.append(
                    neo.AnalogSignal(
                        course.values[:, np.newaxis],
                        units=_for_quantities(course.unit),
                        sampling_period=course.every_ms * quantities.ms,
                        name=key,
                        course=kind,
                    )
                )
        block = neo.Block(name="ember")
        block.segments.append(segment)
        return block


def _for_quantities(unit: str) -> str:
    """`unit` as the package quantities spells it; it has no molar with a prefix.

    >>> _for_quantities("nM"), _for_quantities("mV·ms^-1"), _for_quantities("1")
    ('umol/m**3', 'mV*ms**-1', 'dimensionless')
    """
    if unit == "1":
        return "dimensionless"
    return unit.replace("·", "*").replace("^", "**").replace("nM", "umol/m**3")
