"""Whole networks in torch: the reference's spikes in double precision, alone or in a batch.

The reference is Brian2, or numba, which other tests hold to it and whose random numbers are the
same.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from neuro import Background, Network, Recording, Spikes, simulate
from neuro.backends.norse.engine import run_rows
from neuro.backends.norse.making import torch_network
from neuro.backends.norse.network import Output, TorchNetwork
from neuro.errors import BackendUnsupported, ConfigError, NetworkError, SimulationError
from neuro.models import LIF, POISSON
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.network import Population, Projection, Record, Source
from neuro.synapses import DELTA, EXPONENTIAL_CURRENT
from neuro.units import Hz, Quantity, ms, mV, nM, pA, pF
from neuro.wiring import Listed, Pairwise
from tests.backends import _networks as networks
from tests.backends._models import MODELLED
from tests.backends._plain import plain_kernels
from tests.backends._plastic import PLASTIC
from tests.backends._plastic import RECORDS as PLASTIC_RECORDS
from tests.backends.test_agreement import RECORDS, disagreement

F64 = torch.float64


def noisy() -> Network:
    """Chance of every kind: Poisson cells, Poisson input, and a membrane that diffuses."""
    diffusing = replace(
        LIF, name="diffusing", method="euler",
        equations=LIF.equations.replace("/ C : volt", "/ C + 2*mV*xi/sqrt(10*ms) : volt"),
    )  # fmt: skip
    assert "xi" in diffusing.equations
    return Network(
        "noisy",
        (
            Population("e", diffusing, 40, {"I_ext": pA(350)}),
            Population("p", POISSON, 50, {"rate": Hz(40)}),
        ),
        projections=(
            Projection("ee", "e", "e", EXPONENTIAL_CURRENT, Pairwise(0.2), pA(30), ms(1)),
            Projection("pe", "p", "e", EXPONENTIAL_CURRENT, Pairwise(0.2), pA(100), ms(1)),
        ),
        backgrounds=(Background("noise", "e", EXPONENTIAL_CURRENT, Hz(8), pA(20), n=200),),
    )


MANY = {name: MODELLED[name] for name in ("receptors", "driven_in_stages")}
EVERYTHING = {**networks.DETERMINISTIC, **PLASTIC, **MANY, "noisy": noisy}
KEPT = {
    **RECORDS, **PLASTIC_RECORDS,
    **{name: [Record(p.name, "v", 0.5) for p in make().populations] for name, make in MANY.items()},
}  # fmt: skip
DURATIONS_MS = {"driven": 90.0, "learning": 30.0, "odd": 30.0, "noisy": 40.0}  # of the others, 60


@cache
def reference(name: str) -> Recording:
    """What the network does, told by another back end: of those that do, by the one that has it
    soonest.
    """
    by_numba = name == "noisy" or name in MANY
    backend, options = ("numba", {"precision": "float64"}) if by_numba else ("brian", {})
    # The kernels of the others are compiled for `test_model_agreement.py`, too.
    with plain_kernels() if name == "noisy" else nullcontext():
        return simulate(
            EVERYTHING[name](), duration_ms=DURATIONS_MS.get(name, 60.0), seed=3, backend=backend,
            options=options, record=KEPT.get(name, []),
        )  # fmt: skip


def spikes_of(output: Output, name: str, row: int = 0, dt_ms: float = 0.1) -> Spikes:
    """One row's spikes as every back end gives them."""
    spikes = output.spikes[name]
    step, unit = spikes[:, row].detach().nonzero(as_tuple=True)
    return Spikes(
        step.numpy() * dt_ms, unit.numpy(), n_units=spikes.shape[2],
        t_stop_ms=spikes.shape[0] * dt_ms,
    )  # fmt: skip


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_kind_of_network_agrees_with_the_reference(name: str) -> None:
    """Spikes, traces, weights of edges, concentrations and factors, with chance and without."""
    ours = simulate(
        EVERYTHING[name](), duration_ms=DURATIONS_MS.get(name, 60.0), seed=3, backend="norse",
        options={"precision": "float64"}, record=KEPT.get(name, []),
    )  # fmt: skip
    assert disagreement(ours, reference(name)) == []
    for spikes in reference(name).spikes.values():
        assert len(spikes) > 3  # silence agrees with anything


