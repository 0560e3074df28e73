"""What has been built of a run so far, under the names that references use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from circuits.circuit import Circuit, Port
from neuro.network import Background, Population, Projection, Source
from neuro.signal import Signal
from sims.config import Loaded
from sims.config.errors import KeyPath, hint

__all__ = ["Parts"]


@dataclass
class Parts:
    """What has been built so far, and where in the config it came from.

    Attributes:
        outputs: Per stimulus or circuit, the ports others may connect to.
        signals: Per stimulus, what varies continuously.
        places: Name of each population, projection and background -> its place in the config.
    """

    loaded: Loaded
    sources: list[Source] = field(default_factory=list)
    circuits: list[Circuit] = field(default_factory=list)
    outputs: dict[str, dict[str, Port]] = field(default_factory=dict)
    signals: dict[str, Mapping[str, Signal]] = field(default_factory=dict)
    places: dict[str, KeyPath] = field(default_factory=dict)

    def populations(self) -> Iterator[Population]:
        """All populations of all circuits."""
        for circuit in self.circuits:
            yield from circuit.populations

    def projections(self) -> Iterator[Projection]:
        """All projections of all circuits."""
        for circuit in self.circuits:
            yield from circuit.projections

    def backgrounds(self) -> Iterator[Background]:
        """All backgrounds of all circuits."""
        for circuit in self.circuits:
            yield from circuit.backgrounds

    def port(self, name: str, at: KeyPath, own: Mapping[str, Port] | None = None) -> Port:
        """The port meant by `instance.output`, a population's name, or an instance's only output.

        Args:
            own: Names that come first: the populations of the circuit that asks.

        Raises:
            ConfigError: at the key `at`, naming the nearest known one.
        """
        instance, dot, output = name.partition(".")
        if dot:
            if instance not in self.outputs:
                known = [f"{i}.{o}" for i, ports in self.outputs.items() for o in ports]
                raise self.loaded.refusal(
                    at, f"`{name}`: there is no stimulus or circuit `{instance}`{hint(name, known)}"
                )
            if output not in self.outputs[instance]:
                known = [f"{instance}.{output}" for output in self.outputs[instance]]
                raise self.loaded.refusal(
                    at, f"`{instance}` has no output `{output}`{hint(name, known)}"
                )
            return self.outputs[instance][output]
        if own and name in own:
            return own[name]
        items: list[Population | Source] = [*self.populations(), *self.sources]
        for item in items:
            if item.name == name:
                return Port.of(item)
        outputs = self.outputs.get(name, {})
        if len(outputs) == 1:
            return next(iter(outputs.values()))
        if outputs:
            wanted = [f"{name}.{output}" for output in outputs]
            raise self.loaded.refusal(at, f"`{name}` has several outputs{hint('', wanted)}")
        known = [*(own or {}), *(p.name for p in self.populations()), *self.outputs]
        raise self.loaded.refusal(
            at, f"there is no population or circuit `{name}`{hint(name, known)}"
        )

    def signal(self, name: str, at: KeyPath) -> Signal:
        """The continuous signal meant by `stimulus.signal`.

        Raises:
            ConfigError: at the key `at`, naming the nearest known one.
        """
        known = {
            f"{s}.{key}": value for s, held in self.signals.items() for key, value in held.items()
        }
        if name not in known:
            raise self.loaded.refusal(at, f"there is no signal `{name}`{hint(name, known)}")
        return known[name]
