"""What transforms do to boxes and points: arithmetic on NumPy arrays.

A *move* takes points (…, 2) = (x, y) and the canvas (height, width), and gives them moved, with the
new canvas. Boxes are moved by their four corners; the box around the result is the new box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.vision import planes, warps
from chainrule.vision.tv_tensors import BoundingBoxFormat, is_rotated_bounding_format

Array = np.ndarray[Any, np.dtype[Any]]
Canvas = tuple[int, int]
Moved = tuple[Array, Canvas]
Move = Callable[..., Moved]


def converted(boxes: Array, old: BoundingBoxFormat, new: BoundingBoxFormat) -> Array:
    """Boxes (…, 4) in another format; whole numbers are rounded down."""
    for format in (old, new):
        if is_rotated_bounding_format(format) and old is not new:
            raise NotImplementedError(
                f"boxes of the format {format.value}, which may be turned, are not converted; keep "
                "them as XYXY, XYWH or CXCYWH"
            )
    if old is new:
        return boxes
    whole = boxes.dtype.kind in "iu"
    a, b, c, d = np.moveaxis(boxes, -1, 0)
    if old is BoundingBoxFormat.XYWH:
        c, d = a + c, b + d
    elif old is BoundingBoxFormat.CXCYWH:
        half_w, half_h = (-(-c // 2), -(-d // 2)) if whole else (c / 2, d / 2)
        a, b = a - half_w, b - half_h
        c, d = a + c, b + d
    if new is BoundingBoxFormat.XYWH:
        c, d = c - a, d - b
    elif new is BoundingBoxFormat.CXCYWH:
        w, h = c - a, d - b
        a, b = ((a + c) // 2, (b + d) // 2) if whole else ((a + c) / 2, (b + d) / 2)
        c, d = w, h
    return np.stack([a, b, c, d], axis=-1).astype(boxes.dtype)


def clamped(
    boxes: Array, format: BoundingBoxFormat, canvas: Canvas, mode: str | None = "soft"
) -> Array:
    """Boxes cut off at the edge of the image; as they are where `mode` is None."""
    if mode is None:
        return boxes
    exact = boxes if boxes.dtype.kind == "f" else boxes.astype(np.float32)
    corners = converted(exact, format, BoundingBoxFormat.XYXY)
    limits = np.array([canvas[1], canvas[0]] * 2)
    inside = np.clip(corners, 0, limits).astype(exact.dtype)
    return converted(inside, BoundingBoxFormat.XYXY, format).astype(boxes.dtype)


def moved_boxes(
    boxes: Array,
    format: BoundingBoxFormat,
    canvas: Canvas,
    mode: str | None,
    move: Move,
    clamp: bool,
    **options: Any,
) -> Moved:
    """Boxes after a move, and the new canvas."""
    exact = boxes if boxes.dtype.kind == "f" else boxes.astype(np.float32)
    left, top, right, bottom = np.moveaxis(converted(exact, format, BoundingBoxFormat.XYXY), -1, 0)
    corners = np.stack([left, top, right, top, right, bottom, left, bottom], axis=-1)
    points, after = move(corners.reshape(*boxes.shape[:-1], 4, 2), canvas, **options)
    box = np.concatenate([points.min(axis=-2), points.max(axis=-2)], axis=-1)
    box = box.astype(exact.dtype)
    if clamp:
        box = clamped(box, BoundingBoxFormat.XYXY, after, mode)
    return converted(box, BoundingBoxFormat.XYXY, format).astype(boxes.dtype), after


# The moves


def hflip(points: Array, canvas: Canvas, whole: bool = False) -> Moved:
    """x → width - x (points name pixels, of which the last is width - 1: `whole`)."""
    return np.stack([canvas[1] - int(whole) - points[..., 0], points[..., 1]], axis=-1), canvas


def vflip(points: Array, canvas: Canvas, whole: bool = False) -> Moved:
    """y → height - y."""
    return np.stack([points[..., 0], canvas[0] - int(whole) - points[..., 1]], axis=-1), canvas


def crop(points: Array, canvas: Canvas, top: int, left: int, height: int, width: int) -> Moved:
    """The corner of the rectangle becomes (0, 0)."""
    return points - np.array([left, top], points.dtype), (height, width)


def pad(points: Array, canvas: Canvas, around: tuple[int, int, int, int]) -> Moved:
    """The old corner moves to (left, top)."""
    left, top, right, bottom = around
    after = canvas[0] + top + bottom, canvas[1] + left + right
    return points + np.array([left, top], points.dtype), after


def resize(
    points: Array, canvas: Canvas, size: int | Sequence[int], max_size: int | None = None
) -> Moved:
    """x and y grow as the image does."""
    after = planes.resized_shape(canvas, size, max_size)
    return points * np.array([after[1] / canvas[1], after[0] / canvas[0]], np.float32), after


def affine(
    points: Array,
    canvas: Canvas,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
    center: Sequence[float] | None,
    expand: bool = False,
) -> Moved:
    """By the matrix itself (images are sampled by its inverse)."""
    h, w = canvas
    middle = (w * 0.5, h * 0.5) if center is None else center
    matrix = warps.inverse_affine_matrix(middle, angle, translate, scale, shear, inverted=False)
    rows = np.array(matrix, points.dtype).reshape(2, 3)
    result = points @ rows[:, :2].T + rows[:, 2]
    if not expand:
        return result, canvas
    corners = np.array([[0, 0], [0, h], [w, h], [w, 0]], points.dtype) @ rows[:, :2].T + rows[:, 2]
    inverse = warps.inverse_affine_matrix(middle, angle, translate, scale, shear)
    ow, oh = warps.turned_size(inverse, w, h)
    return result - corners.min(axis=0), (oh, ow)


def perspective(points: Array, canvas: Canvas, coefficients: Sequence[float]) -> Moved:
    """By the inverse of the map that images are sampled by."""
    a, b, c, d, e, f, g, h = coefficients
    forward = np.linalg.inv(np.array([[a, b, c], [d, e, f], [g, h, 1.0]]))
    flat = np.concatenate([points, np.ones((*points.shape[:-1], 1), points.dtype)], axis=-1)
    result = flat @ forward.T
    return (result[..., :2] / result[..., 2:]).astype(points.dtype), canvas


def elastic(points: Array, canvas: Canvas, displacement: Array, whole: bool = False) -> Moved:
    """Against the displacement at a pixel: the one of a point (`whole`), the next of a corner."""
    h, w = canvas
    back = warps.identity_grid(h, w) - displacement[0]
    pixel = (np.trunc(points) if whole else np.ceil(points)).astype(np.int64)
    x, y = np.clip(pixel[..., 0], 0, w - 1), np.clip(pixel[..., 1], 0, h - 1)
    return (back[y, x] + 1) * np.array([w / 2, h / 2], np.float32) - np.float32(0.5), canvas
