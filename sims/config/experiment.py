"""The schema of a run: what an experiment file may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic_core import CoreSchema

import circuits
import encoders
from circuits.circuit import CIRCUITS
from encoders.encoding import ENCODERS
from neuro.backends import BACKENDS
from neuro.units import ms
from sims.config.base import (
    Listing,
    Name,
    Positive,
    StrictModel,
    Timespan,
    VariableName,
)
from sims.config.errors import KeyProblem, shown
from sims.config.modulation import TransmitterSpec
from sims.config.registered import RegisteredCircuit, RegisteredEncoder, default_encoder
from sims.config.sweep import SweepSection
from sims.config.written import check_reads

__all__ = ["BackendSpec", "OutputSpec", "RecordSpec", "RunConfig", "TraceSpec", "run_schema"]

RunName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


_OPTIONS = ("threads", "precision", "device", "compile", "codegen", "runner", "timeout_s")


class BackendSpec(StrictModel):
    """What computes the run. Only `name` may also be given alone: `backend: brian`."""

    name: Literal["numba", "brian", "norse", "lava"] = "numba"
    """`ember list backends` says what each can do."""
    threads: Positive | None = None
    """For `numba`: threads; the result does not depend on them. `--threads` goes before it."""
    precision: Literal["float32", "float64"] | None = None
    """For `numba` and `norse`: of states, weights and arithmetic; `float32` if left out."""
    device: Annotated[str, Field(pattern=r"^(cpu|cuda(:[0-9]+)?)$")] | None = None
    """For `norse`: where it computes, `cpu`, `cuda` or one card as `cuda:1`."""
    compile: bool | None = None
    """For `norse`: whether steps are compiled, which takes minutes once; needs a C++ compiler."""
    codegen: Literal["numpy", "cython"] | None = None
    """For `brian`: how it makes its code; `cython` needs a C compiler."""
    runner: Literal["emulator", "lava-nc"] | None = None
    """For `lava`: the emulator, or lava-nc itself in a Python 3.10 of its own."""
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    """For `lava` with `lava-nc`: seconds after which it is stopped."""

    @model_validator(mode="before")
    @classmethod
    def _from_its_name(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"enum": list(BACKENDS)}, handler(schema)]}

    @model_validator(mode="after")
    def _only_its_options(self) -> BackendSpec:
        for option in _OPTIONS:
            if getattr(self, option) is not None and option not in BACKENDS[self.name].options:
                raise KeyProblem(f"back end `{self.name}` has no such option", (option,))
        return self


class TraceSpec(StrictModel):
    """A variable to keep over time."""

    population: str
    """A population of this run, by its name or as `circuit.output`; or a projection by its name."""
    variable: VariableName
    """A variable of its model, such as `v`, or `ff.g`, the variable `g` that the synapses of the
    projection `ff` have on these cells; of a projection, one of its synapses' own."""
    cells: Listing[Annotated[int, Field(ge=0)]] = ()
    """Which cells, or which synapses in the order of source, delay and target; all if left out."""
    every: Timespan | None = None
    """Sampling interval; that of `record` if left out."""


class RecordSpec(StrictModel):
    """What to keep besides the spikes, which are always kept."""

    every: Timespan = ms(1)
    """Sampling interval of modulators and traces."""
    traces: Listing[TraceSpec] = ()
    """Variables to keep over time."""


class OutputSpec(StrictModel):
    """Where the run file goes."""

    file: str | None = None
    """Path of the run file; `runs/NAME.h5` if left out."""


class RunConfig(StrictModel):
    """One experiment: a stimulus, circuits, modulation, and what to record."""

    name: RunName
    """Name of the experiment; the file's own name if left out."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """The one seed that every random number follows from."""
    duration: Timespan
    """Biological time to simulate."""
    dt: Timespan = ms(0.1)
    """Time step."""
    backend: BackendSpec = BackendSpec()
    """What computes it."""
    stimulus: dict[Name, RegisteredEncoder] = Field(default_factory=dict)
    """What reaches the animal, by name; `name.output` is what circuits listen to."""
    circuits: dict[Name, RegisteredCircuit] = Field(default_factory=dict)
    """Registered circuits with their settings, or circuits written out, by name."""
    modulation: dict[Name, TransmitterSpec] = Field(default_factory=dict)
    """Transmitters, by name."""
    record: RecordSpec = RecordSpec()
    """What to keep."""
    output: OutputSpec = OutputSpec()
    """Where it goes."""
    sweep: SweepSection | None = None
    """What varies, for `ember sweep`."""
    files: dict[str, str] = Field(default_factory=dict)
    """Content hash of each file that is read, by path; Ember writes it to check a re-run."""

    @field_validator("stimulus", mode="before")
    @classmethod
    def _encoder_from_the_name(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {name: _with_encoder(str(name), given) for name, given in data.items()}

    @field_validator("circuits", mode="after")
    @classmethod
    def _every_parameter_is_read(cls, circuits: dict[str, Any]) -> dict[str, Any]:
        check_reads(circuits)
        return circuits

    @model_validator(mode="after")
    def _names_are_told_apart(self) -> RunConfig:
        for name in self.circuits:
            if name in self.stimulus:
                raise KeyProblem(
                    "a stimulus has this name too, so references could mean either; rename one",
                    ("circuits", name),
                )
        if self.dt > self.duration:
            raise KeyProblem(
                f"expected at most the duration {self.duration}, found {self.dt}", ("dt",)
            )
        return self


def _with_encoder(name: str, given: Any) -> Any:
    if not isinstance(given, Mapping) or "encoder" in given:
        return given
    encoder = default_encoder(name)
    if encoder is None:
        raise KeyProblem(
            f"the key `encoder` is missing: only {shown('sound, heat and path')} have a default "
            f"(see `ember list encoders`)",
            (name,),
        )
    return {"encoder": encoder, **given}


_schema_of: tuple[object, ...] = ()


def run_schema() -> type[RunConfig]:
    """`RunConfig`, knowing every circuit and encoder that is registered by now."""
    global _schema_of
    registered = (circuits, encoders, *CIRCUITS, *ENCODERS)
    if registered != _schema_of:
        RunConfig.model_rebuild(force=True)
        _schema_of = registered
    return RunConfig
