"""`tf.image`: pictures as (height, width, channels), or as a batch of them."""

from __future__ import annotations

import io as _io
import math
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.data.elements import as_type
from chainrule.data.errors import InvalidArgumentError
from chainrule.keras.ops import image as I
from chainrule.names import later
from chainrule.nn import functional as F
from chainrule.strings import as_strings
from chainrule.tensor import Tensor, fromdata
from chainrule.tensor import functions as T
from chainrule.tensorflow import random
from chainrule.tensorflow.convert import sizes, symbolic, tensor


class ResizeMethod:
    """How `resize` finds values between pixels."""

    AREA, BICUBIC, BILINEAR, GAUSSIAN = "area", "bicubic", "bilinear", "gaussian"
    LANCZOS3, LANCZOS5, MITCHELLCUBIC = "lanczos3", "lanczos5", "mitchellcubic"
    NEAREST_NEIGHBOR = "nearest"


# Files --------------------------------------------------------------------------------------------


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("reading and writing images needs pillow: pip install pillow") from None
    return Image


_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def _decoded(contents: Any, channels: Any, dtype: Any = dtypes.uint8) -> Tensor:
    data = as_strings(contents).array.item()
    try:
        with _pillow().open(_io.BytesIO(data)) as opened:
            known = {"L": "L", "1": "L", "RGB": "RGB", "RGBA": "RGBA"}.get(opened.mode, "RGB")
            picture = np.asarray(opened.convert(_MODES.get(channels or 0, known)))
    except OSError as error:
        raise InvalidArgumentError(f"the bytes are no image that can be read: {error}") from None
    if picture.ndim == 2:
        picture = picture[..., None]
    made: Tensor = fromdata.from_owned(np.array(picture, np.uint8))
    return made if as_type(dtype) is dtypes.uint8 else convert_image_dtype(made, dtype)


def decode_image(
    contents: Any,
    channels: Any = None,
    dtype: Any = dtypes.uint8,
    name: str | None = None,
    expand_animations: bool = True,
) -> Tensor:
    """The pixels of a JPEG, PNG, GIF or BMP file: (height, width, channels)."""
    return _decoded(contents, channels, dtype)


def decode_jpeg(
    contents: Any,
    channels: Any = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: str | None = None,
) -> Tensor:
    """The pixels of a JPEG file."""
    return _decoded(contents, channels)


def decode_png(
    contents: Any, channels: Any = 0, dtype: Any = dtypes.uint8, name: str | None = None
) -> Tensor:
    """The pixels of a PNG file."""
    return _decoded(contents, channels).to(as_type(dtype))


def decode_bmp(contents: Any, channels: Any = 0, name: str | None = None) -> Tensor:
    """The pixels of a BMP file."""
    return _decoded(contents, channels)


def decode_gif(contents: Any, name: str | None = None) -> Tensor:
    """The first picture of a GIF file: (1, height, width, 3)."""
    return _decoded(contents, 3).unsqueeze(0)


def decode_and_crop_jpeg(
    contents: Any, crop_window: Any, channels: Any = 0, **options: Any
) -> Tensor:
    """A part (top, left, height, width) of a JPEG file."""
    return crop_to_bounding_box(_decoded(contents, channels), *sizes(crop_window))


def _encoded(image: Any, kind: str, **options: Any) -> Any:
    pixels = tensor(image).detach()._concrete()
    if pixels.dtype != np.uint8:
        raise InvalidArgumentError(f"an image to encode has type uint8, got {pixels.dtype}")
    file = _io.BytesIO()
    picture = _pillow().fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    picture.save(file, format=kind, **options)
    return as_strings(file.getvalue())


def encode_jpeg(image: Any, format: str = "", quality: int = 95, **options: Any) -> Any:
    """A JPEG file as bytes."""
    return _encoded(image, "JPEG", quality=int(quality))


def encode_png(image: Any, compression: int = -1, name: str | None = None) -> Any:
    """A PNG file as bytes."""
    return _encoded(image, "PNG")


