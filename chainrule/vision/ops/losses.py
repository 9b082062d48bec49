"""Losses of detectors: boxes against boxes (…, 4), and logits against few positives."""

from __future__ import annotations

import math

from chainrule.nn import functional as F
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.functions import atan, maximum, minimum, sigmoid
from chainrule.vision.ops._utils import _loss_inter_union, _upcast_non_float, reduced


def _enclosing(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    low = minimum(boxes1[..., :2], boxes2[..., :2])
    return maximum(boxes1[..., 2:], boxes2[..., 2:]) - low


def generalized_box_iou_loss(
    boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7
) -> Tensor:
    """1 - iou + share of the enclosing box that neither covers (arXiv:1902.09630): (…, 4) → (…).

    >>> from chainrule import tensor
    >>> generalized_box_iou_loss(tensor([[0.0, 0, 1, 1]]), tensor([[0.0, 0, 1, 1]]))
    tensor([1.1921e-07])
    """
    a, b = _upcast_non_float(boxes1), _upcast_non_float(boxes2)
    inter, union = _loss_inter_union(a, b)
    size = _enclosing(a, b)
    around = size[..., 0] * size[..., 1]
    giou = inter / (union + eps) - (around - union) / (around + eps)
    return reduced(1 - giou, reduction)


def _diou_iou_loss(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> tuple[Tensor, Tensor]:
    inter, union = _loss_inter_union(boxes1, boxes2)
    iou = inter / (union + eps)
    size = _enclosing(boxes1, boxes2)
    diagonal = size[..., 0] ** 2 + size[..., 1] ** 2 + eps
    apart = (boxes1[..., :2] + boxes1[..., 2:]) / 2 - (boxes2[..., :2] + boxes2[..., 2:]) / 2
    return 1 - iou + (apart[..., 0] ** 2 + apart[..., 1] ** 2) / diagonal, iou


def distance_box_iou_loss(
    boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7
) -> Tensor:
    """1 - iou + (distance of the middles / diagonal of the enclosing box)² (arXiv:1911.08287)."""
    a, b = _upcast_non_float(boxes1), _upcast_non_float(boxes2)
    return reduced(_diou_iou_loss(a, b, eps)[0], reduction)


def complete_box_iou_loss(
    boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7
) -> Tensor:
    """`distance_box_iou_loss` + α v, v from the difference of the aspects (arXiv:1911.08287)."""
    a, b = _upcast_non_float(boxes1), _upcast_non_float(boxes2)
    diou, iou = _diou_iou_loss(a, b)
    angle1 = atan((a[..., 2] - a[..., 0]) / (a[..., 3] - a[..., 1]))
    angle2 = atan((b[..., 2] - b[..., 0]) / (b[..., 3] - b[..., 1]))
    v = 4 / math.pi**2 * (angle2 - angle1) ** 2
    with no_grad():
        alpha = v / (1 - iou + v + eps)
    return reduced(diou + alpha * v, reduction)


def sigmoid_focal_loss(
    inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"
) -> Tensor:
    """α_t (1 - p_t)^γ · cross entropy of logits and targets in [0, 1] (arXiv:1708.02002).

    p_t is the probability given to the truth; α_t is alpha for positives and 1 - alpha for
    negatives (alpha -1: no such weight). ValueError for another alpha outside [0, 1].
    """
    if not 0 <= alpha <= 1 and alpha != -1:
        raise ValueError(
            f"Invalid alpha value: {alpha}. alpha must be in the range [0,1] or -1 for ignore."
        )
    p = sigmoid(inputs)
    entropy = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    loss = entropy * (1 - p_t) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return loss.mean() if reduction == "mean" else reduced(loss, reduction)
