"""`tf.linalg`."""

from __future__ import annotations

from typing import Any

from chainrule import dtypes
from chainrule import linalg as L
from chainrule.names import later
from chainrule.tensor import creation
from chainrule.tensor import functions as T
from chainrule.tensorflow.arrays import einsum, eye, matmul, norm, tensordot
from chainrule.tensorflow.convert import floating, pair, symbolic, tensor
from chainrule.tensorflow.math import l2_normalize


@symbolic
def matvec(
    a: Any, b: Any, transpose_a: bool = False, adjoint_a: bool = False, a_is_sparse: bool = False,
    b_is_sparse: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """A matrix times a vector."""
    x, y = pair(a, b)
    return ((x.transpose(-1, -2) if transpose_a or adjoint_a else x) @ y.unsqueeze(-1)).squeeze(-1)


@symbolic
def matrix_transpose(a: Any, name: str | None = None, conjugate: bool = False) -> Any:
    """The last two axes exchanged."""
    return tensor(a).transpose(-1, -2)


@symbolic
def adjoint(matrix: Any, name: str | None = None) -> Any:
    """The conjugate, with the last two axes exchanged."""
    return T.conj(tensor(matrix)).transpose(-1, -2)


@symbolic
def inv(input: Any, adjoint: bool = False, name: str | None = None) -> Any:
    """A⁻¹."""
    x = floating(input)
    return L.inv(x.transpose(-1, -2) if adjoint else x)


@symbolic
def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Any:
    """The pseudo-inverse."""
    return L.pinv(floating(a))


@symbolic
def det(input: Any, name: str | None = None) -> Any:
    """The determinant."""
    return L.det(floating(input))


@symbolic
def slogdet(input: Any, name: str | None = None) -> Any:
    """Sign and logarithm of the determinant."""
    return tuple(L.slogdet(floating(input)))


@symbolic
def logdet(matrix: Any, name: str | None = None) -> Any:
    """The logarithm of a positive determinant."""
    return tuple(L.slogdet(floating(matrix)))[1]


@symbolic
def cholesky(input: Any, name: str | None = None) -> Any:
    """The lower L with A = L Lᵀ."""
    return L.cholesky(floating(input))


@symbolic
def solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Any:
    """The x of A x = b."""
    a, b = pair(matrix, rhs)
    return L.solve(a.transpose(-1, -2) if adjoint else a, b)


@symbolic
def triangular_solve(
    matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Any:
    """The x of A x = b for a triangular A."""
    a, b = pair(matrix, rhs)
    if adjoint:
        return L.solve_triangular(a.transpose(-1, -2), b, upper=lower)
    return L.solve_triangular(a, b, upper=not lower)


@symbolic
def lstsq(
    matrix: Any, rhs: Any, l2_regularizer: float = 0.0, fast: bool = True, name: str | None = None
) -> Any:
    """The x with the smallest |A x - b|² + l2 |x|²."""
    a, b = pair(matrix, rhs)
    at = a.transpose(-1, -2)
    return L.solve(at @ a + l2_regularizer * creation.eye(int(a.shape[-1]), dtype=a.dtype), at @ b)


@symbolic
def svd(
    tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None
) -> Any:
    """s, U, V with A = U diag(s) Vᵀ."""
    x = floating(tensor)
    if not compute_uv:
        return L.svdvals(x)
    u, s, vh = L.svd(x, full_matrices)
    return s, u, vh.transpose(-1, -2)


@symbolic
def qr(input: Any, full_matrices: bool = False, name: str | None = None) -> Any:
    """Q, R with A = Q R."""
    return tuple(L.qr(floating(input), "complete" if full_matrices else "reduced"))


@symbolic
def eigh(tensor: Any, name: str | None = None) -> Any:
    """Eigenvalues and vectors of a symmetric matrix."""
    return tuple(L.eigh(floating(tensor)))


@symbolic
def eigvalsh(tensor: Any, name: str | None = None) -> Any:
    """Eigenvalues of a symmetric matrix."""
    return L.eigvalsh(floating(tensor))


@symbolic
def expm(input: Any, name: str | None = None) -> Any:
    """e to the power of a matrix."""
    return L.matrix_exp(floating(input))


@symbolic
def trace(x: Any, name: str | None = None) -> Any:
    """The sum of the diagonal."""
    return T.diagonal(tensor(x), dim1=-2, dim2=-1).sum(-1)


@symbolic
def diag(
    diagonal: Any,
    name: str = "diag",
    k: int = 0,
    num_rows: int = -1,
    num_cols: int = -1,
    padding_value: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Any:
    """Matrices with these diagonals."""
    return T.diag_embed(tensor(diagonal), k)


@symbolic
def diag_part(
    input: Any,
    name: str = "diag_part",
    k: int = 0,
    padding_value: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Any:
    """The diagonals of matrices."""
    return T.diagonal(tensor(input), k, -2, -1)


tensor_diag, tensor_diag_part = diag, diag_part


@symbolic
def set_diag(
    input: Any, diagonal: Any, name: str = "set_diag", k: int = 0, align: str = "RIGHT_LEFT"
) -> Any:
    """Matrices with other diagonals."""
    x = tensor(input)
    eye_ = creation.eye(int(x.shape[-2]), int(x.shape[-1]), dtype=dtypes.bool_)
    return T.where(eye_, T.diag_embed(tensor(diagonal)), x)


@symbolic
def band_part(input: Any, num_lower: Any, num_upper: Any, name: str | None = None) -> Any:
    """Zero outside a band around the diagonal; negative: all on that side is kept."""
    x = tensor(input)
    x = T.tril(x, int(num_upper)) if int(num_upper) >= 0 else x
    return T.triu(x, -int(num_lower)) if int(num_lower) >= 0 else x


@symbolic
def cross(a: Any, b: Any, name: str | None = None) -> Any:
    """The vector product."""
    return L.cross(*pair(a, b))


@symbolic
def normalize(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None
) -> Any:
    """x / |x|, and |x|."""
    length = norm(tensor, ord, axis, True)
    return floating(tensor) / length, length


@symbolic
def matrix_rank(
    a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None
) -> Any:
    """How many directions a matrix reaches."""
    return L.matrix_rank(floating(a), tol=tol).to(dtypes.int32)


__getattr__ = later(__name__)
__all__ = ["einsum", "eye", "l2_normalize", "matmul", "norm", "tensordot"]
