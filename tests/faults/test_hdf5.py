"""HDF5 files of others: nothing outside is read, nothing hangs, and a sealed file is as written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neuro.errors import StoreError
from neuro.files import hdf5, seal
from neuro.files._hdf5_inspect import Unfit, inspect
from neuro.files.hdf5 import is_sealed, open_hdf5
from neuro.files.seal import SEAL_BYTES, SealState, add_seal, seal_state
from sims.store import atomic_hdf5, read_run, reading_hdf5

OLD_RUN = Path(__file__).parents[1] / "formats" / "run_of_format_1.h5"


def opened(path: Path) -> list[str]:
    with open_hdf5(path) as file:
        return sorted(file)


def refusal(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        opened(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def _virtual(file: h5py.File, source: str) -> None:
    layout = h5py.VirtualLayout((10,), "f8")
    layout[:] = h5py.VirtualSource(source, "v", (10,))
    file.create_virtual_dataset("v", layout)


BAD: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "raw storage outside": (
        lambda f: f.create_dataset("v", (320,), "u1", external=[("/etc/passwd", 0, 320)]),
        "`v` must lie in the file itself, found a reference to another",
    ),
    "a map of another file": (lambda f: _virtual(f, "/nowhere.h5"), "reference to another"),
    "a map of itself": (lambda f: _virtual(f, "."), "reference to another"),
    "a soft link": (lambda f: f.__setitem__("v", h5py.SoftLink("/x")), "`v` must lie in the file"),
    "a link outside": (
        lambda f: f.__setitem__("v", h5py.ExternalLink("/etc/x.h5", "/")), "found a link",
    ),
    "a circle": (lambda f: f.create_group("g").__setitem__("v", f["/"]), "`g/v` must be a group"),
    "a named type": (lambda f: f.__setitem__("v", np.dtype("f8")), "found a named type"),
    "references": (lambda f: f.__setitem__("v", f["x"].ref), "found references"),
    "a reference as attribute": (lambda f: f.attrs.__setitem__("v", f["x"].ref), "references"),
    "regions": (
        lambda f: f.__setitem__("v", np.array([f["x"].regionref[:3]], h5py.regionref_dtype)),
        "found references",
    ),
    "complex numbers": (lambda f: f.__setitem__("v", np.zeros(3, complex)), "a compound type"),
    "opaque bytes": (lambda f: f.__setitem__("v", np.void(b"abc")), "an opaque type"),
    "a shape of 1e11": (lambda f: f.create_dataset("v", (10**11,), "f8"), "file of this size"),
    "chunks of 1e11": (
        lambda f: f.create_dataset("v", (10**11,), "f8", chunks=(999,)), "file of this size",
    ),
    "a foreign filter": (
        lambda f: f.create_dataset("v", data=np.arange(2000.0), compression="lzf"), "a filter",
    ),
    "missing data": (lambda f: f.create_dataset("v", (100,), "f8"), "must hold its data"),
    "missing chunks": (
        lambda f: f.create_dataset("v", (100,), "f8", chunks=(10,)), "10 chunks of data, found 0",
    ),
    "no value": (lambda f: f.create_dataset("v", data=h5py.Empty("f8")), "must hold a value"),
    "too deep": (lambda f: f.create_group("/".join("v" * 99)), "64 deep in one another"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_no_file_may_have_is_refused(name: str, tmp_path: Path) -> None:
    make, words = BAD[name]
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(10.0)
        make(file)
    with h5py.File(path, "r") as file, pytest.raises(Unfit) as caught:
        inspect(file, path.stat().st_size)
    assert words in str(caught.value)


@pytest.mark.parametrize("sealed", [False, True])
def test_a_foreign_file_is_read_by_another_process_first(sealed: bool, tmp_path: Path) -> None:
    make, words = BAD["missing chunks"]
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["x"], file["text"] = np.arange(10.0), "a text of variable length"
        file.create_dataset("packed", data=np.arange(5000), compression="gzip", shuffle=True)
    if sealed:
        add_seal(path)
    assert opened(path) == ["packed", "text", "x"]
    assert is_sealed(path) == sealed
    with h5py.File(path, "r+") as file:
        make(file)
    if sealed:
        add_seal(path)
    assert words in refusal(path)


def test_what_this_process_wrote_is_opened_at_once_unless_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5, "_WORKER", tmp_path / "there is no program")
    path = tmp_path / "x.h5"
    with atomic_hdf5(path) as file:
        file["x"] = np.arange(10.0)
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes())
    assert opened(path) == ["x"]
    assert "truncated or damaged" in refusal(copy)
    with path.open("r+b") as raw:
        raw.seek(100)
        raw.write(b"other")
    assert "does not fit its checksum" in refusal(path)


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("x"), ValueError("x"), OSError("x")])
@pytest.mark.parametrize("where", ["opening", "reading", "closing"])
def test_whatever_h5py_raises_is_one_line(
    error: Exception, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.h5"
    with atomic_hdf5(path) as file:
        file["x"] = np.arange(10.0)

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    if where != "reading":
        monkeypatch.setattr(h5py.File, {"opening": "__init__", "closing": "close"}[where], fail)

    def read() -> float:
        with reading_hdf5(path) as found:
            return found["x"][3] if where == "closing" else fail()

    if where == "closing":  # of what was only read nothing is lost
        assert read() == 3.0
        return
    with pytest.raises(StoreError, match=str(path)) as caught:
        read()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(
    "code", ["while True: pass", "import os; os.abort()", "x = bytearray(1 << 40)"]
)
def test_what_hangs_or_crashes_hdf5_does_so_in_the_other_process(
    code: str, sealed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1.0
    if sealed:
        add_seal(path)
    worker = tmp_path / "_hdf5_inspect.py"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\n"
    worker.write_text(limit + code, encoding="utf-8")
    monkeypatch.setattr(hdf5, "_WORKER", worker)
    assert "truncated or damaged" in refusal(path)


def test_one_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(100.0)
    add_seal(path)
    whole = path.read_bytes()
    for place in range(8, len(whole) - SEAL_BYTES, 97):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with path.open("rb") as file:
            assert seal_state(file.fileno()) is SealState.BROKEN
    assert "does not fit its checksum" in refusal(path)
    path.write_bytes(whole)
    assert opened(path) == ["x"] and is_sealed(path)
    add_seal(path)
    assert path.read_bytes() == whole  # a seal is not sealed again


def test_seals_of_all_lengths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "BLOCK", 10)
    path = tmp_path / "x"
    for size in (0, 1, 9, 10, 11, 29, 30, 200):
        path.write_bytes(bytes(range(size)))
        with path.open("rb") as file:
            assert seal_state(file.fileno()) is SealState.ABSENT
        add_seal(path)
        with path.open("rb") as file:
            assert seal_state(file.fileno()) is SealState.WHOLE
        path.write_bytes(b"x" + path.read_bytes())
        with path.open("rb") as file:
            assert seal_state(file.fileno()) is SealState.BROKEN


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.h5")
    assert "must be a regular file, found a pipe" in refusal(tmp_path / "x.h5")


def test_a_run_file_of_the_first_format_still_opens() -> None:
    """Made by the first version of the format: 30 ms of 10 cells, a trace and a modulator."""
    run = read_run(OLD_RUN)
    assert {name: len(s) for name, s in run.recording.spikes.items()} == {"cells": 8, "nucleus": 2}
    assert run.recording.traces["cells.v"].data.shape == (60, 2)
    assert run.recording.modulators["noradrenaline"].values.size == 30
    assert run.provenance.resolved["seed"] == 3
    assert not is_sealed(OLD_RUN)


RANGES: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "dt 0": (lambda f: _set(f, "provenance", dt_ms=0.0), "`dt_ms` of `provenance` must be above 0"),
    "duration -1": (lambda f: _set(f, "provenance", duration_ms=-1.0), "`duration_ms` of"),
    "duration NaN": (lambda f: _set(f, "provenance", duration_ms=float("nan")), "`duration_ms` of"),
    "1e9 units": (lambda f: _set(f, "spikes/cells", n_units=10**9), "`n_units` of `spikes/cells`"),
    "half a unit": (lambda f: _set(f, "spikes/cells", n_units=8.5), "must be a whole number"),
    "text as number": (lambda f: _set(f, "spikes/cells", t_stop_ms="x"), "`t_stop_ms` of"),
    "half a cell": (
        lambda f: _put(f, "spikes/cells/node_ids", np.arange(8) + 0.5), "must hold whole numbers",
    ),
    "a cell too many": (
        lambda f: _put(f, "spikes/cells/node_ids", np.arange(8) + 1), "units must lie in 0..7",
    ),
    "fewer cells": (lambda f: _put(f, "spikes/cells/node_ids", np.arange(3)), "the shape (8)"),
    "NaN as a time": (
        lambda f: _put(f, "spikes/cells/timestamps", np.full(8, np.nan)), "must be finite",
    ),
    "a lost group": (lambda f: f.__delitem__("modulation"), "`modulation/concentration` must be"),
    "lost spikes": (lambda f: f.__delitem__("spikes"), "`spikes` must be a group, found nothing"),
    "no config": (lambda f: _put(f, "provenance/resolved", b"null"), "be a config, found null"),
    "a flat trace": (lambda f: _put(f, "report/cells.v/data", np.zeros(60)), "(any, 2)"),
    "a trace of no step": (
        lambda f: _put(f, "report/cells.v/mapping/time", np.zeros(3)), "step of `report/cells.v`",
    ),
    "no backend": (lambda f: f["provenance"].attrs.__delitem__("backend"), "`backend` of"),
    "a lost version": (lambda f: f.__delitem__("provenance/versions"), "`provenance/versions`"),
}  # fmt: skip


def _set(file: h5py.File, where: str, **values: Any) -> None:
    for name, value in values.items():
        file[where].attrs[name] = value


def _put(file: h5py.File, where: str, value: Any) -> None:
    attributes = dict(file[where].attrs)
    del file[where]
    file[where] = value
    file[where].attrs.update(attributes)


@pytest.mark.parametrize("name", RANGES)
def test_a_value_out_of_range_is_refused_by_its_name(name: str, tmp_path: Path) -> None:
    change, words = RANGES[name]
    path = tmp_path / "run.h5"
    path.write_bytes(OLD_RUN.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    add_seal(path)
    hdf5.trust_hdf5(path)  # what a harmless file says is checked, too
    with pytest.raises(StoreError) as caught:
        read_run(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
