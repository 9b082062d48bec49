"""`keras.ops`: products, and `keras.ops.linalg`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule import dtypes, func
from chainrule import linalg as L
from chainrule.keras.arrays import to_tensor
from chainrule.keras.ops.promotion import as_real, together
from chainrule.keras.symbolic import KerasTensor, function
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T

_BOOL = dtypes.bool_


def _product(f: Callable[..., Any], *xs: Any) -> Any:
    """f of operands in one type; products of truth values are counted, and looked at again."""
    parts = together(*xs)
    if parts[0].dtype is _BOOL:
        return f(*(p.to(dtypes.int32) for p in parts)).to(_BOOL)
    return f(*parts)


@function
def matmul(x1: Any, x2: Any) -> Any:
    """The matrix product."""
    a, b = to_tensor(x1), to_tensor(x2)
    if a.dtype is b.dtype and a.dtype.is_floating_point:
        return a @ b
    if a.dtype is b.dtype is dtypes.int8:  # sums of bytes need more
        a, b = a.to(dtypes.int32), b.to(dtypes.int32)
    return _product(lambda p, q: p @ q, a, b)


@function
def dot(x1: Any, x2: Any) -> Any:
    """NumPy's dot: the last axis of x1 with the second to last of x2."""

    def of(a: Any, b: Any) -> Any:
        if a.ndim == 0 or b.ndim == 0:
            return a * b
        return a @ b if b.ndim <= 2 else T.tensordot(a, b, ([a.ndim - 1], [b.ndim - 2]))

    return _product(of, x1, x2)


@function
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Sums of products over the given axes."""
    if isinstance(axes, int):
        where = axes
    else:
        where = tuple([n] if isinstance(n, int) else list(n) for n in axes)  # type: ignore[assignment]
    return _product(lambda a, b: T.tensordot(a, b, where), x1, x2)


def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Any:
    """Sums of products by Einstein's convention."""
    if kwargs.keys() - {"optimize"}:
        raise TypeError(f"einsum() got unexpected arguments {sorted(kwargs)}")
    return _einsum(list(operands), subscripts=subscripts)


@function
def _einsum(operands: Any, subscripts: str) -> Any:
    return _product(lambda *parts: T.einsum(subscripts, *parts), *operands)


@function
def outer(x1: Any, x2: Any) -> Any:
    """x1ᵢ x2ⱼ."""
    return _product(lambda a, b: a.reshape(-1, 1) * b.reshape(1, -1), x1, x2)


@function
def inner(x1: Any, x2: Any) -> Any:
    """Sums of products over the last axes."""

    def of(a: Any, b: Any) -> Any:
        if a.ndim == 0 or b.ndim == 0:
            return a * b
        return T.tensordot(a, b, ([a.ndim - 1], [b.ndim - 1]))

    return _product(of, x1, x2)


@function
def vdot(x1: Any, x2: Any) -> Any:
    """The sum of products of all elements (the first ones' conjugates)."""

    def of(a: Any, b: Any) -> Any:
        a = T.conj(a) if a.dtype.is_complex else a
        return (a.reshape(-1) * b.reshape(-1)).sum().to(a.dtype)

    return _product(of, x1, x2)


@function
def kron(x1: Any, x2: Any) -> Any:
    """Every element of x1 times x2."""
    return _product(T.kron, x1, x2)


