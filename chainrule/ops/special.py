"""Special functions in NumPy, to about double precision: what `numpy` itself lacks.

erf      Taylor series about the nearest of 401 grid points; its derivatives are Hermite polynomials
         (Abramowitz and Stegun 7.1.19).
erfinv   Giles, "Approximating the erfinv function" (2010), then two Newton steps.
digamma  recurrence to x ≥ 10, then the asymptotic series (Abramowitz and Stegun 6.3.18), reflection
below 0.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

_STEP, _LAST, _TERMS = 64, 400, 9  # grid of 1/64 up to 6.25: beyond it erf is 1 in double precision


@functools.cache
def _erf_table() -> np.ndarray:
    table = np.empty((_TERMS, _LAST + 1))
    for i in range(_LAST + 1):
        x = i / _STEP
        slope = 2 / math.sqrt(math.pi) * math.exp(-x * x)
        table[0, i] = math.erf(x)
        before, h, factorial = 0.0, 1.0, 1.0  # Hermite H_{n-1}
        for n in range(1, _TERMS):
            factorial *= n
            table[n, i] = (-1) ** (n - 1) * h * slope / factorial
            before, h = h, 2 * x * h - 2 * (n - 1) * before
    return table


def erf(x: np.ndarray) -> np.ndarray:
    """2/√π ∫₀ˣ e^{-t²} dt."""
    x64 = np.asarray(x, np.float64)
    a = np.minimum(np.abs(x64), _LAST / _STEP)
    i = np.nan_to_num(np.rint(a * _STEP)).astype(np.intp)
    d = a - i / _STEP
    table = _erf_table()
    y = table[_TERMS - 1][i]
    for n in range(_TERMS - 2, -1, -1):
        y *= d
        y += table[n][i]
    return np.copysign(y, x64).astype(x.dtype)


_SMALL = (
    2.81022636e-08,
    3.43273939e-07,
    -3.5233877e-06,
    -4.39150654e-06,
    0.00021858087,
    -0.00125372503,
    -0.00417768164,
    0.246640727,
    1.50140941,
)
_LARGE = (
    -0.000200214257,
    0.000100950558,
    0.00134934322,
    -0.00367342844,
    0.00573950773,
    -0.0076224613,
    0.00943887047,
    1.00167406,
    2.83297682,
)


def erfinv(y: np.ndarray) -> np.ndarray:
    """The x with erf(x) = y."""
    y64 = np.asarray(y, np.float64)
    w = -np.log1p(-y64 * y64)
    small = w < 5
    t = np.where(small, w - 2.5, np.sqrt(np.maximum(w, 5.0)) - 3.0)
    x = np.where(small, _SMALL[0], _LARGE[0])
    for a, b in zip(_SMALL[1:], _LARGE[1:], strict=True):
        x = x * t + np.where(small, a, b)
    x = x * y64
    for _ in range(2):
        step = (erf(x) - y64) * (math.sqrt(math.pi) / 2) * np.exp(np.minimum(x * x, 700.0))
        x = x - np.where(np.abs(y64) < 1 - 1e-9, step, 0.0)
    x = np.where(np.abs(y64) == 1, np.copysign(np.inf, y64), x)
    return np.where(np.abs(y64) > 1, np.nan, x).astype(y.dtype)


def _lgamma(x: float) -> float:
    if math.isnan(x):
        return x
    if abs(x) > 2.5e305 or (x <= 0 and x == math.floor(x)):  # beyond, it is infinite
        return math.inf
    return math.lgamma(x)


_lgamma_all = np.frompyfunc(_lgamma, 1, 1)


def lgamma(x: np.ndarray) -> Any:
    """log |Γ(x)|."""
    return np.asarray(_lgamma_all(np.asarray(x, np.float64))).astype(x.dtype)


def polygamma(x: np.ndarray, *, n: int) -> np.ndarray:
    """The n-th derivative of ψ = (log Γ)', n ≥ 0: recurrence upwards, then the asymptotic series
    (A&S 6.4.11).
    """
    z = np.asarray(x, np.float64)
    if n == 0:
        reflect = z < 0.5
        v = np.where(reflect, 1 - z, z)
        out = _polygamma_positive(v, 0)
        cot = np.pi / np.tan(np.pi * np.where(reflect, z, 0.25))
        out = np.where(reflect, out - cot, out)
        return np.where(
            (z <= 0) & (z == np.floor(z)), np.where(z == 0, -np.inf, np.nan), out
        ).astype(x.dtype)
    negative = z < 0
    out = _polygamma_positive(np.where(negative, 1 - z, z), n)
    cot = 1 / np.tan(np.pi * np.where(negative, z - np.rint(z), 0.25))
    *lower, leading = cotangent(n)
    steep = np.full_like(z, leading)
    for c in reversed(lower):
        steep = steep * cot + c
    return np.where(negative, (-1) ** n * out - steep, out).astype(x.dtype)


@functools.cache
def cotangent(n: int) -> tuple[float, ...]:
    """The n-th derivative of π cot πx, as coefficients of a polynomial in cot πx: D c = −π (1 + c²)

    By it, ψ⁽ⁿ⁾(x) = (−1)ⁿ ψ⁽ⁿ⁾(1 − x) − Dⁿ π cot πx (Abramowitz and Stegun 6.4.7).
    """
    p = [0.0, math.pi]
    for _ in range(n):
        slope = [k * c for k, c in enumerate(p)][1:]
        p = [0.0] * (len(slope) + 2)
        for k, c in enumerate(slope):
            p[k] -= math.pi * c
            p[k + 2] -= math.pi * c
    return tuple(p)


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


def _polygamma_positive(v: np.ndarray, n: int) -> np.ndarray:
    v = v.copy()
    out = np.zeros_like(v)
    sign = (-1.0) ** (n + 1)
    for _ in range(16):
        low = v < 16
        out = np.where(low, out + sign * math.factorial(n) / v ** (n + 1), out)
        v = np.where(low, v + 1, v)
    if n == 0:
        series = np.log(v) - 0.5 / v
        for k, b in enumerate(_BERNOULLI, 1):
            series -= b / (2 * k * v ** (2 * k))
        return out + series
    series = math.factorial(n - 1) / v**n + math.factorial(n) / (2 * v ** (n + 1))
    for k, b in enumerate(_BERNOULLI, 1):
        series += b * math.factorial(2 * k + n - 1) / (math.factorial(2 * k) * v ** (2 * k + n))
    return out + sign * series
