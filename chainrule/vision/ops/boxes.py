"""Boxes: areas, overlaps, conversions, and the choice among boxes that overlap.

boxes (…, N, 4)    (x1, y1, x2, y2) unless a format says otherwise
"""

from __future__ import annotations

import math

import numpy as np

from chainrule import dtypes
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.creation import empty, zeros
from chainrule.tensor.functions import atan, maximum, minimum, stack, where
from chainrule.tensor.handle import from_array
from chainrule.vision.ops._box_convert import CONVERSIONS, FORMATS
from chainrule.vision.ops._utils import _upcast

_AXIS_ALIGNED = ("xyxy", "xywh", "cxcywh")


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Indices of the boxes to keep, best score first: one that overlaps a better kept one by more
    than `iou_threshold` is left out. boxes (N, 4), scores (N,) → (K,) int64.

    >>> from chainrule import tensor
    >>> boxes = tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]])
    >>> nms(boxes, tensor([0.8, 0.9, 0.5]), 0.5)
    tensor([1, 2])
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise RuntimeError(f"boxes should be (N, 4), but are {tuple(boxes.shape)}")
    if scores.ndim != 1 or scores.shape[0] != boxes.shape[0]:
        raise RuntimeError(
            f"scores should have one number for each of the {boxes.shape[0]} boxes, but have "
            f"shape {tuple(scores.shape)}"
        )
    return from_array(_nms(boxes.detach().numpy(), scores.detach().numpy(), iou_threshold))


