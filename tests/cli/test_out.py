"""What a command writes is never a file that it reads, and `~` is the user's folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sims.cli import app

CONFIG = """\
duration: 1 ms
circuits: {net: {populations: {a: {n: 1, model: lif}}}}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "mine.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "link.h5").symlink_to("mine.yaml")
    os.link("mine.yaml", "hard.h5")
    return tmp_path / "mine.yaml"


@pytest.mark.parametrize(
    "out", ["mine.yaml", "./mine.yaml", "home/../mine.yaml", "link.h5", "hard.h5"]
)
@pytest.mark.parametrize("command", [["run", "--force"], ["compare"], ["nir", "write"], ["sweep"]])
def test_a_config_is_not_written_over(config: Path, out: str, command: list[str]) -> None:
    place = [out] if command[0] == "nir" else ["--out", out]
    done = CliRunner().invoke(app, [*command, "mine.yaml", *place])
    assert done.exit_code != 0
    assert config.read_text("utf-8") == CONFIG
    if command[0] in ("run", "sweep", "compare"):
        assert "it is a file that is read" in done.output


def test_a_config_that_names_itself_as_output_is_refused(config: Path) -> None:
    config.write_text(CONFIG + "output: {file: mine.yaml}\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["run", "mine.yaml", "--force"])
    assert done.exit_code == 1
    assert "it is a file that is read" in done.output


def test_a_tilde_is_the_users_folder(config: Path) -> None:
    done = CliRunner().invoke(app, ["run", "mine.yaml", "--out", "~/run.h5"])
    assert done.exit_code == 0, done.output
    assert (config.parent / "home" / "run.h5").is_file()
    assert not Path("~").exists()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("n: 1", "n: 2000000000", "at most 1e+08"),
        ("n: 1", "n: 9000000000000000000", "at most 1e+08"),
        ("n: 1", "n: 1000000000000000000000000000000", "up to 64 bits"),
        (
            "lif}}",
            "lif}}, projections: [{from: a, to: a, synapse: delta, weight: 1 mV, "
            "rule: {listed: {source: [0], target: [9223372036854775808]}}}]",
            "up to 64 bits",
        ),
        (
            "lif}}",
            "lif}}, projections: [{from: a, to: a, synapse: delta, weight: 1 mV, "
            "rule: {listed: {source: [0], target: [9223372036854775807]}}}]",
            "must lie in 0..0",
        ),
        (
            "lif}}",
            "lif}}, projections: [{from: a, to: a, synapse: delta, weight: 1 mV, "
            "rule: {fixed_in_degree: {n: 3, multapses: true}}}]",
            "found 0 in a",
        ),
    ],
)
def test_numbers_that_cannot_be_are_refused(config: Path, old: str, new: str, problem: str) -> None:
    config.write_text(CONFIG.replace(old, new), encoding="utf-8")
    done = CliRunner().invoke(app, ["check", "mine.yaml"])
    assert done.exit_code == 1
    assert problem in done.output
