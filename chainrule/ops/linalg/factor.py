"""Factorisations: Cholesky, LU, QR, singular values, eigenvalues of Hermitian matrices, LDLᵀ.

The gradients are those of Giles, "An extended collection of matrix derivative results for forward
and reverse mode algorithmic differentiation" (2008), of Murray, "Differentiation of the Cholesky
decomposition" (2016), of Walter and Lehmann, "Algorithmic differentiation of linear algebra
functions" (2010) for QR, and of Townsend, "Differentiating the singular value decomposition"
(2016), with Wan and Zhang, "Automatic differentiation for complex valued SVD" (2019).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.errors import GradientError
from chainrule.ir.cost import nothing, per_matrix
from chainrule.ir.node import Node, TensorType, Type
from chainrule.ir.op import Domain
from chainrule.ops.core import primitive
from chainrule.ops.linalg import algorithms
from chainrule.ops.linalg.matrices import (
    Cotangents,
    Matrices,
    adjoint,
    column,
    conj,
    diag,
    eye_like,
    given,
    halved_diagonal,
    inverse,
    like,
    lower,
    matrices,
    mm,
    off_diagonal,
    pick_rows,
    real,
    row,
    spread,
    square,
    upper,
    whole,
)
from chainrule.ops.linalg.triangular import solve_right, solve_triangular
from chainrule.ops.loop import item
from chainrule.ops.movement import cat, narrow

# ------------------------------------------------------------------ Cholesky


@primitive(
    lambda a: (like(a, *a.shape[-2:]), whole(a)),
    prepare=square,
    flops=per_matrix(lambda n, *_: n**3 / 3),
    tex=r"\operatorname{{chol}}({0})",
    domain=Matrices(((3, 3), {}), ((2, 2, 2), {}), ((0, 0), {})),
    analytic=False,
    torch="linalg.cholesky_ex",
)
def cholesky(a: np.ndarray) -> Any:
    """(L, info): L Lᴴ = (A + Aᴴ)/2, L lower triangular; info: the order of the first leading minor
    that is not positive definite, or 0.
    """
    return algorithms.cholesky(a)


@cholesky.vjp
def _(g: Cotangents, y: Node, a: Node) -> Node | None:
    """Ā = ½ L⁻ᴴ (P + Pᴴ) L⁻¹, P = Φ(Lᴴ L̄): the lower triangle with half of the diagonal."""
    if 0 not in g:
        return None
    factor = item(y, 0)
    p = halved_diagonal(lower(mm(adjoint(factor), g[0])))
    p = (p + adjoint(p)) * 0.5
    half = solve_triangular(adjoint(factor), p, upper=True)
    return adjoint(solve_triangular(adjoint(factor), adjoint(half), upper=True))


# ------------------------------------------------------------------ LU


def _lu_type(a: Node) -> Type:
    m, n = a.shape[-2:]
    return like(a, m, n), whole(a, min(m, n)), whole(a)


@primitive(
    _lu_type,
    prepare=matrices,
    flops=per_matrix(lambda m, n, _: m * n**2 - n**3 / 3),
    tex=r"\operatorname{{LU}}({0})",
    domain=Matrices(((3, 3), {}), ((2, 2, 4), {}), ((4, 2), {}), ((0, 3), {})),
    analytic=False,
    torch="linalg.lu_factor_ex",
)
def lu(a: np.ndarray) -> Any:
    """(L and U in one matrix, pivots, info): A = P L U with partial pivoting; L has ones on its
    diagonal, which are not kept; row i was exchanged with row pivots[i], counted from 1; info: the
    first zero on the diagonal of U, counted from 1, or 0.
    """
    return algorithms.lu(a)


@primitive(
    lambda pivots, *, rows: TensorType((*pivots.shape[:-1], rows), dtypes.int64),
    flops=nothing,
    tex=r"\operatorname{{perm}}({0})",
    domain=Domain((1, 1), dtypes="int", order=0, cases=[((2, 2), {"rows": 3})]),
)
def permutation(pivots: np.ndarray, *, rows: int) -> np.ndarray:
    """The exchanges of rows as a permutation: row i of P⁻¹A is row p[i] of A."""
    return algorithms.permutation(pivots, rows)


@lu.vjp
def _(g: Cotangents, y: Node, a: Node) -> Node | None:
    """With F = L₁⁻¹ dA₁ U₁⁻¹: dL = L tril(F, −1) and dU = triu(F) U on the square part; what is
    left of a wide or tall matrix is a product with it.
    """
    if 0 not in g:
        return None
    m, n = a.shape[-2:]
    k = min(m, n)
    packed, order = item(y, 0), permutation(item(y, 1), rows=m)
    square_, ct = packed, g[0]
    if n > k:
        (square_, right), (ct, ct_right) = (_split(x, x.ndim - 1, k) for x in (packed, ct))
    elif m > k:
        (square_, below), (ct, ct_below) = (_split(x, x.ndim - 2, k) for x in (packed, ct))
    left, u = adjoint(lower(square_, -1) + eye_like(square_)), upper(square_)
    in_l, in_u = mm(left, lower(ct, -1)), mm(upper(ct), adjoint(u))
    if n > k:
        in_l = in_l - mm(ct_right, adjoint(right))
    elif m > k:
        in_u = in_u - mm(adjoint(below), ct_below)
    f = lower(in_l, -1) + upper(in_u)
    out = solve_triangular(left, f, upper=True, unit=True)
    out = solve_right(out, adjoint(u), upper=False)
    if n > k:
        out = cat(out, solve_triangular(left, ct_right, upper=True, unit=True), axis=out.ndim - 1)
    elif m > k:
        out = cat(out, solve_right(ct_below, adjoint(u), upper=False), axis=out.ndim - 2)
    return pick_rows(out, inverse(order))


def _split(x: Node, axis: int, k: int) -> tuple[Node, Node]:
    return narrow(x, axis, 0, k), narrow(x, axis, k, x.shape[axis] - k)


# ------------------------------------------------------------------ QR


def _qr_type(a: Node, *, complete: bool) -> Type:
    m, n = a.shape[-2:]
    k = m if complete else min(m, n)
    return like(a, m, k), like(a, k, n)


@primitive(
    _qr_type,
    prepare=matrices,
    flops=per_matrix(lambda m, n, _: 4 * m * n**2 - 4 / 3 * n**3),
    tex=r"\operatorname{{QR}}({0})",
    domain=Matrices(
        ((3, 3), {"complete": False}), ((2, 4, 2), {"complete": False}),
        ((2, 4), {"complete": True}), ((0, 3), {"complete": False}),
    ),
    analytic=False,
    torch="linalg.qr",
)  # fmt: skip
def qr(a: np.ndarray, *, complete: bool) -> Any:
    """(Q, R): A = Q R, QᴴQ = 1, R upper triangular, by Householder's reflectors; `complete` gives
    all columns of Q.
    """
    return tuple(np.linalg.qr(a, "complete" if complete else "reduced"))


@qr.vjp
def _(g: Cotangents, y: Node, a: Node, *, complete: bool) -> Node:
    """Ā = (Q̄ + Q S) R⁻ᴴ, S = X + Xᴴ with half of its diagonal, X = triu(R̄ Rᴴ − Qᴴ Q̄); of a wide
    matrix [A₁ A₂], R₂ = Qᴴ A₂ is a product.
    """
    m, n = a.shape[-2:]
    if complete and m > n:
        raise GradientError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols"
        )
    q, r = item(y, 0), item(y, 1)
    gq, gr = given(g, 0, q), given(g, 1, r)
    last = a.ndim - 1
    if m < n:
        g2 = narrow(gr, last, m, n - m)
        gq = gq + mm(narrow(a, last, m, n - m), adjoint(g2))
        r, gr = narrow(r, last, 0, m), narrow(gr, last, 0, m)
    x = upper(mm(gr, adjoint(r)) - mm(adjoint(q), gq))
    out = solve_right(gq + mm(q, halved_diagonal(x + adjoint(x))), adjoint(r), upper=False)
    return cat(out, mm(q, g2), axis=last) if m < n else out


# ------------------------------------------------------------------ singular values


def _svd_type(a: Node, *, full: bool) -> Type:
    m, n = a.shape[-2:]
    k = min(m, n)
    return like(a, m, m if full else k), real(a, k), like(a, n if full else k, n)


@primitive(
    _svd_type,
    prepare=matrices,
    flops=per_matrix(lambda m, n, _: 6 * m * n**2 + 20 * n**3),
    tex=r"\operatorname{{SVD}}({0})",
    domain=Matrices(
        ((3, 3), {"full": False}), ((2, 4, 2), {"full": False}), ((2, 3), {"full": False}),
        ((0, 3), {"full": False}), phases=False,
    ),
    analytic=False,
    torch="linalg.svd",
)  # fmt: skip
def svd(a: np.ndarray, *, full: bool) -> Any:
    """(U, S, Vᴴ): A = U diag(S) Vᴴ, S falling; `full` gives square U and V."""
    return tuple(algorithms.converged("linalg.svd", a, np.linalg.svd, full_matrices=full))


@svd.vjp
def _(g: Cotangents, y: Node, a: Node, *, full: bool) -> Node:
    """Ā = U [(skew(Uᴴ Ū)/E) S + S (skew(Vᴴ V̄)/E) + diag S̄] Vᴴ, E_ij = S_j² − S_i², and what U and V
    have outside of their columns.
    """
    m, n = a.shape[-2:]
    k, last = min(m, n), a.ndim - 1
    u, s, vh = item(y, 0), item(y, 1), item(y, 2)
    gu, gvh = g.get(0), g.get(2)
    if full:
        u, vh = narrow(u, last, 0, k), narrow(vh, last - 1, 0, k)
        gu = None if gu is None else narrow(gu, last, 0, k)
        gvh = None if gvh is None else narrow(gvh, last - 1, 0, k)
    inner = spread(given(g, 1, s))
    s2 = s * s
    e = row(s2) - column(s2)
    skew_u = None
    if gu is not None:
        skew_u = mm(adjoint(u), gu)
        skew_u = skew_u - adjoint(skew_u)
        inner = inner + off_diagonal(skew_u, e) * row(s)
    if gvh is not None:
        skew_v = mm(vh, adjoint(gvh))
        skew_v = skew_v - adjoint(skew_v)
        inner = inner + column(s) * off_diagonal(skew_v, e)
    if a.dtype.is_complex and skew_u is not None and gvh is not None:
        inner = inner + spread(diag(skew_u) / (s * 2))
    out = mm(u, inner)
    if m > k and gu is not None:
        out = out + (gu - mm(u, adjoint(u), gu)) / row(s)
    out = mm(out, vh)
    if n > k and gvh is not None:
        out = out + mm(u, (gvh - mm(gvh, adjoint(vh), vh)) / column(s))
    return out


@primitive(
    lambda a: real(a, min(a.shape[-2:])),
    prepare=matrices,
    flops=per_matrix(lambda m, n, _: 2 * m * n**2 + 2 * n**3),
    tex=r"\sigma({0})",
    domain=Matrices(((3, 3), {}), ((2, 2, 3), {}), ((0, 3), {})),
    analytic=False,
    torch="linalg.svdvals",
)
def svdvals(a: np.ndarray) -> Any:
    """Singular values, falling."""
    return algorithms.converged("linalg.svdvals", a, np.linalg.svd, compute_uv=False)


@svdvals.vjp
def _(g: Node, y: Node, a: Node) -> Node:
    """U diag(S̄) Vᴴ"""
    parts = svd(a, full=False)
    return mm(item(parts, 0) * row(g), item(parts, 2))


# ------------------------------------------------------------------ Hermitian eigenvalues


@primitive(
    lambda a: (real(a, a.shape[-1]), like(a, *a.shape[-2:])),
    prepare=square,
    flops=per_matrix(lambda n, *_: 9 * n**3),
    tex=r"\operatorname{{eigh}}({0})",
    domain=Matrices(((3, 3), {}), ((2, 2, 2), {}), ((0, 0), {}), order=0),  # signs of V jump
    analytic=False,
    torch="linalg.eigh",
)
def eigh(a: np.ndarray) -> Any:
    """(λ, V): V diag(λ) Vᴴ = (A + Aᴴ)/2, λ rising, V unitary."""
    return tuple(algorithms.converged("linalg.eigh", algorithms.hermitian(a), np.linalg.eigh))


@eigh.vjp
def _(g: Cotangents, y: Node, a: Node) -> Node:
    """Ā = V (diag λ̄ + Vᴴ V̄ / E) Vᴴ, E_ij = λ_j − λ_i, of which the Hermitian part counts."""
    w, v = item(y, 0), item(y, 1)
    inner = spread(given(g, 0, w))
    if 1 in g:
        inner = inner + off_diagonal(mm(adjoint(v), g[1]), row(w) - column(w))
    out = mm(v, inner, adjoint(v))
    return (out + adjoint(out)) * 0.5


@primitive(
    lambda a: real(a, a.shape[-1]),
    prepare=square,
    flops=per_matrix(lambda n, *_: 4 / 3 * n**3),
    tex=r"\lambda({0})",
    domain=Matrices(((3, 3), {}), ((2, 2, 2), {}), ((0, 0), {})),
    analytic=False,
    torch="linalg.eigvalsh",
)
def eigvalsh(a: np.ndarray) -> Any:
    """Eigenvalues of (A + Aᴴ)/2, rising."""
    return algorithms.converged("linalg.eigvalsh", algorithms.hermitian(a), np.linalg.eigvalsh)


@eigvalsh.vjp
def _(g: Node, y: Node, a: Node) -> Node:
    """V diag(λ̄) Vᴴ"""
    v = item(eigh(a), 1)
    return mm(v * row(g), adjoint(v))


# ------------------------------------------------------------------ eigenvalues


def _pair_type(a: Node) -> Type:
    n, d = a.shape[-1], a.dtype.to_complex()
    lead = a.shape[:-2]
    return TensorType((*lead, n), d), TensorType((*lead, n, n), d)


@primitive(
    _pair_type,
    prepare=square,
    flops=per_matrix(lambda n, *_: 25 * n**3),
    tex=r"\operatorname{{eig}}({0})",
    domain=Matrices(((3, 3), {}), ((0, 0), {}), order=0),
    analytic=False,
    torch="linalg.eig",
)
def eig(a: np.ndarray) -> Any:
    """(λ, V): A V = V diag(λ), complex; columns of V have length 1."""
    wide = np.result_type(a.dtype, np.complex64)
    w, v = algorithms.converged("linalg.eig", a, np.linalg.eig)
    return w.astype(wide), v.astype(wide)


@eig.vjp
def _(g: Cotangents, y: Node, a: Node) -> Node:
    """Ā = V⁻ᴴ (diag λ̄ + (Vᴴ V̄ − Vᴴ V diag Re(Vᴴ V̄)) / E) Vᴴ, E_ij = conj(λ_j − λ_i)."""
    w, v = item(y, 0), item(y, 1)
    vh = adjoint(v)
    inner = spread(given(g, 0, w))
    if 1 in g:
        vhg = mm(vh, g[1])
        registry = a.op.registry
        parts = registry["real"](diag(vhg))
        part = vhg - mm(vh, v * row(parts))
        inner = inner + off_diagonal(part, conj(row(w) - column(w)))
    out = item(a.op.registry["solve"](vh, mm(inner, vh)), 0)
    return out if a.dtype.is_complex else a.op.registry["real"](out)


# ------------------------------------------------------------------ symmetric and indefinite


@primitive(
    lambda a, *, hermitian: (like(a, *a.shape[-2:]), whole(a, a.shape[-1]), whole(a)),
    prepare=square,
    flops=per_matrix(lambda n, *_: n**3 / 3),
    tex=r"\operatorname{{LDL}}({0})",
    domain=Matrices(((3, 3), {"hermitian": False}), ((0, 0), {"hermitian": True}), order=0),
    torch="linalg.ldl_factor_ex",
)
def ldl(a: np.ndarray, *, hermitian: bool) -> Any:
    """(L and D in the lower triangle, pivots, info): A = L D Lᵀ (Lᴴ if hermitian), D of blocks of
    one and two, as Bunch and Kaufman choose them; packed as LAPACK's ?sytrf does.
    """
    return algorithms.ldl(a, hermitian=hermitian)
