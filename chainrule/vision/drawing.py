"""Boxes, masks, points and flows drawn on images (C, H, W), as `torchvision.utils` draws them.

Boxes, labels and points are drawn by Pillow.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import values
from chainrule.vision.colours import converted
from chainrule.vision.images import Array, make_image

#: A name, "#rrggbb" or (red, green, blue); or a list of them.
Colours = Any


def _checked_image(image: Any, channels: tuple[int, ...]) -> Array:
    if not isinstance(image, Tensor):
        raise TypeError(f"The image must be a tensor, got {type(image)}")
    array = values(image)
    if array.dtype != np.uint8 and not image.is_floating_point():
        raise ValueError(f"The image dtype must be uint8 or float, got {image.dtype}")
    if array.ndim != 3:
        raise ValueError("Pass individual images, not batches")
    if array.shape[0] not in channels:
        if channels == (1, 3):
            raise ValueError("Only grayscale and RGB images are supported")
        raise ValueError("Pass an RGB image. Other Image formats are not supported")
    return array


def _pillow() -> Any:
    try:
        import PIL.ImageDraw as drawing
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "drawing on images needs Pillow: pip install 'chainrule[vision]'"
        ) from None
    return drawing


def _canvas(array: Array) -> Any:
    return make_image(np.moveaxis(converted(array, np.dtype(np.uint8)), 0, -1))


def _tensor(canvas: Any, dtype: np.dtype[Any]) -> Tensor:
    pixels = np.ascontiguousarray(np.moveaxis(np.asarray(canvas), -1, 0))
    return from_owned(converted(pixels, dtype))


def draw_bounding_boxes(
    image: Tensor,
    boxes: Tensor,
    labels: list[str] | None = None,
    colors: Colours = None,
    fill: bool | None = False,
    width: int = 1,
    font: str | None = None,
    font_size: int | None = None,
    label_colors: Colours = None,
    label_background_colors: Colours = None,
    fill_labels: bool = False,
) -> Tensor:
    """The image with `boxes` (N, 4) = (xmin, ymin, xmax, ymax), or (N, 8) for the four corners of
    turned ones, each with its label and colour. `font` is a TrueType file.
    """
    array = _checked_image(image, (1, 3))
    corners = values(boxes)
    if corners.shape[-1] == 4 and (corners[:, :2] > corners[:, 2:]).any():
        raise ValueError(
            "Boxes need to be in (xmin, ymin, xmax, ymax) format. Use torchvision.ops.box_convert "
            "to convert them"
        )
    n = len(corners)
    if n == 0:
        warnings.warn("boxes doesn't contain any box. No box was drawn", stacklevel=2)
        return image
    if labels is not None and len(labels) != n:
        raise ValueError(
            f"Number of boxes ({n}) and labels ({len(labels)}) mismatch. Please specify labels for "
            "each box."
        )
    outline = parse_colors(colors, n)
    text = parse_colors(label_colors or "black", n) if label_colors or fill_labels else outline
    behind = outline
    if fill_labels and label_background_colors:
        behind = parse_colors(label_background_colors, n)
    drawing = _pillow()
    letters = _font(font, font_size)
    canvas = _canvas(np.repeat(array, 3, axis=0) if array.shape[0] == 1 else array)
    pen = drawing.Draw(canvas, "RGBA" if fill else None)
    for i, box in enumerate(corners.astype(np.int64).tolist()):
        inside = (*outline[i], 100) if fill else None
        if len(box) > 4:
            _turned_box(pen, box, width, outline[i], inside)
        else:
            pen.rectangle(box, width=width, outline=outline[i], fill=inside)
        if labels is not None and labels[i] is not None:
            place = box[0] + width + 1, box[1] + width + 1
            if fill_labels:
                left, top, right, bottom = pen.textbbox(place, labels[i], font=letters)
                pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=behind[i])
            pen.text(place, labels[i], fill=text[i], font=letters)
    return _tensor(canvas, array.dtype)


def _font(font: str | None, size: int | None) -> Any:
    from PIL import ImageFont

    if font is not None:
        return ImageFont.truetype(font=font, size=size or 10)
    if size is not None:
        warnings.warn("Argument 'font_size' will be ignored since 'font' is not set.", stacklevel=3)
    return ImageFont.load_default()


def _turned_box(pen: Any, box: list[int], width: int, outline: Any, inside: Any) -> None:
    """Four corners; the first edge is dashed, so that one sees which way the box is turned."""
    (x, y), (right, bottom) = box[:2], box[2:4]
    length = math.hypot(right - x, bottom - y)
    at = 0.0
    while at < length:
        dash = [min(at, length) / length, min(at + 5, length) / length]
        ends = [(x + share * (right - x), y + share * (bottom - y)) for share in dash]
        pen.line(ends, width=width, fill=outline)
        at += 10
    for i in range(2, len(box), 2):
        end = box[(i + 2) % len(box)], box[(i + 3) % len(box)]
        pen.line(((box[i], box[i + 1]), end), width=width, fill=outline)
    pen.polygon(box, fill=inside, outline=None, width=0)


def draw_segmentation_masks(
    image: Tensor, masks: Tensor, alpha: float = 0.8, colors: Colours = None
) -> Tensor:
    """The image with `masks` (N, H, W) of bool laid over it in colours; `alpha` 1 hides it.

    Where masks lie over each other, the colour is black.
    """
    array = _checked_image(image, (3,))
    where = values(masks)
    where = where[None] if where.ndim == 2 else where
    if where.ndim != 3:
        raise ValueError("masks must be of shape (H, W) or (batch_size, H, W)")
    if where.dtype != np.bool_:
        raise ValueError(f"The masks must be of dtype bool. Got {masks.dtype}")
    if where.shape[-2:] != array.shape[-2:]:
        raise ValueError("The image and the masks must have the same height and width")
    if len(where) == 0:
        warnings.warn("masks doesn't contain any mask. No mask was drawn", stacklevel=2)
        return image
    scale = 1 if array.dtype == np.uint8 else 255
    painted = array.copy()
    for mask, colour in zip(where, parse_colors(colors, len(where)), strict=False):
        painted[:, mask] = np.array([part / scale for part in colour], array.dtype)[:, None]
    painted[:, where.sum(axis=0) > 1] = 0
    kind = np.float32 if array.dtype == np.uint8 else array.dtype.type
    mixed = array * kind(1 - alpha) + painted * kind(alpha)
    return from_owned(mixed.astype(array.dtype))


def draw_keypoints(
    image: Tensor,
    keypoints: Tensor,
    connectivity: list[tuple[int, int]] | None = None,
    colors: Colours = None,
    radius: int = 2,
    width: int = 3,
    visibility: Tensor | None = None,
) -> Tensor:
    """The image with `keypoints` (instances, K, 2) as dots, and lines between those that
    `connectivity` pairs; `visibility` (instances, K) says which are drawn.
    """
    array = _checked_image(image, (3,))
    points = values(keypoints)
    if points.ndim != 3:
        raise ValueError("keypoints must be of shape (num_instances, K, 2)")
    seen = np.ones(points.shape[:-1], np.bool_) if visibility is None else values(visibility)
    seen = seen[..., 0] if seen.ndim == 3 else seen
    if seen.ndim != 2:
        raise ValueError(f"visibility must be of shape (num_instances, K). Got ndim={seen.ndim}")
    if seen.shape != points.shape[:-1]:
        raise ValueError(
            "keypoints and visibility must have the same dimensionality for num_instances and K. "
            f"Got {visibility.shape = } and {keypoints.shape = }"  # type: ignore[union-attr]  # given
        )
    drawing = _pillow()
    canvas = _canvas(array)
    pen = drawing.Draw(canvas)
    for instance, shown in zip(points.astype(np.int64).tolist(), seen.tolist(), strict=True):
        for (x, y, *_), visible in zip(instance, shown, strict=True):
            if visible:
                box = [x - radius, y - radius, x + radius, y + radius]
                pen.ellipse(box, fill=colors, outline=None, width=0)
        for start, end in connectivity or ():
            if shown[start] and shown[end]:
                pen.line((tuple(instance[start][:2]), tuple(instance[end][:2])), width=width)
    return _tensor(canvas, array.dtype)


def parse_colors(colors: Colours, n: int) -> list[tuple[int, ...]]:
    """One (red, green, blue) for each of n things; a palette where None is given."""
    if colors is None:
        palette = (2**25 - 1, 2**15 - 1, 2**21 - 1)
        return [tuple(i * p % 255 for p in palette) for i in range(n)]
    if isinstance(colors, list):
        if len(colors) < n:
            raise ValueError(
                "Number of colors must be equal or larger than the number of objects, but got "
                f"{len(colors)} < {n}."
            )
        given = colors
    elif not isinstance(colors, tuple | str):
        raise ValueError(
            f"colors must be a tuple or a string, or a list thereof, but got {colors}."
        )
    elif isinstance(colors, tuple) and len(colors) != 3:
        raise ValueError(f"If passed as tuple, colors should be an RGB triplet, but got {colors}.")
    else:
        given = [colors] * n
    return [_rgb(colour) if isinstance(colour, str) else tuple(colour) for colour in given]


def _rgb(name: str) -> tuple[int, ...]:
    _pillow()
    from PIL import ImageColor

    return ImageColor.getrgb(name)


def flow_to_image(flow: Tensor) -> Tensor:
    """Optical flow (…, 2, H, W), float32, as colours (…, 3, H, W): the hue is the direction, the
    saturation the length, of which the longest is full (S. Baker et al., 2007).
    """
    x = values(flow)
    if x.dtype != np.float32:
        raise ValueError(f"Flow should be of dtype torch.float, got {flow.dtype}.")
    batch = x[None] if x.ndim == 3 else x
    if batch.ndim != 4 or batch.shape[1] != 2:
        raise ValueError(
            f"Input flow should have shape (2, H, W) or (N, 2, H, W), got {tuple(flow.shape)}."
        )
    longest = np.sqrt((batch**2).sum(axis=1)).max()
    unit = batch / (longest + np.finfo(np.float32).eps)
    wheel = _colour_wheel()
    length = np.sqrt((unit**2).sum(axis=1))
    angle = np.arctan2(-unit[:, 1], -unit[:, 0]) / np.float32(np.pi)
    place = (angle + 1) / 2 * (len(wheel) - 1)
    low = np.floor(place).astype(np.int64)
    share = (place - low)[..., None].astype(np.float32)
    colour = (1 - share) * wheel[low] + share * wheel[(low + 1) % len(wheel)]
    colour = 1 - length[..., None] * (1 - colour)
    result = np.moveaxis(np.floor(255 * colour).astype(np.uint8), -1, 1)
    return from_owned(np.ascontiguousarray(result[0] if x.ndim == 3 else result))


def _colour_wheel() -> Array:
    """55 colours, 0 … 1: from red over yellow, green, cyan, blue and magenta back to red."""
    parts = []
    # steps, the channel that stays at 255, the one that moves, whether it rises
    for steps, full, moving, rises in (
        (15, 0, 1, True),
        (6, 1, 0, False),
        (4, 1, 2, True),
        (11, 2, 1, False),
        (13, 2, 0, True),
        (6, 0, 2, False),
    ):
        ramp = np.floor(255 * np.arange(steps, dtype=np.float32) / steps)
        part = np.zeros((steps, 3), np.float32)
        part[:, full], part[:, moving] = 255, ramp if rises else 255 - ramp
        parts.append(part)
    return np.concatenate(parts) / np.float32(255)
