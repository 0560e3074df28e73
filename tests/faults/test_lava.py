"""What Loihi cannot do, and what may befall lava-nc: one clear line each, nothing left behind."""

from __future__ import annotations

import os
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuro import (
    Background,
    Drive,
    Network,
    NeuronModel,
    Population,
    Projection,
    Record,
    Source,
    Spikes,
    simulate,
)
from neuro.backends.lava import python310
from neuro.backends.lava.emulator import emulate
from neuro.backends.lava.lava_nc import run_lava
from neuro.backends.lava.processes import FixedNetwork, Inputs, LifCells, Synapses
from neuro.backends.lava.python310 import PYTHON_VARIABLE, find_python
from neuro.errors import BackendUnsupported, ConfigError, NetworkError, SimulationError
from neuro.model import SynapseModel
from neuro.models import ADEX, IZHIKEVICH, LEAKY_INTEGRATOR, LIF, POISSON, TRAUB_MILES
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.network import Value
from neuro.simulate import prepare, run_built
from neuro.sink import MemorySink
from neuro.synapses import (
    ALPHA_CURRENT,
    DELTA,
    EXPONENTIAL_CONDUCTANCE,
    EXPONENTIAL_CURRENT,
    GAP_JUNCTION,
    NMDA,
    STDP_ADDITIVE,
)
from neuro.units import LENGTH, Hz, Quantity, ms, mV, nM, nS, pA, pF
from neuro.wiring import AllToAll

STILL: dict[str, Value] = {"t_ref": ms(0)}
PLAIN = Population("cells", LIF, 4, STILL)


def joined(
    synapse: SynapseModel = EXPONENTIAL_CURRENT, weight: Value = pA(50), delay: Value = ms(1),
    cells: Population = PLAIN,
) -> Network:  # fmt: skip
    """Cells that reach each other."""
    among = Projection("among", "cells", "cells", synapse, AllToAll(), weight, delay)
    return Network("net", (cells,), projections=(among,))


def alone(model: NeuronModel = LIF, **parameters: Value) -> Network:
    given = {**STILL, **parameters} if "t_ref" in model.parameters else parameters
    return Network("net", (Population("cells", model, 4, given),))


def two_taus() -> Network:
    base = joined()
    other = replace(base.projections[0], name="slow", parameters={"tau": ms(20)})
    return replace(base, projections=(*base.projections, other))


def modulated() -> Network:
    return replace(
        joined(),
        transmitters=(Transmitter("na", "cells", nM(10)),),
        receptors=(Receptor("beta", "na", nM(50)),),
        effects=(Effect("beta", "cells", "g_L", 1.3),),
    )


def driven() -> Network:
    model = replace(
        LIF, name="driven", equations=LIF.equations.replace("+ I", "+ I + x*pA/metre"),
        inputs={"x": LENGTH},
    )  # fmt: skip
    return replace(alone(model), drives=(Drive("cells", "x", np.zeros(3), 1.0),))


def noisy() -> NeuronModel:
    text = LIF.equations.replace(" : volt", " + 2*mV*xi/ms**0.5 : volt")
    return replace(LIF, name="noisy", equations=text)


def onto_poisson() -> Network:
    cells = Population("p", POISSON, 3)
    among = Projection("in", "cells", "p", DELTA_LIKE, AllToAll(), Quantity(1.0), ms(1))
    return Network("net", (PLAIN, cells), projections=(among,))


DELTA_LIKE = SynapseModel("counting", "dx/dt = -x/(5*ms) : 1", "", "x += w", Quantity(1.0))

