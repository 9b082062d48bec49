"""The frame of detectors that go from features to boxes in one step: RetinaNet, FCOS, SSD."""

from __future__ import annotations

from typing import Any

from chainrule import dtypes, nn
from chainrule.tensor import Tensor
from chainrule.tensor.creation import full
from chainrule.tensor.functions import cat
from chainrule.vision.models.detection._utils import (
    Target,
    as_features,
    check_boxes,
    check_not_degenerate,
    sizes_of,
)
from chainrule.vision.ops import boxes as box_ops


class OneStage(nn.Module):
    """Images → features → a head's outputs at anchors → losses or detections.

    forward(images: list of (3, H, W) in [0, 1], targets: list of dictionaries) → in training a
    dictionary of losses, otherwise of each image {"boxes", "scores", "labels"}.
    """

    backbone: Any
    head: Any
    anchor_generator: Any
    transform: Any
    nms_thresh: float
    detections_per_img: int

    def eager_outputs(self, losses: dict[str, Tensor], detections: list[Target]) -> Any:
        """The losses in training, otherwise what was found."""
        return losses if self.training else detections

    def losses_of(
        self,
        targets: list[Target],
        outputs: dict[str, Tensor],
        anchors: list[Tensor],
        levels: list[int],
    ) -> dict[str, Tensor]:
        """The losses; `levels`: places of each feature map."""
        raise NotImplementedError

    def found(
        self,
        outputs: dict[str, Tensor],
        anchors: list[Tensor],
        shapes: list[tuple[int, int]],
        levels: list[int],
    ) -> list[Target]:
        """The detections in pixels of the resized images."""
        raise NotImplementedError

    def forward(self, images: list[Tensor], targets: list[Target] | None = None) -> Any:
        if self.training:
            check_boxes(targets)
        before = sizes_of(images)
        batch, targets = self.transform(images, targets)
        check_not_degenerate(targets)
        features = list(as_features(self.backbone(batch.tensors)).values())
        outputs = self.head(features)
        anchors = self.anchor_generator(batch, features)
        levels = [f.shape[2] * f.shape[3] for f in features]
        if self.training:
            assert targets is not None  # checked above
            return self.eager_outputs(self.losses_of(targets, outputs, anchors, levels), [])
        detections = self.found(outputs, anchors, batch.image_sizes, levels)
        return self.eager_outputs(
            {}, self.transform.postprocess(detections, batch.image_sizes, before)
        )

    def best(self, parts: list[tuple[Tensor, Tensor, Tensor]]) -> Target:
        """Of (boxes, scores, labels) of levels or classes: those that do not overlap too much."""
        boxes, scores, labels = (cat(list(column), dim=0) for column in zip(*parts, strict=True))
        keep = box_ops.batched_nms(boxes, scores, labels, self.nms_thresh)
        keep = keep[: self.detections_per_img]
        return {"boxes": boxes[keep], "scores": scores[keep], "labels": labels[keep]}


def matched_to(matcher: Any, targets: list[Target], anchors: list[Tensor]) -> list[Tensor]:
    """Of each anchor the number of its truth, or a negative one."""
    matches = []
    for own, target in zip(anchors, targets, strict=True):
        if target["boxes"].numel() == 0:
            matches.append(full((own.shape[0],), -1, dtype=dtypes.int64))
        else:
            matches.append(matcher(box_ops.box_iou(target["boxes"], own)))
    return matches


def by_place(x: Tensor, columns: int) -> Tensor:
    """(N, A · columns, H, W) → (N, H · W · A, columns)."""
    n, _, height, width = x.shape
    x = x.view(n, -1, columns, height, width).permute(0, 3, 4, 1, 2)
    return x.reshape(n, -1, columns)


def candidates(
    scores: Tensor, classes: int, threshold: float, most: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Of scores (anchors, classes) the best above a threshold: scores, anchors, labels."""
    flat = scores.flatten()
    keep = flat > threshold
    values = flat[keep]
    places = keep.nonzero()[:, 0]
    values, order = values.topk(min(most, places.shape[0]))
    places = places[order]
    return values, places // classes, places % classes
