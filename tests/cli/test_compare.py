"""`ember compare`: processes of their own, the folder, and how it ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from neuro.backends import BACKENDS
from sims.cli import app
from sims.compare import compare, report_schema, write_comparison
from sims.compare.named import named
from sims.compare.processes import in_process
from sims.compare.worker import Job, Task
from sims.config import load
from sims.store import read_run

ROOT = Path(__file__).parents[2]
SMALL = """\
seed: 1
duration: 60 ms
circuits:
  mine:
    populations:
      cells: {n: 6, model: lif, parameters: {I_ext: {uniform: {low: 400 pA, high: 700 pA}}}}
    projections:
      - {from: cells, to: cells, synapse: exponential_current, rule: all_to_all, weight: 20 pA, delay: 1 ms}
"""  # noqa: E501
OWN = """\
import os, time
from dataclasses import replace
from types import SimpleNamespace
from neuro.backends import BACKENDS, Backend
from tests.backends._broken import broken_copy

class Own(Backend):
    def load(self):
        def run(built, **settings):
            if self.name == "dies":
                print("about to die")
                os._exit(7)
            if self.name == "sleeps":
                time.sleep(600)
            raise RuntimeError("nobody is perfect")
        return SimpleNamespace(run=run)

for name in ("dies", "sleeps", "raises"):
    BACKENDS[name] = Own(**{**vars(BACKENDS["brian"]), "name": name})
BACKENDS["numba_late"] = broken_copy("numba", "late")
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A config, and a module with back ends that cannot be relied on, where Python finds it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("small.yaml").write_text(SMALL, encoding="utf-8")
    Path("own_back_ends.py").write_text(OWN, encoding="utf-8")
    before = dict(BACKENDS)
    yield "small.yaml"
    BACKENDS.clear()
    BACKENDS.update(before)
    sys.modules.pop("own_back_ends", None)


