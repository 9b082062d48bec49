"""Special functions under the names that `torch` itself and its tensors have for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule import ops, return_types
from chainrule.ir.node import Node
from chainrule.ops import special_functions as rows
from chainrule.tensor.functions import clone, copy_into
from chainrule.tensor.handle import Tensor
from chainrule.tensor.record import apply


def i0(input: Tensor) -> Tensor:
    """I₀(x), the modified Bessel function of order 0"""
    return apply(rows.i0, input)


def igamma(input: Tensor, other: Tensor) -> Tensor:
    """P(a, x), the lower incomplete gamma function over Γ(a)"""
    return apply(rows.gammainc, input, other)


def igammac(input: Tensor, other: Tensor) -> Tensor:
    """Q(a, x) = 1 − P(a, x)"""
    return apply(rows.gammaincc, input, other)


def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The number after a towards b"""
    return apply(rows.nextafter, input, other)


def frexp(input: Tensor) -> Any:
    """(mantissa, exponent): x = m · 2ᵉ with ½ ≤ |m| < 1"""
    if not input._dtype.is_floating_point:
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    return return_types.frexp(apply(rows.frexp, input))


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor of the same shape and type, with one value everywhere."""
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(
            "fill only supports 0-dimension value tensor but got tensor with "
            f"{value.ndim} dimensions"
        )
    return copy_into(clone(input), value)


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """`value` around the last axes: (left, right, top, bottom, …), the last axis first; negative
    numbers cut off.
    """
    p = [int(n) for n in pad]
    if len(p) % 2:
        raise RuntimeError(f"Length of pad must be even but instead it equals {len(p)}")
    if len(p) > 2 * input.ndim:
        raise RuntimeError(
            "Length of pad should be no more than twice the number of dimensions of the input. Pad "
            f"length is {len(p)} while the input has {input.ndim} dimensions."
        )
    rest = [0] * (input.ndim - len(p) // 2)
    low, high = (*rest, *p[-2::-2]), (*rest, *p[-1::-2])
    if any(n + a + b < 0 for n, a, b in zip(input._shape, low, high, strict=True)):
        raise RuntimeError(
            f"The input size {list(input._shape)}, plus negative padding {p}, resulted in a "
            "negative output size, which is invalid."
        )
    return apply(_padded, input, low=low, high=high, value=value)


def _padded(x: Node, *, low: tuple[int, ...], high: tuple[int, ...], value: float) -> Node:
    for axis, (a, b) in enumerate(zip(low, high, strict=True)):
        cut = x.shape[axis] + min(a, 0) + min(b, 0)
        x = ops.movement.narrow(x, axis, max(-a, 0), cut)
    more = [tuple(max(n, 0) for n in side) for side in (low, high)]
    made: Node = ops.pad(x, low=more[0], high=more[1], value=value)
    return made


def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """In place, to the shape of another."""
    out: Tensor = input.resize_(tuple(the_template._shape))
    return out
