"""The normal distribution and what goes with it: erfcx, Φ, log Φ, Φ⁻¹.

erfcx   the trapezoidal rule with the contribution of its pole (Hunter and Regan, "A note on the
        evaluation of the complementary error function", 1972)
Φ⁻¹     a rational start (Abramowitz and Stegun 26.2.23), then Newton's steps for log Φ
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.ops.elementwise import exp, square
from chainrule.ops.special import erf
from chainrule.ops.special_functions.rows import unary

_STEP = 0.5
_ROOT_HALF, _ROOT_TWO_PI = math.sqrt(0.5), math.sqrt(2 * math.pi)


def _erfcx64(x: np.ndarray) -> np.ndarray:
    a = np.abs(x)
    near = np.minimum(a, 0.5)
    by_erf = np.exp(near * near) * (1 - erf(near))
    b = np.maximum(a, 0.5)
    total = 1 / (b * b)
    for k in range(1, 14):
        s = (k * _STEP) ** 2
        total = total + 2 * math.exp(-s) / (b * b + s)
    pole = np.where(b < math.pi / _STEP, np.minimum(b, math.pi / _STEP), 0.0)
    correction = 2 * np.exp(pole * pole) / np.expm1(2 * math.pi * pole / _STEP)
    far = _STEP * b / math.pi * total - np.where(pole > 0, correction, 0.0)
    y = np.where(a < 0.5, by_erf, far)
    y = np.where(np.isinf(a), 0.0, y)
    return np.where(x < 0, 2 * np.exp(x * x) - y, y)


def _erfc64(x: np.ndarray) -> np.ndarray:
    """1 − erf(x), also where it is small."""
    small = np.exp(-x * x) * _erfcx64(np.maximum(x, 0.5))
    return np.where(x > 0.5, small, 1 - erf(np.minimum(x, 1.0)))


def _log_ndtr64(x: np.ndarray) -> np.ndarray:
    left = np.minimum(x, -1.0)
    tail = np.log(_erfcx64(-left * _ROOT_HALF) / 2) - left * left / 2
    body = np.log1p(-_erfc64(np.maximum(x, -1.0) * _ROOT_HALF) / 2)
    return np.where(x < -1, tail, body)


def _ndtri64(p: np.ndarray) -> np.ndarray:
    tail = np.minimum(p, 1 - p)
    log = np.log(np.where(tail > 0, tail, 0.5))
    t = np.sqrt(-2 * log)
    y = -(
        t
        - (2.515517 + t * (0.802853 + t * 0.010328))
        / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
    )
    for _ in range(4):
        slope = math.sqrt(2 / math.pi) / _erfcx64(-y * _ROOT_HALF)
        y = y - (_log_ndtr64(y) - log) / slope
    y = np.where(p > 0.5, -y, y)
    y = np.where(p == 0, -np.inf, np.where(p == 1, np.inf, y))
    return np.where((p < 0) | (p > 1) | np.isnan(p), np.nan, y)


def _rounded(f: Any) -> Any:
    def g(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(f(np.asarray(x, np.float64))).astype(x.dtype)

    return g


erfcx = unary(
    "erfcx", _rounded(_erfcx64), lambda g, y, x: g * (x * y * 2 - 2 / math.sqrt(math.pi)),
    tex=r"\operatorname{{erfcx}}({0})", doc="e^{x²} (1 − erf(x))", torch="special.erfcx",
)  # fmt: skip
log_ndtr = unary(
    "log_ndtr", _rounded(_log_ndtr64),
    lambda g, y, x: g / erfcx(x * -_ROOT_HALF) * math.sqrt(2 / math.pi),
    tex=r"\log \Phi({0})", doc="log Φ(x), also where Φ is 0 in floating point",
    torch="special.log_ndtr",
)  # fmt: skip
ndtr = unary(
    "ndtr", _rounded(lambda x: _erfc64(-x * _ROOT_HALF) / 2),
    lambda g, y, x: g * exp(square(x) * -0.5) / _ROOT_TWO_PI,
    tex=r"\Phi({0})", doc="Φ(x) = ∫ e^{−t²/2} dt / √(2π) up to x", torch="special.ndtr",
)  # fmt: skip
ndtri = unary(
    "ndtri", _rounded(_ndtri64), lambda g, y, x: g * exp(square(y) * 0.5) * _ROOT_TWO_PI,
    tex=r"\Phi^{{-1}}({0})", doc="the x with Φ(x) = p", torch="special.ndtri", over=(0.1, 0.9),
)  # fmt: skip
