"""RetinaNet (Lin et al., Focal Loss, arXiv:1708.02002); version 2: arXiv:1912.02424."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from chainrule import nn
from chainrule.nn import init
from chainrule.tensor import Tensor
from chainrule.tensor.creation import zeros_like
from chainrule.tensor.functions import cat, sigmoid, where
from chainrule.vision.models._family import weights_of
from chainrule.vision.models._initial import zero_bias
from chainrule.vision.models.detection import _utils as det_utils
from chainrule.vision.models.detection._builder import detection_builder, frozen_norm
from chainrule.vision.models.detection._one_stage import (
    OneStage,
    by_place,
    candidates,
    matched_to,
)
from chainrule.vision.models.detection._utils import Target, _box_loss
from chainrule.vision.models.detection.anchor_utils import AnchorGenerator
from chainrule.vision.models.detection.backbone_utils import _resnet_fpn_extractor
from chainrule.vision.models.detection.faster_rcnn import width_of
from chainrule.vision.models.detection.transform import GeneralizedRCNNTransform
from chainrule.vision.models.resnet import ResNet50_Weights, resnet50
from chainrule.vision.ops import boxes as box_ops
from chainrule.vision.ops import sigmoid_focal_loss
from chainrule.vision.ops.feature_pyramid_network import LastLevelP6P7
from chainrule.vision.ops.misc import Conv2dNormActivation

__all__ = [
    "RetinaNet",
    "RetinaNet_ResNet50_FPN_Weights",
    "RetinaNet_ResNet50_FPN_V2_Weights",
    "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
]

Layer = Callable[..., nn.Module]


def _default_anchorgen() -> AnchorGenerator:
    thirds = [(x, int(x * 2 ** (1 / 3)), int(x * 2 ** (2 / 3))) for x in (32, 64, 128, 256, 512)]
    return AnchorGenerator(tuple(thirds), ((0.5, 1.0, 2.0),) * 5)


class _Tower(nn.Module):
    """Four convolutions, and one that gives numbers at each place."""

    _version = 2

    def __init__(self, in_channels: int, norm_layer: Layer | None) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            *(
                Conv2dNormActivation(in_channels, in_channels, norm_layer=norm_layer)
                for _ in range(4)
            )
        )
        for layer in self.conv.modules():
            if isinstance(layer, nn.Conv2d):
                init.normal_(layer.weight, std=0.01)
                zero_bias(layer)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict, *args: Any
    ) -> None:
        if (local_metadata.get("version") or 1) < 2:
            for i in range(4):
                for kind in ("weight", "bias"):
                    old = f"{prefix}conv.{2 * i}.{kind}"
                    if old in state_dict:
                        state_dict[f"{prefix}conv.{i}.0.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class RetinaNetClassificationHead(_Tower):
    """Logits of each class at each anchor: (N, anchors, classes)."""

    def __init__(
        self,
        in_channels: int,
        num_anchors: int,
        num_classes: int,
        prior_probability: float = 0.01,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__(in_channels, norm_layer)
        wide = num_anchors * num_classes
        self.cls_logits = nn.Conv2d(in_channels, wide, kernel_size=3, stride=1, padding=1)
        init.normal_(self.cls_logits.weight, std=0.01)
        bias = -math.log((1 - prior_probability) / prior_probability)
        init.constant_(self.cls_logits.bias, bias)
        self.num_classes = num_classes
        self.num_anchors = num_anchors
        self.BETWEEN_THRESHOLDS = det_utils.Matcher.BETWEEN_THRESHOLDS

    def compute_loss(
        self,
        targets: list[Target],
        head_outputs: dict[str, Tensor],
        matched_idxs: list[Tensor],
    ) -> Tensor:
        """The focal loss of all anchors that are clear, for each that is an object."""
        losses = []
        rows = zip(targets, head_outputs["cls_logits"], matched_idxs, strict=True)
        for target, logits, matched in rows:
            (front,) = where(matched >= 0)
            truth = zeros_like(logits)
            if len(front):
                truth[front, target["labels"][matched[front]]] = 1.0
            clear = (matched != self.BETWEEN_THRESHOLDS)[:, None].to(logits.dtype)
            loss = (sigmoid_focal_loss(logits, truth) * clear).sum()
            losses.append(loss / max(1, len(front)))
        return sum(losses[1:], losses[0]) / len(targets)

    def forward(self, x: list[Tensor]) -> Tensor:
        maps = [self.cls_logits(self.conv(features)) for features in x]
        return cat([by_place(m, self.num_classes) for m in maps], dim=1)


class RetinaNetRegressionHead(_Tower):
    """How to move each anchor: (N, anchors, 4)."""

    def __init__(self, in_channels: int, num_anchors: int, norm_layer: Layer | None = None) -> None:
        super().__init__(in_channels, norm_layer)
        self.bbox_reg = nn.Conv2d(in_channels, num_anchors * 4, kernel_size=3, stride=1, padding=1)
        init.normal_(self.bbox_reg.weight, std=0.01)
        init.zeros_(self.bbox_reg.bias)
        self.box_coder = det_utils.BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        self._loss_type = "l1"

    def compute_loss(
        self,
        targets: list[Target],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        matched_idxs: list[Tensor],
    ) -> Tensor:
        """The loss of the boxes of anchors that are objects."""
        losses = []
        rows = zip(targets, head_outputs["bbox_regression"], anchors, matched_idxs, strict=True)
        for target, codes, own, matched in rows:
            (front,) = where(matched >= 0)
            truth = target["boxes"][matched[front]]
            loss = _box_loss(self._loss_type, self.box_coder, own[front], truth, codes[front])
            losses.append(loss / max(1, len(front)))
        return sum(losses[1:], losses[0]) / max(1, len(targets))

    def forward(self, x: list[Tensor]) -> Tensor:
        return cat([by_place(self.bbox_reg(self.conv(features)), 4) for features in x], dim=1)


class RetinaNetHead(nn.Module):
    """Both heads: features → {"cls_logits", "bbox_regression"}."""

    def __init__(
        self,
        in_channels: int,
        num_anchors: int,
        num_classes: int,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        self.classification_head = RetinaNetClassificationHead(
            in_channels, num_anchors, num_classes, norm_layer=norm_layer
        )
        self.regression_head = RetinaNetRegressionHead(
            in_channels, num_anchors, norm_layer=norm_layer
        )

    def compute_loss(
        self,
        targets: list[Target],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        matched_idxs: list[Tensor],
    ) -> dict[str, Tensor]:
        """Both losses."""
        classes = self.classification_head.compute_loss(targets, head_outputs, matched_idxs)
        boxes = self.regression_head.compute_loss(targets, head_outputs, anchors, matched_idxs)
        return {"classification": classes, "bbox_regression": boxes}

    def forward(self, x: list[Tensor]) -> dict[str, Tensor]:
        return {
            "cls_logits": self.classification_head(x),
            "bbox_regression": self.regression_head(x),
        }


class RetinaNet(OneStage):
    """Finds objects in one step, from anchors of many sizes.

    backbone: gives features and has `out_channels`. num_classes: with the background.
    fg_iou_thresh, bg_iou_thresh: overlap from which an anchor is an object, and below which it is
    none. topk_candidates: of each level; score_thresh, nms_thresh, detections_per_img: what is
    given.

    In training: `model(images, targets)` with targets {"boxes": (N, 4), "labels": (N,) int64} gives
    two losses. Otherwise `model(images)` gives {"boxes", "scores", "labels"} of each image.
    """

    def __init__(
        self,
        backbone: Any,
        num_classes: int,
        min_size: int = 800,
        max_size: int = 1333,
        image_mean: list[float] | None = None,
        image_std: list[float] | None = None,
        anchor_generator: AnchorGenerator | None = None,
        head: nn.Module | None = None,
        proposal_matcher: det_utils.Matcher | None = None,
        score_thresh: float = 0.05,
        nms_thresh: float = 0.5,
        detections_per_img: int = 300,
        fg_iou_thresh: float = 0.5,
        bg_iou_thresh: float = 0.4,
        topk_candidates: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        width = width_of(backbone)
        if anchor_generator is not None and not isinstance(anchor_generator, AnchorGenerator):
            raise TypeError(
                "anchor_generator should be of type AnchorGenerator or None instead of "
                f"{type(anchor_generator)}"
            )
        self.backbone = backbone
        self.anchor_generator = anchor_generator or _default_anchorgen()
        places = self.anchor_generator.num_anchors_per_location()[0]
        self.head = head or RetinaNetHead(width, places, num_classes)
        self.proposal_matcher = proposal_matcher or det_utils.Matcher(
            fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=True
        )
        self.box_coder = det_utils.BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        mean, std = image_mean or [0.485, 0.456, 0.406], image_std or [0.229, 0.224, 0.225]
        self.transform = GeneralizedRCNNTransform(min_size, max_size, mean, std, **kwargs)
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_img = detections_per_img
        self.topk_candidates = topk_candidates

    def compute_loss(
        self, targets: list[Target], head_outputs: dict[str, Tensor], anchors: list[Tensor]
    ) -> dict[str, Tensor]:
        """The head's losses, of anchors matched to truths."""
        matched = matched_to(self.proposal_matcher, targets, anchors)
        return self.head.compute_loss(targets, head_outputs, anchors, matched)

    def losses_of(
        self,
        targets: list[Target],
        outputs: dict[str, Tensor],
        anchors: list[Tensor],
        levels: list[int],
    ) -> dict[str, Tensor]:
        return self.compute_loss(targets, outputs, anchors)

    def found(
        self,
        outputs: dict[str, Tensor],
        anchors: list[Tensor],
        shapes: list[tuple[int, int]],
        levels: list[int],
    ) -> list[Target]:
        each = outputs["cls_logits"].shape[1] // sum(levels)
        counts = [n * each for n in levels]
        split = {k: list(v.split(counts, dim=1)) for k, v in outputs.items()}
        return self.postprocess_detections(split, [list(a.split(counts)) for a in anchors], shapes)

    def postprocess_detections(
        self,
        head_outputs: dict[str, list[Tensor]],
        anchors: list[list[Tensor]],
        image_shapes: list[tuple[int, int]],
    ) -> list[Target]:
        """The best boxes of each level that do not overlap too much, image by image."""
        detections = []
        for i, shape in enumerate(image_shapes):
            parts = []
            rows = zip(
                head_outputs["cls_logits"], head_outputs["bbox_regression"], anchors[i], strict=True
            )
            for logits, codes, own in rows:
                classes = logits.shape[-1]
                scores, places, labels = candidates(
                    sigmoid(logits[i]), classes, self.score_thresh, self.topk_candidates
                )
                boxes = self.box_coder.decode_single(codes[i][places], own[places])
                parts.append((box_ops.clip_boxes_to_image(boxes, shape), scores, labels))
            detections.append(self.best(parts))
        return detections


