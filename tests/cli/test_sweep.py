"""`ember sweep` and `ember status`, as a person types them."""

from __future__ import annotations

import csv
import json
import struct
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sims.cli import app
from sims.store import read_run

TOY = str(Path(__file__).parents[1] / "faults" / "toy_sweep.yaml")
PAIR = "sweep.vary={modulation.noradrenaline.per_spike: [0 nM, 50 nM]}"


def ember(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A sweep of two amounts and two seeds, with every run and a windowed measure kept."""
    out = tmp_path_factory.mktemp("sweep") / "out"
    done = ember(
        "sweep", TOY, PAIR, "sweep.seeds=[5, 6]", "sweep.keep=runs",
        "sweep.measures=[{rate: cells, from: 100 ms}]", "--out", out, "--workers", "0",
    )  # fmt: skip
    return out, done


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "table.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_sweep_leaves_a_tidy_table(swept: tuple[Path, Result]) -> None:
    out, done = swept
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    assert "4 of 4 points are done, 0 failed, 0 missing" in done.stderr
    assert str(out / "table.csv") in done.stderr.replace("\n", "")
    found = rows(out)
    amount = "modulation.noradrenaline.per_spike"
    assert [(row[amount], row["seed"]) for row in found] == [
        ("0.0", "5"), ("0.0", "6"), ("50.0", "5"), ("50.0", "6"),
    ]  # fmt: skip
    assert list(found[0])[3:] == [
        "software",
        "rate_hz.nucleus", "rate_hz.cells", "rate_hz.cells.100ms-end",
        "spikes.nucleus", "spikes.cells",
        "modulator.noradrenaline.mean", "modulator.noradrenaline.peak",
        "factor.cells.I_ext.mean", "factor.cells.I_ext.extreme",
    ]  # fmt: skip
    plan = json.loads((out / "sweep.json").read_text("utf-8"))
    assert plan["vary"] == {amount: {"unit": "nM", "values": [0.0, 50.0]}}
    assert (plan["expected"], plan["done"], plan["failed"]) == (4, 4, 0)


def test_the_dose_has_its_response_and_no_dose_has_none(swept: tuple[Path, Result]) -> None:
    without, with_release = rows(swept[0])[:2], rows(swept[0])[2:]
    assert all(float(row["rate_hz.nucleus"]) > 20 for row in without + with_release)
    for row in without:
        assert float(row["factor.cells.I_ext.mean"]) == 1
    for low, high in zip(without, with_release, strict=True):
        assert float(high["factor.cells.I_ext.mean"]) > 1.1
        assert float(high["rate_hz.cells"]) > float(low["rate_hz.cells"]) > 10


def test_the_dose_response_is_drawn(swept: tuple[Path, Result]) -> None:
    picture = (swept[0] / "dose_response.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    assert width > 800
    assert height > 300
    assert str(swept[0] / "dose_response.png") in swept[1].stderr.replace("\n", "")


def test_kept_runs_hold_the_spikes_the_table_counts(swept: tuple[Path, Result]) -> None:
    for row in rows(swept[0]):
        run = read_run(swept[0] / "runs" / f"{row['id']}.h5")
        assert run.provenance.config_hash == row["id"]
        assert len(run.recording.spikes["cells"]) == int(row["spikes.cells"])
        assert run.recording.seed == int(row["seed"])


def test_status_says_complete_then_what_is_missing(swept: tuple[Path, Result]) -> None:
    out = swept[0]
    done = ember("status", out)
    assert (done.exit_code, done.stdout) == (0, "expected 4  done 4  failed 0  missing 0\n")
    job = next((out / "jobs").iterdir())
    aside = job.rename(out / "aside")
    gone = ember("status", out)
    assert (gone.exit_code, gone.stdout) == (1, "expected 4  done 3  failed 0  missing 1\n")
    aside.rename(job)


def test_a_point_that_cannot_run_fails_alone(tmp_path: Path) -> None:
    vary = "sweep.vary={duration: [100 ms, 100.05 ms]}"  # the second is no whole step
    done = ember("sweep", TOY, vary, "--out", tmp_path / "s", "--workers", "0")
    assert done.exit_code == 1
    assert "1 of 2 points are done, 1 failed" in done.stderr
    assert "Traceback" not in done.stderr
    shown = ember("status", tmp_path / "s")
    assert shown.exit_code == 1
    failed = next(line for line in shown.stdout.splitlines() if line.startswith("failed "))
    assert "duration=100.05 ms" in failed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sweep.vary={modulation.noradrenalin.uptake: [1 s]}"], "did you mean `noradrenaline`"),
        (["sweep.vary.duration={linspase: [1 s, 2 s, 3]}"], "did you mean `linspace`"),
        (["sweep.combine=zipp"], "zip"),
        (["sweep.measures=[{rate: cell}]"], "did you mean `cells`"),
        (["sweep.measures=[{rate: cells, to: 3 s}]"], "within the run of 200 ms"),
        (["modulation.noradrenaline.receptors.alpha.effects.0.on=cell"], "cell"),
        (["sweep=null"], "ember run"),
        (["--on-error", "explode"], "explode"),
        (["--workers", "-1"], "--workers"),
    ],
)
def test_a_bad_sweep_is_refused_and_writes_nothing(
    tmp_path: Path, words: list[str], says: str
) -> None:
    done = ember("sweep", TOY, *words, "--out", tmp_path / "s")
    assert done.exit_code != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "s").exists()


def test_status_of_no_sweep_is_one_line(tmp_path: Path) -> None:
    done = ember("status", tmp_path)
    assert done.exit_code == 1
    assert done.stderr.startswith("ember: expected the folder of a sweep")
    assert done.stderr.count("\n") == 1
