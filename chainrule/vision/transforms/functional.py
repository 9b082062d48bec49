"""The transforms as functions of one image, with the names of `torchvision.transforms.functional`.

An image is a PIL image, a `chainrule.vision.images.Image` or a Tensor (…, C, H, W); what comes in
is what goes out. No derivative is taken: a tensor that requires grad is a `RuntimeError`.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.dtypes import DType
from chainrule.errors import ShapeError
from chainrule.tensor import Tensor
from chainrule.tensor.creation import from_owned
from chainrule.utils.data.batching import values
from chainrule.vision import planes as arithmetic
from chainrule.vision.images import Array, from_planes, is_image, make_image, pixels, planes


class InterpolationMode(enum.Enum):
    """How `resize` computes pixels between pixels."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


def to_tensor(pic: Any) -> Tensor:
    """Image or array (H, W, C) to tensor (C, H, W); bytes 0 … 255 become float32 0 … 1.

    Other element types keep their values. Raises `TypeError` for anything but an image or an array,
    `ValueError` for an array that has not two or three axes.

    >>> import numpy as np
    >>> from chainrule.vision.transforms.functional import to_tensor
    >>> to_tensor(np.array([[0, 255]], np.uint8))
    tensor([[[0., 1.]]])
    """
    return from_owned(np.array(arithmetic.unit(_channels_first(pic)), order="C"))