def ember(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_all_agree_and_the_folder_holds_everything(small: str) -> None:
    words = ("compare", small, "seed=3", "--backends", "numba:precision=float64,numba")
    done = ember(*words)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "numba agrees" in " ".join(done.stdout.split())
    folder = Path("runs/small_compare")
    assert {p.name for p in folder.iterdir()} == {
        "compare.json", "compare.txt", "compare.png", "runs", "logs"
    }  # fmt: skip
    report = json.loads((folder / "compare.json").read_text("utf-8"))
    jsonschema.validate(report, report_schema())
    assert (report["status"], report["reference"]) == (0, "numba:precision=float64")
    assert report["provenance"]["overrides"] == ["seed=3"]
    assert report["provenance"]["versions"]["numba"]
    assert report["provenance"]["created"]
    for one in report["backends"]:
        assert one["cost"]["peak_memory_bytes"] > 5e7  # Python with NumPy and Numba has that
        assert one["cost"]["simulate_s"] > 0
        assert one["spikes"] > 20
    with Image.open(folder / "compare.png") as picture:
        assert picture.width > 1000
        assert len(picture.convert("L").getcolors()) > 10

    # A run file of it runs again, on the back end it came from, to the same spikes.
    kept = folder / "runs" / "numba_precision_float64.h5"
    again = ember("run", str(kept), "--out", "again.h5")
    assert "the spikes are the same as those in" in again.stdout
    assert read_run("again.h5").provenance.resolved["backend"] == {
        "name": "numba", "precision": "float64"
    }  # fmt: skip

    refused = ember(*words)
    assert refused.exit_code == 2
    assert "`runs/small_compare` already exists" in refused.stderr


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    "circuits", ["{}", "{c: {populations: {a: {n: 2, model: leaky_integrator}}}}"]
)
def test_a_network_that_cannot_spike_is_compared_and_no_picture_loses_it(
    circuits: str, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(small).write_text(f"duration: 5 ms\ncircuits: {circuits}\n", encoding="utf-8")
    found = compare(load(small), "numba,numba:precision=float64", alone=False)
    assert found.report.status == 0
    assert write_comparison(tmp_path, found) == ""
    with Image.open("compare.png") as picture:
        assert picture.width > 1000

    def fail(*_: object) -> None:
        raise ZeroDivisionError("no\npaper")

    monkeypatch.setattr("sims.compare.picture.comparison_picture", fail)
    Path("compare.json").unlink()
    assert "`compare.png` could not be drawn (no paper)" in write_comparison(tmp_path, found)
    assert json.loads(Path("compare.json").read_text("utf-8"))["status"] == 0
    assert not Path("compare.png").exists()  # an older one would be of another result


def test_what_cannot_be_run_does_not_keep_others_from_it(small: str) -> None:
    """A broken copy, one that is refused, one that dies and one that raises, beside a sound one."""
    names = "numba:precision=float64,numba_late:precision=float64,lava,dies,raises"
    done = ember("compare", small, "--backends", names, "--import", "own_back_ends", "--out", "it")
    assert done.exit_code == 1, done.stdout + done.stderr
    report = json.loads(Path("it/compare.json").read_text("utf-8"))
    verdicts = {one["backend"]: one["verdict"] for one in report["backends"]}
    assert verdicts == {
        "numba": "reference", "numba_late": "differs", "lava": "refused", "dies": "failed",
        "raises": "failed",
    }  # fmt: skip
    errors = {one["backend"]: one["error"] for one in report["backends"]}
    assert "no refractory period" in errors["lava"]
    assert errors["dies"] == "its process ended with status 7 (about to die)"
    assert errors["raises"] == "RuntimeError: nobody is perfect"
    assert "Traceback" in Path("it/logs/raises.txt").read_text("utf-8")
    assert "numba_late:precision=float64 differs: " in done.stdout
    jsonschema.validate(report, report_schema())


def test_none_that_ran_differs_but_not_all_ran(small: str) -> None:
    """As JSON, and in the place of an older comparison."""
    Path("runs/small_compare").mkdir(parents=True)
    Path("runs/small_compare/compare.json").write_text("{}", encoding="utf-8")
    words = ("compare", small, "--backends", "numba,raises", "--import", "own_back_ends")
    done = ember(*words, "--json", "--force")
    assert done.exit_code == 3, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    report = json.loads(line)
    assert report == json.loads(Path("runs/small_compare/compare.json").read_text("utf-8"))
    assert [one["verdict"] for one in report["backends"]] == ["reference", "failed"]


def test_a_run_that_hangs_is_ended(small: str, tmp_path: Path) -> None:
    __import__("own_back_ends")
    loaded = load(small)
    job = Job(
        named("sleeps")[0], loaded.resolved, loaded.text, loaded.path, (),
        (Task(str(tmp_path / "x.h5"), 1),), ("own_back_ends",),
    )  # fmt: skip
    answer = in_process(job, lambda done, total: None, log=tmp_path / "log", timeout_s=2.0)
    assert answer.verdict == "timed out"
    assert answer.error == "it was ended after 2 s in one run; raise --timeout"
    assert Job.from_json(job.to_json()) == job


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--backends", "numba"], "--backends must name two or more"),
        (["--backends", "numba,nimba"], "unknown back end `nimba`; did you mean `numba`"),
        (["--backends", "numba,brian:threads=2"], "back end `brian` has no option `threads`"),
        (["--reference", "norse"], "--reference must be one of --backends (numba, brian)"),
        (["--jitter", "2"], "--jitter: "),
        (["--jitter", "-1 ms"], "--jitter must be a time of at least 0 ms, found -1 ms"),
        (["--timeout", "0 s"], "--timeout must be positive, found `0 s`"),
        (["--import", "no_such_module"], "--import: cannot import `no_such_module`"),
        (["duration=0.55 ms", "dt=0.1 ms"], "expected a whole number of time steps"),
        (["circuits.mine.backgrounds=[{to: cells, synapse: delta, rate: 9 Hz, weight: 1 mV}]",
          "--seeds", "2"], "--seeds must be at least 6 for this network, found 2"),
        (["--out", "kept"], "`kept` already exists; replace it with --force or give another"),
        (["--out", "kept", "--force"], "holds no comparison, so it is kept; give another --out"),
        (["--out", "no/such/folder"], "does not exist"),
        (["--backends", "raises,numba", "--reference", "raises", "--import", "own_back_ends"],
         "the reference `raises` failed: RuntimeError: nobody is perfect"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_and_leaves_nothing(
    small: str, words: list[str], told: str
) -> None:
    Path("kept").mkdir()
    Path("kept/mine.txt").write_text("mine", encoding="utf-8")
    done = ember("compare", small, *words)
    assert done.exit_code == 2, done.stdout + done.stderr
    assert told in done.stderr.splitlines()[-1]
    assert done.stdout == ""
    assert {path.name for path in Path().iterdir()} <= {
        "small.yaml", "own_back_ends.py", "__pycache__", "kept"
    }  # fmt: skip
    assert [path.read_text("utf-8") for path in Path("kept").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "words",
    [
        ["--backends", "numba,brain"], ["--backends", "numba,brian:threads=2"],
        ["--backends", "numba"], ["--reference", "norse"], ["--jitter", "-1 ms"],
        ["--import", "no_such_module"],
    ],
)  # fmt: skip
def test_what_needs_no_network_is_refused_before_it_is_built(small: str, words: list[str]) -> None:
    done = ember("compare", small, *words)
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("ember: ")


def test_what_needs_the_network_says_that_it_is_built(small: str) -> None:
    noise = "circuits.mine.backgrounds=[{to: cells, synapse: delta, rate: 9 Hz, weight: 1 mV}]"
    done = ember("compare", small, noise, "--seeds", "2")
    assert done.exit_code == 2
    assert "building the network" in done.stderr.splitlines()[0]
    assert not Path("runs").exists()


def test_a_sweep_cannot_be_compared(small: str) -> None:
    done = ember("compare", "startle_sweep", "--out", "it")
    assert done.exit_code == 2
    assert "use `ember sweep`" in done.stderr
