"""The arithmetic of colours, on planes (…, C, H, W): PyTorch's rules for tensors, in NumPy.

Floats run from 0 to 1, integers from 0 to the largest of their type. Integers are computed in
float32 and cut off (not rounded) on the way back, as PyTorch's vision library does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def bound(dtype: np.dtype[Any]) -> int:
    """White: 1 for floats, the largest number for integers."""
    return int(np.iinfo(dtype).max) if dtype.kind in "iu" else 1


def check_channels(x: Array, permitted: tuple[int, ...] = (1, 3)) -> None:
    """`TypeError` where the image has not one of these numbers of channels."""
    channels = 1 if x.ndim == 2 else x.shape[-3]
    if channels not in permitted:
        raise TypeError(
            f"Input image tensor permitted channel values are {list(permitted)}, but found "
            f"{channels}"
        )


def check_axes(x: Array) -> None:
    """`TypeError` for an image without an axis of channels."""
    if x.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {x.ndim}")


def working(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type to compute in: a float stays, an integer becomes float32."""
    return dtype if dtype.kind == "f" else np.dtype(np.float32)


def converted(x: Array, target: np.dtype[Any]) -> Array:
    """The image in another element type, its range of values scaled along."""
    if x.dtype == target:
        return x.copy()
    if x.dtype.kind not in "iu":
        if target.kind not in "iu":
            return x.astype(target)
        unsafe = {"f2": (4, 8), "f4": (4, 8), "f8": (8,)}[x.dtype.str[1:]]
        if x.dtype.kind == "f" and target.itemsize in unsafe:
            raise RuntimeError(
                f"The cast from chainrule.{x.dtype} to chainrule.{target} cannot be performed "
                "safely."
            )
        return (x * np.asarray(bound(target) + 1.0 - 1e-3, x.dtype)).astype(target)
    top = bound(x.dtype)
    if target.kind not in "iu":
        return x.astype(target) / np.asarray(top, target)
    if bound(target) < top:
        return (x // ((top + 1) // (bound(target) + 1))).astype(target)
    return x.astype(target) * np.asarray((bound(target) + 1) // (top + 1), target)


def blend(x: Array, other: Array, ratio: float) -> Array:
    """ratio · x + (1 - ratio) · other, cut off at black and white."""
    kind = working(x.dtype).type
    mixed = x * kind(ratio) + other * kind(1.0 - float(ratio))
    return np.clip(mixed, 0, bound(x.dtype), out=mixed).astype(x.dtype)


def luminance(x: Array) -> Array:
    """0.2989 R + 0.587 G + 0.114 B, one channel; grey stays as it is."""
    if x.shape[-3] == 1:
        return x
    kind = working(x.dtype).type
    red, green, blue = (x[..., c : c + 1, :, :] for c in range(3))
    return (red * kind(0.2989) + green * kind(0.587) + blue * kind(0.114)).astype(x.dtype)


def adjust_brightness(x: Array, factor: float) -> Array:
    """factor · x."""
    check_channels(x)
    return blend(x, np.zeros((), working(x.dtype)), factor)


def adjust_contrast(x: Array, factor: float) -> Array:
    """The image away from its mean grey (factor > 1) or towards it."""
    check_channels(x)
    grey = x if x.ndim == 2 else luminance(x)
    axes = tuple(range(-min(3, x.ndim), 0))
    mean = grey.astype(working(x.dtype)).mean(axis=axes, keepdims=True)
    return blend(x, mean, factor)


def adjust_saturation(x: Array, factor: float) -> Array:
    """The image away from its grey version (factor > 1) or towards it."""
    check_channels(x)
    if x.ndim == 2 or x.shape[-3] == 1:
        return x
    return blend(x, luminance(x), factor)


def adjust_hue(x: Array, factor: float) -> Array:
    """The hues turned by `factor` of the whole circle, -0.5 … 0.5."""
    check_channels(x)
    if x.ndim == 2 or x.shape[-3] == 1:
        return x
    h, s, v = _to_hsv(converted(x, np.dtype(np.float32)))
    return converted(_from_hsv((h + np.float32(factor)) % np.float32(1), s, v), x.dtype)


def _to_hsv(x: Array) -> tuple[Array, Array, Array]:
    r, g, b = x[..., 0, :, :], x[..., 1, :, :], x[..., 2, :, :]
    high, low = x.max(axis=-3), x.min(axis=-3)
    flat, spread = high == low, high - low
    saturation = spread / np.where(flat, np.float32(1), high)
    divisor = np.where(flat, np.float32(1), spread)
    rc, gc, bc = (high - r) / divisor, (high - g) / divisor, (high - b) / divisor
    hue = np.where(high == r, bc - gc, np.where(high == g, 2 + rc - bc, 4 + gc - rc))
    return np.fmod(hue / 6 + 1, np.float32(1)), saturation, high


def _from_hsv(h: Array, s: Array, v: Array) -> Array:
    sector = np.floor(h * 6)
    f = h * 6 - sector
    p = np.clip(v * (1 - s), 0, 1)
    q = np.clip(v * (1 - s * f), 0, 1)
    t = np.clip(v * (1 - s * (1 - f)), 0, 1)
    which = sector.astype(np.int64) % 6
    red = np.choose(which, (v, q, p, p, t, v))
    green = np.choose(which, (t, v, v, q, p, p))
    blue = np.choose(which, (p, p, t, v, v, q))
    return np.stack([red, green, blue], axis=-3)


def adjust_gamma(x: Array, gamma: float, gain: float = 1) -> Array:
    """gain · x ** gamma, on values 0 … 1."""
    check_channels(x)
    exact = x if x.dtype.kind == "f" else converted(x, np.dtype(np.float32))
    kind = exact.dtype.type
    return converted(np.clip(kind(gain) * exact ** kind(gamma), 0, 1), x.dtype)


def invert(x: Array) -> Array:
    """White - x."""
    check_axes(x)
    check_channels(x)
    return np.asarray(bound(x.dtype), x.dtype) - x


def posterize(x: Array, bits: int) -> Array:
    """Bytes with only their upper `bits` bits."""
    check_axes(x)
    if x.dtype != np.uint8:
        raise TypeError(f"Only chainrule.uint8 image tensors are supported, but found {x.dtype}")
    check_channels(x)
    return x & np.uint8(256 - 2 ** (8 - bits))


def solarize(x: Array, threshold: float) -> Array:
    """Inverted where the pixel is at least `threshold`."""
    check_axes(x)
    check_channels(x)
    if threshold > bound(x.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return np.where(x >= threshold, invert(x), x)


def adjust_sharpness(x: Array, factor: float) -> Array:
    """The image away from a smoothed one (factor > 1) or towards it; the border stays."""
    check_channels(x)
    if x.shape[-1] <= 2 or x.shape[-2] <= 2:
        return x
    exact = x.astype(working(x.dtype))
    h, w = x.shape[-2:]
    total = np.zeros((*x.shape[:-2], h - 2, w - 2), exact.dtype)
    for dy in range(3):
        for dx in range(3):
            weight = exact.dtype.type((5 if dx == dy == 1 else 1) / 13)
            total += weight * exact[..., dy : dy + h - 2, dx : dx + w - 2]
    smooth = x.copy()
    smooth[..., 1:-1, 1:-1] = np.rint(total) if x.dtype.kind in "iu" else total
    return blend(x, smooth, factor)


def autocontrast(x: Array) -> Array:
    """Each channel stretched from black to white; a channel of one value stays."""
    check_axes(x)
    check_channels(x)
    kind, top = working(x.dtype).type, bound(x.dtype)
    low = x.min(axis=(-2, -1), keepdims=True).astype(kind)
    span = x.max(axis=(-2, -1), keepdims=True).astype(kind) - low
    flat = span == 0
    scale = np.where(flat, kind(1), kind(1) / np.where(flat, kind(1), span) * kind(top))
    return np.clip((x - np.where(flat, kind(0), low)) * scale, 0, top).astype(x.dtype)


def equalize(x: Array) -> Array:
    """Each channel of bytes with as many pixels of one brightness as of another."""
    if x.ndim not in (3, 4):
        raise TypeError(f"Input image tensor should have 3 or 4 dimensions, but found {x.ndim}")
    if x.dtype != np.uint8:
        raise TypeError(f"Only chainrule.uint8 image tensors are supported, but found {x.dtype}")
    check_channels(x)
    flat = x.reshape(-1, x.shape[-2] * x.shape[-1])
    return np.stack([_equalized(channel) for channel in flat]).reshape(x.shape)


def _equalized(channel: Array) -> Array:
    counts = np.bincount(channel, minlength=256)
    used = counts[counts != 0]
    step = int(used[:-1].sum()) // 255
    if step == 0:
        return channel
    table = (np.cumsum(counts) + step // 2) // step
    table = np.r_[0, table[:-1]].clip(0, 255).astype(np.uint8)
    return table[channel]
