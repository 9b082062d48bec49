"""Convolutions and their transposes, in one to three dimensions."""

from __future__ import annotations

import math
from typing import Any

from chainrule import shapes
from chainrule.dtypes import DType
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.functional.conv import same_padding
from chainrule.nn.modules.lazy import LazyModuleMixin
from chainrule.nn.modules.make import parameter
from chainrule.nn.modules.module import Module
from chainrule.nn.modules.simple import SPACE
from chainrule.nn.parameter import UninitializedParameter
from chainrule.tensor import Tensor


class _ConvNd(Module):
    """What they share. Abstract: subclasses say `rank`."""

    rank = 0
    transposed = False

    @property
    def _takes(self) -> dict[str, str]:
        return {"input": f"batch? channels=in_channels {SPACE[self.rank]}"}

    @property
    def _weighs(self) -> dict[str, str]:
        kernel = " ".join(f"kernel_{side}" for side in SPACE[self.rank].split())
        made = "out_channels per_group" if self.groups > 1 else "out_channels in_channels"
        return {"weight": f"{'in_channels out_channels' if self.transposed else made} {kernel}"}

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros", device: Any = None, dtype: DType | None = None,
        output_padding: Any = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ValueError(
                "padding_mode must be one of zeros, reflect, replicate, circular, but got "
                f"padding_mode='{padding_mode}'"
            )
        n = self.rank
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = shapes.ntuple(kernel_size, n, "kernel_size")
        self.stride, self.dilation = (
            shapes.ntuple(stride, n, "stride"),
            shapes.ntuple(dilation, n, "dilation"),
        )
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}"
                )
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        self.padding: Any = (
            padding if isinstance(padding, str) else shapes.ntuple(padding, n, "padding")
        )
        self.output_padding = shapes.ntuple(output_padding, n, "output_padding")
        self.padding_mode = padding_mode
        self.weight: Any = parameter(self._weight_shape(), dtype, device)
        self.register_parameter("bias", parameter((out_channels,), dtype) if bias else None)
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        a, b = (
            (self.in_channels, self.out_channels)
            if self.transposed
            else (self.out_channels, self.in_channels)
        )
        return (a, b // self.groups, *self.kernel_size)

    def reset_parameters(self) -> None:
        """PyTorch's default: U(−k, k), k = 1/√fan_in, for weight and bias."""
        if 0 in self.weight.shape:
            return
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = self.weight.shape[1] * math.prod(self.kernel_size)
            bound = 1 / math.sqrt(fan_in)
            init.uniform_(self.bias, -bound, bound)

    def _padded(self, x: Tensor) -> tuple[Tensor, Any]:
        """Padding modes other than zeros go before the convolution."""
        if self.padding_mode == "zeros":
            return x, self.padding
        if isinstance(self.padding, str):
            low, high = (
                same_padding(self.kernel_size, self.dilation)
                if self.padding == "same"
                else ((0,) * self.rank,) * 2
            )
        else:
            low = high = self.padding
        around = [p for pair in reversed(list(zip(low, high, strict=True))) for p in pair]
        return F.pad(x, around, mode=self.padding_mode), 0

    def extra_repr(self) -> str:
        s = f"{self.in_channels}, {self.out_channels}"
        s += f", kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * self.rank:
            s += f", padding={self.padding}"
        if self.dilation != (1,) * self.rank:
            s += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self.rank:
            s += f", output_padding={self.output_padding}"
        if self.groups != 1:
            s += f", groups={self.groups}"
        if self.bias is None:
            s += ", bias=False"
        return s if self.padding_mode == "zeros" else s + f", padding_mode={self.padding_mode}"


class _Conv(_ConvNd):
    """Abstract: cross-correlation. PyTorch's arguments, in order."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros", device: Any = None, dtype: DType | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        x, padding = self._padded(input)
        f = (F.conv1d, F.conv2d, F.conv3d)[self.rank - 1]
        return f(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """y[n, o, p] = b[o] + Σ_{c, k} w[o, c, k] x[n, c, p·stride + k·dilation − padding]."""

    rank = 1


class Conv2d(_Conv):
    """y[n, o] = b[o] + Σ_c w[o, c] ⋆ x[n, c], ⋆ the cross-correlation over the last two axes

    x (N, C, H, W) or (C, H, W) → y (N, O, H', W'),
    H' = ⌊(H + 2 padding − dilation (kernel − 1) − 1)/stride⌋ + 1; weight (O, C/groups, KH, KW) and
    bias (O) from U(−k, k), k = 1/√(C/groups · KH · KW). Settings are numbers or pairs; padding may
    be "same" (stride 1 keeps H, W) or "valid"; padding_mode "zeros", "reflect", "replicate",
    "circular"; groups split the channels of both sides. Raises RuntimeError for other channels or
    dtypes, ValueError for settings that cannot be.

    LeCun et al., "Gradient-based learning applied to document recognition" (1998).

    >>> import chainrule as torch
    >>> torch.nn.Conv2d(1, 32, kernel_size=3, padding=1)(torch.ones(2, 1, 28, 28)).shape
    torch.Size([2, 32, 28, 28])
    """

    rank = 2


class Conv3d(_Conv):
    """Cross-correlation over the last three axes of (N, C, D, H, W)."""

    rank = 3


class _ConvTranspose(_ConvNd):
    """Abstract: the transpose of a convolution. PyTorch's arguments, in order."""

    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, output_padding: Any = 0, groups: int = 1, bias: bool = True,
        dilation: Any = 1, padding_mode: str = "zeros", device: Any = None,
        dtype: DType | None = None,
    ) -> None:  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError(f"Only 'zeros' padding mode is supported for {type(self).__name__}")
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            output_padding,
        )

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        f = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self.rank - 1]
        return f(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )

    def _extra(self, x: Tensor, output_size: Any) -> tuple[int, ...]:
        """Output padding for a wanted size."""
        n = self.rank
        want = tuple(output_size)[-n:]
        least = [
            (m - 1) * s - 2 * p + d * (k - 1) + 1
            for m, s, p, d, k in zip(
                x.shape[-n:],
                self.stride,
                self.padding,
                self.dilation,
                self.kernel_size,
                strict=True,
            )
        ]
        extra = tuple(w - m for w, m in zip(want, least, strict=True))
        if any(not 0 <= e < s for e, s in zip(extra, self.stride, strict=True)):
            most = [m + s - 1 for m, s in zip(least, self.stride, strict=True)]
            raise ValueError(
                f"requested an output size of {list(want)}, but valid sizes range from {least} to "
                f"{most} (for an input of {list(x.shape[-n:])})"
            )
        return extra


