"""Systems of equations, inverses, determinants and ranks, with PyTorch's signatures."""

from __future__ import annotations

import math
from typing import Any

from chainrule import dtypes, ops, return_types
from chainrule.errors import LinAlgError, ShapeError
from chainrule.linalg.checks import (
    fits,
    floats,
    matrix,
    one_triangle,
    same_type,
    square,
    succeeded,
)
from chainrule.shapes import broadcast
from chainrule.tensor import Tensor
from chainrule.tensor.creation import as_tensor, empty, eye
from chainrule.tensor.functions import (
    abs,
    amax,
    diagonal,
    expand,
    matmul,
    reshape,
    sum,
    to_dtype,
    transpose,
    unsqueeze,
    where,
)
from chainrule.tensor.record import apply

SINGULAR = "The solver failed because the input matrix is singular."
NO_INVERSE = (
    "The diagonal element {info} is zero, the inversion could not be completed because the input "
    "matrix is singular."
)


def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """(X, info): A X = B (X A = B if not `left`); info: the first zero pivot, or 0."""
    return _solve(A, B, left, check_errors, "torch.linalg.solve_ex")


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """The X with A X = B, or X A = B if not `left`. LinAlgError where A is singular.

    >>> from chainrule import linalg, tensor
    >>> linalg.solve(tensor([[2.0, 0.0], [1.0, 1.0]]), tensor([4.0, 5.0]))
    tensor([2., 3.])
    """
    return _solve(A, B, left, True, "torch.linalg.solve").result


def _solve(A: Tensor, B: Tensor, left: bool, check: bool, name: str) -> Any:
    square(A, "linalg.solve")
    same_type(A, B, "linalg.solve")
    vector = B.ndim == 1 or (A.ndim - 1 == B.ndim and tuple(B._shape) == tuple(A._shape[:-1]))
    if vector and not left:
        raise RuntimeError("linalg.solve: Vector broadcasting of the left hand side is not "
                           "supported for left=False. In this case linalg.solve is equivalent to "
                           "B / A.squeeze(-1)")  # fmt: skip
    b = unsqueeze(B, -1) if vector else B
    fits(A, b, "linalg.solve", left)
    x, info = apply(
        ops.linalg.solve,
        A if left else transpose(A, -2, -1),
        b if left else transpose(b, -2, -1),
    )
    if check:
        succeeded(info, name, SINGULAR)
    x = x if left else transpose(x, -2, -1)
    return return_types.linalg_solve_ex((x.squeeze(-1) if vector else x, info))


def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """(A⁻¹, info)"""
    square(A, "linalg.inv_ex")
    out = return_types.linalg_inv_ex(apply(ops.linalg.inv, A))
    if check_errors:
        succeeded(out.info, "linalg.inv_ex", NO_INVERSE)
    return out


def inv(A: Tensor) -> Tensor:
    """A⁻¹; LinAlgError where A is singular."""
    square(A, "linalg.inv")
    out, info = apply(ops.linalg.inv, A)
    succeeded(info, "linalg.inv", NO_INVERSE)
    return out


def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """The X with A X = B (X A = B if not `left`) for triangular A, whose other triangle is not
    read.
    """
    name = "linalg.solve_triangular"
    square(A, name)
    same_type(A, B, name)
    matrix(B, name, "B")
    fits(A, B, name, left)
    f = _solve_left if left else _solve_right
    return apply(f, A, B, upper=bool(upper), unit=bool(unitriangular))


def _solve_left(a: Any, b: Any, *, upper: bool, unit: bool) -> Any:
    return ops.linalg.solve_triangular(a, b, upper=upper, unit=unit)


def _solve_right(a: Any, b: Any, *, upper: bool, unit: bool) -> Any:
    return ops.linalg.solve_right(b, a, upper=upper, unit=unit)


def lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False
) -> Tensor:
    """The X with A X = B, Aᴴ X = B (`adjoint`), X A = B or X Aᴴ = B, from what `lu_factor` gave."""
    square(LU, "torch.linalg.lu_solve", "LU")
    fits(LU, B, "linalg.lu_solve", left)
    if pivots._dtype is not dtypes.int32:
        raise RuntimeError("linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32")
    return apply(_lu_solve, LU, pivots, B, left=bool(left), adjoint=bool(adjoint))


def _lu_solve(packed: Any, pivots: Any, b: Any, *, left: bool, adjoint: bool) -> Any:
    m = ops.linalg.matrices
    if not left:  # X A = B is Aᴴ Xᴴ = Bᴴ
        return m.adjoint(_lu_solve(packed, pivots, m.adjoint(b), left=True, adjoint=not adjoint))
    lead = broadcast(packed.shape[:-2], b.shape[:-2])
    order = ops.linalg.permutation(pivots, rows=packed.shape[-1])
    if order.shape[:-1] != lead:
        order = ops.broadcast_to(order, shape=(*lead, order.shape[-1]))
    triangle = ops.linalg.solve_triangular
    if not adjoint:
        y = triangle(packed, m.pick_rows(b, order), upper=False, unit=True)
        return triangle(packed, y, upper=True)
    h = m.adjoint(packed)
    y = triangle(h, b, upper=False)
    return m.pick_rows(triangle(h, y, upper=True, unit=True), m.inverse(order))


def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False) -> Tensor:
    """The X with A X = B, from what `ldl_factor` gave."""
    square(LD, "torch.linalg.ldl_solve", "LD")
    fits(LD, B, "torch.linalg.ldl_solve")
    args = (LD.detach(), pivots, B.detach())
    return apply(ops.linalg.ldl_solve, *args, hermitian=bool(hermitian))


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """The X with A X = B, A = L Lᴴ (Uᴴ U if `upper`)."""
    if L.ndim < 2 or B.ndim < 2:
        raise ShapeError(
            f"b should have at least 2 dimensions, but has {min(L.ndim, B.ndim)} dimensions instead"
        )
    square(L, "cholesky_solve", "A")
    fits(L, B, "cholesky_solve")
    same_type(L, B, "cholesky_solve")
    return apply(ops.linalg.cholesky_solve, B, L, upper=bool(upper))


def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """A⁻¹ from A = L Lᴴ (Uᴴ U if `upper`)."""
    square(L, "cholesky_inverse", "A")
    n = L._shape[-1]
    zero = (diagonal(L.detach(), 0, -2, -1) == 0)._concrete()
    if zero.any():
        where = f"(Batch element {int(zero.any(-1).argmax())}): " if zero.ndim > 1 else ""
        raise LinAlgError(
            f"cholesky_inverse: {where}"
            + NO_INVERSE.format(info=1 + int(zero.reshape(-1, n).any(0).argmax()))
        )
    return cholesky_solve(expand(eye(n, dtype=L._dtype), tuple(L._shape)), L, upper)


# ------------------------------------------------------------------ determinants


def det(A: Tensor) -> Tensor:
    """The determinant."""
    square(A, "linalg.det")
    return apply(ops.linalg.det, A)


def slogdet(A: Tensor) -> Any:
    """(sign, log |det A|)"""
    square(A, "linalg.slogdet")
    return return_types.linalg_slogdet(apply(ops.linalg.slogdet, A))


def logdet(input: Tensor) -> Tensor:
    """log det A; NaN where it is negative."""
    square(input, "logdet")
    sign, value = apply(ops.linalg.slogdet, input)
    if input._dtype.is_complex:
        return value + sign.log()
    return where(sign == -1, math.nan, value)


# ------------------------------------------------------------------ pseudo-inverse, rank, least
# squares


