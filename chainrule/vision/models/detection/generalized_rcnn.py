"""The frame of Faster, Mask and Keypoint R-CNN."""

from __future__ import annotations

from typing import Any

from chainrule import nn
from chainrule.tensor import Tensor
from chainrule.vision.models.detection._utils import (
    Target,
    as_features,
    check_boxes,
    check_not_degenerate,
    sizes_of,
)


class GeneralizedRCNN(nn.Module):
    """Images → features → proposals → detections.

    forward(images: list of (3, H, W) in [0, 1], targets: list of dictionaries) → in training a
    dictionary of losses, otherwise of each image {"boxes", "labels", "scores", …}.
    """

    def __init__(self, backbone: Any, rpn: nn.Module, roi_heads: nn.Module, transform: Any) -> None:
        super().__init__()
        self.transform = transform
        self.backbone = backbone
        self.rpn = rpn
        self.roi_heads = roi_heads

    def eager_outputs(self, losses: dict[str, Tensor], detections: list[Target]) -> Any:
        """The losses in training, otherwise what was found."""
        return losses if self.training else detections

    def forward(self, images: list[Tensor], targets: list[Target] | None = None) -> Any:
        if self.training:
            check_boxes(targets)
        before = sizes_of(images)
        batch, targets = self.transform(images, targets)
        check_not_degenerate(targets)
        features = as_features(self.backbone(batch.tensors))
        proposals, rpn_losses = self.rpn(batch, features, targets)
        detections, losses = self.roi_heads(features, proposals, batch.image_sizes, targets)
        detections = self.transform.postprocess(detections, batch.image_sizes, before)
        return self.eager_outputs({**losses, **rpn_losses}, detections)
