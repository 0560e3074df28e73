"""Gradients of whole networks: finite, and those of finite differences where nothing jumps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuro import Network, NeuronModel, Population, Projection, Source, Spikes
from neuro.backends.norse.making import torch_network
from neuro.backends.norse.network import TorchNetwork
from neuro.backends.norse.surrogate import Surrogate
from neuro.model import variant
from neuro.models import ADEX, HODGKIN_HUXLEY, LIF
from neuro.modulation import Effect, Receptor, Transmitter
from neuro.network import Background
from neuro.synapses import (
    ALPHA_CONDUCTANCE,
    DEPRESSING_CURRENT,
    EXPONENTIAL_CURRENT,
    GAP_JUNCTION,
    STDP_ADDITIVE,
)
from neuro.units import Hz, Quantity, ms, nM, nS, pA
from neuro.wiring import AllToAll, Pairwise
from tests.backends import _networks as networks
from tests.backends._plastic import ODD

F64 = torch.float64
STEPS, BATCH = 40, 2


def source(n: int) -> Source:
    return Source("s", Spikes(np.zeros(0), np.zeros(0, int), n_units=n, t_stop_ms=100))


def without_refractoriness(model: NeuronModel) -> NeuronModel:
    """Refractoriness jumps, even where the threshold is smooth."""
    return variant(
        model,
        name=f"{model.name}_at_once",
        source="engineering choice",
        refractory="",
        equations=model.equations.replace("(unless refractory)", ""),
    )


def everything() -> Network:
    """Mixed delays, plastic and electrical synapses, release, modulation, a background."""
    cell = without_refractoriness(LIF)
    delays = np.array([0.2, 0.5, 0.3, 0.9, 0.2, 0.4, 1.1, 0.2, 0.6, 0.3, 0.7, 0.2])
    start = {"v": np.array([-52.0, -50.5, -54.0])}
    return Network(
        "everything",
        (
            Population("a", cell, 3, {"I_ext": pA(450)}, start),
            Population("b", cell, 3, {"I_ext": np.array([400.0, 480.0, 520.0])}, start),
            Population("c", cell, 3, {"I_ext": pA(350)}, start),
        ),
        (source(4),),
        (
            Projection("sa", "s", "a", EXPONENTIAL_CURRENT, AllToAll(), pA(120), delays),
            Projection("ab", "a", "b", STDP_ADDITIVE, AllToAll(), nS(2), ms(0.4),
                       {"w_max": nS(4), "A_plus": Quantity(0.1), "A_minus": Quantity(0.12)}),
            Projection("ba", "b", "a", DEPRESSING_CURRENT, AllToAll(), pA(150), ms(0.3)),
            Projection("odd", "b", "a", ODD, Pairwise(0.7), Quantity(0.3), ms(0.5)),
            Projection("bc", "b", "c", EXPONENTIAL_CURRENT, AllToAll(), pA(200), ms(0.3)),
            Projection("gap", "c", "c", GAP_JUNCTION, Pairwise(0.8), nS(0.6)),
        ),
        transmitters=(Transmitter("na", "a", nM(80), ms(20), ms(0.4), nM(5)),),
        receptors=(Receptor("beta", "na", nM(40), 1.5),),
        effects=(
            Effect("beta", "b", "g_L", 1.6), Effect("beta", "sa", "weight", 0.4),
            Effect("beta", "ab", "weight", 1.5), Effect("beta", "ab", "tau_plus", 0.5),
        ),
        backgrounds=(Background("noise", "a", ALPHA_CONDUCTANCE, Hz(2000), nS(1), n=5),),
    )  # fmt: skip


TRAINED = (
    "sa.weight", "ab.weight", "ba.weight", "odd.weight", "gap.weight", "noise.weight", "a.g_L",
    "b.C", "a.V_th", "a.v_init", "sa.tau", "ab.A_plus", "ab.tau_minus", "ba.U", "odd.tau_z",
    "na.per_spike", "na.uptake", "na.baseline", "beta.ec50", "beta.hill", "beta.b.g_L",
    "beta.sa.weight",
)  # fmt: skip


def given(n: int) -> dict[str, torch.Tensor]:
    """Spikes that are no whole ones, so that their gradient can be checked too."""
    generator = torch.Generator().manual_seed(1)
    shape = (STEPS, BATCH, n)
    drawn = torch.rand(shape, dtype=F64, generator=generator)
    return {"s": (drawn * (drawn > 0.7)).requires_grad_()}


def loss(model: TorchNetwork, inputs: dict[str, torch.Tensor], watch: str) -> torch.Tensor:
    """Of every spike and a membrane, each weighted otherwise."""
    output, _ = model(inputs, record=[watch])
    total = output.traces[watch].mean()
    for spikes in output.spikes.values():
        ramp = torch.linspace(0.5, 1.5, spikes.numel(), dtype=F64).view(spikes.shape)
        total = total + (ramp * spikes).sum()
    return total


def differences(
    model: TorchNetwork, inputs: dict[str, torch.Tensor], value: torch.Tensor, watch: str,
    relative: float = 1e-6,
) -> tuple[int, float]:  # fmt: skip
    """Which entry of a parameter moves the loss most by its gradient, and the finite difference."""
    assert value.grad is not None
    at = int(value.grad.abs().argmax())
    flat = value.detach().view(-1)
    before, size = float(flat[at]), relative * max(1.0, abs(float(flat[at])))
    found = []
    with torch.no_grad():
        for sign in (1, -1):
            flat[at] = before + sign * size
            found.append(float(loss(model, inputs, watch)))
        flat[at] = before
    return at, (found[0] - found[1]) / (2 * size)


def test_every_gradient_is_that_of_finite_differences() -> None:
    """The threshold is smooth here, so the loss is. Central differences of relative size 1e-6 err
    by its square times the third derivative, and by 1e-16/1e-6 of the loss's size in rounding:
    together below 1e-6 of a loss of tens, against gradients of 1e-3 and more.
    """
    network = everything()
    model = torch_network(
        network, seed=2, dtype=F64, trainable=TRAINED, surrogate=Surrogate("soft", alpha=6.0)
    )
    inputs = given(4)
    total = loss(model, inputs, "c.v")
    total.backward()
    with torch.no_grad():
        output, _ = model(inputs)
    for spikes in output.spikes.values():
        assert float(spikes.sum()) > 3 and float(spikes.max()) > 0.3  # they do fire
    named = dict(model.named_parameters())
    assert len(named) == len(TRAINED)
    for name, value in [*named.items(), ("inputs", inputs["s"])]:
        at, expected = differences(model, inputs, value, "c.v")
        found = float(value.grad.view(-1)[at])
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6), name
        assert abs(found) > 1e-7, name


@pytest.mark.parametrize(
    ("cell", "current", "trained"),
    [
        pytest.param(LIF, 1000.0, "g_L", id="lif"),
        pytest.param(ADEX, 2500.0, "D_T", id="adex"),
        pytest.param(HODGKIN_HUXLEY, 1500.0, "g_Na", id="hodgkin_huxley"),
    ],
)
def test_networks_of_each_kind_have_gradients(
    cell: NeuronModel, current: float, trained: str
) -> None:
    """Integrate-and-fire, adaptive and with channels: finite with a surrogate, and those of finite
    differences where the threshold is smooth.

    The current makes each cell fire within 6 ms, early enough for what it sends to come back.
    """
    smooth = without_refractoriness(cell)
    n = 3
    network = Network(
        "kinds",
        (Population("cells", smooth, n, {"I_ext": np.linspace(0.8, 1.2, n) * current}),),
        (source(2),),
        (
            Projection("ff", "s", "cells", ALPHA_CONDUCTANCE, AllToAll(), nS(3), ms(0.3)),
            Projection("rec", "cells", "cells", ALPHA_CONDUCTANCE, AllToAll(), nS(2), ms(0.5)),
        ),
    )  # fmt: skip
    names = ["ff.weight", "rec.weight", f"cells.{trained}", "cells.v_init"]
    generator = torch.Generator().manual_seed(1)
    drawn = (torch.rand(60, BATCH, 2, dtype=F64, generator=generator) > 0.9).to(F64)

    hard = torch_network(network, dtype=F64, trainable=names)
    loss(hard, {"s": drawn}, "cells.v").backward()
    with torch.no_grad():
        fired = hard({"s": drawn})[0].spikes["cells"]
    assert bool((fired.sum(0) >= 1).all()) and int(fired.sum()) >= 8
    for name, value in hard.named_parameters():
        assert bool(torch.isfinite(value.grad).all()) and float(value.grad.abs().sum()) > 0, name

    soft = torch_network(
        network, dtype=F64, trainable=names, surrogate=Surrogate("soft", alpha=6.0)
    )
    loss(soft, {"s": drawn}, "cells.v").backward()
    for name, value in soft.named_parameters():
        at, expected = differences(soft, {"s": drawn}, value, "cells.v")
        found = float(value.grad.view(-1)[at])
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6), name
        assert abs(found) > 1e-3, name


def test_settings_have_gradients_too() -> None:
    """Each row's dose moves its own row alone."""
    model = torch_network(everything(), seed=2, dtype=F64, surrogate=Surrogate("soft", alpha=6.0))
    dose = torch.tensor([80.0, 20.0], dtype=F64, requires_grad=True)
    output, _ = model(given(4), settings={"na.per_spike": dose}, record=["c.v"])
    (gradient,) = torch.autograd.grad(output.traces["c.v"][:, 0].sum(), dose)
    assert gradient[0] != 0 and gradient[1] == 0