@pytest.mark.parametrize(
    ("name", "before", "n_steps", "trained"),
    [
        ("cuba", 0, 150, "ee.weight"),
        ("driven", 0, 900, "sa.weight"),
        # The weight of a plastic edge is part of the state: what is carried no longer follows it.
        ("learning", 60, 60, "ei.weight"),
        ("odd", 150, 40, "ee.weight"),
    ],
)
def test_products_with_gradients_give_the_spikes_of_events_without(
    name: str, before: int, n_steps: int, trained: str
) -> None:
    """Both ways to deliver, one after the other: the state of one is where the other goes on."""
    network = EVERYTHING[name]()
    model = torch_network(network, seed=3, dtype=F64, trainable=[trained], checkpoint=False)
    state, earlier = None, {}
    if before:
        with torch.no_grad():
            first, state = model(n_steps=before)
            earlier = first.spikes
    output, _ = model(n_steps=n_steps, state=state)
    until_ms = (before + n_steps) * 0.1
    for population in network.populations:
        spikes = output.spikes[population.name]
        assert spikes.requires_grad
        if before:
            spikes = torch.cat([earlier[population.name], spikes])
        whole = output._replace(spikes={population.name: spikes})
        expected = reference(name).spikes[population.name].between(0.0, until_ms)
        assert spikes_of(whole, population.name) == expected
    assert sum(float(s.sum()) for s in output.spikes.values()) >= 3


def test_sparse_and_dense_products_agree() -> None:
    """The same operator either way, and its gradients, within rounding of sums of 40 terms."""
    model = torch_network(networks.cuba(), seed=3, dtype=F64)
    from neuro.backends.norse.connectivity import Paths

    built = next(p for p in model.built.projections if p.projection.name == "ee")
    dense, sparse = Paths(built, dense=True), Paths(built, dense=False)
    assert dense.dense and not sparse.dense
    generator = torch.Generator().manual_seed(0)
    window = torch.rand(
        dense.depth - dense.shortest + 3, 5, 160, dtype=F64, generator=generator
    ).requires_grad_()
    weights = torch.rand(dense.n_edges, dtype=F64, generator=generator).requires_grad_()
    found = []
    for paths in (dense, sparse):
        out = paths(paths.taps(window), paths.prepare(weights))
        gradients = torch.autograd.grad(out.square().sum(), (window, weights))
        found.append((out.detach(), *gradients))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    # What it must be, edge by edge.
    expected = torch.zeros(3, 5, 160, dtype=F64)
    for edge in range(dense.n_edges):
        source, target = int(built.source[edge]), int(built.target[edge])
        for step in range(3):
            at = dense.depth + step - int(built.delay_steps[edge])
            expected[step, :, target] += weights[edge].detach() * window[at, :, source].detach()
    torch.testing.assert_close(found[0][0], expected, rtol=1e-12, atol=1e-12)


def test_a_run_in_pieces_is_the_run() -> None:
    """A carried state holds what is under way: delays, traces of synapses, releases."""
    network = PLASTIC["learning"]()
    with torch.no_grad():
        model = torch_network(network, seed=3, dtype=F64)
        whole, _ = model(n_steps=300, record=["ee.w"])
        first, state = model(n_steps=123, record=["ee.w"])
        second, _ = model(n_steps=177, state=state, record=["ee.w"])
    for name, spikes in whole.spikes.items():
        assert torch.equal(spikes, torch.cat([first.spikes[name], second.spikes[name]]))
        assert spikes.sum() > 5
    weights = torch.cat([first.traces["ee.w"], second.traces["ee.w"]])
    assert torch.equal(whole.traces["ee.w"], weights)
    # The carried state was not changed by going on from it.
    with torch.no_grad():
        again, _ = model(n_steps=177, state=state)
    assert all(torch.equal(again.spikes[n], second.spikes[n]) for n in again.spikes)


def dosed() -> Network:
    """Cells that release what modulates them, their input, a static and a plastic projection."""
    base = PLASTIC["learning"]()
    kept = ("ee", "ei", "ie", "ii", "se")
    return replace(
        base,
        populations=(*base.populations, Population("p", POISSON, 20, {"rate": Hz(60)})),
        projections=(
            *(p for p in base.projections if p.name in kept),
            Projection("pe", "p", "e", EXPONENTIAL_CURRENT, Pairwise(0.3), pA(90), ms(1.2)),
        ),
        effects=tuple(e for e in base.effects if e.target in {*kept, "e", "reasoner"}),
        backgrounds=(Background("noise", "i", EXPONENTIAL_CURRENT, Hz(10), pA(40), n=50),),
    )


