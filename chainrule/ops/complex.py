"""Complex numbers: their parts, how they are made, and what depends on size and direction.

Gradients are PyTorch's: for a real loss L and z = a + ib, z̄ = ∂L/∂a + i ∂L/∂b, the direction of
steepest ascent. The rules here are written for that; those of analytic functions need no thought
(`Op.analytic`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.dtypes import FLOAT
from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.cost import nothing
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Domain, Op, conjugate, is_complex
from chainrule.ops.core import cast, const, elementwise_type, op, promote, zeros_like


def real_type(x: Node, **_: Any) -> TensorType:
    """The shape of x, and the type of its parts."""
    return TensorType(x.shape, x.dtype.to_real())


def _complex_only(x: Node) -> TensorType:
    if not is_complex(x):
        raise DtypeError(f"a complex tensor was expected, got {x.dtype}")
    return real_type(x)


# rows whose gradient names a row further down
complex: Op
imag: Op
view_as_complex: Op

# ------------------------------------------------------------------ parts, and views

_BOX = Domain((-3, 3), dtypes="complex")

conj = Op(
    "conj",
    infer=elementwise_type,
    reference=np.conjugate,
    gradient=lambda g, y, x: conjugate(g),
    flops=nothing,
    tex=r"\overline{{{0}}}",
    doc="a − ib for a + ib",
    domain=_BOX,
    elementwise=True,
    analytic=False,
    wide=False,
    torch="conj",
)
real = Op(
    "real",
    infer=_complex_only,
    reference=np.real,
    gradient=lambda g, y, x: cast(g, x.dtype),
    put=lambda base, v: complex(v, imag(base)),
    flops=nothing,
    tex=r"\operatorname{{Re}} {0}",
    doc="a of a + ib",
    domain=_BOX,
    elementwise=True,
    analytic=False,
    wide=False,
    torch="real",
)
imag = Op(
    "imag",
    infer=_complex_only,
    reference=np.imag,
    gradient=lambda g, y, x: cast(g, x.dtype) * const(1j, x.dtype),
    put=lambda base, v: complex(real(base), v),
    flops=nothing,
    tex=r"\operatorname{{Im}} {0}",
    doc="b of a + ib",
    domain=_BOX,
    elementwise=True,
    analytic=False,
    wide=False,
    torch="imag",
)


def _complex_type(a: Node, b: Node) -> TensorType:
    if a.dtype.category != FLOAT:
        raise DtypeError(f"complex() takes floating point numbers, got {a.dtype}")
    return TensorType(elementwise_type(a, b).shape, a.dtype.to_complex())


def _join(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out = np.empty(np.broadcast_shapes(a.shape, b.shape), np.result_type(a, np.complex64))
    out.real, out.imag = a, b
    return out


complex = Op(
    "complex",
    infer=_complex_type,
    reference=_join,
    gradient=lambda g, y, a, b: (real(g), imag(g)),
    prepare=promote,
    flops=nothing,
    tex="{0} + i {1}",
    doc="a + ib",
    domain=Domain((-3, 3), (-3, 3)),
    elementwise=True,
    analytic=False,
    torch="complex",
)


def _pairs_type(x: Node) -> TensorType:
    return TensorType((*x.shape, 2), _complex_only(x).dtype)


def _pairs(x: np.ndarray) -> np.ndarray:
    return x[..., None].view(x.real.dtype)


view_as_real = Op(
    "view_as_real",
    infer=_pairs_type,
    reference=_pairs,
    gradient=lambda g, y, x: view_as_complex(g),
    put=lambda base, v: view_as_complex(v),
    flops=nothing,
    tex=r"(\operatorname{{Re}} {0}, \operatorname{{Im}} {0})",
    doc="Real and imaginary part along a new last axis of size 2.",
    domain=Domain((-3, 3), dtypes="complex", cases=[((3, 4), {}), ((), {})]),
    analytic=False,
    wide=False,
    torch="view_as_real",
)


def _joined_type(x: Node) -> TensorType:
    if not x.shape or x.shape[-1] != 2:
        raise ShapeError(
            f"Tensor must have a last dimension of size 2 (real and imaginary part), got {x.shape}"
        )
    if x.dtype.category != FLOAT:
        raise DtypeError(f"view_as_complex takes floating point numbers, got {x.dtype}")
    return TensorType(x.shape[:-1], x.dtype.to_complex())


def _joined(x: np.ndarray) -> np.ndarray:
    if x.strides[-1] != x.itemsize:
        return _join(x[..., 0], x[..., 1])
    return x.view(np.result_type(x, np.complex64))[..., 0]


view_as_complex = Op(
    "view_as_complex",
    infer=_joined_type,
    reference=_joined,
    gradient=lambda g, y, x: view_as_real(g),
    put=lambda base, v: view_as_real(v),
    flops=nothing,
    tex="{0}_0 + i {0}_1",
    doc="A last axis of size 2 as real and imaginary part.",
    domain=Domain((-3, 3), cases=[((3, 4, 2), {}), ((2,), {})]),
    analytic=False,
    torch="view_as_complex",
)


def real_part(x: Node) -> Node:
    """Re x; a real number is its own."""
    return real(x) if is_complex(x) else x


def squared_size(x: Node) -> Node:
    """|x|², a real number."""
    return real(x * conjugate(x)) if is_complex(x) else x * x


# ------------------------------------------------------------------ size and direction


def _sgn(x: np.ndarray) -> np.ndarray:
    size = np.abs(x)
    return np.where(size == 0, x.dtype.type(0), x / np.where(size == 0, 1, size))


def _sgn_vjp(g: Node, y: Node, x: Node) -> Node:
    """What of ȳ is perpendicular to y, over |x|."""
    find = x.op.registry
    size = find["abs"](x)
    zero = find["eq"](size, 0)
    along = real(g * conjugate(y))
    return find["where"](zero, zeros_like(x), (g - along * y) / find["where"](zero, 1, size))


sgn = Op(
    "sgn",
    infer=elementwise_type,
    reference=_sgn,
    gradient=_sgn_vjp,
    tex=r"\frac{{{0}}}{{\lvert {0} \rvert}}",
    doc="x / |x| of complex numbers, 0 at 0",
    domain=Domain((0.2, 3), dtypes="complex"),
    elementwise=True,
    analytic=False,
    torch="sgn",
)


@op(
    tex=r"\arg {0}",
    elementwise=True,
    analytic=False,
    domain=Domain((0.3, 3), dtypes="complex"),
    torch="angle",
)
def angle(x: Node) -> Node:
    """The angle of a complex number with the positive axis, in (−π, π]; derivative 0 at 0."""
    return x.op.registry["atan2"](imag(x), real(x))


@angle.vjp
def _(g: Node, y: Node, x: Node) -> Node:
    where, eq = x.op.registry["where"], x.op.registry["eq"]
    square = squared_size(x)
    zero = eq(square, 0)
    return where(zero, zeros_like(x), x * (g / where(zero, 1, square)) * const(1j, x.dtype))
