"""The front: what the user holds. `Tensor` and PyTorch's functions over it.

`trace` what is recorded and when it is computed · `handle` the tensor · `record` from a call to a
node · `mutate` writing in place · `backward` gradients · `creation indexing functions methods
printing` PyTorch's names.
"""

from chainrule.tensor.gradmode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from chainrule.tensor.guard import nan_guard
from chainrule.tensor.handle import Parameter, Size, Tensor
from chainrule.tensor.hooks import RemovableHandle
from chainrule.tensor.methods import attach
from chainrule.tensor.trace import flush

attach()

__all__ = [
    "Parameter", "RemovableHandle", "Size", "Tensor", "enable_grad", "flush", "inference_mode",
    "is_grad_enabled", "is_inference_mode_enabled", "nan_guard", "no_grad", "set_grad_enabled",
]  # fmt: skip
