"""The page on licences is true of what is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import _licences  # noqa: E402  # the documentation's own script

PAGE = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")


def rows(group: str) -> dict[str, str]:
    """Package to licence, of one part of the page."""
    head = "## The core\n" if group == "core" else f"## Extra `{group}`\n"
    part = PAGE[PAGE.index(head) + len(head) :].partition("\n## ")[0]
    cells = [line.split("|") for line in part.splitlines() if line.startswith("| ")]
    return {row[1].strip(): row[2].strip() for row in cells[2:]}


GROUPS = [name for name in _licences.groups() if _licences.direct(name)]


@pytest.mark.parametrize("group", GROUPS)
def test_every_package_that_is_named_stands_on_the_page(group: str) -> None:
    """Make the page anew with `python docs/_licences.py`."""
    found, named = rows(group), _licences.direct(group)
    assert named <= found.keys()
    for name in named:
        now = _licences.licence_of(name)
        assert now in (found[name], _licences.MISSING), name


def test_those_that_ask_for_more_are_named() -> None:
    assert (rows("core")["brian2"], rows("train")["norse"]) == ("CeCILL-2.1", "LGPL-3")
    first = PAGE.partition("## The core")[0]
    assert all(f"| {name} |" in first for name in ("brian2", "norse", "tonic", "libsonata"))
    assert "| numpy |" not in first


@pytest.mark.parametrize(
    ("fields", "files", "licence"),
    [
        ({"License-Expression": "MIT AND ISC", "License": "x"}, [], "MIT AND ISC"),
        ({"License": "GPL-3.0-only", "Classifier": ["License :: OSI Approved :: GPL"]}, [],
         "GPL-3.0-only"),
        ({"License": "BSD", "Classifier": ["License :: OSI Approved :: MIT License"]}, [], "MIT"),
        ({"License": "GNU LESSER GENERAL PUBLIC LICENSE\n  Version 3, 29 June 2007\n"}, [],
         "LGPL-3"),
        ({}, ["   GNU GENERAL PUBLIC LICENSE\n    Version 2, June 1991"], "GPL-2"),
        ({"License": "3-Clause BSD License"}, [], "3-Clause BSD License"),
        ({}, ["All rights reserved."], "not stated"),
    ],
)  # fmt: skip
def test_a_licence_is_read_from_what_there_is(
    fields: dict[str, Any], files: list[str], licence: str, tmp_path: Path
) -> None:
    for number, text in enumerate(files):
        (tmp_path / f"LICENSE.{number}").write_text(text, encoding="utf-8")
    about = SimpleNamespace(get=fields.get, get_all=fields.get)
    package: Any = SimpleNamespace(
        metadata=about, files=[Path(f"LICENSE.{k}") for k in range(len(files))],
        locate_file=lambda file: tmp_path / file,
    )  # fmt: skip
    assert _licences.licence(package) == licence
