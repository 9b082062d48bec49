"""Factorisations, with PyTorch's signatures."""

from __future__ import annotations

from typing import Any

from chainrule import ops, return_types
from chainrule.errors import LinAlgError, ShapeError
from chainrule.linalg.checks import adjoint, matrix, one_triangle, square, succeeded
from chainrule.tensor import Tensor
from chainrule.tensor.creation import empty, eye
from chainrule.tensor.functions import expand
from chainrule.tensor.record import apply

NOT_POSITIVE = (
    "The factorization could not be completed because the input is not positive-definite (the "
    "leading minor of order {info} is not positive-definite)."
)


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """(L, info): A = L Lᴴ (Uᴴ U if `upper`); info is the order of the first leading minor that is
    not positive definite, or 0.
    """
    return _cholesky(A, upper, check_errors, "linalg.cholesky_ex")


def _cholesky(A: Tensor, upper: bool, check: bool, name: str) -> Any:
    square(A, name)
    factor, info = apply(ops.linalg.cholesky, one_triangle(A, upper))
    if check:
        succeeded(info, name, NOT_POSITIVE)
    return return_types.linalg_cholesky_ex((adjoint(factor) if upper else factor, info))


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L with A = L Lᴴ (upper U with A = Uᴴ U); LinAlgError if there is none.

    >>> from chainrule import linalg, tensor
    >>> linalg.cholesky(tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    return _cholesky(A, upper, True, "linalg.cholesky").L


def qr(A: Tensor, mode: str = "reduced") -> Any:
    """(Q, R): A = Q R with orthonormal columns of Q; mode "complete" has all of them, "r" none."""
    matrix(A, "linalg.qr")
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', "
            "or 'complete'"
        )
    q, r = apply(ops.linalg.qr, A, complete=mode == "complete")
    return return_types.linalg_qr((empty(0, dtype=A._dtype) if mode == "r" else q, r))


def _check_driver(driver: str | None) -> None:
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with "
            "cuSOLVER backend."
        )


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """(U, S, Vᴴ): A = U diag(S) Vᴴ, singular values falling."""
    matrix(A, "linalg.svd")
    _check_driver(driver)
    return return_types.linalg_svd(apply(ops.linalg.svd, A, full=bool(full_matrices)))


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, falling."""
    matrix(A, "linalg.svd")
    _check_driver(driver)
    return apply(ops.linalg.svdvals, A)


def _is_upper(UPLO: str) -> bool:
    if not isinstance(UPLO, str) or UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper() == "U"


def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """(λ, V): A = V diag(λ) Vᴴ of a Hermitian matrix, λ rising; one triangle is read."""
    square(A, "linalg.eigh")
    return return_types.linalg_eigh(apply(ops.linalg.eigh, one_triangle(A, _is_upper(UPLO))))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of a Hermitian matrix, rising."""
    square(A, "linalg.eigvalsh")
    return apply(ops.linalg.eigvalsh, one_triangle(A, _is_upper(UPLO)))


def eig(A: Tensor) -> Any:
    """(λ, V): A V = V diag(λ), complex."""
    square(A, "linalg.eig")
    return return_types.linalg_eig(apply(ops.linalg.eig, A))


def eigvals(A: Tensor) -> Tensor:
    """The eigenvalues, complex, in no order."""
    square(A, "linalg.eigvals")
    return apply(_eigenvalues, A)


def _eigenvalues(a: Any) -> Any:
    return ops.item(ops.linalg.eig(a), 0)


# ------------------------------------------------------------------ LU

ZERO_ON_U = (
    "U[{info},{info}] is zero and using it on lu_solve would result in a division by zero. If you "
    "still want to perform the factorization, consider calling linalg.lu(A, pivot) or "
    "linalg.lu_factor_ex(A, pivot)"
)


def _check_pivot(pivot: bool) -> None:
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")


def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """(LU, pivots, info): A = P L U in one matrix, the exchanges of rows, the first zero pivot."""
    matrix(A, "torch.linalg.lu_factor_ex")
    _check_pivot(pivot)
    out = return_types.linalg_lu_factor_ex(apply(ops.linalg.lu, A))
    if check_errors:
        succeeded(out.info, "torch.linalg.lu_factor_ex", ZERO_ON_U, RuntimeError)
    return out


def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """(LU, pivots); RuntimeError where U has a zero on its diagonal."""
    matrix(A, "torch.linalg.lu_factor")
    out = lu_factor_ex(A, pivot=pivot)
    succeeded(out.info, "torch.linalg.lu_factor", ZERO_ON_U, RuntimeError)
    return return_types.linalg_lu_factor(out[:2])


