"""`torch.linalg`: norms and products. Decompositions and solvers are not in this version."""

from __future__ import annotations

import math
from typing import Any

from chainrule.dtypes import DType
from chainrule.tensor import Tensor
from chainrule.tensor.functions import amax, amin, cross, diagonal, matmul
from chainrule.tensor.functions import norm as vector_norm_of


def vector_norm(
    x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over axes"""
    return vector_norm_of(x, float(ord), dim, keepdim, dtype=dtype)


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *,
    dtype: DType | None = None,
) -> Tensor:  # fmt: skip
    """Frobenius norm; ±1: extreme column sum, ±inf: extreme row sum"""
    if ord == "fro":
        return vector_norm_of(A, 2, dim, keepdim, dtype=dtype)
    if ord not in (1, -1, math.inf, -math.inf):
        raise NotImplementedError(
            f"matrix_norm of order {ord!r} needs singular values, which this version does not "
            "compute"
        )
    rows, columns = (d % A.ndim for d in dim)
    over, then = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = A.abs().sum(over, keepdim=True)
    best = amax(sums, then, True) if ord > 0 else amin(sums, then, True)
    return best if keepdim else best.squeeze((rows, columns))


def norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, out: Any = None,
    dtype: DType | None = None,
) -> Tensor:  # fmt: skip
    """`vector_norm`, or `matrix_norm` for two axes"""
    pair = isinstance(dim, (tuple, list)) and len(dim) == 2
    if ord is not None and (pair or (dim is None and A.ndim == 2)):
        return matrix_norm(A, ord, dim or (-2, -1), keepdim, dtype=dtype)
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


__all__ = ["cross", "diagonal", "matmul", "matrix_norm", "norm", "vector_norm"]
