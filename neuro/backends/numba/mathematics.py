"""The functions of the equation language, for kernels: without branches, so that they vectorise.

Numba's own `exp` and `log` call the C library once a cell. These are inlined polynomials, within
the errors stated below of the true value (measured in tests/exact/test_mathematics.py):

    exp     float32 2 ulp, float64 2 ulp        log   float32 2 ulp, float64 2 ulp
    expm1, exprel, tanh, sinh, cosh             5 ulp

Results below the smallest normal number (1e-38, 2e-308) are 0. NaN gives NaN, overflow infinity.
Coefficients: Moshier, Cephes Mathematical Library 2.8 (expf, exp, logf, log).
"""

from __future__ import annotations

# Compiled functions are typed by what they are called with.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
import math
from typing import Any

import numba
import numpy as np

from neuro.backends.numba.intrinsics import (
    bits32,
    bits64,
    float32_of,
    float64_of,
    select,
)  # fmt: skip

__all__ = ["FLOAT32", "FLOAT64", "clip"]

_inline: Any = numba.njit(  # type: ignore[call-overload]
    error_model="numpy", forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
)
f32, f64 = np.float32, np.float64
u32, u64 = np.uint32, np.uint64

_LOG2E_32, _ROUND_32 = f32(1.4426950408889634), f32(12582912.0)  # 1.5 * 2**23
_LOG2E_64, _ROUND_64 = f64(1.4426950408889634), f64(6755399441055744.0)  # 1.5 * 2**52
_LN2_HIGH_32, _LN2_LOW_32 = f32(0.693359375), f32(-2.12194440e-4)
_LN2_HIGH_64, _LN2_LOW_64 = f64(6.93145751953125e-1), f64(1.42860682030941723212e-6)


@_inline
def _reduced32(x):
    """`x = n*ln2 + r`: r, and 2**(n - 1) (so that n = 128 overflows only when it should)."""
    x = select(x > f32(89.0), f32(89.0), x)
    x = select(x < f32(-87.3), f32(-87.4), x)
    shifted = x * _LOG2E_32 + _ROUND_32  # adding 1.5 * 2**23 rounds, and leaves n in the low bits
    n = shifted - _ROUND_32
    r = (x - n * _LN2_HIGH_32) - n * _LN2_LOW_32
    return r, float32_of(u32(u32(bits32(shifted) + u32(126)) << u32(23)))


@_inline
def _expm1_near_0_32(r):
    """`exp(r) - 1` for |r| <= ln2 / 2."""
    p = f32(1.9875691500e-4) * r + f32(1.3981999507e-3)
    p = p * r + f32(8.3334519073e-3)
    p = p * r + f32(4.1665795894e-2)
    p = p * r + f32(1.6666665459e-1)
    p = p * r + f32(5.0000001201e-1)
    return p * (r * r) + r


@_inline
def exp32(x):
    r, half = _reduced32(x)
    return (_expm1_near_0_32(r) + f32(1.0)) * half * f32(2.0)


@_inline
def expm1_32(x):
    r, half = _reduced32(x)
    scale = half * f32(2.0)
    return _expm1_near_0_32(r) * scale + (scale - f32(1.0))


@_inline
def log32(x):
    bits = bits32(x)
    exponent = f32(np.int32(bits >> u32(23))) - f32(126.0)
    m = float32_of(u32((bits & u32(0x007FFFFF)) | u32(0x3F000000)))  # in [1/2, 1)
    low = m < f32(0.707106781186547524)
    exponent = select(low, exponent - f32(1.0), exponent)
    m = select(low, m + m, m) - f32(1.0)
    square = m * m
    p = f32(7.0376836292e-2) * m - f32(1.1514610310e-1)
    p = p * m + f32(1.1676998740e-1)
    p = p * m - f32(1.2420140846e-1)
    p = p * m + f32(1.4249322787e-1)
    p = p * m - f32(1.6668057665e-1)
    p = p * m + f32(2.0000714765e-1)
    p = p * m - f32(2.4999993993e-1)
    p = p * m + f32(3.3333331174e-1)
    y = p * m * square + exponent * _LN2_LOW_32 - f32(0.5) * square
    return _log_edges(
        x, m + y + exponent * _LN2_HIGH_32, f32(np.inf), f32(np.nan), f32(1.1754944e-38)
    )


@_inline
def _log_edges(x, result, infinity, nan, tiny):
    result = select(x < tiny, -infinity, result)
    result = select(x == infinity, infinity, result)
    return select((x < x - x) | (x != x), nan, result)


