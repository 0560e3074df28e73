"""`~` in a path is a known home folder, or one line; and only one function reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from encoders.navigation.table import read_path
from encoders.sound import load_sound
from neuro import cache
from neuro.errors import EmberError
from sims.cli import app

ROOT = Path(__file__).parents[2]
NOBODY = "~nobody_of_this_name"
RUN = "duration: 1 ms\ncircuits: {}\n"
SOUND = RUN + f"stimulus: {{sound: {{file: {NOBODY}/x.wav, level: 60 dB}}}}\n"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (RUN, ["run", "x.yaml", "--out", f"{NOBODY}/x.h5"]),
        (RUN, ["run", f"{NOBODY}/x.yaml"]),
        (RUN, ["run", "x.yaml", f"output.file={NOBODY}/x.h5"]),
        (SOUND, ["check", "x.yaml"]),
        (f"base: {NOBODY}/x.yaml\n", ["check", "x.yaml"]),
        (RUN, ["report", f"{NOBODY}/x.h5"]),
        (RUN, ["export", f"{NOBODY}/x.h5", "--to", "shd"]),
        (RUN, ["status", f"{NOBODY}/x"]),
        (RUN, ["sweep", "x.yaml", "--out", f"{NOBODY}/x"]),
        (RUN, ["train", "sudoku4", "--out", f"{NOBODY}/x"]),
        (RUN, ["train", "sudoku4", f"output.folder={NOBODY}/x"]),
        (RUN, ["train", "sudoku4", "data={source: folder, path: " + NOBODY + "/x}"]),
    ],
)
def test_a_home_that_nobody_has_is_one_line(
    config: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(config, encoding="utf-8")
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, SystemExit), done.exception
    line = done.stderr.splitlines()[-1]  # a training first says what it does
    assert "must begin with a home folder that this machine knows" in line
    assert f"found `{NOBODY}`" in line
    assert not list(tmp_path.glob("~*"))


def test_a_cache_of_nobody_is_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMBER_CACHE", f"{NOBODY}/c")
    assert cache.cache_folder() is None
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be used" in line
    assert not list(tmp_path.iterdir())


def test_sounds_and_paths_from_python_too() -> None:
    for read in (load_sound, lambda path: read_path(path, width_m=1.0, height_m=1.0)):
        with pytest.raises(EmberError, match="a home folder that this machine knows"):
            read(f"{NOBODY}/x")


def test_one_function_reads_a_tilde() -> None:
    """`expanduser` raises a bare error, or leaves the name of a folder that nobody meant."""
    asked = {
        str(file.relative_to(ROOT))
        for package in ("neuro", "encoders", "circuits", "bridges", "sims")
        for file in (ROOT / package).rglob("*.py")
        if re.search(r"expanduser|Path\.home\(", file.read_text("utf-8"))
    }
    assert asked == {"neuro/files/home.py", "sims/store/home.py"}
