"""EfficientNet (Tan and Le, arXiv:1905.11946) and EfficientNetV2 (arXiv:2104.00298)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from chainrule import nn
from chainrule.nn import init
from chainrule.tensor import Tensor
from chainrule.vision.models._family import Family
from chainrule.vision.models._initial import initialise
from chainrule.vision.models._utils import _make_divisible
from chainrule.vision.ops.misc import Conv2dNormActivation, SqueezeExcitation
from chainrule.vision.ops.stochastic_depth import StochasticDepth

__all__ = [
    "EfficientNet",
    "EfficientNet_B0_Weights", "EfficientNet_B1_Weights", "EfficientNet_B2_Weights",
    "EfficientNet_B3_Weights", "EfficientNet_B4_Weights", "EfficientNet_B5_Weights",
    "EfficientNet_B6_Weights", "EfficientNet_B7_Weights", "EfficientNet_V2_S_Weights",
    "EfficientNet_V2_M_Weights", "EfficientNet_V2_L_Weights",
    "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3",
    "efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7",
    "efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l",
]  # fmt: skip


@dataclass
class _MBConvConfig:
    """A stage: `num_layers` blocks, the first with `stride` and the change of channels."""

    expand_ratio: float
    kernel: int
    stride: int
    input_channels: int
    out_channels: int
    num_layers: int
    block: Callable[..., nn.Module]

    @staticmethod
    def adjust_channels(channels: int, width_mult: float, min_value: int | None = None) -> int:
        """channels · width_mult, as a multiple of 8."""
        return _make_divisible(channels * width_mult, 8, min_value)


class MBConvConfig(_MBConvConfig):
    """A stage of `MBConv`, its channels and layers multiplied."""

    def __init__(
        self,
        expand_ratio: float,
        kernel: int,
        stride: int,
        input_channels: int,
        out_channels: int,
        num_layers: int,
        width_mult: float = 1.0,
        depth_mult: float = 1.0,
        block: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__(
            expand_ratio,
            kernel,
            stride,
            self.adjust_channels(input_channels, width_mult),
            self.adjust_channels(out_channels, width_mult),
            self.adjust_depth(num_layers, depth_mult),
            block or MBConv,
        )

    @staticmethod
    def adjust_depth(num_layers: int, depth_mult: float) -> int:
        """num_layers · depth_mult, rounded up."""
        return math.ceil(num_layers * depth_mult)


class FusedMBConvConfig(_MBConvConfig):
    """A stage of `FusedMBConv`."""

    def __init__(
        self,
        expand_ratio: float,
        kernel: int,
        stride: int,
        input_channels: int,
        out_channels: int,
        num_layers: int,
        block: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__(
            expand_ratio, kernel, stride, input_channels, out_channels, num_layers,
            block or FusedMBConv,
        )  # fmt: skip


class _Residual(nn.Module):
    """Layers, left out at random in training, and added to x where the shapes agree."""

    def __init__(
        self, cnf: _MBConvConfig, layers: Sequence[nn.Module], stochastic_depth_prob: float
    ) -> None:
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueError("illegal stride value")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.out_channels = cnf.out_channels

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class MBConv(_Residual):
    """Wider by 1×1, depthwise, squeeze and excitation, narrower by 1×1."""

    def __init__(
        self,
        cnf: MBConvConfig,
        stochastic_depth_prob: float,
        norm_layer: Callable[..., nn.Module],
        se_layer: Callable[..., nn.Module] = SqueezeExcitation,
    ) -> None:
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        wide = cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        layers: list[nn.Module] = []
        if wide != cnf.input_channels:
            layers.append(conv(cnf.input_channels, wide, kernel_size=1))
        squeezed = max(1, cnf.input_channels // 4)
        layers += [
            conv(wide, wide, kernel_size=cnf.kernel, stride=cnf.stride, groups=wide),
            se_layer(wide, squeezed, activation=partial(nn.SiLU, inplace=True)),
            conv(wide, cnf.out_channels, kernel_size=1, activation_layer=None),
        ]
        super().__init__(cnf, layers, stochastic_depth_prob)


class FusedMBConv(_Residual):
    """As `MBConv`, with one plain convolution for the first two layers."""

    def __init__(
        self,
        cnf: FusedMBConvConfig,
        stochastic_depth_prob: float,
        norm_layer: Callable[..., nn.Module],
    ) -> None:
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        inside, kernel, stride = cnf.input_channels, cnf.kernel, cnf.stride
        wide = cnf.adjust_channels(inside, cnf.expand_ratio)
        if wide != inside:
            layers = [
                conv(inside, wide, kernel_size=kernel, stride=stride),
                conv(wide, cnf.out_channels, kernel_size=1, activation_layer=None),
            ]
        else:
            layers = [conv(inside, cnf.out_channels, kernel_size=kernel, stride=stride)]
        super().__init__(cnf, layers, stochastic_depth_prob)


class EfficientNet(nn.Module):
    """Stages by a list of settings: (N, 3, H, W) → (N, num_classes).

    stochastic_depth_prob: of the last block; it grows linearly from the first. last_channel: width
    before the classifier, four times that of the last stage by default.
    """

    def __init__(
        self,
        inverted_residual_setting: Sequence[MBConvConfig | FusedMBConvConfig],
        dropout: float,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: Callable[..., nn.Module] | None = None,
        last_channel: int | None = None,
    ) -> None:
        super().__init__()
        setting = inverted_residual_setting
        if not setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not isinstance(setting, Sequence) or not all(
            isinstance(s, _MBConvConfig) for s in setting
        ):
            raise TypeError("The inverted_residual_setting should be List[MBConvConfig]")
        norm = norm_layer or nn.BatchNorm2d
        conv = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.SiLU)
        layers: list[nn.Module] = [conv(3, setting[0].input_channels, kernel_size=3, stride=2)]
        blocks, done = sum(cnf.num_layers for cnf in setting), 0
        for cnf in setting:
            stage: list[nn.Module] = []
            for _ in range(cnf.num_layers):
                own = copy.copy(cnf)
                if stage:
                    own.input_channels, own.stride = own.out_channels, 1
                stage.append(own.block(own, stochastic_depth_prob * done / blocks, norm))
                done += 1
            layers.append(nn.Sequential(*stage))
        last = setting[-1].out_channels
        wide = 4 * last if last_channel is None else last_channel
        layers.append(conv(last, wide, kernel_size=1))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(wide, num_classes)
        )
        initialise(self, linear=_uniform)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


def _uniform(layer: nn.Linear) -> None:
    bound = 1.0 / math.sqrt(layer.out_features)
    init.uniform_(layer.weight, -bound, bound)


# expansion, kernel, stride, channels in and out, layers
_V1 = [
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
]
#: The first three stages of each are fused.
_V2 = {
    "s": [
        (1, 3, 1, 24, 24, 2),
        (4, 3, 2, 24, 48, 4),
        (4, 3, 2, 48, 64, 4),
        (4, 3, 2, 64, 128, 6),
        (6, 3, 1, 128, 160, 9),
        (6, 3, 2, 160, 256, 15),
    ],
    "m": [
        (1, 3, 1, 24, 24, 3),
        (4, 3, 2, 24, 48, 5),
        (4, 3, 2, 48, 80, 5),
        (4, 3, 2, 80, 160, 7),
        (6, 3, 1, 160, 176, 14),
        (6, 3, 2, 176, 304, 18),
        (6, 3, 1, 304, 512, 5),
    ],
    "l": [
        (1, 3, 1, 32, 32, 4),
        (4, 3, 2, 32, 64, 7),
        (4, 3, 2, 64, 96, 7),
        (4, 3, 2, 96, 192, 10),
        (6, 3, 1, 192, 224, 19),
        (6, 3, 2, 224, 384, 25),
        (6, 3, 1, 384, 640, 7),
    ],
}


def _efficientnet_conf(
    arch: str, **kwargs: Any
) -> tuple[Sequence[MBConvConfig | FusedMBConvConfig], int | None]:
    """The stages of `arch` (of the B models with `width_mult=` and `depth_mult=`) and its width
    before the classifier."""
    if arch.startswith("efficientnet_b"):
        size = {"width_mult": kwargs["width_mult"], "depth_mult": kwargs["depth_mult"]}
        return [MBConvConfig(*row, **size) for row in _V1], None
    rows = _V2.get(arch.removeprefix("efficientnet_v2_"))
    if rows is None:
        raise ValueError(f"Unsupported model type {arch}")
    return [(FusedMBConvConfig if i < 3 else MBConvConfig)(*r) for i, r in enumerate(rows)], 1280


def _v1(width_mult: float, depth_mult: float, **kwargs: Any) -> EfficientNet:
    setting, last = _efficientnet_conf(
        "efficientnet_b", width_mult=width_mult, depth_mult=depth_mult
    )
    return EfficientNet(setting, last_channel=last, **kwargs)


def _v2(size: str, **kwargs: Any) -> EfficientNet:
    setting, last = _efficientnet_conf(f"efficientnet_v2_{size}")
    return EfficientNet(setting, last_channel=last, **kwargs)


_family = Family(__name__, "arXiv:1905.11946", _v1)
EfficientNet_B0_Weights = _family.weights("EfficientNet_B0_Weights")
EfficientNet_B1_Weights = _family.weights("EfficientNet_B1_Weights")
EfficientNet_B2_Weights = _family.weights("EfficientNet_B2_Weights")
EfficientNet_B3_Weights = _family.weights("EfficientNet_B3_Weights")
EfficientNet_B4_Weights = _family.weights("EfficientNet_B4_Weights")
EfficientNet_B5_Weights = _family.weights("EfficientNet_B5_Weights")
EfficientNet_B6_Weights = _family.weights("EfficientNet_B6_Weights")
EfficientNet_B7_Weights = _family.weights("EfficientNet_B7_Weights")
EfficientNet_V2_S_Weights = _family.weights("EfficientNet_V2_S_Weights")
EfficientNet_V2_M_Weights = _family.weights("EfficientNet_V2_M_Weights")
EfficientNet_V2_L_Weights = _family.weights("EfficientNet_V2_L_Weights")


def _b(number: int, weights: Any, width: float, depth: float, dropout: float) -> Any:
    norm: dict[str, Any] = {}
    if number >= 5:
        norm = {"norm_layer": partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)}
    name = f"efficientnet_b{number}"
    title = f"EfficientNet-B{number}"
    return _family.builder(name, weights, title, width, depth, dropout=dropout, **norm)


efficientnet_b0 = _b(0, EfficientNet_B0_Weights, 1.0, 1.0, 0.2)
efficientnet_b1 = _b(1, EfficientNet_B1_Weights, 1.0, 1.1, 0.2)
efficientnet_b2 = _b(2, EfficientNet_B2_Weights, 1.1, 1.2, 0.3)
efficientnet_b3 = _b(3, EfficientNet_B3_Weights, 1.2, 1.4, 0.3)
efficientnet_b4 = _b(4, EfficientNet_B4_Weights, 1.4, 1.8, 0.4)
efficientnet_b5 = _b(5, EfficientNet_B5_Weights, 1.6, 2.2, 0.4)
efficientnet_b6 = _b(6, EfficientNet_B6_Weights, 1.8, 2.6, 0.5)
efficientnet_b7 = _b(7, EfficientNet_B7_Weights, 2.0, 3.1, 0.5)

_family_v2 = Family(__name__, "arXiv:2104.00298", _v2)


def _v2_row(size: str, weights: Any, dropout: float) -> Any:
    norm, title = partial(nn.BatchNorm2d, eps=0.001), f"EfficientNetV2-{size.upper()}"
    name = f"efficientnet_v2_{size}"
    return _family_v2.builder(name, weights, title, size, dropout=dropout, norm_layer=norm)


efficientnet_v2_s = _v2_row("s", EfficientNet_V2_S_Weights, 0.2)
efficientnet_v2_m = _v2_row("m", EfficientNet_V2_M_Weights, 0.3)
efficientnet_v2_l = _v2_row("l", EfficientNet_V2_L_Weights, 0.4)
