"""The transforms as functions of one image, with the names of `torchvision.transforms.functional`.

An image is a PIL image, a `chainrule.vision.images.Image` or a Tensor (…, C, H, W); what comes in
is what goes out. Pillow computes PIL images, NumPy everything else; a tensor that requires a
gradient is computed with tensor arithmetic and gets it.
"""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np

from chainrule import names
from chainrule.dtypes import DType, float32, get_default_dtype
from chainrule.errors import ShapeError
from chainrule.tensor import Tensor, is_grad_enabled
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import values
from chainrule.vision import colours, warps
from chainrule.vision import planes as arithmetic
from chainrule.vision.images import (
    PILLOW_MODES,
    Array,
    from_planes,
    is_image,
    is_pil,
    make_image,
    pixels,
    planes,
    typed_image,
)
from chainrule.vision.transforms import differentiable, pillow

Fill = float | Sequence[float] | None


class InterpolationMode(Enum):
    """How pixels between pixels are computed. The last three are for images only."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_BY_NUMBER = {
    number: InterpolationMode(value)
    for value, number in PILLOW_MODES.items()
    if value != "nearest-exact"
}


def interpolation_mode(given: Any) -> InterpolationMode:
    """An `InterpolationMode`, or Pillow's number for one."""
    if isinstance(given, InterpolationMode):
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        return _BY_NUMBER[int(given)]
    raise TypeError(
        "Argument interpolation should be a InterpolationMode or a corresponding Pillow integer "
        "constant"
    )


_interpolation_modes_from_int = interpolation_mode  # the name that programs import


def _differentiated(img: Any) -> bool:
    return isinstance(img, Tensor) and img.requires_grad and is_grad_enabled()


def _computed(room: Any, name: str, img: Any, *args: Any) -> Any:
    """`name(img, *args)`: by Pillow, by tensor arithmetic, or by NumPy on planes."""
    if is_pil(img):
        return getattr(pillow, name)(img, *args)
    if _differentiated(img) and hasattr(differentiable, name):
        return getattr(differentiable, name)(img, *args)
    kind, x = planes(img, name)
    return from_planes(kind, getattr(room, name)(x, *args))


