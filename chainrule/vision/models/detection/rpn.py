"""The region proposal network of Faster R-CNN (Ren et al., arXiv:1506.01497)."""

from __future__ import annotations

from typing import Any

from chainrule import dtypes, nn
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.tensor import Tensor
from chainrule.tensor.creation import arange, full, zeros
from chainrule.tensor.functions import cat, sigmoid, where
from chainrule.vision.models.detection import _utils as det_utils
from chainrule.vision.models.detection._utils import Target
from chainrule.vision.models.detection.anchor_utils import AnchorGenerator
from chainrule.vision.models.detection.image_list import ImageList
from chainrule.vision.ops import boxes as box_ops
from chainrule.vision.ops.misc import Conv2dNormActivation


class RPNHead(nn.Module):
    """Of each feature map: is there an object at each anchor, and how to move the anchor to it."""

    _version = 2

    def __init__(self, in_channels: int, num_anchors: int, conv_depth: int = 1) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            *(
                Conv2dNormActivation(in_channels, in_channels, kernel_size=3, norm_layer=None)
                for _ in range(conv_depth)
            )
        )
        self.cls_logits = nn.Conv2d(in_channels, num_anchors, kernel_size=1, stride=1)
        self.bbox_pred = nn.Conv2d(in_channels, num_anchors * 4, kernel_size=1, stride=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    init.constant_(layer.bias, 0)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict, *args: Any
    ) -> None:
        if (local_metadata.get("version") or 1) < 2:
            for kind in ("weight", "bias"):
                if f"{prefix}conv.{kind}" in state_dict:
                    moved = state_dict.pop(f"{prefix}conv.{kind}")
                    state_dict[f"{prefix}conv.0.0.{kind}"] = moved
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        inner = [self.conv(feature) for feature in x]
        return [self.cls_logits(t) for t in inner], [self.bbox_pred(t) for t in inner]


def permute_and_flatten(layer: Tensor, N: int, A: int, C: int, H: int, W: int) -> Tensor:
    """(N, A · C, H, W) → (N, H · W · A, C)."""
    return layer.view(N, -1, C, H, W).permute(0, 3, 4, 1, 2).reshape(N, -1, C)


