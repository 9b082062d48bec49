"""SSD (Liu et al., Single Shot MultiBox Detector, arXiv:1512.02325)."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from typing import Any

from chainrule import dtypes, nn
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.tensor import Parameter, Tensor
from chainrule.tensor.creation import full, full_like, zeros
from chainrule.tensor.functions import cat, stack, where
from chainrule.vision.models._family import weights_of
from chainrule.vision.models._initial import zero_bias
from chainrule.vision.models.detection import _utils as det_utils
from chainrule.vision.models.detection._builder import detection_builder
from chainrule.vision.models.detection._one_stage import OneStage, by_place, matched_to
from chainrule.vision.models.detection._utils import Target
from chainrule.vision.models.detection.anchor_utils import DefaultBoxGenerator
from chainrule.vision.models.detection.transform import GeneralizedRCNNTransform
from chainrule.vision.models.vgg import VGG, VGG16_Weights, vgg16
from chainrule.vision.ops import boxes as box_ops

__all__ = ["SSD300_VGG16_Weights", "ssd300_vgg16"]


def _xavier_init(conv: nn.Module) -> None:
    for layer in conv.modules():
        if isinstance(layer, nn.Conv2d):
            init.xavier_uniform_(layer.weight)
            zero_bias(layer)


class SSDScoringHead(nn.Module):
    """A module of its own for each feature: (N, all places, num_columns)."""

    def __init__(self, module_list: nn.ModuleList, num_columns: int) -> None:
        super().__init__()
        self.module_list = module_list
        self.num_columns = num_columns

    def forward(self, x: list[Tensor]) -> Tensor:
        maps = [module(features) for module, features in zip(self.module_list, x, strict=False)]
        return cat([by_place(m, self.num_columns) for m in maps], dim=1)


class SSDClassificationHead(SSDScoringHead):
    """Logits of each class at each box."""

    def __init__(self, in_channels: list[int], num_anchors: list[int], num_classes: int) -> None:
        super().__init__(_convs(in_channels, num_anchors, num_classes), num_classes)


class SSDRegressionHead(SSDScoringHead):
    """How to move each box."""

    def __init__(self, in_channels: list[int], num_anchors: list[int]) -> None:
        super().__init__(_convs(in_channels, num_anchors, 4), 4)


def _convs(in_channels: list[int], num_anchors: list[int], columns: int) -> nn.ModuleList:
    pairs = zip(in_channels, num_anchors, strict=False)
    convs = nn.ModuleList(nn.Conv2d(c, columns * a, kernel_size=3, padding=1) for c, a in pairs)
    _xavier_init(convs)
    return convs


class SSDHead(nn.Module):
    """Both heads: features → {"bbox_regression", "cls_logits"}."""

    def __init__(self, in_channels: list[int], num_anchors: list[int], num_classes: int) -> None:
        super().__init__()
        self.classification_head = SSDClassificationHead(in_channels, num_anchors, num_classes)
        self.regression_head = SSDRegressionHead(in_channels, num_anchors)

    def forward(self, x: list[Tensor]) -> dict[str, Tensor]:
        return {
            "bbox_regression": self.regression_head(x),
            "cls_logits": self.classification_head(x),
        }


class SSD(OneStage):
    """Finds objects in one step, from boxes of given sizes, on images of one size.

    size: (width, height) of the resized images. iou_thresh: overlap from which a box is an object.
    positive_fraction: of the boxes that count in the loss; the others are the worst negatives.
    topk_candidates: of each class. Otherwise as `RetinaNet`.
    """

    def __init__(
        self,
        backbone: Any,
        anchor_generator: DefaultBoxGenerator,
        size: tuple[int, int],
        num_classes: int,
        image_mean: list[float] | None = None,
        image_std: list[float] | None = None,
        head: nn.Module | None = None,
        score_thresh: float = 0.01,
        nms_thresh: float = 0.45,
        detections_per_img: int = 200,
        iou_thresh: float = 0.5,
        topk_candidates: int = 400,
        positive_fraction: float = 0.25,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.anchor_generator = anchor_generator
        self.box_coder = det_utils.BoxCoder(weights=(10.0, 10.0, 5.0, 5.0))
        if head is None:
            widths = getattr(backbone, "out_channels", None)
            if widths is None:
                widths = det_utils.retrieve_out_channels(backbone, size)
            check_lengths(widths, anchor_generator)
            head = SSDHead(widths, anchor_generator.num_anchors_per_location(), num_classes)
        self.head = head
        self.proposal_matcher = det_utils.SSDMatcher(iou_thresh)
        mean, std = image_mean or [0.485, 0.456, 0.406], image_std or [0.229, 0.224, 0.225]
        self.transform = GeneralizedRCNNTransform(
            min(size), max(size), mean, std, size_divisible=1, fixed_size=size, **kwargs
        )
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.detections_per_img = detections_per_img
        self.topk_candidates = topk_candidates
        self.neg_to_pos_ratio = (1.0 - positive_fraction) / positive_fraction

    def losses_of(
        self,
        targets: list[Target],
        outputs: dict[str, Tensor],
        anchors: list[Tensor],
        levels: list[int],
    ) -> dict[str, Tensor]:
        matched = matched_to(self.proposal_matcher, targets, anchors)
        return self.compute_loss(targets, outputs, anchors, matched)

    def compute_loss(
        self,
        targets: list[Target],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        matched_idxs: list[Tensor],
    ) -> dict[str, Tensor]:
        """Smooth L1 of the moves; cross entropy of objects and of the worst negatives."""
        logits = head_outputs["cls_logits"]
        count, box_losses, labels = 0, [], []
        rows = zip(targets, head_outputs["bbox_regression"], anchors, matched_idxs, strict=True)
        for target, codes, own, matched in rows:
            (front,) = where(matched >= 0)
            count += front.numel()
            truth = matched[front]
            moves = self.box_coder.encode_single(target["boxes"][truth], own[front])
            box_losses.append(F.smooth_l1_loss(codes[front], moves, reduction="sum"))
            label = zeros(own.shape[0], dtype=target["labels"].dtype)
            if len(front):
                label[front] = target["labels"][truth]
            labels.append(label)
        classes = stack(labels)
        loss = F.cross_entropy(
            logits.view(-1, logits.shape[-1]), classes.view(-1), reduction="none"
        ).view(classes.shape)
        front = classes > 0
        wanted = self.neg_to_pos_ratio * front.sum(1, keepdim=True)
        negative = where(front, -math.inf, loss.detach())
        rank = negative.sort(1, descending=True)[1].sort(1)[1]
        counted = (front | (rank < wanted)).to(loss.dtype)
        n = max(1, count)
        return {
            "bbox_regression": stack(box_losses).sum() / n,
            "classification": (loss * counted).sum() / n,
        }

    def found(
        self,
        outputs: dict[str, Tensor],
        anchors: list[Tensor],
        shapes: list[tuple[int, int]],
        levels: list[int],
    ) -> list[Target]:
        return self.postprocess_detections(outputs, anchors, shapes)

    def postprocess_detections(
        self,
        head_outputs: dict[str, Tensor],
        image_anchors: list[Tensor],
        image_shapes: list[tuple[int, int]],
    ) -> list[Target]:
        """The best boxes of each class that do not overlap too much, image by image."""
        every = F.softmax(head_outputs["cls_logits"], dim=-1)
        detections = []
        rows = zip(head_outputs["bbox_regression"], every, image_anchors, image_shapes, strict=True)
        for codes, scores, own, shape in rows:
            boxes = box_ops.clip_boxes_to_image(self.box_coder.decode_single(codes, own), shape)
            parts = []
            for label in range(1, scores.shape[-1]):
                score = scores[:, label]
                (keep,) = where(score > self.score_thresh)
                best, order = score[keep].topk(min(self.topk_candidates, keep.shape[0]))
                chosen = boxes[keep[order]]
                parts.append((chosen, best, full_like(best, label, dtype=dtypes.int64)))
            detections.append(self.best(parts))
        return detections


def check_lengths(widths: list[int], boxes: DefaultBoxGenerator) -> None:
    """ValueError unless there are ratios for each feature."""
    if len(widths) != len(boxes.aspect_ratios):
        raise ValueError(
            f"The length of the output channels from the backbone ({len(widths)}) do not match "
            f"the length of the anchor generator aspect ratios ({len(boxes.aspect_ratios)})"
        )


class SSDFeatureExtractorVGG(nn.Module):
    """VGG's layers and further ones: an image → six features, or seven with `highres`."""

    def __init__(self, backbone: Any, highres: bool) -> None:
        super().__init__()
        pools = [i for i, layer in enumerate(backbone) if isinstance(layer, nn.MaxPool2d)]
        backbone[pools[2]].ceil_mode = True
        self.scale_weight = Parameter(full((512,), 20.0))
        self.features = nn.Sequential(*backbone[: pools[3]])
        rows = [(1024, 256, 512, 3, 2), (512, 128, 256, 3, 2)]
        rows += [(256, 128, 256, 3, 1), (256, 128, 256, 3, 1)]
        if highres:
            rows.append((256, 128, 256, 4, 1))
        extra = nn.ModuleList(_extra(*row) for row in rows)
        _xavier_init(extra)
        fc = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=False),
            nn.Conv2d(512, 1024, kernel_size=3, padding=6, dilation=6),
            nn.ReLU(inplace=True),
            nn.Conv2d(1024, 1024, kernel_size=1),
            nn.ReLU(inplace=True),
        )
        _xavier_init(fc)
        extra.insert(0, nn.Sequential(*backbone[pools[3] : -1], fc))
        self.extra = extra

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.features(x)
        found = [self.scale_weight.view(1, -1, 1, 1) * F.normalize(x)]
        for block in self.extra:
            x = block(x)
            found.append(x)
        return OrderedDict((str(i), v) for i, v in enumerate(found))


