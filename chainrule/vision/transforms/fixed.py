"""Transforms that do the same with every image."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.dtypes import DType, get_default_dtype
from chainrule.tensor import Tensor
from chainrule.vision import planes as arithmetic
from chainrule.vision.images import Array, Kind, planes_resized
from chainrule.vision.transforms import functional as F
from chainrule.vision.transforms.base import (
    Batch,
    Fixed,
    Transform,
    TransformModule,
    batch_method,
)


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

    def __call__(self, img: Any) -> Any:
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
    """Image or array (H, W, C) to tensor (C, H, W); bytes 0 … 255 become floats 0 … 1: x / 255."""

    def __call__(self, pic: Any) -> Tensor:
        return F.to_tensor(pic)

    def batch(self, batch: Batch) -> Any:
        if batch.kind == "tensor":
            return NotImplemented  # one image raises the error
        return Batch("tensor", arithmetic.unit(batch.planes, get_default_dtype().np))


class PILToTensor(Transform):
    """Image to tensor (C, H, W) with the same values."""

    def __call__(self, pic: Any) -> Tensor:
        return F.pil_to_tensor(pic)

    def batch(self, batch: Batch) -> Any:
        if batch.kind == "tensor":
            return NotImplemented
        return Batch("tensor", np.ascontiguousarray(batch.planes))


class ToPILImage(Transform):
    """Tensor (C, H, W) or array (H, W, C) to image, of `mode` or of the usual one."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return F.to_pil_image(pic, self.mode)

    def extra_repr(self) -> str:
        return "" if self.mode is None else f"mode={self.mode}"


class ConvertImageDtype(TransformModule):
    """Tensor to another element type, the range of its values scaled along."""

    def __init__(self, dtype: DType) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        return F.convert_image_dtype(image, self.dtype)


class Normalize(TransformModule):
    """(x - mean) / std for each channel of a float tensor (…, C, H, W)."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor: Tensor) -> Tensor:
        return F.normalize(tensor, self.mean, self.std, self.inplace)

    def batch(self, batch: Batch) -> Any:
        x = batch.planes
        if batch.kind == "image" or x.dtype.kind in "iub":
            return NotImplemented
        mean, std = F.statistics(F.plain(self.mean), F.plain(self.std), x.shape[-3], x.dtype)
        return Batch("tensor", arithmetic.normalize(x, mean, std))

    def extra_repr(self) -> str:
        return f"mean={self.mean}, std={self.std}"


class Resize(Fixed):
    """The image at `size` (height, width); one number is the shorter edge, the longer follows."""

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: F.InterpolationMode = F.InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if not isinstance(size, int | Sequence):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.max_size = max_size
        self.interpolation = F.interpolation_mode(interpolation)
        self.antialias = antialias

    def forward(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def apply(self, x: Array, kind: Kind) -> Array:  # type: ignore[override]  # see Fixed
        h, w = arithmetic.resized_shape(x.shape, self.size, self.max_size)
        return planes_resized(x, h, w, self.interpolation.value, kind, bool(self.antialias))

    def extra_repr(self) -> str:
        return (
            f"size={self.size}, interpolation={self.interpolation.value}, "
            f"max_size={self.max_size}, antialias={self.antialias}"
        )


class CenterCrop(Fixed):
    """The middle of the image; zeros around an image that is smaller."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = F.pair(size)

    def forward(self, img: Any) -> Any:
        return F.center_crop(img, self.size)

    def apply(self, x: Array, kind: Kind) -> Array:  # type: ignore[override]  # see Fixed
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
        super().__init__()
        if not isinstance(fill, numbers.Number | tuple | list):
            raise TypeError("Got inappropriate fill arg")
        self._around = F.four(padding)
        self.padding = padding
        self.fill = fill
        self.padding_mode = F.checked_mode(padding_mode)

    def forward(self, img: Any) -> Any:
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def apply(self, x: Array, kind: Kind) -> Array:  # type: ignore[override]  # see Fixed
        return arithmetic.pad(x, self._around, self.fill, self.padding_mode)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode}"


class Grayscale(Fixed):
    """The image in grey, of one channel or three equal ones."""

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, self.num_output_channels)

    def apply(self, x: Array, kind: Kind) -> Array:  # type: ignore[override]  # see Fixed
        return arithmetic.grey(x, kind, self.num_output_channels)

    def extra_repr(self) -> str:
        return f"num_output_channels={self.num_output_channels}"


class Lambda(Transform):
    """Any function of one image (so a chain with it runs image by image)."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)


class FiveCrop(TransformModule):
    """A tuple of five: the four corners and the middle."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = F.pair(size)

    def forward(self, img: Any) -> tuple[Any, ...]:
        return F.five_crop(img, self.size)

    def extra_repr(self) -> str:
        return f"size={self.size}"


class TenCrop(TransformModule):
    """A tuple of ten: `FiveCrop` of the image and of its mirror image."""

    def __init__(self, size: int | Sequence[int], vertical_flip: bool = False) -> None:
        super().__init__()
        self.size = F.pair(size)
        self.vertical_flip = vertical_flip

    def forward(self, img: Any) -> tuple[Any, ...]:
        return F.ten_crop(img, self.size, self.vertical_flip)

    def extra_repr(self) -> str:
        return f"size={self.size}, vertical_flip={self.vertical_flip}"


class LinearTransformation(TransformModule):
    """(x - mean_vector) @ transformation_matrix with x the image as one row of D = C·H·W numbers.

    For whitening: the matrix (D, D) is then a root of the inverse covariance.
    """

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        shape = tuple(transformation_matrix.shape)
        if shape[0] != shape[1]:
            raise ValueError(
                f"transformation_matrix should be square. Got {shape} rectangular matrix."
            )
        if mean_vector.shape[0] != shape[0]:
            raise ValueError(
                f"mean_vector should have the same length {mean_vector.shape[0]} as any one of the "
                f"dimensions of the transformation_matrix [{shape}]"
            )
        if transformation_matrix.dtype != mean_vector.dtype:
            raise ValueError(
                f"Input tensors should have the same dtype. Got {transformation_matrix.dtype} and "
                f"{mean_vector.dtype}"
            )
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def forward(self, tensor: Tensor) -> Tensor:
        shape = tensor.shape
        n = shape[-3] * shape[-2] * shape[-1]
        if n != self.transformation_matrix.shape[0]:
            raise ValueError(
                "Input tensor and transformation matrix have incompatible shape."
                f"[{shape[-3]} x {shape[-2]} x {shape[-1]}] != "
                f"{self.transformation_matrix.shape[0]}"
            )
        flat = tensor.reshape(-1, n) - self.mean_vector
        return (flat @ self.transformation_matrix.to(flat.dtype)).reshape(shape)

    def extra_repr(self) -> str:
        return (
            f"transformation_matrix={self.transformation_matrix.tolist()}, "
            f"mean_vector={self.mean_vector.tolist()}"
        )
