"""The ear's inner loops, one channel at a time, compiled on first use."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from neuro.compiled import kept

__all__ = ["calcium_current", "cascade", "receptor_potential", "release"]


@kept
@njit(nogil=True)
def cascade(
    signal: NDArray[np.float64], pole: complex, gain: float
) -> NDArray[np.complex128]:  # pragma: no cover
    """Four equal complex one-pole filters in series."""
    out = np.empty(signal.size, dtype=np.complex128)
    a = b = c = d = 0j
    for k in range(signal.size):
        a = gain * signal[k] + pole * a
        b = a + pole * b
        c = b + pole * c
        d = c + pole * d
        out[k] = d
    return out


@kept
@njit(nogil=True)
def receptor_potential(
    bundle_nm: NDArray[np.float64],
    dt_ms: float,
    u0: float, s0: float, u1: float, s1: float,
    g_max: float, g_a: float, g_k: float,
    e_t: float, e_k: float, capacitance: float,
) -> NDArray[np.float64]:  # fmt: skip  # pragma: no cover
    """Membrane potential in mV; each step is exact for the conductance at its start."""
    out = np.empty(bundle_nm.size)
    g = g_a + g_max / (1.0 + math.exp(u0 / s0) * (1.0 + math.exp(u1 / s1)))
    v = (g * e_t + g_k * e_k) / (g + g_k)
    for k in range(bundle_nm.size):
        u = bundle_nm[k]
        g = g_a + g_max / (1.0 + math.exp((u0 - u) / s0) * (1.0 + math.exp((u1 - u) / s1)))
        v_inf = (g * e_t + g_k * e_k) / (g + g_k)
        v = v_inf + (v - v_inf) * math.exp(-dt_ms * (g + g_k) / capacitance)
        out[k] = v
    return out


@kept
@njit(nogil=True)
def calcium_current(
    potential_mv: NDArray[np.float64],
    dt_ms: float,
    g_ca: float, e_ca: float, beta: float, gamma: float, tau_m: float,
) -> NDArray[np.float64]:  # fmt: skip  # pragma: no cover
    """Inward current in pA through third-order activated calcium channels."""
    out = np.empty(potential_mv.size)
    keep = math.exp(-dt_ms / tau_m)
    m = 1.0 / (1.0 + math.exp(-gamma * potential_mv[0]) / beta)
    for k in range(potential_mv.size):
        v = potential_mv[k]
        m_inf = 1.0 / (1.0 + math.exp(-gamma * v) / beta)
        m = m_inf + (m - m_inf) * keep
        out[k] = g_ca * m * m * m * (e_ca - v)
    return out


@kept
@njit(nogil=True)
def release(
    current_pa: NDArray[np.float64],
    dt_ms: float,
    tau_ca: float, ca_threshold: float, z: float,
    pool: float, y: float, x: float, loss: float, recovery: float,
) -> NDArray[np.float64]:  # fmt: skip  # pragma: no cover
    """Vesicles released per ms: implicit steps, so pools stay positive at any drive."""
    out = np.empty(current_pa.size)
    keep = math.exp(-dt_ms / tau_ca)
    floor = ca_threshold**3
    ca = current_pa[0] * tau_ca
    k = z * max(ca**3 - floor, 0.0)
    q = y * pool / (y + k * loss / (loss + recovery))
    c = k * q / (loss + recovery)
    w = recovery * c / x
    for n in range(current_pa.size):
        ca_inf = current_pa[n] * tau_ca
        ca = ca_inf + (ca - ca_inf) * keep
        k = z * max(ca * ca * ca - floor, 0.0)
        q = (q + dt_ms * (y * pool + x * w)) / (1.0 + dt_ms * (y + k))
        c = (c + dt_ms * k * q) / (1.0 + dt_ms * (loss + recovery))
        w = (w + dt_ms * recovery * c) / (1.0 + dt_ms * x)
        out[n] = k * q
    return out
