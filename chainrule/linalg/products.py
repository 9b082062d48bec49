"""Powers, exponentials and chains of products, and tensors taken as matrices."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

from chainrule import dtypes, ops
from chainrule.errors import ShapeError
from chainrule.linalg.checks import square
from chainrule.linalg.systems import inv, solve
from chainrule.shapes import axis, size
from chainrule.tensor import Tensor
from chainrule.tensor.creation import arange, eye
from chainrule.tensor.functions import (
    conj,
    cross,
    expand,
    matmul,
    movedim,
    reshape,
    sum,
    to_dtype,
    unsqueeze,
)
from chainrule.tensor.functions import diagonal as diagonal_of
from chainrule.tensor.record import apply


def matrix_exp(A: Tensor) -> Tensor:
    """Σ Aᵏ / k!"""
    square(A, "linalg.matrix_exp")
    return apply(ops.linalg.matrix_exp, A)


def matrix_power(A: Tensor, n: int) -> Tensor:
    """A A ⋯ A (n times), of the inverse for n < 0; by squaring."""
    name = "linalg.matrix_power"
    if A.ndim < 2:
        raise ShapeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if A._shape[-1] != A._shape[-2]:
        raise ShapeError(
            f"{name}: A must be batches of square matrices, but they are {A._shape[-2]} by "
            f"{A._shape[-1]} matrices"
        )
    if n == 0:
        return expand(eye(A._shape[-1], dtype=A._dtype), tuple(A._shape)) + A * 0
    if n < 0:
        A, n = inv(A), -n
    result: Tensor | None = None
    power = A
    while True:
        if n & 1:
            result = power if result is None else matmul(result, power)
        n >>= 1
        if not n:
            assert result is not None
            return result.clone() if result is A else result
        power = matmul(power, power)


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """A₁ A₂ ⋯ Aₙ in the order of the fewest multiplications (Cormen et al., "Introduction to
    algorithms", 15.2); the first and the last may be vectors.
    """
    xs = list(tensors)
    if len(xs) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(xs)}")
    for i, x in enumerate(xs):
        ends = i in (0, len(xs) - 1)
        if x.ndim != 2 and not (ends and x.ndim == 1):
            wanted = "1D or 2D" if ends else "2D"
            where = {0: "the first tensor", len(xs) - 1: "the last tensor"}.get(i, f"tensor {i}")
            raise ShapeError(f"multi_dot(): {where} must be {wanted} but got {x.ndim}D")
        if x._dtype is not xs[0]._dtype:
            raise RuntimeError(
                f"multi_dot(): all tensors must have be the same dtype but tensor 0 is "
                f"{xs[0]._dtype} and tensor {i} {x._dtype}"
            )
    row, column = xs[0].ndim == 1, xs[-1].ndim == 1
    if row:
        xs[0] = unsqueeze(xs[0], 0)
    if column:
        xs[-1] = unsqueeze(xs[-1], 1)
    for i, (a, b) in enumerate(itertools.pairwise(xs)):
        if a._shape[1] != b._shape[0]:
            raise ShapeError(
                f"multi_dot(): tensors {i} and {i + 1} with shapes {list(tensors[i]._shape)} and "
                f"{list(tensors[i + 1]._shape)} cannot be multiplied"
            )
    sizes = (xs[0]._shape[0], *(x._shape[1] for x in xs))
    out = _multiplied(xs, sizes, 0, len(xs) - 1)
    if row and column:
        return reshape(out, ())
    return reshape(out, -1) if row or column else out


def _multiplied(xs: Sequence[Tensor], sizes: tuple[int, ...], i: int, j: int) -> Tensor:
    if i == j:
        return xs[i]
    k = _split(sizes, i, j)[1]
    return matmul(_multiplied(xs, sizes, i, k), _multiplied(xs, sizes, k + 1, j))


@functools.lru_cache(maxsize=4096)
def _split(sizes: tuple[int, ...], i: int, j: int) -> tuple[int, int]:
    """(multiplications, where to cut) for matrices i … j."""
    if i == j:
        return 0, i
    return min(
        (
            _split(sizes, i, k)[0]
            + _split(sizes, k + 1, j)[0]
            + sizes[i] * sizes[k + 1] * sizes[j + 1],
            k,
        )
        for k in range(i, j)
    )


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Σ conj(x) y along an axis"""
    if not x.ndim or not y.ndim:
        raise RuntimeError("linalg.vecdot: Expected x and y to have at least 1 dimension")
    if x._shape[axis(dim, x.ndim)] != y._shape[axis(dim, y.ndim)]:
        n, m = x._shape[dim], y._shape[dim]
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{n}] and src [{m}] to have the same "
            f"number of elements, but got {n} and {m} elements respectively"
        )
    return to_dtype(sum(conj(x) * y, dim), x._dtype)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """Rows 1, x, x², …, xᴺ⁻¹"""
    if not x.ndim and N is None:
        raise RuntimeError("linalg.vander: The input tensor must have at least one dimension")
    if not x.ndim:
        x = reshape(x, 1)
    n = x._shape[-1] if N is None else N
    if n <= (0 if N is not None else -1):
        raise RuntimeError(f"N must be greater than 1 but got {n}")
    exponents = arange(n, dtype=dtypes.int64)
    if not x._dtype.is_differentiable:
        x = to_dtype(x, dtypes.int64)
    return apply(_powers, x, n=exponents.numel())


def _powers(x: Any, *, n: int) -> Any:
    """By running products, which are exact where powers are."""
    shape = (*x.shape, n)
    if not n:
        return ops.full(shape, 1, x.dtype)
    wide = ops.broadcast_to(ops.expand_dims(x, -1), shape=(*x.shape, n - 1))
    last = x.ndim
    one = ops.full((*x.shape, 1), 1, x.dtype)
    return ops.cumprod(ops.cat(one, wide, axis=last), axis=last)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """A view of a diagonal, by default of the last two axes."""
    return diagonal_of(A, offset, dim1, dim2)


def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of A as a matrix of its first `ind` axes by the others."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    first, then = tuple(A._shape[:ind]), tuple(A._shape[ind:])
    m, n = size(then), size(first)
    if m != n:
        raise ShapeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {m} != {n}"
        )
    return reshape(inv(reshape(A, n, m)), (*then, *first))


def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """The X with tensordot(A, X, X.ndim) = B; `dims` of A are moved to the right before."""
    if dims is not None:
        at = [axis(d, A.ndim) for d in dims]
        A = movedim(A, at, list(range(A.ndim - len(at), A.ndim)))
    shape = tuple(A._shape[B.ndim :])
    n, m = size(shape), size(A._shape[: B.ndim])
    if n != m:
        raise ShapeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {n} != {m}"
        )
    return reshape(solve(reshape(A, n, n), reshape(B, n)), shape)


__all__ = [
    "cross", "diagonal", "matmul", "matrix_exp", "matrix_power", "multi_dot", "tensorinv",
    "tensorsolve", "vander", "vecdot",
]  # fmt: skip
