"""Thresholds with a gradient: Norse's own values and slopes, scaled to a membrane in mV."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuro import NeuronModel, Population
from neuro.backends.norse.cells import CellStep
from neuro.backends.norse.norse_import import norse
from neuro.backends.norse.surrogate import METHODS, Surrogate
from neuro.errors import ConfigError
from neuro.models import ADEX, HODGKIN_HUXLEY, LIF, POISSON
from neuro.units import ms, mV, pA
from tests.backends._torch import built, stepped

X = torch.linspace(-3, 3, 41, dtype=torch.float64)


def slope(surrogate: Surrogate, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    x = (X * scale).clone().requires_grad_()
    z = surrogate.crossing(x, torch.zeros((), dtype=torch.float64), True, scale)
    z.sum().backward()
    return z.detach(), x.grad


@pytest.mark.parametrize("alpha", [0.3, 1.0, 10.0])
@pytest.mark.parametrize("method", ["super", "triangle", "tanh", "circ", "heavi_erfc"])
def test_spikes_and_slopes_are_norses(method: str, alpha: float) -> None:
    """To 8 units in the last place. Norse 1.1 leaves alpha out of `super`."""
    threshold = norse().functional.threshold.threshold
    x = X.clone().requires_grad_()
    theirs = threshold(x, method, alpha)
    theirs.sum().backward()
    ours, ours_slope = slope(Surrogate(method, alpha))
    assert torch.equal(ours, theirs.detach())
    if method == "super":
        expected = 1 / (1 + alpha * X.abs()) ** 2
        assert torch.allclose(x.grad, 1 / (1 + X.abs()) ** 2)
    else:
        expected = x.grad
    eps = 2.0**-52  # tanh and erfc saturate: 1 - tanh**2 is known to eps of 1
    rtol = 2.0**-23 if method == "heavi_erfc" else 8 * eps  # Norse's pi is of single precision
    assert torch.allclose(ours_slope, expected, rtol=rtol, atol=8 * eps)
    assert ours_slope.max() > 0.1


@pytest.mark.parametrize("method", ["logistic", "circ_dist"])
def test_spikes_by_chance_are_norses_in_distribution(method: str) -> None:
    """Their share is the probability, within 4 standard errors; their slope is Norse's."""
    functions = norse().functional.threshold
    theirs = {"logistic": functions.logistic_fn, "circ_dist": functions.circ_dist_fn}[method]
    x = torch.full((20_000,), 0.4, dtype=torch.float64, requires_grad=True)
    theirs(x, 1.5).sum().backward()
    expected = float(x.grad[0])
    x.grad = None
    uniform = torch.rand(20_000, dtype=x.dtype, generator=torch.Generator().manual_seed(0))
    surrogate = Surrogate(method, 1.5)
    z = surrogate.crossing(x, torch.zeros((), dtype=x.dtype), True, 1.0, uniform)
    z.sum().backward()
    assert float(x.grad[0]) == pytest.approx(expected, rel=1e-14)
    at = torch.tensor(0.4)
    p = {"logistic": 0.5 + 0.5 * torch.tanh(1.5 * at),
         "circ_dist": 0.5 + 0.5 * at / (1.5**2 + at**2) ** 0.5}[method]  # fmt: skip
    assert abs(float(z.detach().mean() - p)) < 4 * float(p * (1 - p) / 20_000) ** 0.5
    cell = CellStep(built(Population("a", LIF, 50), 0.1), 0.1, surrogate=surrogate)
    assert cell.draws == ("rand",)
    fired, _ = stepped(cell, 50)
    assert fired.sum() > 50  # though each is far below its threshold
    assert torch.equal(fired, stepped(cell, 50)[0])


def test_without_gradients_spikes_are_the_same() -> None:
    high, low = X.clone().requires_grad_(), torch.tensor(0.25, dtype=torch.float64)
    for strict in (True, False):
        with torch.no_grad():
            quick = Surrogate().crossing(high, low, strict, 1.0)
        assert torch.equal(quick, Surrogate().crossing(high, low, strict, 1.0).detach())
    assert not slope(Surrogate("heaviside"))[1].any()


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"logistic", "circ_dist"}))
def test_a_scale_stretches_the_slope(method: str) -> None:
    """The same slope at the same share of the scale, per unit and so flatter by the scale."""
    plain, plain_slope = slope(Surrogate(method))
    scaled, scaled_slope = slope(Surrogate(method), scale=16.0)  # a power of 2 rounds nothing
    assert torch.equal(plain, scaled)
    assert torch.equal(plain_slope / 16, scaled_slope)