@function
def cross(
    x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None
) -> Any:
    """The vector product, of vectors of 2 or 3 numbers."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = together(x1, x2)
    a, b = a.movedim(axisa, -1), b.movedim(axisb, -1)
    n, m = int(a.shape[-1]), int(b.shape[-1])
    if n not in (2, 3) or m not in (2, 3):
        raise ValueError(f"cross takes vectors of 2 or 3 numbers, got {n} and {m}")
    zero = creation.zeros_like(a[..., 0] * b[..., 0])
    u = [a[..., i] if i < n else zero for i in range(3)]
    v = [b[..., i] if i < m else zero for i in range(3)]
    z = u[0] * v[1] - u[1] * v[0]
    if n == m == 2:
        return z
    out = T.stack([u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], z], -1)
    return out.movedim(-1, axisc)


@function
def corrcoef(x: Any) -> Any:
    """How far rows go together: covariances divided by standard deviations."""
    return T.corrcoef(as_real(x))


@function
def correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    """Sums of products of two rows, one moved along the other."""
    a, b = (as_real(x) for x in together(x1, x2))
    n, m = int(a.shape[0]), int(b.shape[0])
    flipped = n < m and mode == "valid"
    if flipped:
        a, b, n, m = b, a, m, n
    wide = T.cat([creation.zeros(m - 1, dtype=a.dtype), a, creation.zeros(m - 1, dtype=a.dtype)])
    full = wide.unfold(0, m, 1) @ b
    if mode == "full":
        return full
    if mode == "valid":
        out = full[m - 1 : n]
        return T.flip(out, (0,)) if flipped else out
    longest = max(n, m)
    start = (n + m - 1 - longest) // 2 if n >= m else (n + m - 1 - longest + 1) // 2
    return full[start : start + longest]


@function
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """Powers of each number, in a row."""
    x = to_tensor(x)
    powers = list(range(int(x.shape[0]) if N is None else N))
    columns = [x**p if p else creation.ones_like(x) for p in powers]
    return T.stack(columns if increasing else columns[::-1], -1)


# Matrices -----------------------------------------------------------------------------------------


def _square(x: Tensor) -> Tensor:
    if x.ndim < 2:
        raise ValueError(
            f"Expected input to have rank >= 2. Received input with shape {tuple(x.shape)}."
        )
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(
            f"Expected a square matrix. Received non-square input with shape {tuple(x.shape)}"
        )
    return x


@function
def cholesky(x: Any, upper: bool = False) -> Any:
    """The triangular L with A = L Lᵀ (upper: A = Lᵀ L)."""
    return L.cholesky(_square(as_real(x)), upper=upper)


@function
def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """A⁻¹ out of the factor that `cholesky` gave."""
    t = _square(as_real(x))
    inverse = L.inv(t)
    back = inverse.transpose(-1, -2)
    return inverse @ back if upper else back @ inverse


@function
def det(x: Any) -> Any:
    """The determinant."""
    return L.det(_square(as_real(x)))


@function
def eig(x: Any) -> Any:
    """Eigenvalues and vectors."""
    return tuple(L.eig(_square(as_real(x))))


@function
def eigh(x: Any) -> Any:
    """Eigenvalues and vectors of a symmetric matrix."""
    return tuple(L.eigh(_square(as_real(x))))


@function
def inv(x: Any) -> Any:
    """A⁻¹."""
    return L.inv(_square(as_real(x)))


@function
def lu_factor(x: Any) -> Any:
    """Triangular factors in one matrix, and the rows that changed places."""
    t = as_real(x)
    if t.ndim < 2:
        raise ValueError(
            f"Expected input to have rank >= 2. Received input with shape {tuple(t.shape)}."
        )
    lu, pivots = L.lu_factor(t)
    return lu, pivots - 1


@function
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The length of vectors, or the size of matrices."""
    t = as_real(x)
    if isinstance(axis, list):
        axis = tuple(axis)
    if axis is None and ord is None:
        flat = tuple(range(t.ndim))
        return T.sqrt((t * t).sum(flat, keepdim=keepdims))
    if axis is None:
        axis = tuple(range(t.ndim))
    n = 1 if isinstance(axis, int) else len(axis)
    if n > 2:
        raise ValueError(f"Improper number of dimensions to norm: axis={axis}")
    if isinstance(ord, str) and (n == 1 or ord not in ("fro", "nuc")):
        raise ValueError(
            f"Invalid `ord` argument {ord!r} for {'vector' if n == 1 else 'matrix'} norm. "
            f"Received: ord={ord}"
        )
    if n == 1 and not isinstance(axis, int):
        axis = axis[0]
    if n == 1:
        return L.vector_norm(t, 2 if ord is None else ord, dim=axis, keepdim=keepdims)
    if ord is None or ord == "fro":
        return T.sqrt((t * t).sum(axis, keepdim=keepdims))
    return L.matrix_norm(t, ord, dim=axis, keepdim=keepdims)