SETTINGS = {
    "da.per_spike": [5.0, 60.0, 20.0], "d1.ec50": [40.0, 10.0, 90.0], "d2.e.g_L": [0.9, 0.5, 1.2],
    "e.I_ext": [420.0, 460.0, 380.0], "pe.weight": [90.0, 20.0, 150.0],
    "noise.weight": [40.0, 10.0, 80.0], "ee.tau_plus": [20.0, 5.0, 40.0],
    "i.v_init": [-60.0, -55.0, -65.0],
}  # fmt: skip


def test_each_row_of_a_batch_of_settings_is_a_run_of_its_own() -> None:
    """Settings of every kind, and a seed for each row, against networks that have those values."""
    model = torch_network(dosed(), seed=3, dtype=F64)
    seeds = [3, 11, 12]
    rows = run_rows(
        model, duration_ms=25, settings=SETTINGS, seeds=seeds, record=[Record("ee", "w", 5.0)]
    )
    digests = set()
    for k, row in enumerate(rows):
        alone = run_rows(
            model, duration_ms=25, settings={n: [v[k]] for n, v in SETTINGS.items()},
            seeds=[seeds[k]], record=[Record("ee", "w", 5.0)],
        )[0]  # fmt: skip
        assert disagreement(row, alone) == []
        assert all(len(spikes) > 3 for spikes in row.spikes.values())
        digests.add(tuple(np.round(row.spikes["e"].times_ms, 3)))
    assert len(digests) == 3  # rows do differ

    # And that alone is what a network with these values written into it gives.
    base, k = dosed(), 1
    written = replace(
        base,
        populations=tuple(
            replace(
                p, parameters={**p.parameters, **({"I_ext": pA(460)} if p.name == "e" else {})},
                initial={**p.initial, **({"v": Quantity(-55.0, LIF.parameters["E_L"].dimension)}
                                         if p.name == "i" else {})},
            )
            for p in base.populations
        ),
        projections=tuple(
            replace(p, weight=pA(20)) if p.name == "pe"
            else replace(p, parameters={**p.parameters, "tau_plus": ms(5)}) if p.name == "ee" else p
            for p in base.projections
        ),
        transmitters=(replace(base.transmitters[0], per_spike=nM(60)),),
        receptors=tuple(replace(r, ec50=nM(10)) if r.name == "d1" else r for r in base.receptors),
        effects=tuple(
            replace(e, at_saturation=0.5) if (e.receptor, e.target) == ("d2", "e") else e
            for e in base.effects
        ),
        backgrounds=(replace(base.backgrounds[0], weight=pA(10)),),
    )  # fmt: skip
    alone = run_rows(model, duration_ms=25, settings={n: [v[k]] for n, v in SETTINGS.items()})[0]
    by_hand = simulate(
        written, duration_ms=25, seed=3, backend="norse", options={"precision": "float64"}
    )
    for name in ("e", "i", "p"):
        assert alone.spikes[name] == by_hand.spikes[name]


def test_a_wrong_row_is_found() -> None:
    """Known-bad: the settings of another row."""
    model = torch_network(dosed(), seed=3, dtype=F64)
    rows = run_rows(model, duration_ms=40, settings=SETTINGS)
    assert "spikes of e" in disagreement(rows[0], rows[1])


def test_one_seed_one_result() -> None:
    network = noisy()

    def spikes(**options: object) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            return torch_network(network, seed=5)(n_steps=150, **options)[0].spikes

    state = torch.random.get_rng_state()
    first, again, other = spikes(), spikes(), spikes(seeds=6)
    assert torch.equal(state, torch.random.get_rng_state())  # no global generator takes part
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert first["p"].sum() > 10 and not torch.equal(first["p"], other["p"])
    both = spikes(seeds=[6, 5])
    assert torch.equal(both["e"][:, 1], first["e"][:, 0])
    assert torch.equal(both["e"][:, 0], other["e"][:, 0])


