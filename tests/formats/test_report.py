"""The report's page: self-contained, escaped, true to the run, and written whole or not at all."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from neuro.errors import StoreError
from neuro.recording import Recording
from neuro.signal import Signal
from neuro.spikes import Spikes
from sims.cli import app
from sims.report import write_report
from sims.result import Run
from sims.store import write_run
from sims.sweep.ledger import Ledger

HOSTILE = "name: <script>alert('x')</script>\n# </code></pre><img src=x onerror=alert(1)> & \"q\"\n"
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Seen(HTMLParser):
    """Tags with attributes, and the text inside chosen tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []  # every tag is closed

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(path: Path) -> Seen:
    return Seen(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path, Path]:
    """A run whose every text wants out of its place, its file, and its page."""
    from tests.formats.conftest import tiny_run  # a plain function, wanted once a module

    plain = tiny_run()
    about = dataclasses.replace(
        plain.provenance,
        name="<b>$x^</b>",
        config_text=HOSTILE,
        overrides=("name=<script>alert(2)</script>", "duration=1 s"),
        versions={"<i>python</i>": '3"><script>alert(3)</script>'},
        resolved={"name": "<script>alert(4)</script>", "seed": 7},
    )
    run = dataclasses.replace(plain, provenance=about)
    folder = tmp_path_factory.mktemp("a run")
    file = write_run(folder / "hostile & co.h5", run)
    return run, file, write_report(file)


def test_the_page_stands_alone(hostile: tuple[Run, Path, Path]) -> None:
    _, _, page = hostile
    seen = page_of(page)
    images = seen.all("img")
    assert len(images) >= 6
    for image in images:
        source = image["src"] or ""
        head = "data:image/png;base64,"
        assert source.startswith(head)
        assert base64.b64decode(source.removeprefix(head)).startswith(b"\x89PNG")
        assert len(image["alt"] or "") > 10
    for tag, attributes in seen.tags:
        assert tag not in {"link", "script", "iframe", "object", "embed", "base"}
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    (style,) = seen.texts["style"]
    assert "url(" not in style and "@import" not in style
    policy = [meta.get("content") for meta in seen.all("meta") if meta.get("http-equiv")]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_texts_of_the_run_cannot_leave_their_place(hostile: tuple[Run, Path, Path]) -> None:
    _, _, page = hostile
    seen = page_of(page)
    assert "script" not in seen.texts and "b" not in seen.texts and "i" not in seen.texts
    assert HOSTILE in seen.texts["code"]  # and the reader sees exactly what was written
    assert seen.texts["h1"] == ["<b>$x^</b>"]
    assert any("name=<script>alert(2)</script>" in cell for cell in seen.texts["td"])


def test_the_page_says_what_was_run(hostile: tuple[Run, Path, Path]) -> None:
    run, _, page = hostile
    cells = page_of(page).texts["td"]
    for name, spikes in run.recording.spikes.items():
        at = cells.index(name.replace("_", " "))
        active = np.count_nonzero(spikes.counts()) / spikes.n_units
        assert cells[at + 1 : at + 5] == [
            f"{spikes.n_units}", f"{len(spikes):,}", f"{spikes.rate_hz:.2f}", f"{active:.0%}"
        ]  # fmt: skip
    for expected in ("0123abcd", "7", "0.1 s", "0.7 s", "0.3 s", run.provenance.created):
        assert expected in cells
    assert "118 MiB" in cells  # 123,456,789 bytes


def test_the_command_to_run_again_is_one_that_ember_takes(hostile: tuple[Run, Path, Path]) -> None:
    import typer.main

    _, file, page = hostile
    (line,) = [text for text in page_of(page).texts["code"] if text.startswith("ember ")]
    ember, name, *words = shlex.split(line)
    assert (ember, name, words[0]) == ("ember", "run", str(file))
    command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    parsed = command.make_context("run", words).params
    assert parsed["config"] == str(file) and parsed["out"].parent == file.parent
    assert not parsed["out"].exists()


def test_pictures_lie_beside_the_page_and_nothing_else_does(
    hostile: tuple[Run, Path, Path],
) -> None:
    _, file, page = hostile
    seen = page_of(page)
    folder = page.with_name("hostile & co_figures")
    names = [attributes["data-file"] for attributes in seen.all("figure")]
    assert len(set(names)) == len(names)
    assert sorted(p.name for p in folder.iterdir()) == sorted(str(name) for name in names)
    for name, image in zip(names, seen.all("img"), strict=True):
        embedded = base64.b64decode((image["src"] or "").split(",")[1])
        assert (folder / str(name)).read_bytes() == embedded
    assert {p.name for p in page.parent.iterdir()} == {file.name, page.name, folder.name}