# Sizes


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width]."""
    if isinstance(img, Tensor):
        shape = _image_shape(img)
        return [1 if len(shape) == 2 else shape[-3], shape[-2], shape[-1]]
    if is_image(img):
        return [len(img.getbands()), img.size[1], img.size[0]]
    raise TypeError(f"Unexpected type {type(img)}")


def _image_shape(img: Tensor) -> tuple[int, ...]:
    if img.ndim < 2:
        raise TypeError("Tensor is not a torch image.")
    return tuple(img.shape)


def get_image_size(img: Any) -> list[int]:
    """[width, height]."""
    _, height, width = get_dimensions(img)
    return [width, height]


def get_image_num_channels(img: Any) -> int:
    """The number of channels; a tensor of two axes has one."""
    return get_dimensions(img)[0]


# From one kind of image to another


def to_tensor(pic: Any) -> Tensor:
    """Image or array (H, W, C) to tensor (C, H, W); bytes 0 … 255 become floats 0 … 1
    of the default dtype.

    Other element types keep their values. Raises `TypeError` for anything but an image or an array,
    `ValueError` for an array that has not two or three axes.

    >>> import numpy as np
    >>> from chainrule.vision.transforms.functional import to_tensor
    >>> to_tensor(np.array([[0, 255]], np.uint8))
    tensor([[[0., 1.]]])
    """
    planes_of = _channels_first(pic)
    if planes_of.dtype != np.uint8:
        return from_owned(np.array(planes_of, order="C"))
    return from_owned(arithmetic.unit(planes_of, get_default_dtype().np))


def pil_to_tensor(pic: Any) -> Tensor:
    """Image to tensor (C, H, W) with the same values: bytes stay bytes, black and white is bool."""
    if not is_image(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    if getattr(pic, "mode", "") == "1":
        return from_owned(np.array(pic)[None])
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


#: Channels → the modes that an image of them may have, the usual one first.
_MODES = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}
_ONE_CHANNEL = {"uint8": "L", "int16": "I;16", "int32": "I", "float32": "F"}


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """Tensor (C, H, W) or array (H, W, C) to image; floats 0 … 1 become bytes: ⌊255·x⌋.

    Without pillow the image is a `chainrule.vision.images.Image`.
    """
    if isinstance(pic, Tensor):
        array = values(pic)
        array = np.moveaxis(array, 0, -1) if array.ndim == 3 else array
    elif isinstance(pic, np.ndarray):
        array = pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    array = array[..., None] if array.ndim == 2 else array
    if array.ndim != 3:
        raise ValueError(f"pic should be 2/3 dimensional. Got {array.ndim} dimensions.")
    channels = array.shape[-1]
    if channels > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
    if array.dtype.kind == "f" and mode != "F":
        array = (array * np.asarray(255, array.dtype)).astype(np.uint8)
    if channels == 1:
        expected = _ONE_CHANNEL.get(array.dtype.name)
        if mode is not None and mode != expected:
            raise ValueError(
                f"Incorrect mode ({mode}) supplied for input type {array.dtype}. Should be "
                f"{expected}"
            )
        mode = expected
    else:
        permitted = list(_MODES[channels])
        if mode is not None and mode not in permitted:
            raise ValueError(f"Only modes {permitted} are supported for {channels}D inputs")
        if mode is None and array.dtype == np.uint8:
            mode = permitted[0]
    if mode is None:
        raise TypeError(f"Input type {array.dtype} is not supported")
    if mode in ("L", "LA", "RGB", "RGBA"):
        return make_image(array)
    return typed_image(array[..., 0] if channels == 1 else array, mode)


def convert_image_dtype(image: Tensor, dtype: DType = float32) -> Tensor:
    """The tensor in another element type, the range of values scaled along.

    Floats run from 0 to 1, integers from 0 to their largest value.
    """
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor Image")
    if image.dtype == dtype:
        return image
    if _differentiated(image) and dtype.np.kind == "f":
        return image.to(dtype)
    return from_owned(colours.converted(values(image), dtype.np))


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
    channels = tensor.shape[-3]
    center, width = statistics(plain(mean), plain(std), channels, tensor.dtype.np)
    if _differentiated(tensor):
        result = (tensor - from_owned(center)) / from_owned(width)
    else:
        result = from_owned(arithmetic.normalize(values(tensor), center, width))
    return tensor.copy_(result) if inplace else result


def plain(given: Any) -> list[float]:
    """One number, a sequence, an array or a tensor, as a list."""
    if isinstance(given, Tensor):
        given = values(given)
    return [float(value) for value in np.atleast_1d(np.asarray(given)).reshape(-1)]


def statistics(
    mean: Sequence[float], std: Sequence[float], channels: int, dtype: np.dtype[Any]
) -> tuple[Array, Array]:
    """`mean` and `std` as arrays (C, 1, 1), checked against the number of channels."""
    center, width = (np.array(given, dtype=dtype).reshape(-1, 1, 1) for given in (mean, std))
    for name, given in (("mean", center), ("std", width)):
        if len(given) not in (1, channels) and channels != 1:
            raise ShapeError(
                f"normalize: {name} has {len(given)} values and the image {channels} channels; "
                f"expected {channels} values, or one for all"
            )
        if len(given) != 1 and channels == 1:
            raise ShapeError(
                f"normalize: {name} has {len(given)} values and the image 1 channels; expected one"
            )
    if (width == 0).any():
        raise ValueError(
            f"std evaluated to zero after conversion to {dtype}, leading to division by zero."
        )
    return center, width


# Cutting, padding, resizing


def resize(
    img: Any,
    size: int | Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """The image at `size` (height, width); one number is the shorter edge, the longer follows."""
    method = interpolation_mode(interpolation).value
    if isinstance(size, list | tuple):
        if len(size) not in (1, 2):
            raise ValueError(
                f"Size must be an int or a 1 or 2 element tuple/list, not a {len(size)} element "
                "tuple/list"
            )
        if max_size is not None and len(size) != 1:
            raise ValueError(
                "max_size should only be passed if size specifies the length of the smaller edge, "
                "i.e. size should be an int or a sequence of length 1 in torchscript mode."
            )
    _, h, w = get_dimensions(img)
    height, width = arithmetic.resized_shape((h, w), size, max_size)
    if (height, width) == (h, w):
        return img
    if is_image(img) and antialias is False:
        warnings.warn(
            "Anti-alias option is always applied for PIL Image input. Argument antialias is "
            "ignored.",
            stacklevel=2,
        )
    if is_pil(img):
        return pillow.resize(img, height, width, method)
    if _differentiated(img):
        return differentiable.resize(img, height, width, method, bool(antialias))
    kind, x = planes(img, "resize")
    return from_planes(kind, arithmetic.resize(x, height, width, method, kind, bool(antialias)))


def pad(
    img: Any,
    padding: int | Sequence[int],
    fill: Any = 0,
    padding_mode: str = "constant",
) -> Any:
    """The image with a border: `padding` is one number, (left/right, top/bottom) or
    (left, top, right, bottom); `padding_mode` constant, edge, reflect or symmetric.
    """
    fill = 0 if fill is None else fill
    if not isinstance(fill, numbers.Number | tuple | list):
        raise TypeError("Got inappropriate fill arg")
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    return _computed(arithmetic, "pad", img, four(padding), fill, checked_mode(padding_mode))


def four(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """`padding` as (left, top, right, bottom)."""
    if isinstance(padding, numbers.Number):
        same = int(padding)  # type: ignore[arg-type]  # a real number
        return same, same, same, same
    if not isinstance(padding, tuple | list):
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
    return _computed(arithmetic, "crop", img, top, left, height, width)


def center_crop(img: Any, output_size: int | Sequence[int]) -> Any:
    """The middle of the image, `output_size` = (height, width) or one number for both."""
    height, width = pair(output_size)
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        dx, dy = max(width - w, 0), max(height - h, 0)
        img = pad(img, (dx // 2, dy // 2, (dx + 1) // 2, (dy + 1) // 2))
        _, h, w = get_dimensions(img)
        if (height, width) == (h, w):
            return img
    return crop(img, round((h - height) / 2.0), round((w - width) / 2.0), height, width)


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


def pair(
    size: Any, message: str = "Please provide only two dimensions (h, w) for size."
) -> tuple[int, int]:
    """`size` as (height, width); one number is both."""
    if isinstance(size, numbers.Number):
        return int(size), int(size)  # type: ignore[call-overload]  # a real number
    if len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError(message)
    return size[0], size[1]


def five_crop(img: Any, size: int | Sequence[int]) -> tuple[Any, Any, Any, Any, Any]:
    """The four corners and the middle: top left, top right, bottom left, bottom right, centre."""
    height, width = pair(size)
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        raise ValueError(f"Requested crop size {size} is bigger than input size {(h, w)}")
    return (
        crop(img, 0, 0, height, width),
        crop(img, 0, w - width, height, width),
        crop(img, h - height, 0, height, width),
        crop(img, h - height, w - width, height, width),
        center_crop(img, [height, width]),
    )


def ten_crop(img: Any, size: int | Sequence[int], vertical_flip: bool = False) -> tuple[Any, ...]:
    """`five_crop` of the image and of its mirror image."""
    other = vflip(img) if vertical_flip else hflip(img)
    return five_crop(img, size) + five_crop(other, size)


def hflip(img: Any) -> Any:
    """The mirror image, left and right exchanged."""
    return _computed(arithmetic, "hflip", img)


def vflip(img: Any) -> Any:
    """The image upside down."""
    return _computed(arithmetic, "vflip", img)


def erase(img: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    """A tensor with `v` instead of the rectangle of row i, column j, height h and width w."""
    if not isinstance(img, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    value = v if isinstance(v, Tensor) else from_owned(np.asarray(v, img.dtype.np))
    if _differentiated(img):
        result = differentiable.erase(img, i, j, h, w, value.to(img.dtype))
    else:
        array = np.array(values(img))
        array[..., i : i + h, j : j + w] = values(value)
        result = from_owned(array)
    return img.copy_(result) if inplace else result


# Colours


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """The image in grey, of one channel or three equal ones."""
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    if is_pil(img):
        return pillow.grey(img, num_output_channels)
    if _differentiated(img):
        return differentiable.grey(img, num_output_channels)
    kind, x = planes(img, "rgb_to_grayscale")
    return from_planes(kind, arithmetic.grey(x, kind, num_output_channels))


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """`rgb_to_grayscale` of an image that is no tensor."""
    if not is_image(img):
        raise TypeError("Input should be PIL Image")
    return rgb_to_grayscale(img, num_output_channels)


def _not_negative(name: str, factor: float) -> None:
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """Darker below 1, brighter above; 0 is black."""
    if not is_pil(img):
        _not_negative("brightness_factor", brightness_factor)
    return _computed(colours, "adjust_brightness", img, brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """Flatter below 1, starker above; 0 is grey all over."""
    if not is_pil(img):
        _not_negative("contrast_factor", contrast_factor)
    return _computed(colours, "adjust_contrast", img, contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """Paler below 1, more colourful above; 0 is black and white."""
    if not is_pil(img):
        _not_negative("saturation_factor", saturation_factor)
    return _computed(colours, "adjust_saturation", img, saturation_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """The hues turned by -0.5 … 0.5 of the circle."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    return _computed(colours, "adjust_hue", img, hue_factor)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """gain · x ** gamma with x from 0 to 1."""
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    return _computed(colours, "adjust_gamma", img, gamma, gain)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """Blurred below 1, sharper above."""
    if not is_pil(img):
        _not_negative("sharpness_factor", sharpness_factor)
    return _computed(colours, "adjust_sharpness", img, sharpness_factor)


def invert(img: Any) -> Any:
    """White becomes black."""
    return _computed(colours, "invert", img)


def posterize(img: Any, bits: int) -> Any:
    """Only the upper `bits` bits of each byte."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    return _computed(colours, "posterize", img, bits)