@function
def qr(x: Any, mode: str = "reduced") -> Any:
    """Q, R with A = Q R."""
    if mode not in ("reduced", "complete"):
        raise ValueError(
            "`mode` argument value not supported. Expected one of "
            f"{{'reduced', 'complete'}}. Received: mode={mode}"
        )
    t = as_real(x)
    if t.ndim < 2:
        raise ValueError(
            f"Expected input to have rank >= 2. Received input with shape {tuple(t.shape)}."
        )
    return tuple(L.qr(t, mode))


def _fits(a: Tensor, b: Tensor) -> None:
    if b.ndim == a.ndim - 1:
        fits = a.shape[-1] == b.shape[-1]
    elif b.ndim == a.ndim:
        fits = a.shape[-1] == b.shape[-2]
    else:
        raise ValueError(
            f"Incompatible shapes between `a` {tuple(a.shape)} and `b` {tuple(b.shape)}"
        )
    if not fits:
        raise ValueError(
            f"Incompatible shapes between `a` {tuple(a.shape)} and `b` {tuple(b.shape)}"
        )


@function
def solve(a: Any, b: Any) -> Any:
    """The x of A x = b."""
    p, q = (as_real(t) for t in together(a, b))
    _fits(_square(p), q)
    if q.ndim == p.ndim - 1:
        return L.solve(p, q.unsqueeze(-1)).squeeze(-1)
    return L.solve(p, q)


@function
def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """The x of A x = b for a triangular A."""
    p, q = (as_real(t) for t in together(a, b))
    _fits(_square(p), q)
    if q.ndim == p.ndim - 1:
        return L.solve_triangular(p, q.unsqueeze(-1), upper=not lower).squeeze(-1)
    return L.solve_triangular(p, q, upper=not lower)


@function
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """U, s, Vᵀ with A = U diag(s) Vᵀ (or s alone)."""
    t = as_real(x)
    if t.ndim < 2:
        raise ValueError(
            f"Expected input to have rank >= 2. Received input with shape {tuple(t.shape)}."
        )
    return tuple(L.svd(t, full_matrices)) if compute_uv else L.svdvals(t)


@function
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """The smallest x with the smallest |A x - b|²."""
    p, q = (as_real(t) for t in together(a, b))
    if p.ndim != 2:
        raise ValueError(f"Expected a to have rank 2. Received: a.shape={tuple(p.shape)}")
    if p.shape[0] != q.shape[0]:
        raise ValueError("Leading dimensions of input arrays must match")
    if isinstance(a, KerasTensor):
        return p.transpose(-1, -2) @ q
    return L.pinv(p, rtol=rcond) @ q


@function
def pinv(x: Any, rcond: Any = None) -> Any:
    """The pseudo-inverse."""
    return L.pinv(as_real(x), rtol=rcond)


@function
def matrix_rank(x: Any, tol: Any = None) -> Any:
    """How many directions a matrix reaches."""
    return L.matrix_rank(as_real(x), tol=tol).to(dtypes.int32)


@function
def slogdet(x: Any) -> Any:
    """Sign and logarithm of the determinant."""
    return tuple(L.slogdet(as_real(x)))


@function
def logdet(x: Any) -> Any:
    """The logarithm of a positive determinant."""
    return tuple(L.slogdet(as_real(x)))[1]


def jvp(fun: Any, primals: Any, tangents: Any, has_aux: bool = False) -> Any:
    """f(x), and its derivative in the direction of the tangents."""
    xs, vs = (tuple(to_tensor(t) for t in part) for part in (primals, tangents))
    return func.jvp(fun, xs, vs, has_aux=has_aux)
