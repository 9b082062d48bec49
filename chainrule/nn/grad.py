"""`torch.nn.grad`: the gradients of a convolution, each by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule import names
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, enable_grad
from chainrule.tensor import backward as engine
from chainrule.tensor.creation import zeros

__getattr__ = names.later(__name__)


def _of_input(convolution: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def conv_input(
        input_size: Sequence[int], weight: Tensor, grad_output: Tensor, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        """The gradient of the input, of shape `input_size`."""
        x = zeros(tuple(input_size), dtype=weight.dtype).requires_grad_()
        with enable_grad():
            y = convolution(x, weight.detach(), None, stride, padding, dilation, groups)
        return _gradient(y, x, grad_output)

    return conv_input


def _of_weight(convolution: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def conv_weight(
        input: Tensor, weight_size: Sequence[int], grad_output: Tensor, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        """The gradient of the weight, of shape `weight_size`."""
        w = zeros(tuple(weight_size), dtype=input.dtype).requires_grad_()
        with enable_grad():
            y = convolution(input.detach(), w, None, stride, padding, dilation, groups)
        return _gradient(y, w, grad_output)

    return conv_weight


def _gradient(y: Tensor, x: Tensor, grad_output: Tensor) -> Tensor:
    engine.backward([y], [grad_output], None, False, [x])
    assert x.grad is not None
    return x.grad


conv1d_input, conv1d_weight = _of_input(F.conv1d), _of_weight(F.conv1d)
conv2d_input, conv2d_weight = _of_input(F.conv2d), _of_weight(F.conv2d)
conv3d_input, conv3d_weight = _of_input(F.conv3d), _of_weight(F.conv3d)
