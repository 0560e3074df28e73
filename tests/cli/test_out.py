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
@pytest.mark.parametrize("command", [["run", "--force"], ["compare"], ["nir", "export"], ["sweep"]])
def test_a_config_is_not_written_over(config: Path, out: str, command: list[str]) -> None:
    place = [out] if command[0] == "nir" else ["--out", out]
    done = CliRunner().invoke(app, [*command, "mine.yaml", *place])
    assert done.exit_code != 0
    assert config.read_text("utf-8") == CONFIG
    assert "it is a file that is read" in done.output


@pytest.mark.parametrize("out", ["lowest.yaml", "middle.yaml", "tone.wav", "link.h5", "hard.h5"])
@pytest.mark.parametrize(
    "command", [["run", "--force", "--out"], ["nir", "export", "--force"], ["compare", "--out"]]
)
def test_no_base_and_no_sound_of_a_config_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    stimulus = "stimulus: {sound: {file: tone.wav, level: 60 dB}}\n"
    texts = {
        "lowest.yaml": CONFIG,
        "middle.yaml": "base: lowest.yaml\n" + stimulus,
        "mine.yaml": "base: middle.yaml\n",
        "tone.wav": "not read before the place is refused",
    }
    for name, text in texts.items():
        Path(name).write_text(text, encoding="utf-8")
    Path("link.h5").symlink_to("lowest.yaml")
    os.link("lowest.yaml", "hard.h5")
    before = {name: Path(name).read_bytes() for name in (*texts, out)}
    config, place = (["mine.yaml"], [out]) if command[0] == "nir" else ([], [out, "mine.yaml"])
    done = CliRunner().invoke(app, [*command, *config, *place])
    assert "it is a file that is read" in done.output, done.output
    assert done.exit_code != 0
    assert {name: Path(name).read_bytes() for name in before} == before


def test_a_folder_is_not_replaced_with_what_is_read_in_it(config: Path) -> None:
    old = Path("old")
    old.mkdir()
    (old / "compare.json").write_text("{}", encoding="utf-8")
    config.rename(old / "mine.yaml")
    Path("child.yaml").write_text("base: old/mine.yaml\n", encoding="utf-8")
    for given in ("old/mine.yaml", "child.yaml"):
        done = CliRunner().invoke(app, ["compare", given, "--out", "old", "--force"])
        assert done.exit_code == 2
        assert "`old/mine.yaml` in it is read" in done.output.replace(f"{config.parent}/", "")
        assert (old / "mine.yaml").read_text("utf-8") == CONFIG


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