def solarize(img: Any, threshold: float) -> Any:
    """Inverted where a value is at least `threshold`."""
    return _computed(colours, "solarize", img, threshold)


def autocontrast(img: Any) -> Any:
    """Each channel stretched from black to white."""
    return _computed(colours, "autocontrast", img)


def equalize(img: Any) -> Any:
    """As many pixels of one brightness as of another, channel by channel."""
    return _computed(colours, "equalize", img)


# Turning, bending, blurring


def _sampled(img: Any, name: str, grid: Array, mode: str, fill: Fill) -> Any:
    if _differentiated(img):
        return differentiable.sample(img, grid, mode, fill)
    kind, x = planes(img, name)
    return from_planes(kind, warps.sample(x, grid, mode, fill))


def rotate(
    img: Any,
    angle: float,
    interpolation: InterpolationMode = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Fill = None,
) -> Any:
    """The image turned to the left by `angle` degrees around its middle, or around `center`
    (x, y).

    `expand` makes the image as large as it must be; `fill` is what lies outside of the old image.
    """
    mode = interpolation_mode(interpolation).value
    if not isinstance(angle, int | float):
        raise TypeError("Argument angle should be int or float")
    if center is not None and not isinstance(center, list | tuple):
        raise TypeError("Argument center should be a sequence")
    if is_pil(img):
        return pillow.rotate(img, angle, mode, expand, center, fill)
    _, h, w = get_dimensions(img)
    matrix = warps.inverse_affine_matrix(_off_middle(center, w, h), -angle, (0, 0), 1.0, (0, 0))
    ow, oh = warps.turned_size(matrix, w, h) if expand else (w, h)
    return _sampled(img, "rotate", warps.affine_grid(matrix, w, h, ow, oh), mode, fill)


