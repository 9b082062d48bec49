"""Complex numbers: made of parts, and taken apart."""

from __future__ import annotations

import math

from chainrule import dtypes, ops
from chainrule.errors import DtypeError
from chainrule.tensor.functions.pointwise import cos, isnan, sign, sin, to_dtype, where
from chainrule.tensor.handle import Tensor
from chainrule.tensor.record import apply, recast


def _parts(a: Tensor, b: Tensor, what: str) -> None:
    for t in (a, b):
        if not t._dtype.is_floating_point:
            raise DtypeError(
                "Expected both inputs to be Half, Float or Double tensors but got "
                f"{a._dtype} and {b._dtype}"
            )
    if a._dtype is not b._dtype:
        raise DtypeError(
            f"Expected object of scalar type {a._dtype} but got scalar type {b._dtype} for second "
            f"argument of {what}()"
        )


def complex(real: Tensor, imag: Tensor) -> Tensor:
    """real + i · imag: complex64 of float32, complex128 of float64.

    >>> import chainrule as torch
    >>> torch.complex(torch.tensor([1.0, 2.0]), torch.tensor([3.0, -4.0]))
    tensor([1.+3.j, 2.-4.j])
    """
    _parts(real, imag, "complex")
    out: Tensor = apply(ops.complex, real, imag)
    return out


def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """abs · e^(i · angle)"""
    _parts(abs, angle, "polar")
    return complex(abs * cos(angle), abs * sin(angle))


def view_as_real(input: Tensor) -> Tensor:
    """Real and imaginary parts along a new last axis of size 2; a view."""
    if not input._dtype.is_complex:
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return recast(input, ops.view_as_real, input._dtype.to_real())


def view_as_complex(input: Tensor) -> Tensor:
    """A last axis of size 2 as real and imaginary part; a view."""
    if not input._dtype.is_floating_point:
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a "
            f"tensor of scalar type: {input._dtype}"
        )
    if not input.ndim:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if input._shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if input._dtype.itemsize < 4:  # there is no complex type of this size: no view
        out: Tensor = apply(ops.view_as_complex, input)
        return out
    return recast(input, ops.view_as_complex, input._dtype.to_complex())


def real(input: Tensor) -> Tensor:
    """The real part, a view; of real numbers, the tensor itself."""
    if not input._dtype.is_complex:
        return input
    return recast(input, ops.real, input._dtype.to_real())


def imag(input: Tensor) -> Tensor:
    """The imaginary part, a view; of complex numbers only."""
    if not input._dtype.is_complex:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return recast(input, ops.imag, input._dtype.to_real())


def conj(input: Tensor) -> Tensor:
    """a − ib for a + ib; of real numbers, the tensor itself."""
    if not input._dtype.is_complex:
        return input
    out: Tensor = apply(ops.conj, input)
    return out


conj_physical = conj


def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: `conj` computes at once."""
    return input


resolve_neg = resolve_conj


def is_complex(input: Tensor) -> bool:
    """Whether the dtype is complex64 or complex128."""
    return input._dtype.is_complex


def is_conj(input: Tensor) -> bool:
    """Whether `conj` waits to be done: never, here."""
    return False


is_neg = is_conj


def isreal(input: Tensor) -> Tensor:
    """Where the imaginary part is 0; true everywhere for real numbers."""
    if input._dtype.is_complex:
        return imag(input) == 0
    return apply(ops.eq, input, input) | isnan(input)


def angle(input: Tensor) -> Tensor:
    """The angle with the positive axis, in (−π, π]; of real numbers π for x < 0, else 0."""
    if input._dtype.is_complex:
        out: Tensor = apply(ops.angle, input)
        return out
    x = input if input._dtype.is_floating_point else to_dtype(input, dtypes.get_default_dtype())
    return where(isnan(x), x, where(x < 0, math.pi, 0.0))


def sgn(input: Tensor) -> Tensor:
    """x / |x|, 0 at 0; of real numbers the sign."""
    if not input._dtype.is_complex:
        return sign(input)
    out: Tensor = apply(ops.sgn, input)
    return out
