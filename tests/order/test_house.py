"""The house: the rooms stand where the map says, and no file names a machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("neuro", "circuits", "encoders", "bridges", "sims", "configs", "tests", "examples")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def files(*patterns: str) -> list[Path]:
    """Tracked files; in an unpacked source archive, without git, this test cannot be run."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_every_room_is_there() -> None:
    missing = [name for name in (*CODE, "benchmarks", "docs") if not (ROOT / name).is_dir()]
    assert not missing


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in files("*.py")
        if (text := path.read_text("utf-8").lstrip()) and not text.startswith(('"""', 'r"""'))
    ]
    assert not silent


def test_no_todo_stands_in_for_code() -> None:
    pattern = re.compile(r'"""TODO"""|raise NotImplementedError\b|\bFIXME\b')
    left = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in files("*.py")
        if path != Path(__file__) and (found := pattern.search(path.read_text("utf-8")))
    ]
    assert not left


# Paths of one person's machine, and hosts that a build would then depend on.
MACHINE = re.compile(
    r"/(?:home|Users|root|work)/\w+|files\.python|download\.pytorch|(?:extra-)?index-url"
)


def test_no_file_names_a_machine_or_a_package_host() -> None:
    found = []
    for path in files():
        if path == Path(__file__) or path.suffix in {".png", ".wav", ".h5"}:
            continue
        for number, line in enumerate(
            path.read_text(errors="replace", encoding="utf-8").splitlines(), 1
        ):
            if MACHINE.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert not found, "\n".join(found)


def test_the_pattern_for_machines_would_find_one() -> None:
    assert MACHINE.search("open('/home/someone/data.h5')")
    assert not MACHINE.search("/usr/share/sounds and https://doi.org/10.1152/jn")


def requirement(text: str) -> str:
    """The bare, normalised name of a requirement."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", text)[0]).lower()


def test_every_dependency_has_a_tested_version() -> None:
    pins = [
        line
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert all("==" in line and "+" not in line and "://" not in line for line in pins)
    pinned = {requirement(line) for line in pins}
    wanted = list(PROJECT["dependencies"])
    for extra in PROJECT["optional-dependencies"].values():
        wanted += extra
    unpinned = {requirement(text) for text in wanted} - pinned - {"ember-neuro"}
    assert not unpinned


PROVIDED_BY = {"yaml": "pyyaml", "pydantic_core": "pydantic"}
OPTIONAL = {"IPython", "dask_jobqueue"}  # used only where a person has installed them


def test_every_library_that_is_imported_is_declared() -> None:
    wanted = list(PROJECT["dependencies"])
    for extra in ("sweep", "train", "language", "nir", "analysis"):
        wanted += PROJECT["optional-dependencies"][extra]
    known = {requirement(text) for text in wanted} | {"distributed"}  # dask[distributed]
    rooms = {"neuro", "circuits", "encoders", "bridges", "sims", "configs"}
    undeclared = set()
    for path in files("neuro/*.py", "circuits/*.py", "encoders/*.py", "bridges/*.py", "sims/*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in {name.split(".")[0] for name in names} - rooms - OPTIONAL:
                if name in sys.stdlib_module_names:
                    continue
                if PROVIDED_BY.get(name, requirement(name)) not in known:
                    undeclared.add(f"{path.relative_to(ROOT)}: {name}")
    assert not undeclared


def private_to_others(path: str, text: str) -> list[str]:
    """Modules with a leading underscore that `text` imports from a package that it is not in."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ImportFrom) or node.level or node.module is None:
            continue
        package, _, module = node.module.rpartition(".")
        if (
            package
            and module.startswith("_")
            and not path.startswith(package.replace(".", "/") + "/")
        ):
            found.append(f"{path}: {node.module}")
    return found


def test_what_is_private_to_a_package_is_not_imported_from_outside() -> None:
    found = []
    for path in files("neuro/*.py", "circuits/*.py", "encoders/*.py", "bridges/*.py", "sims/*.py"):
        found += private_to_others(str(path.relative_to(ROOT)), path.read_text("utf-8"))
    assert not found
    assert private_to_others("sims/a.py", "from neuro.b._c import d") == ["sims/a.py: neuro.b._c"]
    assert not private_to_others("neuro/b/e.py", "from neuro.b._c import d")


def test_exact_versions_are_pinned_nowhere_else() -> None:
    wanted = list(PROJECT["dependencies"])
    for extra in PROJECT["optional-dependencies"].values():
        wanted += extra
    assert not [text for text in wanted if "==" in text.split(";")[0]]