def _cut(A: Tensor, largest: Tensor, atol: Any, rtol: Any) -> Tensor:
    """max(atol, rtol · the largest singular value), with PyTorch's defaults."""
    d = largest._dtype
    if rtol is None:
        rtol = 0.0
        default = dtypes.finfo(d).eps * max(A._shape[-2:])
        if atol is None:
            rtol = default
        elif isinstance(atol, Tensor):
            rtol = where(atol > 0, 0.0, default)
        elif atol == 0:
            rtol = default
    lowest = 0.0 if atol is None else atol
    low = lowest if isinstance(lowest, Tensor) else as_tensor(float(lowest), dtype=d)
    r = rtol if isinstance(rtol, Tensor) else as_tensor(float(rtol), dtype=d)
    from_largest = to_dtype(r, d) * largest
    return where(to_dtype(low, d) > from_largest, to_dtype(low, d), from_largest)


def _singular_values(A: Tensor, hermitian: bool) -> Tensor:
    if hermitian:
        square(A, "linalg.pinv")
        return abs(apply(ops.linalg.eigvalsh, one_triangle(A, False)))
    return apply(ops.linalg.svdvals, A)


def _largest(s: Tensor) -> Tensor:
    return amax(s, -1)


def pinv(A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None,
         rtol: Any = None) -> Tensor:  # fmt: skip
    """The pseudo-inverse: singular values up to max(atol, rtol · the largest) count as zero."""
    matrix(A, "linalg.pinv")
    rtol = rcond if rcond is not None else rtol
    if not A.numel():
        shape = (*A._shape[:-2], A._shape[-1], A._shape[-2])
        return reshape(transpose(A, -2, -1), shape)
    x = one_triangle(A, False) if hermitian else A
    if hermitian:
        square(A, "linalg.pinv")
    cut = _cut(A, _largest(_singular_values(x.detach(), hermitian)), atol, rtol)
    return apply(ops.linalg.pinv, x, cut.detach())


def matrix_rank(
    A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """How many singular values are above max(atol, rtol · the largest)."""
    matrix(A, "linalg.matrix_rank")
    atol = tol if tol is not None else atol
    if tol is not None and rtol is None:
        rtol = 0.0
    x = A.detach()
    if not A.numel():
        return sum(empty(*A._shape[:-2], 0, dtype=dtypes.bool_), -1)
    s = _singular_values(x, hermitian)
    return sum(s > unsqueeze(_cut(A, _largest(s), atol, rtol), -1), -1)


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """(solution, residuals, rank, singular values): X with the least ‖A X − B‖, of these the least
    ‖X‖. `driver` says what else is computed, as LAPACK's routines of these names do.
    """
    name = "torch.linalg.lstsq"
    drivers = ("gels", "gelsy", "gelsd", "gelss")
    if driver not in (None, *drivers):
        raise RuntimeError(f"{name}: parameter `driver` should be one of ({', '.join(drivers)})")
    if A.ndim < 2:
        raise ShapeError(f"{name}: input must have at least 2 dimensions.")
    if B.ndim < 1:
        raise ShapeError(f"{name}: other must have at least 1 dimension.")
    if A._dtype is not B._dtype:
        raise RuntimeError(f"{name}: input and other must have the same dtype")
    floats(A, name)
    vector = A.ndim - 1 == B.ndim and tuple(A._shape[:-1]) == tuple(B._shape)
    b = unsqueeze(B, -1) if vector else B
    if b.ndim < 2 or A._shape[-2] != b._shape[-2]:
        raise ShapeError(f"{name}: input.size(-2) should match other.size({-1 if vector else -2})")
    driver = driver or "gelsy"
    m, n = A._shape[-2:]
    limit = dtypes.finfo(A._dtype).eps * max(m, n) if rcond is None else rcond
    x = matmul(pinv(A, rtol=0.0 if driver == "gels" else limit), b)
    values = residuals = empty(0, dtype=A._dtype.to_real())
    rank = empty(0, dtype=dtypes.int64)
    if driver != "gels":
        rank = matrix_rank(A, rtol=limit)
    if driver in ("gelsd", "gelss"):
        values = apply(ops.linalg.svdvals, A.detach())
    if m > n and driver != "gelsy" and (driver == "gels" or bool((rank == n).all())):
        off = abs(matmul(A, x) - b).square()
        residuals = sum(off, -2)
    return return_types.linalg_lstsq((x.squeeze(-1) if vector else x, residuals, rank, values))