def pil_to_tensor(pic: Any) -> Tensor:
    """Image to tensor (C, H, W) with the same values: bytes stay bytes."""
    if not is_image(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    return from_owned(np.array(_channels_first(pic), order="C"))


def _channels_first(pic: Any) -> Array:
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic[..., None] if pic.ndim == 2 else pic
    elif is_image(pic):
        array = pixels(pic)
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    return np.moveaxis(array, -1, 0)


def to_pil_image(pic: Any) -> Any:
    """Tensor (C, H, W) or array (H, W, C) to image; floats 0 … 1 become bytes: ⌊255·x⌋.

    Without pillow the image is a `chainrule.vision.images.Image`.
    """
    if isinstance(pic, Tensor):
        array = values(pic)
        array = array[None] if array.ndim == 2 else array
        if array.dtype.kind not in "iub":
            array = (array.astype(np.float32) * np.float32(255)).astype(np.uint8)
        array = np.moveaxis(array, 0, -1)
    elif isinstance(pic, np.ndarray):
        array = pic[..., None] if pic.ndim == 2 else pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    if array.ndim != 3 or array.shape[-1] not in (1, 2, 3, 4):
        raise ValueError(
            f"pic should have 1 to 4 channels and 2 or 3 dimensions. Got shape {tuple(pic.shape)}."
        )
    if array.dtype != np.uint8:
        raise TypeError(f"an image has bytes as pixels; got {array.dtype}")
    return make_image(array)


def convert_image_dtype(image: Tensor, dtype: DType) -> Tensor:
    """The tensor in another element type, the range of values scaled along.

    Floats run from 0 to 1, integers from 0 to their largest value.
    """
    _, x = planes(image, "convert_image_dtype")
    return from_owned(_converted(x, dtype.np))


def _converted(x: Array, target: np.dtype[Any]) -> Array:
    if x.dtype == target:
        return x.copy()
    from_integer, to_integer = x.dtype.kind in "iu", target.kind in "iu"
    if not from_integer and not to_integer:
        return x.astype(target)
    if not from_integer:
        top = np.iinfo(target).max
        return (x * np.asarray(top + 1.0 - 1e-3, x.dtype)).astype(target)
    top = np.iinfo(x.dtype).max
    if not to_integer:
        return x.astype(target) / np.asarray(top, target)
    if np.iinfo(target).max < top:
        return (x // ((top + 1) // (np.iinfo(target).max + 1))).astype(target)
    return x.astype(target) * np.asarray((np.iinfo(target).max + 1) // (top + 1), target)


def normalize(
    tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False
) -> Tensor:
    """(tensor - mean) / std for each channel of a float tensor (…, C, H, W).

    With `inplace` the tensor itself is changed. Raises `TypeError` for what is not a float tensor,
    `ValueError` for fewer than three axes or a zero in `std`.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(
            "Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = "
            f"{tuple(tensor.shape)}"
        )
    if tensor.requires_grad:  # plain arithmetic, so this one has a derivative
        center, width = statistics(mean, std, tensor.shape[-3], tensor.dtype.np)
        result = (tensor - from_owned(center)) / from_owned(width)
    else:
        x = values(tensor)
        center, width = statistics(mean, std, x.shape[-3], x.dtype)
        result = from_owned(arithmetic.normalize(x, center, width))
    return tensor.copy_(result) if inplace else result


def statistics(
    mean: Sequence[float], std: Sequence[float], channels: int, dtype: np.dtype[Any]
) -> tuple[Array, Array]:
    """`mean` and `std` as arrays (C, 1, 1), checked against the number of channels."""
    center, width = (np.array(given, dtype=dtype).reshape(-1, 1, 1) for given in (mean, std))
    for name, given in (("mean", center), ("std", width)):
        if len(given) not in (1, channels):
            raise ShapeError(
                f"normalize: {name} has {len(given)} values and the image {channels} channels; "
                f"expected {channels} values, or one for all"
            )
    if (width == 0).any():
        raise ValueError(
            f"std evaluated to zero after conversion to {dtype}, leading to division by zero."
        )
    return center, width


def resize(
    img: Any,
    size: int | Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """The image at `size` (height, width); one number is the shorter edge, the longer follows."""
    kind, x = planes(img, "resize")
    h, w = arithmetic.resized_shape(x.shape, size, max_size)
    method = InterpolationMode(interpolation).value
    return from_planes(kind, arithmetic.resize(x, h, w, method, kind, bool(antialias)))


def pad(
    img: Any,
    padding: int | Sequence[int],
    fill: float | Sequence[float] = 0,
    padding_mode: str = "constant",
) -> Any:
    """The image with a border: `padding` is one number, (left/right, top/bottom) or
    (left, top, right, bottom); `padding_mode` constant, edge, reflect or symmetric.
    """
    kind, x = planes(img, "pad")
    return from_planes(kind, arithmetic.pad(x, four(padding), fill, checked_mode(padding_mode)))


def four(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """`padding` as (left, top, right, bottom)."""
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if not isinstance(padding, Sequence):
        raise TypeError("Got inappropriate padding arg")
    if len(padding) == 1:
        return four(padding[0])
    if len(padding) == 2:
        return padding[0], padding[1], padding[0], padding[1]
    if len(padding) == 4:
        return padding[0], padding[1], padding[2], padding[3]
    raise ValueError(
        f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple"
    )


def checked_mode(mode: str) -> str:
    """`mode`, or a `ValueError` where there is no such padding."""
    if mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    return mode


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """A rectangle of the image; outside of the image it is black."""
    kind, x = planes(img, "crop")
    return from_planes(kind, arithmetic.crop(x, top, left, height, width))


def center_crop(img: Any, output_size: int | Sequence[int]) -> Any:
    """The middle of the image, `output_size` = (height, width) or one number for both."""
    kind, x = planes(img, "center_crop")
    return from_planes(kind, arithmetic.center_crop(x, *pair(output_size)))


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """A rectangle of the image, resized to `size`."""
    part = crop(img, top, left, height, width)
    return resize(part, size, interpolation, antialias=antialias)


def pair(size: int | Sequence[int]) -> tuple[int, int]:
    """`size` as (height, width); one number is both."""
    if isinstance(size, int):
        return size, size
    if len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    return size[0], size[1]


def hflip(img: Any) -> Any:
    """The mirror image, left and right exchanged."""
    kind, x = planes(img, "hflip")
    return from_planes(kind, arithmetic.hflip(x))


def vflip(img: Any) -> Any:
    """The image upside down."""
    kind, x = planes(img, "vflip")
    return from_planes(kind, arithmetic.vflip(x))


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """The image in grey, of one channel or three equal ones."""
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    kind, x = planes(img, "rgb_to_grayscale")
    return from_planes(kind, arithmetic.grey(x, kind, num_output_channels))


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """`rgb_to_grayscale` by its older name."""
    return rgb_to_grayscale(img, num_output_channels)


def get_image_size(img: Any) -> list[int]:
    """[width, height]."""
    _, x = planes(img, "get_image_size")
    return [x.shape[-1], x.shape[-2]]


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width]."""
    _, x = planes(img, "get_dimensions")
    return [1 if x.ndim == 2 else x.shape[-3], x.shape[-2], x.shape[-1]]
