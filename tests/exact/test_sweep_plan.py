"""A sweep's plan, measures and table have exact answers."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from pydantic import ValidationError

from encoders.encoding import Encoding
from neuro.errors import ConfigError
from neuro.recording import Course, Recording
from neuro.spikes import Spikes
from neuro.units import parse_quantity
from sims.assembly import stimulus as stimuli
from sims.config import from_resolved
from sims.config.sweep import SweepSection
from sims.progress import silent
from sims.sweep.axes import combinations
from sims.sweep.ledger import Ledger
from sims.sweep.measures import measure
from sims.sweep.plan import Plan, make_plan, unknown_part
from sims.sweep.table import make_table, write_table

BASE: dict[str, Any] = {
    "name": "toy",
    "seed": 7,
    "duration": "100 ms",
    "release": {"amount": "10 nM", "on": True},
}


@dataclass(frozen=True)
class Checked:
    """What the real loader gives, of a schema with four keys."""

    resolved: Mapping[str, Any]
    hash: str


def check(config: dict[str, Any]) -> Checked:
    unknown = (set(config) - set(BASE)) | (set(config["release"]) - set(BASE["release"]))
    if unknown:
        raise ConfigError(f"unknown key `{unknown.pop()}`")
    parse_quantity(config["release"]["amount"])
    text = json.dumps(config, sort_keys=True)
    return Checked(config, hashlib.sha256(text.encode()).hexdigest()[:12])


def section(**keys: Any) -> SweepSection:
    return SweepSection.model_validate(keys)


def plan(**keys: Any) -> Plan:
    return make_plan("toy", section(**keys), BASE, check)


def values_of(axis: Any, **keys: Any) -> list[Any]:
    swept = section(vary={"x": axis}, **keys)
    rows = combinations(swept.vary, combine=swept.combine, samples=swept.samples, seed=7)
    return [row["x"] for row in rows]


def test_linspace_keeps_the_unit_and_both_ends() -> None:
    assert values_of({"linspace": ["0 nM", "0.3 nM", 4]}) == ["0 nM", "0.1 nM", "0.2 nM", "0.3 nM"]
    assert values_of({"linspace": ["10 ms", "10 ms", 1]}) == ["10 ms"]
    assert values_of({"linspace": [100, 300, 3]}) == [100, 200, 300]
    assert values_of({"linspace": [0, 1, 3]}) == [0, 0.5, 1]
    assert values_of({"linspace": ["0.5 s", "250 ms", 2]}) == ["500 ms", "250 ms"]
    assert values_of({"linspace": ["1 kHz", "500 Hz", 2]}) == ["1000 Hz", "500 Hz"]


def test_geomspace_has_one_ratio() -> None:
    for form in ("geomspace", "logspace"):
        values = values_of({form: ["1 nM", "16 nM", 5]})
        assert values == ["1 nM", "2 nM", "4 nM", "8 nM", "16 nM"]
    numbers = values_of({"geomspace": [0.3, 7, 6]})
    assert [numbers[0], numbers[-1]] == [0.3, 7]
    ratios = [later / earlier for earlier, later in pairwise(numbers)]
    assert np.ptp(ratios) < 1e-11  # twelve digits are kept


def test_random_values_follow_their_law_and_seed() -> None:
    n = 4000
    uniform = np.array(values_of({"random": {"uniform": [2, 6]}}, samples=n))
    assert 2 <= uniform.min() < uniform.max() <= 6
    assert abs(uniform.mean() - 4) < 5 * 4 / np.sqrt(12 * n)
    logarithms = np.log10(values_of({"random": {"loguniform": [0.01, 100]}}, samples=n))
    assert abs(logarithms.mean()) < 5 * 4 / np.sqrt(12 * n)
    assert abs(logarithms.std() - 4 / np.sqrt(12)) < 0.05
    normal = np.array(values_of({"random": {"normal": [-3, 0.5]}}, samples=n))
    assert abs(normal.mean() + 3) < 5 * 0.5 / np.sqrt(n)
    assert abs(normal.std() - 0.5) < 5 * 0.5 / np.sqrt(2 * n)
    texts = values_of({"random": {"uniform": ["1 nM", "2 nM"]}}, samples=3)
    assert all(1 <= float(text.removesuffix(" nM")) <= 2 for text in texts)


def test_a_draw_depends_on_the_seed_and_its_own_key_alone() -> None:
    axis = {"random": {"uniform": [0, 1]}}

    def draws(seed: int, *keys: str) -> list[float]:
        swept = section(vary=dict.fromkeys(keys, axis), samples=5)
        rows = combinations(swept.vary, combine="grid", samples=5, seed=seed)
        return [row["x"] for row in rows]

    assert draws(7, "x") == draws(7, "y", "x") == draws(7, "x", "z")
    assert draws(7, "x") != draws(8, "x")


def test_grid_is_the_product_with_one_joint_random_axis() -> None:
    drawn = {"random": {"uniform": [0, 1]}}
    swept = section(vary={"a": [1, 2], "r": drawn, "b": ["x", "y"], "s": drawn}, samples=3)
    rows = combinations(swept.vary, combine="grid", samples=3, seed=0)
    assert [(row["a"], row["b"]) for row in rows[::3]] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    assert len(rows) == 12
    assert len({(row["r"], row["s"]) for row in rows}) == 3
    assert list(rows[0]) == ["a", "r", "b", "s"]


def test_zip_takes_the_nth_of_each_and_refuses_other_lengths() -> None:
    zipped = section(vary={"a": [1, 2], "b": {"linspace": [0, 1, 2]}}, combine="zip")
    rows = combinations(zipped.vary, combine="zip", samples=None, seed=0)
    assert rows == [{"a": 1, "b": 0}, {"a": 2, "b": 1}]
    uneven = section(vary={"a": [1, 2], "b": [1, 2, 3]}, combine="zip")
    with pytest.raises(ConfigError, match="a: 2, b: 3"):
        combinations(uneven.vary, combine="zip", samples=None, seed=0)


def test_random_combination_draws_from_lists_too() -> None:
    found = values_of([1, 2, 3], combine="random", samples=300)
    counts = np.bincount(found, minlength=4)[1:]
    assert counts.sum() == 300
    assert (abs(counts - 100) < 5 * np.sqrt(300 * 2 / 9)).all()


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"vary": {}}, "at least one key"),
        ({"vary": {"a": []}}, "empty list"),
        ({"vary": {"a": {"linspce": [0, 1, 2]}}}, "did you mean `linspace`"),
        ({"vary": {"a": {"linspace": ["1 nM", "1 ms", 2]}}}, "one dimension"),
        ({"vary": {"a": {"linspace": [0, 1, 0]}}}, "n >= 1"),
        ({"vary": {"a": {"geomspace": [0, 1, 3]}}}, "positive"),
        ({"vary": {"a": {"random": {"uniform": [2, 1]}}}, "samples": 2}, "low <= high"),
        ({"vary": {"a": {"random": {"uniform": [1, 2]}}}}, "samples"),
        ({"vary": {"a": [1]}, "samples": 3}, "no effect"),
        ({"vary": {"a": [1]}, "seeds": []}, "seeds"),
        ({"vary": {"a": [1]}, "seeds": [1, 1]}, "different seeds"),
        ({"vary": {"seed": [1]}, "seeds": 2}, "varies twice"),
        ({"vary": {"a": [1]}, "measures": [{"rate": "x", "spikes": "x"}]}, "exactly one"),
        ({"vary": {"a": [1]}, "measures": [{"rate": "x", "from": "2 s", "to": "1 s"}]}, "after"),
    ],
)
def test_a_section_that_cannot_be_meant_is_refused(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        section(**keys)


def test_a_section_reads_back_from_what_it_writes() -> None:
    swept = section(
        vary={
            "a": ["1 nM", 2],
            "b": {"linspace": ["1 ms", "2 ms", 3]},
            "c": {"random": {"loguniform": ["1 Hz", "10 Hz"]}},
        },
        samples=2,
        seeds=[3, 4],
        measures=[{"rate": "cells", "from": "10 ms", "to": "0.1 s"}],
    )
    written = json.loads(json.dumps(swept.model_dump(mode="json")))
    assert SweepSection.model_validate(written) == swept


def test_points_carry_values_seeds_and_the_hash_of_their_config() -> None:
    found = plan(vary={"release.amount": ["1 nM", "2 nM"]}, seeds=2)
    assert [(dict(p.values)["release.amount"], p.seed) for p in found.points] == [
        ("1 nM", 7), ("1 nM", 8), ("2 nM", 7), ("2 nM", 8),
    ]  # fmt: skip
    for point in found.points:
        assert point.id == check(dict(point.resolved)).hash
        assert point.resolved["release"]["amount"] == point.values["release.amount"]
        assert point.resolved["duration"] == "100 ms"
    assert BASE["release"]["amount"] == "10 nM"  # the argument is left alone


def test_an_unknown_key_refuses_the_whole_sweep_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"release\.amuont=1 nM.*unknown key `amuont`") as caught:
        plan(vary={"release.amuont": ["1 nM"]})
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="2 apples"):
        plan(vary={"release.amount": ["1 nM", "2 apples"]})
    with pytest.raises(ConfigError, match="has no keys"):
        plan(vary={"duration.unit": ["ms"]})


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("release.amount", ""),
        ("release.amuont", ""),  # the schema knows what may be new at the end
        ("relaese.amount", "the config has no `relaese`; did you mean `release`?"),
        ("doses.1.of.amount", "doses.1 has no `of`"),
        ("doses.0.of.amount", ""),
        ("doses.2.of.amount", ""),  # what puts values into lists counts them
    ],
)
def test_a_misspelt_name_on_the_way_is_found(key: str, says: str) -> None:
    found = unknown_part({**BASE, "doses": [{"of": {"amount": 1}}, {}]}, key)
    assert found.endswith(says)
    assert bool(found) == bool(says)


def test_two_equal_points_are_refused() -> None:
    with pytest.raises(ConfigError, match="points 1 and 3"):
        plan(vary={"release.amount": ["1 nM", "2 nM", "1 nM"]})


def test_the_plan_hash_follows_what_decides_the_table() -> None:
    def swept(**keys: Any) -> str:
        return plan(vary={"release.amount": ["1 nM", "2 nM"]}, **keys).hash

    assert swept() == swept() == swept(retries=5)
    others = [swept(seeds=2), swept(keep="runs"), swept(measures=[{"rate": "cells"}])]
    others.append(plan(vary={"release.amount": ["2 nM", "1 nM"]}).hash)
    assert len({swept(), *others}) == 5


def test_columns_are_numbers_in_one_unit_or_text() -> None:
    found = plan(vary={"release.amount": ["0.5 uM", "200 nM"]}).columns[0]
    assert (found.unit, found.values) == ("nM", (500.0, 200.0))
    rates = make_plan("toy", section(vary={"duration": ["2 kHz"]}), BASE, check).columns[0]
    assert (rates.unit, rates.values) == ("Hz", (2000.0,))
    assert plan(vary={"seed": [3, 4]}).columns[0].values == (3, 4)
    assert plan(vary={"release.on": [True, False]}).columns[0].values == (True, False)
    assert plan(vary={"name": ["one", "two"]}).columns[0].unit == ""


def recording() -> Recording:
    spikes = Spikes([10.0, 20.0, 60.0, 70.0, 90.0], [0, 1, 0, 0, 1], n_units=2, t_stop_ms=100.0)
    silent = Spikes([], [], n_units=3, t_stop_ms=100.0)
    level = Course("noradrenaline", "nM", 25.0, np.array([10.0, 30.0, 50.0, 30.0]))
    factor = Course("cells.weight", "1", 25.0, np.array([1.0, 1.2, 0.5, 1.1]))
    return Recording(
        duration_ms=100.0, dt_ms=0.1, seed=1, backend="numba",
        spikes={"cells": spikes, "quiet": silent},
        modulators={"noradrenaline": level}, factors={"cells.weight": factor},
    )  # fmt: skip


def test_measures_of_a_known_recording() -> None:
    windows = section(
        vary={"x": [1]},
        measures=[
            {"rate": "cells", "from": "50 ms", "to": "0.1 s"},
            {"spikes": "cells", "to": "50 ms", "name": "early"},
            {"latency": "cells", "from": "50 ms"},
            {"latency": "quiet"},
            {"modulator": "noradrenaline", "from": "50 ms"},
            {"factor": "cells.weight", "from": "50 ms", "to": "75 ms"},
        ],
    ).measures
    assert list(measure(recording(), windows).items()) == [
        ("rate_hz.cells", 25.0),  # 5 spikes of 2 cells in 0.1 s
        ("rate_hz.quiet", 0.0),
        ("spikes.cells", 5),
        ("spikes.quiet", 0),
        ("modulator.noradrenaline.mean", 30.0),
        ("modulator.noradrenaline.peak", 50.0),
        ("factor.cells.weight.mean", pytest.approx(0.95, abs=1e-12)),
        ("factor.cells.weight.extreme", 0.5),
        ("rate_hz.cells.50ms-100ms", 30.0),
        ("early", 2),
        ("latency_ms.cells.50ms-end", 10.0),
        ("latency_ms.quiet.0ms-end", None),
        ("modulator.noradrenaline.50ms-end", 40.0),
        ("factor.cells.weight.50ms-75ms", 0.5),
    ]


def test_a_measure_of_nothing_recorded_is_refused() -> None:
    for wrong, says in (
        ({"rate": "cell"}, "did you mean `cells`"),
        ({"modulator": "dopamine"}, "noradrenaline"),
        ({"rate": "cells", "to": "1 s"}, "within the run"),
        ({"rate": "cells", "name": "spikes.cells"}, "twice"),
    ):
        windows = section(vary={"x": [1]}, measures=[wrong]).measures
        with pytest.raises(ConfigError, match=says):
            measure(recording(), windows)


def test_the_table_is_the_plan_joined_with_the_job_files(tmp_path: Path) -> None:
    found = plan(vary={"release.amount": ["0.1 uM", "0.2 uM", "0.3 uM"]})
    ledger = Ledger(tmp_path)
    ledger.make_folders(runs=False)
    first, second, third = (point.id for point in found.points)
    done = {"status": "done", "measures": {"rate_hz.cells": 1 / 3, "spikes.cells": 4}}
    ledger.write_job({"id": third, **done, "software": "5eed"})
    ledger.write_job({"id": first, **done, "measures": {"spikes.cells": 2, "rate_hz.cells": 0.1}})
    ledger.write_job({"id": second, "status": "failed", "measures": {}})
    csv_path, parquet_path = write_table(make_table(found, ledger), found, ledger)

    assert csv_path.read_bytes().decode() == (
        "release.amount,seed,id,software,rate_hz.cells,spikes.cells\n"
        f"100.0,7,{first},unknown,0.1,2\n200.0,7,{second},,,\n300.0,7,{third},5eed,{1 / 3!r},4\n"
    )
    table = pyarrow.parquet.read_table(parquet_path)
    assert table.column("spikes.cells").to_pylist() == [2, None, 4]
    assert table.schema.field("release.amount").metadata == {b"unit": b"nM"}
    rows = list(csv.DictReader(csv_path.open(encoding="utf-8")))
    assert [float(row["release.amount"]) for row in rows] == table["release.amount"].to_pylist()


def test_a_failure_never_replaces_a_finished_point(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.make_folders(runs=False)
    ledger.write_job({"id": "a", "status": "failed", "measures": {}})
    ledger.write_job({"id": "a", "status": "done", "measures": {"y": 1}})
    ledger.write_job({"id": "a", "status": "failed", "measures": {}})
    assert ledger.job("a") == {"id": "a", "status": "done", "measures": {"y": 1}}
    (tmp_path / "jobs" / "b.json").write_text(
        '{"id": "b", "stat', encoding="utf-8"
    )  # a torn disk block
    counts = ledger.counts(["a", "b", "c"])
    assert (counts.done, counts.failed, counts.missing) == (("a",), (), ("b", "c"))
    assert not counts.complete


def test_a_worker_encodes_a_shared_stimulus_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"name": "hot", "duration": "300 ms"}

    def encoding(seed: int, peak: str = "49 degC") -> Encoding:
        stimulus = {"heat": {"peak": peak}}
        loaded = from_resolved({**config, "seed": seed, "stimulus": stimulus})
        return stimuli.encode(loaded, silent)[0]["heat"]

    monkeypatch.setattr(stimuli, "_memory", OrderedDict())
    monkeypatch.setattr(stimuli, "_most_remembered", 0)
    forgotten = encoding(1)
    assert encoding(1) is not forgotten
    stimuli.remember_encodings(2)
    first = encoding(1)
    assert encoding(1) is first
    assert encoding(2) is not first
    assert encoding(1, "45 degC") is not first
    assert encoding(1) is not first  # two newer ones have taken its place
    for output, spikes in first.spikes.items():
        assert spikes.spikes == forgotten.spikes[output].spikes
