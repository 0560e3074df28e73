"""From the `modulation` section to transmitters, receptors and effects."""

from __future__ import annotations

from dataclasses import dataclass, field

from neuro.modulation import REASONER, Effect, Receptor, Transmitter
from sims.assembly.parts import Parts
from sims.config.errors import KeyPath, hint
from sims.config.experiment import RunConfig
from sims.config.modulation import EffectSpec

__all__ = ["Modulation", "build_modulation"]


@dataclass
class Modulation:
    """Everything a network needs to know of it."""

    transmitters: list[Transmitter] = field(default_factory=list)
    receptors: list[Receptor] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)


def build_modulation(parts: Parts) -> Modulation:
    """Resolve names and check that every effect has a parameter to act on.

    Raises:
        ConfigError: at the key that is wrong.
    """
    config: RunConfig = parts.loaded.config
    cells = {population.name for population in parts.populations()}
    found = Modulation()
    for name, spec in config.modulation.items():
        path: KeyPath = ("modulation", name)
        released_by = ""
        if spec.released_by is not None:
            released_by = parts.port(spec.released_by, (*path, "released_by")).name
            if released_by not in cells:
                raise parts.loaded.refusal(
                    (*path, "released_by"),
                    f"expected a population of this run, found the stimulus `{spec.released_by}`",
                )
        found.transmitters.append(
            Transmitter(
                name=name,
                released_by=released_by,
                per_spike=spec.per_spike,
                uptake=spec.uptake,
                delay=spec.delay,
                baseline=spec.baseline,
                schedule=spec.schedule,
            )
        )
        for key, receptor in spec.receptors.items():
            full_name = f"{name}_{key}"  # two transmitters may each have a `beta`
            found.receptors.append(Receptor(full_name, name, receptor.ec50, receptor.hill))
            for number, effect in enumerate(receptor.effects):
                at = (*path, "receptors", key, "effects", number)
                found.effects.append(_effect(parts, full_name, effect, at))
    return found


def _effect(parts: Parts, receptor: str, spec: EffectSpec, at: KeyPath) -> Effect:
    target = spec.on
    if target != REASONER:
        inputs = {b.name: ["weight"] for b in parts.backgrounds()}
        inputs |= {p.name: ["weight", *p.synapse.parameters] for p in parts.projections()}
        if target in inputs:
            known = inputs[target]
        else:
            names = {p.name: p.model for p in parts.populations()}
            if "." not in target and target not in names and target not in parts.outputs:
                wanted = [*names, *inputs, REASONER]
                raise parts.loaded.refusal(
                    (*at, "on"),
                    f"expected a population, projection or background of this run, or "
                    f"`{REASONER}`, found `{target}`{hint(target, wanted)}",
                )
            target = parts.port(target, (*at, "on")).name
            if target not in names:
                raise parts.loaded.refusal(
                    (*at, "on"), f"`{spec.on}` is a stimulus, which has no parameters"
                )
            known = [*names[target].parameters, "I_ext"]
        if spec.parameter not in known:
            raise parts.loaded.refusal(
                (*at, "parameter"),
                f"`{target}` has no parameter `{spec.parameter}`{hint(spec.parameter, known)}",
            )
    return Effect(receptor, target, spec.parameter, spec.at_saturation)
