"""Matrix factorisations in NumPy, for stacks of matrices: what `numpy.linalg` lacks.

lu                 Gaussian elimination with partial pivoting, by blocks of columns (Golub and Van
                   Loan, Matrix Computations, 4th ed., 3.2.11, 3.4)
solve_triangular   substitution, by halves
cholesky           NumPy's; where it fails, the order of the first minor that is not positive
ldl, ldl_solve     Bunch and Kaufman's symmetric factorisation, packed as LAPACK's ?sytf2 does
expm               scaling and squaring with the Padé approximation of degree 13 (Higham, "The
                   scaling and squaring method for the matrix exponential revisited", 2005)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import LinAlgError

#: Columns that are eliminated one by one before the rest is updated by a product.
_BLOCK = 32


def adjoint(a: np.ndarray) -> np.ndarray:
    """The conjugate transpose of the last two axes."""
    return a.swapaxes(-1, -2).conj()


def hermitian(a: np.ndarray) -> np.ndarray:
    """(A + Aᴴ) / 2"""
    return (a + adjoint(a)) * a.dtype.type(0.5)


def size1(a: np.ndarray) -> np.ndarray:
    """|re| + |im|: what LAPACK compares when it looks for a pivot."""
    return np.abs(a.real) + np.abs(a.imag) if a.dtype.kind == "c" else np.abs(a)


# ------------------------------------------------------------------ elimination


def lu(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(L without its unit diagonal and U in one matrix; the row that row i was exchanged with,
    counted from 1; the first zero on the diagonal of U, counted from 1, or 0).
    """
    *batch, m, n = a.shape
    k, count = min(m, n), math.prod(batch)
    x = np.array(a, order="C").reshape(count, m, n)
    pivots = np.zeros((count, k), np.int32)
    info = np.zeros(count, np.int32)
    each = np.arange(count)
    for low in range(0, k, _BLOCK):
        high = min(low + _BLOCK, k)
        for j in range(low, high):
            p = j + size1(x[:, j:, j]).argmax(1)
            pivots[:, j] = p + 1
            row = x[each, j]
            x[each, j] = x[each, p]
            x[each, p] = row
            d = x[:, j, j].copy()
            info[(info == 0) & (d == 0)] = j + 1
            d[d == 0] = 1  # the column below is 0 as well
            x[:, j + 1 :, j] /= d[:, None]
            x[:, j + 1 :, j + 1 : high] -= x[:, j + 1 :, j, None] * x[:, j, None, j + 1 : high]
        if high < n:
            right = solve_triangular(
                x[:, low:high, low:high], x[:, low:high, high:], upper=False, unit=True
            )
            x[:, low:high, high:] = right
            x[:, high:, high:] -= x[:, high:, low:high] @ right
    return x.reshape(a.shape), pivots.reshape(*batch, k), info.reshape(batch)


def permutation(pivots: np.ndarray, rows: int) -> np.ndarray:
    """Which row of A is row i of P⁻¹A, from the exchanges."""
    *batch, k = pivots.shape
    count = math.prod(batch)
    p = pivots.reshape(count, k).astype(np.int64) - 1
    order = np.broadcast_to(np.arange(rows), (count, rows)).copy()
    each = np.arange(count)
    for j in range(k):
        row = order[:, j].copy()
        order[:, j] = order[each, p[:, j]]
        order[each, p[:, j]] = row
    return order.reshape(*batch, rows)


def solve_triangular(a: np.ndarray, b: np.ndarray, *, upper: bool, unit: bool) -> np.ndarray:
    """X with A X = B for triangular A; only that triangle is read."""
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x = np.array(np.broadcast_to(b, lead + b.shape[-2:]), order="C")
    with np.errstate(all="ignore"):
        _substitute(a, x, upper, unit)
    return x


def _substitute(a: np.ndarray, x: np.ndarray, upper: bool, unit: bool) -> None:
    n = a.shape[-1]
    if n > 16:
        h = n // 2
        first, then = (np.s_[h:], np.s_[:h]) if upper else (np.s_[:h], np.s_[h:])
        _substitute(a[..., first, first], x[..., first, :], upper, unit)
        x[..., then, :] -= a[..., then, first] @ x[..., first, :]
        _substitute(a[..., then, then], x[..., then, :], upper, unit)
        return
    for i in reversed(range(n)) if upper else range(n):
        known = np.s_[i + 1 :] if upper else np.s_[:i]
        x[..., i, :] -= (a[..., i, None, known] @ x[..., known, :])[..., 0, :]
        if not unit:
            x[..., i, :] /= a[..., i, i, None]


