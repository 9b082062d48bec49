"""`torch.utils.dlpack`: tensors of other libraries without a copy."""

from __future__ import annotations

from typing import Any

from chainrule import names
from chainrule.tensor import Tensor
from chainrule.tensor.creation import from_dlpack

__all__ = ["from_dlpack", "to_dlpack"]

__getattr__ = names.later(__name__)


def to_dlpack(tensor: Tensor) -> Any:
    """A capsule of the tensor's memory."""
    return tensor.__dlpack__()
