"""What the gradients of matrix functions are spelled with, and where these are sampled."""

from __future__ import annotations

from typing import Any

from chainrule import dtypes
from chainrule.dtypes import DType
from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Domain
from chainrule.ops.contract import matmul
from chainrule.ops.core import full_like, promote_float, zeros_like
from chainrule.ops.elementwise import eq, where
from chainrule.ops.index import take_along
from chainrule.ops.movement import broadcast_to, diagonal, expand_dims, iota, swap, triangle
from chainrule.ops.reduce import argsort

Cotangents = dict[int, Node]
_TYPES = (dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128)


class Matrices(Domain):
    """A domain of matrices that every factorisation takes: diagonally dominant, with values that
    are far apart. Half types have no linear algebra.

    phases  complex matrices are sampled as well; not where the phases of vectors are anybody's
    choice
    """

    def __init__(
        self, *shapes: Any, order: int = 2, over: tuple[Any, ...] = ("matrix",), phases: bool = True
    ) -> None:
        self.phases = phases
        super().__init__(*over, dtypes="float complex", order=order, cases=shapes)

    @property
    def types(self) -> tuple[DType, ...]:
        return _TYPES if self.phases else _TYPES[:2]


def matrices(*args: Node, **attrs: Any) -> tuple[tuple[Node, ...], dict[str, Any]]:
    """Arguments of two axes at least, in one element type of single precision or more."""
    nodes, _ = promote_float(*args)
    for x in nodes:
        if x.dtype not in _TYPES:
            raise DtypeError(f"linear algebra takes float32 or float64, got {x.dtype}")
        if x.ndim < 2:
            raise ShapeError(f"a matrix has two axes at least, got shape {x.shape}")
    return nodes, attrs


def square(*args: Node, **attrs: Any) -> tuple[tuple[Node, ...], dict[str, Any]]:
    """As `matrices`; the first is square."""
    nodes, _ = matrices(*args)
    if nodes[0].shape[-1] != nodes[0].shape[-2]:
        raise ShapeError(f"A must be batches of square matrices, got shape {nodes[0].shape}")
    return nodes, attrs


def like(x: Node, *last: int) -> TensorType:
    """The type of a stack of matrices (or vectors) of another size."""
    return TensorType((*x.shape[:-2], *last), x.dtype)


def real(x: Node, *last: int) -> TensorType:
    """As `like`, with real numbers."""
    return TensorType((*x.shape[:-2], *last), x.dtype.to_real())


def whole(x: Node, *last: int) -> TensorType:
    """As `like`, with 32-bit integers."""
    return TensorType((*x.shape[:-2], *last), dtypes.int32)


def conj(x: Node) -> Node:
    """The conjugate; a real number is its own."""
    return x.op.registry["conj"](x) if x.dtype.is_complex else x


def adjoint(x: Node) -> Node:
    """Xᴴ"""
    return conj(swap(x, -2, -1))


def mm(*xs: Node) -> Node:
    """A product of several, from the left."""
    out = xs[0]
    for x in xs[1:]:
        out = matmul(out, x)
    return out


def column(x: Node) -> Node:
    """A vector as factors of rows."""
    return expand_dims(x, -1)


def row(x: Node) -> Node:
    """A vector as factors of columns."""
    return expand_dims(x, x.ndim - 1)


def lower(x: Node, k: int = 0) -> Node:
    """What stands on and below a diagonal."""
    m, n = x.shape[-2:]
    return where(triangle(m, n, k), x, zeros_like(x))


def upper(x: Node, k: int = 0) -> Node:
    """What stands on and above a diagonal."""
    m, n = x.shape[-2:]
    return where(triangle(m, n, k - 1), zeros_like(x), x)


def eye_like(x: Node) -> Node:
    """1 on the diagonal of matrices of this shape."""
    return where(on_diagonal(*x.shape[-2:]), full_like(x, 1), zeros_like(x))


def on_diagonal(m: int, n: int) -> Node:
    """bool[m, n]"""
    i = expand_dims(iota(length=m, dtype=dtypes.int64), 1)
    return eq(i, expand_dims(iota(length=n, dtype=dtypes.int64), 0))


def spread(v: Node) -> Node:
    """A vector on the diagonal of a square matrix."""
    n = v.shape[-1]
    wide = broadcast_to(column(v), shape=(*v.shape, n))
    return where(on_diagonal(n, n), wide, zeros_like(wide))


def off_diagonal(x: Node, y: Node) -> Node:
    """x / y beside the diagonal, 0 on it."""
    on = on_diagonal(*x.shape[-2:])
    return where(on, zeros_like(x), x / where(on, 1, y))


def halved_diagonal(x: Node) -> Node:
    """x with half of its diagonal."""
    return where(on_diagonal(*x.shape[-2:]), x * 0.5, x)


def pick_rows(x: Node, order: Node) -> Node:
    """Row `order[i]` of x as row i."""
    lead = order.shape[:-1]
    x = x if x.shape[:-2] == lead else broadcast_to(x, shape=lead + x.shape[-2:])
    wide = broadcast_to(column(order), shape=(*order.shape, x.shape[-1]))
    return take_along(x, wide, axis=x.ndim - 2)


def inverse(order: Node) -> Node:
    """The permutation that undoes one."""
    return argsort(order, axis=-1, descending=False)


def diag(x: Node) -> Node:
    """The main diagonal."""
    return diagonal(x, offset=0)


def given(g: Cotangents, index: int, like: Node) -> Node:
    """A cotangent, or 0 where none came."""
    return g[index] if index in g else zeros_like(like)
