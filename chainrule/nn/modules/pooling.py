"""Pooling layers."""

from __future__ import annotations

import re
from typing import Any

from chainrule.nn import functional as F
from chainrule.nn.modules.module import Module
from chainrule.nn.modules.simple import SPACE, FunctionLayer, layer
from chainrule.tensor import Tensor


def _pooled(layer: Any) -> dict[str, str]:
    rank = re.search(r"(\d)d$", type(layer).__name__)
    return {"input": f"batch? channels {SPACE[int(rank[1])]}"} if rank else {}


class _Max(FunctionLayer):
    """Abstract: stride is the window's size unless given."""

    stride: Any

    @property
    def _takes(self) -> dict[str, str]:
        return _pooled(self)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.stride is None:
            self.stride = self.kernel_size

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class _Avg(_Max):
    """Abstract."""

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _Avg1d(_Max):
    """Abstract: PyTorch stores tuples here, and prints them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("kernel_size", "stride", "padding"):
            value = getattr(self, name)
            setattr(self, name, value if isinstance(value, tuple) else (value,))

    extra_repr = _Avg.extra_repr


class _Lp(FunctionLayer):
    """Abstract."""

    @property
    def _takes(self) -> dict[str, str]:
        return _pooled(self)

    def extra_repr(self) -> str:
        windows = f"kernel_size={self.kernel_size}, stride={self.stride}"
        return f"norm_type={self.norm_type}, {windows}, ceil_mode={self.ceil_mode}"


class _Adaptive(FunctionLayer):
    """Abstract."""

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


_MAX_2D = """The largest element of each window of (N, C, H, W) or (C, H, W)

y[n, c, i, j] = max over u, v of x[n, c, i · stride + u · dilation, j · stride + v · dilation], with
−∞ as padding; H' = ⌊(H + 2 padding − dilation (kernel − 1) − 1)/stride⌋ + 1, rounded up with
ceil_mode; stride is kernel_size unless given. The gradient goes to the first of equal elements.
return_indices adds where they are, in the flattened image, for MaxUnpool2d. Raises RuntimeError
for windows larger than the padded image.

>>> import chainrule as torch
>>> torch.nn.MaxPool2d(2)(torch.arange(16.0).reshape(1, 1, 4, 4))
tensor([[[[ 5.,  7.],
          [13., 15.]]]])
"""
_MAX = "kernel_size stride padding dilation return_indices ceil_mode"
_AVG = "kernel_size stride padding ceil_mode count_include_pad"


def _row(name: str, function: Any, settings: str, base: Any, doc: str) -> Any:
    return layer(name, function, settings, base=base, doc=doc, module=__name__)


MaxPool1d = _row(
    "MaxPool1d", F.max_pool1d, _MAX, _Max, "The largest element of each window of (N, C, L)"
)
MaxPool2d = _row("MaxPool2d", F.max_pool2d, _MAX, _Max, _MAX_2D)
MaxPool3d = _row(
    "MaxPool3d", F.max_pool3d, _MAX, _Max, "The largest element of each window of (N, C, D, H, W)"
)
AvgPool1d = _row("AvgPool1d", F.avg_pool1d, _AVG, _Avg1d, "The mean of each window of (N, C, L)")
AvgPool2d = _row(
    "AvgPool2d", F.avg_pool2d, _AVG + " divisor_override", _Avg,
    "The mean of each window of (N, C, H, W)",
)  # fmt: skip
AvgPool3d = _row(
    "AvgPool3d", F.avg_pool3d, _AVG + " divisor_override", _Avg,
    "The mean of each window of (N, C, D, H, W)",
)  # fmt: skip
LPPool1d = _row(
    "LPPool1d", F.lp_pool1d, "norm_type kernel_size stride ceil_mode", _Lp,
    "(Σ xᵖ)^(1/p) of each window",
)  # fmt: skip
LPPool2d = _row(
    "LPPool2d", F.lp_pool2d, "norm_type kernel_size stride ceil_mode", _Lp,
    "(Σ xᵖ)^(1/p) of each window",
)  # fmt: skip
LPPool3d = _row(
    "LPPool3d", F.lp_pool3d, "norm_type kernel_size stride ceil_mode", _Lp,
    "(Σ xᵖ)^(1/p) of each window",
)  # fmt: skip
AdaptiveAvgPool1d = _row(
    "AdaptiveAvgPool1d", F.adaptive_avg_pool1d, "output_size", _Adaptive,
    "Means of so many even parts",
)  # fmt: skip
AdaptiveAvgPool2d = _row(
    "AdaptiveAvgPool2d", F.adaptive_avg_pool2d, "output_size", _Adaptive,
    "Means of so many even parts of each axis",
)  # fmt: skip
AdaptiveAvgPool3d = _row(
    "AdaptiveAvgPool3d", F.adaptive_avg_pool3d, "output_size", _Adaptive,
    "Means of so many even parts of each axis",
)  # fmt: skip
_ADAPTIVE_MAX = "output_size return_indices"
AdaptiveMaxPool1d = _row(
    "AdaptiveMaxPool1d", F.adaptive_max_pool1d, _ADAPTIVE_MAX, _Adaptive,
    "Largest elements of even parts",
)  # fmt: skip
AdaptiveMaxPool2d = _row(
    "AdaptiveMaxPool2d", F.adaptive_max_pool2d, _ADAPTIVE_MAX, _Adaptive,
    "Largest elements of even parts of each axis",
)  # fmt: skip
AdaptiveMaxPool3d = _row(
    "AdaptiveMaxPool3d", F.adaptive_max_pool3d, _ADAPTIVE_MAX, _Adaptive,
    "Largest elements of even parts of each axis",
)  # fmt: skip


class _FractionalMaxPool(Module):
    """Abstract: subclasses say `rank`."""

    rank = 0

    def __init__(
        self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Tensor | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        n = self.rank
        if (output_size is None) == (output_ratio is None):
            raise ValueError(
                f"{type(self).__name__} requires specifying either an output size, or a pooling "
                "ratio, and only one of them"
            )
        self.kernel_size, self.return_indices = _each(kernel_size, n), return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else _each(output_size, n)
        self.output_ratio = None if output_ratio is None else _each(output_ratio, n)
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        f = F.fractional_max_pool2d if self.rank == 2 else F.fractional_max_pool3d
        return f(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
        )


def _each(value: Any, n: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * n


class FractionalMaxPool2d(_FractionalMaxPool):
    """Largest elements of windows at random places (Graham 2014), of (N, C, H, W)."""

    rank = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """Largest elements of windows at random places (Graham 2014), of (N, C, D, H, W)."""

    rank = 3


class _MaxUnpool(Module):
    """Maxima back to their places. Abstract: subclasses say `rank`."""

    rank = 0

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        n = self.rank
        self.kernel_size = kernel_size if isinstance(kernel_size, tuple) else (kernel_size,) * n
        self.stride = (
            self.kernel_size
            if stride is None
            else (stride if isinstance(stride, tuple) else (stride,) * n)
        )
        self.padding = padding if isinstance(padding, tuple) else (padding,) * n

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        f = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)[self.rank - 1]
        return f(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Maxima of MaxPool1d back to their places, zeros elsewhere."""

    rank = 1


class MaxUnpool2d(_MaxUnpool):
    """Maxima of MaxPool2d back to their places, zeros elsewhere."""

    rank = 2


class MaxUnpool3d(_MaxUnpool):
    """Maxima of MaxPool3d back to their places, zeros elsewhere."""

    rank = 3
