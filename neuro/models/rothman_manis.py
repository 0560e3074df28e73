"""Rothman and Manis's cells of the ventral cochlear nucleus: one text, six types."""

from __future__ import annotations

from neuro.errors import ConfigError, nearest
from neuro.model import NeuronModel
from neuro.units import Quantity, mV, nS, pF

__all__ = ["ROTHMAN_MANIS", "rothman_manis"]

# Each current with its gates, V in mV above -60 as `u`. A type is built of the currents it has:
# gates of a current that is not there would cost as much as others.
_CURRENTS = {
    "Na": """
        I_Na = g_Na*m**3*h*(E_Na - v)                                                : amp
        dm/dt = q*(m_inf - m)/tau_m                                                  : 1
        m_inf = 1/(1 + exp(-(u - 22)/7))                                             : 1
        tau_m = (10/(5*exp(u/18) + 36*exp(-u/25)) + 0.04)*ms                         : second
        dh/dt = q*(h_inf - h)/tau_h                                                  : 1
        h_inf = 1/(1 + exp((u + 5)/6))                                               : 1
        tau_h = (100/(7*exp(u/11) + 10*exp(-u/25)) + 0.6)*ms                         : second
    """,
    "KHT": """
        I_KHT = g_KHT*(0.85*n**2 + 0.15*p)*(E_K - v)                                 : amp
        dn/dt = q*(n_inf - n)/tau_n                                                  : 1
        n_inf = 1/sqrt(1 + exp(-(u - 45)/5))                                         : 1
        tau_n = (100/(11*exp(u/24) + 21*exp(-u/23)) + 0.7)*ms                        : second
        dp/dt = q*(p_inf - p)/tau_p                                                  : 1
        p_inf = 1/(1 + exp(-(u - 37)/6))                                             : 1
        tau_p = (100/(4*exp(u/32) + 5*exp(-u/22)) + 5)*ms                            : second
    """,
    "KLT": """
        I_KLT = g_KLT*w**4*z*(E_K - v)                                               : amp
        dw/dt = q*(w_inf - w)/tau_w                                                  : 1
        w_inf = 1/sqrt(sqrt(1 + exp(-(u - 12)/6)))                                   : 1
        tau_w = (100/(6*exp(u/6) + 16*exp(-u/45)) + 1.5)*ms                          : second
        dz/dt = q*(z_inf - z)/tau_z                                                  : 1
        z_inf = 0.5 + 0.5/(1 + exp((u + 11)/10))                                     : 1
        tau_z = (1000/(exp(u/20) + exp(-u/8)) + 50)*ms                               : second
    """,
    "A": """
        I_A = g_A*a**4*b*c*(E_K - v)                                                 : amp
        da/dt = q*(a_inf - a)/tau_a                                                  : 1
        a_inf = 1/sqrt(sqrt(1 + exp(-(u - 29)/6)))                                   : 1
        tau_a = (100/(7*exp(u/14) + 29*exp(-u/24)) + 0.1)*ms                         : second
        db/dt = q*(bc_inf - b)/tau_b                                                 : 1
        dc/dt = q*(bc_inf - c)/tau_c                                                 : 1
        bc_inf = 1/sqrt(1 + exp((u + 6)/7))                                          : 1
        tau_b = (1000/(14*exp(u/27) + 29*exp(-u/24)) + 1)*ms                         : second
        tau_c = (90/(1 + exp(-(u + 6)/17)) + 10)*ms                                  : second
    """,
    "h": """
        I_h = g_h*r*(E_h - v)                                                        : amp
        dr/dt = q*(r_inf - r)/tau_r                                                  : 1
        r_inf = 1/(1 + exp((u + 16)/7))                                              : 1
        tau_r = (100000/(237*exp(u/12) + 17*exp(-u/14)) + 25)*ms                     : second
    """,
}
_CONDUCTANCES: dict[str, dict[str, float]] = {  # nS, the paper's table 1
    "i_c": {"Na": 1000, "KHT": 150, "h": 0.5},
    "i_t": {"Na": 1000, "KHT": 80, "A": 65, "h": 0.5},
    "i_ii": {"Na": 1000, "KHT": 150, "KLT": 20, "h": 2},
    "ii_i": {"Na": 1000, "KHT": 150, "KLT": 35, "h": 3.5},
    "ii": {"Na": 1000, "KHT": 150, "KLT": 200, "h": 20},
    # Not among the paper's types: a type II with more of I_KLT and I_h, as Brian2's example of the
    # paper gives it.
    "octopus": {"Na": 1000, "KHT": 150, "KLT": 600, "h": 40},
}
_RESTS = {
    "i_c": -63.94, "i_t": -64.21, "i_ii": -64.06, "ii_i": -63.9, "ii": -63.63, "octopus": -64.43,
}  # fmt: skip
# Gates at -64 mV, within half a millivolt of every type's rest.
_AT_REST = {
    "m": 0.0238, "h": 0.4584, "n": 0.0074, "p": 0.0011, "w": 0.5049, "z": 0.6659, "a": 0.2526,
    "b": 0.655, "c": 0.655, "r": 0.1526,
}  # fmt: skip


def rothman_manis(kind: str) -> NeuronModel:
    """A cell with the currents and conductances of a type, at 22 °C; warmer with a larger `q`.

    Args:
        kind: `i_c` (chopper), `i_t`, `i_ii`, `ii_i`, `ii` (bushy) or `octopus`.

    Raises:
        ConfigError: if there is no such type.
    """
    if kind not in _CONDUCTANCES:
        raise ConfigError(
            f"a Rothman-Manis cell must be of type {', '.join(_CONDUCTANCES)}, found `{kind}`"
            + nearest(kind, _CONDUCTANCES)
        )
    conductances = _CONDUCTANCES[kind]
    total = " + ".join(f"I_{name}" for name in conductances)
    text = f"""
        dv/dt = ({total} + g_L*(E_L - v) + I) / C : volt
        u = (v + 60*mV)/mV : 1
        {"".join(_CURRENTS[name] for name in conductances)}
    """
    return NeuronModel(
        name=f"rothman_manis_{kind}",
        equations=text,
        threshold="v > V_spike",
        refractory="v > V_spike",  # one spike for each upward crossing
        parameters={
            "C": pF(12), "g_L": nS(2), **{f"g_{n}": nS(g) for n, g in conductances.items()},
            "E_Na": mV(50), "E_K": mV(-70), "E_L": mV(-65), "E_h": mV(-43),
            "q": Quantity(1),  # 3**((T - 22 °C)/10 °C)
            "V_spike": mV(-20),  # where a spike is counted; engineering choice
        },
        initial={
            "v": mV(_RESTS[kind]),
            **{gate: Quantity(x) for gate, x in _AT_REST.items() if f"d{gate}/dt" in text},
        },
        source="Rothman & Manis 2003, J Neurophysiol 89:3097"
        + (f", type {kind.upper().replace('_', '-')}" if kind != "octopus" else ""),
    )  # fmt: skip


ROTHMAN_MANIS = tuple(rothman_manis(kind) for kind in _CONDUCTANCES)