LACKING = {
    "conductances": (
        lambda: joined(EXPONENTIAL_CONDUCTANCE, nS(2)),
        "synapses that depend on the target's voltage (`exponential_conductance`)",
    ),
    "NMDA": (lambda: joined(NMDA, nS(2)), "(`nmda`)"),
    "AdEx": (lambda: alone(ADEX), "membrane other than a linear one"),
    "Izhikevich": (lambda: alone(IZHIKEVICH), "membrane other than a linear one"),
    "Hodgkin and Huxley": (lambda: alone(TRAUB_MILES), "`traub_miles`: it has no conditional"),
    "adaptation": (
        lambda: alone(replace(
            LIF, name="adapting",
            equations=LIF.equations.replace("+ I)", "+ I - a)") + "\nda/dt = -a/(100*ms) : amp",
            reset="v = V_r; a += 10*pA",
        )),
        "reset like `v = V_r; a = a + (10*1.0)`",
    ),
    "a second current": (
        lambda: alone(replace(
            LIF, name="beside",
            equations=LIF.equations.replace("+ I)", "+ I - a)") + "\nda/dt = -a/(100*ms) : amp",
        )),
        "second variable beside the membrane (`a`)",
    ),
    "alpha synapses": (
        lambda: joined(ALPHA_CURRENT),
        "synaptic current that rises before it falls (`alpha_current`)",
    ),
    "two time constants": (two_taus, "second synaptic time constant in one population (these have "
                                     "5 ms and 20 ms)"),
    "refractoriness": (lambda: alone(t_ref=ms(5)), "refractory period, as Lava's fixed-point LIF "
                                                   "has none (`t_ref` is 5 ms; at most 0.199 ms"),
    "values of each cell": (
        lambda: alone(C=np.array([200.0, 210, 220, 230])),
        "membrane time constant that differs from cell to cell (found 11.98 to 13.77 ms)",
    ),
    "thresholds of each cell": (
        lambda: alone(V_th=np.array([-50.0, -51, -52, -53])),
        "distance from reset to threshold that differs from cell to cell",
    ),
    "no threshold": (lambda: alone(LEAKY_INTEGRATOR), "cells that never spike"),
    "plasticity": (
        lambda: joined(STDP_ADDITIVE, nS(0.1)),
        "`stdp_additive`: it has no edge variables",
    ),
    "gap junctions": (lambda: joined(GAP_JUNCTION, nS(1)), "`gap_junction`: it has no"),
    "modulation": (modulated, "neuromodulation"),
    "drives": (driven, "input over time"),
    "noise": (lambda: alone(noisy()), "it has no white noise"),
    "chance": (
        lambda: alone(replace(LIF, name="gambling", threshold="v > V_th - 5*mV*rand()")),
        "threshold like `v > V_th - 5*1.0*rand()`",
    ),
    "long delays": (
        lambda: joined(delay=ms(6.4)),
        "delays above 63 steps (6.3 ms; projection `among` has 64)",
    ),
    "synapses onto chance": (onto_poisson, "threshold like `rand() < rate*dt`"),
}  # fmt: skip


@pytest.mark.parametrize("name", LACKING)
@pytest.mark.parametrize("wire", [True, False])
def test_what_loihi_lacks_is_named_before_anything_compiles(name: str, wire: bool) -> None:
    make, told = LACKING[name]
    with pytest.raises(BackendUnsupported) as caught:
        prepare(make(), backend="lava", wire=wire)
    assert told in str(caught.value)
    assert "Run it on numba or brian" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_plain_networks_they_were_made_from_are_accepted() -> None:
    """So what was added to each is what was refused."""
    for network in (joined(), joined(DELTA, mV(1)), alone(), joined(delay=ms(6.3)),
                    alone(t_ref=ms(0.19)), alone(E_L=-70.0 - np.arange(4))):  # fmt: skip
        prepare(network, backend="lava")


def test_traces_that_loihi_does_not_keep_are_refused() -> None:
    two = joined()
    other = replace(
        two.projections[0], name="again", synapse=replace(EXPONENTIAL_CURRENT, name="b")
    )
    two = replace(two, projections=(*two.projections, other))
    refused = r"record: `among\.I_syn` of `cells` is not kept on Loihi"
    with pytest.raises(NetworkError, match=refused):
        simulate(two, duration_ms=1, backend="lava", record=[Record("cells", "among.I_syn")])
    with pytest.raises(NetworkError, match="record: `I` of `cells` is not kept on Loihi"):
        simulate(joined(), duration_ms=1, backend="lava", record=[Record("cells", "I")])


def test_a_current_that_wraps_round_ends_the_run() -> None:
    """A thousand of the strongest synapses there are, all at once."""
    n = 4000
    volley = Source("s", Spikes(np.full(n, 5.0), np.arange(n), n_units=n, t_stop_ms=9))
    strong = Projection("in", "s", "cells", EXPONENTIAL_CURRENT, AllToAll(), pA(9e4), ms(1))
    network = Network("storm", (PLAIN,), (volley,), (strong,))
    with pytest.raises(SimulationError) as caught:
        simulate(network, duration_ms=20, backend="lava", record=[Record("cells", "v", 1.0)])
    assert str(caught.value).startswith(
        "population `cells`: the synaptic current of cell 0 left Loihi's 24 bits at 6.1 ms"
    )
    assert caught.value.recording is not None


def test_options_that_there_are_not_are_refused() -> None:
    with pytest.raises(ConfigError, match="runner must be emulator or lava-nc, found `lava`"):
        simulate(alone(), duration_ms=1, backend="lava", options={"runner": "lava"})
    built = prepare(alone(), backend="lava")
    with pytest.raises(ConfigError, match="back end `lava` cannot be resumed; use numba"):
        run_built(built, MemorySink(["cells"], 0), duration_ms=1, backend="lava",
                  checkpoint=lambda state: None)  # fmt: skip


