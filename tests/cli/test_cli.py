"""The command `ember`: what it offers, how light it is, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner, Result

from sims.cli import app
from sims.store import read_run

ROOT = Path(__file__).parents[2]

SMALL = """\
# Three cells at their ease. They fire.
seed: 1
duration: 50 ms
circuits:
  mine:
    populations:
      cells: {n: 3, model: lif, parameters: {I_ext: 600 pA}, initial: {v: {uniform: {low: -70 mV, high: -60 mV}}}}
      quiet: {n: 2, model: lif}
record:
  traces: [{population: cells, variable: v}]
"""  # noqa: E501


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A config in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL, encoding="utf-8")
    return "small.yaml"


def ember(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def started(*words: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from sims.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


OPTIONS = {
    "run": {"--out", "--force", "--threads", "--json", "--checkpoint-every"},
    "sweep": {"--out", "--workers", "--cluster", "--on-error"},
    "status": set(),
    "compare": {
        "--backends",
        "--reference",
        "--seeds",
        "--jitter",
        "--timeout",
        "--import",
        "--out",
        "--force",
        "--json",
    },
    "export": {"--to", "--out"},
    "train": {"--out"},
    "report": {"--out"},
    "check": set(),
    "list": set(),
    "schema": set(),
    "nir": set(),
    "puzzles": set(),
}


def commands() -> dict[str, set[str]]:
    group = typer.main.get_command(app)
    return {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }


def test_the_names_that_stay_are_there() -> None:
    found = commands()
    assert found.keys() == OPTIONS.keys()
    assert all(OPTIONS[name] <= found[name] for name in OPTIONS)
    shown = ember("--help").output
    assert all(re.search(rf"^  {name} ", shown, re.MULTILINE) for name in OPTIONS)
    assert {"--version", "--debug"} <= set(re.findall(r"--\w+", shown))


def test_every_option_that_a_message_recommends_exists() -> None:
    known = {option for options in commands().values() for option in options}
    known |= {"--version", "--debug", "--help"}
    recommended: dict[str, str] = {}
    for path in sorted((ROOT / "sims").rglob("*.py")) + sorted((ROOT / "neuro").rglob("*.py")):
        for text in re.findall(r"(?<![\w-])--[a-z][a-z-]+", path.read_text("utf-8")):
            recommended[text] = path.name
    assert {"--force", "--out", "--debug", "--threads"} <= recommended.keys()
    foreign = {"--porcelain", "--untracked-files", "--voices"}  # git's and espeak-ng's
    foreign |= {"--runtime-memory-check-threshold", "--nproc-per-node"}  # LLVM's; torchrun's
    # pip's, pyenv's and uv's
    foreign |= {
        "--quiet",
        "--no-compile",
        "--no-input",
        "--disable-pip-version-check",
        "--bare",
        "--script",
    }
    unknown = {option: where for option, where in recommended.items() if option not in known}
    assert unknown.keys() <= foreign, unknown


def test_help_loads_nothing_heavy() -> None:
    probe = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = ['ember', '--help']\n"
        "from sims.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('loaded:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "typer" in loaded
    heavy = {
        "numpy",
        "numba",
        "scipy",
        "pydantic",
        "yaml",
        "pint",
        "brian2",
        "torch",
        "h5py",
        "rich",
    }
    assert not loaded & (heavy | {"matplotlib", "pandas", "soundfile", "dask", "neuro"})


def test_the_version_is_the_installed_one() -> None:
    assert re.fullmatch(r"ember( \d+\.\d+\S*|, not installed)\n", ember("--version").stdout)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("models", "lif"), ("synapses", "exponential_current"), ("circuits", "spherical_bushy"),
        ("encoders", "auditory_nerve"), ("configs", "startle"), ("backends", "numba"),
    ],
)  # fmt: skip
def test_a_list_says_what_each_name_is(kind: str, name: str) -> None:
    lines = ember("list", kind).stdout.splitlines()
    found = [line.split(maxsplit=1) for line in lines]
    assert name in [words[0] for words in found]
    assert all(len(words) == 2 and len(words[1]) > 10 for words in found)


def test_the_schema_is_json() -> None:
    assert json.loads(ember("schema").stdout)["title"] == "Ember config"


@pytest.mark.parametrize(
    "words",
    [("list", "nothing"), ("run",), ("run", "x", "--bogus"), ("run", "x", "--threads", "0")],
)
def test_wrong_usage_is_status_2(words: tuple[str, ...]) -> None:
    done = ember(*words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr


def test_a_run_says_what_came_out_and_where(small: str) -> None:
    done = ember("run", small)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["population", "cells", "spikes", "rate"]
    run = read_run("runs/small.h5")
    spikes = run.recording.spikes["cells"]
    assert lines[1].split() == ["cells", "3", str(len(spikes)), f"{spikes.rate_hz:.1f}", "Hz"]
    assert len(spikes) > 0
    assert lines[2].split() == ["quiet", "2", "0", "0.0", "Hz"]
    assert "written to runs/small.h5" in lines
    assert lines[-1] == "see it with: ember report runs/small.h5"
    assert run.provenance.config_text == SMALL
    assert run.recording.traces["cells.v"].data.shape == (50, 3)


def test_json_is_one_object_and_nothing_else(small: str) -> None:
    done = ember("run", small, "seed=7", "--json", "--out", "it.h5")
    assert done.exit_code == 0, done.stderr
    (line,) = done.stdout.splitlines()
    figures = json.loads(line)
    assert (figures["name"], figures["seed"], figures["backend"]) == ("small", 7, "numba")
    assert all(figures[f"{stage}_s"] >= 0 for stage in ("encode", "build", "compile", "simulate"))
    assert figures["peak_memory_bytes"] > 10**7
    assert figures["output"] == "it.h5"
    run = read_run("it.h5")
    assert run.provenance.overrides == ("seed=7",)
    for name, found in figures["populations"].items():
        spikes = run.recording.spikes[name]
        assert found == {"n": spikes.n_units, "spikes": len(spikes), "rate_hz": spikes.rate_hz}


def test_a_run_file_runs_again_and_gives_the_same_spikes(small: str) -> None:
    assert ember("run", small, "seed=7").exit_code == 0
    Path(small).unlink()
    again = ember("run", "runs/small.h5")
    assert again.exit_code == 0, again.stderr
    assert "the spikes are the same as those in runs/small.h5" in again.stdout
    first, second = read_run("runs/small.h5"), read_run("runs/small_again.h5")
    assert dict(first.recording.spikes) == dict(second.recording.spikes)
    assert first.provenance.config_hash == second.provenance.config_hash
    assert second.provenance.config_text == SMALL
    other = ember("run", "runs/small.h5", "seed=8", "--json", "--out", "other.h5")
    assert "same_spikes" not in json.loads(other.stdout)
    assert read_run("other.h5").recording.seed == 8
    assert read_run("other.h5").recording.spikes["cells"] != first.recording.spikes["cells"]


def test_what_is_there_is_kept_unless_forced(small: str) -> None:
    assert ember("run", small, "output.file=it.h5").exit_code == 0
    before = Path("it.h5").read_bytes()
    refused = ember("run", small, "output.file=it.h5", "seed=2")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == (
        "ember: `it.h5` already exists; replace it with `--force` or give another path\n"
    )
    assert Path("it.h5").read_bytes() == before
    assert ember("run", small, "output.file=it.h5", "seed=2", "--force").exit_code == 0
    assert read_run("it.h5").recording.seed == 2


def test_threads_do_not_change_the_spikes(small: str) -> None:
    for threads in ("1", "2"):
        assert ember("run", small, "--threads", threads, "--out", f"{threads}.h5").exit_code == 0
    one, two = (read_run(f"{threads}.h5").recording.spikes for threads in "12")
    assert dict(one) == dict(two)
    assert len(one["cells"]) > 0


def test_check_writes_nothing(small: str) -> None:
    done = ember("check", small)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "small.yaml: fine; 2 populations, 5 cells\n"
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


def test_a_sweep_is_checked_to_its_last_point(small: str) -> None:
    Path("s.yaml").write_text(
        "base: small.yaml\nsweep: {vary: {seed: [1, 2, 3]}}\n", encoding="utf-8"
    )
    assert "3 sweep points" in ember("check", "s.yaml").stdout
    wrong = ember("check", "s.yaml", "sweep.vary={duration: [10 ms, 20]}")
    assert wrong.exit_code == 1
    assert "sweep point duration=20: duration: expected a time" in wrong.stderr


def test_ctrl_c_says_what_is_kept(small: str) -> None:
    """A real interrupt in the middle of a run that would take hours."""
    process = started("run", small, "duration=1000000 s", "record={}")
    assert process.stderr is not None
    said = ""
    while "simulating" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGINT)
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 130, said + rest
    assert out == ""
    said = rest.splitlines()[-1]
    assert said.startswith("ember: interrupted: what was recorded until ")
    assert re.search(r"until (.*) of 1e\+06 s is in .*; the same command goes on from \1$", said)
    assert "Traceback" not in rest
    kept = Path(re.search("`(.*)`", said)[1])  # type: ignore[index]
    assert kept == Path("runs/small.h5.partial/small.h5")
    run = read_run(kept)
    assert run.provenance.failure == "interrupted"
    assert len(run.recording.spikes["cells"]) > 0
    assert not Path("runs/small.h5").exists()


def test_a_closed_pipe_is_no_error() -> None:
    process = started("schema")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.wait()


def test_export_takes_the_options_of_its_format(small: str) -> None:
    assert ember("run", small, "--out", "it.h5").exit_code == 0
    done = ember("export", "it.h5", "--to", "shd")
    assert done.exit_code == 0, done.stderr
    assert Path(done.stdout.strip()).exists()
    unknown = ember("export", "it.h5", "--to", "shd", "colour=red", "--force")
    assert unknown.exit_code == 1
    assert "colour" in unknown.stderr
    assert ember("export", "it.h5", "--to", "csvv").exit_code == 1