# ------------------------------------------------------------------ NumPy's, with what may go wrong


def cholesky(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(L, the order of the first leading minor that is not positive definite, or 0)"""
    a = hermitian(a)
    try:
        return np.linalg.cholesky(a), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        n = a.shape[-1]
        out, info = np.empty_like(a), np.zeros(a.shape[:-2], np.int32)
        for i in np.ndindex(a.shape[:-2]):
            out[i], info[i] = _cholesky_until(a[i], n)
        return out, info


def _cholesky_until(a: np.ndarray, n: int) -> tuple[np.ndarray, int]:
    """Row by row, as far as it goes."""
    out = np.tril(a)
    for j in range(n):
        d = (a[j, j] - (out[j, :j] * out[j, :j].conj()).sum()).real
        if not d > 0:
            return out, j + 1
        out[j, j] = math.sqrt(d)
        out[j + 1 :, j] = (a[j + 1 :, j] - out[j + 1 :, :j] @ out[j, :j].conj()) / out[j, j]
    return out, 0


def solve(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(X with A X = B, the first zero pivot of A, or 0)"""
    try:
        return np.linalg.solve(a, b), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        packed, pivots, info = lu(a)
        order = permutation(pivots, a.shape[-1])
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        b = np.broadcast_to(b, lead + b.shape[-2:])
        moved = np.take_along_axis(
            b, np.broadcast_to(order, (*lead, order.shape[-1]))[..., None], -2
        )
        y = solve_triangular(packed, moved, upper=False, unit=True)
        return solve_triangular(packed, y, upper=True, unit=False), info


def converged(name: str, a: np.ndarray, f: Callable[..., Any], **how: Any) -> Any:
    """f(a, **how) of `numpy.linalg`, whose failure is told as PyTorch tells it."""
    try:
        return f(a, **how)
    except np.linalg.LinAlgError:
        why = (
            "the input matrix contained non-finite values"
            if not np.isfinite(a).all()
            else "the input matrix is ill-conditioned or has too many repeated values"
        )
        raise LinAlgError(f"{name}: The algorithm failed to converge because {why}.") from None


# ------------------------------------------------------------------ symmetric, indefinite


def ldl(a: np.ndarray, *, hermitian: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(L and the blocks of D in the lower triangle; exchanges, a negative pair for a block of two;
    info), read from the lower triangle.
    """
    n = a.shape[-1]
    packed = np.array(np.tril(a), order="C")
    pivots = np.zeros(a.shape[:-1], np.int32)
    info = np.zeros(a.shape[:-2], np.int32)
    for i in np.ndindex(a.shape[:-2]):
        info[i] = _bunch_kaufman(packed[i], pivots[i], n, hermitian)
    return packed, pivots, info


def _bunch_kaufman(a: np.ndarray, pivots: np.ndarray, n: int, hermitian: bool) -> int:
    alpha, k, info = (1 + math.sqrt(17)) / 8, 0, 0

    def conj(x: np.ndarray) -> np.ndarray:
        return x.conj() if hermitian else x

    while k < n:
        column = size1(a[k + 1 :, k])
        most = float(column.max(initial=0))
        here = float(size1(a[k, k]))
        step, p = 1, k
        if max(here, most) == 0:
            info = info or k + 1
            pivots[k] = k + 1
            k += 1
            continue
        if here < alpha * most:
            r = k + 1 + int(column.argmax())
            row = max(
                float(size1(a[r, k:r]).max(initial=0)), float(size1(a[r + 1 :, r]).max(initial=0))
            )
            if here >= alpha * most * (most / row):
                p = k
            elif float(size1(a[r, r])) >= alpha * row:
                p = r
            else:
                p, step = r, 2
        q = k + step - 1
        if p != q:
            _exchange(a, q, p, k, step, conj)
        if step == 1:
            pivots[k] = p + 1
            v = a[k + 1 :, k].copy()
            a[k + 1 :, k + 1 :] -= np.tril(np.outer(v, conj(v)) / a[k, k])
            a[k + 1 :, k] = v / a[k, k]
        else:
            pivots[k] = pivots[k + 1] = -(p + 1)
            d = np.array([[a[k, k], conj(a[k + 1, k])], [a[k + 1, k], a[k + 1, k + 1]]])
            w = a[k + 2 :, k : k + 2].copy()
            made = np.linalg.solve(d.T, w.T).T
            a[k + 2 :, k + 2 :] -= np.tril(made @ conj(w).T)
            a[k + 2 :, k : k + 2] = made
        k += step
    return info


def _exchange(a: np.ndarray, q: int, p: int, k: int, step: int, conj: Callable[..., Any]) -> None:
    """Rows and columns q < p of the lower triangle that is not yet eliminated."""
    below = a[p + 1 :, q].copy()
    a[p + 1 :, q] = a[p + 1 :, p]
    a[p + 1 :, p] = below
    between = a[q + 1 : p, q].copy()
    a[q + 1 : p, q] = conj(a[p, q + 1 : p])
    a[p, q + 1 : p] = conj(between)
    a[p, q] = conj(a[p, q])
    a[q, q], a[p, p] = a[p, p], a[q, q]
    if step == 2:
        a[k + 1, k], a[p, k] = a[p, k], a[k + 1, k]


def ldl_solve(
    packed: np.ndarray, pivots: np.ndarray, b: np.ndarray, *, hermitian: bool
) -> np.ndarray:
    """X with L D Lᵀ X = B (Lᴴ if hermitian), from what `ldl` gave."""
    lead = np.broadcast_shapes(packed.shape[:-2], b.shape[:-2])
    x = np.array(np.broadcast_to(b, lead + b.shape[-2:]), order="C")
    packed = np.broadcast_to(packed, lead + packed.shape[-2:])
    pivots = np.broadcast_to(pivots, lead + pivots.shape[-1:])
    for i in np.ndindex(lead):
        _ldl_solve(packed[i], pivots[i], x[i], hermitian)
    return x


def _ldl_solve(a: np.ndarray, pivots: np.ndarray, x: np.ndarray, hermitian: bool) -> None:
    n, k, blocks = len(pivots), 0, []
    while k < n:
        step = 1 if pivots[k] > 0 else 2
        q, p = k + step - 1, abs(int(pivots[k])) - 1
        blocks.append((k, step, q, p))
        if p != q:
            x[[q, p]] = x[[p, q]]
        inner = np.s_[k : k + step]
        x[k + step :] -= a[k + step :, inner] @ x[inner]
        d = a[inner, inner].copy()
        if step == 2:
            d[0, 1] = d[1, 0].conj() if hermitian else d[1, 0]
            x[inner] = np.linalg.solve(d, x[inner])
        else:
            x[k] /= d[0, 0].real if hermitian else d[0, 0]
        k += step
    for k, step, q, p in reversed(blocks):
        inner = np.s_[k : k + step]
        low = a[k + step :, inner].T
        x[inner] -= (low.conj() if hermitian else low) @ x[k + step :]
        if p != q:
            x[[q, p]] = x[[p, q]]


# ------------------------------------------------------------------ the exponential

#: Numerator of the Padé approximation [13/13], and up to which norm it is exact in float64.
_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0,
    960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_THETA = 5.371920351148152


def expm(a: np.ndarray) -> np.ndarray:
    """e to the power A, in double precision, rounded once."""
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    x = a.astype(wide)
    if not x.size:
        return a
    norm = np.abs(x).sum(-2).max(-1)
    with np.errstate(all="ignore"):
        times = np.ceil(np.log2(np.maximum(norm, 1e-300) / _THETA))
    times = np.where(np.isfinite(times), np.clip(times, 0, 1100), 0).astype(np.int64)
    x = x * np.exp2(-times.astype(np.float64))[..., None, None]
    eye = np.eye(x.shape[-1], dtype=wide)
    b, x2 = _PADE, x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    u = x @ (
        x6 @ (b[13] * x6 + b[11] * x4 + b[9] * x2) + b[7] * x6 + b[5] * x4 + b[3] * x2 + b[1] * eye
    )
    v = x6 @ (b[12] * x6 + b[10] * x4 + b[8] * x2) + b[6] * x6 + b[4] * x4 + b[2] * x2 + b[0] * eye
    out = solve(v - u, v + u)[0]
    for t in range(int(times.max(initial=0))):
        out = np.where((times > t)[..., None, None], out @ out, out)
    return out.astype(a.dtype)