@pytest.fixture(scope="module")
def again(hostile: tuple[Run, Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the same run, drawn a second time."""
    return write_report(hostile[1], tmp_path_factory.mktemp("again") / "page.html")


def test_the_same_run_gives_the_same_page(hostile: tuple[Run, Path, Path], again: Path) -> None:
    same = again.read_bytes() == hostile[2].read_bytes()
    assert same, again


def small_run(run: Run) -> Run:
    """One silent cell and nothing else: the quickest page."""
    silent = Spikes([], [], n_units=1, t_stop_ms=10)
    recording = Recording(10.0, 0.1, 1, "numba", {"cell": silent}, timings={"simulate": 0.1})
    return Run(recording, run.provenance)


def test_a_run_of_nothing_has_a_page(run: Run, tmp_path: Path) -> None:
    empty = Recording(10.0, 0.1, 1, "numba", {})
    nobody = Recording(10.0, 0.1, 1, "numba", {"none": Spikes([], [], n_units=0, t_stop_ms=10)})
    for name, recording in (("empty", empty), ("nobody", nobody)):
        file = write_run(tmp_path / f"{name}.h5", Run(recording, run.provenance))
        seen = page_of(write_report(file))
        assert "Cells and spikes" in seen.texts["h2"] and "Traces" not in seen.texts["h2"]


def test_a_path_brings_rate_maps(run: Run, tmp_path: Path) -> None:
    t = np.linspace(0, 2 * np.pi, 200)
    recording = Recording(
        2000.0, 1.0, 1, "numba",
        {"place": Spikes(np.arange(50) * 10.0, np.zeros(50), n_units=2, t_stop_ms=2000),
         "other": Spikes([5.0], [0], n_units=1, t_stop_ms=2000)},
    )  # fmt: skip
    signals = {"path.x": Signal(0.5 + 0.4 * np.cos(t), 10, "m"),
               "path.y": Signal(0.5 + 0.4 * np.sin(t), 10, "m")}  # fmt: skip
    coordinates = {"place": {"x_m": np.array([0.9, 0.1])}}
    file = write_run(tmp_path / "walk.h5", Run(recording, run.provenance, signals, coordinates))
    write_report(file)
    maps = [p.name for p in (tmp_path / "walk_figures").glob("rate-maps-*")]
    assert maps == ["rate-maps-1-place.png"]  # `other` has no place in the arena


def test_an_older_report_is_replaced_with_its_pictures(
    run: Run, again: Path, tmp_path: Path
) -> None:
    small = write_run(tmp_path / "small.h5", small_run(run))
    shutil.copytree(again.parent, tmp_path, dirs_exist_ok=True)
    page, folder = tmp_path / "page.html", tmp_path / "page_figures"
    assert (folder / "traces.png").exists()
    (folder / "mine.png").write_bytes(b"a person's own")
    write_report(small, page)
    assert {p.name for p in folder.iterdir()} == {
        "mine.png", "overview.png", "raster.png", "rates.png"
    }  # fmt: skip


@pytest.mark.parametrize("taken", ["notes.html", "small.h5"])
def test_what_is_no_report_is_never_overwritten(run: Run, tmp_path: Path, taken: str) -> None:
    file = write_run(tmp_path / "small.h5", small_run(run))
    (tmp_path / "notes.html").write_text("<html>mine</html>", encoding="utf-8")
    before = (tmp_path / taken).read_bytes()
    with pytest.raises(StoreError, match=r"already exists and is no Ember report; give another"):
        write_report(file, tmp_path / taken)
    assert (tmp_path / taken).read_bytes() == before
    assert not list(tmp_path.glob("*_figures"))


def test_a_page_that_cannot_be_written_is_refused_before_any_work(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_run(tmp_path / "small.h5", small_run(run))
    with pytest.raises(StoreError, match="is a folder; give a file name"):
        write_report(file, tmp_path)
    with pytest.raises(StoreError, match="does not exist"):
        write_report(file, tmp_path / "no" / "such" / "page.html")
    (tmp_path / "page_figures").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="page_figures"):
        write_report(file, tmp_path / "page.html")

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StoreError, match="No space left"):
        write_report(file, tmp_path / "other.html")
    assert not (tmp_path / "other.html").exists()


@pytest.mark.parametrize("kind", ["missing", "text.h5", "empty folder", "other folder", "cut.h5"])
def test_a_path_that_is_nothing_of_ours_is_one_line(run: Run, tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "text.h5":
        path.write_text("not HDF5", encoding="utf-8")
    elif kind == "cut.h5":
        write_run(path, small_run(run))
        path.write_bytes(path.read_bytes()[:3000])
    elif "folder" in kind:
        path.mkdir()
    if kind == "other folder":
        (path / "notes.txt").write_text("mine", encoding="utf-8")
    done = CliRunner().invoke(app, ["report", str(path)])
    assert done.exit_code != 0
    (line,) = done.stderr.splitlines()
    assert kind in line
    assert not list(tmp_path.rglob("*.html"))


def sweep_folder(folder: Path) -> Path:
    """A sweep of three doses and two seeds, where one point failed and one is missing."""
    ledger = Ledger(folder)
    ledger.make_folders(runs=False)
    doses = ("0 nM", "50 nM", "0.1 uM")
    points = [
        {
            "id": f"{dose.replace(' ', '')[:3]}{seed}",
            "seed": seed,
            "values": {"modulation.na.dose": dose},
        }
        for dose in doses
        for seed in (1, 2)
    ]
    ledger.write_plan({
        "name": "doses", "plan_hash": "cafe", "points": points,
        "vary": {"modulation.na.dose": {"unit": "nM", "values": [0.0, 50.0, 100.0]}},
        "config_path": "configs/doses.yaml", "config_text": "sweep: {}\n", "overrides": ["seed=3"],
        "resolved": {"name": "doses"},
    })  # fmt: skip
    for index, point in enumerate(points[:5]):
        job: dict[str, Any] = {**point, "status": "done", "error": "",
                               "measures": {"rate_hz.cells": 10.0 + index, "rate_hz.flat": 3.0,
                                            "factor.a.b.mean": 1 - index / 10}}  # fmt: skip
        if index == 2:
            job |= {"status": "failed", "error": "v became NaN <script>", "measures": {}}
        ledger.write_job(job)
    return folder


def test_a_sweep_under_way_says_what_is_done_and_what_failed(tmp_path: Path) -> None:
    page = write_report(sweep_folder(tmp_path / "sweep"))
    assert page == tmp_path / "sweep" / "report.html"
    seen = page_of(page)
    assert dict(zip(seen.texts["dt"], seen.texts["dd"], strict=True)) == {
        "points": "6", "done": "4", "failed": "1", "missing": "1", "seeds": "2"
    }  # fmt: skip
    cells = seen.texts["td"]
    assert "v became NaN <script>" in cells and "logs/50n1.log" in cells
    assert "modulation.na.dose = 50 nM" in cells
    assert {"0", "50", "100"} <= set(cells)  # 0.1 uM in the column's unit
    assert "Not changed by what was varied: rate_hz.flat." in seen.texts["p"]
    assert {p.name for p in (tmp_path / "sweep/report_figures").iterdir()} == {
        "dose-response-rates.png", "dose-response-factors.png"
    }  # fmt: skip
    again = [text for text in seen.texts["code"] if text.startswith("ember sweep")]
    assert again == ["ember sweep configs/doses.yaml seed=3 --out sweep"]
    assert str(tmp_path) not in repr(seen.texts)  # a page is passed on


def test_a_sweep_without_a_finished_point_has_a_page(tmp_path: Path) -> None:
    folder = sweep_folder(tmp_path / "sweep")
    for job in (folder / "jobs").iterdir():
        job.unlink()
    seen = page_of(write_report(folder))
    assert dict(zip(seen.texts["dt"], seen.texts["dd"], strict=True))["missing"] == "6"
    assert seen.all("img") == []
    assert any("nothing to draw" in text for text in seen.texts["p"])


def test_a_torn_plan_is_one_line(tmp_path: Path) -> None:
    folder = sweep_folder(tmp_path / "sweep")
    plan = json.loads((folder / "sweep.json").read_text("utf-8"))
    del plan["points"][0]["values"]
    (folder / "sweep.json").write_text(json.dumps(plan), encoding="utf-8")
    with pytest.raises(StoreError, match=r"sweep\.json` must be a whole plan"):
        write_report(folder)


def training_result() -> dict[str, Any]:
    """What `sims.train.spikes.results` describes, for three classes."""

    def scored(right: int, of: int = 30) -> dict[str, Any]:
        wrong = of - right
        share = [[right // 3, wrong // 3, 0], [0, right // 3, wrong // 3], [wrong // 3, 0, 10]]
        return {"right": right, "of": of, "accuracy": right / of, "interval": [0.3, 0.95],
                "confusion": share}  # fmt: skip

    def arm(right: int) -> dict[str, Any]:
        course = [
            {"factor": f, "budget": b, "mean_steps": float(b), **scored(right - 4 + b),
             "early": {"mean_steps": b - 0.2, **scored(right)}}
            for f, b in ((0.5, 2), (1.0, 4))
        ]  # fmt: skip
        curve = {
            "step": [10, 20], "loss": [2.0, 1.0], "train_accuracy": [0.5, 0.9],
            "test_loss": [2.1, 1.4], "test_accuracy": [0.4, 0.7], "halted_after": [4, 3],
        }  # fmt: skip
        sets = {"train": scored(27), "test": scored(right), "untimed": scored(9)}
        return {"file": "m.safetensors", "sets": sets, "curve": curve, "budget": course}

    return {
        "format": "ember-training", "version": 1, "name": "voices", "seed": 3,
        "config_hash": "beef", "git_commit": "", "versions": {"torch": "2"}, "created": "2025",
        "data": {"source": "voices", "file": "d.h5", "classes": ["calm", "sad", "<b>loud</b>"],
                 "items": {"train": 30, "test": 30, "extra": 0},
                 "speakers": {"train": 10, "test": 10, "extra": 0}},
        "reasoner": {"parameters": 30113, "budget": 4},
        "modulation": {"factor": 0.5, "budget": 2, "run": "runs/startle.h5"},
        "baseline": {name: scored(10) for name in ("train", "test", "untimed")},
        "models": {"phase": arm(24), "counts": arm(12)},
        "comparison": {"phase_only": 14, "counts_only": 2, "p": 0.00418},
        "timings": {"data": 3.0, "train": 12.0},
    }  # fmt: skip


def training_folder(folder: Path, result: dict[str, Any] | None) -> Path:
    folder.mkdir()
    about = {"config_path": "voices.yaml", "overrides": [], "config_text": HOSTILE}
    started = {"format": "ember-training", "config": {"name": "voices"}, "about": about}
    (folder / "training.json").write_text(json.dumps(started), encoding="utf-8")
    if result is not None:
        (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return folder


def test_a_training_shows_both_models(tmp_path: Path) -> None:
    page = write_report(training_folder(tmp_path / "voices", training_result()))
    seen = page_of(page)
    facts = dict(zip(seen.texts["dt"], seen.texts["dd"], strict=True))
    assert facts["counts and timing"] == "80.0%" and facts["counts alone"] == "40.0%"
    assert facts["thinking steps"] == "2 of 4"
    assert "script" not in seen.texts and HOSTILE in seen.texts["code"]
    assert any("14 were right only with timing" in text for text in seen.texts["p"])
    assert {p.stem for p in (tmp_path / "voices/report_figures").iterdir()} == {
        "accuracies", "confusion-test", "halting", "learning-curves"
    }  # fmt: skip


@pytest.mark.parametrize("fault", ["unfinished", "torn", "not json", "foreign"])
def test_a_training_that_cannot_be_reported_on_is_one_line(tmp_path: Path, fault: str) -> None:
    result = training_result()
    if fault == "torn":
        del result["models"]["counts"]["curve"]
    folder = training_folder(tmp_path / "voices", None if fault == "unfinished" else result)
    if fault == "not json":
        (folder / "result.json").write_text('{"format": ', encoding="utf-8")
    if fault == "foreign":
        (folder / "training.json").write_text("[]", encoding="utf-8")
    with pytest.raises(StoreError) as caught:
        write_report(folder)
    assert "\n" not in str(caught.value)
    assert re.search({"unfinished": "is not finished", "torn": "whole result", "not json": "read",
                      "foreign": "something else"}[fault], str(caught.value))  # fmt: skip
    assert not (folder / "report.html").exists()


def test_the_command_prints_where_the_page_is(run: Run, tmp_path: Path) -> None:
    file = write_run(tmp_path / "small.h5", small_run(run))
    done = CliRunner().invoke(app, ["report", str(file)])
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'small.html'}\n")


def test_many_populations_are_shown_in_parts(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sims.report.run_page.PANELS", 2)
    spikes = {f"p{k}": Spikes([k], [0], n_units=1, t_stop_ms=20) for k in range(3)}
    recording = Recording(20.0, 0.1, 1, "numba", spikes)
    write_report(write_run(tmp_path / "many.h5", Run(recording, run.provenance)))
    names = {p.name for p in (tmp_path / "many_figures").iterdir()}
    assert {"raster.png", "raster-2.png", "rates-2.png"} <= names and "raster-3.png" not in names


def test_the_pictures_of_a_report_do_not_grow_with_populations(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A count of pictures and panels, which take nearly all the time (over 20 s at 3,000)."""
    monkeypatch.setattr("sims.report.run_page.MOST_PANELS", 4)
    monkeypatch.setattr("sims.report.run_page.MOST_MAPS", 1)
    drawn: list[str] = []
    from sims.report.figures import rasters

    draw = rasters.draw_raster
    monkeypatch.setattr(
        rasters, "draw_raster", lambda *args: (drawn.append(args[3]), draw(*args))[1]
    )
    counts = {}
    for n in (30, 300):
        drawn.clear()
        spikes = {f"p{k}": Spikes([k % 20], [0], n_units=1, t_stop_ms=20) for k in range(n)}
        spikes["p7"] = Spikes([3, 3, 3, 3], [0, 1, 2, 3], n_units=4, t_stop_ms=20)
        one = Run(Recording(20.0, 0.1, 1, "numba", spikes), run.provenance)
        page = write_report(write_run(tmp_path / f"{n}.h5", one))
        counts[n] = (len(drawn), len(page_of(page).all("img")))
        text = page.read_text("utf-8")
        assert f"Pictures show 4 of {n} populations" in text
        assert text.count("<tr") > n  # the table has all
        assert "p7" in drawn
    assert counts[30] == counts[300] == (4, 3)


def test_a_report_that_fails_leaves_no_pictures(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_run(tmp_path / "small.h5", small_run(run))

    def no_page(path: Path, *_: Any, **__: Any) -> Path:
        raise StoreError(f"cannot write `{path}`: No space left on device")

    monkeypatch.setattr("sims.report.write.write_text", no_page)
    with pytest.raises(StoreError, match="No space left"):
        write_report(file, tmp_path / "page.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["small.h5"]
    (tmp_path / "page_figures").mkdir()
    (tmp_path / "page_figures" / "mine.png").write_bytes(b"a person's own")
    with pytest.raises(StoreError, match="No space left"):
        write_report(file, tmp_path / "page.html")
    assert [p.name for p in (tmp_path / "page_figures").iterdir()] == ["mine.png"]


def test_an_unfinished_run_says_so(
    run: Run, hostile: tuple[Run, Path, Path], tmp_path: Path
) -> None:
    failure = "population `cells`: `v` of cell 3 became <nan> at 12 ms"
    provenance = dataclasses.replace(run.provenance, failure=failure)
    part = dataclasses.replace(small_run(run), provenance=provenance)
    page = write_report(write_run(tmp_path / "part.h5", part)).read_text("utf-8")
    assert "This run ended before its time, at 10 ms of 100 ms: population `cells`" in page
    assert "became &lt;nan&gt; at 12 ms" in page
    assert "before its time" not in hostile[2].read_text("utf-8")


def test_a_large_run_is_drawn_from_a_part_and_counted_whole(
    hostile: tuple[Run, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, file, page = hostile
    whole = page.read_text("utf-8")
    monkeypatch.setattr("sims.store.run_file.LAZY_BYTES", 1000)
    monkeypatch.setattr("sims.store.sketch.MOST", 1000)
    large = write_report(file, tmp_path / "large.html").read_text("utf-8")
    assert "Pictures show every 3rd cell of bushy." in large
    assert "Tables count everything." in large
    assert "Tables count everything." not in whole
    table = re.compile(r"<td>bushy</td>.*?</tr>", re.DOTALL)
    assert table.search(large)[0] == table.search(whole)[0]  # type: ignore[index]
    assert "3,000" in table.search(large)[0]  # type: ignore[index]


def test_the_level_of_a_sound_is_not_that_of_the_run() -> None:
    """A tone of 1 Pa, 94 dB SPL, in half of the run: 3 dB less over the whole of it."""
    from sims.report.figures.stimuli import sound_levels

    tone = np.sqrt(2.0) * np.sin(2 * np.pi * (np.arange(8000) + 0.5) / 16)
    silence = np.zeros(4000)
    signal = Signal(np.concatenate([silence, tone, silence]), 1 / 16, "Pa")
    assert sound_levels(signal) == "RMS 94 dB SPL while it sounds, 91 dB over the run"
    assert sound_levels(Signal(silence, 1 / 16, "Pa")) == "silence"
