"""A file that can be gone back to, against a model of it: bytes in memory."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuro.errors import StoreError
from neuro.files import seal
from neuro.files.lock import is_held
from neuro.files.seal import SEAL_BYTES, SealState, seal_state
from sims.store import journal
from sims.store.journal import JournaledFile, Patches

PAGE = journal._PAGE
# Around the edges of pages, where mistakes live.
OFFSETS = st.one_of(
    st.integers(0, 5 * PAGE), st.integers(0, 5).flatmap(lambda n: st.integers(-2, 2).map(
        lambda d: max(0, n * PAGE + d)))
)  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), OFFSETS, st.integers(1, 2 * PAGE + 3)),
        st.tuples(st.just("truncate"), OFFSETS, st.just(0)),
        st.tuples(st.just("commit"), st.just(0), st.just(0)),
        st.tuples(st.just("kill"), st.just(0), st.just(0)),
        st.tuples(st.just("seal"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few pages cross the edges of what is summed together."""
    monkeypatch.setattr(seal, "BLOCK", 3 * PAGE // 2)
    monkeypatch.setattr(journal, "BLOCK", 3 * PAGE // 2)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_it_reads_like_memory_and_goes_back_to_the_last_commit(steps: list) -> None:  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        file, model = JournaledFile(path), bytearray()
        committed, floor, patches, crcs = b"", 0, list[tuple[int, bytes]](), list[int]()
        for count, (what, at, size) in enumerate(steps):
            if what == "write":
                content = bytes([count + 1]) * size
                file.seek(at)
                file.write(content)
                model.extend(bytes(max(0, at + size - len(model))))
                model[at : at + size] = content
            elif what == "truncate":
                file.truncate(at)
                model[at:] = bytes(max(0, at - len(model)))
            elif what == "commit":

                def record(size: int, changes: Patches, sums: Sequence[int]) -> None:
                    nonlocal floor, patches, crcs
                    floor, patches, crcs = size, list(changes), list(sums)

                file.commit(record)
                committed = bytes(model)
            else:
                if what == "seal":
                    file.seal(patches.extend)
                    content = path.read_bytes()
                    assert content == bytes(model) + content[-SEAL_BYTES:]
                    with path.open("rb") as whole:
                        assert seal_state(whole.fileno()) is SealState.WHOLE
                file.close()
                file = JournaledFile(path, floor=floor, patches=patches, sums=crcs)
                model = bytearray(committed)
            file.seek(0, os.SEEK_END)
            assert file.tell() == len(model)
            file.seek(0)
            assert file.read(len(model)) == bytes(model)
            for start in range(0, len(model), PAGE - 1):
                file.seek(start)
                assert file.read(min(100, len(model) - start)) == bytes(model[start : start + 100])
        file.close()


def test_nothing_below_the_floor_is_written_between_commits(tmp_path: Path) -> None:
    file = JournaledFile(tmp_path / "file")
    file.write(b"a" * 5000)
    file.commit(lambda floor, patches, sums: None)
    file.seek(4990)
    file.write(b"b" * 20)
    assert (tmp_path / "file").read_bytes() == b"a" * 5000 + b"b" * 10
    file.close()


def test_an_error_of_the_disk_waits_for_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = JournaledFile(tmp_path / "file")
    file.write(b"before")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    file.write(b"after")  # HDF5 must not see it
    with pytest.raises(OSError, match="No space"):
        file.check()
    with pytest.raises(OSError, match="No space"):
        file.commit(lambda floor, patches, sums: pytest.fail("recorded"))
    file.close()
    assert (tmp_path / "file").read_bytes() == b"before"


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    file = JournaledFile(tmp_path / "file")
    assert is_held(tmp_path / "file")
    with pytest.raises(StoreError, match="open in another process"):
        JournaledFile(tmp_path / "file")
    file.close()
    assert not is_held(tmp_path / "file")


def test_a_file_damaged_below_its_checkpoint_is_not_gone_on_with(tmp_path: Path) -> None:
    path, kept = tmp_path / "file", []
    file = JournaledFile(path)
    file.write(bytes(range(256)) * 100)
    file.commit(lambda *state: kept.extend(state))
    file.close()
    damaged = bytearray(path.read_bytes())
    damaged[20_000] ^= 4
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="does not fit its checkpoint"):
        JournaledFile(path, floor=kept[0], patches=kept[1], sums=kept[2])
    damaged[20_000] ^= 4
    path.write_bytes(damaged)
    JournaledFile(path, floor=kept[0], patches=kept[1], sums=kept[2]).close()
