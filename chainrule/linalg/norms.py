"""Norms of vectors and matrices, and the condition number."""

from __future__ import annotations

import math
from typing import Any

from chainrule.dtypes import DType
from chainrule.errors import ShapeError
from chainrule.linalg.checks import floats, square
from chainrule.linalg.factors import svdvals
from chainrule.linalg.systems import inv_ex
from chainrule.shapes import axes, axis
from chainrule.tensor import Tensor
from chainrule.tensor.functions import (
    amax,
    amin,
    movedim,
    reshape,
    sum,
    to_dtype,
    unsqueeze,
    where,
)
from chainrule.tensor.functions import norm as vector_norm_of


def vector_norm(
    x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over axes; the largest |x| for p = ∞, the smallest for −∞, how many are not 0
    for 0.
    """
    if isinstance(ord, (str, complex)):
        raise TypeError(
            f"linalg_vector_norm(): argument 'ord' (position 2) must be Number, not "
            f"{type(ord).__name__}"
        )
    floats(x, "linalg.vector_norm", low=True)
    p = float(ord)
    over = axes(dim if dim is None or isinstance(dim, int) else tuple(dim), x.ndim)
    empty = any(x._shape[i] == 0 for i in over)
    if empty and (p < 0 or p == math.inf):
        what = "the inf norm" if p == math.inf else f"the {p:g} norm"
        if dim is None or math.isinf(p):
            raise RuntimeError(
                f"linalg.vector_norm cannot compute {what} on an empty tensor because the "
                "operation does not have an identity"
            )
        raise RuntimeError(
            f"linalg.vector_norm cannot compute {what} on the dimension {dim} because this "
            "dimension is empty and the operation does not have an identity"
        )
    return vector_norm_of(x, p, dim, keepdim, dtype=dtype)


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *,
    dtype: DType | None = None,
) -> Tensor:  # fmt: skip
    """ "fro": √Σ|a|²; "nuc": Σ of singular values; 2 and −2: the largest and smallest of these; ±1:
    the extreme column sum; ±∞: the extreme row sum.
    """
    name = "linalg.matrix_norm"
    if A.ndim < 2:
        raise ShapeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if not isinstance(dim, (tuple, list)) or len(dim) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {dim}")
    floats(A, name, low=True)
    rows, columns = (axis(d, A.ndim) for d in dim)
    if rows == columns:
        raise RuntimeError(f"{name}: dims must be different. Got ({dim[0]}, {dim[1]})")
    if dtype is not None:
        A = to_dtype(A, dtype)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord == "nuc" or (not isinstance(ord, str) and builtin_abs(ord) == 2):
        s = svdvals(movedim(A, (rows, columns), (-2, -1)))
        if ord == "nuc":
            found = sum(s, -1)
        elif ord > 0:
            found = amax(s, -1) if s._shape[-1] else sum(s, -1)
        else:
            found = amin(s, -1)
        for d in sorted((rows, columns)) if keepdim else ():
            found = unsqueeze(found, d)
        return found
    if isinstance(ord, str) or builtin_abs(ord) not in (1, math.inf):
        raise RuntimeError(f"{name}: Order {ord} not supported.")
    over, then = (rows, columns) if builtin_abs(ord) == 1 else (columns, rows)
    sums = vector_norm(A, 1, over, keepdim=True)
    if not sums._shape[then] and ord > 0:
        best = sum(sums, then, True)
    else:
        best = amax(sums, then, True) if ord > 0 else amin(sums, then, True)
    return best if keepdim else best.squeeze((rows, columns))


builtin_abs = math.fabs


def norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *,
    dtype: DType | None = None,
) -> Tensor:  # fmt: skip
    """`vector_norm`, or `matrix_norm` for two axes and an order."""
    over = (dim,) if isinstance(dim, int) else dim
    if ord is None:
        if dim is None:
            x = vector_norm(reshape(A, -1), 2, dtype=dtype)
            return reshape(x, (1,) * A.ndim) if keepdim else x
        return vector_norm(A, 2, tuple(over), keepdim, dtype=dtype)
    if over is not None and len(over) not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(over)}"
        )
    if over is None:
        if A.ndim not in (1, 2):
            raise RuntimeError(
                "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
                f"{A.ndim}D."
            )
        over = tuple(range(A.ndim))
    if len(over) == 2:
        return matrix_norm(A, ord, tuple(over), keepdim, dtype=dtype)
    if isinstance(ord, str) and (dim is None or len(over) == 1):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported for a vector.")
    return vector_norm(A, ord, tuple(over), keepdim, dtype=dtype)


def cond(A: Tensor, p: Any = None) -> Tensor:
    """‖A‖ ‖A⁻¹‖: how much a solution may move with the matrix; ∞ where there is no inverse."""
    name = "linalg.cond"
    if A.ndim < 2:
        raise ShapeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if p is None or p in (2, -2):
        s = svdvals(A)
        if not A.numel():
            return sum(s, -1)
        large, small = s[..., 0], s[..., -1]
        return small / large if p == -2 else large / small
    if p not in ("fro", "nuc", 1, -1, math.inf, -math.inf):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    square(A, name)
    if not A.numel():
        return sum(A, (-2, -1))
    if p == "nuc":
        return matrix_norm(A, p) * matrix_norm(inv_ex(A).inverse, p)
    back, info = inv_ex(A)
    found = matrix_norm(A, p) * matrix_norm(back, p)
    return where(info > 0, math.inf, found)


__all__ = ["cond", "matrix_norm", "norm", "vector_norm"]