def _off_middle(center: Sequence[float] | None, w: int, h: int) -> tuple[float, float]:
    return (0.0, 0.0) if center is None else (center[0] - w * 0.5, center[1] - h * 0.5)


def affine(
    img: Any,
    angle: float,
    translate: Sequence[int],
    scale: float,
    shear: Any,
    interpolation: InterpolationMode = InterpolationMode.NEAREST,
    fill: Fill = None,
    center: Sequence[float] | None = None,
) -> Any:
    """The image turned by `angle` degrees, moved by `translate` pixels (x, y), scaled and sheared
    (degrees), all around its middle or around `center`.
    """
    mode = interpolation_mode(interpolation).value
    if not isinstance(angle, int | float):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, list | tuple):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    if not isinstance(shear, numbers.Number | list | tuple):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    slant: Any = [shear, 0.0] if isinstance(shear, numbers.Number) else list(shear)
    slant = [slant[0], slant[0]] if len(slant) == 1 else slant
    if len(slant) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    if center is not None and not isinstance(center, list | tuple):
        raise TypeError("Argument center should be a sequence")
    _, h, w = get_dimensions(img)
    if is_pil(img):
        middle = (w * 0.5, h * 0.5) if center is None else center
        matrix = warps.inverse_affine_matrix(middle, angle, translate, scale, slant)
        return pillow.affine(img, matrix, mode, fill)
    off = _off_middle(center, w, h)
    matrix = warps.inverse_affine_matrix(off, angle, translate, scale, slant)
    return _sampled(img, "affine", warps.affine_grid(matrix, w, h, w, h), mode, fill)


