"""Layers that move, repeat, cut or pad, and compute nothing."""

from __future__ import annotations

import math
from typing import Any

from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.convolution import back, channels_first, pad_flat, to_tuple
from chainrule.keras.layers.core import check_rank
from chainrule.keras.registry import known
from chainrule.keras.settings import standardize_data_format
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T


@known
class Flatten(Layer):
    """All axes but the batch as one: (batch, h, w, c) → (batch, h·w·c)."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)

    def call(self, inputs: Tensor) -> Tensor:
        if inputs.ndim > 2 and self.data_format == "channels_first":
            inputs = inputs.permute(0, *range(2, inputs.ndim), 1)
        return inputs.reshape(inputs.shape[0], math.prod(int(n) for n in inputs.shape[1:]))


@known
class Reshape(Layer):
    """Another shape for the same elements; one size may be -1."""

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = (
            (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        )
        if sum(n == -1 for n in self.target_shape) > 1:
            raise ValueError(f"target_shape may leave one size open, got {self.target_shape}")

    def call(self, inputs: Tensor) -> Tensor:
        have = math.prod(int(n) for n in inputs.shape[1:])
        fixed = math.prod(n for n in self.target_shape if n != -1)
        fits = have == fixed if -1 not in self.target_shape else fixed and have % fixed == 0
        if not fits:
            raise ShapeError(
                f"layer {self.name!r} (Reshape) cannot give an input of shape "
                f"{tuple(inputs.shape)} the target shape {self.target_shape}: "
                f"{have} elements per example do not fit"
            )
        return inputs.reshape(inputs.shape[0], *self.target_shape)


@known
class Permute(Layer):
    """Axes in another order; the batch is axis 0 and stays, the others count from 1."""

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"dims must be the numbers from 1, each once; got {self.dims}")

    def call(self, inputs: Tensor) -> Tensor:
        if inputs.ndim != len(self.dims) + 1:
            raise ShapeError(
                f"layer {self.name!r} (Permute) orders {len(self.dims)} axes, got an input of "
                f"shape {tuple(inputs.shape)}"
            )
        return inputs.permute(0, *self.dims)


@known
class RepeatVector(Layer):
    """(batch, c) → (batch, n, c)."""

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int):
            raise TypeError(f"n must be a whole number, got {n!r}")
        self.n = n

    def call(self, inputs: Tensor) -> Tensor:
        check_rank(self, tuple(inputs.shape), 2, "(batch, features)")
        return inputs.unsqueeze(1).expand(inputs.shape[0], self.n, inputs.shape[1])


def _pairs(value: Any, rank: int) -> list[tuple[int, int]]:
    """(before, after) for each axis from 1, (1, 2) or ((1, 1), (2, 2))."""
    if isinstance(value, int):
        return [(value, value)] * rank
    if rank == 1 and len(value) == 2 and all(isinstance(v, int) for v in value):
        return [(int(value[0]), int(value[1]))]
    if len(value) != rank:
        raise ValueError(f"give a number, {rank} numbers or {rank} pairs, got {value!r}")
    return [(v, v) if isinstance(v, int) else (int(v[0]), int(v[1])) for v in value]


class _Padding(Layer):
    rank = 2

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = _pairs(padding, self.rank)
        self.data_format = standardize_data_format(data_format)

    def call(self, inputs: Tensor) -> Tensor:
        x = channels_first(inputs, self.data_format)
        return back(F.pad(x, pad_flat(self.padding)), self.data_format)


@known
class ZeroPadding1D(_Padding):
    """Zeros before and after the steps."""

    rank = 1


@known
class ZeroPadding2D(_Padding):
    """Zeros around the image: a number, (rows, columns), or ((top, bottom), (left, right))."""


class _Cropping(_Padding):
    def __init__(self, cropping: Any = 0, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)
        self.cropping = self.padding

    def call(self, inputs: Tensor) -> Tensor:
        x = channels_first(inputs, self.data_format)
        return back(F.pad(x, pad_flat([(-a, -b) for a, b in self.cropping])), self.data_format)


@known
class Cropping1D(_Cropping):
    """Steps cut off at both ends."""

    rank = 1


@known
class Cropping2D(_Cropping):
    """Rows and columns cut off."""


@known
class UpSampling1D(Layer):
    """Each step `size` times."""

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = int(size)

    def call(self, inputs: Tensor) -> Tensor:
        return T.repeat_interleave(inputs, self.size, 1)


@known
class UpSampling2D(Layer):
    """A larger image: rows and columns repeated, or interpolated linearly."""

    def __init__(
        self,
        size: Any = 2,
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size = to_tuple(size, 2, "UpSampling2D: size")
        self.data_format = standardize_data_format(data_format)
        if interpolation not in ("nearest", "bilinear", "bicubic"):
            raise ValueError(
                f"interpolation must be 'nearest', 'bilinear' or 'bicubic', got {interpolation!r}"
            )
        self.interpolation = interpolation

    def call(self, inputs: Tensor) -> Tensor:
        check_rank(self, tuple(inputs.shape), 4, "(batch, height, width, channels)")
        x = channels_first(inputs, self.data_format)
        rows, columns = self.size
        if self.interpolation == "nearest":  # expanding is a view; the elements are not gathered
            n, c, h, w = (int(s) for s in x.shape)
            x = x.reshape(n, c, h, 1, w, 1).expand(n, c, h, rows, w, columns)
            x = x.reshape(n, c, h * rows, w * columns)
        else:
            size = (int(x.shape[2]) * rows, int(x.shape[3]) * columns)
            x = F.interpolate(x, size=size, mode=self.interpolation, align_corners=False)
        return back(x, self.data_format)