def concat_box_prediction_layers(
    box_cls: list[Tensor], box_regression: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """All levels in one: (N · anchors, C) and (N · anchors, 4)."""
    classes, codes = [], []
    for logits, moves in zip(box_cls, box_regression, strict=True):
        n, wide, height, width = logits.shape
        anchors = moves.shape[1] // 4
        depth = wide // anchors
        classes.append(permute_and_flatten(logits, n, anchors, depth, height, width))
        codes.append(permute_and_flatten(moves, n, anchors, 4, height, width))
    return cat(classes, dim=1).flatten(0, -2), cat(codes, dim=1).reshape(-1, 4)


class RegionProposalNetwork(nn.Module):
    """Features → the boxes where objects may be, and in training its own losses.

    fg_iou_thresh, bg_iou_thresh: overlap with a truth from which on an anchor is an object, and
    below which it is none. batch_size_per_image, positive_fraction: anchors drawn for the loss.
    pre_nms_top_n, post_nms_top_n: {"training": …, "testing": …}, how many boxes are kept of each
    level before, and of each image after those that overlap (by `nms_thresh`) are left out.
    """

    def __init__(
        self,
        anchor_generator: AnchorGenerator,
        head: nn.Module,
        fg_iou_thresh: float,
        bg_iou_thresh: float,
        batch_size_per_image: int,
        positive_fraction: float,
        pre_nms_top_n: dict[str, int],
        post_nms_top_n: dict[str, int],
        nms_thresh: float,
        score_thresh: float = 0.0,
    ) -> None:
        super().__init__()
        self.anchor_generator = anchor_generator
        self.head = head
        self.box_coder = det_utils.BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        self.box_similarity = box_ops.box_iou
        self.proposal_matcher = det_utils.Matcher(
            fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=True
        )
        self.fg_bg_sampler = det_utils.BalancedPositiveNegativeSampler(
            batch_size_per_image, positive_fraction
        )
        self._pre_nms_top_n = pre_nms_top_n
        self._post_nms_top_n = post_nms_top_n
        self.nms_thresh = nms_thresh
        self.score_thresh = score_thresh
        self.min_size = 1e-3

    def pre_nms_top_n(self) -> int:
        """Of each level, in the present mode."""
        return self._pre_nms_top_n["training" if self.training else "testing"]

    def post_nms_top_n(self) -> int:
        """Of each image, in the present mode."""
        return self._post_nms_top_n["training" if self.training else "testing"]

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[Target]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Of each anchor: object 1, none 0 or unclear -1, and the box that it belongs to."""
        labels, matched = [], []
        for own, target in zip(anchors, targets, strict=True):
            truth = target["boxes"]
            if truth.numel() == 0:
                labels.append(zeros(own.shape[0]))
                matched.append(zeros(own.shape))
                continue
            index = self.proposal_matcher(self.box_similarity(truth, own))
            label = (index >= 0).float()
            between = index == self.proposal_matcher.BETWEEN_THRESHOLDS
            labels.append(where(between, -1.0, label))
            matched.append(truth[index.clamp(min=0)])
        return labels, matched

    def _get_top_n_idx(self, objectness: Tensor, num_anchors_per_level: list[int]) -> Tensor:
        """The best anchors of each level: (N, chosen)."""
        chosen, offset = [], 0
        for level in objectness.split(num_anchors_per_level, 1):
            count = det_utils._topk_min(level, self.pre_nms_top_n(), 1)
            chosen.append(level.topk(count, dim=1)[1] + offset)
            offset += level.shape[1]
        return cat(chosen, dim=1)

    def filter_proposals(
        self,
        proposals: Tensor,
        objectness: Tensor,
        image_shapes: list[tuple[int, int]],
        num_anchors_per_level: list[int],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The best boxes of each image that do not overlap too much, and their scores."""
        images = proposals.shape[0]
        logits = objectness.detach().reshape(images, -1)
        counted = enumerate(num_anchors_per_level)
        levels = cat([full((n,), i, dtype=dtypes.int64) for i, n in counted], 0)
        best = self._get_top_n_idx(logits, num_anchors_per_level)
        row = arange(images)[:, None]
        scores = sigmoid(logits[row, best])
        rows = zip(proposals[row, best], scores, levels[best], image_shapes, strict=True)
        final_boxes, final_scores = [], []
        for boxes, score, level, shape in rows:
            boxes = box_ops.clip_boxes_to_image(boxes, shape)
            keep = box_ops.remove_small_boxes(boxes, self.min_size)
            boxes, score, level = boxes[keep], score[keep], level[keep]
            (keep,) = where(score >= self.score_thresh)
            boxes, score, level = boxes[keep], score[keep], level[keep]
            keep = box_ops.batched_nms(boxes, score, level, self.nms_thresh)
            keep = keep[: self.post_nms_top_n()]
            final_boxes.append(boxes[keep])
            final_scores.append(score[keep])
        return final_boxes, final_scores

    def compute_loss(
        self,
        objectness: Tensor,
        pred_bbox_deltas: Tensor,
        labels: list[Tensor],
        regression_targets: list[Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Cross entropy of drawn anchors, and smooth L1 of the moves of those that are objects."""
        drawn = self.fg_bg_sampler(labels)
        positive, negative = (where(cat(part, dim=0))[0] for part in drawn)
        sampled = cat([positive, negative], dim=0)
        moves = cat(regression_targets, dim=0)
        box_loss = F.smooth_l1_loss(
            pred_bbox_deltas[positive], moves[positive], beta=1 / 9, reduction="sum"
        )
        truth = cat(labels, dim=0)[sampled]
        logits = objectness.flatten()[sampled]
        object_loss = F.binary_cross_entropy_with_logits(logits, truth)
        return object_loss, box_loss / sampled.numel()

    def forward(
        self,
        images: ImageList,
        features: dict[str, Tensor],
        targets: list[Target] | None = None,
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        levels = list(features.values())
        objectness, moves = self.head(levels)
        anchors = self.anchor_generator(images, levels)
        counts = [o.shape[1] * o.shape[2] * o.shape[3] for o in objectness]
        logits, codes = concat_box_prediction_layers(objectness, moves)
        proposals = self.box_coder.decode(codes.detach(), anchors).view(len(anchors), -1, 4)
        boxes, _ = self.filter_proposals(proposals, logits, images.image_sizes, counts)
        if not self.training:
            return boxes, {}
        if targets is None:
            raise ValueError("targets should not be None")
        labels, matched = self.assign_targets_to_anchors(anchors, targets)
        wanted = self.box_coder.encode(matched, anchors)
        object_loss, box_loss = self.compute_loss(logits, codes, labels, wanted)
        return boxes, {"loss_objectness": object_loss, "loss_rpn_box_reg": box_loss}
