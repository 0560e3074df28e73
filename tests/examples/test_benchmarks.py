"""The speed scripts run, compare like with like, and say what they saved; no time is asserted."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch):
    """Import a module of `benchmarks/` or `docs/` by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))

    def named(name: str) -> ModuleType:
        return importlib.import_module(name)

    return named


def run(script: str, *options: str) -> str:
    """What a script prints."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_a_comparison_with_a_peer_runs() -> None:
    printed = run("cuba.py", "--quick", "--repeats", "2")
    assert printed.count(": agree") == 4  # two kinds of cell, on one thread and on two
    assert printed.count(" times") == 2
    assert "Brian2 numpy" in printed


@pytest.mark.slow
def test_the_limits_of_the_machine_are_measured() -> None:
    printed = run("bandwidth.py", "--quick", "--repeats", "1")
    assert "limit of delivery, 1 thread(s)" in printed
    assert "GB/s" in printed


@pytest.mark.slow
def test_a_layer_is_compared_with_the_peers_that_are_there() -> None:
    printed = run("torch_layer.py", "--quick", "--repeats", "1")
    assert "Norse: spikes, every one" in printed
    assert printed.count("DISAGREE") == 0 and printed.count(": agree") >= 2
    for peer, way in (("snntorch", "snntorch_at_once"), ("spikingjelly", "spikingjelly_steps")):
        there = importlib.util.find_spec(peer) is not None
        assert (f"left out: {way}" in printed) is not there


@pytest.mark.slow
def test_a_batch_of_doses_is_compared_with_separate_runs() -> None:
    printed = run("torch_doses.py", "--quick", "--repeats", "1", "--separate", "3")
    assert printed.count(": agree") == 2
    assert "3 of the 16 separate runs were run" in printed


def test_rows_that_differ_from_their_separate_run_are_seen(benchmark) -> None:
    """Known-bad: another dose, and a spike that is another cell's."""
    doses = benchmark("torch_doses")
    alone = doses.separate(200, 0.0, 20.0)
    assert alone.spikes["e"].times_ms.size > 5
    doses.require_same(alone, alone, 0.0)
    other = doses.separate(200, 100.0, 20.0)
    with pytest.raises(SystemExit, match="does not spike in the batch as it does alone"):
        doses.require_same(alone, other, 0.0)
    spikes = alone.spikes["e"]
    units = spikes.units.copy()
    units[0] = (units[0] + 1) % spikes.n_units
    wrong = replace(alone, spikes={**alone.spikes, "e": replace(spikes, units=units)})
    with pytest.raises(SystemExit, match="does not spike"):
        doses.require_same(alone, wrong, 0.0)


def test_a_training_step_is_measured_and_an_absent_peer_is_said_to_be(benchmark) -> None:
    common = benchmark("_common")
    given = {"precision": "float32", "threads": 1, "passes": 1, "inference": [1],
             "size": {"batch": 2, "length": 9, "hidden": 64, "H": 2, "L": 1}}  # fmt: skip
    ours = common.run_side("reasoner_step", way="ember", **given)
    assert len(ours["logits"]) == len(ours["once"]) == 2 * 9 * 11 and ours["logits"] != ours["once"]
    # Features and positions: three matrices of a SwiGLU each, for 25 positions of 64 features, in
    # 2 blocks and for 2 items; 2 passes without gradient, 2 with it, at three times the products.
    products = (3 * 64 * 256 * 25 + 3 * 25 * 256 * 64) * 2 * 2 * (2 + 2 * 3)
    assert products < ours["multiply_adds"] < 1.01 * products  # and the heads
    assert ours["median_s"] > 0 and ours["answer_s"]["1"] > 0
    left = common.run_side("reasoner_step", way="official", **given)
    assert "--official" in left["absent"]


def test_other_weights_are_not_taken_for_the_same_reasoner(benchmark) -> None:
    script = benchmark("reasoner_step")
    values = [1.0, -2.0, 0.5, 1.5]
    one = {"logits": values, "once": values, "loss": 2.0, "gradient": 3.0}
    close, swapped = [1.00001, -2.00001, 0.5, 1.5], [-2.0, 1.0, 1.5, 0.5]  # of the same size
    none: list[dict[str, object]] = []

    def hold(ours: object, theirs: object, exact: object = None) -> list[bool]:
        found = {"ember": [ours], "official": [theirs], "compiled": none, "package": none}
        precision = "float32" if exact is None else "bfloat16"
        full = {**found, "official": [theirs if exact is None else exact]}
        return [agreement.holds for agreement in script.agree(precision, found, full)]

    assert hold({**one, "logits": close, "once": close}, one) == [True] * 4
    assert hold({**one, "logits": swapped}, one) == [False, True, True, True]
    assert hold({**one, "once": swapped}, one) == [True, False, True, True]
    assert hold({**one, "gradient": 3.01}, one) == [True, True, True, False]
    # In bfloat16 after one update alone, as far as twice what the peer itself is off.
    far, off = [3.0, 2.0, -0.5, 1.0], [1.31, -2.0, 0.5, 1.5]
    exact = {**one, "logits": far, "once": [1.1, -2.0, 0.5, 1.5]}
    assert hold({**one, "logits": swapped}, one, exact) == [True] * 3
    assert hold({**one, "once": off}, one, exact) == [False, True, True]
    assert hold({**one, "once": swapped}, one, exact) == [False, True, True]
    with pytest.raises(SystemExit, match="finite logits"):
        hold({**one, "logits": []}, one)


