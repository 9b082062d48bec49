"""Boxes around things in images: their formats, and what happens to them when an image changes."""

from __future__ import annotations

import math
from typing import Any

from chainrule.keras.arrays import to_tensor
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T

#: Formats, by how a box (four numbers) becomes left, top, right, bottom, and back.
_TO = {
    "xyxy": lambda a, b, c, d: (a, b, c, d),
    "yxyx": lambda a, b, c, d: (b, a, d, c),
    "xywh": lambda a, b, c, d: (a, b, a + c, b + d),
    "center_xywh": lambda a, b, c, d: (a - c / 2, b - d / 2, a + c / 2, b + d / 2),
    "center_yxhw": lambda a, b, c, d: (b - d / 2, a - c / 2, b + d / 2, a + c / 2),
}
_FROM = {
    "xyxy": lambda l, t, r, b: (l, t, r, b),  # noqa: E741  left, top, right, bottom
    "yxyx": lambda l, t, r, b: (t, l, b, r),  # noqa: E741
    "xywh": lambda l, t, r, b: (l, t, r - l, b - t),  # noqa: E741
    "center_xywh": lambda l, t, r, b: ((l + r) / 2, (t + b) / 2, r - l, b - t),  # noqa: E741
    "center_yxhw": lambda l, t, r, b: ((t + b) / 2, (l + r) / 2, b - t, r - l),  # noqa: E741
}


def _checked(name: str, what: str) -> tuple[str, bool]:
    """A format without `rel_`, and whether it had it: parts of the image's size."""
    plain = name.lower().removeprefix("rel_")
    if plain not in _TO or (plain == "center_yxhw" and name.lower().startswith("rel_")):
        raise ValueError(
            f"Invalid {what} format: {name}. Must be one of {', '.join(_TO)} or one of these with "
            "rel_ before it"
        )
    return plain, name.lower().startswith("rel_")


def convert_format(
    boxes: Any, source: str, target: str, height: Any = None, width: Any = None,
    dtype: str = "float32",
) -> Any:  # fmt: skip
    """Boxes (…, 4), or a dict with "boxes", in another format: xyxy, yxyx, xywh, center_xywh,
    center_yxhw, and with rel_ before it as parts of the image's size.

    >>> convert_format([[10.0, 20.0, 30.0, 50.0]], "xyxy", "xywh").tolist()
    [[10.0, 20.0, 20.0, 30.0]]
    """
    if isinstance(boxes, dict):
        inner = convert_format(boxes["boxes"], source, target, height, width, dtype)
        return {**boxes, "boxes": inner}
    (here, here_rel), (there, there_rel) = _checked(source, "source"), _checked(target, "target")
    if (here_rel or there_rel) and (height is None or width is None):
        raise ValueError("convert_format() must receive `height` and `width` for relative formats")
    x = to_tensor(boxes, dtype)
    if x.ndim not in (1, 2, 3) or x.shape[-1] != 4:
        raise ValueError(f"boxes have a last axis of 4 numbers, got the shape {tuple(x.shape)}")
    if here.lower() == there and here_rel == there_rel:
        return x
    left, top, right, bottom = _TO[here](*T.unbind(x, -1))
    if here_rel:
        left, right, top, bottom = left * width, right * width, top * height, bottom * height
    if there_rel:
        left, right, top, bottom = left / width, right / width, top / height, bottom / height
    return T.stack(_FROM[there](left, top, right, bottom), -1)


def clip_to_image_size(
    bounding_boxes: Any, height: Any = None, width: Any = None, bounding_box_format: str = "xyxy"
) -> Any:
    """The parts of boxes that lie in the image; the label of a box of which nothing is left is
    -1.
    """
    if bounding_box_format not in ("xyxy", "rel_xyxy"):
        raise NotImplementedError(
            f"boxes are clipped in the formats xyxy and rel_xyxy, got {bounding_box_format!r}"
        )
    if bounding_box_format == "rel_xyxy":
        height = width = 1.0
    boxes, labels = to_tensor(bounding_boxes["boxes"]), to_tensor(bounding_boxes["labels"])
    left, top, right, bottom = T.unbind(boxes, -1)
    left, right = left.clamp(0, width), right.clamp(0, width)
    top, bottom = top.clamp(0, height), bottom.clamp(0, height)
    area = (right - left) * (bottom - top)
    seen = area > 0
    clipped = T.stack((left, top, right, bottom), -1)
    return {
        **bounding_boxes,
        "boxes": T.where(seen.unsqueeze(-1), clipped, -1.0),
        "labels": T.where(seen, labels, -1),
    }


