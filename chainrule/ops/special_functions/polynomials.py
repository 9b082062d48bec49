"""Orthogonal polynomials, by their recurrences (DLMF 18.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.ir.cost import each
from chainrule.ir.op import Domain
from chainrule.ops.core import elementwise_type, primitive, promote_float

#: p₁(x), and p_{k+1} from x, p_k, p_{k−1} and k.
_Rule = tuple[Callable[..., Any], Callable[..., Any]]
_DOUBLE: Callable[..., Any] = lambda x, p, q, k: 2 * x * p - q  # noqa: E731  a row of the table
_RULES: dict[str, _Rule] = {
    "T": (lambda x: x, _DOUBLE),
    "U": (lambda x: 2 * x, _DOUBLE),
    "V": (lambda x: 2 * x - 1, _DOUBLE),
    "W": (lambda x: 2 * x + 1, _DOUBLE),
    "H": (lambda x: 2 * x, lambda x, p, q, k: 2 * x * p - 2 * k * q),
    "He": (lambda x: x, lambda x, p, q, k: x * p - k * q),
    "L": (lambda x: 1 - x, lambda x, p, q, k: ((2 * k + 1 - x) * p - k * q) / (k + 1)),
    "P": (lambda x: x, lambda x, p, q, k: ((2 * k + 1) * x * p - k * q) / (k + 1)),
}
#: Up to which degree: what follows overflows, or is lost in rounding.
_HIGHEST = 100_000


@primitive(
    elementwise_type,
    prepare=promote_float,
    flops=each,
    tex="{family}_{{{1}}}({0})",
    domain=Domain(
        (-0.9, 0.9),
        (0, 7),
        order=0,
        cases=[((3, 4), (4,), {"family": f}) for f in _RULES],
    ),
)
def orthogonal(x: np.ndarray, n: np.ndarray, *, family: str) -> np.ndarray:
    """The polynomial of degree ⌊n⌋ of a family: Chebyshev's T, U, V, W, Hermite's H and He,
    Laguerre's L, Legendre's P; 0 for n < 0.
    """
    first, step = _RULES[family]
    kind = np.result_type(x, n)
    with np.errstate(all="ignore"):
        x, n = np.broadcast_arrays(np.asarray(x, np.float64), np.trunc(np.asarray(n, np.float64)))
        y = np.where(n < 0, 0.0, np.where(n == 0, 1.0, first(x)))
        q, p, k = np.ones_like(x), np.asarray(first(x)), 1
        last = int(np.max(np.where(np.isfinite(n), n, 0), initial=0))
        while k < min(last, _HIGHEST):
            q, p = p, step(x, p, q, k)
            k += 1
            y = np.where(n == k, p, y)
        return np.where(np.isnan(x) | np.isnan(n) | (n > _HIGHEST), np.nan, y).astype(kind)
