"""`torch.nn.attention.bias`: causal masks by name."""

from __future__ import annotations

from chainrule import dtypes, names
from chainrule.tensor import Tensor
from chainrule.tensor import functions as f
from chainrule.tensor.creation import ones

__getattr__ = names.later(__name__)


def causal_upper_left(*size: int) -> Tensor:
    """A boolean mask (Q, K): query i may look at keys 0 … i."""
    if len(size) != 2:
        raise RuntimeError("causal_upper_left only supports 2D tensors")
    return f.tril(ones(size, dtype=dtypes.bool_))


def causal_lower_right(*size: int) -> Tensor:
    """A boolean mask (Q, K): the last query may look at all keys, each before it at one less."""
    if len(size) != 2:
        raise RuntimeError("causal_lower_right only supports 2D tensors")
    return f.tril(ones(size, dtype=dtypes.bool_), size[1] - size[0])
