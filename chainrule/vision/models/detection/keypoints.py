"""Keypoints as places of heat maps, and back."""

from __future__ import annotations

import math

from chainrule import dtypes
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.tensor.creation import arange, ones, zeros
from chainrule.tensor.functions import cat, stack, where


def keypoints_to_heatmap(
    keypoints: Tensor, rois: Tensor, heatmap_size: int
) -> tuple[Tensor, Tensor]:
    """Which place of a heat map over its box each keypoint is at, and whether it counts.

    keypoints (N, K, 3: x, y, visible), rois (N, 4) → two (N, K) of int64; a place is y · size + x.
    """
    scale = heatmap_size / (rois[:, 2:] - rois[:, :2])
    place = ((keypoints[..., :2] - rois[:, None, :2]) * scale[:, None]).floor().to(dtypes.int64)
    at_edge = keypoints[..., :2] == rois[:, None, 2:]
    place = where(at_edge, heatmap_size - 1, place)
    inside = ((place >= 0) & (place < heatmap_size)).all(dim=-1)
    valid = (inside & (keypoints[..., 2] > 0)).to(dtypes.int64)
    return (place[..., 1] * heatmap_size + place[..., 0]) * valid, valid


def heatmaps_to_keypoints(maps: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
    """The hottest place of each map (N, K, M, M), in pixels of the image, and its logit.

    rois (N, 4) → (N, K, 3: x, y, 1) and (N, K). A map is first resized to its box.
    """
    count = maps.shape[1]
    if not len(rois):
        return zeros((0, count, 3)), zeros((0, count))
    sizes = (rois[:, 2:] - rois[:, :2]).clamp(min=1)
    points, scores = [], []
    for one, roi, (width, height) in zip(maps, rois, sizes.tolist(), strict=True):
        w, h = math.ceil(width), math.ceil(height)
        large = F.interpolate(one[:, None], size=(h, w), mode="bicubic", align_corners=False)
        flat = large.reshape(count, -1)
        best = flat.argmax(dim=1)
        x = ((best % w).float() + 0.5) * (width / w) + roi[0]
        y = ((best // w).float() + 0.5) * (height / h) + roi[1]
        points.append(stack([x, y, ones(count)], dim=1))
        scores.append(flat[arange(count), best])
    return stack(points), stack(scores)


def keypointrcnn_loss(
    keypoint_logits: Tensor,
    proposals: list[Tensor],
    gt_keypoints: list[Tensor],
    keypoint_matched_idxs: list[Tensor],
) -> Tensor:
    """The mean cross entropy of the places of visible keypoints in their heat maps."""
    n, count, height, width = keypoint_logits.shape
    if height != width:
        raise ValueError(
            "keypoint_logits height and width (last two elements of shape) should be equal. "
            f"Instead got H = {height} and W = {width}"
        )
    places, valid = [], []
    for boxes, points, index in zip(proposals, gt_keypoints, keypoint_matched_idxs, strict=True):
        place, counts = keypoints_to_heatmap(points[index], boxes, height)
        places.append(place.view(-1))
        valid.append(counts.view(-1))
    targets = cat(places, dim=0)
    (chosen,) = where(cat(valid, dim=0))
    if targets.numel() == 0 or len(chosen) == 0:
        return keypoint_logits.sum() * 0
    logits = keypoint_logits.view(n * count, height * width)
    return F.cross_entropy(logits[chosen], targets[chosen])


def keypointrcnn_inference(x: Tensor, boxes: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """`heatmaps_to_keypoints` image by image."""
    parts = x.split([b.shape[0] for b in boxes], dim=0)
    found = [heatmaps_to_keypoints(part, b) for part, b in zip(parts, boxes, strict=True)]
    return [points for points, _ in found], [scores for _, scores in found]
