"""`torch.special`: special functions, each as a function of tensors with `out=`.

>>> from chainrule import special, tensor
>>> special.i0(tensor([0.0, 1.0]))
tensor([1.0000, 1.2661])
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from chainrule import ops
from chainrule.ir.node import Node
from chainrule.ops import special_functions as rows
from chainrule.tensor import Tensor, functions
from chainrule.tensor.calling import public
from chainrule.tensor.record import apply


def _unary(op: Any, name: str) -> Callable[..., Any]:
    def f(input: Tensor) -> Tensor:
        return apply(op, input)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = op.__doc__
    return public(f)


def _binary(op: Any, name: str) -> Callable[..., Any]:
    def f(input: Any, other: Any) -> Tensor:
        return apply(op, input, other)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = op.__doc__
    return public(f)


def _polynomial(family: str, name: str, text: str, shifted: bool = False) -> Callable[..., Any]:
    def f(input: Any, n: Any) -> Tensor:
        x = input * 2 - 1 if shifted else input
        return apply(_orthogonal, x, n, family=family)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = text
    return public(f)


def _orthogonal(x: Any, n: Any, *, family: str) -> Node:
    made: Node = rows.orthogonal(x, n, family=family)
    return made


# ------------------------------------------------------------------ Bessel, Airy

bessel_j0 = _unary(rows.bessel_j0, "bessel_j0")
bessel_j1 = _unary(rows.bessel_j1, "bessel_j1")
bessel_y0 = _unary(rows.bessel_y0, "bessel_y0")
bessel_y1 = _unary(rows.bessel_y1, "bessel_y1")
i0, i0e = _unary(rows.i0, "i0"), _unary(rows.i0e, "i0e")
i1, i1e = _unary(rows.i1, "i1"), _unary(rows.i1e, "i1e")
modified_bessel_i0 = _unary(rows.i0, "modified_bessel_i0")
modified_bessel_i1 = _unary(rows.i1, "modified_bessel_i1")
modified_bessel_k0 = _unary(rows.k0, "modified_bessel_k0")
modified_bessel_k1 = _unary(rows.k1, "modified_bessel_k1")
scaled_modified_bessel_k0 = _unary(rows.k0e, "scaled_modified_bessel_k0")
scaled_modified_bessel_k1 = _unary(rows.k1e, "scaled_modified_bessel_k1")
airy_ai = _unary(rows.airy_ai, "airy_ai")


def _sine_quotient(x: Any) -> Node:
    """sin x / x, 1 at 0"""
    (x,), _ = ops.core.promote_float(x)
    zero = ops.eq(x, 0)
    value = ops.where(zero, 1.0, ops.sin(x) / ops.where(zero, 1.0, x))
    return ops.where(ops.isinf(x), 0.0, value)


spherical_bessel_j0 = _unary(_sine_quotient, "spherical_bessel_j0")

# ------------------------------------------------------------------ the normal distribution

ndtr, ndtri = _unary(rows.ndtr, "ndtr"), _unary(rows.ndtri, "ndtri")
log_ndtr, erfcx = _unary(rows.log_ndtr, "log_ndtr"), _unary(rows.erfcx, "erfcx")


def _entropy(x: Any) -> Node:
    """−x log x; 0 at 0, −∞ below"""
    (x,), _ = ops.core.promote_float(x)
    inside = x > 0
    value = -x * ops.log(ops.where(inside, x, 1.0))
    other = ops.where(ops.eq(x, 0), 0.0, ops.where(ops.isnan(x), math.nan, -math.inf))
    return ops.where(inside, value, ops.cast(other, dtype=x.dtype))


entr = _unary(_entropy, "entr")

# ------------------------------------------------------------------ gamma, zeta

gammainc, gammaincc = _binary(rows.gammainc, "gammainc"), _binary(rows.gammaincc, "gammaincc")
zeta = _binary(rows.zeta, "zeta")


def _times_log1p(a: Any, b: Any) -> Node:
    """a log(1 + b), and 0 where a = 0"""
    (x, y), _ = ops.core.promote_float(a, b)
    nothing = ops.eq(x, 0) & ~ops.isnan(y)
    return ops.where(nothing, 0.0, x * ops.log1p(ops.where(nothing, 0.0, y)))


xlog1py = _binary(_times_log1p, "xlog1py")

# ------------------------------------------------------------------ orthogonal polynomials

chebyshev_polynomial_t = _polynomial("T", "chebyshev_polynomial_t", "T_n(x) of Chebyshev")
chebyshev_polynomial_u = _polynomial("U", "chebyshev_polynomial_u", "U_n(x) of Chebyshev")
chebyshev_polynomial_v = _polynomial("V", "chebyshev_polynomial_v", "V_n(x) of Chebyshev")
chebyshev_polynomial_w = _polynomial("W", "chebyshev_polynomial_w", "W_n(x) of Chebyshev")
shifted_chebyshev_polynomial_t = _polynomial(
    "T", "shifted_chebyshev_polynomial_t", "T_n(2x − 1) of Chebyshev", True
)
shifted_chebyshev_polynomial_u = _polynomial(
    "U", "shifted_chebyshev_polynomial_u", "U_n(2x − 1) of Chebyshev", True
)
shifted_chebyshev_polynomial_v = _polynomial(
    "V", "shifted_chebyshev_polynomial_v", "V_n(2x − 1) of Chebyshev", True
)
shifted_chebyshev_polynomial_w = _polynomial(
    "W", "shifted_chebyshev_polynomial_w", "W_n(2x − 1) of Chebyshev", True
)
hermite_polynomial_h = _polynomial("H", "hermite_polynomial_h", "H_n(x) of Hermite (physics)")
hermite_polynomial_he = _polynomial("He", "hermite_polynomial_he", "He_n(x) of Hermite (chance)")
laguerre_polynomial_l = _polynomial("L", "laguerre_polynomial_l", "L_n(x) of Laguerre")
legendre_polynomial_p = _polynomial("P", "legendre_polynomial_p", "P_n(x) of Legendre")

# ------------------------------------------------------------------ what `torch` itself has as well

digamma = psi = public(functions.digamma)
erf, erfc, erfinv = public(functions.erf), public(functions.erfc), public(functions.erfinv)
exp2, expm1, log1p = public(functions.exp2), public(functions.expm1), public(functions.log1p)
expit, gammaln = public(functions.sigmoid), public(functions.lgamma)
logit, logsumexp = public(functions.logit), public(functions.logsumexp)
log_softmax, softmax = public(functions.log_softmax), public(functions.softmax)
multigammaln = public(functions.mvlgamma)
polygamma = public(functions.polygamma)
round, sinc, xlogy = public(functions.round), public(functions.sinc), public(functions.xlogy)

__all__ = [
    "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "chebyshev_polynomial_t",
    "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w", "digamma", "entr",
    "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammainc", "gammaincc", "gammaln",
    "hermite_polynomial_h", "hermite_polynomial_he", "i0", "i0e", "i1", "i1e",
    "laguerre_polynomial_l", "legendre_polynomial_p", "log1p", "log_ndtr", "log_softmax", "logit",
    "logsumexp", "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0",
    "modified_bessel_k1", "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "round",
    "scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w", "sinc", "softmax", "spherical_bessel_j0", "xlog1py", "xlogy",
    "zeta",
]  # fmt: skip
