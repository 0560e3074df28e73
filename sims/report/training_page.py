"""What the report of a training says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuro.errors import StoreError
from neuro.files.regular import read_json
from sims.report import figures
from sims.report.figures.learning import ARMS, SETS
from sims.report.page import Block, Image, Page, Section, Table, Text
from sims.report.provenance import training_provenance
from sims.report.puzzle_page import puzzle_page
from sims.report.wording import plain
from sims.train.statistics import span

__all__ = ["training_page"]

READERS = {"linear": "linear reader", "mlp": "MLP reader"}
_PARTS = (
    ("train", "train on"), ("validation", "choose by"), ("test", "test on"),
    ("extra", "test on besides"),
)  # fmt: skip


def training_page(folder: Path) -> Page:
    """The page of the finished training in `folder`.

    Raises:
        StoreError: if it is not finished, or its files cannot be read.
    """
    started = _read(folder / "training.json")
    if not (folder / "result.json").is_file():
        raise StoreError(
            f"the training in `{folder}` is not finished; the command that started it goes on "
            "from where it stopped, and then there is something to report"
        )
    result = _read(folder / "result.json")
    try:
        if result.get("task") == "puzzles":
            return puzzle_page(result, started, folder)
        return _page(result, started, folder)
    except (KeyError, TypeError, IndexError) as error:
        raise StoreError(
            f"`{folder / 'result.json'}` must be a whole result of a training, found no {error}; "
            "train again in another folder"
        ) from None


def _page(result: Mapping[str, Any], started: Mapping[str, Any], folder: Path) -> Page:
    test = {arm: model["sets"]["test"] for arm, model in result["models"].items()}
    data, modulation = result["data"], result["modulation"]
    return Page(
        title=str(result["name"]),
        what="Training",
        summary=(
            f"A reasoning model of {result['reasoner']['parameters']:,} parameters learned to tell "
            f"{_listed(data['classes'])} from spikes, {_times(len(test))}: "
            f"{'; '.join(ARMS[arm] for arm in test)}."
        ),
        facts=[
            *((ARMS[arm], f"{found['accuracy']:.1%}") for arm, found in test.items()),
            *_reader_facts(result),
            ("commonest answer", f"{result['baseline']['test']['accuracy']:.1%}"),
            ("test items", f"{test['phase']['of']:,}"),
            ("thinking steps", f"{modulation['budget']} of {result['reasoner']['budget']}"),
        ],
        sections=[
            Section("What timing is worth", _accuracy(result)),
            *([Section("What needs no reasoner", _readers(result))] if "readers" in result else []),
            Section("Learning", _learning(result)),
            Section("Confusions", _confusions(result)),
            Section("Thinking less", _halting(result)),
            Section("What was run", training_provenance(
                result, started, folder, learned_from=[("data", _learned_from(data))]
            )),
        ],
    )  # fmt: skip


def _accuracy(result: Mapping[str, Any]) -> list[Block]:
    models = result["models"]
    rows = []
    for name, what in SETS.items():
        if name in models["phase"]["sets"]:
            cells = [_share(model["sets"][name]) for model in models.values()]
            of = f"{models['phase']['sets'][name]['of']:,}"
            rows.append([what, of, *cells, f"{result['baseline'][name]['accuracy']:.1%}"])
    columns = ["set", "items", *(ARMS[arm] for arm in models), "commonest answer"]
    return [
        Image(
            "accuracies",
            "Share of items answered rightly, with 95 % Wilson intervals. The interval takes items "
            "as independent; with few speakers the truth is wider.",
            figures.png(figures.accuracies(result)),
        ),
        Table(columns, rows, frozenset(columns[1:])),
        *(Text(text) for text in _compared(result)),
    ]


def _compared(result: Mapping[str, Any]) -> list[str]:
    """How the test items that only one of two models got right are shared out."""
    if "comparisons" not in result:  # of a version that knew two models
        pair = result["comparison"]
        return [_pair(pair["phase_only"], pair["counts_only"], "counts", _p_value(pair["p"]))]
    several = len(result["comparisons"]) > 1
    return [
        _pair(
            pair["phase_only"], pair["arm_only"], arm,
            _p_value(pair["p_holm"]) + (" after Holm's correction" if several else ""),
        )
        for arm, pair in result["comparisons"].items()
    ]  # fmt: skip


def _pair(with_timing: int, without: int, arm: str, p: str) -> str:
    other = {"counts": "with counts alone", "untimed": "with timing destroyed",
             "shuffled": "after learning shuffled labels"}[arm]  # fmt: skip
    return (
        f"Of the test items, {with_timing} were right only with timing and {without} only "
        f"{other} (exact McNemar test: {p})."
    )


def _learning(result: Mapping[str, Any]) -> list[Block]:
    caption = (
        "Test items choose nothing: validation speakers chose the step that is kept, which thin "
        "upright lines show. Dashed grey: always answering the commonest class."
    )
    blocks: list[Block] = [
        Image("learning-curves", caption, figures.png(figures.learning_curves(result)))
    ]
    if all("last" in model for model in result["models"].values()):
        rows = [
            [ARMS[arm], str(model["step"]), _share(model["sets"]["test"]), _share(model["last"]),
             f"{model['best_on_test']['accuracy']:.1%} (step {model['best_on_test']['step']})"]
            for arm, model in result["models"].items()
        ]  # fmt: skip
        columns = ["model", "step chosen", "chosen by validation", "last step", "best on the test"]
        blocks.append(Table(columns, rows, frozenset(columns[1:])))
        blocks.append(Text(
            "The last column is what choosing the step by the test items would have claimed, and "
            "is no result."
        ))  # fmt: skip
    return blocks


def _reader_facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    readers = result.get("readers", {}).get("phase", {})
    return [(READERS[name], f"{found['accuracy']:.1%}") for name, found in readers.items()]


def _readers(result: Mapping[str, Any]) -> list[Block]:
    """The simple readers on the same features, and on permuted labels."""
    rows = [
        [READERS[name], ARMS[arm], f"{found['parameters']:,}", _share(found)]
        for arm, readers in result["readers"].items()
        for name, found in readers.items()
    ]
    columns = ["reader", "features", "parameters", "test items right"]
    controls = [
        [READERS[name], f"{found['n']}", f"{found['mean']:.1%}", span(found["interval"]),
         span(found["prediction"])]
        for name, found in result["permutations"].items()
    ]  # fmt: skip
    headings = ["reader", "permutations", "mean", "confidence interval of the mean",
                "prediction interval of another permutation"]  # fmt: skip
    return [
        Text(
            "Ridge regression and a small MLP, on the features that the reasoner is given, with "
            "the same training, validation and test speakers."
        ),
        Table(columns, rows, frozenset(columns[2:])),
        Text(
            "The same readers on the features of `counts and timing`, after the labels of training "
            f"and validation items were permuted. Chance is {result['chance']:.1%}. Intervals are "
            "of 95 %, by Student's t over permutations."
        ),
        Table(headings, controls, frozenset(headings[1:])),
    ]  # fmt: skip


def _confusions(result: Mapping[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    for name in ("test", "extra"):
        if name in result["models"]["phase"]["sets"]:
            picture = figures.confusion(result, name)
            caption = f"{SETS[name].capitalize()}: items by truth (rows) and answer (columns)."
            blocks.append(Image(f"confusion-{name}", caption, figures.png(picture)))
    return blocks


def _halting(result: Mapping[str, Any]) -> list[Block]:
    modulation = result["modulation"]
    source = f"from {modulation['run']}" if modulation["run"] else "from the config"
    text = (
        f"A modulator scales how many steps the model may think. Here its factor was "
        f"{plain(modulation['factor'])} ({source}): {modulation['budget']} of "
        f"{result['reasoner']['budget']} steps."
    )
    caption = (
        "Accuracy on test items against steps thought, for several factors on the budget. "
        "Filled: the whole budget; open: the halt head may stop an item earlier. Grey: the factor "
        "of this training."
    )
    return [Text(text), Image("halting", caption, figures.png(figures.halting(result)))]


def _learned_from(data: Mapping[str, Any]) -> str:
    items = ", ".join(
        f"{data['items'][name]:,} items of {data['speakers'][name]:,} speakers to {verb}"
        for name, verb in _PARTS
        if data["items"].get(name)
    )
    return f"{data['source']}: {items}"


def _read(path: Path) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict) or found.get("format") != "ember-training":
        raise StoreError(f"`{path}` must be of a training, found something else; give its folder")
    return found


def _share(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['accuracy']:.1%} ({low:.0%} to {high:.0%})"


def _p_value(p: float) -> str:
    return f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def _listed(names: list[str]) -> str:
    if len(names) > 4:
        return f"{len(names)} classes"
    return " from ".join(names) if len(names) == 2 else ", ".join(names)
