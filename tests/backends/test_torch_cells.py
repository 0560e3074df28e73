"""One population in torch: numba's spikes, and gradients that finite differences confirm."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from neuro import Network, NeuronModel, Population, Record, Recording, simulate
from neuro.backends.norse.cells import CellStep
from neuro.backends.norse.surrogate import Surrogate
from neuro.build import build
from neuro.errors import ConfigError, NetworkError, SimulationError
from neuro.models import ADEX, GIF, HODGKIN_HUXLEY, LEAKY_INTEGRATOR, LIF, MODELS, POISSON
from neuro.units import Hz, Quantity, ms, mV, nS, pA
from tests.backends._networks import DRIVEN, driven
from tests.backends._torch import built, events, recorded, stepped

pytestmark = pytest.mark.usefixtures("plain")

DT_MS, N_STEPS, N = 0.1, 800, 6
POINTS = {  # pA, from quiet to fast
    "lif": (300, 500), "adex": (400, 1200), "izhikevich": (600, 1500), "quadratic_if": (150, 500),
    "gif": (250, 400), "leaky_integrator": (0, 300), "hodgkin_huxley": (700, 2000),
    "poisson": (0, 0),
}  # fmt: skip
COMPARTMENTS = {
    "wang_buzsaki": (100, 300), "traub_miles": (200, 900), "pinsky_rinzel": (150, 300),
    "rothman_manis_i_c": (100, 400), "rothman_manis_i_t": (200, 400),
    "rothman_manis_ii": (400, 900),
}  # fmt: skip
CURRENTS = POINTS | COMPARTMENTS
# A step rounds v, of at most about 100 mV, some tens of times, each by half a unit in the last
# place: 100 mV * 2**-53 * 50.
ROUNDING_MV = 1e-12


def population(name: str) -> Population:
    """Cells that differ in what drives them, in a parameter, and in where they start."""
    model = MODELS[name]
    if name == "poisson":
        return Population(name, model, N, {"rate": Hz(np.linspace(20, 100, N))})
    start = model.initial["v"]
    v = float(model.parameters[start] if isinstance(start, str) else start)
    c = float(model.parameters["C"])
    return Population(
        name, model, N,
        {"I_ext": np.linspace(*CURRENTS[name], N), "C": c * np.geomspace(0.9, 1.1, N)},
        {"v": v + np.linspace(0, 2, N)},
    )  # fmt: skip


@cache
def by_numba(names: tuple[str, ...]) -> Recording:
    """Several models in one run."""
    populations = tuple(population(name) for name in names)
    records = [Record(p.name, "v", DT_MS) for p in populations if p.name != "poisson"]
    return simulate(
        Network("all", populations), duration_ms=DT_MS * N_STEPS, dt_ms=DT_MS, seed=3,
        backend="numba", options={"precision": "float64"}, record=records,
    )  # fmt: skip


def differences(spikes: torch.Tensor, v: torch.Tensor | None, name: str, allowed: float) -> str:
    """What differs from numba, in words; nothing if nothing does."""
    reference = by_numba(tuple(POINTS if name in POINTS else COMPARTMENTS))
    if name in reference.spikes:
        theirs = reference.spikes[name]
        if events(spikes) != recorded(theirs.times_ms, theirs.units, DT_MS):
            return "spikes"
    if v is not None:
        apart = np.abs(v[:, 0].numpy() - reference.traces[f"{name}.v"].data).max()
        if not apart <= allowed:
            return f"v by {apart} mV"
    return ""


@pytest.mark.parametrize(
    "name", [*POINTS, *(pytest.param(name, marks=pytest.mark.slow) for name in COMPARTMENTS)]
)
def test_a_model_steps_as_on_numba(name: str) -> None:
    """Spike for spike, by the same random numbers; v within what rounding can do.

    Both compute in double precision and in the same order, but numba has exp of its own. How far
    a model carries a rounding error is measured: a start 1e-6 mV higher ends A times as far off.
    N_STEPS errors, each carried A times as far, are the bound.
    """
    cell = CellStep(built(population(name), DT_MS, seed=3), DT_MS, dtype=torch.float64)
    with torch.no_grad():
        if name == "poisson":
            spikes, _ = stepped(cell, N_STEPS, seed=3)
            assert spikes.sum() > 10
            assert differences(spikes, None, name, 0.0) == ""
            return
        shifted = cell.start.v + torch.tensor([[0.0], [1e-6]])
        spikes, seen = stepped(cell, N_STEPS, seed=3, watch=("v",), batch=2, start={"v": shifted})
    assert spikes[:, 0].sum() >= 5 or not cell.program.threshold  # silence agrees with anything
    carried = max(1.0, float((seen["v"][:, 1] - seen["v"][:, 0]).abs().max()) / 1e-6)
    assert differences(spikes, seen["v"], name, N_STEPS * carried * ROUNDING_MV) == ""


def test_no_text_is_left_out() -> None:
    """Models that differ by their parameters alone have one text."""
    compared = {MODELS[name].equations for name in CURRENTS}
    assert [name for name in MODELS if MODELS[name].equations not in compared] == []


@pytest.mark.parametrize("name", ["lif", "poisson", "hodgkin_huxley"])
def test_the_comparison_sees_a_difference(name: str) -> None:
    """A hundredth more current, or a tenth more rate, is no agreement."""
    ours = population(name)
    changed = {"rate": 1.1} if name == "poisson" else {"I_ext": 1.01}
    parameters = {k: v * changed.get(k, 1.0) for k, v in ours.parameters.items()}
    cell = CellStep(
        built(replace(ours, parameters=parameters), DT_MS, seed=3), DT_MS, dtype=torch.float64
    )
    with torch.no_grad():
        watch = () if name == "poisson" else ("v",)
        spikes, seen = stepped(cell, N_STEPS, seed=3, watch=watch)
    assert differences(spikes, seen.get("v"), name, 1e-6) != ""


def test_chance_follows_the_seed() -> None:
    """Another seed, other spikes, at the same rate: counts within 4 standard deviations."""
    cell = CellStep(built(Population("p", POISSON, 400, {"rate": Hz(50)}), DT_MS), DT_MS)
    counts = []
    for seed in (1, 2):
        spikes, _ = stepped(cell, N_STEPS, seed=seed)
        counts.append(float(spikes.sum()))
        expected = 400 * N_STEPS * 0.005
        assert abs(counts[-1] - expected) < 4 * expected**0.5
    assert counts[0] != counts[1]


NOISY = NeuronModel(
    name="noisy",
    equations="dv/dt = (E - v)/tau + s/sqrt(tau)*xi_1 + s/sqrt(2*tau)*xi_2 : volt "
    "(unless refractory)",
    threshold="v > -53*mV or v < -67*mV",
    reset="v = E",
    refractory="1*ms",
    parameters={"E": mV(-60), "tau": ms(10), "s": mV(8)},
    initial={"v": "E"},
    method="euler",
)
MULTIPLIED = replace(
    NOISY, name="multiplied", method="heun",
    equations="dv/dt = (E - v)/tau + k*v/sqrt(tau)*xi : volt (unless refractory)",
    parameters={"E": mV(-60), "tau": ms(10), "k": Quantity(0.15)},
)  # fmt: skip

CORRECTED = replace(MULTIPLIED, name="corrected", method="milstein")


def test_white_noise_is_numbas() -> None:
    """Additive and multiplicative; the normal numbers agree to a few units in the last place."""
    models = (NOISY, MULTIPLIED, CORRECTED)
    cells = [Population(m.name, m, N, {"tau": np.linspace(8, 12, N)}) for m in models]
    network = Network("noisy", tuple(cells))
    theirs = simulate(
        network, duration_ms=50, dt_ms=DT_MS, seed=8, backend="numba",
        options={"precision": "float64"}, record=[Record(c.name, "v", DT_MS) for c in cells],
    )  # fmt: skip
    for each in build(network, seed=8, dt_ms=DT_MS).populations:
        cell = CellStep(each, DT_MS, dtype=torch.float64)
        spikes, seen = stepped(cell, 500, seed=8, watch=("v",))
        expected = theirs.spikes[each.name]
        assert len(expected) > 5
        assert events(spikes) == recorded(expected.times_ms, expected.units, DT_MS)
        # v relaxes to E within tau, so 500 roundings at most add up, each of v and of the noise.
        apart = np.abs(seen["v"][:, 0].numpy() - theirs.traces[f"{each.name}.v"].data).max()
        assert apart < 2 * 500 * ROUNDING_MV
        other, _ = stepped(cell, 500, seed=9)
        assert events(other) != events(spikes)


def test_inputs_time_and_arrivals_are_numbas() -> None:
    """A drive for each cell, a function of time, and spikes that find cells awake or not."""
    slow = {"I_ext": pA(400), "g_L": np.linspace(14, 18, 20), "t_ref": ms(10)}
    network = replace(driven(), populations=(Population("a", DRIVEN, 20, slow),))
    theirs = simulate(
        network, duration_ms=200, dt_ms=DT_MS, backend="numba",
        options={"precision": "float64"}, record=[Record("a", "I_wave", DT_MS)],
    )  # fmt: skip
    whole = build(network, seed=0, dt_ms=DT_MS)
    cell = CellStep(whole.populations[0], DT_MS, dtype=torch.float64)
    edges, source = whole.projections[0], whole.sources[0]
    arriving = torch.zeros(2000 + 100, 1, 20, dtype=torch.float64)
    weight = torch.as_tensor(np.array(edges.weight), dtype=torch.float64)
    targets = torch.as_tensor(np.array(edges.target))
    added = cell.increments(0, weight, cell.bind(), targets)["v"].numpy()
    delays = np.broadcast_to(edges.delay_steps, edges.target.shape)
    for step, unit in zip(source.steps, source.units, strict=True):
        for edge in np.flatnonzero(np.asarray(edges.source) == unit):
            at = step + int(delays[edge])
            if at < 2100:
                arriving[at, 0, int(edges.target[edge])] += float(added[edge])
    waves = torch.as_tensor(network.drives[0].values)
    spikes, seen = stepped(
        cell, 2000, watch=("I_wave",),
        inputs=lambda step: {"x": waves[min(step // 100, len(waves) - 1)][None]},
        additions=lambda step: {"v": arriving[step]},
    )  # fmt: skip
    expected = recorded(theirs.spikes["a"].times_ms, theirs.spikes["a"].units, DT_MS)
    assert len(expected) > 30
    assert events(spikes) == expected
    wave = theirs.traces["a.I_wave"].data
    # cos of an argument of up to 10, known to 2**-52 of it, times 100 pA
    np.testing.assert_allclose(seen["I_wave"][:, 0].numpy(), wave, rtol=0, atol=100 * 10 * 2**-50)
    # The control: were refractory cells to take what arrives, spikes would differ.
    loose = CellStep(whole.populations[0], DT_MS, dtype=torch.float64)
    loose.program = replace(loose.program, held=())
    changed, _ = stepped(
        loose, 2000, inputs=lambda step: {"x": waves[min(step // 100, len(waves) - 1)][None]},
        additions=lambda step: {"v": arriving[step]},
    )  # fmt: skip
    assert events(changed) != expected


def test_single_precision_keeps_the_time_of_a_long_run() -> None:
    """After 20 minutes single precision holds no step of 0.1 ms; what depends on time is exact.

    The wave of 100 pA moves v by at most 100/250*0.1 mV a step; v is held to 2**-23 of 70 mV, and
    rounded twice.
    """
    (ours,) = driven().populations
    drive = driven().drives[0]
    step, after, late = 12_345_678, {}, {}
    for dtype in (torch.float64, torch.float32):
        cell = CellStep(
            built(ours, DT_MS, drive),
            DT_MS,
            dtype=dtype,
        )
        bound, x = cell.bind(), {"x": torch.zeros(1, 20, dtype=dtype)}
        for kept, at in ((after, step), (late, step + 1)):
            kept[dtype] = cell.update(cell.initial(1, bound), at, bound, x)[1].values[0].double()
    allowed = 2 * 2.0**-23 * 70
    assert (after[torch.float32] - after[torch.float64]).abs().max() < allowed
    assert (late[torch.float64] - after[torch.float64]).abs().max() > allowed  # a step is seen


def test_a_factor_scales_a_parameter_each_step() -> None:
    """With a factor of 2 the leak is that of cells with twice the leak."""
    ours = Population("a", LIF, 4, {"I_ext": np.linspace(700, 900, 4)})
    cell = CellStep(built(ours, DT_MS), DT_MS, dtype=torch.float64, modulated=("g_L",))
    two = torch.tensor(2.0, dtype=torch.float64)
    spikes, _ = stepped(cell, 500, factors={"g_L": two})
    leaky = replace(ours, parameters={**ours.parameters, "g_L": nS(2 * 16.7)})
    expected, _ = stepped(CellStep(built(leaky, DT_MS), DT_MS, dtype=torch.float64), 500)
    assert expected.sum() > 10
    assert torch.equal(spikes, expected)
    plain, _ = stepped(cell, 500, factors={"g_L": two / 2})
    assert not torch.equal(plain, expected)


def test_a_batch_of_settings_is_as_many_runs() -> None:
    """A parameter of each kind: for the batch, for each cell of each, and for all."""
    ours = Population("a", ADEX, 5, {"I_ext": np.linspace(700, 1000, 5)})
    cell = CellStep(built(ours, DT_MS), DT_MS, dtype=torch.float64)
    leaks = torch.linspace(20, 40, 3, dtype=torch.float64)[:, None]
    rests = torch.linspace(-72, -66, 15, dtype=torch.float64).view(3, 5)
    bound = cell.bind({"g_L": leaks, "E_L": rests})
    together, _ = stepped(cell, 800, batch=3, bound=bound)
    for k in range(3):
        alone, _ = stepped(cell, 800, bound=cell.bind({"g_L": leaks[k, 0], "E_L": rests[k]}))
        assert alone.sum() > 5
        assert torch.equal(alone[:, 0], together[:, k])
    assert not torch.equal(together[:, 0], together[:, 2])


def trained(
    name: str, surrogate: Surrogate, dtype: torch.dtype = torch.float64
) -> tuple[CellStep, dict[str, torch.Tensor]]:
    model, names, parameters = {
        "lif": (LIF, ("g_L", "C", "V_th", "V_r", "I_ext", "v"), {"I_ext": pA(600)}),
        "adex": (ADEX, ("g_L", "D_T", "a", "b", "I_ext", "v"), {"I_ext": pA(900)}),
        "hodgkin_huxley": (
            HODGKIN_HUXLEY, ("g_Na", "g_K", "phi", "I_ext", "v", "m"), {"I_ext": pA(1000)},
        ),
    }[name]  # fmt: skip
    cell = CellStep(
        built(Population(name, model, 3, parameters), DT_MS), DT_MS, dtype=dtype,
        trainable=names, surrogate=surrogate,
    )  # fmt: skip
    start = {k: getattr(cell.start, k) for k in names if k in cell.program.states}
    given = {k: getattr(cell.given, k) for k in names if k not in start}
    return cell, {**given, **start}


def loss_of(cell: CellStep, n_steps: int) -> torch.Tensor:
    """Of when cells spike, and of where the membrane is."""
    spikes, seen = stepped(cell, n_steps, watch=("v",))
    late = torch.linspace(0, 1, n_steps, dtype=torch.float64)[:, None, None]
    return (spikes * late).sum() + 1e-3 * seen["v"].square().mean()


@pytest.mark.parametrize("name", ["lif", "adex", "hodgkin_huxley"])
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    """With a smooth threshold, along a random direction of all that is trained.

    D(h) = (L(x + h) - L(x - h))/2h errs by c*h**2 + eps*|L|*1e3/h, where 1e3 bounds how rounding
    grows over the steps; c follows from D(2h) - D(h) = 3*c*h**2.
    """
    cell, trainables = trained(name, Surrogate("soft", alpha=20.0))
    loss = loss_of(cell, 200)
    loss.backward()
    rng = np.random.default_rng(1)
    ways = {
        k: torch.as_tensor(rng.standard_normal(p.shape)) * p.detach().abs().clamp_min(1e-3)
        for k, p in trainables.items()
    }
    slope = sum(float((p.grad * ways[k]).sum()) for k, p in trainables.items())
    at = {k: p.detach().clone() for k, p in trainables.items()}

    @torch.no_grad()
    def difference(h: float) -> float:
        values = []
        for sign in (1, -1):
            for k, p in trainables.items():
                p.copy_(at[k] + sign * h * ways[k])
            values.append(float(loss_of(cell, 200)))
        return (values[0] - values[1]) / (2 * h)

    h = 1e-6
    fine, coarse = difference(h), difference(2 * h)
    allowed = abs(coarse - fine) + 2.0**-53 * float(loss.detach().abs()) * 1e3 / h
    assert allowed < 1e-2 * abs(slope)  # else anything would do
    assert abs(fine - slope) <= allowed
    assert abs(fine - 1.05 * slope) > allowed  # a gradient off by a twentieth is found out


@pytest.mark.parametrize("name", ["lif", "adex", "hodgkin_huxley"])
@pytest.mark.parametrize("method", ["super", "triangle"])
def test_surrogate_gradients_are_finite(name: str, method: str) -> None:
    """Over 60 ms, in single precision, through many spikes; and not all of them 0."""
    cell, _ = trained(name, Surrogate(method), torch.float32)
    spikes, seen = stepped(cell, 600, watch=("v",))
    assert spikes.sum() >= 9
    (spikes[300:].sum() + 1e-3 * seen["v"].square().mean()).backward()
    gradients = [p.grad for p in cell.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)
    assert all(g is not None and g.abs().max() > 0 for g in gradients)


def test_a_chance_passes_the_gradient_of_its_probability() -> None:
    """The expected number of spikes in T steps is rate*dt*T, whatever was drawn."""
    cell = CellStep(
        built(Population("p", POISSON, 10, {"rate": Hz(50)}), DT_MS), DT_MS, dtype=torch.float64,
        trainable=("rate",),
    )  # fmt: skip
    spikes, _ = stepped(cell, 100)
    spikes.sum().backward()
    assert cell.given.rate.grad is not None
    assert float(cell.given.rate.grad) == pytest.approx(10 * 100 * DT_MS, rel=1e-12)


def test_a_reset_passes_gradients_on_request_alone() -> None:
    def gradient(wanted: bool) -> float:
        cell = CellStep(
            built(Population("a", LIF, 1, {"I_ext": pA(500)}), DT_MS), DT_MS, dtype=torch.float64,
            trainable=("V_th", "E_L"), reset_gradient=wanted,
        )  # fmt: skip
        spikes, seen = stepped(cell, 300, watch=("v",))
        assert spikes.sum() >= 1
        (g,) = torch.autograd.grad(seen["v"].sum(), cell.given.V_th, allow_unused=True)
        return 0.0 if g is None else float(g)

    assert gradient(False) == 0.0
    assert gradient(True) != 0.0


def test_start_values_follow_the_parameter_they_name() -> None:
    cell = CellStep(built(Population("a", LIF, 3), DT_MS), DT_MS, dtype=torch.float64)
    rests = torch.tensor([[-80.0], [-60.0]], dtype=torch.float64)
    state = cell.initial(2, cell.bind({"E_L": rests}))
    assert torch.equal(state.values[0], rests.expand(2, 3))
    given = cell.initial(2, overrides={"v": torch.full((2, 3), -65.0)})
    assert float(given.values[0].sum()) == -65 * 6


def test_torch_may_compile_map_and_copy_a_step() -> None:
    """A traced chunk of steps, `vmap` over a parameter, a deep copy: the same spikes."""
    ours = Population("a", GIF, 4, {"I_ext": np.linspace(300, 500, 4)})
    cell = CellStep(built(ours, DT_MS), DT_MS, dtype=torch.float64)

    def chunk(bound, state, draws, step):
        out = []
        for k in range(5):
            z, state = cell.update(state, step + k, bound, draws=[d[k] for d in draws])
            state = cell.reset(state, z, step + k, bound)
            out.append(z)
        return torch.stack(out), state

    def run(function):
        bound, out = cell.bind(), []
        state = cell.initial(2, bound)
        for first in range(0, 400, 5):
            z, state = function(bound, state, cell.draw(4, first, 5), torch.tensor(first))
            out.append(z)
        return torch.cat(out)

    with torch.no_grad():
        eager = run(chunk)
        assert eager.sum() > 5
        assert torch.equal(run(torch.compile(chunk, backend="eager", fullgraph=True)), eager)
        leaks = torch.linspace(3, 5, 3, dtype=torch.float64)

        def spikes(leak):
            return stepped(cell, 300, seed=4, bound=cell.bind({"g_L": leak}))[0]

        mapped = torch.func.vmap(spikes)(leaks)
        assert mapped.sum() > 5
        assert torch.equal(mapped, torch.stack([spikes(leak) for leak in leaks]))
        twin = copy.deepcopy(cell)
        twin.load_state_dict(cell.state_dict())
        assert torch.equal(stepped(twin, 300, seed=4)[0], stepped(cell, 300, seed=4)[0])


def test_single_precision_differs_by_rounding_alone() -> None:
    """Each cell fires as often, within one spike, and within a step at first.

    A spike moves by a step if v comes within rounding of the threshold: 2**-24*70 mV a step, over
    the 100 steps of an interval less than 1e-3 mV, which v crosses in a hundredth of a step here.
    """
    ours = population("lif")
    exact, _ = stepped(CellStep(built(ours, DT_MS), DT_MS, dtype=torch.float64), 1000)
    single, _ = stepped(CellStep(built(ours, DT_MS), DT_MS), 1000)
    assert exact.sum() > 10
    assert single.dtype == torch.float32
    assert (single.sum(0) - exact.sum(0)).abs().max() <= 1
    first = [int(each[:, 0, -1].argmax()) for each in (exact, single)]
    assert abs(first[0] - first[1]) <= 1


def test_names_that_torch_uses_are_no_trouble() -> None:
    model = NeuronModel(
        "named", "dv/dt = (half - v)/train : 1", threshold="v > float", reset="v = 0",
        parameters={"half": Quantity(2), "train": ms(10), "float": Quantity(1)},
    )  # fmt: skip
    cell = CellStep(built(Population("a", model, 2), DT_MS), DT_MS, trainable=("train",))
    spikes, _ = stepped(cell, 200)
    assert spikes.sum() > 2
    assert [name for name, _ in cell.named_parameters()] == ["given.train_"]


def test_a_model_without_a_threshold_never_spikes() -> None:
    cell = CellStep(built(Population("a", LEAKY_INTEGRATOR, 3, {"I_ext": pA(900)}), DT_MS), DT_MS)
    spikes, seen = stepped(cell, 200, watch=("v",), batch=2)
    assert spikes.shape == (200, 2, 3)
    assert not spikes.any()
    assert float(seen["v"][-1].min()) > -40  # it was driven far enough


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trainable": ("g_l",)}, "did you mean `g_L`"),
        ({"modulated": ("v",)}, "cannot make `v` modulated"),
        ({"streamed": ("I_exr",)}, "did you mean `I_ext`"),
        ({"dtype": torch.bfloat16}, "must be float32 or float64"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        CellStep(built(Population("a", LIF, 1), DT_MS), DT_MS, **options)  # type: ignore[arg-type]


def test_a_constant_that_is_not_finite_is_named() -> None:
    one = built(Population("a", LIF, 1, {"C": Quantity(0, LIF.parameters["C"].dimension)}), DT_MS)
    with pytest.raises(SimulationError, match="is not finite"):
        CellStep(one, DT_MS)


def test_an_unknown_parameter_cannot_be_given() -> None:
    cell = CellStep(built(Population("a", LIF, 1), DT_MS), DT_MS)
    with pytest.raises(NetworkError, match="did you mean `E_L`"):
        cell.bind({"E_l": torch.tensor(-70.0)})