class ConvTranspose1d(_ConvTranspose):
    """The transpose of Conv1d in its input: the gradient of Conv1d as a layer."""

    rank = 1


class ConvTranspose2d(_ConvTranspose):
    """The transpose of Conv2d: H' = (H − 1) stride − 2 padding + dilation (kernel − 1) + extra + 1

    extra is output_padding, or what reaches the `output_size` given to the call.

    >>> import chainrule as torch
    >>> torch.nn.ConvTranspose2d(4, 2, kernel_size=2, stride=2)(torch.ones(1, 4, 5, 5)).shape
    torch.Size([1, 2, 10, 10])
    """

    rank = 2


class ConvTranspose3d(_ConvTranspose):
    """The transpose of Conv3d in its input: the gradient of Conv3d as a layer."""

    rank = 3


class _LazyConv(LazyModuleMixin, _ConvNd):
    """Abstract: in_channels from the first input."""

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        dtype = kwargs.get("dtype")
        super().__init__(0, 0, kernel_size, *args, **kwargs)
        self.out_channels = out_channels
        self.weight = UninitializedParameter(dtype=dtype)
        if self._parameters["bias"] is not None:
            self.bias = UninitializedParameter(dtype=dtype)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *_: Any) -> None:
        self.in_channels = input.shape[input.ndim - self.rank - 1]
        if self.in_channels % self.groups:
            raise ValueError("in_channels must be divisible by groups")
        if not self.has_uninitialized_params():  # a state dict was loaded
            return
        self.weight.materialize(self._weight_shape())
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class LazyConv1d(_LazyConv, Conv1d):
    """Conv1d that takes in_channels from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """Conv2d that takes in_channels from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """Conv3d that takes in_channels from its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConv, ConvTranspose1d):
    """ConvTranspose1d that takes in_channels from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConv, ConvTranspose2d):
    """ConvTranspose2d that takes in_channels from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConv, ConvTranspose3d):
    """ConvTranspose3d that takes in_channels from its first input."""

    cls_to_become = ConvTranspose3d
