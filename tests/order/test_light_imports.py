"""Heavy libraries load when first needed, not when Ember is imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "norse", "brian2", "matplotlib", "pandas", "dask", "distributed", "xarray", "neo")


def loaded_by(statement: str) -> set[str]:
    """The heavy libraries that are in memory after a statement in a fresh interpreter."""
    code = (
        f"{statement}\n"
        f"import json, sys\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_probe_sees_a_heavy_import() -> None:
    assert "matplotlib" in loaded_by("import matplotlib")


@pytest.mark.parametrize("room", ["neuro", "circuits", "encoders", "sims"])
def test_a_room_imports_nothing_heavy(room: str) -> None:
    assert loaded_by(f"import {room}") == set()


def test_the_command_line_answers_without_the_numerics() -> None:
    assert loaded_by("import sims.cli") == set()
    code = "import sys, sims.cli; sys.exit('numba' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
