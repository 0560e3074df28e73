"""The script that trains on speech runs as its reader would run it, and goes on where it was."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import IN_CI

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "train_on_speech.py"


def script(
    *arguments: str, cwd: Path, path: str = os.environ["PATH"]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": path},
    )  # fmt: skip


@pytest.mark.skipif(
    not IN_CI and not shutil.which("espeak-ng"), reason="the system package espeak-ng is not here"
)
def test_the_small_study_runs_and_is_not_done_twice(tmp_path: Path) -> None:
    asked = ("--threads", "1", "--arms", "trained")
    done = script(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "runs" / "speech_small"
    result = json.loads((out / "result.json").read_text("utf-8"))
    assert result["chance"] == pytest.approx(0.1) and len(result["classes"]) == 10
    assert result["items"] == {
        "train": {"sounds": 60, "voices": 6}, "validation": {"sounds": 20, "voices": 2},
        "test": {"sounds": 20, "voices": 2},
    }  # fmt: skip
    (trial,) = result["trials"]["trained"]
    assert 1.0 < trial["curve"][-1]["rate_hz"] < 100.0
    # Of 20 sounds of voices that never train. By chance 9 or more are right once in 16,000 times;
    # it was 14, and 1 with shuffled labels.
    assert trial["sets"]["validation"]["right"] >= 9
    assert trial["transfer"]["spikes"] > 100 and trial["transfer"]["spikes_differing"] == 0
    assert (out / "speech.png").read_bytes()[1:4] == b"PNG"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]

    again = script(*asked, cwd=tmp_path)
    assert again.returncode == 0 and "epoch" not in again.stdout
    assert json.loads((out / "result.json").read_text("utf-8"))["trials"] == result["trials"]
    refused = script("--out", str(tmp_path / "runs"), cwd=tmp_path)
    assert refused.returncode == 1 and "holds no study" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_what_is_wrong_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = script(cwd=tmp_path, path=str(tmp_path))
    assert nowhere.returncode == 1 and "install the system package espeak-ng" in nowhere.stderr
    assert len(nowhere.stderr.strip().splitlines()) == 1
    monkeypatch.setattr(sys, "argv", ["train_on_speech.py", "--study", "huge"])
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "invalid choice: 'huge'" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["train_on_speech.py", "--arms", "trained", "shufled"])
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "invalid choice: 'shufled'" in capsys.readouterr().err
