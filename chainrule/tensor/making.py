"""What all that make tensors share."""

from __future__ import annotations

from typing import Any

from chainrule import devices
from chainrule.dtypes import DType
from chainrule.errors import ShapeError
from chainrule.tensor.handle import Size, Tensor
from chainrule.tensor.trace import flush_if_due, state


def finished(t: Tensor, requires_grad: bool, device: Any = None) -> Tensor:
    """What a maker gives: checked, and asking for gradients if that was wanted."""
    devices.check(device)
    flush_if_due(state.trace)
    return t.requires_grad_() if requires_grad else t


def sizes_of(size: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape from numbers, or from one sequence of them. Raises TypeError, ShapeError."""
    if len(size) == 1 and isinstance(size[0], (tuple, list, Size)):
        size = tuple(size[0])
    for n in size:
        if isinstance(n, float):
            raise TypeError(
                "argument 'size' (position 1) must be tuple of ints, but found element of type "
                f"float: {n}"
            )
    out = tuple(int(n) for n in size)
    if any(n < 0 for n in out):
        raise ShapeError(f"Trying to create tensor with negative dimension: {list(out)}")
    return out


def type_like(t: Tensor, dtype: DType | None) -> DType:
    return dtype or t._dtype