def perspective(
    img: Any,
    startpoints: Sequence[Sequence[int]],
    endpoints: Sequence[Sequence[int]],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    fill: Fill = None,
) -> Any:
    """The image with its four `startpoints` (x, y) moved to the `endpoints`."""
    coefficients = warps.perspective_coefficients(startpoints, endpoints)
    return perspective_by(img, coefficients, interpolation, fill)


def perspective_by(
    img: Any, coefficients: Sequence[float], interpolation: InterpolationMode, fill: Fill
) -> Any:
    """`perspective` by the eight numbers that lead from a new pixel to the old one."""
    mode = interpolation_mode(interpolation).value
    if is_pil(img):
        return pillow.perspective(img, coefficients, mode, fill)
    _, h, w = get_dimensions(img)
    return _sampled(img, "perspective", warps.perspective_grid(coefficients, w, h), mode, fill)


def elastic_transform(
    img: Any,
    displacement: Tensor,
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    fill: Fill = None,
) -> Any:
    """The image with each pixel taken from a place moved by `displacement` (1, H, W, 2), in halves
    of the image's width and height.
    """
    mode = interpolation_mode(interpolation).value
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    _, h, w = get_dimensions(img)
    if tuple(displacement.shape) != (1, h, w, 2):
        raise ValueError(
            f"Argument displacement shape should be {(1, h, w, 2)}, but given "
            f"{tuple(displacement.shape)}"
        )
    grid = warps.identity_grid(h, w) + values(displacement)[0]
    return _sampled(img, "elastic_transform", grid, mode, fill)


def gaussian_blur(
    img: Any, kernel_size: int | Sequence[int], sigma: float | Sequence[float] | None = None
) -> Any:
    """Weighted means of `kernel_size` = (width, height) pixels, which are odd.

    sigma is the width of the bell in pixels: 0.15 · kernel_size + 0.35 unless it is given.
    """
    if not isinstance(kernel_size, int | list | tuple):
        raise TypeError(
            f"kernel_size should be int or a sequence of integers. Got {type(kernel_size)}"
        )
    size = [kernel_size, kernel_size] if isinstance(kernel_size, int) else list(kernel_size)
    if len(size) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(size)}")
    if any(n % 2 == 0 or n < 0 for n in size):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {size}")
    if sigma is None:
        sigma = [n * 0.15 + 0.35 for n in size]
    if not isinstance(sigma, int | float | list | tuple):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    widths = [float(sigma)] * 2 if isinstance(sigma, int | float) else list(sigma)
    widths = widths * 2 if len(widths) == 1 else widths
    if len(widths) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(widths)}")
    if any(s <= 0.0 for s in widths):
        raise ValueError(f"sigma should have positive values. Got {widths}")
    if _differentiated(img):
        return differentiable.gaussian_blur(img, size, widths)
    kind, x = planes(img, "gaussian_blur")
    return from_planes(kind, warps.gaussian_blur(x, size, widths))


_get_inverse_affine_matrix = warps.inverse_affine_matrix
_get_perspective_coeffs = warps.perspective_coefficients

__getattr__ = names.later(__name__)
