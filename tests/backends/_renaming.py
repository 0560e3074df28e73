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

from neuro import NeuronModel, SynapseModel
from neuro.equations.names import check_name
from neuro.equations.syntax import parse_lines
from neuro.errors import EquationError

__all__ = ["identifiers_in", "legal", "names_of", "own_names_of", "renamed_model",
           "renamed_synapse"]  # fmt: skip

_WORD = re.compile(r"\b[A-Za-z_]\w*\b(/dt)?")
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
        return name not in ("I", "w")

    return sorted(filter(allowed, set(names)))
