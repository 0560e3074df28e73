"""What was validated by hours of work was validated with the sources that stand here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mutants.catalogue import MUTANTS, ROOT
from tests.validation.__main__ import rows
from tests.validation.row import Row, digest, stale


def test_every_row_was_measured_with_today_s_sources() -> None:
    assert stale(rows()) == []


def test_a_changed_source_makes_a_row_stale(tmp_path: Path) -> None:
    """A comment does not, a number does; a failed result is named, one never made is not."""
    row = Row("r", "c", ("tests/validation/row.py",), (), lambda part: {}, lambda parts: (True, {}))
    page = tmp_path / "validation.json"

    def lines(result: dict[str, object] | None) -> list[str]:
        page.write_text(json.dumps({"r": result} if result else {}), encoding="utf-8")
        return stale([row], page)

    now = digest(row.sources)
    assert lines({"sources": now, "holds": True}) == []
    assert lines(None) == []
    assert "did not hold" in lines({"sources": now, "holds": False})[0]
    assert "make validate" in lines({"sources": "other", "holds": True})[0]
    source = tmp_path / "a.py"
    found = []
    for text in ('"""Doc."""\nx = 1\n', '"""Other."""\n\n# why\nx = 1\n', "x = 2\n"):
        source.write_text(text, encoding="utf-8")
        found.append(digest(("a.py",), tmp_path))
    assert found[0] == found[1] != found[2]
    with pytest.raises(ValueError, match="no file matches"):
        digest(("nothing/*.py",), tmp_path)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_every_mutant_can_be_applied_and_has_its_test(mutant) -> None:  # type: ignore[no-untyped-def]
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert mutant.applied(text) != text
    file, _, name = mutant.test.partition("::")
    assert f"def {name.split('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")


def test_mutants_have_names_of_their_own() -> None:
    names = [mutant.id for mutant in MUTANTS]
    assert len(names) == len(set(names)) >= 60
