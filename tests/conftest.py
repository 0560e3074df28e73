"""What every test may use: the promised back ends, real recordings, and settings that repeat."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

# Before numpy and torch are imported: a test's result and time must not depend on the machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "2")
os.environ.setdefault("MPLBACKEND", "agg")

import pytest
from hypothesis import HealthCheck, settings

from neuro.backends import BACKENDS

PROMISED = ("numba", "brian")  # promised; a missing one is a failure, never a skip
NEEDED_BY_TRAINING = ("torch", "norse", "safetensors", "tokenizers")
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
RECORDINGS = {
    # Debian's alsa-utils and asterisk-core-sounds-en-wav
    "front_center": Path("/usr/share/sounds/alsa/Front_Center.wav"),
    **{
        f"digit_{digit}": Path(f"/usr/share/asterisk/sounds/en/digits/{digit}.wav")
        for digit in range(10)
    },
}

# Compiling a kernel in the first example would break any deadline.
_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("user", **_common)
settings.register_profile("ci", derandomize=True, **_common)
settings.load_profile("ci" if IN_CI else "user")


def pytest_report_header() -> str:
    missing = [name for name, path in RECORDINGS.items() if not path.exists()]
    return f"real recordings: {'all here' if not missing else 'missing ' + ', '.join(missing)}"


def pytest_sessionstart(session: pytest.Session) -> None:
    """In CI a promised component that is not installed fails the whole session."""
    missing = [name for name in NEEDED_BY_TRAINING if find_spec(name) is None]
    if IN_CI and missing:
        pytest.exit(f"CI must have {', '.join(missing)}: pip install -e '.[all]'", returncode=1)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """`numba` in double precision, for what is compared with the truth or with `brian`."""
    monkeypatch.setitem(BACKENDS["numba"].options, "precision", "float64")


@pytest.fixture(params=PROMISED)
def backend(request: pytest.FixtureRequest, exact: None) -> str:
    """Each promised back end's name in turn, in double precision."""
    return str(request.param)


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
