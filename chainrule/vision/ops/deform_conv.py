"""Convolution whose kernel reads where it is told (Dai et al., arXiv:1703.06211, 1811.11168)."""

from __future__ import annotations

import math

from chainrule import nn
from chainrule.nn import init
from chainrule.tensor import Parameter, Tensor
from chainrule.tensor.creation import arange, empty
from chainrule.vision.ops._sampling import in_zeros
from chainrule.vision.ops.misc import tuple_of


def deform_conv2d(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = (1, 1),
    padding: int | tuple[int, int] = (0, 0),
    dilation: int | tuple[int, int] = (1, 1),
    mask: Tensor | None = None,
) -> Tensor:
    """A convolution that reads each of its h · w places moved by `offset`, times `mask`.

    input (N, C, H, W); weight (O, C / groups, h, w); offset (N, 2 · g · h · w, H', W'): down and
    right, for each of g groups of channels; mask (N, g · h · w, H', W') → (N, O, H', W').
    Between pixels it is bilinear; outside there are zeros. RuntimeError where the offsets do not
    fit.
    """
    n, channels, height, width = input.shape
    out_channels, _, kh, kw = weight.shape
    groups, moves = channels // weight.shape[1], offset.shape[1] // (2 * kh * kw)
    if moves == 0:
        raise RuntimeError(
            "the shape of the offset tensor at dimension 1 is not valid. It should be a multiple "
            f"of 2 * weight.size[2] * weight.size[3].\nGot offset.shape[1]={offset.shape[1]}, "
            f"while 2 * weight.size[2] * weight.size[3]={2 * kh * kw}"
        )
    steps, pads, wide = (tuple_of(v, 2) for v in (stride, padding, dilation))
    sizes = zip((height, width), (kh, kw), steps, pads, wide, strict=True)
    oh, ow = ((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, s, p, d in sizes)
    if offset.shape != (n, 2 * moves * kh * kw, oh, ow):
        raise RuntimeError(
            f"offset should be {(n, 2 * moves * kh * kw, oh, ow)} for this output, but is "
            f"{tuple(offset.shape)}"
        )
    moved = offset.reshape(n, moves, kh, kw, 2, oh, ow)
    y = _regular(kh, oh, steps[0], pads[0], wide[0])[:, None, :, None] + moved[:, :, :, :, 0]
    x = _regular(kw, ow, steps[1], pads[1], wide[1])[None, :, None, :] + moved[:, :, :, :, 1]
    near_y, near_x = in_zeros(y, height), in_zeros(x, width)  # each (N, g, h, w, H', W')
    scale = 1.0 if mask is None else mask.reshape(n, moves, kh, kw, oh, ow)
    flat = input.reshape(n * moves, channels // moves, height * width)
    columns: Tensor | None = None
    for iy, wy in zip(*near_y, strict=True):
        for ix, wx in zip(*near_x, strict=True):
            index = (iy * width + ix).reshape(n * moves, 1, -1)
            values = flat.gather(2, index.expand(-1, flat.shape[1], -1))
            part = values * (wy * wx * scale).reshape(n * moves, 1, -1)
            columns = part if columns is None else columns + part
    assert columns is not None  # there are four neighbours
    per_group = channels // groups * kh * kw
    columns = columns.reshape(n, groups, per_group, oh * ow)
    kernel = weight.reshape(groups, out_channels // groups, per_group)
    result = (kernel @ columns).reshape(n, out_channels, oh, ow)
    return result if bias is None else result + bias[:, None, None]


def _regular(k: int, out: int, stride: int, padding: int, dilation: int) -> Tensor:
    """Where a plain convolution reads: (k, out)."""
    return arange(k)[:, None] * dilation + arange(out) * stride - padding


class DeformConv2d(nn.Module):
    """`deform_conv2d` with weights of its own; `layer(input, offset, mask=None)`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = tuple_of(kernel_size, 2)
        self.stride = tuple_of(stride, 2)
        self.padding = tuple_of(padding, 2)
        self.dilation = tuple_of(dilation, 2)
        self.groups = groups
        self.weight = Parameter(empty(out_channels, in_channels // groups, *self.kernel_size))
        self.bias: Parameter | None
        if bias:
            self.bias = Parameter(empty(out_channels))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The initial values of a Conv2d."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
        return deform_conv2d(
            input, offset, self.weight, self.bias, self.stride, self.padding, self.dilation, mask
        )

    def __repr__(self) -> str:
        shown = [
            f"{self.in_channels}, {self.out_channels}",
            f"kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        usual = {"padding": (0, 0), "dilation": (1, 1), "groups": 1}
        shown += [f"{k}={getattr(self, k)}" for k, v in usual.items() if getattr(self, k) != v]
        if self.bias is None:
            shown.append("bias=False")
        return f"{self.__class__.__name__}({', '.join(shown)})"
