"""`torch.utils.dlpack`: tensors of other libraries without a copy."""

from __future__ import annotations

from typing import Any

from chainrule import names
from chainrule.tensor import Tensor, creation

__all__ = ["from_dlpack", "to_dlpack"]

__getattr__ = names.later(__name__)


def to_dlpack(tensor: Tensor) -> Any:
    """A capsule of the tensor's memory."""
    return tensor.__dlpack__()


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of another library's array."""
    made: Tensor = creation.from_dlpack(ext_tensor)
    return made.clone() if copy else made