def fixed(**changes: object) -> FixedNetwork:
    zeros = np.zeros(2, np.int64)
    one = np.array([0])
    cells = LifCells("c", 2, 10, 10, 100, zeros, zeros, zeros, zeros)
    inputs = Inputs("i", 1, np.array([3]), one, np.array([1]))
    synapses = Synapses("s", "i", "c", "delay_dense", one, one, np.array([9]), one)
    parts = {"cells": cells, "inputs": inputs, "synapses": synapses}
    for name, change in changes.items():
        kind, key = name.split("_", 1)
        parts[kind] = replace(parts[kind], **{key: change})
    return FixedNetwork("net", (parts["cells"],), (parts["synapses"],), (parts["inputs"],))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cells_du": 4096}, "cells `c`: du must lie in 0..4095, found 4096"),
        ({"cells_vth": -1}, "vth must lie in 0..131071, found -1"),
        ({"cells_bias_mant": np.array([0, 4096])}, "bias_mant must lie in -4096..4095, found 4096"),
        ({"cells_v": np.array([0, -(2**23)])}, "v must lie in -8388607..8388607, found -8388608"),
        ({"cells_u": np.zeros(3, int)}, "u needs 2 values, found (3,)"),
        ({"inputs_units": np.array([1])}, "inputs `i`: units must lie in 0..0, found 1"),
        ({"inputs_payload": np.array([65536])}, "payload must lie in 0..65535, found 65536"),
        ({"synapses_delays": np.array([64])}, "delays must lie in 0..63, found 64"),
        ({"synapses_kind": "sparse", "synapses_delays": np.array([1])},
         "delays must lie in 0..0, found 1"),
        ({"synapses_weight_exp": 8}, "weight_exp must lie in -8..7, found 8"),
        ({"synapses_targets": np.array([2])}, "targets must lie in 0..1, found 2"),
        ({"synapses_source": "x"}, "source must be one of c, i, found `x`"),
        ({"synapses_sign_mode": "odd"}, "sign_mode must be one of auto, null"),
        ({"synapses_name": "s", "cells_name": "i"}, "each process needs a name of its own"),
    ],
)  # fmt: skip
def test_numbers_outside_loihis_range_are_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(NetworkError) as caught:
        fixed(**change)
    assert told in str(caught.value)


def test_pairs_and_sums_that_a_matrix_cannot_hold_are_refused() -> None:
    twice = {key: np.zeros(2, np.int64) for key in ("sources", "targets", "weights", "delays")}
    with pytest.raises(NetworkError, match="found a pair twice"):
        fixed(**{f"synapses_{key}": value for key, value in twice.items()})
    n = 200
    many = Inputs("i", n, np.arange(n), np.arange(n), np.full(n, 65535))
    zeros = np.zeros(1, np.int64)
    cells = LifCells("c", 1, 0, 0, 100, zeros, zeros, zeros, zeros)
    ends = np.arange(n), np.zeros(n, int)
    synapses = Synapses("s", "i", "c", "dense", *ends, np.full(n, 255), 0 * ends[0],
                        num_message_bits=8)  # fmt: skip
    with pytest.raises(NetworkError, match="graded spikes may add up to 2147483647 at a cell"):
        FixedNetwork("net", (cells,), (synapses,), (many,))


def script(
    path: Path, *, worker: str = "exit 0", pip: str = "exit 0", version: str = "3.10"
) -> str:
    """A program that looks like a Python of that version, as far as Ember asks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"""#!/bin/sh
case "$1 $2" in
  "-c "*) echo {version} ;;
  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m pip") {pip} ;;
  "-I "*) {worker} ;;
