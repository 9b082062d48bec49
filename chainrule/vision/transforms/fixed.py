"""Transforms that do the same with every image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.dtypes import DType, float32
from chainrule.tensor import Tensor
from chainrule.utils.data.batching import values
from chainrule.vision import planes as arithmetic
from chainrule.vision.images import Array, Kind
from chainrule.vision.transforms import functional as F
from chainrule.vision.transforms.base import Batch, Fixed, Transform, batch_method


class Compose(Transform):
    """One transform after the other.

    >>> import numpy as np
    >>> from chainrule.vision import transforms
    >>> chain = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    >>> chain(np.array([[0, 255]], np.uint8))
    tensor([[[-1.,  1.]]])
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def forward(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def batch(self, batch: Batch) -> Any:
        methods = [batch_method(transform) for transform in self.transforms]
        if None in methods:  # before anything is computed, or drawn
            return NotImplemented
        for method in methods:
            if method is not None:
                batch = method(batch)
            if batch is NotImplemented:
                return NotImplemented
        return batch

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class ToTensor(Transform):
    """Image or array (H, W, C) to tensor (C, H, W); bytes 0 … 255 become float32 0 … 1: x / 255."""

    def forward(self, img: Any) -> Tensor:
        return F.to_tensor(img)

    def batch(self, batch: Batch) -> Any:
        if batch.kind == "tensor":
            return NotImplemented  # one image raises the error
        return Batch("tensor", arithmetic.unit(batch.planes))


class PILToTensor(Transform):
    """Image to tensor (C, H, W) with the same values."""

    def forward(self, img: Any) -> Tensor:
        return F.pil_to_tensor(img)

    def batch(self, batch: Batch) -> Any:
        if batch.kind == "tensor":
            return NotImplemented
        return Batch("tensor", np.ascontiguousarray(batch.planes))


class ToPILImage(Transform):
    """Tensor (C, H, W) or array (H, W, C) to image."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def forward(self, img: Any) -> Any:
        image = F.to_pil_image(img)
        if self.mode is not None and image.mode != self.mode:
            raise ValueError(f"Incorrect mode ({self.mode}) for an image of mode {image.mode}")
        return image


class ConvertImageDtype(Transform):
    """Tensor to another element type, the range of its values scaled along."""

    def __init__(self, dtype: DType = float32) -> None:
        self.dtype = dtype

    def forward(self, img: Tensor) -> Tensor:
        return F.convert_image_dtype(img, self.dtype)


class Normalize(Transform):
    """(x - mean) / std for each channel of a float tensor (…, C, H, W)."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor: Tensor) -> Tensor:
        return F.normalize(tensor, _values(self.mean), _values(self.std), self.inplace)

    def batch(self, batch: Batch) -> Any:
        x = batch.planes
        if batch.kind == "image" or x.dtype.kind in "iub":
            return NotImplemented
        mean, std = F.statistics(_values(self.mean), _values(self.std), x.shape[-3], x.dtype)
        return Batch("tensor", arithmetic.normalize(x, mean, std))

    def extra_repr(self) -> str:
        return f"mean={self.mean}, std={self.std}"


def _values(given: Any) -> Sequence[float]:
    """One number, a sequence, an array or a tensor, as a sequence."""
    if isinstance(given, Tensor):
        given = values(given)
    return [float(value) for value in np.atleast_1d(given)]


class Resize(Fixed):
    """The image at `size` (height, width); one number is the shorter edge, the longer follows."""

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: F.InterpolationMode = F.InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        if not isinstance(size, int | Sequence):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.interpolation = F.InterpolationMode(interpolation)
        self.max_size = max_size
        self.antialias = antialias

    def apply(self, x: Array, kind: Kind) -> Array:
        h, w = arithmetic.resized_shape(x.shape, self.size, self.max_size)
        method = self.interpolation.value
        return arithmetic.resize(x, h, w, method, kind, bool(self.antialias))

    def extra_repr(self) -> str:
        return (
            f"size={self.size}, interpolation={self.interpolation.value}, "
            f"max_size={self.max_size}, antialias={self.antialias}"
        )


class CenterCrop(Fixed):
    """The middle of the image; zeros around an image that is smaller."""

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = F.pair(size)

    def apply(self, x: Array, kind: Kind) -> Array:
        return arithmetic.center_crop(x, *self.size)

    def extra_repr(self) -> str:
        return f"size={self.size}"


class Pad(Fixed):
    """The image with a border (see `functional.pad`)."""

    def __init__(
        self,
        padding: int | Sequence[int],
        fill: float | Sequence[float] = 0,
        padding_mode: str = "constant",
    ) -> None:
        self.padding = padding
        self.fill = fill
        self.padding_mode = F.checked_mode(padding_mode)
        self._around = F.four(padding)

    def apply(self, x: Array, kind: Kind) -> Array:
        return arithmetic.pad(x, self._around, self.fill, self.padding_mode)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode}"


class Grayscale(Fixed):
    """The image in grey, of one channel or three equal ones."""

    def __init__(self, num_output_channels: int = 1) -> None:
        self.num_output_channels = num_output_channels

    def apply(self, x: Array, kind: Kind) -> Array:
        return arithmetic.grey(x, kind, self.num_output_channels)

    def extra_repr(self) -> str:
        return f"num_output_channels={self.num_output_channels}"


class Lambda(Transform):
    """Any function of one image (so a chain with it runs image by image)."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def forward(self, img: Any) -> Any:
        return self.lambd(img)