def affine_transform(
    boxes: Any, angle: Any, translate_x: Any, translate_y: Any, scale: Any, shear_x: Any,
    shear_y: Any, height: Any, width: Any, center_x: Any = None, center_y: Any = None,
    bounding_box_format: str = "xyxy",
) -> Tensor:  # fmt: skip
    """Boxes around the same things after the image was turned (degrees), shifted (parts of its
    size), scaled and sheared (degrees).
    """
    x = to_tensor(convert_format(boxes, bounding_box_format, "xyxy", height, width))
    single = x.ndim == 2
    x = x.unsqueeze(0) if single else x
    batch = int(x.shape[0])

    def number(value: Any) -> Tensor:
        return to_tensor(value, "float32").reshape(-1, 1, 1).expand((batch, 1, 1))

    turn = number(angle) * (math.pi / 180)
    across, down = (T.tan(number(s) * (math.pi / 180)) for s in (shear_x, shear_y))
    size = number(scale)
    middle_x = number(0.5 if center_x is None else center_x) * (width - 1)
    middle_y = number(0.5 if center_y is None else center_y) * (height - 1)
    cos, sin = T.cos(turn), T.sin(turn)
    a, b = size * (cos + across * sin), size * (-sin + across * cos)
    c, d = size * (down * cos + sin), size * (-down * sin + cos)
    # Images are read at M·place, so what is seen moves by the inverse.
    whole = a * d - b * c
    left, top, right, bottom = (p.unsqueeze(-1) for p in T.unbind(x, -1))
    xs = T.cat((left, right, left, right), -1) - middle_x - number(translate_x) * width
    ys = T.cat((top, top, bottom, bottom), -1) - middle_y - number(translate_y) * height
    new_x = (d * xs - b * ys) / whole + middle_x
    new_y = (-c * xs + a * ys) / whole + middle_y
    out = T.stack((new_x.amin(-1), new_y.amin(-1), new_x.amax(-1), new_y.amax(-1)), -1)
    out = convert_format(out, "xyxy", bounding_box_format, height, width)
    return out[0] if single else out


def crop(
    boxes: Any, top: Any, left: Any, height: Any, width: Any, bounding_box_format: str = "xyxy"
) -> Any:
    """Boxes in the part of an image that begins at (top, left)."""
    x = to_tensor(boxes["boxes"] if isinstance(boxes, dict) else boxes)
    x = convert_format(x, bounding_box_format, "xyxy", height, width)
    x = x - to_tensor([left, top, left, top], "float32")
    out = convert_format(x, "xyxy", bounding_box_format, height, width)
    return {**boxes, "boxes": out} if isinstance(boxes, dict) else out


def pad(
    boxes: Any, top: Any, left: Any, height: Any = None, width: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:  # fmt: skip
    """Boxes in an image with rows and columns put before it."""
    return crop(boxes, -top, -left, height, width, bounding_box_format)


def _areas(boxes: Tensor) -> Tensor:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def compute_iou(
    boxes1: Any, boxes2: Any, bounding_box_format: str, use_masking: bool = False,
    mask_val: float = -1, image_shape: Any = None,
) -> Tensor:  # fmt: skip
    """Overlap over union of every box of the first with every one of the second: (…, M, N)."""
    height, width = (None, None) if image_shape is None else image_shape[:2]
    a, b = (
        convert_format(to_tensor(x, "float32"), bounding_box_format, "xyxy", height, width)
        for x in (boxes1, boxes2)
    )
    first, second = a.unsqueeze(-2), b.unsqueeze(-3)
    low = T.maximum(first[..., :2], second[..., :2])
    high = T.minimum(first[..., 2:], second[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    union = _areas(first) + _areas(second) - shared
    out = T.where(union > 0, shared / T.where(union > 0, union, 1.0), 0.0)
    if use_masking:
        absent = (a < 0).all(-1).unsqueeze(-1) | (b < 0).all(-1).unsqueeze(-2)
        out = T.where(absent, float(mask_val), out)
    return out


def compute_ciou(
    boxes1: Any, boxes2: Any, bounding_box_format: str, image_shape: Any = None
) -> Tensor:
    """Overlap over union of boxes at the same place, less their distance and the difference of
    their proportions (Zheng et al. 2019).
    """
    height, width = (None, None) if image_shape is None else image_shape[:2]
    a, b = (
        convert_format(to_tensor(x, "float32"), bounding_box_format, "xyxy", height, width)
        for x in (boxes1, boxes2)
    )
    small = 1e-7
    low, high = T.maximum(a[..., :2], b[..., :2]), T.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    size_a, size_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    union = size_a.prod(-1) + size_b.prod(-1) - shared
    overlap = shared / (union + small)
    around = T.maximum(a[..., 2:], b[..., 2:]) - T.minimum(a[..., :2], b[..., :2])
    apart = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) ** 2).sum(-1) / 4
    bend = T.atan(size_a[..., 0] / (size_a[..., 1] + small))
    bend = bend - T.atan(size_b[..., 0] / (size_b[..., 1] + small))
    v = (4 / math.pi**2) * bend**2
    weight = v / (v - overlap + 1 + small)
    return overlap - (apart / ((around**2).sum(-1) + small) + v * weight)
