"""A copy of the repository's files in which one mutant at a time stands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.catalogue import HERE, ROOT, Mutant

__all__ = ["Copy", "Outcome", "link_machine_code"]

LIMIT_S = 300  # a test takes 10 s at most; a busy machine and a first compilation take the rest
# What is derived from model text is cached by that text, not by the code that derives it. Machine
# code is cached by all that it depends on, so every mutant may have what others compiled.
DERIVING = ("neuro/equations/", "neuro/backends/", "neuro/build.py")
# What tests import of others, the slow part. Brian2 is imported by the project in its own way.
WARM = (
    "h5py",
    "hypothesis",
    "numba",
    "scipy.integrate",
    "scipy.optimize",
    "scipy.signal",
    "scipy.stats",
    "sympy",
    "torch",
    "yaml",
)


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: `killed`, `SURVIVED` or `error`, and why."""

    mutant: Mutant
    verdict: str
    seconds: float
    output: str = ""


class Copy:
    """The files, and a warm process that runs their tests; a context manager.

    Args:
        folder: Of this copy; made.
        caches: Folder of what tests keep, shared with other copies.
    """

    def __init__(self, folder: Path, caches: Path) -> None:
        self.folder, self.tree, self.caches = folder, folder / "tree", caches
        self._passed: set[str] = set()
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (source := ROOT / name).is_file():
                target = self.tree / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "NUMBA_NUM_THREADS": "2",
            "MPLBACKEND": "agg",
            "PYTHONDONTWRITEBYTECODE": "1",  # two versions of a file may be equally old and long
        }
        self._warm = subprocess.Popen(
            [sys.executable, HERE / "_warm.py", *WARM],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="ascii",
        )

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._warm.stdin
        assert self._warm.stdout
        self._warm.stdin.close()
        try:
            self._warm.wait(10)
        except subprocess.TimeoutExpired:  # it waits for a test that nobody waits for any more
            self._warm.kill()
            self._warm.wait()
        self._warm.stdout.close()

    def pytest(self, arguments: Sequence[str], cache: str = "shared") -> tuple[int | None, str]:
        """Exit status, None if there was none in time, and output of pytest in the copy."""
        assert self._warm.stdin
        assert self._warm.stdout
        output = self.folder / "output"
        request = {
            "arguments": ["-q", "-p", "no:cacheprovider", "-n", "0", *arguments],
            "environment": {
                "PYTHONPATH": str(self.tree),
                "CI": "true",
                "TMPDIR": str(self.folder),
                "XDG_CACHE_HOME": str(self.caches / cache),
            },
            "folder": str(self.tree),
            "limit_s": LIMIT_S,
            "output": str(output),
        }
        print(json.dumps(request), file=self._warm.stdin, flush=True)
        status: int | None = json.loads(self._warm.stdout.readline())
        return status, output.read_text("utf-8", "replace")

    def judge(self, mutant: Mutant, *, known_to_pass: bool = False) -> Outcome:
        """Apply the mutant, run its test, take the change back.

        A test that fails without the change is an error, unless it is known to pass.
        """
        started = time.monotonic()
        if not (known_to_pass or mutant.test in self._passed):
            status, output = self.pytest([mutant.test])
            if status != 0:
                return Outcome(mutant, "error", time.monotonic() - started, output)
            self._passed.add(mutant.test)
        path = self.tree / mutant.file
        text = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutant.applied(text), encoding="utf-8")
            status, output = self.pytest([mutant.test], self._cache_of(mutant))
        except ValueError as error:
            status, output = None, str(error)
        finally:
            path.write_text(text, encoding="utf-8")
            shutil.rmtree(self.caches / mutant.id, ignore_errors=True)
        # A fixture or a collection that fails is no assertion that failed.
        killed = status == 1 and "\nFAILED " in output
        verdict = "killed" if killed else "SURVIVED" if status == 0 else "error"
        return Outcome(mutant, verdict, time.monotonic() - started, output)

    def _cache_of(self, mutant: Mutant) -> str:
        if not mutant.file.startswith(DERIVING):
            return "shared"
        link_machine_code(self.caches / "shared" / "ember", self.caches / mutant.id / "ember")
        return mutant.id


def link_machine_code(given: Path, taken: Path) -> None:
    """Let one cache have the machine code of another; entries are replaced, never changed."""
    taken.mkdir(mode=0o700, parents=True, exist_ok=True)
    for entry in given.glob("code-*"):
        try:
            os.link(entry, taken / entry.name)
        except OSError:  # on another disk
            shutil.copy2(entry, taken)
