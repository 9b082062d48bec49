"""What the detectors share: boxes as numbers relative to anchors, matching, sampling, checks."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

from chainrule import dtypes, nn
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.creation import arange, as_tensor, randperm, zeros, zeros_like
from chainrule.tensor.functions import cat, stack, where
from chainrule.vision.ops import (
    FrozenBatchNorm2d,
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
)

Target = dict[str, Tensor]


class BalancedPositiveNegativeSampler:
    """Draws `batch_size_per_image` indices of each image, at most a share of them positive.

    Of labels (1 and more positive, 0 negative, below neither) it gives two masks of uint8.
    """

    def __init__(self, batch_size_per_image: int, positive_fraction: float) -> None:
        self.batch_size_per_image = batch_size_per_image
        self.positive_fraction = positive_fraction

    def __call__(self, matched_idxs: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        positives, negatives = [], []
        for labels in matched_idxs:
            (positive,) = where(labels >= 1)
            (negative,) = where(labels == 0)
            most = int(self.batch_size_per_image * self.positive_fraction)
            count = min(positive.numel(), most)
            rest = min(negative.numel(), self.batch_size_per_image - count)
            positives.append(_some(labels, positive, count))
            negatives.append(_some(labels, negative, rest))
        return positives, negatives


def _some(labels: Tensor, places: Tensor, count: int) -> Tensor:
    """A mask of `count` of the places, drawn at random."""
    mask = zeros_like(labels, dtype=dtypes.uint8)
    mask[places[randperm(places.numel())[:count]]] = 1
    return mask


def encode_boxes(reference_boxes: Tensor, proposals: Tensor, weights: Tensor) -> Tensor:
    """How to move `proposals` (N, 4) to the boxes: shift of the middle in sizes, log of the size's
    factor, times `weights`."""
    size, middle = _size_and_middle(proposals)
    wanted, there = _size_and_middle(reference_boxes)
    return cat((weights[:2] * (there - middle) / size, weights[2:] * (wanted / size).log()), dim=1)


def _size_and_middle(boxes: Tensor) -> tuple[Tensor, Tensor]:
    size = boxes[:, 2:] - boxes[:, :2]
    return size, boxes[:, :2] + 0.5 * size


class BoxCoder:
    """Boxes relative to others, as in R-CNN (arXiv:1311.2524).

    weights: of x, y, width, height. bbox_xform_clip: the largest log of a factor.
    """

    def __init__(
        self,
        weights: tuple[float, float, float, float],
        bbox_xform_clip: float = math.log(1000.0 / 16),
    ) -> None:
        self.weights = weights
        self.bbox_xform_clip = bbox_xform_clip

    def encode(self, reference_boxes: list[Tensor], proposals: list[Tensor]) -> Any:
        """`encode_single` of each image."""
        counts = [len(boxes) for boxes in reference_boxes]
        targets = self.encode_single(cat(reference_boxes, dim=0), cat(proposals, dim=0))
        return targets.split(counts, 0)

    def encode_single(self, reference_boxes: Tensor, proposals: Tensor) -> Tensor:
        """(N, 4), (N, 4) → (N, 4)."""
        weights = as_tensor(self.weights, dtype=reference_boxes.dtype)
        return encode_boxes(reference_boxes, proposals, weights)

    def decode(self, rel_codes: Tensor, boxes: list[Tensor]) -> Tensor:
        """Codes (N, 4 k) and the boxes of all images → (N, k, 4)."""
        count = sum(b.shape[0] for b in boxes)
        if count > 0:
            rel_codes = rel_codes.reshape(count, -1)
        found = self.decode_single(rel_codes, cat(boxes, dim=0))
        return found.reshape(count, -1, 4) if count > 0 else found

    def decode_single(self, rel_codes: Tensor, boxes: Tensor) -> Tensor:
        """Codes (N, 4 k), boxes (N, 4) → (N, 4 k)."""
        size, middle = _size_and_middle(boxes.to(rel_codes.dtype))
        wx, wy, ww, wh = self.weights
        corners: list[Tensor] = []
        for axis, (shift, scale) in enumerate(((wx, ww), (wy, wh))):
            length = size[:, axis, None]
            at = rel_codes[:, axis::4] / shift * length + middle[:, axis, None]
            factor = (rel_codes[:, axis + 2 :: 4] / scale).clamp(max=self.bbox_xform_clip)
            half = 0.5 * (factor.exp() * length)
            corners += [at - half, at + half]
        x1, x2, y1, y2 = corners
        return stack((x1, y1, x2, y2), dim=2).flatten(1)


class BoxLinearCoder:
    """Boxes as the distances of their sides from the middle of others (FCOS, arXiv:1904.01355).

    normalize_by_size: in sizes of the others.
    """

    def __init__(self, normalize_by_size: bool = True) -> None:
        self.normalize_by_size = normalize_by_size

    def encode(self, reference_boxes: Tensor, proposals: Tensor) -> Tensor:
        """(…, 4), (…, 4) → (…, 4): left, top, right, bottom."""
        middle = 0.5 * (reference_boxes[..., :2] + reference_boxes[..., 2:])
        targets = cat((middle - proposals[..., :2], proposals[..., 2:] - middle), dim=-1)
        if self.normalize_by_size:
            size = reference_boxes[..., 2:] - reference_boxes[..., :2]
            targets = targets / cat((size, size), dim=-1)
        return targets

    def decode(self, rel_codes: Tensor, boxes: Tensor) -> Tensor:
        """The way back."""
        boxes = boxes.to(rel_codes.dtype)
        middle = 0.5 * (boxes[..., :2] + boxes[..., 2:])
        if self.normalize_by_size:
            size = boxes[..., 2:] - boxes[..., :2]
            rel_codes = rel_codes * cat((size, size), dim=-1)
        return cat((middle - rel_codes[..., :2], middle + rel_codes[..., 2:]), dim=-1)


class Matcher:
    """Of a matrix of qualities (truths, predictions): the truth of each prediction, -1 where all
    are below `low_threshold`, -2 where the best is between the thresholds.

    allow_low_quality_matches: a prediction that is the best of some truth is matched in any case.
    """

    BELOW_LOW_THRESHOLD = -1
    BETWEEN_THRESHOLDS = -2

    def __init__(
        self,
        high_threshold: float,
        low_threshold: float,
        allow_low_quality_matches: bool = False,
    ) -> None:
        if low_threshold > high_threshold:
            raise AssertionError("low_threshold should be <= high_threshold")
        self.high_threshold = high_threshold
        self.low_threshold = low_threshold
        self.allow_low_quality_matches = allow_low_quality_matches

    def __call__(self, match_quality_matrix: Tensor) -> Tensor:
        if match_quality_matrix.numel() == 0:
            what = "ground-truth" if match_quality_matrix.shape[0] == 0 else "proposal"
            raise ValueError(f"No {what} boxes available for one of the images during training")
        best, matches = match_quality_matrix.max(dim=0)
        low = best < self.low_threshold
        between = (best >= self.low_threshold) & (best < self.high_threshold)
        result = where(low, self.BELOW_LOW_THRESHOLD, matches)
        result = where(between, self.BETWEEN_THRESHOLDS, result)
        if self.allow_low_quality_matches:
            of_truth = match_quality_matrix.amax(dim=1)
            chosen = (match_quality_matrix == of_truth[:, None]).any(dim=0)
            result = where(chosen, matches, result)
        return result


class SSDMatcher(Matcher):
    """One threshold, and each truth has its best prediction."""

    def __init__(self, threshold: float) -> None:
        super().__init__(threshold, threshold, allow_low_quality_matches=False)

    def __call__(self, match_quality_matrix: Tensor) -> Tensor:
        matches = super().__call__(match_quality_matrix)
        best = match_quality_matrix.max(dim=1)[1]
        matches[best] = arange(best.shape[0])
        return matches


def overwrite_eps(model: nn.Module, eps: float) -> None:
    """Give all frozen norms another eps: some published weights were trained with 0."""
    for module in model.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = eps


def retrieve_out_channels(model: nn.Module, size: tuple[int, int]) -> list[int]:
    """The channels of each feature that `model` gives for images of (width, height)."""
    training = model.training
    model.eval()
    with no_grad():
        features = model(zeros((1, 3, size[1], size[0])))
    if training:
        model.train()
    return [f.shape[1] for f in as_features(features).values()]


def as_features(features: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    """What a backbone gave, by name."""
    return OrderedDict([("0", features)]) if isinstance(features, Tensor) else features


def _topk_min(input: Tensor, orig_kval: int, axis: int) -> int:
    """`orig_kval`, or as many as there are."""
    return min(orig_kval, input.shape[axis])


def _box_loss(
    type: str,
    box_coder: BoxCoder,
    anchors_per_image: Tensor,
    matched_gt_boxes_per_image: Tensor,
    bbox_regression_per_image: Tensor,
    cnf: dict[str, float] | None = None,
) -> Tensor:
    """The summed loss of codes against boxes: on codes ("l1", "smooth_l1") or boxes ("ciou",
    "diou", "giou")."""
    options = cnf or {}
    codes, boxes = bbox_regression_per_image, matched_gt_boxes_per_image
    if type in ("l1", "smooth_l1"):
        targets = box_coder.encode_single(boxes, anchors_per_image)
        if type == "l1":
            return F.l1_loss(codes, targets, reduction="sum")
        beta = options.get("beta", 1.0)
        return F.smooth_l1_loss(codes, targets, reduction="sum", beta=beta)
    losses = {
        "ciou": complete_box_iou_loss,
        "diou": distance_box_iou_loss,
        "giou": generalized_box_iou_loss,
    }
    if type not in losses:
        raise AssertionError(f"Unsupported loss: {type}")
    found = box_coder.decode_single(codes, anchors_per_image)
    return losses[type](found, boxes, reduction="sum", eps=options.get("eps", 1e-7))


def check_boxes(targets: list[Target] | None) -> None:
    """AssertionError unless every target has boxes (N, 4)."""
    if targets is None:
        raise AssertionError("targets should not be none when in training mode")
    for target in targets:
        boxes = target["boxes"]
        if not isinstance(boxes, Tensor):
            raise AssertionError(f"Expected target boxes to be of type Tensor, got {type(boxes)}.")
        if boxes.ndim != 2 or boxes.shape[-1] != 4:
            raise AssertionError(
                f"Expected target boxes to be a tensor of shape [N, 4], got {boxes.shape}."
            )


def check_not_degenerate(targets: list[Target] | None) -> None:
    """AssertionError for a box without height or width."""
    for number, target in enumerate(targets or ()):
        boxes = target["boxes"]
        bad = (boxes[:, 2:] <= boxes[:, :2]).any(dim=1)
        if bad.any():
            box = boxes[where(bad)[0][0]].tolist()
            raise AssertionError(
                "All bounding boxes should have positive height and width. Found invalid box "
                f"{box} for target at index {number}."
            )


def sizes_of(images: list[Tensor]) -> list[tuple[int, int]]:
    """(height, width) of each image."""
    return [(int(img.shape[-2]), int(img.shape[-1])) for img in images]
