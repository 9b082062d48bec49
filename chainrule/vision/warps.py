"""Turning, shearing, bending and blurring, on planes (…, C, H, W), with PyTorch's rules.

A grid (H', W', 2) says for each new pixel where in the old image it comes from: x and y, from -1
(the outer edge of the first pixel) to 1 (that of the last one). Outside of the image lies `fill`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.vision.colours import working

Array = np.ndarray[Any, np.dtype[Any]]
Fill = float | Sequence[float] | None


def ramp(start: float, stop: float, steps: int) -> Array:
    """Even steps in float32, counted from both ends as PyTorch counts them."""
    first, last = np.float32(start), np.float32(stop)
    step = (last - first) / np.float32(steps - 1) if steps > 1 else np.float32(0)
    i = np.arange(steps, dtype=np.float32)
    return np.where(i < steps // 2, first + step * i, last - step * (np.float32(steps - 1) - i))


def inverse_affine_matrix(
    center: Sequence[float],
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
    inverted: bool = True,
) -> list[float]:
    """The six numbers that lead from a new pixel to the old one (`inverted`), or the other way.

    M = T · C · R(angle) · Shear · scale · C⁻¹ with angles in degrees, `center` C, `translate` T.
    """
    turn, sx, sy = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    (cx, cy), (tx, ty) = center, translate
    a = math.cos(turn - sy) / math.cos(sy)
    b = -math.cos(turn - sy) * math.tan(sx) / math.cos(sy) - math.sin(turn)
    c = math.sin(turn - sy) / math.cos(sy)
    d = -math.sin(turn - sy) * math.tan(sx) / math.cos(sy) + math.cos(turn)
    if inverted:
        rows = [value / scale for value in (d, -b, 0.0, -c, a, 0.0)]
        rows[2] += rows[0] * (-cx - tx) + rows[1] * (-cy - ty) + cx
        rows[5] += rows[3] * (-cx - tx) + rows[4] * (-cy - ty) + cy
        return rows
    rows = [value * scale for value in (a, b, 0.0, c, d, 0.0)]
    rows[2] += rows[0] * -cx + rows[1] * -cy + cx + tx
    rows[5] += rows[3] * -cx + rows[4] * -cy + cy + ty
    return rows


def perspective_coefficients(
    startpoints: Sequence[Sequence[float]], endpoints: Sequence[Sequence[float]]
) -> list[float]:
    """The eight numbers that lead from the four `endpoints` back to the `startpoints`."""
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(
            f"Please provide exactly four corners, got {len(startpoints)} startpoints and "
            f"{len(endpoints)} endpoints."
        )
    rows = []
    for (x, y), (u, v) in zip(endpoints, startpoints, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    wanted = np.array(startpoints, np.float64).reshape(8)
    solution = np.linalg.lstsq(np.array(rows, np.float64), wanted, rcond=None)[0]
    return [float(value) for value in solution.astype(np.float32)]


def turned_size(matrix: Sequence[float], w: int, h: int) -> tuple[int, int]:
    """(width, height) of the box around an image that was turned."""
    corners = np.array([[-w, -h, 2], [-w, h, 2], [w, h, 2], [w, -h, 2]], np.float32) / 2
    moved = corners @ np.array(matrix, np.float32).reshape(2, 3).T
    half = np.array([w * 0.5, h * 0.5], np.float32)
    tolerance = np.float32(1e-4)
    high = np.ceil(np.trunc((moved.max(0) + half) / tolerance) * tolerance)
    low = np.floor(np.trunc((moved.min(0) + half) / tolerance) * tolerance)
    width, height = (high - low).tolist()
    return int(width), int(height)


def affine_grid(matrix: Sequence[float], w: int, h: int, ow: int, oh: int) -> Array:
    """The grid of an affine map: (oh, ow, 2), float32."""
    x = np.arange(ow, dtype=np.float32) - np.float32(ow * 0.5 - 0.5)
    y = np.arange(oh, dtype=np.float32)[:, None] - np.float32(oh * 0.5 - 0.5)
    half = np.array([[0.5 * w], [0.5 * h]], np.float32)
    rows: Array = np.array(matrix, np.float32).reshape(2, 3) / half
    return np.stack([x * r[0] + y * r[1] + r[2] for r in rows], axis=-1)


def perspective_grid(coefficients: Sequence[float], ow: int, oh: int) -> Array:
    """The grid of a perspective map: (oh, ow, 2), float32."""
    k = np.array(coefficients, np.float32)
    x = np.arange(ow, dtype=np.float32) + np.float32(0.5)
    y = np.arange(oh, dtype=np.float32)[:, None] + np.float32(0.5)
    below = x * k[6] + y * k[7] + np.float32(1)
    halves = np.float32(0.5 * ow), np.float32(0.5 * oh)
    lines = [
        (x * (a / half) + y * (b / half) + c / half) / below - np.float32(1)
        for (a, b, c), half in zip(k[:6].reshape(2, 3), halves, strict=True)
    ]
    return np.stack(lines, axis=-1)


def identity_grid(h: int, w: int) -> Array:
    """The grid that leaves an image as it is."""
    y, x = (ramp((1 - n) / n, (n - 1) / n, n) for n in (h, w))
    return np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1)


def check_fill(x: Array, fill: Fill) -> None:
    """`ValueError` where `fill` has neither one value nor one for each channel."""
    channels = 1 if x.ndim == 2 else x.shape[-3]
    if isinstance(fill, list | tuple) and len(fill) > 1 and len(fill) != channels:
        raise ValueError(
            "The number of elements in 'fill' cannot broadcast to match the number of channels of "
            f"the image ({len(fill)} != {channels})"
        )


def sample(x: Array, grid: Array, mode: str, fill: Fill = None) -> Array:
    """The image at the places of `grid`; `mode` is "nearest" or "bilinear"."""
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"Interpolation mode '{mode}' is unsupported with Tensor input")
    check_fill(x, fill)
    h, w = x.shape[-2:]
    kind = working(x.dtype)
    kind = np.dtype(np.float32) if kind == np.float16 else kind
    flat = x.reshape(*x.shape[:-2], h * w).astype(kind, copy=False)
    column = ((grid[..., 0].astype(kind) + 1) * w - 1) / 2
    row = ((grid[..., 1].astype(kind) + 1) * h - 1) / 2
    if mode == "nearest":
        result, inside = _at(flat, np.rint(row), np.rint(column), h, w)
    else:
        result, inside = _between(flat, row, column, h, w)
    if fill is not None:
        colour = np.asarray(fill, kind).reshape(-1, 1, 1)
        if x.ndim == 2:
            colour = colour[0]
        if mode == "nearest":
            result = np.where(inside < 0.5, colour, result)
        else:
            result = result * inside + (1 - inside) * colour
    if x.dtype.kind in "iu":
        limits = np.iinfo(x.dtype)
        result = np.rint(result).clip(limits.min, limits.max)
    return result.astype(x.dtype)


def _at(flat: Array, row: Array, column: Array, h: int, w: int) -> tuple[Array, Array]:
    """Pixels at whole-numbered places, 0 outside; and 1 or 0 for inside or outside."""
    inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
    place = np.where(inside, row * w + column, 0).astype(np.int64)
    weight = inside.astype(flat.dtype)
    return flat.take(place, axis=-1) * weight, weight


def _between(flat: Array, row: Array, column: Array, h: int, w: int) -> tuple[Array, Array]:
    """The weighted mean of four pixels; and the weight of those that lie inside."""
    top, left = np.floor(row), np.floor(column)
    down, right = row - top, column - left
    total: Any = 0
    inside: Any = 0
    for dy, wy in ((0, 1 - down), (1, down)):
        for dx, wx in ((0, 1 - right), (1, right)):
            value, weight = _at(flat, top + dy, left + dx, h, w)
            total = total + value * (wy * wx)
            inside = inside + weight * (wy * wx)
    return total, inside


def affine(x: Array, matrix: Sequence[float], mode: str, fill: Fill) -> Array:
    """The image moved by an (inverted) affine matrix around its middle."""
    h, w = x.shape[-2:]
    return sample(x, affine_grid(matrix, w, h, w, h), mode, fill)


def rotate(x: Array, matrix: Sequence[float], mode: str, expand: bool, fill: Fill) -> Array:
    """`affine`, into a larger image where `expand` is set."""
    h, w = x.shape[-2:]
    ow, oh = turned_size(matrix, w, h) if expand else (w, h)
    return sample(x, affine_grid(matrix, w, h, ow, oh), mode, fill)


def perspective(x: Array, coefficients: Sequence[float], mode: str, fill: Fill) -> Array:
    """The image as seen from elsewhere."""
    h, w = x.shape[-2:]
    return sample(x, perspective_grid(coefficients, w, h), mode, fill)


def elastic(x: Array, displacement: Array, mode: str, fill: Fill) -> Array:
    """The image with each pixel taken from a place moved by `displacement` (1, H, W, 2)."""
    return sample(x, identity_grid(*x.shape[-2:]) + displacement[0], mode, fill)


def gaussian_kernel(size: int, sigma: float, dtype: np.dtype[Any]) -> Array:
    """exp(-x² / 2σ²) at `size` places around 0, with sum 1."""
    half = (size - 1) * 0.5
    x = np.linspace(-half, half, size, dtype=dtype)
    bell = np.exp(-0.5 * (x / dtype.type(sigma)) ** 2).astype(dtype)
    kernel: Array = bell / bell.sum()
    return kernel


def gaussian_blur(x: Array, size: Sequence[int], sigma: Sequence[float]) -> Array:
    """Weighted means of `size` = (width, height) pixels; the image is mirrored at its border."""
    kind = working(x.dtype)
    kind = np.dtype(np.float32) if kind == np.float16 else kind
    h, w = x.shape[-2:]
    px, py = size[0] // 2, size[1] // 2
    if px >= w or py >= h:
        raise RuntimeError(
            f"Padding size should be less than the corresponding input dimension, but got padding "
            f"({py}, {px}) for an image of height {h} and width {w}"
        )
    around = [(0, 0)] * (x.ndim - 2) + [(py, py), (px, px)]
    padded = np.pad(x.astype(kind), around, mode="reflect")
    across = _correlated(padded, gaussian_kernel(size[0], sigma[0], kind), -1, w)
    result = _correlated(across, gaussian_kernel(size[1], sigma[1], kind), -2, h)
    return (np.rint(result) if x.dtype.kind in "iu" else result).astype(x.dtype)


def _correlated(x: Array, kernel: Array, axis: int, n: int) -> Array:
    total: Any = 0
    for i, weight in enumerate(kernel):
        part = x[..., i : i + n] if axis == -1 else x[..., i : i + n, :]
        total = total + part * weight
    result: Array = total
    return result
