"""A small fixed sample of `make fuzz`: damaged input gives the right result or one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz._harness import Servers, fuzz, table
from tests.fuzz._kinds import kinds

KINDS = kinds()


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with Servers() as started:
        yield started


@pytest.mark.parametrize("name", KINDS)
def test_damaged_input_gives_the_right_result_or_one_line(
    name: str, servers: Servers, tmp_path: Path
) -> None:
    kind = KINDS[name]
    report = fuzz(kind, tmp_path / "fuzz", servers.of(kind), count=kind.sample)
    whys = [Path(path).with_suffix(".why").read_text("utf-8")[-2000:] for path in report.failures]
    assert report.good, "\n".join([table([report]), *report.failures, *whys])
