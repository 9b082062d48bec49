"""What is asked of matrices, and what is said when it is not so, in PyTorch's words."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import dtypes, ops
from chainrule.errors import DtypeError, LinAlgError, ShapeError
from chainrule.tensor import Tensor, levels
from chainrule.tensor.record import apply

_NAMES = {
    "bool": "Bool", "uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int",
    "int64": "Long", "float16": "Half", "bfloat16": "BFloat16", "float32": "Float",
    "float64": "Double", "complex64": "ComplexFloat", "complex128": "ComplexDouble",
}  # fmt: skip


def scalar_name(t: Tensor) -> str:
    """The element type as PyTorch's messages name it."""
    return _NAMES.get(t._dtype.name, t._dtype.name)


def floats(x: Tensor, name: str, low: bool = False) -> None:
    """Floating point or complex numbers; halves only if `low`."""
    if not x._dtype.is_differentiable:
        raise DtypeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {scalar_name(x)}"
        )
    if not low and x._dtype in (dtypes.float16, dtypes.bfloat16):
        raise DtypeError(f"{name}: Low precision dtypes not supported. Got {scalar_name(x)}")


def matrix(x: Tensor, name: str, what: str = "A") -> Tensor:
    """A stack of matrices of floats."""
    if x.ndim < 2:
        raise ShapeError(f"{name}: The input tensor {what} must have at least 2 dimensions.")
    floats(x, name)
    return x


def square(x: Tensor, name: str, what: str = "A") -> Tensor:
    """A stack of square matrices of floats."""
    if x.ndim < 2:
        raise ShapeError(f"{name}: The input tensor {what} must have at least 2 dimensions.")
    if x._shape[-1] != x._shape[-2]:
        raise ShapeError(
            f"{name}: {what} must be batches of square matrices, but they are {x._shape[-2]} by "
            f"{x._shape[-1]} matrices"
        )
    floats(x, name)
    return x


def same_type(a: Tensor, b: Tensor, name: str) -> None:
    """Both in one element type."""
    if a._dtype is not b._dtype:
        raise DtypeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type "
            f"{scalar_name(a)} and B of type {scalar_name(b)} instead"
        )


def fits(a: Tensor, b: Tensor, name: str, left: bool = True) -> None:
    """A X = B (or X A = B) has shapes that fit."""
    if a._shape[-2] != b._shape[-2 if left else -1]:
        raise ShapeError(
            f"{name}: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({a._shape[-2]}x{a._shape[-1]} and "
            f"{b._shape[-2]}x{b._shape[-1]})"
        )


def succeeded(info: Tensor, name: str, what: str, error: type[Exception] = LinAlgError) -> None:
    """Raise unless `info` is 0 everywhere (a look). `what` may name the {info} of the first that
    failed.
    """
    codes = levels.every_sample(info.detach())._concrete()
    if not codes.any():
        return
    i = int(np.flatnonzero(codes)[0])
    where = f"(Batch element {i}): " if codes.ndim else ""
    raise error(f"{name}: {where}{what.format(info=int(codes.reshape(-1)[i]))}")


def adjoint(x: Tensor) -> Tensor:
    """Xᴴ"""
    return apply(ops.linalg.matrices.adjoint, x)


def one_triangle(x: Tensor, upper: bool) -> Tensor:
    """x, with the value that its lower (or upper) triangle stands for: the other one mirrors it.
    Gradients go to all of x, as in PyTorch.
    """
    return apply(_mirrored, x, upper=upper)


def _mirrored(x: Any, *, upper: bool) -> Any:
    m = ops.linalg.matrices
    other = m.adjoint(x)
    still = m.lower(other if upper else x) + m.upper(x if upper else other, 1)
    if x.dtype.is_complex:  # the diagonal of a Hermitian matrix is real
        still = (still + m.adjoint(still)) * 0.5
    return ops.passing_to(still, x)
