"""What is in the boxes: the second half of Faster, Mask and Keypoint R-CNN."""

from __future__ import annotations

from typing import Any

from chainrule import dtypes, nn
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.tensor.creation import arange, zeros
from chainrule.tensor.functions import cat, where
from chainrule.vision.models.detection import _utils as det_utils
from chainrule.vision.models.detection._utils import Target
from chainrule.vision.models.detection.keypoints import (
    heatmaps_to_keypoints,
    keypointrcnn_inference,
    keypointrcnn_loss,
    keypoints_to_heatmap,
)
from chainrule.vision.models.detection.masks import (
    expand_boxes,
    expand_masks,
    maskrcnn_inference,
    maskrcnn_loss,
    paste_mask_in_image,
    paste_masks_in_image,
    project_masks_on_boxes,
)
from chainrule.vision.ops import boxes as box_ops

__all__ = [
    "RoIHeads",
    "expand_boxes",
    "expand_masks",
    "fastrcnn_loss",
    "heatmaps_to_keypoints",
    "keypointrcnn_inference",
    "keypointrcnn_loss",
    "keypoints_to_heatmap",
    "maskrcnn_inference",
    "maskrcnn_loss",
    "paste_mask_in_image",
    "paste_masks_in_image",
    "project_masks_on_boxes",
]


def fastrcnn_loss(
    class_logits: Tensor,
    box_regression: Tensor,
    labels: list[Tensor],
    regression_targets: list[Tensor],
) -> tuple[Tensor, Tensor]:
    """Cross entropy of the classes, and smooth L1 of the moves of boxes that hold an object.

    class_logits (N, classes), box_regression (N, 4 · classes).
    """
    truth, moves = cat(labels, dim=0), cat(regression_targets, dim=0)
    (positive,) = where(truth > 0)
    codes = box_regression.reshape(class_logits.shape[0], -1, 4)
    box_loss = F.smooth_l1_loss(
        codes[positive, truth[positive]], moves[positive], beta=1 / 9, reduction="sum"
    )
    return F.cross_entropy(class_logits, truth), box_loss / truth.numel()


