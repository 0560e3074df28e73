"""Which names a model's texts read: a parameter that none of them reads would have no effect."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from neuro.equations.compose import DRIVE, EDGE_FLAGS
from neuro.equations.syntax import check_text, names_in, on_one_line, parse_lines, parse_statements
from neuro.errors import EquationError, nearest
from neuro.model import NeuronModel, SynapseModel

__all__ = ["check_synapse_reads", "names_read", "read_at_ends", "unread"]


def unread(
    model: NeuronModel | SynapseModel, also: Collection[str] = (), *, checked: bool = True
) -> dict[str, str]:
    """Parameters and inputs of a model that nothing reads, each with what is wrong with it.

    Args:
        also: Names that are read elsewhere: by synapses that start or end on a neuron's cells, or
            by a population's start values.
        checked: Whether the texts have passed their own check. If not, a parameter is left to that
            check where a text reads an unknown name close to it: the slip is in the text.

    Raises:
        EquationError: if a text cannot be read.
    """
    read = {*also, *names_read(model)}
    kinds = dict.fromkeys(model.parameters, "parameter")
    if isinstance(model, NeuronModel):
        kinds |= dict.fromkeys(model.inputs, "input")
    slips = set() if checked else read - {*kinds, *_names_of(model), "I", DRIVE}
    found = {}
    for name, kind in kinds.items():
        if name not in read and not nearest(name, sorted(slips)):
            hint = nearest(name, sorted(read))
            found[name] = (
                f"an equation must read each {kind}, found that none reads `{name}`"
                f"{hint + ' Or leave it out' if hint else '; leave it out'}"
            )
    return found


def check_synapse_reads(synapse: SynapseModel) -> None:
    """Refuse a parameter that no text of the synapse reads.

    Raises:
        EquationError: naming the parameter and the name that comes nearest.
    """
    for problem in unread(synapse).values():
        raise EquationError(f"synapse `{synapse.name}`: parameters: {problem}")


def names_read(model: NeuronModel | SynapseModel, *, starts: bool = True) -> set[str]:
    """Every name that a model's texts read, as it is written there; with `I`, its part `I_ext`.

    Args:
        starts: Whether start values count, which are read once.

    Raises:
        EquationError: if a text cannot be read.
    """
    read = {v for v in model.initial.values() if isinstance(v, str)} if starts else set()
    read |= _in_lines(model.equations)
    if isinstance(model, NeuronModel):
        read |= _in_statements(model.reset) | _in(model.threshold) | _in(model.refractory)
        return read | ({DRIVE} if "I" in read else set())
    read |= _in_lines(model.edges, EDGE_FLAGS)
    return read | _in_statements(model.on_pre) | _in_statements(model.on_post)


def read_at_ends(synapse: SynapseModel) -> set[str]:
    """Names of its source's and its target's that a synapse reads."""
    others = names_read(synapse) - {*synapse.parameters, *_names_of(synapse)}
    return {name.removesuffix("_pre").removesuffix("_post") for name in others}


def _names_of(model: NeuronModel | SynapseModel) -> set[str]:
    """Names that the model's equations define, and `w`."""
    lines = parse_lines(model.equations, "equations")
    if isinstance(model, SynapseModel):
        lines += parse_lines(model.edges, "edges", EDGE_FLAGS)
    return {line.name for line in lines} | {"w"}


@lru_cache(maxsize=1024)
def _in_lines(text: str, flags: tuple[str, ...] | None = None) -> frozenset[str]:
    lines = parse_lines(text, "equations", flags)
    return frozenset[str]().union(*(names_in(line.expression) for line in lines if line.expression))


@lru_cache(maxsize=1024)
def _in_statements(text: str) -> frozenset[str]:
    statements = parse_statements(text, "statements")
    return frozenset[str]().union(*(names_in(s.expression) for s in statements))


def _in(text: str) -> set[str]:
    line = on_one_line(text)
    if line:
        check_text(line, "condition", condition=None)
    return names_in(line) if line else set()
