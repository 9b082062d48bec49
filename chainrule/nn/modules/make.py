"""What the layers share when they make their parameters."""

from __future__ import annotations

from typing import Any

from chainrule import devices
from chainrule.dtypes import DType
from chainrule.nn.parameter import Parameter
from chainrule.tensor.creation import empty


def parameter(shape: tuple[int, ...], dtype: DType | None = None, device: Any = None) -> Parameter:
    """A parameter without values yet: `reset_parameters` of the layer gives them."""
    devices.check(device)
    return Parameter(empty(shape, dtype=dtype))
