"""Linear algebra under the names that `torch` itself had before `torch.linalg`."""

from __future__ import annotations

from typing import Any

from chainrule import return_types
from chainrule.linalg import factors, systems
from chainrule.linalg.checks import adjoint, matrix, succeeded
from chainrule.linalg.factors import NOT_POSITIVE, cholesky_ex, geqrf, householder_product, ormqr
from chainrule.linalg.norms import matrix_norm, vector_norm
from chainrule.linalg.products import matrix_exp, matrix_power
from chainrule.linalg.systems import cholesky_inverse, cholesky_solve, det, logdet, slogdet
from chainrule.shapes import broadcast
from chainrule.tensor import Tensor
from chainrule.tensor.creation import randn, zeros
from chainrule.tensor.functions import expand, matmul, mean

orgqr = householder_product


def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """`linalg.cholesky`"""
    factor, info = cholesky_ex(input, upper=upper)
    succeeded(info, "cholesky", NOT_POSITIVE)
    return factor


def qr(input: Tensor, some: bool = True) -> Any:
    """`linalg.qr`: reduced if `some`, else complete."""
    return return_types.qr(factors.qr(input, "reduced" if some else "complete"))


def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """(U, S, V) with A = U diag(S) Vᴴ; zeros for U and V if not `compute_uv`."""
    matrix(input, "linalg.svd")
    if not compute_uv:
        m, n = input._shape[-2:]
        lead = tuple(input._shape[:-2])
        none = (zeros(*lead, k, k, dtype=input._dtype) for k in (m, n))
        return return_types.svd((next(none), factors.svdvals(input), next(none)))
    u, s, vh = factors.svd(input, full_matrices=not some)
    return return_types.svd((u, s, adjoint(vh)))


def inverse(input: Tensor) -> Tensor:
    """`linalg.inv`"""
    return systems.inv(input)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """`linalg.pinv`: singular values up to rcond · the largest count as zero."""
    return systems.pinv(input, rtol=rcond)


def lu(
    A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None
) -> tuple[Tensor, ...]:
    """`linalg.lu_factor`; with the infos instead of errors if `get_infos`."""
    found = factors.lu_factor_ex(A, pivot=pivot)
    if not get_infos:
        succeeded(found.info, "torch.linalg.lu_factor", factors.ZERO_ON_U, RuntimeError)
    made = tuple(found) if get_infos else tuple(found[:2])
    if out is None:
        return made
    for o, value in zip(out, made, strict=True):
        o.resize_(value._shape).copy_(value)
    return tuple(out)


def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """`linalg.lu_solve`, with the right-hand side first."""
    return systems.lu_solve(LU_data, LU_pivots, b)


def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:
    """(P, L, U) from what `linalg.lu_factor` gave."""
    return return_types.lu_unpack(factors.unpacked(LU_data, LU_pivots, unpack_data, unpack_pivots))


def triangular_solve(
    b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:
    """(X with A X = b (Aᵀ X = b if `transpose`), a copy of A)"""
    lead = broadcast(tuple(A._shape[:-2]), tuple(b._shape[:-2]))
    left = A.mT if transpose else A
    x = systems.solve_triangular(
        left, b, upper=bool(upper) != bool(transpose), unitriangular=unitriangular
    )
    return return_types.triangular_solve((x, expand(A, (*lead, *A._shape[-2:])).clone()))


def frobenius_norm(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """√Σ |x|²"""
    over = dim if isinstance(dim, int) or dim else None
    return vector_norm(input, 2, over, keepdim)


def nuclear_norm(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Σ of singular values"""
    return matrix_norm(input, "nuc", (-2, -1) if dim is None else tuple(dim), keepdim)


# ------------------------------------------------------------------ by random projections


def _basis(A: Tensor, q: int, niter: int, M: Tensor | None) -> Tensor:
    """Orthonormal columns that nearly span what A − M maps to (Halko, Martinsson and Tropp,
    "Finding structure with randomness", 2011, algorithm 4.4).
    """

    def times(x: Tensor) -> Tensor:
        return matmul(A, x) if M is None else matmul(A, x) - matmul(M, x)

    def back(x: Tensor) -> Tensor:
        out = matmul(adjoint(A), x)
        return out if M is None else out - matmul(adjoint(M), x)

    at = factors.qr(times(randn(A._shape[-1], q, dtype=A._dtype))).Q
    for _ in range(niter):
        at = factors.qr(back(at)).Q
        at = factors.qr(times(at)).Q
    return at


def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """(U, S, V) with A − M ≈ U diag(S) Vᴴ of rank q, by random projections."""
    q = 6 if q is None else q
    m, n = A._shape[-2:]
    if M is not None:
        M = expand(M, tuple(A._shape))
    turned = m < n
    a, base = (adjoint(A), None if M is None else adjoint(M)) if turned else (A, M)
    at = _basis(a, q, 2 if niter is None else niter, base)
    small = matmul(adjoint(at), a if base is None else a - base)
    u, s, vh = factors.svd(small, full_matrices=False)
    u, v = matmul(at, u), adjoint(vh)
    return (v, s, u) if turned else (u, s, v)


def pca_lowrank(
    A: Tensor, q: int | None = None, center: bool = True, niter: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """(U, S, V): the q first principal components of the rows of A, by random projections."""
    m, n = A._shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if center:
        A = A - mean(A, -2, keepdim=True)
    return svd_lowrank(A, q, niter)


def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: Any = None,
    ortho_fparams: Any = None,
    ortho_bparams: Any = None,
) -> tuple[Tensor, Tensor]:
    """(λ, V): k extreme eigenvalues of A v = λ B v, A symmetric and B positive definite. All are
    computed, exactly; what steers PyTorch's iteration (`iK` … `ortho_bparams`) has no effect.
    """
    if n is None:
        n = (X._shape[-1] if X is not None else 1) if k is None else k
    k = n if k is None else k
    if A._shape[-1] < 3 * n:
        raise ValueError(
            f"LPBPCG algorithm is not applicable when the number of A rows (={A._shape[-1]}) is "
            f"smaller than 3 x the number of requested eigenpairs (={n})"
        )
    if B is None:
        w, v = factors.eigh(A)
    else:
        lower = factors.cholesky(B)
        half = systems.solve_triangular(lower, A, upper=False)
        w, v = factors.eigh(systems.solve_triangular(lower.mH, half, upper=True, left=False))
        v = systems.solve_triangular(lower.mH, v, upper=True)
    if largest is None or largest:
        return w[..., -k:].flip(-1), v[..., -k:].flip(-1)
    return w[..., :k], v[..., :k]


__all__ = [
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "frobenius_norm", "geqrf", "inverse",
    "lobpcg", "logdet", "lu", "lu_solve", "lu_unpack", "matrix_exp", "matrix_power", "nuclear_norm",
    "orgqr", "ormqr", "pca_lowrank", "pinverse", "qr", "slogdet", "svd", "svd_lowrank",
    "triangular_solve",
]  # fmt: skip
