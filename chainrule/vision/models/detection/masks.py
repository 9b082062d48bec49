"""Masks of boxes, small and square, and their places in the image."""

from __future__ import annotations

import numpy as np

from chainrule import dtypes
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.tensor.creation import arange, zeros
from chainrule.tensor.functions import cat, stack
from chainrule.tensor.handle import from_array
from chainrule.vision.ops.roi_align import roi_align


def maskrcnn_inference(x: Tensor, labels: list[Tensor]) -> list[Tensor]:
    """Of mask logits (N, classes, M, M) the probabilities of each box's label, image by image."""
    counts = [label.shape[0] for label in labels]
    chosen = x.sigmoid()[arange(x.shape[0]), cat(labels)][:, None]
    return list(chosen.split(counts, dim=0))


def project_masks_on_boxes(gt_masks: Tensor, boxes: Tensor, matched_idxs: Tensor, M: int) -> Tensor:
    """The part of the matched mask in each box, (N, M, M)."""
    regions = cat([matched_idxs.to(boxes.dtype)[:, None], boxes], dim=1)
    return roi_align(gt_masks[:, None].to(regions.dtype), regions, (M, M), 1.0)[:, 0]


def maskrcnn_loss(
    mask_logits: Tensor,
    proposals: list[Tensor],
    gt_masks: list[Tensor],
    gt_labels: list[Tensor],
    mask_matched_idxs: list[Tensor],
) -> Tensor:
    """The mean cross entropy of the masks of the true labels."""
    side = mask_logits.shape[-1]
    both = zip(gt_labels, mask_matched_idxs, strict=True)
    labels = cat([label[index] for label, index in both], dim=0)
    rows = zip(gt_masks, proposals, mask_matched_idxs, strict=True)
    targets = cat([project_masks_on_boxes(m, p, i, side) for m, p, i in rows], dim=0)
    if targets.numel() == 0:
        return mask_logits.sum() * 0
    chosen = mask_logits[arange(labels.shape[0]), labels]
    return F.binary_cross_entropy_with_logits(chosen, targets)


def expand_boxes(boxes: Tensor, scale: float) -> Tensor:
    """Boxes (N, 4) `scale` times as large, around the same middle."""
    middle = (boxes[:, 2:] + boxes[:, :2]) * 0.5
    half = (boxes[:, 2:] - boxes[:, :2]) * 0.5 * scale
    return cat([middle - half, middle + half], dim=1)


def expand_masks(mask: Tensor, padding: int) -> tuple[Tensor, float]:
    """Masks with zeros around, and by how much they became larger."""
    side = mask.shape[-1]
    return F.pad(mask, (padding,) * 4), float(side + 2 * padding) / side


def paste_mask_in_image(mask: Tensor, box: Tensor, im_h: int, im_w: int) -> Tensor:
    """A mask (M, M), resized to its box, in an image of zeros: (im_h, im_w)."""
    x1, y1, x2, y2 = (int(v) for v in box.tolist())
    width, height = max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1)
    large = F.interpolate(
        mask[None, None], size=(height, width), mode="bilinear", align_corners=False
    )[0, 0].numpy()
    image = np.zeros((im_h, im_w), large.dtype)
    left, right = max(x1, 0), min(x2 + 1, im_w)
    top, bottom = max(y1, 0), min(y2 + 1, im_h)
    image[top:bottom, left:right] = large[top - y1 : bottom - y1, left - x1 : right - x1]
    return from_array(image)


def paste_masks_in_image(
    masks: Tensor, boxes: Tensor, img_shape: tuple[int, int], padding: int = 1
) -> Tensor:
    """Masks (N, 1, M, M) in their boxes: (N, 1, height, width)."""
    wide, scale = expand_masks(masks.detach(), padding)
    places = expand_boxes(boxes.detach(), scale).to(dtypes.int64)
    if not len(places):
        return zeros((0, 1, *img_shape), dtype=masks.dtype)
    pairs = zip(wide, places, strict=True)
    return stack([paste_mask_in_image(m[0], b, *img_shape) for m, b in pairs])[:, None]
