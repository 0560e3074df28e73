"""The arrows between the rooms: who may import whom."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("neuro", "circuits", "encoders", "bridges", "sims")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    script = "import sys; from importlinter.cli import lint_imports_command as c; c()"
    return subprocess.run(
        [sys.executable, "-c", script, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )


def test_the_rooms_import_only_downhill() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("room", "line", "broken"),
    [
        ("neuro", "import circuits", "neuro imports no other room"),
        ("encoders", "from bridges import thing", "encoders import neuro alone"),
        ("circuits", "import sims", "circuits import neuro alone"),
        ("bridges", "import encoders", "bridges import neuro alone"),
        ("neuro", "import torch", "torch and norse stay in bridges and neuro.backends.norse"),
        ("sims", "import brian2", "brian2 is spoken to by the engine alone"),
    ],
)
def test_a_wrong_import_is_caught(tmp_path: Path, room: str, line: str, broken: str) -> None:
    """The same contracts, held against a toy tree with one arrow drawn uphill."""
    for name in (*ROOMS, "neuro/backends", "neuro/backends/numba", "neuro/backends/brian"):
        package = tmp_path / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    clean = lint(tmp_path)
    assert clean.returncode == 0, clean.stdout + clean.stderr

    (tmp_path / room / "wrong.py").write_text(line + "\n", encoding="utf-8")
    (tmp_path / "bridges" / "thing.py").write_text("", encoding="utf-8")
    result = lint(tmp_path)
    assert result.returncode != 0
    assert f"{broken} BROKEN" in result.stdout


def test_every_room_has_a_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    assert set(contracts["root_packages"]) == set(ROOMS)
    for room in set(ROOMS) - {"sims"}:
        assert any(
            c["type"] == "forbidden" and room in c["source_modules"] for c in contracts["contracts"]
        )
