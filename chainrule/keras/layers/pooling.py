"""Pooling: maxima and averages over windows, or over all positions."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.arguments import to_tuple
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.convolution import back, channels_first, same_padding
from chainrule.keras.layers.input_spec import InputSpec
from chainrule.keras.registry import known
from chainrule.keras.settings import standardize_data_format
from chainrule.nn import functional as F
from chainrule.ops.pooling import max_pool, sum_pool
from chainrule.tensor import Tensor, fromdata
from chainrule.tensor.record import apply


class _Pooling(Layer):
    rank: ClassVar[int] = 2
    casts_integers = True
    builds_at_once = True

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = to_tuple(pool_size, self.rank, "pool_size")
        self.strides = (
            self.pool_size if strides is None else to_tuple(strides, self.rank, "strides")
        )
        self.padding = padding.lower()
        if self.padding not in ("valid", "same"):
            raise ValueError(
                "The `padding` argument must be one of 'valid', 'same'. "
                f"Received: padding={padding}"
            )
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _pads(self, x: Tensor) -> list[tuple[int, int]]:
        if self.padding == "valid":
            return [(0, 0)] * self.rank
        return [
            same_padding(int(n), k, s)
            for n, k, s in zip(x.shape[2:], self.pool_size, self.strides, strict=True)
        ]

    def call(self, inputs: Tensor) -> Tensor:
        return back(self._pool(channels_first(inputs, self.data_format)), self.data_format)

    def _pool(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _windows(self, x: Tensor, op: Any) -> Tensor:
        pads = self._pads(x)
        sizes = zip(x.shape[2:], pads, self.pool_size, strict=True)
        if any(a + int(n) + b < k for n, (a, b), k in sizes):
            raise ShapeError(
                "Computed output size would be zero or negative. "
                f"Layer {self.name!r} ({type(self).__name__}) has windows of {self.pool_size}, "
                f"which are larger than its input of shape {tuple(back(x, self.data_format).shape)}"
            )
        pooled: Tensor = apply(
            op,
            x,
            size=self.pool_size,
            stride=self.strides,
            low=tuple(before for before, _ in pads),
            high=tuple(after for _, after in pads),
            dilation=(1,) * self.rank,
        )
        return pooled


class _MaxPooling(_Pooling):
    def _pool(self, x: Tensor) -> Tensor:
        return self._windows(x, max_pool)


class _AveragePooling(_Pooling):
    def _pool(self, x: Tensor) -> Tensor:
        total = self._windows(x, sum_pool)
        pads = self._pads(x)
        if all(pad == (0, 0) for pad in pads):
            return total * (1.0 / math.prod(self.pool_size))
        # Where a window hangs over the edge the mean is over the elements inside.
        return total * self._inverse_counts(x, pads)

    def _inverse_counts(self, x: Tensor, pads: list[tuple[int, int]]) -> Tensor:
        factor = np.ones((), np.float64)
        for n, k, s, (before, after) in zip(
            x.shape[2:], self.pool_size, self.strides, pads, strict=True
        ):
            inside = np.pad(np.ones(int(n)), (before, after))
            starts = range(0, len(inside) - k + 1, s)
            counts = np.array([inside[i : i + k].sum() for i in starts])
            factor = factor[..., None] / counts
        return fromdata.from_owned(factor.astype(x.dtype.np))


@known
class MaxPooling1D(_MaxPooling):
    """yᵢ = maxₖ x_{i·stride + k}: (batch, n, c) → (batch, m, c)."""

    rank = 1


@known
class MaxPooling2D(_MaxPooling):
    """Largest value in windows over two axes.

    >>> import numpy as np
    >>> MaxPooling2D()(np.zeros((1, 28, 28, 3))).shape
    torch.Size([1, 14, 14, 3])
    """

    rank = 2


@known
class MaxPooling3D(_MaxPooling):
    """The largest element of each window of (batch, d, h, w, c): (batch, d′, h′, w′, c)."""

    rank = 3


@known
class AveragePooling1D(_AveragePooling):
    """yᵢ = Σₖ x_{i·stride + k} / size: (batch, n, c) → (batch, m, c)."""

    rank = 1


@known
class AveragePooling2D(_AveragePooling):
    """The mean of each window of (batch, h, w, c): (batch, h′, w′, c)."""

    rank = 2


@known
class AveragePooling3D(_AveragePooling):
    """The mean of each window of (batch, d, h, w, c): (batch, d′, h′, w′, c)."""

    rank = 3


class _Global(Layer):
    rank: ClassVar[int] = 2
    casts_integers = True
    builds_at_once = True

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _axes(self) -> tuple[int, ...]:
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))


class _GlobalMax(_Global):
    def call(self, inputs: Tensor) -> Tensor:
        return inputs.amax(self._axes, keepdim=self.keepdims)


class _GlobalAverage(_Global):
    def call(self, inputs: Tensor) -> Tensor:
        return inputs.mean(self._axes, keepdim=self.keepdims)


@known
class GlobalMaxPooling1D(_GlobalMax):
    """Largest value over the steps: (batch, n, c) → (batch, c)."""

    rank = 1


@known
class GlobalMaxPooling2D(_GlobalMax):
    """Largest value over the image: (batch, h, w, c) → (batch, c)."""

    rank = 2


@known
class GlobalMaxPooling3D(_GlobalMax):
    """Largest value over the volume: (batch, d, h, w, c) → (batch, c)."""

    rank = 3


@known
class GlobalAveragePooling1D(_Global):
    """Mean over the steps (those that the mask keeps): (batch, n, c) → (batch, c)."""

    rank = 1
    supports_masking = True

    def call(self, inputs: Tensor, mask: Any = None) -> Tensor:
        if mask is None:
            return inputs.mean(self._axes, keepdim=self.keepdims)
        axis = self._axes[0]
        weights = mask.to(inputs.dtype)
        weights = weights.unsqueeze(2 if axis == 1 else 1)
        total = (inputs * weights).sum(axis, keepdim=self.keepdims)
        return total / weights.sum(axis, keepdim=self.keepdims)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None


@known
class GlobalAveragePooling2D(_GlobalAverage):
    """Mean over the image: (batch, h, w, c) → (batch, c)."""

    rank = 2


@known
class GlobalAveragePooling3D(_GlobalAverage):
    """Mean over the volume: (batch, d, h, w, c) → (batch, c)."""

    rank = 3


class _Adaptive(Layer):
    """Even parts of each axis: as many as `output_size` says."""

    rank: ClassVar[int] = 2
    casts_integers = True
    builds_at_once = True

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        sizes = (output_size,) * self.rank if isinstance(output_size, int) else output_size
        if not isinstance(sizes, tuple | list) or len(sizes) != self.rank:
            raise TypeError(
                f"`output_size` must be an integer or a tuple of {self.rank} integers. "
                f"Received: {output_size} of type {type(output_size)}"
            )
        self.output_size = tuple(sizes)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Tensor) -> Tensor:
        x = channels_first(inputs, self.data_format)
        return back(self._parts(x), self.data_format)

    def _parts(self, x: Tensor) -> Tensor:
        raise NotImplementedError


@known
class AdaptiveAveragePooling1D(_Adaptive):
    """Means of `output_size` parts: (batch, n, c) → (batch, output_size, c)."""

    rank = 1

    def _parts(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(x, self.output_size)


@known
class AdaptiveAveragePooling2D(_Adaptive):
    """Means of parts of an image: (batch, h, w, c) → (batch, *output_size, c)."""

    def _parts(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, self.output_size)


@known
class AdaptiveAveragePooling3D(_Adaptive):
    """Means of parts of a volume: (batch, d, h, w, c) → (batch, *output_size, c)."""

    rank = 3

    def _parts(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool3d(x, self.output_size)


@known
class AdaptiveMaxPooling1D(_Adaptive):
    """Largest values of `output_size` parts: (batch, n, c) → (batch, output_size, c)."""

    rank = 1

    def _parts(self, x: Tensor) -> Tensor:
        largest: Tensor = F.adaptive_max_pool1d(x, self.output_size)
        return largest


@known
class AdaptiveMaxPooling2D(_Adaptive):
    """Largest values of parts of an image: (batch, h, w, c) → (batch, *output_size, c)."""

    def _parts(self, x: Tensor) -> Tensor:
        largest: Tensor = F.adaptive_max_pool2d(x, self.output_size)
        return largest


@known
class AdaptiveMaxPooling3D(_Adaptive):
    """Largest values of parts of a volume: (batch, d, h, w, c) → (batch, *output_size, c)."""

    rank = 3

    def _parts(self, x: Tensor) -> Tensor:
        largest: Tensor = F.adaptive_max_pool3d(x, self.output_size)
        return largest


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D = GlobalMaxPooling1D, GlobalMaxPooling2D
GlobalMaxPool3D, GlobalAvgPool3D = GlobalMaxPooling3D, GlobalAveragePooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
