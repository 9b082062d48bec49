"""MobileNetV2 (Sandler et al., arXiv:1801.04381)."""

from __future__ import annotations

from collections.abc import Callable

from chainrule import nn
from chainrule.nn.functional import adaptive_avg_pool2d
from chainrule.tensor import Tensor
from chainrule.vision.models._family import Family
from chainrule.vision.models._initial import initialise, small
from chainrule.vision.models._utils import _make_divisible
from chainrule.vision.ops.misc import Conv2dNormActivation

__all__ = ["MobileNetV2", "MobileNet_V2_Weights", "mobilenet_v2"]


class InvertedResidual(nn.Module):
    """Wider by 1×1, a depthwise 3×3, narrower by 1×1; added to x where the shapes agree."""

    def __init__(
        self,
        inp: int,
        oup: int,
        stride: int,
        expand_ratio: int,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.stride = stride
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        norm = norm_layer or nn.BatchNorm2d
        hidden = round(inp * expand_ratio)
        self.use_res_connect = stride == 1 and inp == oup
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers.append(
                Conv2dNormActivation(
                    inp, hidden, kernel_size=1, norm_layer=norm, activation_layer=nn.ReLU6
                )
            )
        layers += [
            Conv2dNormActivation(
                hidden,
                hidden,
                stride=stride,
                groups=hidden,
                norm_layer=norm,
                activation_layer=nn.ReLU6,
            ),
            nn.Conv2d(hidden, oup, 1, 1, 0, bias=False),
            norm(oup),
        ]
        self.conv = nn.Sequential(*layers)
        self.out_channels = oup
        self._is_cn = stride > 1

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


#: Of each stage: expansion, channels, blocks, stride.
_SETTING = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
]


class MobileNetV2(nn.Module):
    """Inverted residuals: (N, 3, H, W) → (N, num_classes).

    width_mult: multiplies all channels, rounded to multiples of round_nearest.
    inverted_residual_setting: [expansion, channels, blocks, stride] of each stage.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: list[list[int]] | None = None,
        round_nearest: int = 8,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        make, norm = block or InvertedResidual, norm_layer or nn.BatchNorm2d
        setting = _SETTING if inverted_residual_setting is None else inverted_residual_setting
        if len(setting) == 0 or len(setting[0]) != 4:
            raise ValueError(
                "inverted_residual_setting should be non-empty or a 4-element list, got "
                f"{inverted_residual_setting}"
            )
        width = _make_divisible(32 * width_mult, round_nearest)
        self.last_channel = _make_divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[nn.Module] = [
            Conv2dNormActivation(3, width, stride=2, norm_layer=norm, activation_layer=nn.ReLU6)
        ]
        for expansion, channels, blocks, first_stride in setting:
            out = _make_divisible(channels * width_mult, round_nearest)
            for i in range(blocks):
                stride = first_stride if i == 0 else 1
                features.append(make(width, out, stride, expand_ratio=expansion, norm_layer=norm))
                width = out
        features.append(
            Conv2dNormActivation(
                width,
                self.last_channel,
                kernel_size=1,
                norm_layer=norm,
                activation_layer=nn.ReLU6,
            )
        )
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes)
        )
        initialise(self, linear=small)

    def _forward_impl(self, x: Tensor) -> Tensor:
        x = adaptive_avg_pool2d(self.features(x), (1, 1)).flatten(1)
        return self.classifier(x)

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


_family = Family(__name__, "arXiv:1801.04381", MobileNetV2)
MobileNet_V2_Weights = _family.weights("MobileNet_V2_Weights")
mobilenet_v2 = _family.builder("mobilenet_v2", MobileNet_V2_Weights, "MobileNetV2")
