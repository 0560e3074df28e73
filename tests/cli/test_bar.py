"""The line that says how far a simulation is."""

from __future__ import annotations

import re
from io import StringIO

import pytest

from sims.terminal.bar import Bar
from sims.terminal.display import progress_on


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(StringIO):
    """A text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def drawn(out: StringIO) -> list[str]:
    """What each drawing showed."""
    return [re.sub(r"\x1b\[\w", "", text) for text in out.getvalue().split("\r")[1:]]


def test_it_shows_time_pace_and_what_is_left() -> None:
    out, clock = Terminal(), Clock()
    bar = Bar(out, clock)
    bar("building circuits")
    bar("simulating", 1000.0, 11_000.0)
    clock.now += 4.0
    bar("simulating", 3000.0, 11_000.0)  # 2 s in 4 s
    texts = drawn(out)
    assert texts[0] == "building circuits …"
    assert "1.0 s of 11.0 s" in texts[1]
    assert "real-time" not in texts[1]  # nothing to tell it from yet
    assert "3.0 s of 11.0 s" in texts[2]
    assert texts[2].endswith("real-time factor 2, 0:16 left")
    full, empty = texts[2].count("█"), texts[2].count("░")
    assert abs(full / (full + empty) - 3 / 11) <= 0.5 / (full + empty)
    assert all(len(text) < 80 for text in texts)


@pytest.mark.parametrize("columns", [20, 48, 60, 80, 200])
def test_it_fits_in_one_line(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out, clock = Terminal(), Clock()
    bar = Bar(out, clock)
    bar("simulating", 1000.0, 11_000.0)
    clock.now += 4.0
    bar("simulating", 3000.0, 11_000.0)
    assert all(0 < len(text) < columns for text in drawn(out))
    assert ("0:16 left" in drawn(out)[-1]) == (columns >= 60)


def test_it_draws_ten_times_a_second_at_most_and_a_new_stage_at_once() -> None:
    out, clock = Terminal(), Clock()
    bar = Bar(out, clock)
    for k in range(20_000):  # two seconds
        clock.now = 100.0 + k * 1e-4
        bar("simulating", 0.1 * k, 2000.0)
    assert 19 <= len(drawn(out)) <= 21
    bar("writing runs/x.h5")
    assert drawn(out)[-1] == "writing runs/x.h5 …"


def test_long_runs_are_told_in_hours() -> None:
    out, clock = Terminal(), Clock()
    bar = Bar(out, clock)
    bar("simulating", 0.0, 3_600_000.0)
    clock.now += 100.0
    bar("simulating", 36_000.0, 3_600_000.0)
    assert "36.0 s of 3,600 s" in drawn(out)[-1]
    assert "2:45:00 left" in drawn(out)[-1]


def test_a_terminal_is_left_clean_and_a_file_gets_lines() -> None:
    terminal, file = Terminal(), StringIO()
    for out in (terminal, file):
        with progress_on(out) as progress:
            progress("building circuits")
            progress("simulating", 1.0, 10.0)
            progress("simulating", 2.0, 10.0)
    assert drawn(terminal)[-1] == ""
    assert file.getvalue() == "building circuits …\nsimulating …\n"
