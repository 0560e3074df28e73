"""Models with other names for their variables and parameters, and names to try."""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import re
import tokenize
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from neuro import Network, NeuronModel, Population, SynapseModel
from neuro.backends.numba import kernel as numba_parts
from neuro.brian2_import import brian2
from neuro.build import build
from neuro.equations import Port, compile_edge, compose
from neuro.equations.brian_compiler import unit_number
from neuro.equations.names import check_name
from neuro.equations.port_names import of_port
from neuro.equations.syntax import parse_lines
from neuro.errors import EquationError
from neuro.models import LIF
from neuro.synapses import STDP_ADDITIVE

__all__ = ["identifiers_in", "legal", "names_in_printed_code", "names_of", "names_of_brian",
           "own_names_of", "renamed_model", "renamed_synapse"]  # fmt: skip

_WORD = re.compile(r"\b[A-Za-z_]\w*\b(/dt)?")
_PARTS = ("delivery", "intrinsics", "mathematics", "random")  # of the numba back end
_EDGE_FLAGS = ("event-driven", "clock-driven", "summed")


def names_of(model: NeuronModel) -> list[str]:
    """Every name that a neuron model's author chose."""
    lines = [line.name for line in parse_lines(model.equations, "test")]
    return list(dict.fromkeys([*lines, *model.parameters, *model.inputs]))


def own_names_of(synapse: SynapseModel) -> list[str]:
    """Every name that a synapse model's author chose, but for `w`, which all have."""
    lines = parse_lines(synapse.equations, "test")
    lines += parse_lines(synapse.edges, "test", _EDGE_FLAGS)
    names = [line.name.removesuffix("_post") for line in lines]
    return [name for name in dict.fromkeys([*names, *synapse.parameters]) if name != "w"]


def renamed_model(model: NeuronModel, new: Mapping[str, str]) -> NeuronModel:
    """The model with `new` names."""
    text = _renaming(lambda name: new.get(name, name))
    return replace(
        model,
        equations=text(model.equations),
        threshold=text(model.threshold),
        reset=text(model.reset),
        refractory=text(model.refractory),
        parameters={new.get(k, k): v for k, v in model.parameters.items()},
        inputs={new.get(k, k): v for k, v in model.inputs.items()},
        initial={new.get(k, k): new.get(v, v) if isinstance(v, str) else v
                 for k, v in model.initial.items()},
    )  # fmt: skip


def renamed_synapse(
    synapse: SynapseModel, new: Mapping[str, str], post: Mapping[str, str],
    pre: Mapping[str, str] | None = None,
) -> SynapseModel:  # fmt: skip
    """The synapse with `new` names of its own, on cells whose variables have others as well."""
    own = {line.name for line in parse_lines(synapse.equations, "test")}

    def name(word: str) -> str:
        for suffix, cell in (("_post", post), ("_pre", pre or post)):
            if word.endswith(suffix):
                bare = word.removesuffix(suffix)
                mine = suffix == "_post" and bare in own
                return (new if mine else cell).get(bare, bare) + suffix
        return new.get(word, post.get(word, word))

    text = _renaming(name)
    return replace(
        synapse,
        equations=text(synapse.equations),
        current=new.get(synapse.current, synapse.current),
        on_pre=text(synapse.on_pre),
        on_post=text(synapse.on_post),
        edges=text(synapse.edges),
        parameters={new.get(k, k): v for k, v in synapse.parameters.items()},
        initial={new.get(k, k): new.get(v, v) if isinstance(v, str) else v
                 for k, v in synapse.initial.items()},
    )  # fmt: skip


def _renaming(new: Callable[[str], str]) -> Callable[[str], str]:
    def word(found: re.Match[str]) -> str:
        if found[1]:  # dv/dt
            return f"d{new(found[0][1:-3])}/dt"
        return new(found[0])

    def rename(text: str) -> str:
        """Units after the colon, and flags, stay."""
        lines = []
        for line in text.splitlines() or [""]:
            left, colon, right = line.partition(":")
            lines.append(_WORD.sub(word, left) + colon + right)
        return "\n".join(lines)

    return rename


def names_in_printed_code(kernels: Iterable[str]) -> set[str]:
    """Every name in these kernels, in what they import, and in the modules that norse prints."""
    import torch

    from neuro.backends.norse.cells import CellStep
    from neuro.backends.norse.edge_printer import EdgePrinter
    from neuro.backends.norse.fused_printer import print_kernel

    built = build(Network("n", (Population("cells", LIF, 2),)), seed=0, dt_ms=0.1).populations[0]
    cell = CellStep(built, 0.1, dtype=torch.float32, trainable=("C",))
    loop = print_kernel(
        cell, port=None, drive="I_ext", added=True, output="", wide=(), trained=("C",)
    )  # fmt: skip
    port = Port(of_port(1), STDP_ADDITIVE, dict(STDP_ADDITIVE.parameters), ())
    composed = compose(LIF, [port])
    edges = EdgePrinter(compile_edge(port, composed, composed), "float32")
    parts = [Path(str(numba_parts.__file__)).with_name(f"{name}.py") for name in _PARTS]
    texts = [path.read_text(encoding="utf-8") for path in parts]
    return identifiers_in([*kernels, *texts, cell.source, edges.source, loop.source])


def names_of_brian() -> set[str]:
    """What Brian2 has a use for: variables and attributes of its groups, functions, C++'s words."""
    b2 = brian2()
    from brian2.core.functions import DEFAULT_FUNCTIONS

    group = b2.NeuronGroup(1, "dv/dt = -v/second : 1", threshold="v > 1", refractory="1*second",
                           method="euler")  # fmt: skip
    synapses = b2.Synapses(
        group, group, "da/dt = -a/second : 1 (event-driven)", on_pre="a += 1", on_post="a -= 1"
    )
    network = {"no network": None}
    group._network = synapses._network = network  # so that Brian2 does not warn of unused objects
    found = {*dir(group), *dir(synapses), *group.variables, *synapses.variables}
    words = "auto bool case char const default double enum extern float inline long namespace new "
    words += (
        "private public register return short signed sizeof static struct switch template this "
    )
    words += "summed shared constant active numpy weave cython device"
    return found | {*DEFAULT_FUNCTIONS} | {*words.split()}


def identifiers_in(sources: Iterable[str]) -> set[str]:
    """Every identifier in these sources, and in the namespaces that they are compiled in."""
    found = set(dir(builtins))
    for source in sources:
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        found |= {token.string for token in tokens if token.type == tokenize.NAME}
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if node.value.isidentifier() else set()
    return {name for name in found if not keyword.iskeyword(name)}


def legal(names: Iterable[str]) -> list[str]:
    """Those that a model may use, sorted."""

    def allowed(name: str) -> bool:
        try:
            check_name(name, "test")
        except EquationError:
            return False
        return name not in ("I", "w", "I_ext") and unit_number(name) is None

    return sorted(filter(allowed, set(names)))
