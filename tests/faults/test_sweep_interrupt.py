"""Ctrl-C or SIGTERM while a sweep starts its workers: one line, nothing left over."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.faults.test_sweep import FAULTS, TOY, started


def living(group: int) -> list[int]:
    """Processes of a group that have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text("utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    ("signals", "status"),
    [([signal.SIGINT], 130), ([signal.SIGTERM], 143), ([signal.SIGINT, signal.SIGINT], 130)],
    ids=["ctrl-c", "sigterm", "ctrl-c twice"],
)
def test_an_interrupt_while_workers_start_is_one_line(
    signals: list[signal.Signals], status: int, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with started(FAULTS, "hang", str(TOY), str(out)) as sweep:
        until = time.monotonic() + 300
        while len(living(sweep.pid)) < 3:  # the first worker's process is there, and imports
            assert sweep.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        for number in signals:
            # As a terminal does, to the workers as well; a batch system sends SIGTERM to all.
            os.killpg(sweep.pid, number) if number == signal.SIGINT else sweep.send_signal(number)
            time.sleep(0.3)
        said = sweep.communicate(timeout=120)[1]
        assert sweep.returncode == status, said
        assert "Traceback" not in said and "rror" not in said
        assert said.splitlines()[-1].startswith("interrupted: 0 of 12 points are done and kept in")
        until = time.monotonic() + 20  # the keeper of shared memory ends after its parent
        while living(sweep.pid) and time.monotonic() < until:
            time.sleep(0.05)
        assert living(sweep.pid) == []
        assert not (out / "sweep.lock").exists()
