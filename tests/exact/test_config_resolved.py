"""A config's full text reads back to itself; its hash is the job's identity."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.errors import ConfigError
from neuro.network import Normal, Uniform
from neuro.units import VOLTAGE, Quantity, mV
from sims.config import from_resolved, load
from sims.config.shipped import shipped
from sims.config.values import Spreading, as_config

SMALL = """\
duration: 10 ms
circuits:
  mine:
    populations:
      cells: {n: 3, model: lif}
"""


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_config_reads_back_to_itself(name: str) -> None:
    loaded = load(name)
    again = from_resolved(json.loads(json.dumps(loaded.resolved)))
    assert again.resolved == loaded.resolved
    assert again.hash == loaded.hash
    assert again.config == loaded.config
    assert (loaded.kind == "train") == ("reasoner" in loaded.resolved)


def test_defaults_are_written_out() -> None:
    Path("small.yaml").write_text(SMALL, encoding="utf-8")
    loaded = load("small.yaml", ["circuits.ear={circuit: phase_code}"])
    assert loaded.kind == "run"
    assert loaded.config.name == "small"
    assert loaded.resolved["dt"] == "0.1 ms"
    assert loaded.resolved["circuits"]["ear"]["frequency"] == "5 Hz"
    assert loaded.overrides == ("circuits.ear={circuit: phase_code}",)
    assert loaded.text == SMALL


def test_the_hash_tells_jobs_apart_and_nothing_else() -> None:
    Path("small.yaml").write_text(SMALL, encoding="utf-8")
    plain = load("small.yaml").hash
    assert load("small.yaml", ["output.file=elsewhere.h5"]).hash == plain
    assert load("small.yaml", ["duration=0.01 s", "dt=100 us"]).hash == plain
    assert load("small.yaml", ["seed=1"]).hash != plain
    assert load("small.yaml", ["circuits.mine.populations.cells.n=4"]).hash != plain
    Path("small.yaml").write_text("# a comment\n" + SMALL, encoding="utf-8")
    assert load("small.yaml").hash == plain


def test_a_file_counts_by_its_content(tmp_path: Path) -> None:
    Path("s.yaml").write_text(
        "duration: 10 ms\nstimulus: {path: {file: sub/p.csv}}\n", encoding="utf-8"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/p.csv").write_text("t,x,y\n0,0.1,0.1\n", encoding="utf-8")
    first = load("s.yaml")
    assert first.config.stimulus["path"].file == str(tmp_path / "sub/p.csv")
    (tmp_path / "elsewhere.csv").write_text("t,x,y\n0,0.1,0.1\n", encoding="utf-8")
    moved = load("s.yaml", ["stimulus.path.file=elsewhere.csv"])
    assert moved.hash == first.hash
    (tmp_path / "elsewhere.csv").write_text("t,x,y\n0,0.2,0.1\n", encoding="utf-8")
    os.utime("elsewhere.csv", ns=(1, 1))
    assert load("s.yaml", ["stimulus.path.file=elsewhere.csv"]).hash != first.hash


def test_a_relative_path_starts_from_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/p.csv").write_text("t,x,y\n0,0.1,0.1\n", encoding="utf-8")
    (tmp_path / "configs/s.yaml").write_text(
        "duration: 10 ms\nstimulus: {path: {file: p.csv}}\n", encoding="utf-8"
    )
    wanted = str(tmp_path / "configs/p.csv")
    assert load("configs/s.yaml").config.stimulus["path"].file == wanted
    with pytest.raises(ConfigError, match=r"command line: stimulus\.path\.file: cannot read"):
        load("configs/s.yaml", ["stimulus.path.file=p.csv"])


def test_a_base_is_taken_and_changed(tmp_path: Path) -> None:
    Path("small.yaml").write_text(
        "name: small\noutput: {file: small.h5}\n" + SMALL, encoding="utf-8"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/next.yaml").write_text(
        "base: ../small.yaml\nseed: 5\ncircuits:\n  mine: {populations: {cells: {n: 7}}}\n"
        "  other: {circuit: phase_code}\n",
        encoding="utf-8",
    )
    loaded = load("sub/next.yaml")
    assert loaded.config.name == "next"
    assert loaded.config.output.file is None
    assert loaded.config.circuits["mine"].populations["cells"].n == 7
    assert loaded.config.circuits["mine"].populations["cells"].model == "lif"
    assert loaded.config.seed == 5
    assert "base" not in loaded.resolved
    (tmp_path / "sub/last.yaml").write_text(
        "base: next.yaml\ncircuits: {other: null}\n", encoding="utf-8"
    )
    assert list(load("sub/last.yaml").config.circuits) == ["mine"]
    (tmp_path / "sub/bad.yaml").write_text(
        "base: next.yaml\ncircuits: {mine: {populations: 3}}\n", encoding="utf-8"
    )
    with pytest.raises(
        ConfigError, match=r"sub/bad\.yaml:2: circuits\.mine\.populations: expected"
    ):
        load("sub/bad.yaml")
    (tmp_path / "sub/wrong.yaml").write_text("base: ../small.yaml\ndt: 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"sub/wrong\.yaml:2: dt: expected a time"):
        load("sub/wrong.yaml")


def test_a_config_cannot_be_changed_afterwards() -> None:
    loaded = load("phase_code")
    with pytest.raises(Exception, match="frozen"):
        loaded.config.seed = 4
    resolved = dict(loaded.resolved)
    from_resolved(resolved)
    assert resolved == loaded.resolved


finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=1, max_size=4), st.floats(0, 1e3), finite, st.integers(0, 3))
@settings(max_examples=60)
def test_values_of_every_form_read_back(
    numbers: list[float], sd: float, low: float, form: int
) -> None:
    field = Spreading(VOLTAGE)
    value: Any = [
        mV(numbers[0]),
        tuple(mV(number) for number in numbers),
        Normal(mV(numbers[0]), mV(sd), low=low),
        Uniform(mV(min(low, numbers[0])), mV(max(low, numbers[0]))),
    ][form]
    again = field.read(json.loads(json.dumps(as_config(value))))
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize(
    ("given_value", "message"),
    [
        ({"normal": {"mean": "1 mV"}}, "the key `sd` is missing"),
        ({"normal": {"mean": "1 mV", "sd": "-1 mV"}}, "standard deviation of at least 0"),
        ({"normal": {"mean": "1 mV", "sd": "1 mV", "low": "3 pA"}}, "which is current"),
        ({"gamma": {"mean": "1 mV"}}, "unknown distribution, expected one of `normal`, `uniform`"),
        ({"uniform": {"low": "2 mV", "high": "1 mV"}}, "expected low <= high"),
        ({"uniform": {"low": "2 mV", "hi": "1 mV"}}, "unknown key; did you mean `high`?"),
        ({"uniform": 3}, "expected {low, high}"),
        ([], "found an empty list"),
        (["1 mV", "1 pA"], "which is current"),
        ("1 pA", "which is current"),
    ],
)
def test_a_wrong_value_says_what_is_wrong(given_value: object, message: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]*$") as refused:
        Spreading(VOLTAGE).read(given_value)
    assert message in str(refused.value)


def test_a_quantity_keeps_its_bits_through_a_config() -> None:
    Path("small.yaml").write_text(SMALL, encoding="utf-8")
    odd = 0.1 + 0.2  # 0.30000000000000004
    loaded = load("small.yaml", [f"circuits.mine.populations.cells.parameters.t_ref={odd!r} ms"])
    again = from_resolved(loaded.resolved)
    found = again.config.circuits["mine"].populations["cells"].parameters["t_ref"]
    assert isinstance(found, Quantity)
    assert float(found) == odd
