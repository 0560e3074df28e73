"""What a run file says about its origin is collected from the process, cheaply and truly."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest

from sims.store import collect
from sims.store.provenance import git_commit, peak_memory_bytes, versions


def test_collect_keeps_the_config_and_adds_the_process() -> None:
    found = collect(
        name="startle",
        config_text="name: startle\n",
        config_path=Path("configs") / "startle.yaml",
        overrides=["seed=3"],
        resolved={"seed": 3},
        config_hash="abc",
    )
    assert (found.name, found.config_text, found.config_hash) == (
        "startle", "name: startle\n", "abc",
    )  # fmt: skip
    assert found.config_path == os.path.join("configs", "startle.yaml")
    assert found.overrides == ("seed=3",)
    assert found.resolved == {"seed": 3}
    age = datetime.now(UTC) - datetime.fromisoformat(found.created)
    assert timedelta(seconds=-1) < age < timedelta(hours=1)


def test_versions_are_those_that_are_imported() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    assert found["h5py"] == h5py.__version__
    assert "ember-neuro" in found


def test_nothing_heavy_is_imported_to_learn_a_version() -> None:
    code = (
        "import sys, json; from sims.store import check_writable; "
        "early = 'h5py' in sys.modules; from sims.store import collect; "
        "v = collect(name='', config_text='', config_path='', overrides=(), resolved={}, "
        "config_hash='').versions; "
        "print(json.dumps([early, 'numba' in v, "
        "[m for m in ('torch', 'brian2', 'numba', 'matplotlib', 'h5py') if m in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [False, True, []]


def test_peak_memory_is_of_this_process() -> None:
    before = peak_memory_bytes()
    assert 10e6 < before < 1e12
    block = np.ones(64 << 17)  # 64 MiB, touched
    assert peak_memory_bytes() >= max(before, block.nbytes)


def test_git_commit_tells_clean_from_dirty(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    assert git_commit(tmp_path) == ""
    git("init", "-q")
    assert git_commit(tmp_path) == ""  # no commit yet
    (tmp_path / "code.py").write_text("x = 1\n", encoding="utf-8")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    head = git("rev-parse", "HEAD")
    assert git_commit(tmp_path) == head
    (tmp_path / "notes.txt").write_text("untracked files change no result", encoding="utf-8")
    assert git_commit(tmp_path) == head
    (tmp_path / "code.py").write_text("x = 2\n", encoding="utf-8")
    assert git_commit(tmp_path) == head + "+dirty"
    (tmp_path / "site-packages").mkdir()  # installed inside somebody's repository
    assert git_commit(tmp_path / "site-packages") == ""


def test_git_is_not_misled_by_its_own_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside a git hook `GIT_DIR` names the repository that is being committed to."""
    here = git_commit(Path(__file__).parents[2])
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert git_commit(Path(__file__).parents[2]).removesuffix("+dirty") == here.removesuffix(
        "+dirty"
    )