def test_a_quick_run_is_not_saved(benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    result = benchmark("_result")
    found = result.Result("nothing", "Nothing", [result.Row("case", 1.0, "s")])
    with pytest.raises(SystemExit, match="quick"):
        result.finish(found, argparse.Namespace(save=True, quick=True), 0.0)
    assert not (ROOT / "docs/benchmarks/nothing.json").exists()


@pytest.mark.parametrize("wrong", [6.0, 0.0, float("nan")])
def test_no_ratio_is_shown_of_sides_that_differ(
    benchmark, capsys: pytest.CaptureFixture[str], wrong: float
) -> None:
    result = benchmark("_result")
    found = result.Result(
        "differ",
        "Differ",
        [result.Row("case", 1.0, "s", 12.0, "peer")],
        [result.Agreement("rate (Hz)", wrong, 5.0, 0.3)],
    )
    with pytest.raises(SystemExit, match="do not simulate the same thing"):
        result.finish(found, argparse.Namespace(save=False, quick=False), 0.0)
    assert "times" not in capsys.readouterr().out
    found.agreements = [result.Agreement("rate (Hz)", 5.1, 5.0, 0.3)]
    result.finish(found, argparse.Namespace(save=False, quick=False), 0.0)
    assert "12 times" in capsys.readouterr().out


def test_two_silences_prove_nothing(benchmark) -> None:
    assert not benchmark("_result").Agreement("rate (Hz)", 0.0, 0.0, 1.0).holds


def test_rates_agree_within_five_per_cent_and_the_scatter_of_runs(benchmark) -> None:
    agreement = benchmark("_against_brian2").agreement
    assert agreement("rate", [5.1, 5.2, 5.0], [5.0, 5.1, 5.2]).holds
    assert not agreement("rate", [5.1, 5.2, 5.0], [6.1, 6.2, 6.0]).holds
    assert agreement("rate", [5.1, 6.2, 4.0], [6.1, 7.2, 5.0]).holds  # as far as one can tell


def test_weights_are_compared_by_their_distribution(benchmark) -> None:
    """Known-bad: the same mean, but gathered in the middle."""
    from neuro.wiring import generator

    draw = generator(1, "weights").uniform
    flat, again, middle = ({"weights": draw(low, 1 - low, 2000)} for low in (0.0, 0.0, 0.05))
    same = benchmark("stdp").same_weights
    assert same("case", [flat], [again]).holds
    assert not same("case", [flat], [middle]).holds


def test_a_goal_is_reached_from_the_right_side(benchmark) -> None:
    result = benchmark("_result")
    ratio, value = result.Goal(35), result.Goal(3, 1, "value")
    row = result.Row("case", 2.0, "s", 80.0, "peer")
    assert (ratio.reached(row), value.reached(row)) == ("reached", "reached")
    row = result.Row("case", 4.0, "s", 80.0, "peer")
    assert (ratio.reached(row), value.reached(row)) == ("missed", "missed")
    assert value.reached(result.Row("case", 0.9, "s")) == "aim reached"


def test_growth_finds_a_line_and_shows_what_is_none(benchmark) -> None:
    fit = benchmark("growth").fit
    sizes = (1, 10, 100, 1000)
    points = [{"line": 2 + 3 * n, "square": 2 + 3 * n * n, "n": n, "one": 1} for n in sizes]
    straight = fit("line", points, ("one", "n"))
    assert straight["terms"] == {"one": pytest.approx(2), "n": pytest.approx(3)}
    assert max(map(abs, straight["residuals"])) < 1e-6
    assert max(map(abs, fit("square", points, ("one", "n"))["residuals"])) > 0.5
    with pytest.raises(SystemExit, match="silent"):
        fit("line", [{**p, "n": 0} for p in points], ("one", "n"))


def test_synapses_and_events_are_counted_as_they_are_drawn(benchmark, tmp_path: Path) -> None:
    from neuro.simulate import prepare
    from sims.assembly import build_experiment
    from sims.config import load

    path = tmp_path / "small.yaml"
    path.write_text(
        "name: small\nduration: 1 ms\n"
        "circuits: {microcircuit: {circuit: microcircuit, scale: 0.02}}\n",
        encoding="utf-8",
    )
    expected = benchmark("_expected")
    synapses = expected.outgoing(str(path))
    built = prepare(build_experiment(load(str(path))).network, seed=1)
    drawn = dict.fromkeys(synapses, 0)
    for part in built.projections:
        drawn[part.projection.source] += sum(part.edges_in(row) for row in range(part.n_rows))
    assert drawn == synapses and sum(drawn.values()) > 100_000
    figures = {"populations": {"L4E": {"n": 438, "spikes": 876}}}  # two spikes a cell
    assert expected.events(figures, synapses) == pytest.approx(2 * synapses["L4E"])


def test_the_page_says_what_is_saved(benchmark) -> None:
    docs = ROOT / "docs"
    page = benchmark("_speed").page(docs)
    assert (docs / "speed.md").read_text("utf-8") == page, "run `python docs/_speed.py`"
    for path in (docs / "benchmarks").glob("*.json"):
        saved = json.loads(path.read_text("utf-8"))
        assert saved["title"] in page and saved["commit"][:12] in page
        assert saved["machine"]["cpu"] in page
