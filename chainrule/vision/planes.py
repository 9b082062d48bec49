"""The arithmetic of the transforms, on planes: NumPy arrays (…, C, H, W). No randomness here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# The weights of the colours in grey: ITU-R 601-2, in 1/65536 as pillow has them
_GREY = (19595, 38470, 7471)
_PAD_MODES = {"edge": "edge", "reflect": "reflect", "symmetric": "symmetric"}


def unit(x: Array, dtype: Any = np.float32) -> Array:
    """Bytes 0 … 255 to numbers 0 … 1: x / 255. Other element types stay as they are."""
    if x.dtype != np.uint8:
        return np.ascontiguousarray(x)
    result = np.empty(x.shape, dtype)  # contiguous, whatever the strides of x
    np.divide(x, result.dtype.type(255), out=result)
    return result


def crop(x: Array, top: int, left: int, height: int, width: int) -> Array:
    """x[…, top:top+height, left:left+width]; outside of the image it is 0."""
    h, w = x.shape[-2:]
    before = max(-left, 0), max(-top, 0)
    after = max(left + width - w, 0), max(top + height - h, 0)
    if any((*before, *after)):
        x = pad(x, (*before, *after))
        top, left = top + before[1], left + before[0]
    return x[..., top : top + height, left : left + width]


def center_crop(x: Array, height: int, width: int) -> Array:
    """The middle of the image; where the image is smaller, zeros around it."""
    h, w = x.shape[-2:]
    if width > w or height > h:
        dx, dy = max(width - w, 0), max(height - h, 0)
        x = pad(x, (dx // 2, dy // 2, (dx + 1) // 2, (dy + 1) // 2))
        h, w = x.shape[-2:]
    return crop(x, round((h - height) / 2.0), round((w - width) / 2.0), height, width)


def pad(
    x: Array,
    padding: tuple[int, int, int, int],
    fill: float | Sequence[float] = 0,
    mode: str = "constant",
) -> Array:
    """More columns and rows: `padding` is (left, top, right, bottom); negative numbers cut."""
    left, top, right, bottom = padding
    h, w = x.shape[-2:]
    x = x[..., max(-top, 0) : h - max(-bottom, 0), max(-left, 0) : w - max(-right, 0)]
    around = [(0, 0)] * (x.ndim - 2) + [
        (max(top, 0), max(bottom, 0)),
        (max(left, 0), max(right, 0)),
    ]
    if mode != "constant":
        return np.pad(x, around, mode=_PAD_MODES[mode])  # type: ignore[call-overload]  # a str
    if isinstance(fill, int | float):
        return np.pad(x, around, constant_values=np.asarray(fill).astype(x.dtype))
    result = np.pad(x, around)
    inside = tuple(slice(b, b + n) for (b, _), n in zip(around, x.shape, strict=True))
    border = np.ones(result.shape[-2:], dtype=bool)
    border[inside[-2:]] = False
    colour = np.asarray(fill, dtype=x.dtype)[:, None]  # (C, 1)
    result[..., border] = colour
    return result


def hflip(x: Array) -> Array:
    """The mirror image, left and right exchanged."""
    return x[..., ::-1]


def vflip(x: Array) -> Array:
    """Upside down."""
    return x[..., ::-1, :]


def grey(x: Array, kind: str, channels: int) -> Array:
    """Grey, of one channel or of three equal ones.

    Images: (19595 R + 38470 G + 7471 B + 32768) / 65536, rounded down, as pillow computes it.
    Tensors: 0.2989 R + 0.587 G + 0.114 B, as torchvision does.
    """
    if kind == "tensor" and x.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {x.ndim}")
    if x.shape[-3] not in (1, 3, 4) or (kind == "tensor" and x.shape[-3] == 4):
        raise TypeError(
            f"Input image tensor permitted channel values are [1, 3], but found {x.shape[-3]}"
        )
    if x.shape[-3] != 1:
        red, green, blue = (x[..., c : c + 1, :, :] for c in range(3))
        if kind == "image":
            r, g, b = (plane.astype(np.uint32) for plane in (red, green, blue))
            total = _GREY[0] * r + _GREY[1] * g + _GREY[2] * b
            x = ((total + 0x8000) >> 16).astype(x.dtype)
        else:
            x = (0.2989 * red + 0.587 * green + 0.114 * blue).astype(x.dtype)
    return np.repeat(x, channels, axis=-3) if channels > 1 else x


def normalize(x: Array, mean: Array, std: Array) -> Array:
    """(x - mean) / std, channel by channel; mean and std are (C, 1, 1)."""
    result = x - mean
    result /= std
    return result


# Resizing


def resized_shape(
    shape: tuple[int, ...], size: int | Sequence[int], max_size: int | None = None
) -> tuple[int, int]:
    """The shape that `Resize(size, max_size=…)` gives an image of shape (…, h, w).

    One number is the shorter edge; the longer follows, rounded down, and is at most `max_size`.
    """
    h, w = shape[-2:]
    if not isinstance(size, int):
        if len(size) == 2:
            return int(size[0]), int(size[1])
        size = int(size[0])
    short, long = (w, h) if w <= h else (h, w)
    new_short, new_long = size, int(size * long / short)
    if max_size is not None:
        if max_size <= size:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the "
                f"smaller edge size = {size}"
            )
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_long, new_short) if w <= h else (new_short, new_long)


def resize(x: Array, height: int, width: int, method: str, kind: str, antialias: bool) -> Array:
    """The image at another size.

    "nearest": the pixel under the new pixel's centre (images) or its corner (tensors);
    "nearest-exact": under its centre. "bilinear", "bicubic" and, for images, "box", "hamming",
    "lanczos": weighted means with the filter stretched over the pixels that shrink into one
    (antialias; images always). Images are rounded to bytes after the rows and again after the
    columns, with weights of 22 bits, as pillow does (up to its version 12: a newer one may begin
    with the columns, and then differ in the last bit); tensors are computed in float32.
    """
    h, w = x.shape[-2:]
    if (h, w) == (height, width):
        return x
    if kind == "image" and method.startswith("nearest"):
        return x[..., _nearest(h, height, "image")[:, None], _nearest(w, width, "image")]
    if method.startswith("nearest"):
        return x[..., _nearest(h, height, method)[:, None], _nearest(w, width, method)]
    if kind == "tensor":
        check_method(method)
    antialias = antialias or kind == "image"
    across, down = (_weights(n, m, method, antialias) for n, m in ((w, width), (h, height)))
    if kind == "image" and x.dtype == np.uint8:
        x = _rounded(x @ _fixed(across).T) if w != width else x
        return _rounded(_fixed(down) @ x) if h != height else x
    exact = x.astype(np.float64 if x.dtype == np.float64 else np.float32)
    result = down.astype(exact.dtype) @ (exact @ across.T.astype(exact.dtype))
    if x.dtype.kind in "iu":
        limits = np.iinfo(x.dtype)
        return np.rint(result).clip(limits.min, limits.max).astype(x.dtype)
    return result.astype(x.dtype)


def check_method(method: str) -> None:
    """`NotImplementedError` for a filter that only images have."""
    if method in ("box", "hamming", "lanczos"):
        raise NotImplementedError(
            f"tensors are resized with nearest, nearest-exact, bilinear or bicubic; {method} is "
            "for images"
        )


def resampling(
    shape: tuple[int, ...], height: int, width: int, method: str, antialias: bool
) -> tuple[Array, Array]:
    """`resize` of a tensor as two matrices: down (height, h) and across (width, w)."""
    h, w = shape[-2:]
    check_method(method)
    if method.startswith("nearest"):
        rows, columns = _nearest(h, height, method), _nearest(w, width, method)
        return np.eye(h)[rows], np.eye(w)[columns]
    return _weights(h, height, method, antialias), _weights(w, width, method, antialias)


def _nearest(n: int, m: int, how: str) -> Array:
    """For each of m new pixels the old one, of n; rounded where pillow and PyTorch round."""
    if how == "image":  # pillow goes from one centre to the next, adding
        places = np.add.accumulate(np.r_[n / m * 0.5, np.full(m - 1, n / m)])
    else:
        shift = np.float32(0.5 if how == "nearest-exact" else 0)
        places = np.floor((np.arange(m, dtype=np.float32) + shift) * np.float32(n / m))
    return np.minimum(places.astype(np.int64), n - 1)


_FRACTION = 22  # bits after the point in pillow's weights


def _fixed(weights: Array) -> Array:
    """Weights in 1/2²², as whole numbers in float64 (so that a matrix product stays exact)."""
    return np.trunc(weights * 2.0**_FRACTION + np.copysign(0.5, weights))


def _rounded(sums: Array) -> Array:
    return np.floor((sums + 2.0 ** (_FRACTION - 1)) / 2.0**_FRACTION).clip(0, 255).astype(np.uint8)


#: Pillow's filters: how far each reaches.
_SUPPORT = {"box": 0.5, "bilinear": 1.0, "hamming": 1.0, "bicubic": 2.0, "lanczos": 3.0}


def _weights(n: int, m: int, method: str, antialias: bool) -> Array:
    """The matrix (m, n) that resamples a row of n pixels to m."""
    scale = n / m
    stretch = max(scale, 1.0) if antialias else 1.0
    centers = (np.arange(m) + 0.5) * scale
    if not antialias:  # pixels outside of the image count as its edge
        return _without_antialias(n, m, centers, method)
    reach = _SUPPORT[method] * stretch
    first = np.maximum(np.trunc(centers - reach + 0.5), 0)[:, None]
    last = np.minimum(np.trunc(centers + reach + 0.5), n)[:, None]
    pixel = np.arange(n)
    weights = _filter(method, (pixel + 0.5 - centers[:, None]) / stretch)
    weights[(pixel < first) | (pixel >= last)] = 0
    return weights / weights.sum(axis=1, keepdims=True)


def _filter(method: str, x: Array) -> Array:
    if method == "bilinear":
        return _triangle(x)
    if method == "bicubic":  # torch's cubic without antialias uses a = -0.75; this one a = -0.5
        return _cubic(x, -0.5)
    if method == "box":
        return ((x > -0.5) & (x <= 0.5)).astype(np.float64)
    if method == "hamming":
        return np.where(np.abs(x) < 1, np.sinc(x) * (0.54 + 0.46 * np.cos(np.pi * x)), 0.0)
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def _without_antialias(n: int, m: int, centers: Array, method: str) -> Array:
    if method == "bilinear":
        centers = np.maximum(centers, 0.5)
    base = np.floor(centers - 0.5).astype(np.int64)
    weights = np.zeros((m, n))
    for tap in (0, 1) if method == "bilinear" else (-1, 0, 1, 2):
        distance = base + tap + 0.5 - centers
        weight = _triangle(distance) if method == "bilinear" else _cubic(distance, -0.75)
        np.add.at(weights, (np.arange(m), np.clip(base + tap, 0, n - 1)), weight)
    return weights


def _triangle(x: Array) -> Array:
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x: Array, a: float) -> Array:
    """Keys's kernel: piecewise cubic, 1 at 0, 0 at the other whole numbers."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