def test_given_inputs_replace_the_networks_own() -> None:
    network = networks.driven()
    with torch.no_grad():
        model = torch_network(network, seed=3, dtype=F64)
        own, _ = model(n_steps=900)
        step, unit = model.built.sources[0].steps, model.built.sources[0].units
        spikes = torch.zeros(900, 2, 50, dtype=F64)
        within = step < 900
        spikes[torch.from_numpy(step[within]), 0, torch.from_numpy(unit[within])] = 1
        waves = torch.from_numpy(network.drives[0].values)[torch.arange(900) // 100][:, None]
        given, _ = model({"s": spikes, "a.x": waves.expand(-1, 2, -1)})
    assert own.spikes["a"].sum() > 3
    assert torch.equal(own.spikes["a"][:, 0], given.spikes["a"][:, 0])
    assert not torch.equal(own.spikes["a"][:, 0], given.spikes["a"][:, 1])  # no source spikes


def test_a_streamed_parameter_takes_its_value_at_each_step() -> None:
    """A step of current, given as a tensor, is the drive's step of current."""
    network = Network("one", (Population("cells", LIF, 3),))
    current = torch.zeros(400, 2, 3, dtype=F64)
    current[100:, 1] = 600.0
    model = torch_network(network, dtype=F64, streamed=["cells.I_ext"])
    output, _ = model({"cells.I_ext": current})
    assert output.spikes["cells"][:, 0].sum() == 0
    times = output.spikes["cells"][:, 1, 0].nonzero()[:, 0]
    assert times.min() > 100 and len(times) >= 1
    with torch.no_grad():  # the first spike of a membrane that starts to charge at 10 ms
        constant = torch_network(network, dtype=F64)(
            n_steps=300, settings={"cells.I_ext": [600.0]}
        )[0]
    assert int(times[0]) - 100 == int(constant.spikes["cells"][:, 0, 0].nonzero()[0, 0])


def test_weights_in_bfloat16_leave_states_alone() -> None:
    """Rounding weights to 8 bits changes the voltage by what 2^-8 of its input makes of it."""
    network = networks.driven()
    network = replace(
        network,
        projections=(
            replace(network.projections[0], synapse=EXPONENTIAL_CURRENT, weight=pA(31.7)),
        ),
    )
    runs = []
    for half in (False, True):
        model = torch_network(network, seed=3, trainable=["sa.weight"], half=half)
        assert model.paths["sa"].dense
        output, _ = model(n_steps=400, record=["a.v", "a.sa.I_syn"])
        assert output.traces["a.v"].dtype == torch.float32
        output.traces["a.v"].sum().backward()
        runs.append((output.traces["a.sa.I_syn"].detach(), model))
    exact, rounded = runs[0][0], runs[1][0]
    assert not torch.equal(exact, rounded)
    assert float((exact - rounded).abs().max()) <= 2.0**-8 * float(exact.abs().max())
    gradients = [model.weights["sa"].weight.grad for _, model in runs]
    assert all(bool(torch.isfinite(g).all()) and bool(g.abs().sum() > 0) for g in gradients)


def test_memory_does_not_grow_with_the_run() -> None:
    """A long run comes in pieces of a bounded number of steps."""
    model = torch_network(networks.cuba(), seed=3)
    with torch.no_grad():
        pieces = [p.spikes["e"].shape[0] for _, p in model.stream(n_steps=1100)]
        batch = [p.spikes["e"].shape[0] for _, p in model.stream(n_steps=120, batch=256)]
    assert sum(pieces) == 1100 and max(pieces) <= 1000
    assert sum(batch) == 120 and max(batch) < 50  # a wide batch is taken in shorter pieces


def test_compiled_code_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known-bad: a `compiled` function that loses a spike, and one that is off by a millivolt."""
    import neuro.backends.norse.compiled as compiled
    from neuro.backends.norse.free_run import free_run

    def loses_a_spike(*arguments: object):
        spikes, state, traces = free_run(*arguments)
        spikes = spikes.clone()
        spikes[tuple(spikes.nonzero()[0])] = 0
        return spikes, state, traces

    def is_off(*arguments: object):
        spikes, state, traces = free_run(*arguments)
        values = (state.values[0] + 1.0, *state.values[1:])
        return spikes, state._replace(values=values), traces

    network = Network("one", (Population("cells", LIF, 3, {"I_ext": pA(900)}),))
    for bad, what in ((loses_a_spike, "spikes that differ"), (is_off, "states that differ")):
        monkeypatch.setattr(compiled, "_compile", lambda cell, bad=bad: bad)
        with pytest.raises(SimulationError, match=what):
            torch_network(network, compile=100)(n_steps=300)
    monkeypatch.setattr(compiled, "_compile", lambda cell: free_run)
    with torch.no_grad():
        output, _ = torch_network(network, compile=100)(n_steps=300)
    assert output.spikes["cells"].sum() >= 3


def test_compiled_and_uncompiled_steps_give_the_same_spikes_and_gradients() -> None:
    """Spikes are equal; gradients, which are summed in another order, to within rounding.

    A block of 2 steps holds all that a longer one does: a step goes on from the one before. As the
    start is trained too, the first block has a gradient like the others, and is no other code.
    """
    spikes = Spikes(np.arange(0.0, 30.0, 0.5), np.arange(60) % 4, n_units=4, t_stop_ms=30)
    network = Network(
        "compiled",
        (Population("a", LIF, 8, {"I_ext": np.linspace(700.0, 1000.0, 8)}),),
        (Source("s", spikes),),
        (Projection("sa", "s", "a", DELTA, Pairwise(0.5), mV(2), ms(0.3)),),
    )  # fmt: skip
    found = []
    for compile in (False, 2):
        model = torch_network(
            network, seed=3, dtype=F64, trainable=["sa.weight", "a.g_L", "a.v_init"],
            compile=compile,
        )  # fmt: skip
        output, _ = model(n_steps=200, record=["a.v"])
        (output.spikes["a"].sum() + output.traces["a.v"].mean()).backward()
        found.append((output, [p.grad for p in model.parameters()]))
    (eager, ours), (compiled, theirs) = found
    assert bool((eager.spikes["a"].sum(0) >= 2).all())  # each goes through a reset and a pause
    assert torch.equal(eager.spikes["a"], compiled.spikes["a"])
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
        assert one.abs().sum() > 0


def test_what_it_cannot_do_is_refused_by_name() -> None:
    """A spike that adds what is modulated; numba and norse would both have to divide it up."""
    scaled = replace(
        EXPONENTIAL_CURRENT, name="scaled", on_pre="I_syn += w*k",
        parameters={**EXPONENTIAL_CURRENT.parameters, "k": Quantity(2.0)},
    )  # fmt: skip
    bent = replace(scaled, name="bent", on_pre="I_syn += clip(w*k, 0*pA, 50*pA)")
    cells = Population("e", LIF, 2)

    def network(synapse, parameter: str) -> Network:
        return Network(
            "refused", (cells,),
            projections=(Projection("ee", "e", "e", synapse, Pairwise(1.0), pA(30), ms(1)),),
            transmitters=(Transmitter("na", "e", nM(10)),), receptors=(Receptor("b", "na", nM(5)),),
            effects=(Effect("b", "ee", parameter, 2.0),),
        )  # fmt: skip

    with pytest.raises(
        BackendUnsupported, match=r"`norse` cannot run `scaled`.*modulated `\w+\.k`"
    ):
        simulate(network(scaled, "k"), duration_ms=1, backend="norse")
    with pytest.raises(BackendUnsupported, match=r"`bent`.*in proportion"):
        simulate(network(bent, "weight"), duration_ms=1, backend="norse")
    simulate(network(scaled, "weight"), duration_ms=1, backend="norse")


def tiny() -> TorchNetwork:
    source = Source("s", Spikes(np.zeros(0), np.zeros(0, int), n_units=2, t_stop_ms=10))
    return torch_network(
        Network(
            "tiny", (Population("cells", LIF, 2),), (source,),
            (Projection("ff", "s", "cells", EXPONENTIAL_CURRENT, Listed([0, 1], [0, 1]), pA(30),
                        ms(1)),),
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": {"x": torch.zeros(5, 1, 2)}}, "`x` must be a source"),
        ({"inputs": {"s": torch.zeros(5, 2)}}, r"must be \(n_steps, batch, 2\)"),
        ({"inputs": {"s": torch.full((5, 1, 2), float("nan"))}}, "must be finite"),
        ({"inputs": {"s": torch.zeros(5, 2, 2)}, "settings": {"cells.I_ext": [1.0]}}, "batch must"),
        ({"inputs": {"s": torch.zeros(5, 1, 2)}, "n_steps": 7}, "n_steps must be one number"),
        ({}, "n_steps must be at least 1"),
        ({"n_steps": 5, "settings": {"cells.tau": [1.0]}}, "`cells.tau` must be a parameter"),
        ({"n_steps": 5, "settings": {"cells.I_ext": 1.0}}, "one value a row"),
        ({"n_steps": 5, "settings": {"cells.I_ext": [float("inf")]}}, "must be finite"),
        ({"n_steps": 5, "settings": {"ff.tau": [[1.0, 2, 3]]}}, r"must be \(1,\) or \(1, 2\)"),
        ({"n_steps": 5, "record": ["cells.u"]}, "no variable `u`"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(arguments: dict, message: str) -> None:
    with pytest.raises(NetworkError, match=message) as error:
        tiny()(**arguments)
    assert "\n" not in str(error.value)


def test_bad_options_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network("one", (Population("cells", LIF, 2),))
    for options, message in (
        ({"device": "tpu"}, "cpu, cuda or cuda:N"),
        ({"precision": "bfloat16"}, "float32 or float64"),
        ({"threads": 2}, "no option `threads`"),
    ):
        with pytest.raises(ConfigError, match=message):
            simulate(network, duration_ms=1, backend="norse", options=options)
    with pytest.raises(ConfigError, match=r"one.*only if all are equal"):
        torch_network(
            replace(network, populations=(Population("cells", LIF, 2, {"g_L": [10.0, 12.0]}),)),
            trainable={"cells.g_L": "one"},
        )
    with pytest.raises(ConfigError, match="`each` or `one`"):
        torch_network(network, trainable={"cells.g_L": "all"})
    with pytest.raises(NetworkError, match=r"did you mean `cells\.g_L`"):
        torch_network(network, trainable=["cells.gL"])


def test_cuda_asked_for_and_absent_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    network = Network("one", (Population("cells", LIF, 2),))
    with pytest.raises(ConfigError, match="`cuda` must be there, found no CUDA") as error:
        simulate(network, duration_ms=1, backend="norse", options={"device": "cuda"})
    assert "\n" not in str(error.value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="`cuda:3` must be there, found 1"):
        torch_network(network, device="cuda:3")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_spikes_of_the_cpu() -> None:
    network = networks.cuba()
    runs = [
        simulate(
            network, duration_ms=20, seed=3, backend="norse",
            options={"precision": "float64", "device": device},
        )
        for device in ("cpu", "cuda")
    ]  # fmt: skip
    assert disagreement(*runs) == []


def test_a_state_that_is_no_number_ends_the_run() -> None:
    """What was recorded until then is kept, and the line names the cell and its row."""
    growing = replace(
        LIF,
        name="growing",
        equations="dv/dt = v*v/(1*mV*ms) + I/C : volt",
        method="euler",
        threshold="",
        reset="",
        refractory="",
        parameters={"C": pF(250)},
        initial={"v": mV(5)},
    )
    network = Network("diverges", (Population("cells", growing, 2, {"I_ext": pA(100)}),))
    with pytest.raises(SimulationError, match="`v` of cell 0 became") as error:
        simulate(network, duration_ms=200, backend="norse")
    assert error.value.recording is not None
    model = torch_network(network)
    with pytest.raises(SimulationError, match="of cell 0 in row 1 became"):
        run_rows(model, duration_ms=200, settings={"cells.v_init": [0.0, 5.0],
                                                   "cells.I_ext": [0.0, 100.0]})  # fmt: skip


def test_a_config_runs_on_it(tmp_path: Path) -> None:
    """`backend: {name: norse, …}` gives the reference's spikes; a foreign option is refused."""
    from sims.config import load
    from sims.run import run_experiment

    path = tmp_path / "small.yaml"
    asked = "backend: {name: norse, precision: float64}"
    text = (
        f"name: small\nduration: 40 ms\nseed: 3\n{asked}\n"
        "circuits: {cuba: {circuit: vogels_abbott, variant: cuba, n_cells: 200}}\n"
    )
    path.write_text(text.replace(asked, "backend: {name: brian}"), encoding="utf-8")
    expected = run_experiment(load(path)).recording
    path.write_text(text, encoding="utf-8")
    ours = run_experiment(load(path)).recording
    assert (ours.backend, expected.backend) == ("norse", "brian")
    assert sum(len(s) for s in ours.spikes.values()) > 20
    assert all(ours.spikes[name] == expected.spikes[name] for name in expected.spikes)
    with pytest.raises(ConfigError, match="back end `norse` has no such option"):
        load(path, ["backend.codegen=numpy"])
    with pytest.raises(ConfigError, match=r"backend\.device"):
        load(path, ["backend.device=gpu"])


def test_without_pytorch_it_says_what_to_install() -> None:
    """In a process that cannot import torch, numba still runs and norse says what is missing."""
    code = """
import sys
sys.modules["torch"] = None
from neuro import Network, Population, simulate
from neuro.errors import ConfigError
from neuro.models import LIF
network = Network("one", (Population("cells", LIF, 2),))
try:
    simulate(network, duration_ms=1, backend="norse")
except ConfigError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert "ember-neuro[train]" in done.stdout and "not installed" in done.stdout