@_inline
def _reduced64(x):
    x = select(x > f64(710.0), f64(710.0), x)
    x = select(x < f64(-708.0), f64(-708.4), x)
    shifted = x * _LOG2E_64 + _ROUND_64
    n = shifted - _ROUND_64
    r = (x - n * _LN2_HIGH_64) - n * _LN2_LOW_64
    return r, float64_of(u64((bits64(shifted) + u64(1022)) << u64(52)))


@_inline
def _expm1_near_0_64(r):
    square = r * r
    p = f64(1.26177193074810590878e-4) * square + f64(3.02994407707441961300e-2)
    p = r * (p * square + f64(9.99999999999999999910e-1))
    q = f64(3.00198505138664455042e-6) * square + f64(2.52448340349684104192e-3)
    q = q * square + f64(2.27265548208155028766e-1)
    q = q * square + f64(2.0)
    return f64(2.0) * (p / (q - p))


@_inline
def exp64(x):
    r, half = _reduced64(x)
    return (_expm1_near_0_64(r) + f64(1.0)) * half * f64(2.0)


@_inline
def expm1_64(x):
    r, half = _reduced64(x)
    scale = half * f64(2.0)
    return _expm1_near_0_64(r) * scale + (scale - f64(1.0))


@_inline
def log64(x):
    bits = bits64(x)
    exponent = f64(np.int64(bits >> u64(52))) - f64(1022.0)
    m = float64_of(u64((bits & u64(0x000FFFFFFFFFFFFF)) | u64(0x3FE0000000000000)))
    low = m < f64(0.70710678118654752440)
    exponent = select(low, exponent - f64(1.0), exponent)
    m = select(low, m + m, m) - f64(1.0)
    square = m * m
    p = f64(1.01875663804580931796e-4) * m + f64(4.97494994976747001425e-1)
    p = p * m + f64(4.70579119878881725854)
    p = p * m + f64(1.44989225341610930846e1)
    p = p * m + f64(1.79368678507819816313e1)
    p = p * m + f64(7.70838733755885391666)
    q = m + f64(1.12873587189167450590e1)
    q = q * m + f64(4.52279145837532221105e1)
    q = q * m + f64(8.29875266912776603211e1)
    q = q * m + f64(7.11544750618563894466e1)
    q = q * m + f64(2.31251620126765340583e1)
    y = m * (square * p / q) - exponent * f64(2.121944400546905827679e-4)
    y = y - f64(0.5) * square
    return _log_edges(
        x,
        m + y + exponent * f64(0.693359375),
        f64(np.inf),
        f64(np.nan),
        f64(2.2250738585072014e-308),
    )


@_inline
def _size(x, zero):
    return select(x < zero, -x, x)


def _family(real, exp, expm1, log):
    """The functions that follow from these three, in one precision."""
    one, two, half, zero = real(1.0), real(2.0), real(0.5), real(0.0)

    @_inline
    def square(x):
        return x * x

    @_inline
    def cube(x):
        return x * x * x

    @_inline
    def exprel(x):
        return select(x == zero, one, expm1(x) / select(x == zero, one, x))

    @_inline
    def tanh(x):
        shrunk = expm1(-two * _size(x, zero))
        result = -shrunk / (shrunk + two)
        return select(x < zero, -result, result)

    @_inline
    def sinh(x):
        grown = expm1(_size(x, zero))
        result = half * (grown + grown / (grown + one))
        result = select(grown > real(1e30), half * grown, result)
        return select(x < zero, -result, result)

    @_inline
    def cosh(x):
        grown = exp(_size(x, zero))
        return half * grown + half / grown

    @_inline
    def log10(x):
        return log(x) * real(0.43429448190325182765)

    @_inline
    def sign(x):
        return select(x > zero, one, select(x < zero, -one, zero))

    @_inline
    def whole(x):
        return real(math.trunc(x))

    @_inline
    def floor(x):
        return real(math.floor(x))

    @_inline
    def ceil(x):
        return real(math.ceil(x))

    return {
        "exp": exp, "expm1": expm1, "log": log, "exprel": exprel, "tanh": tanh, "sinh": sinh,
        "cosh": cosh, "log10": log10, "whole": whole, "floor": floor, "ceil": ceil, "sign": sign,
        "square": square, "cube": cube,
    }  # fmt: skip


FLOAT32: dict[str, Any] = _family(np.float32, exp32, expm1_32, log32)
FLOAT64: dict[str, Any] = _family(np.float64, exp64, expm1_64, log64)


@_inline
def clip(x, low, high):
    """`x`, held within `low` and `high`; `high` where they cross, as in NumPy and Brian2."""
    above = select(x < low, low, x)
    return select(above > high, high, above)
