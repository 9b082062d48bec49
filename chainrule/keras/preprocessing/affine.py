"""Random maps of the plane, brightness and colours for single images, in NumPy: what older programs
call by name, and what ImageDataGenerator is made of.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.images import array_to_img, img_to_array


def apply_affine_transform(
    x: np.ndarray,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> np.ndarray:
    """An image turned by `theta` degrees, shifted by (tx, ty), sheared by `shear` degrees and made
    smaller by (zx, zy), about its middle.

    `fill_mode`: what is outside of the image: "constant" (`cval`), "nearest", "reflect", "wrap".
    `order` 0 takes the nearest pixel, 1 the mean of the nearest four.
    """
    if x.ndim != 3:
        raise ValueError("Input arrays must be multi-channel 2D images.")
    if {row_axis, col_axis, channel_axis} != {0, 1, 2} or channel_axis == 1:
        raise ValueError(
            "row_axis, col_axis and channel_axis must be 0, 1 and 2, with the channels first or "
            f"last; got {row_axis}, {col_axis}, {channel_axis}"
        )
    matrix = np.eye(3)
    if theta:
        matrix = matrix @ _plane(_cos(theta), -_sin(theta), 0, _sin(theta), _cos(theta), 0)
    if tx or ty:
        matrix = matrix @ _plane(1, 0, tx, 0, 1, ty)
    if shear:
        matrix = matrix @ _plane(1, -_sin(shear), 0, 0, _cos(shear), 0)
    if zx != 1 or zy != 1:
        matrix = matrix @ _plane(zx, 0, 0, 0, zy, 0)
    if np.array_equal(matrix, np.eye(3)):
        return x
    height, width = x.shape[row_axis], x.shape[col_axis]
    down, right = height / 2 - 0.5, width / 2 - 0.5
    matrix = _plane(1, 0, down, 0, 1, right) @ matrix @ _plane(1, 0, -down, 0, 1, -right)
    if col_axis > row_axis:  # Keras's maps are of (column, row) there
        matrix = matrix[[1, 0, 2]][:, [1, 0, 2]]
    image = np.moveaxis(x, (row_axis, col_axis, channel_axis), (0, 1, 2))
    out = _sampled(image, matrix, fill_mode, cval, order)
    return np.moveaxis(out, (0, 1, 2), (row_axis, col_axis, channel_axis))


def _plane(*rows: float) -> np.ndarray:
    return np.array([rows[:3], rows[3:], (0, 0, 1)], np.float64)


def _sin(degrees: float) -> float:
    return float(np.sin(np.deg2rad(degrees)))


def _cos(degrees: float) -> float:
    return float(np.cos(np.deg2rad(degrees)))


def _sampled(
    image: np.ndarray, matrix: np.ndarray, mode: str, cval: float, order: int
) -> np.ndarray:
    """Pixel (i, j) of the result is read at matrix · (i, j, 1)."""
    if order not in (0, 1):
        raise NotImplementedError(f"interpolation_order must be 0 or 1, got {order}")
    h, w = image.shape[:2]
    i, j = np.mgrid[:h, :w]
    places = [matrix[k, 0] * i + matrix[k, 1] * j + matrix[k, 2] for k in (0, 1)]
    inside = np.ones((h, w), bool)
    for k, size in enumerate((h, w)):
        inside &= (places[k] >= 0) & (places[k] <= size - 1)
        places[k] = _within(places[k], size, mode)
    if order == 0:
        rows, columns = (np.rint(p).astype(int) for p in places)
        out = image[rows, columns]
    else:
        low = [np.floor(p).astype(int) for p in places]
        part = [(p - f)[..., None] for p, f in zip(places, low, strict=True)]
        high = [np.minimum(f + 1, n - 1) for f, n in zip(low, (h, w), strict=True)]
        top = image[low[0], low[1]] * (1 - part[1]) + image[low[0], high[1]] * part[1]
        bottom = image[high[0], low[1]] * (1 - part[1]) + image[high[0], high[1]] * part[1]
        out = top * (1 - part[0]) + bottom * part[0]
    if mode == "constant":
        out = np.where(inside[..., None], out, cval)
    return out.astype(image.dtype)


def _within(places: np.ndarray, size: int, mode: str) -> np.ndarray:
    """Places outside of [0, size - 1] as places inside."""
    if mode == "reflect":
        places = np.mod(places + 0.5, 2 * size)
        places = np.where(places > size, 2 * size - places, places) - 0.5
    elif mode == "wrap":
        places = np.mod(places, size - 1) if size > 1 else 0 * places
    elif mode not in ("nearest", "constant"):
        raise ValueError(
            f"fill_mode must be 'constant', 'nearest', 'reflect' or 'wrap', got {mode!r}"
        )
    return np.clip(places, 0, size - 1)


def apply_channel_shift(x: np.ndarray, intensity: float, channel_axis: int = 0) -> np.ndarray:
    """A number added to all channels, within the range that the image has."""
    return np.clip(x + intensity, x.min(), x.max())


def apply_brightness_shift(x: np.ndarray, brightness: float, scale: bool = True) -> np.ndarray:
    """All values times `brightness`, as pillow does with bytes."""
    from PIL import ImageEnhance

    low, high = np.min(x), np.max(x)
    outside = bool(low < 0 or high > 255)
    image = ImageEnhance.Brightness(array_to_img(x, scale=outside or scale)).enhance(brightness)
    out = img_to_array(image)
    return out / 255 * (high - low) + low if outside and not scale else out


def random_rotation(
    x: np.ndarray, rg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> np.ndarray:  # fmt: skip
    """Turned by up to `rg` degrees either way."""
    theta = np.random.uniform(-rg, rg)
    return apply_affine_transform(
        x, theta, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_shift(
    x: np.ndarray, wrg: float, hrg: float, row_axis: int = 1, col_axis: int = 2,
    channel_axis: int = 0, fill_mode: str = "nearest", cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:  # fmt: skip
    """Shifted by parts of the width and of the height."""
    tx = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    ty = np.random.uniform(-wrg, wrg) * x.shape[col_axis]
    return apply_affine_transform(
        x, tx=tx, ty=ty, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_shear(
    x: np.ndarray, intensity: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> np.ndarray:  # fmt: skip
    """Sheared by up to `intensity` degrees either way."""
    shear = np.random.uniform(-intensity, intensity)
    return apply_affine_transform(
        x, shear=shear, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_zoom(
    x: np.ndarray, zoom_range: Any, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> np.ndarray:  # fmt: skip
    """Made smaller by factors between those of `zoom_range`."""
    if len(zoom_range) != 2:
        raise ValueError(
            f"`zoom_range` should be a tuple or list of two floats. Received: {zoom_range}"
        )
    low, high = zoom_range
    zx, zy = (1, 1) if low == high == 1 else np.random.uniform(low, high, 2)
    return apply_affine_transform(
        x, zx=zx, zy=zy, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_channel_shift(
    x: np.ndarray, intensity_range: float, channel_axis: int = 0
) -> np.ndarray:
    """A number up to ± `intensity_range` added to all channels."""
    return apply_channel_shift(x, np.random.uniform(-intensity_range, intensity_range))


def random_brightness(x: np.ndarray, brightness_range: Any, scale: bool = True) -> np.ndarray:
    """All values times a number between those of `brightness_range`."""
    if len(brightness_range) != 2:
        raise ValueError(
            f"`brightness_range should be tuple or list of two floats. Received: {brightness_range}"
        )
    return apply_brightness_shift(x, np.random.uniform(*brightness_range), scale)
