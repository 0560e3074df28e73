"""A layer whose steps are one call is the layer that takes them one by one: bits and gradients."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch

from neuro import Population
from neuro.backends.norse import fused as module
from neuro.backends.norse._adjoint import SLOPES
from neuro.backends.norse.adapter import EmberLayer, EmberState
from neuro.backends.norse.lif import NORSE_ARRIVAL, norse_population
from neuro.backends.norse.norse_import import norse
from neuro.backends.norse.printed import Printed
from neuro.backends.norse.surrogate import _SLOPES, METHODS
from neuro.errors import ConfigError, NetworkError
from neuro.models import ADEX, GIF, IZHIKEVICH, LEAKY_INTEGRATOR, LIF
from neuro.network import Uniform
from neuro.synapses import DELTA, EXPONENTIAL_CURRENT
from neuro.units import mV, pA, pF

N, BATCH, STEPS, CUT = 8, 3, 60, 25  # more than three of the segments that are stepped again


@dataclass(frozen=True)
class Case:
    """A population, how it is driven, and by how much."""

    population: Population
    scale: float
    dt_ms: float = 0.5
    dtype: torch.dtype = torch.float64
    options: dict[str, Any] = field(default_factory=dict)

    def layer(self, *, fused: bool | None = None) -> EmberLayer:
        return EmberLayer(
            self.population, self.dt_ms, fused=fused, dtype=self.dtype, **self.options
        )

    def input(self, seed: int = 1) -> torch.Tensor:
        draw = torch.Generator().manual_seed(seed)
        return torch.rand(STEPS, BATCH, N, generator=draw, dtype=self.dtype) * self.scale


# Refractory while a condition holds: after a spike, until the membrane has fallen by some mV.
LINGERING = replace(
    LIF,
    name="lingering",
    refractory="v > V_low",
    parameters={k: v for k, v in LIF.parameters.items() if k != "t_ref"} | {"V_low": mV(-55)},
)

CASES = {
    "Norse's, gradients through resets": Case(
        norse_population("a", N, dt=2**-10), 0.5, 1000 * 2**-10,
        options={"synapse": NORSE_ARRIVAL, "reset_gradient": True,
                 "trainable": ("tau_mem_inv", "v_th", "v_reset")},
    ),
    "refractory, each cell its own": Case(
        Population("a", LIF, N, {"C": Uniform(pF(200), pF(300))}), 300.0, dtype=torch.float32,
        options={"synapse": EXPONENTIAL_CURRENT, "trainable": ("C", "V_th", "input.tau", "v")},
    ),
    "jumps, held while refractory": Case(
        Population("a", LIF, N), 3.0, options={"synapse": DELTA, "trainable": ("g_L",)}
    ),
    "four stages, a reset that adds": Case(
        Population("a", IZHIKEVICH, N), 3000.0, options={"trainable": ("b", "d")}
    ),
    "refractory by a condition": Case(
        Population("a", LINGERING, N, {"V_r": mV(-52)}), 1500.0, options={"trainable": ("E_L",)}
    ),
    "a readout, its current added to another": Case(
        Population("a", LEAKY_INTEGRATOR, N, {"I_ext": pA(50)}), 300.0,
        options={"trainable": ("I_ext",)},
    ),
}  # fmt: skip


def learnt(layer: EmberLayer, x: torch.Tensor) -> tuple[torch.Tensor, EmberState, list[Any]]:
    """Output over two calls, the state after, and the gradients of a loss that sees all of it."""
    x = x.clone().requires_grad_()
    first, middle = layer(x[:CUT])
    second, last = layer(x[CUT:], middle)
    out = torch.cat([first, second])
    weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).reshape(out.shape)
    loss = (out * weight).sum() + sum(0.01 * v.sum() for v in last.cells.values)
    loss.backward()
    return out.detach(), last, [x.grad, *(p.grad for p in layer.parameters())]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_all_steps_in_one_call_are_the_steps_one_by_one(case: Case) -> None:
    whole, single = case.layer(), case.layer(fused=False)
    assert whole.fused and not single.fused
    out, last, found = learnt(whole, case.input())
    known, end, expected = learnt(single, case.input())
    assert known.count_nonzero() > 20
    assert torch.equal(out, known)
    assert last.step == end.step == STEPS
    pairs = zip(torch.utils._pytree.tree_leaves(last.cells),
                torch.utils._pytree.tree_leaves(end.cells), strict=True)  # fmt: skip
    assert all(torch.equal(a.detach(), b.detach()) and a.dtype == b.dtype for a, b in pairs)
    # Each gradient is a sum over steps, and a parameter's over cells, in another order.
    rounding = STEPS * BATCH * N * torch.finfo(case.dtype).eps
    for a, b in zip(found, expected, strict=True):
        assert b.abs().max() > 0
        assert (a - b).abs().max() <= rounding * b.abs().max()


def test_the_state_is_what_is_carried() -> None:
    """Known-bad: without the state of the first call, the second spikes otherwise."""
    case = CASES["refractory, each cell its own"]
    layer, x = case.layer(), case.input()
    with torch.no_grad():
        whole = layer(x)[0][CUT:]
        assert torch.equal(layer(x[CUT:], layer(x[:CUT])[1])[0], whole)
        assert not torch.equal(layer(x[CUT:])[0], whole)


def test_gradients_are_those_of_finite_differences() -> None:
    """A readout has no threshold, so its gradient is exact; by the input, and the first state."""
    case = CASES["a readout, its current added to another"]
    layer, x = case.layer(), case.input()[:40, :1]
    start = layer.initial_state(x)

    def run(given: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out, last = layer(given, EmberState(start.cells._replace(values=(v,)), 0))
        return out[::7], last.cells.values[0]

    inputs = (x.clone().requires_grad_(), start.cells.values[0].detach().clone().requires_grad_())
    assert torch.autograd.gradcheck(run, inputs, eps=1e-3, atol=1e-6)


def test_the_order_in_memory_and_the_threads_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["refractory, each cell its own"]
    x = case.input()
    out, _, gradients = learnt(case.layer(), x)
    batch_first = x.transpose(0, 1).contiguous().transpose(0, 1)
    assert not batch_first.is_contiguous()
    monkeypatch.setattr(module, "_SHARE", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    again, _, others = learnt(case.layer(), batch_first)
    assert torch.equal(out, again)
    assert all(torch.equal(a, b) for a, b in zip(gradients, others, strict=True))


def test_among_norses_modules_it_learns_as_before() -> None:
    """The gradient of a Linear before and one behind, in `SequentialState`, as step by step."""
    case = CASES["refractory, each cell its own"]
    x = case.input()[..., :5]
    gradients = []
    for fused in (None, False):
        draw = torch.Generator().manual_seed(2)
        before, behind = torch.nn.Linear(5, N, bias=False), torch.nn.Linear(N, 2, bias=False)
        with torch.no_grad():
            for layer in (before, behind):
                layer.weight.copy_(torch.rand(layer.weight.shape, generator=draw))
        model = norse().SequentialState(before, case.layer(fused=fused), behind)
        out, _ = model(x)
        assert out.count_nonzero() > 20
        out.square().mean().backward()
        assert before.weight.grad is not None
        gradients.append(before.weight.grad)
    rounding = STEPS * BATCH * torch.finfo(torch.float32).eps
    at_once, one_by_one = gradients
    largest = float(one_by_one.abs().max())
    assert torch.allclose(at_once, one_by_one, rtol=rounding, atol=rounding * largest)


@pytest.mark.parametrize("method", SLOPES)
def test_slopes_are_the_surrogates(method: str) -> None:
    alpha = METHODS[method] * 0.7
    formula = SLOPES[method].format(a=repr(alpha), x="x")
    source = f"from math import exp, tanh\nF = float\n\n\ndef slope(x):\n    return {formula}\n"
    for x in np.linspace(-2, 2, 41):
        expected = float(_SLOPES[method](torch.tensor(x), alpha))
        # Some ten operations, of numbers of order 1.
        assert Printed(source).slope(float(x)) == pytest.approx(expected, rel=1e-14, abs=1e-14)


def test_what_no_kernel_has_is_done_step_by_step() -> None:
    """`exp` in a step, chance, and functional transforms; asked for, it is refused by name."""
    layer = EmberLayer(Population("a", ADEX, 2), 0.1)
    assert not layer.fused
    for dtype, why in ((torch.float64, "it has `exp`"), (torch.float32, "`v` is held in double")):
        with pytest.raises(ConfigError, match=f"`a` must be stepped one by one, since {why}"):
            EmberLayer(Population("a", ADEX, 2), 0.1, fused=True, dtype=dtype)
    assert not EmberLayer(Population("a", GIF, 2), 0.5).fused
    case = CASES["jumps, held while refractory"]
    x, layer = case.input(), case.layer()
    gradient: torch.Tensor = torch.func.grad(lambda given: layer(given)[0].mean())(x).detach()
    found = x.clone().requires_grad_()
    layer(found)[0].mean().backward()
    assert found.grad is not None and gradient.abs().max() > 0
    # One rounding a step and operation; there are fewer than ten of them.
    rounding = 10 * STEPS * torch.finfo(x.dtype).eps * float(gradient.abs().max())
    assert torch.allclose(gradient, found.grad, rtol=0, atol=rounding)


def test_a_copy_and_a_wrong_width() -> None:
    case = CASES["refractory, each cell its own"]
    layer, x = case.layer(), case.input()
    with torch.no_grad():
        out, _ = layer(x)
        assert torch.equal(copy.deepcopy(layer)(x)[0], out)
    with pytest.raises(NetworkError, match="needs an input of 8 values for each of the batch"):
        layer(x[..., :3])
