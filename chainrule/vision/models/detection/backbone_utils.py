"""Classifiers as backbones of detectors, with a pyramid of features on top."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from chainrule import nn
from chainrule.tensor import Tensor
from chainrule.vision.models import mobilenet, resnet
from chainrule.vision.models._api import WeightsEnum, _get_enum_from_fn
from chainrule.vision.models._utils import IntermediateLayerGetter, handle_legacy_interface
from chainrule.vision.ops.feature_pyramid_network import (
    ExtraFPNBlock,
    FeaturePyramidNetwork,
    LastLevelMaxPool,
)
from chainrule.vision.ops.misc import FrozenBatchNorm2d

Layer = Callable[..., nn.Module]


class BackboneWithFPN(nn.Module):
    """Some layers of `backbone` (layer → name of the feature) under a `FeaturePyramidNetwork`."""

    def __init__(
        self,
        backbone: nn.Module,
        return_layers: dict[str, str],
        in_channels_list: list[int],
        out_channels: int,
        extra_blocks: ExtraFPNBlock | None = None,
        norm_layer: Layer | None = None,
    ) -> None:
        super().__init__()
        self.body = IntermediateLayerGetter(backbone, return_layers=return_layers)
        self.fpn = FeaturePyramidNetwork(
            in_channels_list, out_channels, extra_blocks or LastLevelMaxPool(), norm_layer
        )
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.fpn(self.body(x))


def _legacy(module: Any) -> Any:
    """What `pretrained=True` meant for a backbone given by its name."""
    return lambda kwargs: _get_enum_from_fn(vars(module)[kwargs["backbone_name"]])["IMAGENET1K_V1"]


@handle_legacy_interface(weights=("pretrained", _legacy(resnet)))
def resnet_fpn_backbone(
    *,
    backbone_name: str,
    weights: WeightsEnum | None,
    norm_layer: Layer = FrozenBatchNorm2d,
    trainable_layers: int = 3,
    returned_layers: list[int] | None = None,
    extra_blocks: ExtraFPNBlock | None = None,
) -> BackboneWithFPN:
    """A ResNet (by its builder's name) with a pyramid.

    trainable_layers: of the five, counted from the last; the others are frozen. returned_layers:
    the stages (1 to 4) that the pyramid is made of.
    """
    backbone = vars(resnet)[backbone_name](weights=weights, norm_layer=norm_layer)
    return _resnet_fpn_extractor(backbone, trainable_layers, returned_layers, extra_blocks)


def _resnet_fpn_extractor(
    backbone: resnet.ResNet,
    trainable_layers: int,
    returned_layers: list[int] | None = None,
    extra_blocks: ExtraFPNBlock | None = None,
    norm_layer: Layer | None = None,
) -> BackboneWithFPN:
    if not 0 <= trainable_layers <= 5:
        raise ValueError(f"Trainable layers should be in the range [0,5], got {trainable_layers}")
    trained = ["layer4", "layer3", "layer2", "layer1", "conv1"][:trainable_layers]
    if trainable_layers == 5:
        trained.append("bn1")
    for name, parameter in backbone.named_parameters():
        if not name.startswith(tuple(trained)):
            parameter.requires_grad_(False)
    stages = returned_layers or [1, 2, 3, 4]
    if min(stages) <= 0 or max(stages) >= 5:
        raise ValueError(f"Each returned layer should be in the range [1,4]. Got {stages}")
    names = {f"layer{stage}": str(i) for i, stage in enumerate(stages)}
    first = backbone.inplanes // 8
    widths = [first * 2 ** (stage - 1) for stage in stages]
    return BackboneWithFPN(backbone, names, widths, 256, extra_blocks, norm_layer)


def _validate_trainable_layers(
    is_trained: bool, trainable_backbone_layers: int | None, max_value: int, default_value: int
) -> int:
    """How many layers to train; all where nothing is trained yet."""
    if not is_trained:
        if trainable_backbone_layers is not None:
            warnings.warn(
                "Changing trainable_backbone_layers has no effect if neither pretrained nor "
                "pretrained_backbone have been set to True, falling back to "
                f"trainable_backbone_layers={max_value} so that all layers are trainable",
                stacklevel=3,
            )
        return max_value
    if trainable_backbone_layers is None:
        return default_value
    if not 0 <= trainable_backbone_layers <= max_value:
        raise ValueError(
            f"Trainable backbone layers should be in the range [0,{max_value}], got "
            f"{trainable_backbone_layers} "
        )
    return trainable_backbone_layers


@handle_legacy_interface(weights=("pretrained", _legacy(mobilenet)))
def mobilenet_backbone(
    *,
    backbone_name: str,
    weights: WeightsEnum | None,
    fpn: bool,
    norm_layer: Layer = FrozenBatchNorm2d,
    trainable_layers: int = 2,
    returned_layers: list[int] | None = None,
    extra_blocks: ExtraFPNBlock | None = None,
) -> nn.Module:
    """A MobileNet (by its builder's name), with a pyramid or with one 1×1 convolution."""
    backbone = vars(mobilenet)[backbone_name](weights=weights, norm_layer=norm_layer)
    return _mobilenet_extractor(backbone, fpn, trainable_layers, returned_layers, extra_blocks)


def mobilenet_stages(backbone: Any, trainable_layers: int) -> tuple[Any, list[int]]:
    """The layers of a MobileNet and which of them begin a stage; all but the last stages frozen."""
    layers = backbone.features
    smaller = [i for i, layer in enumerate(layers) if getattr(layer, "_is_cn", False)]
    starts = [0, *smaller, len(layers) - 1]
    if not 0 <= trainable_layers <= len(starts):
        raise ValueError(
            f"Trainable layers should be in the range [0,{len(starts)}], got {trainable_layers} "
        )
    frozen = starts[len(starts) - trainable_layers] if trainable_layers else len(layers)
    for layer in layers[:frozen]:
        for parameter in layer.parameters():
            parameter.requires_grad_(False)
    return layers, starts


def _mobilenet_extractor(
    backbone: mobilenet.MobileNetV2 | mobilenet.MobileNetV3,
    fpn: bool,
    trainable_layers: int,
    returned_layers: list[int] | None = None,
    extra_blocks: ExtraFPNBlock | None = None,
    norm_layer: Layer | None = None,
) -> nn.Module:
    layers, starts = mobilenet_stages(backbone, trainable_layers)
    if not fpn:
        single: Any = nn.Sequential(layers, nn.Conv2d(layers[-1].out_channels, 256, 1))
        single.out_channels = 256
        return single
    n = len(starts)
    stages = returned_layers or [n - 2, n - 1]
    if min(stages) < 0 or max(stages) >= n:
        raise ValueError(f"Each returned layer should be in the range [0,{n - 1}], got {stages} ")
    names = {f"{starts[stage]}": str(i) for i, stage in enumerate(stages)}
    widths = [layers[starts[stage]].out_channels for stage in stages]
    return BackboneWithFPN(layers, names, widths, 256, extra_blocks, norm_layer)
