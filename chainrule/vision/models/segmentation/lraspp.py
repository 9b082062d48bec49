"""LR-ASPP, the light head of MobileNetV3's paper (Howard et al., arXiv:1905.02244)."""

from __future__ import annotations

from collections import OrderedDict

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.vision.models._family import weights_of
from chainrule.vision.models.mobilenetv3 import (
    MobileNet_V3_Large_Weights,
    MobileNetV3,
    mobilenet_v3_large,
)
from chainrule.vision.models.segmentation._utils import features_of, segmentation_builder, stages

__all__ = ["LRASPP", "LRASPP_MobileNet_V3_Large_Weights", "lraspp_mobilenet_v3_large"]


class LRASPPHead(nn.Module):
    """Classes from coarse features, gated by their mean, and from fine ones."""

    def __init__(
        self, low_channels: int, high_channels: int, num_classes: int, inter_channels: int
    ) -> None:
        super().__init__()
        self.cbr = nn.Sequential(
            nn.Conv2d(high_channels, inter_channels, 1, bias=False),
            nn.BatchNorm2d(inter_channels),
            nn.ReLU(inplace=True),
        )
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(high_channels, inter_channels, 1, bias=False),
            nn.Sigmoid(),
        )
        self.low_classifier = nn.Conv2d(low_channels, num_classes, 1)
        self.high_classifier = nn.Conv2d(inter_channels, num_classes, 1)

    def forward(self, input: dict[str, Tensor]) -> Tensor:
        low, high = input["low"], input["high"]
        x = self.cbr(high) * self.scale(high)
        x = F.interpolate(x, size=low.shape[-2:], mode="bilinear", align_corners=False)
        return self.low_classifier(low) + self.high_classifier(x)


class LRASPP(nn.Module):
    """A backbone that gives "low" and "high" under the head: → {"out": (N, classes, H, W)}."""

    def __init__(
        self,
        backbone: nn.Module,
        low_channels: int,
        high_channels: int,
        num_classes: int,
        inter_channels: int = 128,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = LRASPPHead(low_channels, high_channels, num_classes, inter_channels)

    def forward(self, input: Tensor) -> dict[str, Tensor]:
        logits = self.classifier(self.backbone(input))
        size = input.shape[-2:]
        out = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return OrderedDict(out=out)


def _lraspp_mobilenetv3(backbone: MobileNetV3, num_classes: int, aux: bool | None = None) -> LRASPP:
    layers, starts = stages(backbone)
    low, high = starts[-4], starts[-1]
    features = features_of(layers, {"low": str(low), "high": str(high)})
    widths = (layers[low].out_channels, layers[high].out_channels)
    return LRASPP(features, *widths, num_classes)


LRASPP_MobileNet_V3_Large_Weights = weights_of("LRASPP_MobileNet_V3_Large_Weights", __name__)
lraspp_mobilenet_v3_large = segmentation_builder(
    "lraspp_mobilenet_v3_large", __name__, "LR-ASPP on MobileNetV3 large (arXiv:1905.02244)",
    LRASPP_MobileNet_V3_Large_Weights, MobileNet_V3_Large_Weights, mobilenet_v3_large,
    _lraspp_mobilenetv3, with_aux=False, dilated=True,
)  # fmt: skip