esac
""",
        encoding="utf-8",
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Python 3.10, and an empty cache; shells are still found."""
    monkeypatch.setenv("EMBER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "mkdir", "cp", "sleep", "kill", "cat"):
        if found := next((p for p in ("/bin/" + name, "/usr/bin/" + name) if Path(p).exists()), ""):
            (tools / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    return tools


def test_no_python_says_how_to_get_one_and_the_emulator_works(nowhere: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        run_lava([fixed()], [5])
    told = str(caught.value)
    assert told.startswith("lava-nc needs a Python 3.10, found none on PATH, of pyenv or of uv")
    assert "pyenv install 3.10" in told and "uv python install 3.10" in told
    assert PYTHON_VARIABLE in told and "runner: emulator" in told and "\n" not in told
    with pytest.raises(ConfigError, match="lava-nc needs a Python"):
        simulate(alone(), duration_ms=1, backend="lava", options={"runner": "lava-nc"})
    assert emulate(fixed(), 5).n_steps == 5
    assert len(simulate(alone(I_ext=pA(900)), duration_ms=50, backend="lava").spikes["cells"]) > 4


@pytest.mark.parametrize("kind", ["path", "pyenv", "uv", "variable", "option"])
def test_a_python_is_found_wherever_it_is(
    nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """And not where a version manager only pretends."""
    hidden = tmp_path / "versions" / "3.10.13" / "bin" / "python"
    named = ""
    if kind == "path":
        wanted = script(nowhere / "python3.10")
    else:
        script(nowhere / "python3.10", version="3.12")  # a shim of another version
        wanted = script(hidden)
        if kind in ("pyenv", "uv"):
            answer = f"""case "$1 $2" in
              "versions --bare") echo 3.9.18; echo 3.10.13; echo 3.11.7 ;;
              "prefix 3.10.13") echo {hidden.parents[1]} ;;
              "python find") echo {hidden} ;;
            esac"""
            (nowhere / kind).write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
            (nowhere / kind).chmod(0o755)
        elif kind == "variable":
            monkeypatch.setenv(PYTHON_VARIABLE, wanted)
        else:
            named = wanted
    assert str(find_python(named)) == wanted


@pytest.mark.parametrize("by", ["variable", "option"])
def test_a_python_of_another_version_is_refused(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    if by == "variable":
        monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(ConfigError, match=rf"must name a Python 3.10, found `.*Python {version}"):
        find_python(sys.executable if by == "option" else "")
    with pytest.raises(ConfigError, match="found `/nowhere/python`, which does not run"):
        find_python("/nowhere/python")


FAULTS = {
    "dies": ("echo one >&2; echo boom >&2; exit 3", "dead with exit status 3",
             "it said: one | boom"),
    "is killed": ("kill -9 $$", "dead with signal 9", "it said nothing"),
    "hangs": ("echo still here; sleep 60 & echo $! > $PIDS; wait", "must end within 0.5 s",
              "it said: still here"),
    "leaves nothing": ("exit 0", "must leave its spikes and states in full, found", "done.json"),
    "leaves half": ("echo '{\"seconds\": [1]}' > $3/done.json; echo rubbish > $3/found_0.npz",
                    "must leave its spikes and states in full, found", ""),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lava_that_fails_is_one_clear_line(
    nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    worker, told, words = FAULTS[fault]
    monkeypatch.setenv(PYTHON_VARIABLE, script(tmp_path / "fake" / "python", worker=worker))
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    with pytest.raises(SimulationError) as caught:
        run_lava([fixed()], [5], timeout_s=0.5 if fault == "hangs" else 20)
    assert told in str(caught.value) and words in str(caught.value)
    assert "emulator" in str(caught.value) and "\n" not in str(caught.value)
    if fault == "hangs":  # what it started has ended with it
        child = int((tmp_path / "pids").read_text("utf-8"))
        for _ in range(100):
            if not Path(f"/proc/{child}").exists():
                break
            time.sleep(0.05)
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_a_lava_that_cannot_be_installed_is_one_clear_line_and_leaves_nothing(
    nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = "echo no such package >&2; exit 1"
    monkeypatch.setenv(PYTHON_VARIABLE, script(tmp_path / "fake" / "python", pip=pip))
    with pytest.raises(SimulationError) as caught:
        run_lava([fixed()], [5])
    assert str(caught.value).startswith(
        "could not install lava-nc==0.10.0 for lava-nc: it ended with 1 and said: no such package"
    )
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_environment_is_made_once(
    nowhere: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake = script(tmp_path / "fake" / "python")
    python = python310.environment(fake)
    assert python.exists() and "Making an environment with lava-nc" in capsys.readouterr().err
    assert python310.environment() == python  # no Python is looked for any more
    assert capsys.readouterr().err == ""


def test_backgrounds_reach_a_population_of_cells_alone() -> None:
    """Two runs of one seed are the same, of two seeds are not, and a longer one goes on from it."""
    noise = Background("noise", "cells", DELTA, Hz(400), mV(0.8), n=10)
    network = replace(alone(), backgrounds=(noise,))
    first, again, other = (
        simulate(network, duration_ms=300, seed=seed, backend="lava").spikes["cells"]
        for seed in (1, 1, 2)
    )
    longer = simulate(network, duration_ms=400, seed=1, backend="lava").spikes["cells"]
    assert len(first) > 20
    assert first == again and first != other
    assert longer.between(0, 300) == first


def test_a_zero_capacitance_is_not_divided_by() -> None:
    with pytest.raises((BackendUnsupported, NetworkError, SimulationError)) as caught:
        prepare(alone(C=pF(0)), backend="lava")
    assert "\n" not in str(caught.value)
