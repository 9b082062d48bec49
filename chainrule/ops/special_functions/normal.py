"""The normal distribution and what goes with it: erfc, erfcx, Φ, log Φ, Φ⁻¹.

All but the last are formulas over e(a) = e^{a²} erfc(a) for a ≥ 0: a polynomial in y = (a − 3.75) /
(a + 3.75), over 1 + 2a (Shepherd and Laframboise, "Chebyshev approximation of (1 + 2x) exp(x²)
erfc x", 1981; these coefficients were computed anew, and are right to double precision).

Φ⁻¹     a rational start (Abramowitz and Stegun 26.2.23), then Newton's steps for log Φ
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.ir.node import Node
from chainrule.ir.op import Domain
from chainrule.ops.core import op, promote_float
from chainrule.ops.elementwise import abs, exp, log, log1p, lt, minimum, square, where
from chainrule.ops.special_functions.rows import unary

_ROOT_HALF, _ROOT_TWO_PI = math.sqrt(0.5), math.sqrt(2 * math.pi)
_CENTRE = 3.75
_COEFFICIENTS = (
    1.2375126308378275, -0.14024059858554697, 0.0035854154854790257, 0.0822767384901452,
    -0.10880393014244462, 0.09230432116037748, -0.05869339857664934, 0.028362277418956406,
    -0.009746579683265262, 0.0017556258528952954, 0.000293714378044958, -0.0002901540805408417,
    5.164652974177416e-05, 2.238423915508223e-05, -1.1438048033346894e-05, -9.73559896736775e-07,
    1.7419821586224816e-06, -5.7218230603224086e-08, -2.4857126248016745e-07,
    2.3263508708859124e-08, 3.197926671666804e-08, -3.744210080962018e-09, -2.623107347133476e-09,
    3.1114333809799254e-10,
)  # fmt: skip


def _scaled(a: Any) -> Any:
    """e^{a²} erfc(a) for a ≥ 0, of nodes or arrays."""
    y = 1 - 2 * _CENTRE / (a + _CENTRE)
    p = y * _COEFFICIENTS[-1] + _COEFFICIENTS[-2]
    for c in _COEFFICIENTS[-3::-1]:
        p = p * y + c
    return p / (a * 2 + 1)


_LINE = Domain((-3.0, 3.0))


@op(
    tex=r"\operatorname{{erfcx}}({0})", prepare=promote_float, elementwise=True, domain=_LINE,
    torch="special.erfcx",
)  # fmt: skip
def erfcx(x: Node) -> Node:
    """e^{x²} (1 − erf(x)), also where erfc is 0 in floating point"""
    a = _scaled(abs(x))
    return where(lt(x, 0), exp(square(minimum(x, 0))) * 2 - a, a)


@erfcx.vjp
def _(g: Node, y: Node, x: Node) -> Node:
    return g * (x * y * 2 - 2 / math.sqrt(math.pi))


@op(
    tex=r"\operatorname{{erfc}}({0})", prepare=promote_float, elementwise=True, domain=_LINE,
    torch="special.erfc",
)  # fmt: skip
def erfc(x: Node) -> Node:
    """1 − erf(x), also where it is small"""
    tail = exp(-square(x)) * _scaled(abs(x))
    return where(lt(x, 0), 2 - tail, tail)


@erfc.vjp
def _(g: Node, y: Node, x: Node) -> Node:
    return g * exp(-square(x)) * (-2 / math.sqrt(math.pi))


@op(
    tex=r"\Phi({0})", prepare=promote_float, elementwise=True, domain=_LINE,
    torch="special.ndtr",
)  # fmt: skip
def ndtr(x: Node) -> Node:
    """Φ(x) = ∫ e^{−t²/2} dt / √(2π) up to x"""
    tail = exp(square(x) * -0.5) * _scaled(abs(x) * _ROOT_HALF) * 0.5
    return where(lt(x, 0), tail, 1 - tail)


@ndtr.vjp
def _(g: Node, y: Node, x: Node) -> Node:
    return g * exp(square(x) * -0.5) / _ROOT_TWO_PI


@op(
    tex=r"\log \Phi({0})", prepare=promote_float, elementwise=True, domain=_LINE,
    torch="special.log_ndtr",
)  # fmt: skip
def log_ndtr(x: Node) -> Node:
    """log Φ(x), also where Φ is 0 in floating point"""
    half, scaled = square(x) * 0.5, _scaled(abs(x) * _ROOT_HALF) * 0.5
    return where(lt(x, 0), log(scaled) - half, log1p(-exp(-half) * scaled))


@log_ndtr.vjp
def _(g: Node, y: Node, x: Node) -> Node:
    return g / erfcx(x * -_ROOT_HALF) * math.sqrt(2 / math.pi)


def _ndtri(given: np.ndarray) -> np.ndarray:
    p = np.asarray(given, np.float64)
    with np.errstate(all="ignore"):
        tail = np.minimum(p, 1 - p)
        log_p = np.log(np.where(tail > 0, tail, 0.5))
        t = np.sqrt(-2 * log_p)
        a = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (
            1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
        )
        for _ in range(4):  # a = −x ≥ 0: log Φ(−a) = log(e(a/√2)/2) − a²/2
            a = np.maximum(a, 0.0)
            scaled = _scaled(a * _ROOT_HALF)
            a = a + (np.log(scaled / 2) - a * a / 2 - log_p) * scaled * math.sqrt(math.pi / 2)
        y = np.where(p > 0.5, a, -a)
        y = np.where(p == 0, -np.inf, np.where(p == 1, np.inf, y))
        y = np.where((p < 0) | (p > 1) | np.isnan(p), np.nan, y)
    return np.asarray(y).astype(given.dtype)


ndtri = unary(
    "ndtri", _ndtri, lambda g, y, x: g * exp(square(y) * 0.5) * _ROOT_TWO_PI,
    tex=r"\Phi^{{-1}}({0})", doc="the x with Φ(x) = p", torch="special.ndtri", over=(0.1, 0.9),
)  # fmt: skip
