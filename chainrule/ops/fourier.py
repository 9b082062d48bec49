"""Discrete Fourier transforms, over several axes at once.

    fourier             complex → complex     y_k = c Σ_j exp(∓ 2πi jk/n) x_j
    fourier_to_complex  real → complex        the same sum (−), of which the last axis keeps
                                              k = 0 … ⌊n/2⌋: the others are their conjugates
    fourier_to_real     complex → real        its inverse (+): the half that is missing is added

c is 1, 1/√n or 1/n for `scale` 0, 1, 2, where n counts the elements of all transformed axes. The
adjoint of a transform is the transform with the other sign, so the gradients are transforms again.

The reference is NumPy's pocketfft (Reinecke and Seljebotn), which keeps single precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import shapes
from chainrule.dtypes import FLOAT
from chainrule.errors import DtypeError
from chainrule.ir.cost import transform
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Domain, is_complex
from chainrule.ops.complex import real
from chainrule.ops.core import const, primitive
from chainrule.ops.movement import iota, pad, reshape

Axes = tuple[int, ...]

#: NumPy's names for c, by (forward, scale).
_NORM: dict[tuple[bool, int], Any] = {
    (True, 0): "backward", (True, 1): "ortho", (True, 2): "forward",
    (False, 0): "forward", (False, 1): "ortho", (False, 2): "backward",
}  # fmt: skip


def _axes(x: Node, *, axis: Any, **rest: Any) -> Any:
    """The axes as they were given: the last one is halved."""
    return (x,), {"axis": tuple(shapes.axis(a, x.ndim) for a in axis), **rest}


def _same(x: Node, *, axis: Axes, forward: bool, scale: int) -> TensorType:
    if not is_complex(x):
        raise DtypeError(f"a complex tensor was expected, got {x.dtype}")
    return TensorType(x.shape, x.dtype)


@primitive(
    _same,
    flops=transform,
    tex=r"\mathcal{{F}}{over}({0})",
    analytic=False,
    domain=Domain((-3, 3), dtypes="complex", cases=[
        ((5,), {"axis": (0,), "forward": True, "scale": 0}),
        ((2, 3, 4), {"axis": (0, 2), "forward": False, "scale": 1}),
        ((3, 4), {"axis": (1,), "forward": False, "scale": 2}),
    ]),
)  # fmt: skip
def fourier(x: np.ndarray, *, axis: Axes, forward: bool, scale: int) -> np.ndarray:
    """c Σ_j exp(∓ 2πi jk/n) x_j: complex to complex, − forward and + backward."""
    f = np.fft.fftn if forward else np.fft.ifftn
    return f(x, axes=axis, norm=_NORM[forward, scale])


@fourier.vjp
def _(g: Node, y: Node, x: Node, *, axis: Axes, forward: bool, scale: int) -> Node:
    return fourier(g, axis=axis, forward=not forward, scale=scale)


def _halved(x: Node, *, axis: Axes, scale: int) -> TensorType:
    if x.dtype.category != FLOAT:
        raise DtypeError(f"a real floating point tensor was expected, got {x.dtype}")
    last = axis[-1]
    return TensorType(
        (*x.shape[:last], x.shape[last] // 2 + 1, *x.shape[last + 1 :]), x.dtype.to_complex()
    )


_HALF_CASES = [
    ((6,), {"axis": (0,), "scale": 0}),
    ((2, 3, 5), {"axis": (0, 2), "scale": 1}),
    ((4, 3), {"axis": (1, 0), "scale": 2}),
]


@primitive(
    _halved,
    flops=transform,
    tex=r"\mathcal{{F}}^{{\mathbb{{R}}}}{over}({0})",
    analytic=False,
    domain=Domain((-3, 3), cases=_HALF_CASES),
)
def fourier_to_complex(x: np.ndarray, *, axis: Axes, scale: int) -> np.ndarray:
    """c Σ_j exp(−2πi jk/n) x_j of real numbers, for k ≤ n/2 on the last of the axes."""
    return np.fft.rfftn(x, axes=axis, norm=_NORM[True, scale])


@fourier_to_complex.vjp
def _(g: Node, y: Node, x: Node, *, axis: Axes, scale: int) -> Node:
    last = axis[-1]
    more = tuple(x.shape[last] - g.shape[last] if a == last else 0 for a in range(x.ndim))
    whole = pad(g, low=(0,) * x.ndim, high=more, value=0.0)
    return real(fourier(whole, axis=axis, forward=False, scale=scale))


def _doubled(x: Node, *, axis: Axes, n: int, scale: int) -> TensorType:
    if not is_complex(x):
        raise DtypeError(f"a complex tensor was expected, got {x.dtype}")
    last = axis[-1]
    return TensorType((*x.shape[:last], n, *x.shape[last + 1 :]), x.dtype.to_real())


@primitive(
    _doubled,
    flops=transform,
    tex=r"\mathcal{{F}}^{{\mathbb{{R}},-1}}{over}({0})",
    analytic=False,
    domain=Domain((-3, 3), dtypes="complex", cases=[
        ((4,), {"axis": (0,), "n": 6, "scale": 2}),
        ((2, 3, 3), {"axis": (0, 2), "n": 5, "scale": 1}),
        ((3, 2), {"axis": (1, 0), "n": 4, "scale": 0}),
    ]),
)  # fmt: skip
def fourier_to_real(x: np.ndarray, *, axis: Axes, n: int, scale: int) -> np.ndarray:
    """The real numbers (n on the last of the axes) whose `fourier_to_complex` is x. Imaginary parts
    that real numbers do not have, at k = 0 and n/2, are not looked at.
    """
    sizes = [*(x.shape[a] for a in axis[:-1]), n]
    return np.fft.irfftn(x, sizes, axes=axis, norm=_NORM[False, scale])


@fourier_to_real.vjp
def _(g: Node, y: Node, x: Node, *, axis: Axes, n: int, scale: int) -> Node:
    half = fourier_to_complex(g, axis=axis, scale=scale)
    last, d = axis[-1], g.dtype
    k = iota(length=half.shape[last], dtype=d)
    where, eq = x.op.registry["where"], x.op.registry["eq"]
    once = eq(k, 0) | eq(k * 2, n)  # all others stand for their conjugate as well
    times = where(once, const(1.0, d), const(2.0, d))
    along = tuple(m if a == last else 1 for a, m in enumerate(half.shape))
    return half * reshape(times, shape=along)


for _op in (fourier, fourier_to_complex, fourier_to_real):
    _op.prepare = _axes
