"""The cache: damage is seen, other users' files are not used, and a run goes without it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from neuro import cache
from neuro.cache import cache_folder, read_entry, write_entry

CONTENT = bytes(range(256)) * 2
OTHER = 65534  # nobody, on every system where these tests may become another user
may_become_another = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may become another user"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMBER_CACHE", str(tmp_path / "cache"))
    found = cache_folder()
    assert found == tmp_path / "cache"
    return found


def test_what_is_kept_comes_back_under_its_own_key_only(folder: Path) -> None:
    write_entry("step", "key", CONTENT)
    assert read_entry("step", "key") == CONTENT
    assert read_entry("step", "other") is None
    assert read_entry("edge", "key") is None
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kept", [CONTENT[:24], b""], ids=["24 bytes", "none"])
def test_every_flipped_bit_makes_an_entry_absent_until_it_is_written_again(
    folder: Path, kept: bytes
) -> None:
    write_entry("step", "key", kept)
    (file,) = folder.iterdir()
    sound = file.read_bytes()
    for bit in range(8 * len(sound)):
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(bytes(damaged))
        assert read_entry("step", "key") is None, bit
    for size in range(len(sound)):
        file.write_bytes(sound[:size])
        assert read_entry("step", "key") is None, size
    write_entry("step", "key", kept)
    assert read_entry("step", "key") == kept


def test_a_file_put_in_the_place_of_another_is_absent(folder: Path) -> None:
    write_entry("code", "one", b"1")
    (one,) = folder.iterdir()
    write_entry("code", "two", b"2")
    (two,) = set(folder.iterdir()) - {one}
    one.write_bytes(two.read_bytes())
    assert read_entry("code", "one") is None
    assert read_entry("code", "two") == b"2"


def test_links_and_fifos_are_not_read(folder: Path, tmp_path: Path) -> None:
    write_entry("code", "key", b"1")
    (file,) = folder.iterdir()
    file.rename(tmp_path / "moved")
    file.symlink_to(tmp_path / "moved")
    assert read_entry("code", "key") is None
    file.unlink()
    os.mkfifo(file)
    assert read_entry("code", "key") is None


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_read(folder: Path, mode: int) -> None:
    write_entry("code", "key", b"1")
    (file,) = folder.iterdir()
    file.chmod(mode)
    assert read_entry("code", "key") is None


def test_a_file_of_another_user_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_entry("code", "key", b"1")
    (file,) = folder.iterdir()
    if os.geteuid() == 0:
        os.chown(file, OTHER, OTHER)
    else:
        real = os.fstat
        owned = lambda handle: os.stat_result((*real(handle)[:4], OTHER, *real(handle)[5:]))  # noqa: E731
        monkeypatch.setattr(os, "fstat", owned)
    assert read_entry("code", "key") is None


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_users_of_one_folder_do_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    monkeypatch.setenv("EMBER_CACHE", str(shared))
    found = cache_folder()
    assert found == shared / str(os.geteuid())
    assert found.stat().st_mode & 0o777 == 0o700


AS_ANOTHER = """
import os
from neuro.cache import cache_folder, read_entry, write_entry
os.setgid({other}); os.setuid({other})
print(cache_folder())
write_entry("code", "key", b"theirs")
print(read_entry("code", "key"))
"""


@may_become_another
def test_a_second_user_has_a_cache_of_their_own_and_reaches_no_other(tmp_path: Path) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as outer:
        os.chmod(outer, 0o755)
        shared = Path(outer, "shared")
        shared.mkdir()
        shared.chmod(0o1777)
        environment = os.environ | {"EMBER_CACHE": str(shared)}
        code = AS_ANOTHER.format(other=OTHER)
        done = _python(code, environment)
        assert done.stdout.split() == [str(shared / str(OTHER)), "b'theirs'"], done.stderr
        ours = _python("from neuro.cache import *; print(read_entry('code', 'key'))", environment)
        assert ours.stdout == "None\n"
        # They wait for us with a folder of our name: it is refused, and the run goes without.
        (shared / "0").rmdir()
        (shared / str(OTHER)).rename(shared / "0")
        ours = _python("from neuro.cache import *; print(read_entry('code', 'key'))", environment)
        assert ours.stdout == "None\n"
        assert ours.stderr.count("\n") == 1
        assert "others own it or may write to it" in ours.stderr
        # A folder of ours that they may not enter: they go without.
        private = Path(outer, "private")
        private.mkdir(mode=0o700)
        done = _python(code, environment | {"EMBER_CACHE": str(private)})
        assert done.stdout.split() == ["None", "None"], done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("reason", ["file", "home", "read-only", "full"])
def test_without_a_cache_there_is_one_note(
    reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("EMBER_CACHE", str(tmp_path / "cache"))
    cache._prepared.cache_clear()
    if reason == "file":
        (tmp_path / "cache").write_text("no folder", encoding="utf-8")
    elif reason == "home":
        monkeypatch.delenv("EMBER_CACHE")
        monkeypatch.setenv("HOME", "/proc/none")
    elif reason == "read-only":
        monkeypatch.setenv("EMBER_CACHE", "/proc/none")
    else:
        assert cache_folder() is not None

        def no_space(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(cache.tempfile, "mkstemp", no_space)
    for key in ("one", "two"):
        write_entry("step", key, CONTENT)
        assert read_entry("step", key) is None
    assert (cache_folder() is None) == (reason != "full")
    printed = capsys.readouterr().err
    assert printed.count("ember: note: the cache folder") == 1
    assert printed.count("\n") == 1
    cache._prepared.cache_clear()


RUN = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # as on a full disk
from neuro import Network, Population, simulate
from neuro.models import LIF
from neuro.units import pA
run = simulate(Network("x", (Population("c", LIF, 10, {"I_ext": pA(600)}),)), duration_ms=50)
print(len(run.spikes["c"]))
"""