@pytest.mark.parametrize("make", [networks.cuba, everything])
def test_checkpoints_change_neither_spikes_nor_gradients(make) -> None:
    """What is computed twice is the same, whatever the length of a chunk.

    Gradients of one weight are summed over other stretches of time, so they may differ by the
    rounding of sums of 40 steps.
    """
    network, found = make(), []
    trainable = TRAINED if make is everything else ["ee.weight", "e.g_L", "na.per_spike"]
    for checkpoint in (False, True, 17):
        model = torch_network(
            network, seed=3, dtype=F64, trainable=trainable, checkpoint=checkpoint
        )
        inputs = {"s": given(4)["s"].detach()} if make is everything else None
        output, _ = model(inputs, n_steps=STEPS)
        spikes = torch.cat([s.flatten() for s in output.spikes.values()])
        spikes.sum().backward()
        found.append((spikes.detach(), {n: p.grad for n, p in model.named_parameters()}))
    assert found[0][0].sum() >= 3
    for spikes, gradients in found[1:]:
        assert torch.equal(spikes, found[0][0])
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, found[0][1][name], rtol=1e-11, atol=0.0)
            assert bool(torch.isfinite(gradient).all())


def test_checkpoints_keep_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that the graph holds for the way back, counted as they are saved."""

    def held(checkpoint: bool) -> int:
        model = torch_network(
            networks.cuba(), seed=3, trainable=["ee.weight"], checkpoint=checkpoint
        )
        seen: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            seen[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            output, _ = model(n_steps=144)
        assert output.spikes["e"].requires_grad
        return sum(seen.values())

    assert held(True) < 0.5 * held(False)


def test_trained_values_survive_a_file(tmp_path) -> None:
    """state_dict to safetensors and back: the same spikes; another network's is refused."""
    from safetensors.torch import load_file, save_file

    network = networks.driven()
    options = {"seed": 3, "trainable": {"sa.weight": "each", "a.C": "one", "a.g_L": "each"}}
    model = torch_network(network, **options)
    assert {n: tuple(p.shape) for n, p in model.named_parameters()} == {
        "cells.a.given.C": (), "cells.a.given.g_L": (20,),
        "weights.sa.weight": (model.paths["sa"].n_edges,),
    }  # fmt: skip
    with torch.no_grad():
        model.get_parameter("weights.sa.weight").mul_(2.5)
        model.get_parameter("cells.a.given.C").mul_(0.9)
        trained, _ = model(n_steps=600)
    save_file(model.state_dict(), tmp_path / "trained.safetensors")
    again = torch_network(network, **options)
    with torch.no_grad():
        before, _ = again(n_steps=600)
        again.load_state_dict(load_file(tmp_path / "trained.safetensors"))
        after, _ = again(n_steps=600)
    assert torch.equal(after.spikes["a"], trained.spikes["a"]) and trained.spikes["a"].sum() > 3
    assert not torch.equal(before.spikes["a"], after.spikes["a"])
    with pytest.raises(RuntimeError, match=r"size mismatch|Missing|Unexpected"):
        torch_network(networks.cuba(), trainable=["ee.weight"]).load_state_dict(model.state_dict())


def test_gradients_stop_at_a_detached_state() -> None:
    """Truncated backpropagation: the second half knows nothing of the first."""
    model = torch_network(
        everything(), seed=2, dtype=F64, trainable=["a.v_init"], surrogate=Surrogate("soft")
    )
    inputs = given(4)
    _, state = model(inputs)
    carried, _ = model(inputs, state=state)
    cut, _ = model(inputs, state=state.detach())
    (whole,) = torch.autograd.grad(carried.spikes["b"].sum(), list(model.parameters()))
    assert whole.abs().sum() > 0
    found = torch.autograd.grad(cut.spikes["b"].sum(), list(model.parameters()), allow_unused=True)
    assert found[0] is None or not found[0].any()
