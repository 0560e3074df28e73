"""Find a Python 3.10 and give it lava-nc 0.10.0, once, in the cache folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from neuro.cache import cache_folder
from neuro.errors import ConfigError, SimulationError

__all__ = ["LAVA", "PYTHON_VARIABLE", "environment", "find_python"]

LAVA = "lava-nc==0.10.0"
PYTHON_VARIABLE = "EMBER_PYTHON310"
_WANTED = "3.10"
_PROBE_S = 20.0  # a version manager's shim may have to look around
_INSTALL_S = 900.0
# What was tested with it. lava-nc needs numpy 1 and an old networkx, and says so itself.
_PINS = ("numpy==1.26.4", "scipy==1.15.3", "networkx==2.8.7", "asteval==0.9.33")


def find_python(named: str = "") -> Path:
    """A Python 3.10: the one named, that of `EMBER_PYTHON310`, on PATH, pyenv's, or uv's.

    Raises:
        ConfigError: if there is none, saying how to get it; or if the one named is none.
    """
    for given, where in ((named, "option `python`"), (os.environ.get(PYTHON_VARIABLE, ""),
                                                      PYTHON_VARIABLE)):  # fmt: skip
        if given:
            if (found := _version(given)) == _WANTED:
                return Path(given)
            raise ConfigError(
                f"{where} must name a Python {_WANTED}, found `{given}`, which "
                f"{f'is Python {found}' if found else 'does not run'}; name another, or use the "
                f"emulator: `runner: emulator`"
            )
    for candidate in _candidates():
        if _version(candidate) == _WANTED:
            return Path(candidate)
    raise ConfigError(
        f"lava-nc needs a Python {_WANTED}, found none on PATH, of pyenv or of uv; get one with "
        f"`pyenv install {_WANTED}` or `uv python install {_WANTED}`, or name one in "
        f"{PYTHON_VARIABLE}; or use the emulator, which needs none: `runner: emulator`"
    )


def _candidates() -> Iterator[str]:
    if on_path := shutil.which(f"python{_WANTED}"):
        yield on_path
    if pyenv := shutil.which("pyenv"):
        for version in reversed(_told(pyenv, "versions", "--bare").split()):
            if version.startswith(f"{_WANTED}.") and (prefix := _told(pyenv, "prefix", version)):
                yield str(Path(prefix) / "bin" / "python")
    if (uv := shutil.which("uv")) and (found := _told(uv, "python", "find", _WANTED)):
        yield found


def _told(*command: str) -> str:
    """What a command says, stripped; empty if it fails or hangs."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=_PROBE_S,
            encoding="utf-8",
            errors="surrogateescape",  # it may be a path
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(python: str) -> str:
    """`3.10` and the like, of a Python that runs; else empty."""
    return _told(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")


def environment(named: str = "") -> Path:
    """The Python of a virtual environment with lava-nc; made in the cache folder at first need.

    Raises:
        ConfigError: if there is no Python 3.10.
        SimulationError: if the environment cannot be made.
    """
    cache = cache_folder()
    if cache is None:
        raise SimulationError(
            f"{LAVA} needs a cache folder to be installed in; set EMBER_CACHE to a folder of your "
            f"own, or use the emulator: `runner: emulator`"
        )
    folder = cache / f"{LAVA.replace('==', '-')}-python{_WANTED}"
    python = folder / "bin" / "python"
    if python.exists() and not named and not os.environ.get(PYTHON_VARIABLE):
        return python
    base = find_python(named)
    if not python.exists():
        _make(base, folder)
    return python


def _make(base: Path, folder: Path) -> None:
    """Make it aside and move it when it is whole: two processes may do so at once."""
    print(f"Making an environment with {LAVA} for {base}, once", file=sys.stderr)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".lava-"))
    try:
        _do("make the environment", base, "-m", "venv", aside / "made")
        made = aside / "made" / "bin" / "python"
        _do(f"install {LAVA}", made, "-m", "pip", "install", "--quiet",
            "--no-compile", "--disable-pip-version-check", "--no-input", LAVA, *_PINS)  # fmt: skip
        try:
            os.replace(aside / "made", folder)
        except OSError:
            if not (folder / "bin" / "python").exists():
                raise
    except OSError as error:
        raise SimulationError(
            f"the environment for lava-nc must be made in {folder.parent}, found {error}; set "
            f"EMBER_CACHE, or use the emulator: `runner: emulator`"
        ) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _do(what: str, *command: str | Path) -> None:
    """Run a command.

    Raises:
        SimulationError: with the last line it wrote, if it fails or takes too long.
    """
    try:
        done = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            timeout=_INSTALL_S,
            encoding="utf-8",
            errors="replace",
        )
        said = done.stderr.strip().splitlines() or ["nothing"]
        if done.returncode == 0:
            return
        why = f"it ended with {done.returncode} and said: {said[-1]}"
    except subprocess.TimeoutExpired:
        why = f"it took more than {_INSTALL_S:g} s"
    raise SimulationError(
        f"could not {what} for lava-nc: {why}; or use the emulator: `runner: emulator`"
    )
