"""Run networks with the real lava-nc; a script for Python 3.10, which Ember starts.

    python worker.py FOLDER      or      uv run --script worker.py FOLDER

FOLDER holds `job.json` and `job.npz`, as `exchange` writes them; what was found goes beside them.
Lava looks for process models in the folder of the script, so the script is run from a copy that
stands alone. It imports nothing of Ember, and Lava only when it is run, for Ember's own Python
has none.
"""

# /// script
# requires-python = "==3.10.*"
# dependencies = ["lava-nc==0.10.0"]
# ///

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def lava(module: str, *names: str) -> Any:
    """The named parts of a module of Lava."""
    loaded = import_module(f"lava.{module}")
    found = [getattr(loaded, name) for name in names]
    return found[0] if len(found) == 1 else found


def define_watch(watched: list[bool]) -> Any:
    """A class of processes that keep the spikes of many processes of cells, one port for each.

    Of those that are `watched` it keeps the states after each step as well. In the last step it
    saves everything, for Lava's own way back sends one number at a time. The class and its model
    are put into this module, where Lava looks for them.
    """
    process = lava("magma.core.process.process", "AbstractProcess")
    in_port, ref_port = lava("magma.core.process.ports.ports", "InPort", "RefPort")
    py_model = lava("magma.core.model.py.model", "PyLoihiProcessModel")
    py_in, py_ref = lava("magma.core.model.py.ports", "PyInPort", "PyRefPort")
    py_type = lava("magma.core.model.py.type", "LavaPyType")
    implements, requires, tag = lava("magma.core.decorator", "implements", "requires", "tag")
    cpu = lava("magma.core.resources", "CPU")
    protocol = lava("magma.core.sync.protocols.loihi_protocol", "LoihiProtocol")
    ports = [f"spikes_{j}" for j in range(len(watched))]
    states = [f"{name}_{j}" for j, wanted in enumerate(watched) if wanted for name in "uv"]

    def set_up(self: Any, sizes: list[int], **settings: Any) -> None:
        process.__init__(self, **settings)
        for j, port in enumerate(ports):
            setattr(self, port, in_port(shape=(sizes[j],)))
        for state in states:
            setattr(self, state, ref_port(shape=(sizes[int(state[2:])],)))

    class Model(py_model):  # type: ignore[misc, valid-type]
        """Keeps what it sees in memory until the last step."""

        def __init__(self, proc_params: Any) -> None:
            super().__init__(proc_params)
            self.settings = {key: proc_params[key] for key in ("path", "n_steps", "cells")}
            self.found: dict[str, list[Any]] = {state: [] for state in states}
            for j in range(len(ports)):
                self.found |= {f"steps_{j}": [], f"units_{j}": []}

        def run_spk(self) -> None:
            """Take this step's spikes."""
            for j, port in enumerate(ports):
                fired = np.flatnonzero(getattr(self, port).recv())
                self.found[f"units_{j}"].append(fired)
                self.found[f"steps_{j}"].append(np.full(fired.size, self.time_step - 1))
            if not states:
                self.save()

        def post_guard(self) -> bool:
            """Whether to look again when all cells are done with the step."""
            return bool(states)

        def run_post_mgmt(self) -> None:
            """Take the states as the step left them."""
            for state in states:
                chosen = self.settings["cells"][int(state[2:])]
                self.found[state].append(getattr(self, state).read()[chosen].astype(np.int64))
            self.save()

        def save(self) -> None:
            """Write the file, in the last step."""
            if self.time_step == self.settings["n_steps"]:
                joined: Any = {
                    name: np.stack(kept) if name in states else np.concatenate(kept)
                    for name, kept in self.found.items()
                }
                np.savez(self.settings["path"], **joined)

    for port in ports:
        setattr(Model, port, py_type(py_in.VEC_DENSE, np.int32))
    for state in states:
        setattr(Model, state, py_type(py_ref.VEC_DENSE, np.int32))
    watch = type("Watch", (process,), {"__init__": set_up, "__module__": __name__})
    model = implements(proc=watch, protocol=protocol)(requires(cpu)(tag("fixed_pt")(Model)))
    globals().update(Watch=watch, WatchModel=model)
    return watch


def build(network: dict[str, Any], folder: Path, k: int) -> Any:
    """Lava's processes of one network; the one that watches all cells, and so joins them."""
    n_steps = network["n_steps"]
    made = {cells["name"]: make_cells(cells) for cells in network["cells"]}
    heard = {synapses["source"] for synapses in network["synapses"]}
    for inputs in network["inputs"]:
        if inputs["name"] in heard:
            made[inputs["name"]] = make_inputs(inputs, n_steps)
    for synapses in network["synapses"]:
        source, target = made[synapses["source"]], made[synapses["target"]]
        process = make_synapses(synapses, source.s_out.shape[0], target.a_in.shape[0])
        source.s_out.connect(process.s_in)
        process.a_out.connect(target.a_in)
    chosen = [cells["watched"] for cells in network["cells"]]
    watch = define_watch([bool(len(cells)) for cells in chosen])(
        sizes=[cells["n"] for cells in network["cells"]],
        n_steps=n_steps,
        cells=chosen,
        path=str(folder / f"found_{k}.npz"),
    )
    for j, cells in enumerate(network["cells"]):
        process = made[cells["name"]]
        process.s_out.connect(getattr(watch, f"spikes_{j}"))
        if len(chosen[j]):
            getattr(watch, f"u_{j}").connect_var(process.u)
            getattr(watch, f"v_{j}").connect_var(process.v)
    return watch