def is_jpeg(contents: Any, name: str | None = None) -> bool:
    """Whether bytes begin as a JPEG file does."""
    found: bytes = as_strings(contents).array.item()
    return found.startswith(b"\xff\xd8\xff")


# Types and colours --------------------------------------------------------------------------------


@symbolic
def convert_image_dtype(
    image: Any, dtype: Any, saturate: bool = False, name: str | None = None
) -> Any:
    """In another type, and from 0 … its largest number to 0 … 1, or back."""
    x, wanted = tensor(image), as_type(dtype)
    if x.dtype is wanted:
        return x
    if x.dtype.is_floating_point and wanted.is_floating_point:
        return x.to(wanted)
    if wanted.is_floating_point:
        return x.to(wanted) * (1.0 / _largest(x.dtype))
    if x.dtype.is_floating_point:
        top = float(_largest(wanted))
        scaled = x * (top + 0.5)
        return (T.clamp(scaled, 0.0, top) if saturate else scaled).to(wanted)
    a, b = _largest(x.dtype), _largest(wanted)
    if a > b:
        return T.div(x, (a + 1) // (b + 1), rounding_mode="floor").to(wanted)
    return x.to(wanted) * ((b + 1) // (a + 1))


def _largest(dtype: Any) -> int:
    return int(np.iinfo(dtype.np).max)


def _in_floats(x: Tensor, f: Any) -> Any:
    """f on numbers of 0 … 1, and its result in x's type."""
    if x.dtype.is_floating_point:
        return f(x)
    return convert_image_dtype(f(convert_image_dtype(x, dtypes.float32)), x.dtype, saturate=True)


@symbolic
def rgb_to_grayscale(images: Any, name: str | None = None) -> Any:
    """The brightness, as one channel."""
    x = tensor(images)
    weights = fromdata.from_owned(np.array([0.2989, 0.587, 0.114], np.float32))
    return _in_floats(x, lambda t: (t * weights.to(t.dtype)).sum(-1, keepdim=True))


@symbolic
def grayscale_to_rgb(images: Any, name: str | None = None) -> Any:
    """The same channel three times."""
    x = tensor(images)
    return x.expand((*x.shape[:-1], 3))


rgb_to_hsv, hsv_to_rgb = I.rgb_to_hsv, I.hsv_to_rgb


@symbolic
def per_image_standardization(image: Any) -> Any:
    """Every picture with mean 0 and variance 1 (a flat one is divided by 1 / √pixels)."""
    x = tensor(image)
    x = x if x.dtype.is_floating_point else x.to(dtypes.float32)
    n = math.prod(x.shape[-3:])
    mean = x.mean((-3, -2, -1), keepdim=True)
    deviation = x.std((-3, -2, -1), correction=0, keepdim=True)
    return (x - mean) / T.clamp(deviation, min=1.0 / math.sqrt(n))


@symbolic
def adjust_brightness(image: Any, delta: Any) -> Any:
    """delta added (in numbers of 0 … 1)."""
    return _in_floats(tensor(image), lambda x: x + delta)


@symbolic
def adjust_contrast(images: Any, contrast_factor: Any) -> Any:
    """(x - mean) factor + mean, for every channel."""

    def changed(x: Any) -> Any:
        mean = x.mean((-3, -2), keepdim=True)
        return (x - mean) * contrast_factor + mean

    return _in_floats(tensor(images), changed)


@symbolic
def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Any:
    """gain x^gamma."""
    return _in_floats(tensor(image), lambda x: gain * x**gamma)


@symbolic
def adjust_hue(image: Any, delta: Any, name: str | None = None) -> Any:
    """The colours turned by `delta` of the circle."""

    def changed(x: Any) -> Any:
        hsv = I.rgb_to_hsv(x)
        hue = (hsv[..., :1] + delta) % 1.0
        return I.hsv_to_rgb(T.cat([hue, hsv[..., 1:]], -1))

    return _in_floats(tensor(image), changed)


@symbolic
def adjust_saturation(image: Any, saturation_factor: Any, name: str | None = None) -> Any:
    """The saturation times a factor."""

    def changed(x: Any) -> Any:
        hsv = I.rgb_to_hsv(x)
        s = T.clamp(hsv[..., 1:2] * saturation_factor, 0.0, 1.0)
        return I.hsv_to_rgb(T.cat([hsv[..., :1], s, hsv[..., 2:]], -1))

    return _in_floats(tensor(image), changed)


def _between(low: Any, high: Any, seed: Any) -> Any:
    return random.uniform((), float(low), float(high), seed=seed)


def random_brightness(image: Any, max_delta: float, seed: Any = None) -> Any:
    """adjust_brightness by a random number of [-max_delta, max_delta)."""
    return adjust_brightness(image, _between(-max_delta, max_delta, seed))


def random_contrast(image: Any, lower: float, upper: float, seed: Any = None) -> Any:
    """adjust_contrast by a random factor of [lower, upper)."""
    return adjust_contrast(image, _between(lower, upper, seed))


def random_hue(image: Any, max_delta: float, seed: Any = None) -> Any:
    """adjust_hue by a random number of [-max_delta, max_delta)."""
    return adjust_hue(image, _between(-max_delta, max_delta, seed))


def random_saturation(image: Any, lower: float, upper: float, seed: Any = None) -> Any:
    """adjust_saturation by a random factor of [lower, upper)."""
    return adjust_saturation(image, _between(lower, upper, seed))


def stateless_random_brightness(image: Any, max_delta: float, seed: Any) -> Any:
    """random_brightness, the same for the same seed."""
    return random_brightness(image, max_delta, random._stateless(seed))


def stateless_random_contrast(image: Any, lower: float, upper: float, seed: Any) -> Any:
    """random_contrast, the same for the same seed."""
    return random_contrast(image, lower, upper, random._stateless(seed))


def stateless_random_hue(image: Any, max_delta: float, seed: Any) -> Any:
    """random_hue, the same for the same seed."""
    return random_hue(image, max_delta, random._stateless(seed))


def stateless_random_saturation(image: Any, lower: float, upper: float, seed: Any = None) -> Any:
    """random_saturation, the same for the same seed."""
    return random_saturation(image, lower, upper, random._stateless(seed))


# Places -------------------------------------------------------------------------------------------


@symbolic
def flip_left_right(image: Any) -> Any:
    """Mirrored sideways."""
    return T.flip(tensor(image), (-2,))


@symbolic
def flip_up_down(image: Any) -> Any:
    """Mirrored upside down."""
    return T.flip(tensor(image), (-3,))


@symbolic
def transpose(image: Any, name: str | None = None) -> Any:
    """Rows and columns exchanged."""
    return tensor(image).transpose(-3, -2)


@symbolic
def rot90(image: Any, k: Any = 1, name: str | None = None) -> Any:
    """Turned k times by a quarter, against the clock."""
    return T.rot90(tensor(image), int(k), (-3, -2))


def _maybe(image: Any, flipped: Any, seed: Any) -> Any:
    """Each picture as it is or flipped, with equal chances."""
    x = tensor(image)
    shape = () if x.ndim == 3 else (int(x.shape[0]), 1, 1, 1)
    return T.where(random.uniform(shape, seed=seed) < 0.5, flipped(x), x)


def random_flip_left_right(image: Any, seed: Any = None) -> Any:
    """flip_left_right, or not."""
    return _maybe(image, flip_left_right, seed)


def random_flip_up_down(image: Any, seed: Any = None) -> Any:
    """flip_up_down, or not."""
    return _maybe(image, flip_up_down, seed)


def stateless_random_flip_left_right(image: Any, seed: Any) -> Any:
    """random_flip_left_right, the same for the same seed."""
    return _maybe(image, flip_left_right, random._stateless(seed))


def stateless_random_flip_up_down(image: Any, seed: Any) -> Any:
    """random_flip_up_down, the same for the same seed."""
    return _maybe(image, flip_up_down, random._stateless(seed))


@symbolic
def crop_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Any:
    """A part of the picture."""
    top, left = int(offset_height), int(offset_width)
    bottom, right = top + int(target_height), left + int(target_width)
    x = tensor(image)
    if bottom > x.shape[-3] or right > x.shape[-2] or min(top, left) < 0:
        raise InvalidArgumentError(
            f"rows {top} … {bottom} and columns {left} … {right} are not within a picture of "
            f"{x.shape[-3]} x {x.shape[-2]}"
        )
    return x[..., top:bottom, left:right, :]


@symbolic
def pad_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Any:
    """The picture with zeros around it."""
    x = tensor(image)
    top, left = int(offset_height), int(offset_width)
    below = int(target_height) - top - int(x.shape[-3])
    right = int(target_width) - left - int(x.shape[-2])
    if min(top, left, below, right) < 0:
        raise InvalidArgumentError("the picture does not fit into the target")
    return _padded(x, left, right, top, below)


def _padded(x: Any, left: int, right: int, top: int, below: int) -> Any:
    return F.pad(x, [0, 0, left, right, top, below])


@symbolic
def central_crop(image: Any, central_fraction: float) -> Any:
    """The middle of the picture."""
    if not 0 < central_fraction <= 1:
        raise ValueError(f"central_fraction must be within (0, 1], got {central_fraction}")
    x = tensor(image)
    h, w = int(x.shape[-3]), int(x.shape[-2])
    top, left = int((h - h * central_fraction) / 2), int((w - w * central_fraction) / 2)
    return x[..., top : h - top, left : w - left, :]


@symbolic
def resize_with_crop_or_pad(image: Any, target_height: Any, target_width: Any) -> Any:
    """The middle of the picture, or the picture with zeros around it."""
    x = tensor(image)
    height, width = int(target_height), int(target_width)
    h, w = int(x.shape[-3]), int(x.shape[-2])
    top, left = max((h - height) // 2, 0), max((w - width) // 2, 0)
    x = x[..., top : top + min(height, h), left : left + min(width, w), :]
    above, before = max((height - h) // 2, 0), max((width - w) // 2, 0)
    return _padded(
        x, before, width - before - int(x.shape[-2]), above, height - above - int(x.shape[-3])
    )


def random_crop(value: Any, size: Any, seed: Any = None, name: str | None = None) -> Any:
    """A random part of the given size (of all axes)."""
    x, wanted = tensor(value), sizes(size)
    numbers = random._source(seed).numpy()
    index = []
    for n, k in zip(x.shape, wanted, strict=True):
        k = n if k == -1 else k
        if k > n:
            raise InvalidArgumentError(
                f"a part of size {wanted} does not fit into {tuple(x.shape)}"
            )
        first = int(numbers.integers(n - k + 1))
        index.append(slice(first, first + k))
    return x[tuple(index)]


def stateless_random_crop(value: Any, size: Any, seed: Any, name: str | None = None) -> Any:
    """random_crop, the same for the same seed."""
    return random_crop(value, size, random._stateless(seed))


def resize(
    images: Any, size: Any, method: str = "bilinear", preserve_aspect_ratio: bool = False,
    antialias: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Pictures of another height and width; floats, but for "nearest"."""
    return _resize(images, sizes(size), method, preserve_aspect_ratio, antialias)


@symbolic
def _resize(images: Any, size: Any, method: str, keep: bool, antialias: bool) -> Any:
    x = tensor(images)
    height, width = size
    if keep:
        scale = min(height / int(x.shape[-3]), width / int(x.shape[-2]))
        height, width = round(scale * int(x.shape[-3])), round(scale * int(x.shape[-2]))
    if (height, width) == tuple(x.shape[-3:-1]):
        return x
    if method == "nearest":
        return I.nearest(x, height, width)
    x = x if x.dtype.is_floating_point else x.to(dtypes.float32)
    return I.interpolated(x, height, width, method, antialias)


@symbolic
def resize_with_pad(
    image: Any,
    target_height: Any,
    target_width: Any,
    method: str = "bilinear",
    antialias: bool = False,
) -> Any:
    """As large as fits, with zeros around it."""
    x, height, width = tensor(image), int(target_height), int(target_width)
    h, w = int(x.shape[-3]), int(x.shape[-2])
    scale = min(height / h, width / w)
    inner = (max(round(h * scale), 1), max(round(w * scale), 1))
    out = resize(x, inner, method, antialias=antialias)
    above, before = (height - inner[0]) // 2, (width - inner[1]) // 2
    return _padded(out, before, width - before - inner[1], above, height - above - inner[0])


def extract_patches(
    images: Any, sizes: Any, strides: Any, rates: Any, padding: str, name: str | None = None
) -> Any:
    """Windows as vectors: (n, rows, columns, height x width x channels)."""
    return I.extract_patches(
        images, tuple(sizes[1:3]), tuple(strides[1:3]), int(rates[1]), padding.lower(),
        data_format="channels_last",
    )  # fmt: skip


@symbolic
def total_variation(images: Any, name: str | None = None) -> Any:
    """The sum of the differences between neighbours."""
    x = tensor(images)
    down = T.abs(x[..., 1:, :, :] - x[..., :-1, :, :]).sum((-3, -2, -1))
    return down + T.abs(x[..., :, 1:, :] - x[..., :, :-1, :]).sum((-3, -2, -1))


@symbolic
def image_gradients(image: Any) -> Any:
    """Differences to the pixel below and to the right, 0 at the last."""
    x = tensor(image)
    down = x[:, 1:] - x[:, :-1]
    right = x[:, :, 1:] - x[:, :, :-1]
    return F.pad(down, [0, 0, 0, 0, 0, 1]), F.pad(right, [0, 0, 0, 1])


@symbolic
def psnr(a: Any, b: Any, max_val: float, name: str | None = None) -> Any:
    """10 log₁₀(max² / mean squared difference) of pictures."""
    x, y = tensor(a).to(dtypes.float32), tensor(b).to(dtypes.float32)
    error = ((x - y) * (x - y)).mean((-3, -2, -1))
    return 20.0 * math.log10(max_val) - (10.0 / math.log(10)) * T.log(error)


@symbolic
def ssim(
    img1: Any, img2: Any, max_val: float, filter_size: int = 11, filter_sigma: float = 1.5,
    k1: float = 0.01, k2: float = 0.03, return_index_map: bool = False,
) -> Any:  # fmt: skip
    """Structural similarity of pictures: 1 for equal ones."""
    x, y = tensor(img1).to(dtypes.float32), tensor(img2).to(dtypes.float32)
    at = np.arange(filter_size) - (filter_size - 1) / 2
    g = np.exp(-(at**2) / (2 * filter_sigma**2)).astype(np.float32)
    g /= g.sum()

    def smooth(t: Any) -> Any:
        lead, (h, w, c) = tuple(t.shape[:-3]), tuple(t.shape[-3:])
        flat = t.reshape(-1, h, w, c).permute(0, 3, 1, 2).reshape(-1, 1, h, w)
        kernel = fromdata.from_owned(np.outer(g, g)[None, None])
        out = F.conv2d(flat, kernel)
        return out.reshape(*lead, c, *out.shape[-2:])

    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    mx, my = smooth(x), smooth(y)
    vx, vy, both = smooth(x * x) - mx * mx, smooth(y * y) - my * my, smooth(x * y) - mx * my
    found = ((2 * mx * my + c1) * (2 * both + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return found.mean((-2, -1)).mean(-1)


@symbolic
def sobel_edges(image: Any) -> Any:
    """Slopes down and to the right: (…, height, width, channels, 2)."""
    x = tensor(image)
    down = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], np.float32)
    n, h, w, c = x.shape
    flat = x.permute(0, 3, 1, 2).reshape(n * c, 1, h, w)
    kernels = fromdata.from_owned(np.stack([down, down.T])[:, None])
    out = F.conv2d(F.pad(flat, [1, 1, 1, 1], mode="reflect"), kernels)
    return out.reshape(n, c, 2, h, w).permute(0, 3, 4, 1, 2)


__getattr__ = later(__name__)