def lu(A: Tensor, *, pivot: bool = True) -> Any:
    """(P, L, U): A = P L U"""
    matrix(A, "linalg.lu")
    _check_pivot(pivot)
    packed, pivots, _ = apply(ops.linalg.lu, A)
    return return_types.linalg_lu(unpacked(packed, pivots, True, True))


def unpacked(packed: Tensor, pivots: Tensor, data: bool, exchanges: bool) -> list[Tensor]:
    """P, L and U from one matrix and pivots; empty what is not asked for."""
    none = empty(0, dtype=packed._dtype)
    parts = [none, none, none]
    if data:
        parts[1:] = apply(_triangles, packed)
    if exchanges:
        parts[0] = apply(_permutation, packed, pivots)
    return parts


def _triangles(packed: Any) -> Any:
    m, n = packed.shape[-2:]
    k, last = min(m, n), packed.ndim - 1
    left = ops.linalg.matrices.lower(ops.movement.narrow(packed, last, 0, k), -1)
    return (
        left + ops.linalg.matrices.eye_like(left),
        ops.linalg.matrices.upper(ops.movement.narrow(packed, last - 1, 0, k)),
    )


def _permutation(packed: Any, pivots: Any) -> Any:
    m = packed.shape[-2]
    order = ops.linalg.matrices.inverse(ops.linalg.permutation(pivots, rows=m))
    return ops.one_hot(order, m, packed.dtype)


# ------------------------------------------------------------------ LDLᵀ, reflectors


def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """(LD, pivots, info): A = L D Lᵀ of a symmetric matrix (L D Lᴴ if `hermitian`)."""
    square(A, "torch.linalg.ldl_factor_ex")
    out = return_types.linalg_ldl_factor_ex(
        apply(ops.linalg.ldl, A.detach(), hermitian=bool(hermitian))
    )
    if check_errors:
        _check_ldl(out.info, "torch.linalg.ldl_factor_ex")
    return out


def _check_ldl(info: Tensor, name: str) -> None:
    succeeded(
        info, name, "D[{info},{info}] is zero: the factor D is singular and cannot be used to solve"
    )


def ldl_factor(A: Tensor, *, hermitian: bool = False) -> Any:
    """(LD, pivots) of a symmetric matrix; LinAlgError where D is singular."""
    square(A, "torch.linalg.ldl_factor")
    out = ldl_factor_ex(A, hermitian=hermitian)
    _check_ldl(out.info, "torch.linalg.ldl_factor")
    return return_types.linalg_ldl_factor(out[:2])


def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """The first columns of H₁ … H_k, whose vectors stand below the diagonal of A."""
    name = "torch.linalg.householder_product"
    if A.ndim < 2:
        raise ShapeError(f"{name}: input must have at least 2 dimensions.")
    if A._shape[-2] < A._shape[-1]:
        raise ShapeError(
            f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    if A._shape[-1] < tau._shape[-1]:
        raise ShapeError(f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    if tuple(A._shape[:-2]) != tuple(tau._shape[:-1]):
        raise ShapeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got "
            f"{list(tau._shape[:-1])}"
        )
    m, n = A._shape[-2:]
    first = expand(eye(m, n, dtype=A._dtype), tuple(A._shape))
    if not tau._shape[-1]:
        return first + A * 0
    return apply(ops.linalg.reflect, A, tau, first)


def geqrf(input: Tensor) -> Any:
    """(a, τ): R and the reflectors of a QR factorisation, packed as LAPACK does."""
    matrix(input, "torch.geqrf")
    return return_types.geqrf(apply(ops.linalg.geqrf, input.detach()))


def ormqr(
    input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False
) -> Tensor:
    """Q C, Qᴴ C (`transpose`), C Q or C Qᴴ (not `left`) for the Q of all reflectors."""
    matrix(input, "torch.ormqr", "input")
    side = -2 if left else -1
    if other._shape[side] != input._shape[-2]:
        raise ShapeError(f"torch.ormqr: other.shape[{side}] must be equal to input.shape[-2]")
    if not tau._shape[-1]:
        return other.clone()
    if left:
        return apply(ops.linalg.reflect, input, tau, other, transposed=bool(transpose))
    turned = apply(
        ops.linalg.reflect, input, tau, adjoint(other).contiguous(), transposed=not transpose
    )
    return adjoint(turned)


__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "eig", "eigh", "eigvals", "eigvalsh", "geqrf",
    "householder_product", "ldl_factor", "ldl_factor_ex", "lu", "lu_factor", "lu_factor_ex",
    "ormqr", "qr", "svd", "svdvals",
]  # fmt: skip
