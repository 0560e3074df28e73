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
import torch

from tests.conftest import IN_CI

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "train_on_speech.py"


def here(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The script's exit status, run in this process."""
    threads = str(torch.get_num_threads())  # which other tests find as they were
    monkeypatch.setattr(sys, "argv", [SCRIPT.name, "--threads", threads, *arguments])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return left.value.code


@pytest.mark.skipif(
    not IN_CI and not shutil.which("espeak-ng"), reason="the system package espeak-ng is not here"
)
def test_the_small_study_runs_and_is_not_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--arms", "trained")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--threads", "1", *asked],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
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

    monkeypatch.chdir(tmp_path)
    assert here(monkeypatch, *asked) == 0 and "epoch" not in capsys.readouterr().out
    assert json.loads((out / "result.json").read_text("utf-8"))["trials"] == result["trials"]
    assert here(monkeypatch, "--out", str(tmp_path / "runs")) == 1
    refused = capsys.readouterr().err
    assert "holds no study" in refused and len(refused.strip().splitlines()) == 1


def test_what_is_wrong_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        assert here(monkeypatch) == 1
    said = capsys.readouterr().err
    assert "install the system package espeak-ng" in said and len(said.strip().splitlines()) == 1
    assert here(monkeypatch, "--study", "huge") == 2
    assert "invalid choice: 'huge'" in capsys.readouterr().err
    assert here(monkeypatch, "--arms", "trained", "shufled") == 2
    assert "invalid choice: 'shufled'" in capsys.readouterr().err
