"""What every page says of what was run: config, versions, times, and how to do it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sims.report.page import Block, Code, Table, Text
from sims.store.home import as_typed, text_without_home, without_home

__all__ = ["config_blocks", "seconds", "stage_times", "training_provenance"]


def training_provenance(
    result: Mapping[str, Any],
    started: Mapping[str, Any],
    folder: Path,
    *,
    learned_from: Sequence[tuple[str, str]] = (),
) -> list[Block]:
    """What was trained, from the two JSON files of its folder.

    Args:
        learned_from: Further rows, each a name and what it was.
    """
    about = started["about"]
    overrides = [str(text) for text in about["overrides"]]
    rows = [
        ["config", about["config_path"]],
        ["overrides", as_typed(overrides) or "none"],
        ["config hash", result["config_hash"]],
        ["seed", str(result["seed"])],
        *map(list, learned_from),
        ["written", result["created"]],
        ["git commit", result["git_commit"] or "not from a git checkout"],
        ["versions", ", ".join(f"{name} {which}" for name, which in result["versions"].items())],
    ]
    again = folder.with_name(f"{folder.name}-again")
    return [
        Table((), rows),
        stage_times(result["timings"].items()),
        Text("The same training again, in another folder:"),
        Code(as_typed(["ember", "train", about["config_path"], *overrides, "--out", str(again)])),
        *config_blocks(about["config_text"], started["config"], about["config_path"]),
    ]


def stage_times(stages: Iterable[tuple[str, float]]) -> Table:
    """How many seconds each stage took, and which share of all."""
    stages = list(stages)
    total = sum(taken for _, taken in stages) or 1.0
    return Table(
        ["stage", "time"],
        [[stage, seconds(taken)] for stage, taken in stages],
        caption="How long each stage took",
        shares=[taken / total for _, taken in stages],
    )


def seconds(value: float) -> str:
    """A stretch of computing time as a person says it."""
    if value < 0.0995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.1f} min"


def config_blocks(text: str, resolved: Mapping[str, Any], path: str) -> list[Block]:
    """The config as written and with every default, folded away."""
    import yaml

    text, full = text_without_home(text), without_home(dict(resolved))
    full = yaml.safe_dump(full, sort_keys=False, allow_unicode=True, width=100)
    return [Code(text, f"Config as written ({Path(path).name})"), Code(full, "Every setting used")]