def test_the_soft_threshold_has_its_own_gradient() -> None:
    surrogate = Surrogate("soft", alpha=3.0)
    side = torch.zeros((), dtype=torch.float64)
    x = X.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: surrogate.crossing(v, side, True, 2.0), x)


def test_both_sides_get_a_gradient_of_their_own_shape() -> None:
    v = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    threshold = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    Surrogate().crossing(v, threshold, True, 1.0).sum().backward()
    assert torch.allclose(threshold.grad, -v.grad.sum(0))
    # A side that is a plain number, on either side.
    v.grad = None
    above, below = ((v, 0.1), (0.1, v))
    sum(Surrogate().crossing(*sides, True, 1.0).sum() for sides in (above, below)).backward()
    assert torch.allclose(v.grad, torch.zeros(4, 3, dtype=torch.float64))


FALLING = NeuronModel(
    "falling", "dv/dt = -v/tau : volt", threshold="v < V_low or not (v <= 40*mV and v > -1*volt)",
    reset="v += 10*mV", parameters={"tau": ms(10), "V_low": mV(2)}, initial={"v": mV(12)},
)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "scales"),
    [
        (LIF, (20.0,)),  # V_th - V_r
        (ADEX, (70.6,)),  # V_cut - V_r
        (HODGKIN_HUXLEY, (65.0,)),  # no reset: V_spike less the start
        (POISSON, ()),
        (FALLING, (10.0, 28.0, 1012.0)),  # each comparison has its own; v does not go to a value
    ],
)
def test_the_scale_is_the_way_to_the_threshold(
    model: NeuronModel, scales: tuple[float, ...]
) -> None:
    cell = CellStep(built(Population("a", model, 2), 0.1), 0.1)
    assert cell.scales == pytest.approx(scales)
    given = CellStep(built(Population("a", model, 2), 0.1), 0.1, surrogate=Surrogate(scale=5.0))
    assert given.scales == (5.0,) * len(scales)


def test_conditions_joined_have_the_values_of_logic() -> None:
    """`or`, `and`, `not`, all directions: spikes where NumPy finds the condition true."""
    cell = CellStep(built(Population("a", FALLING, 5), 0.1), 0.1, dtype=torch.float64)
    start = torch.tensor([[-1500.0, 1.0, 12.0, 39.0, 45.0]], dtype=torch.float64)
    state = cell.initial(1, overrides={"v": start})
    spikes, after = cell.update(state, 0, cell.bind())
    v = after.values[0].numpy()
    expected = (v < 2) | ~((v <= 40) & (v > -1000))
    assert np.array_equal(spikes.numpy() > 0.5, expected)
    assert 0 < expected.sum() < 5


def test_a_sharper_surrogate_lets_less_through() -> None:
    """Far from the threshold, gradients of a quiet cell fall with alpha."""

    def gradient(alpha: float) -> float:
        cell = CellStep(
            built(Population("a", LIF, 1, {"I_ext": pA(100)}), 0.1), 0.1, dtype=torch.float64,
            trainable=("I_ext",), surrogate=Surrogate("super", alpha),
        )  # fmt: skip
        spikes, _ = stepped(cell, 100)
        assert not spikes.any()
        spikes.sum().backward()
        return float(cell.given.I_ext.grad)

    slopes = [gradient(alpha) for alpha in (1.0, 10.0, 100.0)]
    assert slopes[0] > slopes[1] > slopes[2] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("supper",), "did you mean `super`"),
        (("super", 0.0), "alpha must be above 0"),
        (("super", 1.0, -2.0), "scale must be above 0"),
    ],
)
def test_what_is_no_surrogate_is_refused(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Surrogate(*arguments)  # type: ignore[arg-type]
