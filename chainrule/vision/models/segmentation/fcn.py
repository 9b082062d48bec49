"""FCN (Long et al., Fully Convolutional Networks, arXiv:1411.4038) on ResNets."""

from __future__ import annotations

from chainrule import nn
from chainrule.vision.models._family import weights_of
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
)

__all__ = ["FCN", "FCN_ResNet50_Weights", "FCN_ResNet101_Weights", "fcn_resnet50", "fcn_resnet101"]


class FCN(_SimpleSegmentationModel):
    """A backbone under an `FCNHead`: (N, 3, H, W) → {"out": (N, classes, H, W)}."""


class FCNHead(nn.Sequential):
    """3×3 to a quarter of the channels, norm, relu, dropout, 1×1."""

    def __init__(self, in_channels: int, channels: int) -> None:
        inner = in_channels // 4
        super().__init__(
            nn.Conv2d(in_channels, inner, 3, padding=1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Conv2d(inner, channels, 1),
        )


def _fcn_resnet(backbone: ResNet, num_classes: int, aux: bool | None) -> FCN:
    features = features_of(backbone, {"out": "layer4", "aux": "layer3" if aux else None})
    above = FCNHead(1024, num_classes) if aux else None
    return FCN(features, FCNHead(2048, num_classes), above)


FCN_ResNet50_Weights = weights_of("FCN_ResNet50_Weights", __name__)
FCN_ResNet101_Weights = weights_of("FCN_ResNet101_Weights", __name__)
fcn_resnet50 = segmentation_builder(
    "fcn_resnet50", __name__, "FCN on ResNet-50 (arXiv:1411.4038)", FCN_ResNet50_Weights,
    ResNet50_Weights, resnet50, _fcn_resnet, replace_stride_with_dilation=[False, True, True],
)  # fmt: skip
fcn_resnet101 = segmentation_builder(
    "fcn_resnet101", __name__, "FCN on ResNet-101 (arXiv:1411.4038)", FCN_ResNet101_Weights,
    ResNet101_Weights, resnet101, _fcn_resnet, replace_stride_with_dilation=[False, True, True],
)  # fmt: skip
