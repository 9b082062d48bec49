"""From one description of a box to another, each a formula over its last axis.

upright    xyxy  xywh  cxcywh         meet at xyxy
rotated    xywhr cxcywhr xyxyxyxy     meet at xywhr; r in degrees, anticlockwise
"""

from __future__ import annotations

import math
from collections.abc import Callable

from chainrule.tensor import Tensor
from chainrule.tensor.functions import atan2, cos, sin, stack

FORMATS = ("xyxy", "xywh", "cxcywh", "xywhr", "cxcywhr", "xyxyxyxy")


def _like(result: Tensor, boxes: Tensor) -> Tensor:
    """Rounded where the boxes were integers: turning makes fractions."""
    return result if boxes.is_floating_point() else result.round().to(boxes.dtype)


def _xywh_to_xyxy(boxes: Tensor) -> Tensor:
    x, y, w, h = boxes.unbind(-1)
    return stack((x, y, x + w, y + h), dim=-1)


def _xyxy_to_xywh(boxes: Tensor) -> Tensor:
    x1, y1, x2, y2 = boxes.unbind(-1)
    return stack((x1, y1, x2 - x1, y2 - y1), dim=-1)


def _cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    cx, cy, w, h = boxes.unbind(-1)
    return stack((cx - 0.5 * w, cy - 0.5 * h, cx + 0.5 * w, cy + 0.5 * h), dim=-1)


def _xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    x1, y1, x2, y2 = boxes.unbind(-1)
    return stack(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), dim=-1)


def _turn(degrees: Tensor) -> tuple[Tensor, Tensor]:
    radians = degrees * math.pi / 180.0
    return cos(radians), sin(radians)


def _cxcywhr_to_xywhr(boxes: Tensor) -> Tensor:
    cx, cy, w, h, r = boxes.unbind(-1)
    c, s = _turn(r)
    x1, y1 = cx - w / 2 * c - h / 2 * s, cy - h / 2 * c + w / 2 * s
    return _like(stack((x1, y1, w, h, r), dim=-1), boxes)


def _xywhr_to_cxcywhr(boxes: Tensor) -> Tensor:
    x1, y1, w, h, r = boxes.unbind(-1)
    c, s = _turn(r)
    cx, cy = x1 + w / 2 * c + h / 2 * s, y1 - w / 2 * s + h / 2 * c
    return _like(stack((cx, cy, w, h, r), dim=-1), boxes)


def _xywhr_to_xyxyxyxy(boxes: Tensor) -> Tensor:
    x1, y1, w, h, r = boxes.unbind(-1)
    c, s = _turn(r)
    x2, y2 = x1 + w * c, y1 - w * s
    return _like(stack((x1, y1, x2, y2, x2 + h * s, y2 + h * c, x1 + h * s, y1 + h * c), -1), boxes)


def _xyxyxyxy_to_xywhr(boxes: Tensor) -> Tensor:
    x1, y1, x2, y2, x3, y3, _, _ = boxes.unbind(-1)
    r = atan2(y1 - y2, x2 - x1) * 180 / math.pi
    w = ((x2 - x1) ** 2 + (y1 - y2) ** 2).sqrt()
    h = ((x3 - x2) ** 2 + (y3 - y2) ** 2).sqrt()
    return _like(stack((x1, y1, w, h, r), dim=-1), boxes)


#: (from, to) → function; other pairs go by way of the format where theirs meet.
CONVERSIONS: dict[tuple[str, str], Callable[[Tensor], Tensor]] = {
    ("xywh", "xyxy"): _xywh_to_xyxy,
    ("xyxy", "xywh"): _xyxy_to_xywh,
    ("cxcywh", "xyxy"): _cxcywh_to_xyxy,
    ("xyxy", "cxcywh"): _xyxy_to_cxcywh,
    ("cxcywhr", "xywhr"): _cxcywhr_to_xywhr,
    ("xywhr", "cxcywhr"): _xywhr_to_cxcywhr,
    ("xywhr", "xyxyxyxy"): _xywhr_to_xyxyxyxy,
    ("xyxyxyxy", "xywhr"): _xyxyxyxy_to_xywhr,
}
