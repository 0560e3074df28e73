"""Ember populations among Norse's modules: SequentialState, Lift, Linear, training."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
import torch

from neuro import Population
from neuro.backends.norse.adapter import EmberCell, EmberLayer
from neuro.backends.norse.norse_import import norse
from neuro.backends.norse.surrogate import Surrogate
from neuro.errors import NetworkError
from neuro.models import ADEX, GIF, LEAKY_INTEGRATOR, LIF
from neuro.network import Uniform
from neuro.synapses import DELTA, EXPONENTIAL_CONDUCTANCE, EXPONENTIAL_CURRENT
from neuro.units import pA, pF
from tests.backends._networks import DRIVEN


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(n_in: int, n_out: int, scale: float, seed: int = 0) -> torch.nn.Linear:
    layer = torch.nn.Linear(n_in, n_out, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.rand(n_out, n_in, generator=generator(seed)) * scale)
    return layer


def test_a_network_of_both_learns() -> None:
    """Linear, AdEx, Norse's LIF, Linear and a leaky readout; loss falls by half in 20 steps."""
    model = norse().SequentialState(
        linear(10, 12, 300.0),
        EmberCell(Population("adex", ADEX, 12), 0.5, synapse=EXPONENTIAL_CURRENT,
                  trainable=("a", "b"), surrogate=Surrogate("super", alpha=2.0)),
        linear(12, 8, 0.5, 1),
        norse().LIFCell(),
        linear(8, 2, 60.0, 2),
        EmberCell(Population("out", LEAKY_INTEGRATOR, 2), 0.5),
    )  # fmt: skip
    x = (torch.rand(60, 6, 10, generator=generator(3)) < 0.1).float()
    target = torch.tensor([-66.0, -69.0])
    # Weights are in pA, mV and none: a step of each is a share of its own size.
    optimiser = torch.optim.Adam(
        [{"params": [p], "lr": 0.05 * float(p.detach().abs().mean().clamp_min(1e-3))}
         for p in model.parameters()]
    )  # fmt: skip

    def loss() -> torch.Tensor:
        state, out = None, []
        for now in x:
            v, state = model(now, state)
            out.append(v)
        return (torch.stack(out).mean(0) - target).square().mean()

    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        found = loss()
        found.backward()
        for p in model.parameters():
            assert torch.isfinite(p.grad).all()
        if not losses:  # the first layer hears of the loss through every other
            assert model[0].weight.grad.abs().max() > 0
            assert model[1].step.given.b.grad != 0
        optimiser.step()
        losses.append(float(found.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_lift_and_a_layer_take_the_same_sequence() -> None:
    """`Lift` of the cell, the layer, and steps by hand give the same; state can be handed on."""
    population = Population("a", LIF, 6, {"C": Uniform(pF(200), pF(300))})
    x = torch.rand(80, 3, 6, generator=generator()) * 1500
    cell, layer = (kind(population, 0.5) for kind in (EmberCell, EmberLayer))
    lifted, state = norse().Lift(cell)(x)
    whole, last = layer(x)
    assert lifted.sum() > 20
    assert torch.equal(lifted, whole)
    assert last.step == state.step == 80
    first, middle = layer(x[:30])
    rest, _ = layer(x[30:], middle)
    assert torch.equal(torch.cat([first, rest]), whole)


def test_what_comes_in_may_have_any_shape() -> None:
    """As after a convolution: `(batch, channels, width)`."""
    cell = EmberCell(Population("a", LIF, 12), 0.5)
    x = torch.rand(40, 2, 3, 4, generator=generator()) * 2000
    lifted, _ = norse().Lift(cell)(x)
    flat, _ = norse().Lift(cell)(x.flatten(2))
    assert lifted.shape == x.shape
    assert lifted.sum() > 5
    assert torch.equal(lifted.flatten(2), flat)


def test_every_way_in() -> None:
    """A conductance, a jump of v, an input of the model, a current: each moves the membrane."""
    rest = {}
    for name, cell, size in (
        ("conductance", EmberCell(Population("a", LIF, 2), 0.1, synapse=EXPONENTIAL_CONDUCTANCE,
                                  output="v"), 5.0),
        ("jump", EmberCell(Population("a", LIF, 2), 0.1, synapse=DELTA, output="v"), 3.0),
        ("input", EmberCell(Population("a", DRIVEN, 2), 0.1, drive="x", output="v"), 3.0),
        ("current", EmberCell(Population("a", LIF, 2, {"I_ext": pA(-20)}), 0.1, output="v"), 90.0),
    ):  # fmt: skip
        state = quiet = None
        for _ in range(5):
            v, state = cell(torch.full((1, 2), size), state)
            still, quiet = cell(torch.zeros(1, 2), quiet)
        rest[name] = float((v - still).min())
    # Five steps of 0.1 ms of 90 pA into 250 pF are 0.18 mV, less what leaks in that time (3 %).
    assert rest["current"] == pytest.approx(0.18, rel=0.03)
    assert rest["jump"] == pytest.approx(15.0, rel=0.05)  # five jumps of 3 mV
    assert rest["input"] == pytest.approx(0.18 * 300 / 90, rel=0.03)  # k*x is 300 pA
    assert rest["conductance"] > 0.5


def test_a_subexpression_may_be_given_out() -> None:
    cell = EmberCell(Population("a", LIF, 2), 0.1, synapse=EXPONENTIAL_CURRENT, output="I")
    out, _ = cell(torch.full((1, 2), 50.0))
    assert torch.allclose(out, torch.full((1, 2), 50.0 * torch.exp(torch.tensor(-0.1 / 5))))


def test_chance_in_a_cell_repeats() -> None:
    def run(seed: int) -> torch.Tensor:
        cell = EmberCell(Population("a", GIF, 30), 0.5, seed=seed)
        return norse().Lift(cell)(torch.full((80, 2, 30), 350.0))[0]

    assert run(1).sum() > 20
    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_norse_is_imported_without_its_warning() -> None:
    code = "from neuro.backends.norse.norse_import import norse; print(norse().LIFCell.__name__)"
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", code], capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "LIFCell"), done.stderr
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        norse()
    assert not seen


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"drive": "I_exr"}, "did you mean `I_ext`"),
        ({"output": "u"}, "no variable `u` to give out"),
    ],
)
def test_what_is_not_there_is_refused(options: dict[str, str], words: str) -> None:
    with pytest.raises(NetworkError, match=words):
        EmberCell(Population("a", LIF, 2), 0.1, **options)


def test_a_batch_of_the_wrong_width_is_refused() -> None:
    with pytest.raises(NetworkError, match="needs an input of 2 values"):
        EmberCell(Population("a", LIF, 2), 0.1)(torch.zeros(4, 3))
