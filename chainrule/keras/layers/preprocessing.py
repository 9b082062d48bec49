"""Layers that prepare data: scale, standardise, resize, crop, flip."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.convolution import back, channels_first
from chainrule.keras.registry import known
from chainrule.keras.settings import standardize_data_format
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T
from chainrule.training.data import as_array, as_batches, is_source


@known
class Rescaling(Layer):
    """`x · scale + offset`, for example 1/255 for bytes of images."""

    supports_masking = True
    casts_integers = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * _number(self.scale, inputs) + _number(self.offset, inputs)


def _number(value: Any, like: Tensor) -> Any:
    if isinstance(value, int | float):
        return value
    return creation.from_owned(np.asarray(value, dtype=like.dtype.np))


@known
class Normalization(Layer):
    """`(x - mean) / √variance` along `axis`; both are given, or found by `adapt(data)`."""

    supports_masking = True
    casts_integers = True

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (mean is None) != (variance is None):
            raise ValueError("give both mean and variance, or neither")
        self.axis = axis
        self.invert = invert
        self.mean = None if mean is None else np.asarray(mean, np.float32)
        self.variance = None if variance is None else np.asarray(variance, np.float32)

    def _kept(self, rank: int) -> tuple[int, ...]:
        axes = () if self.axis is None else np.atleast_1d(self.axis)
        return tuple(sorted(int(a) % rank for a in axes))

    def adapt(self, data: Any) -> None:
        """Take mean and variance from `data`: an array, or batches."""
        if is_source(data):
            arrays = [np.asarray(x) for x, _, _ in as_batches(data).epoch()]
            data = np.concatenate(arrays)
        array = as_array(data).astype(np.float64)
        if array.ndim == 1 and self.axis is not None:
            array = array[:, None]
        kept = self._kept(array.ndim)
        others = tuple(a for a in range(array.ndim) if a not in kept)
        shape = [array.shape[a] if a in kept else 1 for a in range(1, array.ndim)]
        self.mean = array.mean(others).reshape(shape).astype(np.float32)
        self.variance = array.var(others).reshape(shape).astype(np.float32)

    def call(self, inputs: Tensor) -> Tensor:
        if self.mean is None or self.variance is None:
            raise ValueError(
                f"layer {self.name!r} (Normalization) does not know mean and variance: call "
                "adapt(data)"
            )
        mean = _number(self.mean, inputs)
        deviation = _number(np.maximum(np.sqrt(self.variance), 1e-7), inputs)
        return inputs * deviation + mean if self.invert else (inputs - mean) / deviation


class ImageLayer(Layer):
    casts_integers = True
    data_format: str

    def _first(self, inputs: Tensor) -> tuple[Tensor, bool]:
        if inputs.ndim not in (3, 4):
            raise ShapeError(
                f"layer {self.name!r} ({type(self).__name__}) takes an image (height, width, "
                f"channels) or a batch of them, got the shape {tuple(inputs.shape)}"
            )
        single = inputs.ndim == 3
        return channels_first(inputs.unsqueeze(0) if single else inputs, self.data_format), single

    def _last(self, x: Tensor, single: bool) -> Tensor:
        x = back(x, self.data_format)
        return x[0] if single else x


@known
class Resizing(ImageLayer):
    """Another height and width."""

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if interpolation not in ("nearest", "bilinear", "bicubic"):
            raise ValueError(
                f"interpolation must be 'nearest', 'bilinear' or 'bicubic', got {interpolation!r}"
            )
        self.height = height
        self.width = width
        self.interpolation = interpolation
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.data_format = standardize_data_format(data_format)

    def call(self, inputs: Tensor) -> Tensor:
        x, single = self._first(inputs)
        if self.crop_to_aspect_ratio:
            h, w = int(x.shape[2]), int(x.shape[3])
            crop_h = min(h, int(w * self.height / self.width))
            crop_w = min(w, int(h * self.width / self.height))
            x = centre(x, crop_h, crop_w)
        options = {} if self.interpolation == "nearest" else {"align_corners": False}
        x = F.interpolate(x, size=(self.height, self.width), mode=self.interpolation, **options)
        return self._last(x, single)


def centre(x: Tensor, height: int, width: int) -> Tensor:
    top = (int(x.shape[2]) - height) // 2
    left = (int(x.shape[3]) - width) // 2
    return x[:, :, top : top + height, left : left + width]


@known
class CenterCrop(ImageLayer):
    """The middle of the image."""

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.height = height
        self.width = width
        self.data_format = standardize_data_format(data_format)

    def call(self, inputs: Tensor) -> Tensor:
        x, single = self._first(inputs)
        if int(x.shape[2]) < self.height or int(x.shape[3]) < self.width:
            raise ShapeError(
                f"layer {self.name!r} (CenterCrop) cannot cut {self.height} × {self.width} out of "
                f"an image of shape {tuple(inputs.shape)}"
            )
        return self._last(centre(x, self.height, self.width), single)


@known
class CategoryEncoding(Layer):
    """Whole numbers as indicator vectors: one_hot, multi_hot or count."""

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if num_tokens is None:
            raise ValueError("CategoryEncoding needs num_tokens")
        if output_mode not in ("one_hot", "multi_hot", "count"):
            raise ValueError(
                f"output_mode must be 'one_hot', 'multi_hot' or 'count', got {output_mode!r}"
            )
        self.num_tokens = num_tokens
        self.output_mode = output_mode

    def call(self, inputs: Tensor) -> Tensor:
        hot = F.one_hot(inputs.long(), self.num_tokens).float()
        if self.output_mode == "one_hot":
            return hot.squeeze(-2) if hot.ndim > 2 and hot.shape[-2] == 1 else hot
        if hot.ndim < 2:
            return hot
        total = hot.sum(-2)
        return T.clamp(total, max=1.0) if self.output_mode == "multi_hot" else total
