"""Pages that are made of the code itself, so that they cannot disagree with it."""

from __future__ import annotations

import pkgutil
import textwrap
from pathlib import Path
from typing import Any

ROOMS = ("neuro", "circuits", "encoders", "bridges", "sims")


def write_reference(folder: Path, root: Path) -> None:
    """One page for each public module, and for each package a page that lists its modules."""
    pages: dict[str, tuple[str, str, tuple[str, ...]]] = {"index": ("Reference", "", ROOMS)}
    for room in ROOMS:
        pages[room] = (room, f".. automodule:: {room}\n   :no-members:", ())
        for module in pkgutil.walk_packages([str(root / room)], prefix=f"{room}."):
            if any(part.startswith("_") for part in module.name.split(".")):
                continue
            # A package's names are documented where they are defined.
            members = "\n   :no-members:" if module.ispkg else ""
            pages[module.name] = (module.name, f".. automodule:: {module.name}{members}", ())
            parent = module.name.rpartition(".")[0]
            title, body, children = pages[parent]
            pages[parent] = (title, body, (*children, module.name))
    for old in folder.glob("*.rst"):
        if old.stem not in pages and old.stem not in ("keys", "models"):
            old.unlink()
    for name, (title, body, children) in pages.items():
        toctree = "\n".join([".. toctree::", "   :maxdepth: 1", "", *(f"   {c}" for c in children)])
        _write(folder / f"{name}.rst", title, f"{body}\n\n{toctree if children else ''}")


def write_keys(folder: Path) -> None:
    """Every key of a config, with what it takes and its default, from the JSON Schema."""
    from sims.config.schema import published

    definitions = {
        name: about
        for name, about in published()["$defs"].items()
        if not name.endswith("_partial") and about.get("properties")
    }
    parts = ["From the JSON Schema that ``ember schema`` prints.\n"]
    for name, about in definitions.items():
        heading = _title(name)
        parts += [f".. _key-{_slug(name)}:\n", heading, "-" * len(heading), ""]
        if text := about.get("description", ""):
            parts += [_literal(text.split("\n\n")[0]), ""]
        for key, field in about["properties"].items():
            needed = "required" if key in about.get("required", ()) else _default(field)
            taken = "; ".join(part for part in (_taken(field, definitions), needed) if part)
            parts += [f"``{key}``" + (f" : {taken}" if taken else "")]
            text = _literal(field.get("description", "")) or "\\ "
            parts += [*(f"   {line}" for line in text.splitlines()), ""]
    _write(folder / "keys.rst", "Every key", "\n".join(parts))


def write_models(folder: Path) -> None:
    """Every registered neuron and synapse: its paper, its equations and its parameters."""
    from neuro.models import MODELS
    from neuro.synapses import SYNAPSES

    kinds = {
        "Neurons": (MODELS, ("equations", "threshold", "reset", "refractory")),
        "Synapses": (SYNAPSES, ("equations", "edges", "on_pre", "on_post")),
    }
    parts = ["As the simulation reads them; ``ember list models`` and ``ember list synapses``.\n"]
    for heading, (registry, texts) in kinds.items():
        parts += [heading, "-" * len(heading), ""]
        for name in registry:
            item = registry[name]
            values = ", ".join(f"{key} = {value}" for key, value in item.parameters.items())
            parts += [name, "~" * len(name), "", _literal(item.source) + ".", ""]
            for text in texts:
                lines = textwrap.dedent(getattr(item, text)).strip().splitlines()
                if lines:
                    parts += [f"{text}::", "", *(f"   {line}" for line in lines), ""]
            parts += [f"parameters: {_literal(values)}" if values else "", ""]
    _write(folder / "models.rst", "Every neuron and synapse", "\n".join(parts))


def _write(path: Path, title: str, body: str) -> None:
    text = f"{title}\n{'=' * len(title)}\n\n{body}\n"
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text("utf-8") != text:  # else everything would be read anew
        path.write_text(text, encoding="utf-8")


def _title(name: str) -> str:
    whole = {"run": "A run", "train": "A training on spikes", "puzzles": "A training on puzzles"}
    if name in whole:
        return whole[name]
    kind, _, rest = name.partition(".")
    for ending in ("_circuit", "_encoder"):
        if rest.endswith(ending):
            return f"{ending[1:].capitalize()} {rest.removesuffix(ending)}"
    return f"{rest.removesuffix('Spec')} ({kind})"


def _slug(name: str) -> str:
    return name.replace(".", "-").lower()


def _literal(text: str) -> str:
    return text.replace("`", "``").replace("*", r"\*")


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    if default in (None, "", []) or isinstance(default, dict):
        return ""  # the default of a table is that of its keys
    return f"default ``{str(default).lower() if isinstance(default, bool) else default}``"


def _taken(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What a key takes, in a few words; other tables are linked."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f":ref:`{_title(name)} <key-{_slug(name)}>`" if name in definitions else ""
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in field:
            words = [_taken(option, definitions) for option in field[choice]]
            return " or ".join(dict.fromkeys(word for word in words if word))
    if "enum" in field:
        return " or ".join(f"``{value}``" for value in field["enum"])
    if "const" in field:
        return f"``{field['const']}``"
    if field.get("type") == "object":
        values = field.get("additionalProperties")
        inner = _taken(values, definitions) if isinstance(values, dict) else ""
        return f"a mapping of {inner}" if inner else "a mapping"
    if field.get("type") == "array":
        items = field.get("items")
        inner = _taken(items, definitions) if isinstance(items, dict) else ""
        return f"a list of {inner}" if inner else "a list"
    if examples := field.get("examples"):
        return f"such as ``{examples[0]}``"
    names = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "yes or no",
    }
    types = field.get("type", "")
    listed = types if isinstance(types, list) else [types]
    return " or ".join(names[name] for name in listed if name in names)
