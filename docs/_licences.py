"""The page on licences, read from the metadata of what is installed: `python docs/_licences.py`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
OWN = "ember-neuro"
MISSING = "not read: it was not installed where this page was made"
HEAD = """# Licences

Ember is under the BSD 3-clause licence. It runs on packages that have licences of their own, and
whoever passes them on together with it, in a container or an installer, has to keep to each. This
page lists what the core and each extra bring. It is made by `python docs/_licences.py` from the
metadata of the packages that are installed, or from the licence file in the package where its
metadata name none; no entry is typed by hand, and none is legal advice. Wheels may contain further
libraries: that of soundfile contains libsndfile, under the LGPL, and those of numpy and scipy
OpenBLAS and the run-time library of GCC. The page was made with PyTorch's wheel for CPUs; the one
for NVIDIA's GPUs asks for further packages, under NVIDIA's own terms.
"""
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "CEA CNRS Inria Logiciel Libre License, version 2.1 (CeCILL-2.1)": "CeCILL-2.1",
    "GNU General Public License (GPL)": "GPL",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Public Domain": "public domain",
}
_TEXTS = (
    (r"GNU AFFERO GENERAL PUBLIC LICENSE\s+Version (\d)", "AGPL-{}"),
    (r"GNU LESSER GENERAL PUBLIC LICENSE\s+Version ([\d.]+\d|\d)", "LGPL-{}"),
    (r"GNU GENERAL PUBLIC LICENSE\s+Version (\d)", "GPL-{}"),
    (r"Apache License\s+Version ([\d.]+\d)", "Apache-{}"),
    (r"Mozilla Public License Version ([\d.]+\d)", "MPL-{}"),
    (r"CeCILL.*?Version ([\d.]+\d)", "CeCILL-{}"),
    (r"Permission is hereby granted, free of charge", "MIT"),
    (r"Neither the name", "BSD-3-Clause"),
    (r"Redistribution and use in source and binary forms", "BSD"),
)
_IDENTIFIER = re.compile(r"(?=.*\d)[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*|MIT|ISC")
_COPYLEFT = re.compile(r"\b(A?GPL|LGPL|MPL|CeCILL|EPL)")


def licence(package: Distribution) -> str:
    """The licence of an installed package, as short as its metadata or licence file allow."""
    about = package.metadata
    if expression := about.get("License-Expression"):
        return str(expression)
    text = str(about.get("License") or "").strip()
    if _IDENTIFIER.fullmatch(text):
        return text
    named = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith(("OSI Approved", "DFSG approved"))
    ]
    if named:
        return ", ".join(_CLASSIFIERS.get(name, name) for name in named)
    for found in (text, *_licence_files(package)):
        if known := recognised(found):
            return known
    return text.splitlines()[0] if text else "not stated"


def recognised(text: str) -> str:
    """The licence that a licence text is, or empty."""
    for pattern, name in _TEXTS:
        if match := re.search(pattern, text, re.S | re.I):
            return name.format(*match.groups())
    return ""


def _licence_files(package: Distribution) -> Iterator[str]:
    for file in package.files or ():
        if re.match(r"(?i)(licen[cs]e|copying)", file.name):
            yield Path(str(package.locate_file(file))).read_text("utf-8", errors="replace")


def groups() -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for: the core, and each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found = {"core": project["dependencies"], **project["optional-dependencies"]}
    return {
        name: [asked for asked in map(Requirement, asked) if _applies(asked)]
        for name, asked in found.items()
    }


def _applies(asked: Requirement, extra: str = "") -> bool:
    return asked.marker is None or asked.marker.evaluate({"extra": extra})


def direct(group: str) -> set[str]:
    """Packages that a group names itself, without those of groups that it contains."""
    return {canonicalize_name(one.name) for one in groups()[group]} - {OWN}


def brought(group: str) -> set[str]:
    """Every package that a group brings: those it names, and those that they need."""
    found: set[str] = set()
    waiting = [(one.name, frozenset(one.extras)) for one in groups()[group] if one.name != OWN]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(canonicalize_name(name))
        try:
            asks = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        for asked in map(Requirement, asks):
            if any(_applies(asked, extra) for extra in ("", *extras)):
                waiting.append((asked.name, frozenset(asked.extras)))
    return found


def licence_of(name: str) -> str:
    """The licence of a package by name."""
    try:
        return licence(distribution(name))
    except PackageNotFoundError:
        return MISSING


def page() -> str:
    """The page's Markdown."""
    names = [name for name in groups() if direct(name)]
    every = {package for group in names for package in brought(group)}
    parts = [HEAD, "## Those that ask for more than a notice\n"]
    rows = [
        (package, licence_of(package), ", ".join(g for g in names if package in brought(g)))
        for package in sorted(every)
        if _COPYLEFT.search(licence_of(package))
    ]
    parts.append(_table(("package", "licence", "brought by"), rows))
    core = brought("core")
    for group in names:
        own, all_of_it = direct(group), brought(group)
        parts.append(f"## {'The core' if group == 'core' else f'Extra `{group}`'}\n")
        shown = all_of_it if group == "core" else (all_of_it - core) | own
        rows = [
            (package, licence_of(package), "named" if package in own else "needed by these")
            for package in sorted(shown)
        ]
        parts.append(_table(("package", "licence", ""), rows))
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    (ROOT / "docs" / "licences.md").write_text(page(), encoding="utf-8")
