"""What a file says of its maker's home, and what its names do to a terminal or a page."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from neuro.recording import Recording
from neuro.spikes import Spikes
from sims.config import load
from sims.long_run import run_to_file
from sims.report import write_report
from sims.result import Provenance, Run
from sims.store import read_provenance, write_run
from sims.store.home import as_typed, text_without_home, with_home, without_home
from sims.sweep import run_sweep
from sims.sweep.worker import Job, PointResult
from sims.terminal.plain import PlainOutput

HOSTILE = "\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>\u202e"


def test_paths_below_home_are_stored_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/export/me")
    given = {
        "files": {"/export/me/a.wav": "hash"}, "n": 1, "list": ["/export/me/b", "/export/meadow"],
        "over": "stimulus.sound.file=/export/me/c.wav", "elsewhere": "/srv/export/me/d",
    }  # fmt: skip
    stored = without_home(given)
    assert stored == {
        "files": {"~/a.wav": "hash"}, "n": 1, "list": ["~/b", "/export/meadow"],
        "over": "stimulus.sound.file=~/c.wav", "elsewhere": "/srv/export/me/d",
    }  # fmt: skip
    assert with_home(stored) == given
    monkeypatch.setenv("HOME", "/export/you")
    assert with_home(stored)["files"] == {"/export/you/a.wav": "hash"}


def test_a_run_file_names_no_home_and_still_finds_its_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile = pytest.importorskip("soundfile")
    monkeypatch.setenv("HOME", str(tmp_path))
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "noise.wav", rng.normal(0, 0.1, 1600), 16_000)
    config = tmp_path / "heard.yaml"
    config.write_text(
        "name: heard\nduration: 20 ms\nstimulus:\n  sound: {encoder: auditory_nerve, "
        f"n_channels: 4, fibres_per_channel: 1, file: {tmp_path}/noise.wav, level: 60 dB}}\n"
        "circuits: {net: {populations: {cells: "
        "{n: 2, model: lif, parameters: {I_ext: 500 pA}}}}}\n",
        encoding="utf-8",
    )
    loaded = load(config)
    told = run_to_file(loaded, tmp_path / "heard.h5")
    assert str(tmp_path).encode() not in told.path.read_bytes()
    stored = read_provenance(told.path)
    assert stored.config_path == "~/heard.yaml"
    assert "file: ~/noise.wav," in stored.config_text
    page = write_report(told.path).read_text("utf-8")
    assert str(tmp_path) not in page
    assert "ember run ~/heard.h5 --out ~/heard-again.h5" in page
    assert load(told.path).hash == loaded.hash
    assert load(told.path).resolved == loaded.resolved


def _point(job: Job) -> PointResult:
    return PointResult({"loudness": 1.0}, {})


def test_no_file_of_a_sweep_names_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(name.encode())
    config = tmp_path / "swept.yaml"
    config.write_text(
        f"duration: 1 ms\nstimulus: {{sound: {{file: {tmp_path}/a.wav, level: 60 dB}}}}\n"
        f"circuits: {{}}\nsweep: {{vary: {{stimulus.sound.file: "
        f"[{tmp_path}/a.wav, {tmp_path}/b.wav]}}}}\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    loaded = load(config, [f"output.file={tmp_path}/x.h5"])
    assert run_sweep(loaded, out, workers=0, run_point=_point, console=Console(quiet=True)) == 0
    write_report(out)
    written = [file for file in out.rglob("*") if file.is_file()]
    assert {"sweep.json", "table.csv", "report.html"} <= {file.name for file in written}
    for file in written:
        assert str(tmp_path).encode() not in file.read_bytes(), file.name
    assert run_sweep(loaded, out, workers=0, run_point=_point, console=Console(quiet=True)) == 0


def test_a_command_is_written_as_a_shell_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/export/me")
    words = ["ember", "run", "/export/me/my run.h5", "/export/meadow", "a b", ""]
    assert as_typed(words) == "ember run ~/'my run.h5' /export/meadow 'a b' ''"
    assert text_without_home("a: /export/me/x # '/export/me/y', /srv/export/me/z") == (
        "a: ~/x # '~/y', /srv/export/me/z"
    )


def test_a_terminal_is_not_told_what_to_do_by_a_name() -> None:
    out = io.StringIO()
    print(HOSTILE, "\x1b[1;31mred\x1b[0m\tand a\nnew line", file=PlainOutput(out))  # type: ignore[arg-type]
    assert out.getvalue() == (
        "\\x1b]0;owned\\x07\\x1b[2J<script>alert(1)</script>\\u202e "
        "\x1b[1;31mred\x1b[0m\tand a\nnew line\n"
    )


def test_a_report_shows_hostile_names_as_text(tmp_path: Path) -> None:
    spikes = {"<b>$x^{$<script>alert(1)": Spikes([1.0], [0], n_units=2, t_stop_ms=10.0)}
    run = Run(
        Recording(duration_ms=10.0, dt_ms=0.1, seed=1, backend="numba", spikes=spikes),
        Provenance(HOSTILE, f"x: {HOSTILE}\n", HOSTILE, (HOSTILE,), {"x": HOSTILE}, "h", {}, "",
                   "2026-01-01"),
    )  # fmt: skip
    path = write_run(tmp_path / "run.h5", run)
    page = tmp_path / "page.html"
    write_report(path, page)
    text = page.read_text("utf-8")
    assert "<script>alert" not in text
    assert "<b>" not in text
