"""Exports open in the tools they are for, and say what they lose."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import bmtk.analyzer.spike_trains
import h5py
import libsonata
import numpy as np
import pytest
from bmtk.utils.reports.compartment import CompartmentReport

from neuro.errors import StoreError
from neuro.spikes import Spikes
from sims.result import Run
from sims.store import FORMATS, export, write_run

# ------------------------------------------------------------------ SONATA


def test_sonata_folder(run: Run, run_file: Path) -> None:
    said: list[str] = []
    folder = export(run_file, "sonata", say=said.append)
    assert folder == run_file.with_name("tiny_sonata")
    assert {file.name for file in folder.iterdir()} == {
        "spikes.h5", "nodes.h5", "bushy.v.h5", "bushy.I.h5", "simulation_config.json",
        "ember_provenance.json",
    }  # fmt: skip
    assert any("float32" in line for line in said)
    assert any("modulators" in line for line in said)

    reader = libsonata.SpikeReader(str(folder / "spikes.h5"))
    nodes = libsonata.NodeStorage(str(folder / "nodes.h5"))
    for name, spikes in run.recording.spikes.items():
        assert np.array_equal(reader[name].get_dict()["timestamps"], spikes.times_ms)
        assert nodes.open_population(name).size == spikes.n_units  # silent cells are counted


def test_sonata_reports_are_named_after_their_population(run: Run, run_file: Path) -> None:
    folder = export(run_file, "sonata")
    for key, trace in run.recording.traces.items():
        path = str(folder / f"{key}.h5")
        reader = libsonata.SomaReportReader(path)
        assert reader.get_population_names() == ["bushy"]
        assert np.array_equal(reader["bushy"].get().data, trace.data.astype(np.float32))
        assert CompartmentReport.load(path).units() == trace.unit


def test_sonata_config_leads_both_readers_to_the_files(
    run: Run, run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = export(run_file, "sonata")
    config = libsonata.SimulationConfig.from_file(str(folder / "simulation_config.json"))
    assert Path(config.output.spikes_file) == folder / "spikes.h5"
    assert config.run.tstop == run.recording.duration_ms
    assert config.list_report_names == set(run.recording.traces)
    for key, trace in run.recording.traces.items():
        report = config.report(key)
        assert Path(report.file_name).exists()
        assert (report.variable_name, report.unit, report.dt) == (
            trace.variable, trace.unit, trace.every_ms,
        )  # fmt: skip

    monkeypatch.chdir(folder)  # bmtk reads a manifest's `.` as the working folder
    table = bmtk.analyzer.spike_trains.to_dataframe(
        config_file="simulation_config.json", population="bushy"
    )
    assert (table["population"] == "bushy").sum() == len(run.recording.spikes["bushy"])


def test_sonata_export_replaces_only_its_own_folder(run_file: Path, tmp_path: Path) -> None:
    folder = export(run_file, "sonata")
    with pytest.raises(StoreError, match="already exists"):
        export(run_file, "sonata")
    (folder / "spikes.h5").write_bytes(b"")
    export(run_file, "sonata", force=True)
    assert (folder / "spikes.h5").stat().st_size > 0

    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="already exists"):
        export(run_file, "sonata", force=True)
    assert (folder / "notes.txt").read_text("utf-8") == "mine"

    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "simulation_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(StoreError, match="already exists"):
        export(run_file, "sonata", stranger, force=True)


def test_sonata_is_a_folder(run_file: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="folder"):
        export(run_file, "sonata", tmp_path / "spikes.h5")
    export(run_file, "sonata", tmp_path / "new" / "out")  # one missing level is made
    marker = json.loads((tmp_path / "new" / "out" / "ember_provenance.json").read_text("utf-8"))
    assert marker["config_hash"] == "0123abcd"


# ------------------------------------------------------------------ SHD


def tonic_events(path: Path, index: int) -> tuple[np.ndarray, np.ndarray, int]:
    """As tonic's `HSD.__getitem__` does it: times in whole µs, units, label."""
    with h5py.File(path, "r") as file:
        times = file["spikes/times"][index].astype(np.float64) * 1e6
        target = file["labels"][index].astype(int)
        return times.astype(int), file["spikes/units"][index].astype(int), int(target)


def test_shd_one_population(run: Run, run_file: Path) -> None:
    path = export(run_file, "shd", population="bushy", label=3)
    assert path == run_file.with_name("tiny.shd.h5")
    spikes = run.recording.spikes["bushy"]
    times_us, units, label = tonic_events(path, 0)
    assert len(times_us) == len(spikes) == 3000
    assert np.abs(times_us / 1000 - spikes.times_ms).max() <= 1e-3  # µs, cut off
    assert np.array_equal(units, spikes.units)
    assert label == 3
    with h5py.File(path) as file:
        assert file["spikes/times"].shape == file["labels"].shape == (1,)
        assert file["spikes/times"][0].dtype == np.float64
        assert np.allclose(file["spikes/times"][0] * 1000, spikes.times_ms, rtol=1e-15, atol=0)
        assert file["extra/keys"][()][label] == b"tiny"
        assert file["extra/speaker"].shape == (1,)


