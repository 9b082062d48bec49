"""DeepLabV3 (Chen et al., Rethinking Atrous Convolution, arXiv:1706.05587)."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.tensor.functions import cat
from chainrule.vision.models._family import weights_of
from chainrule.vision.models.mobilenetv3 import (
    MobileNet_V3_Large_Weights,
    MobileNetV3,
    mobilenet_v3_large,
)
from chainrule.vision.models.resnet import (
    ResNet,
    ResNet50_Weights,
    ResNet101_Weights,
    resnet50,
    resnet101,
)
from chainrule.vision.models.segmentation._utils import (
    _SimpleSegmentationModel,
    features_of,
    segmentation_builder,
    stages,
)
from chainrule.vision.models.segmentation.fcn import FCNHead

__all__ = [
    "DeepLabV3",
    "DeepLabV3_ResNet50_Weights",
    "DeepLabV3_ResNet101_Weights",
    "DeepLabV3_MobileNet_V3_Large_Weights",
    "deeplabv3_mobilenet_v3_large",
    "deeplabv3_resnet50",
    "deeplabv3_resnet101",
]


class DeepLabV3(_SimpleSegmentationModel):
    """A backbone under a `DeepLabHead`: (N, 3, H, W) → {"out": (N, classes, H, W)}."""


def _block(inside: int, out: int, size: int = 1, dilation: int = 1) -> list[nn.Module]:
    """Convolution, norm, relu."""
    padding = dilation if size > 1 else 0
    conv = nn.Conv2d(inside, out, size, padding=padding, dilation=dilation, bias=False)
    return [conv, nn.BatchNorm2d(out), nn.ReLU()]


class ASPPConv(nn.Sequential):
    """A 3×3 with holes, norm, relu."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int) -> None:
        super().__init__(*_block(in_channels, out_channels, 3, dilation))


class ASPPPooling(nn.Sequential):
    """The mean of all places, 1×1, norm, relu, at every place."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *_block(in_channels, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        mean = super().forward(x)
        return F.interpolate(mean, size=x.shape[-2:], mode="bilinear", align_corners=False)


class ASPP(nn.Module):
    """A 1×1, convolutions with holes of several sizes, and the mean; joined by a 1×1."""

    def __init__(
        self, in_channels: int, atrous_rates: Sequence[int], out_channels: int = 256
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [
                nn.Sequential(*_block(in_channels, out_channels)),
                *(ASPPConv(in_channels, out_channels, rate) for rate in atrous_rates),
                ASPPPooling(in_channels, out_channels),
            ]
        )
        joined = len(self.convs) * out_channels
        self.project = nn.Sequential(*_block(joined, out_channels), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(cat([conv(x) for conv in self.convs], dim=1))


class DeepLabHead(nn.Sequential):
    """`ASPP`, 3×3, 1×1."""

    def __init__(
        self, in_channels: int, num_classes: int, atrous_rates: Sequence[int] = (12, 24, 36)
    ) -> None:
        super().__init__(
            ASPP(in_channels, atrous_rates), *_block(256, 256, 3), nn.Conv2d(256, num_classes, 1)
        )


def _deeplabv3_resnet(backbone: ResNet, num_classes: int, aux: bool | None) -> DeepLabV3:
    features = features_of(backbone, {"out": "layer4", "aux": "layer3" if aux else None})
    above = FCNHead(1024, num_classes) if aux else None
    return DeepLabV3(features, DeepLabHead(2048, num_classes), above)


def _deeplabv3_mobilenetv3(backbone: MobileNetV3, num_classes: int, aux: bool | None) -> DeepLabV3:
    layers, starts = stages(backbone)
    last, middle = starts[-1], starts[-4]
    features = features_of(layers, {"out": str(last), "aux": str(middle) if aux else None})
    above = FCNHead(layers[middle].out_channels, num_classes) if aux else None
    return DeepLabV3(features, DeepLabHead(layers[last].out_channels, num_classes), above)


DeepLabV3_ResNet50_Weights = weights_of("DeepLabV3_ResNet50_Weights", __name__)
DeepLabV3_ResNet101_Weights = weights_of("DeepLabV3_ResNet101_Weights", __name__)
DeepLabV3_MobileNet_V3_Large_Weights = weights_of("DeepLabV3_MobileNet_V3_Large_Weights", __name__)
deeplabv3_resnet50 = segmentation_builder(
    "deeplabv3_resnet50", __name__, "DeepLabV3 on ResNet-50 (arXiv:1706.05587)",
    DeepLabV3_ResNet50_Weights, ResNet50_Weights, resnet50, _deeplabv3_resnet,
    replace_stride_with_dilation=[False, True, True],
)  # fmt: skip
deeplabv3_resnet101 = segmentation_builder(
    "deeplabv3_resnet101", __name__, "DeepLabV3 on ResNet-101 (arXiv:1706.05587)",
    DeepLabV3_ResNet101_Weights, ResNet101_Weights, resnet101, _deeplabv3_resnet,
    replace_stride_with_dilation=[False, True, True],
)  # fmt: skip
deeplabv3_mobilenet_v3_large = segmentation_builder(
    "deeplabv3_mobilenet_v3_large", __name__, "DeepLabV3 on MobileNetV3 large (arXiv:1706.05587)",
    DeepLabV3_MobileNet_V3_Large_Weights, MobileNet_V3_Large_Weights, mobilenet_v3_large,
    _deeplabv3_mobilenetv3, dilated=True,
)  # fmt: skip
