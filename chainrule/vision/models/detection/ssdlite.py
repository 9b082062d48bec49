"""SSDLite on MobileNetV3 (Howard et al., arXiv:1905.02244; Sandler et al., arXiv:1801.04381)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

from chainrule import nn
from chainrule.nn import init
from chainrule.tensor import Tensor
from chainrule.vision.models._family import weights_of
from chainrule.vision.models._initial import zero_bias
from chainrule.vision.models.detection import _utils as det_utils
from chainrule.vision.models.detection._builder import detection_builder
from chainrule.vision.models.detection.anchor_utils import DefaultBoxGenerator
from chainrule.vision.models.detection.backbone_utils import mobilenet_stages
from chainrule.vision.models.detection.ssd import SSD, SSDScoringHead, check_lengths, warn_of_size
from chainrule.vision.models.mobilenetv3 import MobileNet_V3_Large_Weights, mobilenet_v3_large
from chainrule.vision.ops.misc import Conv2dNormActivation

__all__ = ["SSDLite320_MobileNet_V3_Large_Weights", "ssdlite320_mobilenet_v3_large"]

Layer = Callable[..., nn.Module]


def _prediction_block(
    in_channels: int, out_channels: int, kernel_size: int, norm_layer: Layer
) -> nn.Sequential:
    """A depthwise convolution, norm, relu6, and 1×1."""
    depthwise = Conv2dNormActivation(
        in_channels,
        in_channels,
        kernel_size=kernel_size,
        groups=in_channels,
        norm_layer=norm_layer,
        activation_layer=nn.ReLU6,
    )
    return nn.Sequential(depthwise, nn.Conv2d(in_channels, out_channels, 1))


def _extra_block(in_channels: int, out_channels: int, norm_layer: Layer) -> nn.Sequential:
    """Half the size, by a depthwise convolution between two 1×1."""
    conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
    narrow = out_channels // 2
    return nn.Sequential(
        conv(in_channels, narrow, kernel_size=1),
        conv(narrow, narrow, kernel_size=3, stride=2, groups=narrow),
        conv(narrow, out_channels, kernel_size=1),
    )


def _normal_init(conv: nn.Module) -> None:
    for layer in conv.modules():
        if isinstance(layer, nn.Conv2d):
            init.normal_(layer.weight, mean=0.0, std=0.03)
            zero_bias(layer)


def _blocks(
    in_channels: list[int], num_anchors: list[int], columns: int, norm_layer: Layer
) -> nn.ModuleList:
    pairs = zip(in_channels, num_anchors, strict=False)
    blocks = nn.ModuleList(_prediction_block(c, columns * a, 3, norm_layer) for c, a in pairs)
    _normal_init(blocks)
    return blocks


class SSDLiteClassificationHead(SSDScoringHead):
    """Logits of each class at each box."""

    def __init__(
        self, in_channels: list[int], num_anchors: list[int], num_classes: int, norm_layer: Layer
    ) -> None:
        blocks = _blocks(in_channels, num_anchors, num_classes, norm_layer)
        super().__init__(blocks, num_classes)


class SSDLiteRegressionHead(SSDScoringHead):
    """How to move each box."""

    def __init__(self, in_channels: list[int], num_anchors: list[int], norm_layer: Layer) -> None:
        super().__init__(_blocks(in_channels, num_anchors, 4, norm_layer), 4)


class SSDLiteHead(nn.Module):
    """Both heads: features → {"bbox_regression", "cls_logits"}."""

    def __init__(
        self, in_channels: list[int], num_anchors: list[int], num_classes: int, norm_layer: Layer
    ) -> None:
        super().__init__()
        self.classification_head = SSDLiteClassificationHead(
            in_channels, num_anchors, num_classes, norm_layer
        )
        self.regression_head = SSDLiteRegressionHead(in_channels, num_anchors, norm_layer)

    def forward(self, x: list[Tensor]) -> dict[str, Tensor]:
        return {
            "bbox_regression": self.regression_head(x),
            "cls_logits": self.classification_head(x),
        }


class SSDLiteFeatureExtractorMobileNet(nn.Module):
    """A MobileNet's layers, cut within layer `c4_pos`, and further blocks: six features."""

    def __init__(
        self,
        backbone: Any,
        c4_pos: int,
        norm_layer: Layer,
        width_mult: float = 1.0,
        min_depth: int = 16,
    ) -> None:
        super().__init__()
        if backbone[c4_pos].use_res_connect:
            raise ValueError("backbone[c4_pos].use_res_connect should be False")
        cut = backbone[c4_pos].block
        self.features = nn.Sequential(
            nn.Sequential(*backbone[:c4_pos], cut[0]),
            nn.Sequential(cut[1:], *backbone[c4_pos + 1 :]),
        )
        widths = [backbone[-1].out_channels]
        widths += [max(min_depth, int(d * width_mult)) for d in (512, 256, 256, 128)]
        self.extra = nn.ModuleList(_extra_block(a, b, norm_layer) for a, b in pairwise(widths))
        _normal_init(self.extra)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        found = []
        for block in (*self.features, *self.extra):
            x = block(x)
            found.append(x)
        return OrderedDict((str(i), v) for i, v in enumerate(found))


def _features(weights: Any, progress: bool, trained: bool, layers: int, norm: Layer) -> Any:
    backbone = mobilenet_v3_large(
        weights=weights, progress=progress, norm_layer=norm, reduced_tail=weights is None
    )
    if weights is None:
        _normal_init(backbone)
    stages, starts = mobilenet_stages(backbone, layers)
    return SSDLiteFeatureExtractorMobileNet(stages, starts[-2], norm)


def _later(weights: Any, progress: bool, trained: bool, layers: int) -> Any:
    """The features, once the norm is known."""
    return partial(_features, weights, progress, trained, layers)


def _ssdlite(backbone: Any, num_classes: int, **kwargs: Any) -> SSD:
    warn_of_size(kwargs)
    norm = kwargs.pop("norm_layer", None) or partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
    features, size = backbone(norm), (320, 320)
    boxes = DefaultBoxGenerator([[2, 3] for _ in range(6)], min_ratio=0.2, max_ratio=0.95)
    widths = det_utils.retrieve_out_channels(features, size)
    check_lengths(widths, boxes)
    head = SSDLiteHead(widths, boxes.num_anchors_per_location(), num_classes, norm)
    usual: dict[str, Any] = {
        "score_thresh": 0.001,
        "nms_thresh": 0.55,
        "detections_per_img": 300,
        "topk_candidates": 300,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    return SSD(features, boxes, size, num_classes, head=head, **(usual | kwargs))


SSDLite320_MobileNet_V3_Large_Weights = weights_of(
    "SSDLite320_MobileNet_V3_Large_Weights", __name__
)
ssdlite320_mobilenet_v3_large = detection_builder(
    "ssdlite320_mobilenet_v3_large", __name__, "SSDLite on MobileNetV3 large, images of 320²",
    SSDLite320_MobileNet_V3_Large_Weights, MobileNet_V3_Large_Weights, _later, _ssdlite,
    stages=6, trained_stages=6,
)  # fmt: skip