def _nms(b: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """`nms` on arrays. How many are kept depends on the values, so it is no op of a graph."""
    area = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(b[best, :2], b[rest, :2])
        high = np.minimum(b[best, 2:], b[rest, 2:])
        both = np.prod(np.maximum(high - low, 0), axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):  # two boxes without area: NaN, kept
            overlap = both / (area[best] + area[rest] - both)
        order = rest[~(overlap > threshold)]
    return np.array(kept, dtype=np.int64)


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """`nms` within each class: boxes of unlike `idxs` (N,) never leave each other out."""
    if boxes.numel() == 0:
        return empty((0,), dtype=dtypes.int64)
    b, s, classes = (t.detach().numpy() for t in (boxes, scores, idxs))
    keep = np.zeros(len(s), dtype=bool)
    for one in np.unique(classes):
        (mine,) = np.nonzero(classes == one)
        keep[mine[_nms(b[mine], s[mine], iou_threshold)]] = True
    (kept,) = np.nonzero(keep)
    return from_array(kept[np.argsort(-s[kept], kind="stable")])


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Indices of the boxes whose sides are both at least `min_size`."""
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    return where((width >= min_size) & (height >= min_size))[0]


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The boxes, cut at the edges of an image of (height, width)."""
    height, width = size
    x = boxes[..., 0::2].clamp(min=0, max=width)
    y = boxes[..., 1::2].clamp(min=0, max=height)
    return stack((x, y), dim=boxes.dim()).reshape(boxes.shape)


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes (…, 4), or (…, 5), (…, 8) where they are rotated, from one format to another.

    "xyxy" two corners, "xywh" a corner and the size, "cxcywh" the middle and the size; rotated by
    r degrees: "xywhr", "cxcywhr", and the four corners "xyxyxyxy". ValueError for another format;
    NotImplementedError between upright and rotated ones.

    >>> from chainrule import tensor
    >>> box_convert(tensor([1.0, 2.0, 3.0, 6.0]), "xyxy", "cxcywh")
    tensor([2., 4., 2., 4.])
    """
    if in_fmt not in FORMATS or out_fmt not in FORMATS:
        raise ValueError(
            f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}"
        )
    if in_fmt == out_fmt:
        return boxes.clone()
    upright = [f in _AXIS_ALIGNED for f in (in_fmt, out_fmt)]
    if upright[0] != upright[1]:
        raise NotImplementedError(
            f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}"
        )
    common = "xyxy" if upright[0] else "xywhr"
    for step in ((in_fmt, common), (common, out_fmt)):
        if step[0] != step[1]:
            boxes = CONVERSIONS[step](boxes)
    return boxes


def box_area(boxes: Tensor, fmt: str = "xyxy") -> Tensor:
    """Width · height, (…, 4) → (…)."""
    if fmt not in _AXIS_ALIGNED:
        raise ValueError(f"Unsupported Bounding Box area for given format {fmt}")
    b = _upcast(boxes)
    if fmt == "xyxy":
        return (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    return b[..., 2] * b[..., 3]


def _corners(boxes: Tensor, fmt: str) -> tuple[Tensor, Tensor]:
    """The lower and the upper corner, each (…, 2)."""
    a, b = boxes[..., :2], boxes[..., 2:]
    if fmt == "xyxy":
        return a, b
    return (a, a + b) if fmt == "xywh" else (a - b / 2, a + b / 2)


def _box_inter_union(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> tuple[Tensor, Tensor]:
    """Area of the intersection and of the union of each pair: (…, N, M)."""
    area1, area2 = box_area(boxes1, fmt), box_area(boxes2, fmt)
    (low1, high1), (low2, high2) = _corners(boxes1, fmt), _corners(boxes2, fmt)
    low = maximum(low1[..., None, :], low2[..., None, :, :])
    high = minimum(high1[..., None, :], high2[..., None, :, :])
    size = _upcast(high - low).clamp(min=0)
    inter = size[..., 0] * size[..., 1]
    return inter, area1[..., None] + area2[..., None, :] - inter


def box_iou(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> Tensor:
    """Intersection over union of each pair: (…, N, 4), (…, M, 4) → (…, N, M).

    >>> from chainrule import tensor
    >>> box_iou(tensor([[0.0, 0, 2, 2]]), tensor([[0.0, 0, 1, 2], [5, 5, 6, 6]]))
    tensor([[0.5000, 0.0000]])
    """
    if fmt not in FORMATS:
        raise ValueError(
            f"Unsupported format '{fmt}'. Supported axis-aligned formats: {_AXIS_ALIGNED}. "
            f"Supported rotated formats: {tuple(f for f in FORMATS if f not in _AXIS_ALIGNED)}."
        )
    if fmt not in _AXIS_ALIGNED:
        raise NotImplementedError(
            f"box_iou of rotated boxes ({fmt}) is not implemented; of upright boxes "
            f"{_AXIS_ALIGNED} it is"
        )
    inter, union = _box_inter_union(boxes1, boxes2, fmt)
    return inter / union


def _enclosing(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """The size of the smallest box around each pair: (…, N, M, 2)."""
    low = minimum(boxes1[..., None, :2], boxes2[..., None, :, :2])
    high = maximum(boxes1[..., None, 2:], boxes2[..., None, :, 2:])
    return _upcast(high - low).clamp(min=0)


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """iou - (share of the enclosing box that neither covers), in (-1, 1] (arXiv:1902.09630)."""
    inter, union = _box_inter_union(boxes1, boxes2)
    size = _enclosing(boxes1, boxes2)
    around = size[..., 0] * size[..., 1]
    return inter / union - (around - union) / around


def _box_diou_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> tuple[Tensor, Tensor]:
    iou = box_iou(boxes1, boxes2)
    size = _enclosing(boxes1, boxes2)
    diagonal = size[..., 0] ** 2 + size[..., 1] ** 2 + eps
    middle1 = (boxes1[..., :2] + boxes1[..., 2:]) / 2
    middle2 = (boxes2[..., :2] + boxes2[..., 2:]) / 2
    apart = _upcast(middle1[..., None, :] - middle2[..., None, :, :])
    return iou - (apart[..., 0] ** 2 + apart[..., 1] ** 2) / diagonal, iou


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """iou - (distance of the middles)² / (diagonal of the enclosing box)² (arXiv:1911.08287)."""
    return _box_diou_iou(_upcast(boxes1), _upcast(boxes2), eps)[0]


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """`distance_box_iou` - α v, v the squared difference of the angles of the boxes' diagonals,
    times 4 / π² (arXiv:1911.08287)."""
    a, b = _upcast(boxes1), _upcast(boxes2)
    diou, iou = _box_diou_iou(a, b, eps)
    angle1 = atan((a[..., 2] - a[..., 0]) / (a[..., 3] - a[..., 1]))
    angle2 = atan((b[..., 2] - b[..., 0]) / (b[..., 3] - b[..., 1]))
    v = 4 / math.pi**2 * (angle1[..., None] - angle2[..., None, :]) ** 2
    with no_grad():
        alpha = v / (1 - iou + v + eps)
    return diou - alpha * v


def masks_to_boxes(masks: Tensor) -> Tensor:
    """The smallest boxes around masks (N, H, W), float32 (N, 4); of an empty mask zeros.

    >>> from chainrule import zeros
    >>> mask = zeros(1, 5, 5)
    >>> mask[0, 1:3, 2:5] = 1
    >>> masks_to_boxes(mask)
    tensor([[2., 1., 4., 2.]])
    """
    if masks.numel() == 0:
        return zeros((0, 4))
    _, height, width = masks.shape
    on = masks.bool()
    rows, columns = on.any(dim=2).float(), on.any(dim=1).float()
    x1, y1 = columns.argmax(dim=1), rows.argmax(dim=1)
    x2 = width - 1 - columns.flip(dims=[1]).argmax(dim=1)
    y2 = height - 1 - rows.flip(dims=[1]).argmax(dim=1)
    boxes = stack([x1, y1, x2, y2], dim=1).float()
    return boxes * rows.amax(dim=1, keepdim=True)
