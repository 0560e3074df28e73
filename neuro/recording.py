"""What a run leaves: spikes per population, traces, modulator time courses, timings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuro.spikes import Spikes

if TYPE_CHECKING:
    import neo
    import pandas
    import xarray

__all__ = ["Course", "Recording", "Trace"]


@dataclass(frozen=True, eq=False)
class Trace:
    """One variable of some cells over time.

    `data` is `(n_frames, n_cells)` in coherent units; frame k was taken at `k * every_ms`,
    before the step that starts there.
    """

    population: str
    variable: str
    unit: str
    cells: NDArray[np.int64]
    every_ms: float
    data: NDArray[np.float64]

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

    def to_pandas(self) -> pandas.DataFrame:
        """One row a spike: `population`, `unit`, `time_ms`."""
        import pandas

        units = [np.zeros(0, np.int64), *(s.units for s in self.spikes.values())]
        times = [np.zeros(0), *(s.times_ms for s in self.spikes.values())]
        return pandas.DataFrame(
            {
                "population": pandas.Categorical(
                    np.repeat(list(self.spikes), [len(s) for s in self.spikes.values()]),
                    categories=list(self.spikes),
                ),
                "unit": np.concatenate(units),
                "time_ms": np.concatenate(times),
            }
        )

    def to_xarray(self) -> xarray.Dataset:
        """Traces, modulators and factors as labelled arrays, each with its own time axis."""
        import xarray

        variables: dict[str, xarray.DataArray] = {}
        for key, trace in self.traces.items():
            variables[key] = xarray.DataArray(
                trace.data,
                dims=(f"time_{key}", f"cell_{key}"),
                coords={f"time_{key}": trace.times_ms, f"cell_{key}": trace.cells},
                attrs={"unit": trace.unit},
            )
        for courses in (self.modulators, self.factors):
            for key, course in courses.items():
                variables[key] = xarray.DataArray(
                    course.values,
                    dims=(f"time_{key}",),
                    coords={f"time_{key}": course.times_ms},
                    attrs={"unit": course.unit},
                )
        return xarray.Dataset(
            variables, attrs={"duration_ms": self.duration_ms, "dt_ms": self.dt_ms}
        )

    def to_neo(self) -> neo.Block:
        """A neo Block with one Segment: a SpikeTrain a cell, an AnalogSignal a trace.

        Silent cells keep their empty train. Trains carry `population` and `unit` annotations.
        """
        import neo
        import quantities

        segment = neo.Segment(name="run")
        for population, spikes in self.spikes.items():
            # One pass over the sorted spikes instead of one search a unit.
            order = np.argsort(spikes.units, kind="stable")
            edges = np.cumsum(spikes.counts())[:-1]
            for unit, times in enumerate(np.split(spikes.times_ms[order], edges)):
                segment.spiketrains.append(
                    neo.SpikeTrain(
                        times,
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
                    units="dimensionless" if trace.unit == "1" else trace.unit,
                    sampling_period=trace.every_ms * quantities.ms,
                    name=key,
                    array_annotations={"cell": trace.cells},
                )
            )
        block = neo.Block(name="ember")
        block.segments.append(segment)
        return block
