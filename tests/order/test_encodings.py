"""Text is read and written as UTF-8, whatever the machine's locale is."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("neuro", "circuits", "encoders", "bridges", "sims", "configs", "tests", "examples",
         "docs", "benchmarks")  # fmt: skip
# Where the encoding stands among the arguments, and where the mode does.
CALLS = {"read_text": (0, None), "write_text": (1, None), "open": (None, 0)}
NOT_TEXT = {
    "os",
    "h5a",
    "h5d",
    "h5f",
    "h5g",
    "h5o",
    "tarfile",
    "zipfile",
    "wave",
    "webbrowser",
    "Image",
    "gzip",
}


def decoding_processes(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls of `subprocess` that decode what a process prints in the encoding of the locale."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("subprocess."):
            given = {keyword.arg for keyword in node.keywords}
            if given & {"text", "universal_newlines"} and "encoding" not in given:
                yield node


def without_encoding(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls that open text in the encoding of the locale."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        given = {keyword.arg for keyword in node.keywords}
        if "encoding" in given or None in given:
            continue
        called = node.func
        if isinstance(called, ast.Attribute):
            owner = called.value.id if isinstance(called.value, ast.Name) else ""
            if called.attr not in CALLS or owner in NOT_TEXT:
                continue
            place, mode_place = CALLS[called.attr]
        elif isinstance(called, ast.Name) and called.id in ("open", "fdopen"):
            place, mode_place = None, 1
        else:
            continue
        if place is not None and len(node.args) > place:
            continue
        mode: ast.AST | None = next((k.value for k in node.keywords if k.arg == "mode"), None)
        if mode_place is not None and len(node.args) > mode_place:
            mode = node.args[mode_place]
        if mode_place is not None and isinstance(mode, ast.Constant) and "b" in str(mode.value):
            continue
        yield node


@pytest.mark.parametrize("text", [
    "p.read_text()", "p.write_text(x)", "open(p)", "open(p, 'w')", "p.open()", "p.open('a')",
    "open(p, mode='r')",
])  # fmt: skip
def test_a_call_without_an_encoding_is_found(text: str) -> None:
    assert len(list(without_encoding(ast.parse(text)))) == 1


@pytest.mark.parametrize("text", [
    "p.read_text('utf-8')", "p.write_text(x, 'utf-8')", "open(p, 'rb')", "p.open('wb')",
    "open(p, encoding='utf-8')", "os.open(p, 0)", "open(p, mode='xb')",
])  # fmt: skip
def test_a_call_with_an_encoding_or_of_bytes_is_not(text: str) -> None:
    assert not list(without_encoding(ast.parse(text)))


def test_every_text_file_is_opened_with_an_encoding() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if any(word in (text := path.read_text("utf-8")) for word in CALLS)
        for call in without_encoding(ast.parse(text))
    ]
    assert not found, "give an encoding: " + ", ".join(found)


def test_what_a_process_prints_is_decoded_as_utf_8() -> None:
    """In the code; the tests run processes that print ASCII."""
    assert list(decoding_processes(ast.parse("subprocess.run(x, text=True)")))
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for room in (*ROOMS[:5], "benchmarks")
        for path in sorted((ROOT / room).rglob("*.py"))
        if "subprocess" in (text := path.read_text("utf-8"))
        for call in decoding_processes(ast.parse(text))
    ]
    assert not found, "give an encoding: " + ", ".join(found)


def test_a_config_with_other_letters_is_read_in_the_c_locale(tmp_path: Path) -> None:
    path = tmp_path / "greek.yaml"
    path.write_text(
        "# τ is Greek\nname: greek\nduration: 5 ms\n"
        "circuits: {net: {populations: {a: {n: 1, model: lif}}}}\n",
        encoding="utf-8",
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "sims", "check", str(path)],
        cwd=ROOT, env=os.environ | locale, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