def test_a_run_on_a_full_disk_goes_without_a_cache(tmp_path: Path) -> None:
    """In a locale of ASCII alone, too."""
    from neuro import Network, Population, simulate
    from neuro.models import LIF
    from neuro.units import pA

    network = Network("x", (Population("c", LIF, 10, {"I_ext": pA(600)}),))
    expected = len(simulate(network, duration_ms=50).spikes["c"])
    assert expected > 10
    environment = {"EMBER_CACHE": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C",
                   "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # fmt: skip
    done = _python(RUN, environment)
    assert done.stdout == f"{expected}\n", done.stderr
    assert done.stderr.count("ember: note") == 1
    assert list(tmp_path.iterdir()) == []


OUTER = """
from numba import njit
from neuro.compiled import kept
from inner_of_test import inner
VALUE = {value}
@kept
@njit
def outer(x):
    return inner(x) * VALUE
"""
INNER = """
from numba import njit
@njit
def inner(x):
    return x + {inner}
"""


def test_machine_code_is_kept_for_all_text_that_it_was_compiled_from(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function's own, that of a function it calls, and values it reads."""
    import importlib

    from neuro import compiled

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def found(inner: int, value: int) -> tuple[int, int]:
        """The result, and how often code was compiled."""
        compiled._file_text.cache_clear()
        texts = {"inner": INNER.format(inner=inner), "outer": OUTER.format(value=value)}
        for name, text in texts.items():
            sys.modules.pop(f"{name}_of_test", None)
            (tmp_path / f"{name}_of_test.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        outer = importlib.import_module("outer_of_test").outer
        return int(outer(3)), sum(outer.stats.cache_misses.values())

    assert found(1, 10) == (40, 1)
    assert found(1, 10) == (40, 0)
    assert found(2, 10) == (50, 1)
    assert found(2, 20) == (100, 1)
    for name in ("inner", "outer"):
        sys.modules.pop(f"{name}_of_test")


def test_damaged_machine_code_is_compiled_again(folder: Path) -> None:
    from numba import njit

    from neuro.compiled import kept

    def compiled() -> int:
        function = kept(njit(_tripled))
        result = int(function(14))
        assert sum(function.stats.cache_hits.values()) + sum(
            function.stats.cache_misses.values()
        ) == 1  # fmt: skip
        hits.append(sum(function.stats.cache_hits.values()))
        return result

    hits: list[int] = []
    assert compiled() == 42
    (file,) = folder.iterdir()
    sound, rng = file.read_bytes(), random.Random(1)  # noqa: S311 - repeats
    for _ in range(3):
        damaged = bytearray(sound)
        damaged[rng.randrange(len(sound))] ^= 1 << rng.randrange(8)
        file.write_bytes(bytes(damaged))
        assert compiled() == 42
    assert compiled() == 42
    assert hits == [0, 0, 0, 0, 1]


def _tripled(x: int) -> int:
    return 3 * x


def _python(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": root, **environment}, cwd=root,
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
