"""The transforms of tensors that require a gradient, as tensor arithmetic.

The same formulas as `chainrule.vision.planes`, `colours` and `warps`, which are faster where no
derivative is asked for. Integers need none of this.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.nn import functional as NF
from chainrule.tensor import Tensor
from chainrule.tensor.creation import zeros
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import cat, stack, where
from chainrule.vision import planes, warps

Fill = float | Sequence[float] | None


def hflip(x: Tensor) -> Tensor:
    """Left and right exchanged."""
    return x.flip(-1)


def vflip(x: Tensor) -> Tensor:
    """Upside down."""
    return x.flip(-2)


def crop(x: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """A rectangle; black outside of the image."""
    h, w = x.shape[-2:]
    right, bottom = left + width, top + height
    around = max(-left, 0), max(-top, 0), max(right - w, 0), max(bottom - h, 0)
    if any(around):
        x = pad(x, around, 0, "constant")
        top, left = top + around[1], left + around[0]
    return x[..., top : top + height, left : left + width]


def pad(x: Tensor, around: tuple[int, int, int, int], fill: Fill, mode: str) -> Tensor:
    """A border of (left, top, right, bottom) pixels."""
    if mode == "constant" and isinstance(fill, int | float):
        left, top, right, bottom = around
        return NF.pad(x, [left, right, top, bottom], value=float(fill))
    h, w = x.shape[-2:]
    numbers = np.arange(h * w).reshape(1, h, w)
    if mode != "constant":
        source = planes.pad(numbers, around, 0, mode)[0]
        return x.flatten(-2)[..., from_owned(source.reshape(-1))].reshape(
            *x.shape[:-2], *source.shape
        )
    inside = pad(x, around, 0, "constant")
    mask = planes.pad(np.ones((1, h, w), np.bool_), around, 0, "constant")[0]
    colour = from_owned(np.asarray(fill, x.dtype.np).reshape(-1, 1, 1))
    return where(from_owned(mask), inside, colour)


def resize(x: Tensor, height: int, width: int, method: str, antialias: bool) -> Tensor:
    """Another size: rows and columns are weighted sums of the old ones."""
    down, across = planes.resampling(x.shape, height, width, method, antialias)
    rows, columns = (from_owned(m.astype(x.dtype.np)) for m in (down, across))
    return rows @ (x @ columns.T)


def grey(x: Tensor, channels: int) -> Tensor:
    """Grey, of one channel or three equal ones."""
    one = _luminance(x)
    return one.expand(*one.shape[:-3], 3, *one.shape[-2:]) if channels == 3 else one


def _luminance(x: Tensor) -> Tensor:
    if x.shape[-3] == 1:
        return x
    weights = from_owned(np.array([0.2989, 0.587, 0.114], x.dtype.np).reshape(3, 1, 1))
    return (x * weights).sum(-3, keepdim=True)


def _blend(x: Tensor, other: Tensor | float, ratio: float) -> Tensor:
    return (x * ratio + other * (1.0 - ratio)).clamp(0, 1)


def adjust_brightness(x: Tensor, factor: float) -> Tensor:
    """factor · x."""
    return _blend(x, 0.0, factor)


def adjust_contrast(x: Tensor, factor: float) -> Tensor:
    """Away from the mean grey, or towards it."""
    return _blend(x, _luminance(x).mean((-3, -2, -1), keepdim=True), factor)


def adjust_saturation(x: Tensor, factor: float) -> Tensor:
    """Away from grey, or towards it."""
    return x if x.shape[-3] == 1 else _blend(x, _luminance(x), factor)


def adjust_hue(x: Tensor, factor: float) -> Tensor:
    """The hues turned by a part of the circle."""
    if x.shape[-3] == 1:
        return x
    r, g, b = x.unbind(-3)
    high, low = x.max(-3).values, x.min(-3).values
    flat = high == low
    spread = high - low
    s = spread / where(flat, 1.0, high)
    divisor = where(flat, 1.0, spread)
    rc, gc, bc = (high - r) / divisor, (high - g) / divisor, (high - b) / divisor
    h = where(high == r, bc - gc, where(high == g, rc - bc + 2.0, gc - rc + 4.0))
    h = ((h / 6.0 + 1.0).fmod(1.0) + factor) % 1.0
    sector = (h * 6.0).floor()
    f = h * 6.0 - sector.detach()
    v = high
    p, q, t = (
        (v * (1.0 - s)).clamp(0, 1),
        (v * (1.0 - s * f)).clamp(0, 1),
        (v * (1.0 - s * (1.0 - f))).clamp(0, 1),
    )
    which = sector.detach() % 6
    result = []
    for parts in ((v, q, p, p, t, v), (t, v, v, q, p, p), (p, p, t, v, v, q)):
        channel = parts[5]
        for number, part in enumerate(parts[:5]):
            channel = where(which == number, part, channel)
        result.append(channel)
    return stack(result, -3)


def adjust_gamma(x: Tensor, gamma: float, gain: float = 1) -> Tensor:
    """gain · x ** gamma."""
    return (gain * x**gamma).clamp(0, 1)


def invert(x: Tensor) -> Tensor:
    """1 - x."""
    return 1 - x


def solarize(x: Tensor, threshold: float) -> Tensor:
    """Inverted from `threshold` on."""
    if threshold > 1:
        raise TypeError("Threshold should be less than bound of img.")
    return where(x >= threshold, 1 - x, x)


def adjust_sharpness(x: Tensor, factor: float) -> Tensor:
    """Away from a smoothed image, or towards it; the border stays."""
    h, w = x.shape[-2:]
    if h <= 2 or w <= 2:
        return x
    kernel = np.ones((1, 1, 3, 3), x.dtype.np)
    kernel[0, 0, 1, 1] = 5.0
    smooth = _convolved(x, kernel / kernel.sum())
    rows = cat([x[..., 1:-1, :1], smooth, x[..., 1:-1, -1:]], -1)
    return _blend(x, cat([x[..., :1, :], rows, x[..., -1:, :]], -2), factor)


def _convolved(x: Tensor, kernel: np.ndarray) -> Tensor:
    h, w = x.shape[-2:]
    result = NF.conv2d(x.reshape(-1, 1, h, w), from_owned(kernel))
    return result.reshape(*x.shape[:-2], *result.shape[-2:])


def autocontrast(x: Tensor) -> Tensor:
    """Each channel from black to white."""
    low, high = x.amin((-2, -1), keepdim=True), x.amax((-2, -1), keepdim=True)
    flat = low == high
    scale = 1.0 / where(flat, 1.0, high - low)
    return ((x - where(flat, 0.0, low)) * scale).clamp(0, 1)


def gaussian_blur(x: Tensor, size: Sequence[int], sigma: Sequence[float]) -> Tensor:
    """Weighted means of `size` = (width, height) pixels."""
    across, down = (
        warps.gaussian_kernel(n, s, x.dtype.np) for n, s in zip(size, sigma, strict=True)
    )
    px, py = size[0] // 2, size[1] // 2
    padded = pad(x, (px, py, px, py), 0, "reflect")
    return _convolved(padded, (down[:, None] * across[None, :])[None, None])


def sample(x: Tensor, grid: np.ndarray, mode: str, fill: Fill) -> Tensor:
    """The image at the places of a grid (H', W', 2), see `warps`."""
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"Interpolation mode '{mode}' is unsupported with Tensor input")
    images = x.reshape(-1, x.shape[-3], *x.shape[-2:])
    places = from_owned(np.array(grid[None], x.dtype.np)).expand(len(images), *grid.shape)
    options = {"mode": mode, "padding_mode": "zeros", "align_corners": False}
    result = NF.grid_sample(images, places, **options)  # type: ignore[arg-type]  # three strings
    if fill is not None:
        white = zeros(1, 1, *x.shape[-2:], dtype=x.dtype) + 1
        inside = NF.grid_sample(white, places[:1], **options)  # type: ignore[arg-type]
        colour = from_owned(np.asarray(fill, x.dtype.np).reshape(-1, 1, 1))
        if mode == "nearest":
            result = where(inside < 0.5, colour, result)
        else:
            result = result * inside + (1.0 - inside) * colour
    return result.reshape(*x.shape[:-2], *result.shape[-2:])


def erase(x: Tensor, top: int, left: int, height: int, width: int, value: Tensor) -> Tensor:
    """`value` instead of a rectangle."""
    mask = np.zeros(tuple(x.shape[-2:]), np.bool_)
    mask[top : top + height, left : left + width] = True
    h, w = x.shape[-2:]
    around = (left, w - left - width, top, h - top - height)
    whole = value.expand(*value.shape[:-2], height, width)
    return where(from_owned(mask), NF.pad(whole, list(around)), x)
