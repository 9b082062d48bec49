"""Systems of equations, inverses, determinants, the exponential.

Gradients: Giles, "An extended collection of matrix derivative results" (2008); of the
pseudo-inverse Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least
squares problems whose variables separate" (1973); of the exponential Al-Mohy and Higham, "Computing
the Fréchet derivative of the matrix exponential" (2009).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.ir.cost import per_matrix
from chainrule.ir.node import Node
from chainrule.ir.op import Domain
from chainrule.ops.core import full_like, op, primitive, zeros_like
from chainrule.ops.elementwise import where
from chainrule.ops.linalg import algorithms
from chainrule.ops.linalg.factor import svd
from chainrule.ops.linalg.matrices import (
    Cotangents,
    Matrices,
    adjoint,
    column,
    conj,
    eye_like,
    given,
    like,
    lower,
    matrices,
    mm,
    on_diagonal,
    real,
    row,
    square,
    whole,
)
from chainrule.ops.linalg.triangular import solution_type
from chainrule.ops.loop import item, scan
from chainrule.ops.movement import cat, expand_dims, narrow, permute, swap
from chainrule.ops.reduce import sum


@primitive(
    lambda a, b: (solution_type(a, b), whole(a)),
    prepare=square,
    flops=per_matrix(lambda n, _, k: 2 / 3 * n**3 + 2 * n * n * k),
    tex=r"{0}^{{-1}} {1}",
    domain=Matrices(
        ((3, 3), (3, 2), {}), ((2, 2, 2), (2, 3), {}), ((2, 2), (3, 2, 1), {}), ((0, 0), (0, 2), {})
    ),
    analytic=False,
    torch="linalg.solve_ex",
)
def solve(a: np.ndarray, b: np.ndarray) -> Any:
    """(X, info): A X = B; info: the first zero pivot, counted from 1, or 0."""
    return algorithms.solve(a, b)


@solve.vjp
def _(g: Cotangents, y: Node, a: Node, b: Node) -> tuple[Node | None, Node | None]:
    """B̄ = A⁻ᴴ X̄, Ā = −B̄ Xᴴ"""
    if 0 not in g:
        return None, None
    gb = item(solve(adjoint(a), g[0]), 0)
    return mm(-gb, adjoint(item(y, 0))), gb


@op(
    prepare=square,
    tex=r"{0}^{{-1}}",
    domain=Matrices(((3, 3), {}), ((2, 2, 2), {}), ((0, 0), {})),
    analytic=False,
    torch="linalg.inv_ex",
)
def inv(a: Node) -> tuple[Node, Node]:
    """(A⁻¹, info), as `solve` of the identity."""
    found = solve(a, eye_like(a))
    return item(found, 0), item(found, 1)


@inv.vjp
def _(g: Cotangents, y: Node, a: Node) -> Node | None:
    """−A⁻ᴴ Ȳ A⁻ᴴ"""
    if 0 not in g:
        return None
    h = adjoint(item(y, 0))
    return -mm(h, g[0], h)


@primitive(
    lambda b, c, *, upper: solution_type(c, b),
    prepare=matrices,
    flops=per_matrix(lambda n, _, k: 2 * n * n * k, matrix=1),
    tex=r"({1} {1}^T)^{{-1}} {0}",
    domain=Matrices(((3, 2), (3, 3), {"upper": False}), ((0, 2), (0, 0), {"upper": True}), order=0),
    analytic=False,
    torch="cholesky_solve",
)
def cholesky_solve(b: np.ndarray, c: np.ndarray, *, upper: bool) -> np.ndarray:
    """X with C Cᴴ X = B (Cᴴ C if `upper`), of which one triangle is read."""
    h = algorithms.adjoint(c)
    first, then = (h, c) if upper else (c, h)
    y = algorithms.solve_triangular(first, b, upper=False, unit=False)
    return algorithms.solve_triangular(then, y, upper=True, unit=False)


@cholesky_solve.vjp
def _(g: Node, y: Node, b: Node, c: Node, *, upper: bool) -> tuple[Node, Node]:
    """B̄ = A⁻¹ X̄, C̄ = (Ā + Āᴴ) C with Ā = −B̄ Xᴴ, as if all of C had been read (so does PyTorch)"""
    gb = cholesky_solve(g, c, upper=upper)
    ga = mm(-gb, adjoint(y))
    ga = ga + adjoint(ga)
    return gb, mm(c, ga) if upper else mm(ga, c)


# ------------------------------------------------------------------ determinants


@primitive(
    lambda a: like(a),
    prepare=square,
    flops=per_matrix(lambda n, *_: 2 / 3 * n**3),
    tex=r"\det {0}",
    domain=Matrices(((3, 3), {}), ((2, 2, 2), {}), ((0, 0), {})),
    analytic=False,
    torch="linalg.det",
)
def det(a: np.ndarray) -> Any:
    """The determinant."""
    return np.linalg.det(a)


@det.vjp
def _(g: Node, y: Node, a: Node) -> Node:
    """The cofactors: det A · A⁻ᴴ, and their limit where A is singular"""
    return column(expand_dims(g, g.ndim)) * conj(cofactor(a))


def _cofactor(a: np.ndarray) -> np.ndarray:
    """By singular values, each left out in turn: right also where A has no inverse."""
    u, s, vh = np.linalg.svd(a)
    n = a.shape[-1]
    others = np.stack([np.prod(np.delete(s, i, -1), -1) for i in range(n)], -1) if n else s
    sign = np.linalg.det(u) * np.linalg.det(vh)
    made = (u.conj() * others[..., None, :].astype(a.dtype)) @ vh.conj()
    return made * sign[..., None, None]


@primitive(
    lambda a: like(a, *a.shape[-2:]),
    prepare=square,
    flops=per_matrix(lambda n, *_: 2 * n**3),
    tex=r"\operatorname{{cof}}({0})",
    domain=Matrices(((3, 3), {}), ((2, 2, 2), {}), ((0, 0), {})),
    analytic=False,
)
def cofactor(a: np.ndarray) -> Any:
    """The matrix of cofactors, ∂ det A / ∂A: det A · A⁻ᵀ where there is an inverse."""
    if not a.size:
        return a
    try:
        with np.errstate(all="ignore"):
            back = np.linalg.inv(a)
        made = np.linalg.det(a)[..., None, None] * back.swapaxes(-1, -2)
        return made if np.isfinite(made).all() else _cofactor(a)
    except np.linalg.LinAlgError:
        return _cofactor(a)


@cofactor.vjp
def _(g: Node, y: Node, a: Node) -> Node:
    """A⁻ᴴ Σ C̄ C* − A⁻ᴴ C̄ᵀ C*"""
    h, c = adjoint(item(inv(a), 0)), conj(y)
    total = sum(g * c, axis=(a.ndim - 2, a.ndim - 1), keepdim=True)
    return h * total - mm(h, swap(g, -2, -1), c)


@primitive(
    lambda a: (like(a), real(a)),
    prepare=square,
    flops=per_matrix(lambda n, *_: 2 / 3 * n**3),
    tex=r"\log \lvert \det {0} \rvert",
    domain=Matrices(((3, 3), {}), ((2, 2, 2), {}), ((0, 0), {})),
    analytic=False,
    torch="linalg.slogdet",
)
def slogdet(a: np.ndarray) -> Any:
    """(the sign of det A, log |det A|)"""
    return tuple(np.linalg.slogdet(a))


@slogdet.vjp
def _(g: Cotangents, y: Node, a: Node) -> Node:
    """ȳ A⁻ᴴ; a complex sign s turns with the imaginary part: d s = i s Im tr(A⁻¹ dA)"""
    total = given(g, 1, item(y, 1))
    if a.dtype.is_complex and 0 in g:
        s = item(y, 0)
        turned = g[0] * conj(s)
        total = total + turned - a.op.registry["real"](turned)
    return column(expand_dims(total, total.ndim)) * adjoint(item(inv(a), 0))


# ------------------------------------------------------------------ the pseudo-inverse


def _pinv_prepare(a: Node, cut: Node) -> Any:
    (a,), _ = matrices(a)
    return (a, cut), {}


@op(
    prepare=_pinv_prepare,
    tex=r"{0}^{{+}}",
    domain=Matrices(
        ((3, 3), (), {}), ((2, 4, 2), (), {}), ((2, 3), (1,), {}),
        over=("matrix", (0.1, 0.2)), phases=False,
    ),
    analytic=False,
    torch="linalg.pinv",
)  # fmt: skip
def pinv(a: Node, cut: Node) -> Node:
    """V diag(1/S) Uᴴ over the singular values above `cut`"""
    parts = svd(a, full=False)
    u, s, vh = (item(parts, i) for i in range(3))
    limit = cut if not cut.shape else column(cut)
    large = s > limit
    inverted = where(large, 1 / where(large, s, full_like(s, 1)), zeros_like(s))
    return mm(adjoint(vh), column(inverted) * adjoint(u))


@pinv.vjp
def _(g: Node, y: Node, a: Node, cut: Node) -> tuple[Node, None]:
    """−(A⁺ ḡ A⁺)ᴴ + what comes from the null spaces of A and Aᴴ"""
    h, ph = adjoint(g), adjoint(y)
    if a.shape[-2] <= a.shape[-1]:
        k = mm(h, y)
        kp = mm(k, ph)
        out = -adjoint(mm(y, k)) + kp - mm(mm(a, y), kp) + mm(mm(ph, y), h - mm(k, a))
    else:
        k = mm(y, h)
        pk = mm(ph, k)
        out = -adjoint(mm(k, y)) + mm(h - mm(a, k), mm(y, ph)) + pk - mm(mm(pk, y), a)
    return out, None


# ------------------------------------------------------------------ the exponential


@primitive(
    lambda a: like(a, *a.shape[-2:]),
    prepare=square,
    flops=per_matrix(lambda n, *_: (12 + 8 / 3) * n**3),
    tex=r"e^{{{0}}}",
    domain=Matrices(((3, 3), {}), ((2, 2, 2), {}), ((0, 0), {})),
    analytic=False,
    torch="linalg.matrix_exp",
)
def matrix_exp(a: np.ndarray) -> np.ndarray:
    """Σ Aᵏ / k!"""
    return algorithms.expm(a)


@matrix_exp.vjp
def _(g: Node, y: Node, a: Node) -> Node:
    """The upper right block of exp [[Aᴴ, Ȳ], [0, Aᴴ]]"""
    n, h = a.shape[-1], adjoint(a)
    top = cat(h, g, axis=a.ndim - 1)
    low = cat(zeros_like(h), h, axis=a.ndim - 1)
    both = matrix_exp(cat(top, low, axis=a.ndim - 2))
    return narrow(narrow(both, a.ndim - 2, 0, n), a.ndim - 1, n, n)


# ------------------------------------------------------------------ reflectors


@op(
    tex=r"H_1 \cdots H_k",
    prepare=lambda a, tau, c, **_: ((a, tau, c), {}),
    domain=Domain(
        (-1, 1),
        cases=[
            ((4, 2), (2,), (4, 3), {"transposed": False}),
            ((2, 3, 3), (2, 2), (2, 3, 2), {"transposed": True}),
        ],
    ),
    analytic=False,
    torch="ormqr",
)
def reflect(a: Node, tau: Node, c: Node, *, transposed: bool = False) -> Node:
    """H₁ … H_k C, or (H₁ … H_k)ᴴ C, with H_i = 1 − τ_i v_i v_iᴴ: v_i has zeros above row i, one in
    it, and below it what column i of A has.
    """
    m, k = a.shape[-2], tau.shape[-1]
    a = narrow(a, a.ndim - 1, 0, k)
    v = where(on_diagonal(m, k), full_like(a, 1), lower(a, -1))
    steps = permute(v, order=(a.ndim - 1, *range(a.ndim - 1)))  # (k, …, m)
    taus = permute(tau, order=(tau.ndim - 1, *range(tau.ndim - 1)))

    def step(carry: Any, now: Any, _: Any) -> Any:
        x, t = now
        if transposed:
            t = conj(t)
        inner = mm(conj(row(x)), carry[0])  # (…, 1, n)
        return (carry[0] - expand_dims(column(t), t.ndim) * (column(x) * inner),), ()

    (out,), _ = scan(step, [c], [steps, taus], reverse=not transposed)
    return out


@primitive(
    lambda a: (like(a, *a.shape[-2:]), like(a, min(a.shape[-2:]))),
    prepare=matrices,
    flops=per_matrix(lambda m, n, _: 2 * m * n**2 - 2 / 3 * n**3),
    tex=r"\operatorname{{geqrf}}({0})",
    domain=Matrices(((3, 2), {}), ((2, 2, 3), {}), order=0),
    torch="geqrf",
)
def geqrf(a: np.ndarray) -> Any:
    """(R above the reflectors v_i in one matrix, τ): Q = H₁ … H_k, packed as by LAPACK."""
    h, tau = np.linalg.qr(a, "raw")
    return np.ascontiguousarray(h.swapaxes(-1, -2)), tau


@primitive(
    lambda packed, pivots, b, *, hermitian: solution_type(packed, b),
    flops=per_matrix(lambda n, _, k: 2 * n * n * k),
    tex=r"{0}^{{-1}} {2}",
    domain=Matrices(
        ((2, 2), (2,), (2, 3), {"hermitian": False}), order=0, over=("matrix", 1, "matrix")
    ),
    torch="linalg.ldl_solve",
)
def ldl_solve(
    packed: np.ndarray, pivots: np.ndarray, b: np.ndarray, *, hermitian: bool
) -> np.ndarray:
    """X with A X = B, from the factors and exchanges that `ldl` gave."""
    return algorithms.ldl_solve(packed, pivots, b, hermitian=hermitian)