class RoIHeads(nn.Module):
    """Classes and better boxes of proposals, and where those parts are given masks and keypoints.

    The thresholds and counts are described at `FasterRCNN`.
    """

    def __init__(
        self,
        box_roi_pool: Any,
        box_head: Any,
        box_predictor: Any,
        fg_iou_thresh: float,
        bg_iou_thresh: float,
        batch_size_per_image: int,
        positive_fraction: float,
        bbox_reg_weights: tuple[float, float, float, float] | None,
        score_thresh: float,
        nms_thresh: float,
        detections_per_img: int,
        mask_roi_pool: Any = None,
        mask_head: Any = None,
        mask_predictor: Any = None,
        keypoint_roi_pool: Any = None,
        keypoint_head: Any = None,
        keypoint_predictor: Any = None,
    ) -> None:
        super().__init__()
        self.box_similarity = box_ops.box_iou
        self.proposal_matcher = det_utils.Matcher(
            fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=False
        )
        self.fg_bg_sampler = det_utils.BalancedPositiveNegativeSampler(
            batch_size_per_image, positive_fraction
        )
        self.box_coder = det_utils.BoxCoder(bbox_reg_weights or (10.0, 10.0, 5.0, 5.0))
        self.box_roi_pool = box_roi_pool
        self.box_head = box_head
        self.box_predictor = box_predictor
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_img = detections_per_img
        self.mask_roi_pool = mask_roi_pool
        self.mask_head = mask_head
        self.mask_predictor = mask_predictor
        self.keypoint_roi_pool = keypoint_roi_pool
        self.keypoint_head = keypoint_head
        self.keypoint_predictor = keypoint_predictor

    def has_mask(self) -> bool:
        """Whether all three parts for masks are there."""
        return None not in (self.mask_roi_pool, self.mask_head, self.mask_predictor)

    def has_keypoint(self) -> bool:
        """Whether all three parts for keypoints are there."""
        return None not in (self.keypoint_roi_pool, self.keypoint_head, self.keypoint_predictor)

    def assign_targets_to_proposals(
        self, proposals: list[Tensor], gt_boxes: list[Tensor], gt_labels: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Of each proposal: the truth that it belongs to, and its label (0 none, -1 unclear)."""
        matched, labels = [], []
        for own, boxes, classes in zip(proposals, gt_boxes, gt_labels, strict=True):
            if boxes.numel() == 0:
                matched.append(zeros(own.shape[0], dtype=dtypes.int64))
                labels.append(zeros(own.shape[0], dtype=dtypes.int64))
                continue
            index = self.proposal_matcher(box_ops.box_iou(boxes, own))
            found = index.clamp(min=0)
            label = classes[found].to(dtypes.int64)
            label = where(index == self.proposal_matcher.BELOW_LOW_THRESHOLD, 0, label)
            label = where(index == self.proposal_matcher.BETWEEN_THRESHOLDS, -1, label)
            matched.append(found)
            labels.append(label)
        return matched, labels

    def subsample(self, labels: list[Tensor]) -> list[Tensor]:
        """Indices drawn for the loss, of each image."""
        pairs = zip(*self.fg_bg_sampler(labels), strict=True)
        return [where(positive | negative)[0] for positive, negative in pairs]

    def add_gt_proposals(self, proposals: list[Tensor], gt_boxes: list[Tensor]) -> list[Tensor]:
        """The truths as further proposals."""
        return [cat(pair) for pair in zip(proposals, gt_boxes, strict=True)]

    def check_targets(self, targets: list[Target] | None) -> list[Target]:
        """ValueError unless the targets have what training needs."""
        if targets is None:
            raise ValueError("targets should not be None")
        for key in ("boxes", "labels", *(["masks"] if self.has_mask() else [])):
            if not all(key in t for t in targets):
                raise ValueError(f"Every element of targets should have a {key} key")
        return targets

    def select_training_samples(
        self, proposals: list[Tensor], targets: list[Target] | None
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        """The drawn proposals, the truths that they belong to, their labels and moves."""
        given = self.check_targets(targets)
        dtype = proposals[0].dtype
        truths = [t["boxes"].to(dtype) for t in given]
        every = self.add_gt_proposals(proposals, truths)
        matched, labels = self.assign_targets_to_proposals(
            every, truths, [t["labels"] for t in given]
        )
        drawn = self.subsample(labels)
        every, matched, labels = (
            [part[index] for part, index in zip(parts, drawn, strict=True)]
            for parts in (every, matched, labels)
        )
        wanted = [
            (boxes if boxes.numel() else zeros((1, 4), dtype=dtype))[index]
            for boxes, index in zip(truths, matched, strict=True)
        ]
        return every, matched, labels, self.box_coder.encode(wanted, every)

    def postprocess_detections(
        self,
        class_logits: Tensor,
        box_regression: Tensor,
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Boxes, scores and labels of what was found, best first, image by image."""
        classes = class_logits.shape[-1]
        counts = [own.shape[0] for own in proposals]
        boxes = self.box_coder.decode(box_regression, proposals).split(counts, 0)
        scores = F.softmax(class_logits, -1).split(counts, 0)
        result: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
        for box, score, shape in zip(boxes, scores, image_shapes, strict=True):
            box = box_ops.clip_boxes_to_image(box, shape)
            label = arange(classes).view(1, -1).expand_as(score)
            # class 0 is the background
            box, score, label = box[:, 1:].reshape(-1, 4), score[:, 1:], label[:, 1:]
            score, label = score.reshape(-1), label.reshape(-1)
            (keep,) = where(score > self.score_thresh)
            box, score, label = box[keep], score[keep], label[keep]
            keep = box_ops.remove_small_boxes(box, min_size=1e-2)
            box, score, label = box[keep], score[keep], label[keep]
            keep = box_ops.batched_nms(box, score, label, self.nms_thresh)
            keep = keep[: self.detections_per_img]
            for part, value in zip(result, (box, score, label), strict=True):
                part.append(value[keep])
        return result

    def _check_types(self, targets: list[Target] | None) -> None:
        wanted: dict[str, tuple[dtypes.DType, ...]] = {"labels": (dtypes.int64,)}
        wanted["boxes"] = (dtypes.float32, dtypes.float64, dtypes.float16)
        if self.has_keypoint():
            wanted["keypoints"] = (dtypes.float32,)
        names = {"boxes": "float", "labels": "int64", "keypoints": "float"}
        for target in targets or ():
            for key, kinds in wanted.items():
                if target[key].dtype not in kinds:
                    raise TypeError(
                        f"target {key} must of {names[key]} type, instead got {target[key].dtype}"
                    )

    def _positive(self, parts: list[Tensor], labels: list[Tensor]) -> list[Tensor]:
        """The rows of each image whose label is an object."""
        return [part[where(label > 0)[0]] for part, label in zip(parts, labels, strict=True)]

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[Target] | None = None,
    ) -> tuple[list[Target], dict[str, Tensor]]:
        self._check_types(targets)
        labels: list[Tensor] = []
        matched: list[Tensor] = []
        wanted: list[Tensor] = []
        if self.training:
            proposals, matched, labels, wanted = self.select_training_samples(proposals, targets)
        inner = self.box_head(self.box_roi_pool(features, proposals, image_shapes))
        class_logits, box_regression = self.box_predictor(inner)
        result: list[Target] = []
        losses: dict[str, Tensor] = {}
        if self.training:
            class_loss, box_loss = fastrcnn_loss(class_logits, box_regression, labels, wanted)
            losses = {"loss_classifier": class_loss, "loss_box_reg": box_loss}
            boxes = self._positive(proposals, labels)
            index = self._positive(matched, labels)
        else:
            boxes, scores, labels = self.postprocess_detections(
                class_logits, box_regression, proposals, image_shapes
            )
            rows = zip(boxes, labels, scores, strict=True)
            result = [{"boxes": b, "labels": c, "scores": s} for b, c, s in rows]
        if self.has_mask():
            inner = self.mask_roi_pool(features, boxes, image_shapes)
            mask_logits = self.mask_predictor(self.mask_head(inner))
            if self.training:
                truth = self.check_targets(targets)
                masks, classes = [t["masks"] for t in truth], [t["labels"] for t in truth]
                losses["loss_mask"] = maskrcnn_loss(mask_logits, boxes, masks, classes, index)
            else:
                found = maskrcnn_inference(mask_logits, labels)
                for row, mask in zip(result, found, strict=True):
                    row["masks"] = mask
        if self.has_keypoint():
            inner = self.keypoint_roi_pool(features, boxes, image_shapes)
            point_logits = self.keypoint_predictor(self.keypoint_head(inner))
            if self.training:
                points = [t["keypoints"] for t in self.check_targets(targets)]
                losses["loss_keypoint"] = keypointrcnn_loss(point_logits, boxes, points, index)
            else:
                both = keypointrcnn_inference(point_logits, boxes)
                for row, place, score in zip(result, *both, strict=True):
                    row["keypoints"], row["keypoints_scores"] = place, score
        return result, losses
