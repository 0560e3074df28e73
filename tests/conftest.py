"""What every test may use: the promised back ends, real recordings, and settings that repeat."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Before numpy and torch are imported: a test's result and time must not depend on the machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "2")
os.environ.setdefault("MPLBACKEND", "agg")
# Images of containers often set this; each of the hundreds of programs that tests start would
# then compile the sources that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest

from neuro.backends import BACKENDS
from tests._draws import examples_to_keep, register_profiles, widen_search
from tests._shuffle import shuffle
from tests.backends._plain import plain_kernels

PROMISED = ("numba", "brian")  # promised; a missing one is a failure, never a skip
NEEDED_BY_TRAINING = ("torch", "norse", "safetensors", "tokenizers")
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
_SOUNDS = Path("/usr/share/asterisk/sounds")
# `en` is a link to the voice, which the package of sounds alone does not make.
_SPOKEN = next((f for f in (_SOUNDS / "en", _SOUNDS / "en_US_f_Allison") if f.is_dir()), _SOUNDS)
RECORDINGS = {
    # Debian's alsa-utils and asterisk-core-sounds-en-wav
    "front_center": Path("/usr/share/sounds/alsa/Front_Center.wav"),
    **{f"digit_{digit}": _SPOKEN / "digits" / f"{digit}.wav" for digit in range(10)},
}

register_profiles()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shuffle", metavar="SEED", help="run modules and their tests in this order")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if (seed := config.getoption("--shuffle")) is not None:
        shuffle(items, seed)
    widen_search(items)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what failed in a way that can be kept in the test."""
    for report in terminalreporter.stats.get("failed", ()):
        if kept := examples_to_keep(report.longreprtext):
            terminalreporter.section(f"to keep above {report.nodeid}", sep="-")
            terminalreporter.write_line("\n".join(kept))


def pytest_report_header() -> str:
    missing = [name for name, path in RECORDINGS.items() if not path.exists()]
    return f"real recordings: {'all here' if not missing else 'missing ' + ', '.join(missing)}"


def pytest_sessionstart(session: pytest.Session) -> None:
    """In CI a promised component that is not installed fails the whole session."""
    missing = [name for name in NEEDED_BY_TRAINING if find_spec(name) is None]
    if IN_CI and missing:
        pytest.exit(f"CI must have {', '.join(missing)}: pip install -e '.[all]'", returncode=1)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Spend a sixth less on garbage collections, which find next to nothing here.

    Brian2 collects garbage twice a run. With the modules of all tests loaded that takes a second,
    where the run itself takes a third of one. And compiling makes so many objects that stay that
    Python's own thresholds start hundreds of collections.
    """
    _keep_out_of_collections()
    gc.set_threshold(100_000, 20, 50)


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After a module, leave out what it loaded, too."""
    if nextitem is None or nextitem.path != item.path:
        _keep_out_of_collections()


def _keep_out_of_collections() -> None:
    """Leave what is alive now out of later collections."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """`numba` in double precision, for what is compared with the truth or with `brian`."""
    monkeypatch.setitem(BACKENDS["numba"].options, "precision", "float64")


@pytest.fixture(params=PROMISED)
def backend(request: pytest.FixtureRequest, exact: None) -> str:
    """Each promised back end's name in turn, in double precision."""
    return str(request.param)


@pytest.fixture
def plain() -> Iterator[None]:
    """`numba`'s printed kernels run as plain Python: of few cells and steps, without compiling."""
    with plain_kernels():
        yield


class Recordings:
    """Real recordings by name; asking for one that is not installed skips, but fails in CI."""

    names = tuple(RECORDINGS)

    def __call__(self, name: str = "front_center") -> Path:
        path = RECORDINGS[name]
        if not path.exists():
            message = f"{path} is missing: apt-get install alsa-utils asterisk-core-sounds-en-wav"
            if IN_CI:
                pytest.fail(message)
            pytest.skip(message)
        return path


@pytest.fixture(scope="session")
def recording() -> Recordings:
    """`recording("front_center")` or `recording("digit_3")`: the path of a real sound."""
    return Recordings()


@pytest.fixture
def real_sound(recording: Recordings) -> Path:
    """A spoken phrase in 48 kHz, 16 bit, mono."""
    return recording("front_center")