def make_cells(cells: dict[str, Any]) -> Any:
    """A LIF or LIFReset process."""
    settings = {key: cells[key] for key in ("du", "dv", "vth", "bias_mant", "bias_exp", "u", "v")}
    if not cells["reset_interval"]:
        return lava("proc.lif.process", "LIF")(shape=(cells["n"],), **settings)
    return lava("proc.lif.process", "LIFReset")(
        shape=(cells["n"],),
        reset_interval=cells["reset_interval"],
        reset_offset=cells["reset_offset"],
        **settings,
    )


def make_inputs(inputs: dict[str, Any], n_steps: int) -> Any:
    """A ring buffer that holds the whole run."""
    data = np.zeros((inputs["n"], n_steps), np.int32)
    within = inputs["steps"] < n_steps
    data[inputs["units"][within], inputs["steps"][within]] = inputs["payload"][within]
    return lava("proc.io.source", "RingBuffer")(data=data)


def make_synapses(synapses: dict[str, Any], n_sources: int, n_targets: int) -> Any:
    """A process of synapses of the kind asked for."""
    kind, shape = synapses["kind"], (n_targets, n_sources)
    where = synapses["targets"], synapses["sources"]
    settings = {
        "weight_exp": synapses["weight_exp"],
        "num_weight_bits": synapses["num_weight_bits"],
        "num_message_bits": synapses["num_message_bits"],
    }
    if synapses["sign_mode"] != "auto":
        modes = lava("utils.weightutils", "SignMode")
        settings["sign_mode"] = modes[synapses["sign_mode"].upper()]
    if "sparse" in kind:
        csr_matrix = import_module("scipy.sparse").csr_matrix

        def matrix(values: Any, dtype: Any) -> Any:
            return csr_matrix((values.astype(dtype), where), shape=shape)
    else:

        def matrix(values: Any, dtype: Any) -> Any:
            full = np.zeros(shape, dtype)
            full[where] = values
            return full

    settings["weights"] = matrix(synapses["weights"], np.int32)
    if "delay" in kind:
        settings["delays"] = matrix(synapses["delays"], int)
        settings["max_delay"] = int(synapses["delays"].max(initial=0))
    names = {
        "dense": ("proc.dense.process", "Dense"),
        "delay_dense": ("proc.dense.process", "DelayDense"),
        "sparse": ("proc.sparse.process", "Sparse"),
        "delay_sparse": ("proc.sparse.process", "DelaySparse"),
    }
    return lava(*names[kind])(**settings)


def run(network: dict[str, Any], folder: Path, k: int) -> float:
    """Run one network; the seconds that its steps took, but for the first, in which Lava starts."""
    run_steps = lava("magma.core.run_conditions", "RunSteps")
    run_config = lava("magma.core.run_configs", "Loihi1SimCfg")
    process, n_steps = build(network, folder, k), network["n_steps"]
    process.run(condition=run_steps(num_steps=1), run_cfg=run_config(select_tag="fixed_pt"))
    started = time.perf_counter()
    if n_steps > 1:
        process.run(
            condition=run_steps(num_steps=n_steps - 1), run_cfg=run_config(select_tag="fixed_pt")
        )
    seconds = time.perf_counter() - started
    process.stop()
    return seconds


def read_job(folder: Path) -> Iterator[dict[str, Any]]:
    """The networks of a job, with their arrays in place."""
    described = json.loads((folder / "job.json").read_text("utf-8"))
    with np.load(folder / "job.npz", allow_pickle=False) as arrays:
        for network in described["networks"]:
            for part in parts_of(network):
                for key, name in part.pop("arrays").items():
                    part[key] = arrays[name]
            yield network


def parts_of(network: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """All processes of a network."""
    return (*network["cells"], *network["synapses"], *network["inputs"])


def search_once() -> None:
    """Let Lava look for models once a class; it would import whole folders for each process."""
    graphs = lava("magma.compiler.compiler_graphs", "ProcGroupDiGraphs")
    search, found = graphs._find_proc_models, dict[type, Any]()

    def remembered(proc: Any) -> Any:
        if type(proc) not in found:
            found[type(proc)] = search(proc)
        return found[type(proc)]

    graphs._find_proc_models = staticmethod(remembered)


def main(folder: Path) -> None:
    """Run the job in a folder."""
    search_once()
    seconds = [run(network, folder, k) for k, network in enumerate(read_job(folder))]
    (folder / "done.json").write_text(json.dumps({"seconds": seconds}), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