def test_tonic_itself_reads_it(run: Run, run_file: Path) -> None:
    hsd = pytest.importorskip("tonic.datasets.hsd", reason="tonic is not among the test extras")
    path = export(run_file, "shd", population="bushy")
    data = hsd.HSD.__new__(hsd.HSD)
    data.location_on_system, data.data_filename = str(path.parent), path.name
    data.transform = data.target_transform = None
    events, target = data[0]
    assert len(data) == 1
    assert target == 0
    assert len(events) == len(run.recording.spikes["bushy"])
    assert set(events["x"]) == set(run.recording.spikes["bushy"].units)


def test_shd_joins_populations_in_order(run: Run, run_file: Path) -> None:
    path = export(run_file, "shd")
    times_us, units, _ = tonic_events(path, 0)
    assert (np.diff(times_us) >= 0).all()
    with h5py.File(path) as file:
        about = file["extra/meta_info"]
        names = list(about["populations"].asstr()[()])
        assert names == list(run.recording.spikes)
        for name, first, n_units in zip(names, about["first_unit"], about["n_units"], strict=True):
            spikes = run.recording.spikes[name]
            mine = (units >= first) & (units < first + n_units)
            assert n_units == spikes.n_units
            assert np.array_equal(units[mine] - first, spikes.units)
    assert len(units) == sum(len(spikes) for spikes in run.recording.spikes.values())


@pytest.mark.parametrize("precision", ["float64", "float32", "float16"])
def test_shd_says_how_much_timing_it_loses(tmp_path: Path, run: Run, precision: str) -> None:
    """The stated loss is the largest difference a reader finds, and that of the format.

    Half a unit in the last place at 1 s: 2^-54, 2^-25 and 2^-12 s.
    """
    rng = np.random.default_rng(1)
    late = Spikes(rng.uniform(500, 1000, 5000), np.zeros(5000, int), n_units=1, t_stop_ms=1000)
    recording = replace(run.recording, spikes={"late": late})
    source = write_run(tmp_path / "late.h5", replace(run, recording=recording))
    said: list[str] = []
    path = export(source, "shd", precision=precision, say=said.append)
    with h5py.File(path) as file:
        times = file["spikes/times"][0]
        assert times.dtype == precision
        stated = file["extra/meta_info/max_timing_error_ms"][()]
    found = np.abs(times.astype(np.float64) * 1000 - late.times_ms).max()
    half_ulp_ms = np.spacing(np.array(0.75, dtype=precision)).astype(float) / 2 * 1000
    assert stated == found
    # float64: the division by 1000 and the multiplication back round once each as well.
    assert 0.9 * half_ulp_ms < found <= half_ulp_ms * (3 if precision == "float64" else 1.001)
    (line,) = [line for line in said if precision in line]
    assert float(re.search(r"([\d.e-]+) ms off", line)[1]) == pytest.approx(found, rel=0.01)


def test_shd_of_a_silent_run(tmp_path: Path, run: Run) -> None:
    silent = {"quiet": Spikes([], [], n_units=5, t_stop_ms=100)}
    recording = replace(run.recording, spikes=silent)
    path = export(write_run(tmp_path / "q.h5", replace(run, recording=recording)), "shd")
    times_us, units, _ = tonic_events(path, 0)
    assert len(times_us) == len(units) == 0


# ------------------------------------------------------------------ refusals


def test_unknown_formats_and_options_are_named(run_file: Path) -> None:
    with pytest.raises(StoreError, match=r"`nwb` \(not there yet\); known are shd, sonata"):
        export(run_file, "nwb")
    with pytest.raises(StoreError, match="did you mean `sonata`"):
        export(run_file, "sonatta")
    with pytest.raises(StoreError, match="no option `precison`; did you mean `precision`"):
        export(run_file, "shd", precison="float32")
    with pytest.raises(StoreError, match="did you mean `bushy`"):
        export(run_file, "shd", population="bush")
    with pytest.raises(StoreError, match="float64, float32, float16"):
        export(run_file, "shd", precision="int8")
    with pytest.raises(StoreError, match="label"):
        export(run_file, "shd", label=-1)
    assert list(run_file.parent.iterdir()) == [run_file]


@pytest.mark.parametrize("to", sorted(FORMATS))
def test_every_format_refuses_a_foreign_file_and_keeps_an_older_one(
    to: str, run_file: Path, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign.h5"
    h5py.File(foreign, "w").close()
    with pytest.raises(StoreError, match="not an Ember run file"):
        export(foreign, to)
    export(run_file, to)
    with pytest.raises(StoreError, match="already exists"):
        export(run_file, to)
    export(run_file, to, force=True)
