"""FCOS (Tian et al., Fully Convolutional One-Stage Object Detection, arXiv:1904.01355)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from chainrule import dtypes, nn
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.tensor import Tensor
from chainrule.tensor.creation import full, zeros_like
from chainrule.tensor.functions import cat, sigmoid, stack, where
from chainrule.vision.models._family import weights_of
from chainrule.vision.models.detection import _utils as det_utils
from chainrule.vision.models.detection._builder import detection_builder, frozen_norm
from chainrule.vision.models.detection._one_stage import OneStage, by_place, candidates
from chainrule.vision.models.detection._utils import Target
from chainrule.vision.models.detection.anchor_utils import AnchorGenerator
from chainrule.vision.models.detection.backbone_utils import _resnet_fpn_extractor
from chainrule.vision.models.detection.faster_rcnn import width_of
from chainrule.vision.models.detection.transform import GeneralizedRCNNTransform
from chainrule.vision.models.resnet import ResNet50_Weights, resnet50
from chainrule.vision.ops import boxes as box_ops
from chainrule.vision.ops import generalized_box_iou_loss, sigmoid_focal_loss
from chainrule.vision.ops.feature_pyramid_network import LastLevelP6P7

__all__ = ["FCOS", "FCOS_ResNet50_FPN_Weights", "fcos_resnet50_fpn"]

Layer = Callable[..., nn.Module]


def _tower(in_channels: int, num_convs: int, norm_layer: Layer | None) -> nn.Sequential:
    """`num_convs` times 3×3, norm, relu."""
    norm = norm_layer or partial(nn.GroupNorm, 32)
    layers: list[nn.Module] = []
    for _ in range(num_convs):
        conv = nn.Conv2d(in_channels, in_channels, kernel_size=3, stride=1, padding=1)
        _small(conv)
        layers += [conv, norm(in_channels), nn.ReLU()]
    return nn.Sequential(*layers)


def _small(conv: nn.Conv2d) -> None:
    init.normal_(conv.weight, std=0.01)
    init.zeros_(conv.bias)


class FCOSClassificationHead(nn.Module):
    """Logits of each class at each place: (N, places, classes)."""

    def __init__(
        self,
        in_channels: int,
        num_anchors: int,
        num_classes: int,
        num_convs: int = 4,
        prior_probability: float = 0.01,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_anchors = num_anchors
        self.conv = _tower(in_channels, num_convs, norm_layer)
        self.cls_logits = nn.Conv2d(in_channels, num_anchors * num_classes, 3, 1, 1)
        init.normal_(self.cls_logits.weight, std=0.01)
        bias = -math.log((1 - prior_probability) / prior_probability)
        init.constant_(self.cls_logits.bias, bias)

    def forward(self, x: list[Tensor]) -> Tensor:
        maps = [self.cls_logits(self.conv(features)) for features in x]
        return cat([by_place(m, self.num_classes) for m in maps], dim=1)


class FCOSRegressionHead(nn.Module):
    """Distances of the sides (N, places, 4), and logits of being in the middle (N, places, 1)."""

    def __init__(
        self,
        in_channels: int,
        num_anchors: int,
        num_convs: int = 4,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        self.conv = _tower(in_channels, num_convs, norm_layer)
        self.bbox_reg = nn.Conv2d(in_channels, num_anchors * 4, 3, 1, 1)
        self.bbox_ctrness = nn.Conv2d(in_channels, num_anchors * 1, 3, 1, 1)
        for layer in (self.bbox_reg, self.bbox_ctrness):
            _small(layer)

    def forward(self, x: list[Tensor]) -> tuple[Tensor, Tensor]:
        inner = [self.conv(features) for features in x]
        sides = cat([by_place(F.relu(self.bbox_reg(t)), 4) for t in inner], dim=1)
        return sides, cat([by_place(self.bbox_ctrness(t), 1) for t in inner], dim=1)


class FCOSHead(nn.Module):
    """Both heads: features → {"cls_logits", "bbox_regression", "bbox_ctrness"}."""

    def __init__(
        self, in_channels: int, num_anchors: int, num_classes: int, num_convs: int = 4
    ) -> None:
        super().__init__()
        self.box_coder = det_utils.BoxLinearCoder(normalize_by_size=True)
        self.classification_head = FCOSClassificationHead(
            in_channels, num_anchors, num_classes, num_convs
        )
        self.regression_head = FCOSRegressionHead(in_channels, num_anchors, num_convs)

    def compute_loss(
        self,
        targets: list[Target],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        matched_idxs: list[Tensor],
    ) -> dict[str, Tensor]:
        """Focal loss of the classes, GIoU of the boxes, cross entropy of being in the middle."""
        logits = head_outputs["cls_logits"]
        labels, truths = [], []
        for target, matched in zip(targets, matched_idxs, strict=True):
            count = matched.shape[0]
            if len(target["labels"]) == 0:
                labels.append(full((count,), -1, dtype=dtypes.int64))
                truths.append(full((count, 4), 0.0))
                continue
            index = matched.clamp(min=0)
            labels.append(where(matched < 0, -1, target["labels"][index]))
            truths.append(target["boxes"][index])
        label, truth, own = stack(labels), stack(truths), stack(anchors)
        front = label >= 0
        count = max(1, int(front.sum().item()))
        wanted = zeros_like(logits)
        image, place = where(front)
        if len(image):
            wanted[image, place, label[front]] = 1.0
        class_loss = sigmoid_focal_loss(logits, wanted, reduction="sum")
        boxes = self.box_coder.decode(head_outputs["bbox_regression"], own)
        box_loss = generalized_box_iou_loss(boxes[front], truth[front], reduction="sum")
        sides = self.box_coder.encode(own[front], truth[front])
        across, down = sides[:, [0, 2]], sides[:, [1, 3]]
        shares = [s.amin(dim=-1) / s.amax(dim=-1) for s in (across, down)]
        middle = (shares[0] * shares[1]).sqrt()
        given = head_outputs["bbox_ctrness"].squeeze(dim=2)[front]
        middle_loss = F.binary_cross_entropy_with_logits(given, middle, reduction="sum")
        return {
            "classification": class_loss / count,
            "bbox_regression": box_loss / count,
            "bbox_ctrness": middle_loss / count,
        }

    def forward(self, x: list[Tensor]) -> dict[str, Tensor]:
        logits = self.classification_head(x)
        sides, middle = self.regression_head(x)
        return {"cls_logits": logits, "bbox_regression": sides, "bbox_ctrness": middle}


class FCOS(OneStage):
    """Finds objects in one step, from the places of feature maps.

    backbone: gives features and has `out_channels`. center_sampling_radius: how far, in steps of
    the map, a place may be from the middle of an object that it is to find. The other arguments and
    what it takes and gives are as of `RetinaNet`; in training there is a third loss.
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
        center_sampling_radius: float = 1.5,
        score_thresh: float = 0.2,
        nms_thresh: float = 0.6,
        detections_per_img: int = 100,
        topk_candidates: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        width = width_of(backbone)
        if anchor_generator is not None and not isinstance(anchor_generator, AnchorGenerator):
            raise TypeError(
                "anchor_generator should be of type AnchorGenerator or None, instead  got "
                f"{type(anchor_generator)}"
            )
        self.backbone = backbone
        self.anchor_generator = anchor_generator or AnchorGenerator(
            ((8,), (16,), (32,), (64,), (128,)), ((1.0,),) * 5
        )
        places = self.anchor_generator.num_anchors_per_location()[0]
        if places != 1:
            raise ValueError(
                f"anchor_generator.num_anchors_per_location()[0] should be 1 instead of {places}"
            )
        self.head = head or FCOSHead(width, places, num_classes)
        self.box_coder = det_utils.BoxLinearCoder(normalize_by_size=True)
        mean, std = image_mean or [0.485, 0.456, 0.406], image_std or [0.229, 0.224, 0.225]
        self.transform = GeneralizedRCNNTransform(min_size, max_size, mean, std, **kwargs)
        self.center_sampling_radius = center_sampling_radius
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_img = detections_per_img
        self.topk_candidates = topk_candidates

    def _match(self, truth: Tensor, own: Tensor, levels: list[int]) -> Tensor:
        """Of each place the object that it is to find, -1 for none; of several the smallest.

        A place finds an object whose middle is near, that it lies in, of the size of its level.
        """
        middle = (own[:, :2] + own[:, 2:]) / 2
        size = own[:, 2] - own[:, 0]
        away = (middle[:, None] - ((truth[:, :2] + truth[:, 2:]) / 2)[None]).abs().amax(dim=2)
        match = away < self.center_sampling_radius * size[:, None]
        sides = cat([middle[:, None] - truth[None, :, :2], truth[None, :, 2:] - middle[:, None]], 2)
        match = match & (sides.amin(dim=2) > 0)
        lower, upper = size * 4, size * 8
        lower[: levels[0]] = 0
        upper[-levels[-1] :] = math.inf
        farthest = sides.amax(dim=2)
        match = match & (farthest > lower[:, None]) & (farthest < upper[:, None])
        score = match.float() * (1e8 - box_ops.box_area(truth)[None])
        best, index = score.max(dim=1)
        return where(best < 1e-5, -1, index)

    def compute_loss(
        self,
        targets: list[Target],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        num_anchors_per_level: list[int],
    ) -> dict[str, Tensor]:
        """The head's losses, of places matched to objects."""
        matched = []
        for own, target in zip(anchors, targets, strict=True):
            if target["boxes"].numel() == 0:
                matched.append(full((own.shape[0],), -1, dtype=dtypes.int64))
            else:
                matched.append(self._match(target["boxes"], own, num_anchors_per_level))
        return self.head.compute_loss(targets, head_outputs, anchors, matched)

    def losses_of(
        self,
        targets: list[Target],
        outputs: dict[str, Tensor],
        anchors: list[Tensor],
        levels: list[int],
    ) -> dict[str, Tensor]:
        return self.compute_loss(targets, outputs, anchors, levels)

    def found(
        self,
        outputs: dict[str, Tensor],
        anchors: list[Tensor],
        shapes: list[tuple[int, int]],
        levels: list[int],
    ) -> list[Target]:
        split = {k: list(v.split(levels, dim=1)) for k, v in outputs.items()}
        return self.postprocess_detections(split, [list(a.split(levels)) for a in anchors], shapes)

    def postprocess_detections(
        self,
        head_outputs: dict[str, list[Tensor]],
        anchors: list[list[Tensor]],
        image_shapes: list[tuple[int, int]],
    ) -> list[Target]:
        """The best boxes of each level that do not overlap too much, image by image."""
        detections = []
        names = ("cls_logits", "bbox_regression", "bbox_ctrness")
        for i, shape in enumerate(image_shapes):
            parts = []
            for logits, codes, middle, own in zip(
                *(head_outputs[name] for name in names), anchors[i], strict=True
            ):
                joint = (sigmoid(logits[i]) * sigmoid(middle[i])).sqrt()
                scores, places, labels = candidates(
                    joint, logits.shape[-1], self.score_thresh, self.topk_candidates
                )
                boxes = self.box_coder.decode(codes[i][places], own[places])
                parts.append((box_ops.clip_boxes_to_image(boxes, shape), scores, labels))
            detections.append(self.best(parts))
        return detections


def _pyramid(weights: Any, progress: bool, trained: bool, layers: int) -> Any:
    backbone = resnet50(weights=weights, progress=progress, norm_layer=frozen_norm(trained))
    return _resnet_fpn_extractor(
        backbone, layers, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(256, 256)
    )


def _plain(backbone: Any, num_classes: int, **kwargs: Any) -> FCOS:
    return FCOS(backbone, num_classes, **kwargs)


FCOS_ResNet50_FPN_Weights = weights_of("FCOS_ResNet50_FPN_Weights", __name__)
fcos_resnet50_fpn = detection_builder(
    "fcos_resnet50_fpn", __name__, "FCOS on ResNet-50 (arXiv:1904.01355)",
    FCOS_ResNet50_FPN_Weights, ResNet50_Weights, _pyramid, _plain,
)  # fmt: skip