def _extra(inside: int, narrow: int, out: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, narrow, kernel_size=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(narrow, out, kernel_size=kernel, padding=stride - 1, stride=stride),
        nn.ReLU(inplace=True),
    )


def _vgg_extractor(backbone: VGG, highres: bool, trainable_layers: int) -> SSDFeatureExtractorVGG:
    layers: Any = backbone.features
    pools = [i for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
    starts = [0, *pools][:-1]
    if not 0 <= trainable_layers <= len(starts):
        raise AssertionError(
            f"trainable_layers should be in the range [0, {len(starts)}]. Instead got "
            f"{trainable_layers}"
        )
    frozen = starts[len(starts) - trainable_layers] if trainable_layers else len(layers)
    for layer in layers[:frozen]:
        for parameter in layer.parameters():
            parameter.requires_grad_(False)
    return SSDFeatureExtractorVGG(layers, highres)


def _features(weights: Any, progress: bool, trained: bool, layers: int) -> Any:
    return _vgg_extractor(vgg16(weights=weights, progress=progress), False, layers)


def _ssd(backbone: Any, num_classes: int, **kwargs: Any) -> SSD:
    warn_of_size(kwargs)
    boxes = DefaultBoxGenerator(
        [[2], [2, 3], [2, 3], [2, 3], [2], [2]],
        scales=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
        steps=[8, 16, 32, 64, 100, 300],
    )
    # the published VGG was trained on pixels from 0 to 255
    usual = {"image_mean": [0.48235, 0.45882, 0.40784], "image_std": [1.0 / 255.0] * 3}
    return SSD(backbone, boxes, (300, 300), num_classes, **(usual | kwargs))


def warn_of_size(kwargs: dict[str, Any]) -> None:
    """The size cannot be chosen."""
    if kwargs.pop("size", None) is not None:
        warnings.warn(
            "The size of the model is already fixed; ignoring the parameter.", stacklevel=5
        )


SSD300_VGG16_Weights = weights_of("SSD300_VGG16_Weights", __name__)
ssd300_vgg16 = detection_builder(
    "ssd300_vgg16", __name__, "SSD on VGG-16, images of 300² (arXiv:1512.02325)",
    SSD300_VGG16_Weights, VGG16_Weights, _features, _ssd, trained_stages=4,
    backbone_default="IMAGENET1K_FEATURES", legacy_backbone="IMAGENET1K_FEATURES",
)  # fmt: skip
