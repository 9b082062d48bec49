"""Bessel and Airy functions.

J and I come from their integrals over a circle, K and Ai from those over the real line: for such
integrands the trapezoidal rule is exact to rounding with a few dozen points (Trefethen and
Weideman, "The exponentially convergent trapezoidal rule", 2014). For large arguments stand the
asymptotic series of Hankel (DLMF 10.17, 10.40, 9.7), for Y and Ai of small ones power series (DLMF
10.8, 9.4). All in double precision, rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.ir.node import Node
from chainrule.ir.op import Op
from chainrule.ops.elementwise import eq, sign, where
from chainrule.ops.special_functions.rows import unary

_POINTS = 32  # exact up to here:
_CIRCLE = 25.0
_ANGLES = (np.arange(_POINTS) + 0.5) * (math.pi / _POINTS)
#: Below it, J₁ and I₁ are x / 2.
_TINY = 1e-8
_GAMMA = 0.5772156649015329


def _wide(f: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """In double precision, without warnings, rounded once."""

    def g(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(f(np.asarray(x, np.float64))).astype(x.dtype)

    return g


def _hankel(order: float, x: np.ndarray, signs: bool, terms: int = 26) -> tuple[Any, Any]:
    """Σ of the even and of the odd terms a_k(ν)/xᵏ, with alternating signs or without; terms that
    grow again are left out.
    """
    mu = 4 * order * order
    even, odd = np.ones_like(x), np.zeros_like(x)
    term, last = np.ones_like(x), np.full_like(x, np.inf)
    for k in range(1, terms):
        term = term * ((mu - (2 * k - 1) ** 2) / (8 * k)) / x
        size = np.abs(term)
        term = np.where(size < last, term, 0.0)
        last = size
        at = term * (-1.0) ** (k // 2) if signs else term
        if k % 2:
            odd = odd + at
        else:
            even = even + at
    return even, odd


# ------------------------------------------------------------------ J and Y


def _j(n: int) -> Callable[[np.ndarray], np.ndarray]:
    def f(x: np.ndarray) -> np.ndarray:
        a = np.abs(x)
        small = np.minimum(a, _CIRCLE)
        near = np.zeros_like(a)
        for angle in _ANGLES:
            near += np.cos(n * angle - small * math.sin(angle))
        large = np.maximum(a, _CIRCLE)
        p, q = _hankel(n, large, True)
        turn = large - (2 * n + 1) * (math.pi / 4)
        far = np.sqrt(2 / (math.pi * large)) * (p * np.cos(turn) - q * np.sin(turn))
        y = np.where(a <= _CIRCLE, near / _POINTS, far)
        y = np.where(np.isinf(a), 0.0, y)
        return np.where(a < _TINY, x / 2, y * np.sign(x)) if n else y

    return _wide(f)


_SERIES = 13.0


def _y(n: int) -> Callable[[np.ndarray], np.ndarray]:
    j = _j(n)

    def f(x: np.ndarray) -> np.ndarray:
        small = np.clip(x, 0, _SERIES)
        z, log = small * small / 4, np.log(small / 2)
        if n == 0:
            total, term, harmonic = np.zeros_like(z), np.ones_like(z), 0.0
            for k in range(1, 48):
                harmonic += 1 / k
                term = term * z / (k * k) * -1
                total = total - harmonic * term
            near = (2 / math.pi) * ((log + _GAMMA) * j(small) + total)
        else:
            total, term = np.zeros_like(z), np.ones_like(z)
            h0, h1 = 0.0, 1.0
            for k in range(48):
                total = total + (h0 + h1 - 2 * _GAMMA) * term
                h0, h1 = h1, h1 + 1 / (k + 2)
                term = term * z / ((k + 1) * (k + 2)) * -1
            near = (2 / math.pi) * log * j(small) - small / (2 * math.pi) * total
            near = near - 2 / (math.pi * small)
        large = np.maximum(x, _SERIES)
        p, q = _hankel(n, large, True)
        turn = large - (2 * n + 1) * (math.pi / 4)
        far = np.sqrt(2 / (math.pi * large)) * (p * np.sin(turn) + q * np.cos(turn))
        y = np.where(x <= _SERIES, near, far)
        y = np.where(np.isinf(x), 0.0, y)
        return np.where(x == 0, -np.inf, np.where(x < 0, np.nan, np.where(np.isnan(x), x, y)))

    return _wide(f)


# ------------------------------------------------------------------ I and K


def _scaled_i(n: int, x: np.ndarray) -> np.ndarray:
    """e^{−|x|} I_n(x)"""
    a = np.abs(x)
    small = np.minimum(a, _CIRCLE)
    near = np.zeros_like(a)
    for angle in _ANGLES:
        near += np.exp(small * (math.cos(angle) - 1)) * math.cos(n * angle)
    large = np.maximum(a, _CIRCLE)
    even, odd = _hankel(n, large, False)
    far = (even - odd) / np.sqrt(2 * math.pi * large)
    y = np.where(a <= _CIRCLE, near / _POINTS, far)
    y = np.where(np.isinf(a), 0.0, y)
    return np.where(a < _TINY, x / 2, y * np.sign(x)) if n else y


def _i(n: int) -> Callable[[np.ndarray], np.ndarray]:
    def f(x: np.ndarray) -> np.ndarray:
        y = np.exp(np.abs(x)) * _scaled_i(n, x)
        return np.where(np.isinf(x), np.abs(x) if n % 2 == 0 else x, y)

    return _wide(f)


def scaled_k(order: float, x: np.ndarray) -> np.ndarray:
    """eˣ K_ν(x) = ∫₀^∞ e^{−x (cosh t − 1)} cosh νt dt for x > 0"""
    h = np.minimum(0.25, 0.5 / np.sqrt(x))
    total = np.full_like(x, 0.5)
    for k in range(1, 140):
        t = k * h
        total += np.exp(-2 * x * np.sinh(t / 2) ** 2) * np.cosh(order * t)
    return total * h


def _k(n: int, scaled: bool) -> Callable[[np.ndarray], np.ndarray]:
    def f(x: np.ndarray) -> np.ndarray:
        y = scaled_k(n, np.maximum(x, 1e-14))
        tiny = -np.log(x / 2) - _GAMMA if n == 0 else 1 / x
        y = np.where(x < 1e-14, tiny, y)
        if not scaled:
            y = y * np.exp(-x)
        y = np.where(np.isinf(x), 0.0, y)
        return np.where(x == 0, np.inf, np.where(x < 0, np.nan, np.where(np.isnan(x), x, y)))

    return _wide(f)


# ------------------------------------------------------------------ Ai

_AI_0, _AI_SLOPE = 0.3550280538878172, 0.2588194037928068
_TURN = -7.5


@_wide
def _airy(x: np.ndarray) -> np.ndarray:
    middle = np.clip(x, _TURN, 1.0)
    cube = middle**3
    f, g = np.ones_like(x), middle.copy()
    a, b = f.copy(), g.copy()
    for k in range(1, 60):
        a = a * cube / ((3 * k - 1) * (3 * k))
        b = b * cube / ((3 * k) * (3 * k + 1))
        f, g = f + a, g + b
    series = _AI_0 * f - _AI_SLOPE * g
    right = np.maximum(x, 1.0)
    zeta = 2 / 3 * right * np.sqrt(right)
    falling = np.sqrt(right / 3) / math.pi * scaled_k(1 / 3, zeta) * np.exp(-zeta)
    left = np.maximum(-x, -_TURN)
    zeta = 2 / 3 * left * np.sqrt(left)
    even, odd = _airy_terms(zeta)
    angle = zeta - math.pi / 4
    waves = (np.cos(angle) * even + np.sin(angle) * odd) / (math.sqrt(math.pi) * left**0.25)
    y = np.where(x > 1, falling, np.where(x < _TURN, waves, series))
    return np.where(np.isinf(x), np.where(x > 0, 0.0, np.nan), y)


def _airy_terms(zeta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ (−1)ᵏ u_2k/ζ²ᵏ and Σ (−1)ᵏ u_{2k+1}/ζ²ᵏ⁺¹ (DLMF 9.7.2)"""
    even, odd, u = np.ones_like(zeta), np.zeros_like(zeta), np.ones_like(zeta)
    for k in range(1, 14):
        u = u * ((6 * k - 5) * (6 * k - 3) * (6 * k - 1) / ((2 * k - 1) * 216 * k)) / zeta
        at = u * (-1.0) ** (k // 2)
        even, odd = (even, odd + at) if k % 2 else (even + at, odd)
    return even, odd


# ------------------------------------------------------------------ rows

_ROW: dict[str, Any] = {"over": (0.6, 3.0)}

bessel_j0: Op = unary(
    "bessel_j0", _j(0), lambda g, y, x: -g * bessel_j1(x),
    tex="J_0({0})", doc="J₀(x)", torch="special.bessel_j0",
)  # fmt: skip
bessel_j1: Op = unary(
    "bessel_j1", _j(1), lambda g, y, x: g * (bessel_j0(x) - _per(y, x)),
    tex="J_1({0})", doc="J₁(x)", torch="special.bessel_j1",
)  # fmt: skip
bessel_y0: Op = unary(
    "bessel_y0", _y(0), lambda g, y, x: -g * bessel_y1(x),
    tex="Y_0({0})", doc="Y₀(x)", torch="special.bessel_y0", **_ROW,
)  # fmt: skip
bessel_y1: Op = unary(
    "bessel_y1", _y(1), lambda g, y, x: g * (bessel_y0(x) - y / x),
    tex="Y_1({0})", doc="Y₁(x)", torch="special.bessel_y1", **_ROW,
)  # fmt: skip
i0: Op = unary(
    "i0", _i(0), lambda g, y, x: g * i1(x),
    tex="I_0({0})", doc="I₀(x), the modified Bessel function", torch="special.i0",
)  # fmt: skip
i1: Op = unary(
    "i1", _i(1), lambda g, y, x: g * (i0(x) - _per(y, x)),
    tex="I_1({0})", doc="I₁(x), the modified Bessel function", torch="special.i1",
)  # fmt: skip
i0e: Op = unary(
    "i0e", _wide(lambda x: _scaled_i(0, x)), lambda g, y, x: g * (i1e(x) - sign(x) * y),
    tex=r"e^{{-\lvert {0} \rvert}} I_0({0})", doc="e^{−|x|} I₀(x)", torch="special.i0e",
    over=(0.2, 3.0),
)  # fmt: skip
i1e: Op = unary(
    "i1e", _wide(lambda x: _scaled_i(1, x)),
    lambda g, y, x: g * (i0e(x) - _per(y, x) - sign(x) * y),
    tex=r"e^{{-\lvert {0} \rvert}} I_1({0})", doc="e^{−|x|} I₁(x)", torch="special.i1e",
    over=(0.2, 3.0),
)  # fmt: skip
k0: Op = unary(
    "k0", _k(0, False), lambda g, y, x: -g * k1(x),
    tex="K_0({0})", doc="K₀(x)", torch="special.modified_bessel_k0", **_ROW,
)  # fmt: skip
k1: Op = unary(
    "k1", _k(1, False), lambda g, y, x: -g * (k0(x) + y / x),
    tex="K_1({0})", doc="K₁(x)", torch="special.modified_bessel_k1", **_ROW,
)  # fmt: skip
k0e: Op = unary(
    "k0e", _k(0, True), lambda g, y, x: g * (y - k1e(x)),
    tex="e^{{{0}}} K_0({0})", doc="eˣ K₀(x)", torch="special.scaled_modified_bessel_k0", **_ROW,
)  # fmt: skip
k1e: Op = unary(
    "k1e", _k(1, True), lambda g, y, x: g * (y - k0e(x) - y / x),
    tex="e^{{{0}}} K_1({0})", doc="eˣ K₁(x)", torch="special.scaled_modified_bessel_k1", **_ROW,
)  # fmt: skip
airy_ai = unary(
    "airy_ai", _airy, None,
    tex=r"\operatorname{{Ai}}({0})", doc="the Airy function Ai(x)", torch="special.airy_ai",
    order=0,
)  # fmt: skip


def _per(y: Node, x: Node) -> Node:
    """y / x where y is about x / 2 near 0"""
    zero = eq(x, 0)
    return where(zero, 0.5, y / where(zero, 1, x))
