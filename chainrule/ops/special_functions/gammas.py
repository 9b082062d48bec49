"""Incomplete gamma functions and the zeta function of Hurwitz.

P, Q    the series for x < a + 1, else the continued fraction by Lentz's method (DLMF 8.11.4, 8.9.2)
ζ       Euler's and Maclaurin's summation (DLMF 25.11.28)
"""

from __future__ import annotations

import numpy as np

from chainrule.ir.node import Node
from chainrule.ir.op import Op
from chainrule.ops.core import promote_float
from chainrule.ops.elementwise import exp, lgamma, log
from chainrule.ops.special import lgamma as lgamma64
from chainrule.ops.special_functions.rows import binary

_EPS, _LONGEST = 1e-17, 10_000


def _lower(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Σ xⁿ / ((a + 1) … (a + n))"""
    term = np.ones_like(x)
    total, n = term.copy(), 0
    while n < _LONGEST:
        n += 1
        term = term * (x / (a + n))
        total = total + term
        if not (np.abs(term) > _EPS * np.abs(total)).any():
            break
    return total


def _fraction(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """1 / (x + 1 − a − (1 − a)/(x + 3 − a − 2 (2 − a)/(…)))"""
    tiny = 1e-300
    b = x + 1 - a
    c, d = np.full_like(x, 1 / tiny), 1 / b
    h, n = d.copy(), 0
    while n < _LONGEST:
        n += 1
        t = -n * (n - a)
        b = b + 2
        d = t * d + b
        d = 1 / np.where(np.abs(d) < tiny, tiny, d)
        c = b + t / c
        c = np.where(np.abs(c) < tiny, tiny, c)
        step = c * d
        h = h * step
        if not (np.abs(step - 1) > 4e-16).any():
            break
    return h


def _incomplete(a: np.ndarray, x: np.ndarray, upper: bool) -> np.ndarray:
    kind = np.result_type(a, x)
    with np.errstate(all="ignore"):
        a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
        plain = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
        sa, sx = np.where(plain, a, 1.0), np.where(plain, x, 1.0)
        by_series = sx < sa + 1
        front = np.exp(sa * np.log(sx) - sx - lgamma64(sa))
        p = front / sa * _lower(sa, np.where(by_series, sx, 0.5))
        q = front * _fraction(np.where(by_series, 1.0, sa), np.where(by_series, 3.0, sx))
        y = np.where(by_series, 1 - p, q) if upper else np.where(by_series, p, 1 - q)
        one, zero = (0.0, 1.0) if upper else (1.0, 0.0)
        y = np.where(x == 0, zero, y)
        y = np.where(a == 0, np.where(x > 0, one, np.nan), y)
        y = np.where(np.isinf(a), np.where(np.isinf(x), np.nan, zero), y)
        y = np.where(np.isinf(x) & ~np.isinf(a), one, y)
        return np.where((a < 0) | (x < 0) | np.isnan(a) | np.isnan(x), np.nan, y).astype(kind)


def _density(a: Node, x: Node) -> Node:
    """x^{a−1} e^{−x} / Γ(a)"""
    return exp((a - 1) * log(x) - x - lgamma(a))


gammainc = binary(
    "gammainc", lambda a, x: _incomplete(a, x, False),
    lambda g, y, a, x: (None, g * _density(a, x)),
    tex="P({0}, {1})", prepare=promote_float, over=((0.5, 3), (0.5, 3)), order=0,
    doc="P(a, x): the share of Γ(a) below x; its derivative is that in x", torch="special.gammainc",
)  # fmt: skip
gammaincc = binary(
    "gammaincc", lambda a, x: _incomplete(a, x, True),
    lambda g, y, a, x: (None, -g * _density(a, x)),
    tex="Q({0}, {1})", prepare=promote_float, over=((0.5, 3), (0.5, 3)), order=0,
    doc="Q(a, x) = 1 − P(a, x); its derivative is that in x", torch="special.gammaincc",
)  # fmt: skip


# ------------------------------------------------------------------ zeta

#: B_2k / (2k)!
_BERNOULLI = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
    1 / 74724249600, -3617 / 10670622842880000, 43867 / 5109094217170944000,
)  # fmt: skip
_FIRST = 14


def zeta64(s: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Σ (q + k)⁻ˢ over k ≥ 0, for s > 1."""
    total = np.zeros(np.broadcast_shapes(s.shape, q.shape))
    for k in range(_FIRST):
        total = total + np.power(q + k, -s)
    w = q + _FIRST
    power = np.power(w, -s)
    total = total + power * w / (s - 1) + power / 2
    factor = s * power / w
    for k, b in enumerate(_BERNOULLI):
        total = total + b * factor
        factor = factor * (s + 2 * k + 1) * (s + 2 * k + 2) / (w * w)
    return total


def _zeta(s: np.ndarray, q: np.ndarray) -> np.ndarray:
    kind = np.result_type(s, q)
    with np.errstate(all="ignore"):
        s, q = np.broadcast_arrays(np.asarray(s, np.float64), np.asarray(q, np.float64))
        whole = q == np.floor(q)
        left = np.where((q < 0) & ~whole, np.ceil(-q), 0.0)  # terms before the positive ones
        y = zeta64(s, np.where(q <= 0, q + left, q))
        for k in range(int(np.max(np.minimum(left, _LONGEST), initial=0))):
            y = y + np.where(k < left, np.power(q + k, -s), 0.0)
        y = np.where((q <= 0) & whole, np.inf, y)
        y = np.where((q < 0) & ~whole & (s != np.floor(s)), np.nan, y)
        y = np.where(s == 1, np.inf, y)
        return np.where((s < 1) | np.isnan(s) | np.isnan(q), np.nan, y).astype(kind)


zeta: Op = binary(
    "zeta", _zeta, lambda g, y, s, q: (None, -g * s * zeta(s + 1, q)),
    tex=r"\zeta({0}, {1})", prepare=promote_float, over=((1.5, 4), (0.5, 3)), order=0,
    doc="Σ (q + k)⁻ˢ, k ≥ 0; its derivative is that in q", torch="special.zeta",
)  # fmt: skip