def _pyramid(weights: Any, progress: bool, trained: bool, layers: int) -> Any:
    backbone = resnet50(weights=weights, progress=progress, norm_layer=frozen_norm(trained))
    return _resnet_fpn_extractor(
        backbone, layers, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(256, 256)
    )


def _pyramid_v2(weights: Any, progress: bool, trained: bool, layers: int) -> Any:
    backbone = resnet50(weights=weights, progress=progress)
    return _resnet_fpn_extractor(
        backbone, layers, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(2048, 256)
    )


def _plain(backbone: Any, num_classes: int, **kwargs: Any) -> RetinaNet:
    return RetinaNet(backbone, num_classes, **kwargs)


def _second(backbone: Any, num_classes: int, **kwargs: Any) -> RetinaNet:
    anchors = _default_anchorgen()
    places = anchors.num_anchors_per_location()[0]
    norm = partial(nn.GroupNorm, 32)
    head = RetinaNetHead(backbone.out_channels, places, num_classes, norm_layer=norm)
    head.regression_head._loss_type = "giou"
    return RetinaNet(backbone, num_classes, anchor_generator=anchors, head=head, **kwargs)


RetinaNet_ResNet50_FPN_Weights = weights_of("RetinaNet_ResNet50_FPN_Weights", __name__)
RetinaNet_ResNet50_FPN_V2_Weights = weights_of("RetinaNet_ResNet50_FPN_V2_Weights", __name__)
retinanet_resnet50_fpn = detection_builder(
    "retinanet_resnet50_fpn", __name__, "RetinaNet on ResNet-50 (arXiv:1708.02002)",
    RetinaNet_ResNet50_FPN_Weights, ResNet50_Weights, _pyramid, _plain, old_eps=True,
)  # fmt: skip
retinanet_resnet50_fpn_v2 = detection_builder(
    "retinanet_resnet50_fpn_v2", __name__, "RetinaNet v2 on ResNet-50 (arXiv:1912.02424)",
    RetinaNet_ResNet50_FPN_V2_Weights, ResNet50_Weights, _pyramid_v2, _second,
    backbone_default=None,
)  # fmt: skip
