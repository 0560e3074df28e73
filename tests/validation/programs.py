"""Small random networks whose statements read and write what they may, in many orders.

`network(rng)` takes a `random.Random`, so hypothesis can drive and shrink it
(`st.randoms(use_true_random=False)`) and a plain seed can, too.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from neuro import Network, Population, Projection, Source, Spikes
from neuro.equations import unread
from neuro.model import NeuronModel, SynapseModel
from neuro.synapses import (
    ALPHA_CONDUCTANCE,
    DEPRESSING_CURRENT,
    EXPONENTIAL_CONDUCTANCE,
    EXPONENTIAL_CURRENT,
    FACILITATING_CONDUCTANCE,
    GAP_JUNCTION,
    INHIBITORY_PLASTICITY,
    NMDA,
    STDP_ADDITIVE,
    STDP_MULTIPLICATIVE,
    STDP_TRIPLET,
)
from neuro.timing import DELAY
from neuro.units import Dimension, Quantity, ms, mV, nS, pA
from neuro.wiring import Listed

__all__ = ["DT_MS", "network", "variant"]

DT_MS = 0.1
_RESISTANCE = Dimension(voltage=1, current=-1)
_SHIPPED_LINEAR = (EXPONENTIAL_CURRENT, DEPRESSING_CURRENT, GAP_JUNCTION)
_SHIPPED = (
    *_SHIPPED_LINEAR, EXPONENTIAL_CONDUCTANCE, ALPHA_CONDUCTANCE, FACILITATING_CONDUCTANCE, NMDA,
    INHIBITORY_PLASTICITY, STDP_ADDITIVE, STDP_MULTIPLICATIVE, STDP_TRIPLET,
)  # fmt: skip
_DELAYS = (0.1, 0.15, 0.2, 0.25, 0.35, 0.4, 1.0, 1.05, 1.5, 3.0)
_METHODS = ("euler", "rk2", "rk4", "exponential_euler")


def network(rng: Random) -> Network:
    """One or two populations, a source, and one to four projections."""
    linear = rng.random() < 0.4
    populations = tuple(
        _population(rng, name, linear) for name in ("a", "b")[: 1 + (rng.random() < 0.5)]
    )
    n_units = rng.randint(1, 3)
    source = Source("in", _spikes(rng, n_units))
    kinds = [_synapse(rng, linear) for _ in range(rng.randint(1, 3))]
    projections = []
    for number in range(rng.randint(1, 4)):
        synapse = rng.choice(kinds)
        target = rng.choice(populations)
        if synapse is NMDA and target.model.method == "exponential_euler":
            synapse = EXPONENTIAL_CONDUCTANCE  # the interpreter holds no function of v for a step
        senders: dict[str, int] = {p.name: p.n for p in populations}
        if not _reads_source(synapse):
            senders |= {"in": n_units}
        name = rng.choice(sorted(senders))
        projections.append(_projection(rng, f"p{number}", synapse, name, senders[name], target))
    return Network(
        populations=populations, sources=(source,), projections=tuple(projections)
    )  # fmt: skip


def variant(generated: Network, rng: Random) -> Network:
    """The same text and wiring with other currents, spikes, weights and delays."""
    populations = []
    for p in generated.populations:
        current = {"I_ext": pA(round(rng.uniform(100, 420), 2))}
        model = replace(p.model, parameters={**p.model.parameters, **current})
        populations.append(replace(p, model=model))
    projections = []
    for q in generated.projections:
        delay: Any = ms(rng.choice(_DELAYS))
        if np.ndim(q.delay):
            delay = np.array([rng.choice(_DELAYS) for _ in range(np.size(q.delay))])
        weight = q.weight * round(rng.uniform(0.3, 1.5), 2)
        delay = delay if q.synapse.delivers else DELAY
        projections.append(replace(q, weight=weight, delay=delay))
    (source,) = generated.sources
    return replace(
        generated,
        populations=tuple(populations),
        projections=tuple(projections),
        sources=(replace(source, spikes=_spikes(rng, source.spikes.n_units)),),
    )


def _spikes(rng: Random, n_units: int) -> Spikes:
    found = set()
    for unit in range(n_units):
        for _ in range(rng.randint(0, 5)):
            # Often together, so that several arrive in one step.
            found.add((rng.choice((5, 50, 100, 101, 102, 150, rng.randint(0, 250))), unit))
    steps = [step for step, _ in sorted(found)]
    units = [unit for _, unit in sorted(found)]
    return Spikes(
        np.array(steps) * DT_MS, np.array(units, np.int64), n_units=n_units, t_stop_ms=1e3
    )


def _value(rng: Random, n: int, low: float, high: float) -> Any:
    """One value for all, or one for each cell."""
    digits = [round(rng.uniform(low, high), 2) for _ in range(n)]
    return np.array(digits) if rng.random() < 0.4 else digits[0]


def _population(rng: Random, name: str, linear: bool) -> Population:
    model = _neuron(rng, linear)
    n = rng.randint(1, 3)
    given = {
        "I_ext": (0, 420), "tau": (5, 15), "V_th": (-58, -50), "tau_x": (3, 40), "b": (0, 4),
        "t_ref": (0.25, 4),
    }  # fmt: skip
    parameters = {k: _value(rng, n, *bounds) for k, bounds in given.items() if rng.random() < 0.4}
    parameters = {k: value for k, value in parameters.items() if k in model.parameters}
    initial: dict[str, Any] = {}
    if rng.random() < 0.5:
        initial["v"] = _value(rng, n, -75, -60)
    return Population(name, model, n, parameters=parameters, initial=initial)


def _neuron(rng: Random, linear: bool) -> NeuronModel:
    """States `v` and at most `th` and `x`; subexpressions `gap`, `share` and `gate`."""
    conditional = rng.random() < 0.25  # refractory while a condition holds
    timed = not conditional and rng.random() < 0.5
    held = (conditional or timed) and rng.random() < 0.7
    th, x = rng.random() < 0.6, rng.random() < 0.6
    level = "th" if th else "V_th"
    share = "tanh(gap/(8*mV))"
    v = "E_L - v + R*I"
    if x:
        v += rng.choice(("", " - b*x", " + 0.1*b*x"))
    if not linear:
        v += rng.choice(("", " + 3*mV*sin(t/(7*ms))", " + 0.2*b*tanh(x)" if x else "", ""))
    lines = [f"dv/dt = ({v})/tau : volt" + (" (unless refractory)" if held else "")]
    reads_share = False
    if th:
        right = rng.choice(("(th_0 - th)/tau_th", "(th_0 - th)/tau_x"))
        if not linear and rng.random() < 0.4:
            right = rng.choice(
                ("(th_0 + 1*mV*share - th)/tau_th", "(V_th - th + 2*mV*gate)/tau_th")
            )
            reads_share = True
        also = " (unless refractory)" if held and rng.random() < 0.3 else ""
        lines.append(f"dth/dt = {right} : volt{also}")
    if x:
        slopes = ["(1 - x)/tau_x", "-x/tau_x", "(0.5 - 2*x)/tau_x"]
        if not linear:  # Brian2 takes minutes to integrate a circle exactly
            slopes.append("(0.02*(v - E_L)/mV - x)/tau_x")
        right = rng.choice(slopes)
        if not linear and rng.random() < 0.3:
            right = "(clip(share, 0, 1) - x)/tau_x"
            reads_share = True
        lines.append(f"dx/dt = {right} : 1")
    lines += [
        f"share = {share} : 1",
        f"gap = {level} - v : volt",
        f"gate = clip(share{' + x' if x else ''}, 0, 1) : 1",
    ]
    rng.shuffle(lines)
    methods = list(_METHODS)
    if reads_share:  # v and share feed each other through functions
        methods.remove("exponential_euler")
    threshold = rng.choice([
        f"v > {level}", f"v >= {level}", "gap < 0*mV", "gap < 0.2*mV*gate", f"not (v < {level})",
        f"v > {level} and gap < 5*mV", "v > V_th or share < -0.05",
        f"v > {level} and t > 2.05*ms", f"not (t < 3.05*ms or v < {level})",
        *([f"v > {level} - 1*mV*x", f"v > {level} and x < 0.8"] if x else []),
    ])  # fmt: skip
    statements = ["v = V_r", "v = V_r", "v -= 12*mV", "v = V_r + 0.1*gap", "v = E_L - 2*mV*gate"]
    if th:
        statements += ["th += 0.1*gap", "th += b", "th = th_0 + 3*mV*share"]
    if x:
        statements += [
            "x += 0.2",
            "x *= 0.5",
            "x = gate",
            "x += 0.1*share",
            "x = clip(x + share, 0, 1)",
        ]
    reset = [rng.choice(statements) for _ in range(rng.randint(0, 3))]
    reset.insert(rng.randint(0, len(reset)), rng.choice(("v = V_r", "v = V_r - 1*mV*gate")))
    refractory = ""
    if timed:
        refractory = rng.choice(("t_ref", "2*t_ref", "t_ref*(1 + gate)", "1.3*ms"))
    if conditional:
        refractory = rng.choice(("gap > 17*mV", "v < V_r + 1*mV", "t < 20.05*ms and gap > 9*mV"))
        if x:
            refractory = rng.choice((refractory, "x > 0.6", "not (x < 0.4)"))
        if held and "v" in refractory.replace("V", ""):
            refractory = "x > 0.6" if x else "t < 20*ms"
    model = NeuronModel(
        name="generated", equations="\n".join(lines), threshold=threshold,
        reset=rng.choice(("; ", "\n")).join(reset), refractory=refractory,
        parameters={
            "E_L": mV(-70), "V_th": mV(-54.3), "V_r": mV(-71.7), "th_0": mV(-53), "tau": ms(10),
            "tau_th": ms(12.5), "tau_x": ms(8), "b": mV(2), "t_ref": ms(2), "I_ext": pA(210),
            "R": Quantity(0.1, _RESISTANCE),
        },
        initial={"v": "E_L"} | ({"th": "th_0"} if th else {}) | ({"x": Quantity(0.3)} if x else {}),
        method=rng.choice(["exact", *methods] if linear else methods),
    )  # fmt: skip
    left = unread(model)
    return replace(model, parameters={k: q for k, q in model.parameters.items() if k not in left})


def _reads_source(synapse: SynapseModel) -> bool:
    return "_pre" in f"{synapse.edges} {synapse.on_pre} {synapse.on_post}"


def _synapse(rng: Random, linear: bool) -> SynapseModel:
    if rng.random() < 0.35:
        return rng.choice(_SHIPPED_LINEAR if linear else _SHIPPED)
    return rng.choice((_jump, _jump, _plastic, _plastic, _graded))(rng, linear)


def _jump(rng: Random, linear: bool) -> SynapseModel:
    """Acts on the membrane at once; may read and write it and its subexpressions."""
    statements = [
        "v += w", "v_post += 0.5*w", "v += w*share", "v += 0.2*w*gate_post", "v = v + 0.1*gap",
        "v -= k*w", "v += w + 0.05*(E_L - v)",
    ]  # fmt: skip
    on_pre = [rng.choice(statements) for _ in range(rng.randint(1, 3))]
    on_post = [rng.choice(("v += 0.1*w", "v -= w*share")) for _ in range(rng.random() < 0.2)]
    return SynapseModel(
        name="jump", equations="", current="", on_pre="; ".join(on_pre), on_post="; ".join(on_post),
        weight=mV(1), parameters={"k": Quantity(0.3)} if "v -= k*w" in on_pre else {},
    )  # fmt: skip


def _plastic(rng: Random, linear: bool) -> SynapseModel:
    """Edges with event-driven variables, a stored one, and subexpressions that read both."""
    feed = rng.choice(("h += w*u", "h += w*k", "h += w", "h = h + 0.5*w*k*(1 - 0.01*u)"))
    statements = [
        "u += 1", "u *= 0.5", "m = u", "m = 0.5*m + k", "w = clip(w + 2*pA*r, 0*pA, 90*pA)",
        "w *= 1 - 0.1*k", "r += 0.5", "r = k", feed, feed,
    ]  # fmt: skip
    on_pre = [rng.choice(statements) for _ in range(rng.randint(1, 4))] + [feed]
    on_post = ["r += 1", "m += 0.1*k", "w -= 1*pA*u", "u = clip(u, 0, 1)", "h *= 0.9"]
    slopes = rng.choice(("-u/tau_u", "(1 - u)/tau_u", "(m - u)/tau_u"))
    return SynapseModel(
        name="plastic", equations="dh/dt = -h/tau_h : amp", current="h",
        on_pre=rng.choice(("; ", "\n")).join(on_pre),
        on_post="; ".join(rng.choice(on_post) for _ in range(rng.randint(0, 2))),
        edges=f"""
            du/dt = {slopes}      : 1 (event-driven)
            dr/dt = -r/tau_r      : 1 (event-driven)
            k = half + 0.1*r      : 1
            half = u/(2 + u*u)    : 1
            m                     : 1
        """,
        weight=pA(40), initial={"u": Quantity(0.5), "m": "start"},
        parameters={"tau_u": ms(15), "tau_r": ms(6), "tau_h": ms(4), "start": Quantity(0.4)},
    )  # fmt: skip


def _graded(rng: Random, linear: bool) -> SynapseModel:
    """A clock-driven variable of the edge, summed on the target."""
    goal = rng.choice(("tanh((v_pre - v_post)/(9*mV))", "share_pre", "q", "gate_post*w/nS"))
    on_pre = rng.choice(
        (
            "z += 0.3",
            "q += w/nS",
            "q = z; z += q",
            "v += 1*mV*z*share",
            "v += 2*mV*z; q = share",
            "z += 0.1*gate; v += 1*mV*z*share; v_post -= 1*mV*gate; z = 0.5*z + 0.1*share",
        )
    )
    return SynapseModel(
        name="graded", equations="G : siemens\ncurrent = G*drive : amp", current="current",
        on_pre=on_pre, on_post=rng.choice(("", "q *= 0.5", "z *= 0.9")),
        edges=f"""
            dz/dt = ({goal} - z)/tau_z : 1 (clock-driven)
            G_post = w*scaled          : siemens (summed)
            scaled = z*{rng.choice(("1", "clip(z, 0, 1)", "(1 + share_post)"))} : 1
            q                          : 1
        """,
        weight=nS(1), parameters={"tau_z": ms(9), "drive": mV(12)}, initial={"z": Quantity(0.1)},
    )  # fmt: skip


def _projection(
    rng: Random, name: str, synapse: SynapseModel, source: str, n_source: int, target: Population
) -> Projection:
    pairs = [(i, j) for i in range(n_source) for j in range(target.n) if rng.random() < 0.7]
    if rng.random() < 0.2 and pairs:
        pairs.append(pairs[0])  # two synapses between one pair
    pairs = pairs or [(0, 0)]
    unit, dimension = float(synapse.weight), synapse.weight.dimension
    sizes = [round(rng.uniform(0.2, 2.0), 2) * unit for _ in pairs]
    delays = [rng.choice(_DELAYS) for _ in pairs]
    weight = np.array(sizes) if rng.random() < 0.5 else Quantity(sizes[0], dimension)
    delay = np.array(delays) if rng.random() < 0.5 else ms(delays[0])
    return Projection(
        name, source, target.name, synapse,
        Listed(np.array([i for i, _ in pairs]), np.array([j for _, j in pairs])),
        weight=weight, delay=delay if synapse.delivers else DELAY,
    )  # fmt: skip
