"""MobileNetV3 (Howard et al., Searching for MobileNetV3, arXiv:1905.02244)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from chainrule import nn
from chainrule.tensor import Tensor
from chainrule.vision.models._family import Family
from chainrule.vision.models._initial import initialise, small
from chainrule.vision.models._utils import _make_divisible
from chainrule.vision.ops.misc import Conv2dNormActivation, SqueezeExcitation

__all__ = [
    "MobileNetV3",
    "MobileNet_V3_Large_Weights",
    "MobileNet_V3_Small_Weights",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
]


class InvertedResidualConfig:
    """One block: a row of tables 1 and 2 of the paper, channels times `width_mult`."""

    def __init__(
        self,
        input_channels: int,
        kernel: int,
        expanded_channels: int,
        out_channels: int,
        use_se: bool,
        activation: str,
        stride: int,
        dilation: int,
        width_mult: float,
    ) -> None:
        self.input_channels = self.adjust_channels(input_channels, width_mult)
        self.kernel = kernel
        self.expanded_channels = self.adjust_channels(expanded_channels, width_mult)
        self.out_channels = self.adjust_channels(out_channels, width_mult)
        self.use_se = use_se
        self.use_hs = activation == "HS"
        self.stride = stride
        self.dilation = dilation

    @staticmethod
    def adjust_channels(channels: int, width_mult: float) -> int:
        """channels · width_mult, as a multiple of 8."""
        return _make_divisible(channels * width_mult, 8)


_squeeze = partial(SqueezeExcitation, scale_activation=nn.Hardsigmoid)


class InvertedResidual(nn.Module):
    """Wider by 1×1, depthwise, squeeze and excitation, narrower by 1×1; added to x where the
    shapes agree."""

    def __init__(
        self,
        cnf: InvertedResidualConfig,
        norm_layer: Callable[..., nn.Module],
        se_layer: Callable[..., nn.Module] = _squeeze,
    ) -> None:
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueError("illegal stride value")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        conv = partial(
            Conv2dNormActivation,
            norm_layer=norm_layer,
            activation_layer=nn.Hardswish if cnf.use_hs else nn.ReLU,
        )
        wide = cnf.expanded_channels
        layers: list[nn.Module] = []
        if wide != cnf.input_channels:
            layers.append(conv(cnf.input_channels, wide, kernel_size=1))
        layers.append(
            conv(
                wide,
                wide,
                kernel_size=cnf.kernel,
                stride=1 if cnf.dilation > 1 else cnf.stride,
                dilation=cnf.dilation,
                groups=wide,
            )
        )
        if cnf.use_se:
            layers.append(se_layer(wide, _make_divisible(wide // 4, 8)))
        layers.append(conv(wide, cnf.out_channels, kernel_size=1, activation_layer=None))
        self.block = nn.Sequential(*layers)
        self.out_channels = cnf.out_channels
        self._is_cn = cnf.stride > 1

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return result + input if self.use_res_connect else result


class MobileNetV3(nn.Module):
    """Blocks by a list of settings, and two linear layers: (N, 3, H, W) → (N, num_classes)."""

    def __init__(
        self,
        inverted_residual_setting: list[InvertedResidualConfig],
        last_channel: int,
        num_classes: int = 1000,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
        dropout: float = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        setting = inverted_residual_setting
        if not setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not isinstance(setting, Sequence) or not all(
            isinstance(s, InvertedResidualConfig) for s in setting
        ):
            raise TypeError("The inverted_residual_setting should be List[InvertedResidualConfig]")
        make = block or InvertedResidual
        norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        conv = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.Hardswish)
        last, wide = setting[-1].out_channels, 6 * setting[-1].out_channels
        self.features = nn.Sequential(
            conv(3, setting[0].input_channels, kernel_size=3, stride=2),
            *(make(cnf, norm) for cnf in setting),
            conv(last, wide, kernel_size=1),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(wide, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )
        initialise(self, linear=small)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


# last width; rows; rows of the tail, whose channels may be halved and which may be dilated. A row:
# channels in, kernel, wide, out, squeeze and excitation, activation, stride
_Row = tuple[int, int, int, int, bool, str, int]
_ROWS: dict[str, tuple[int, list[_Row], list[_Row]]] = {
    "mobilenet_v3_large": (1280, [
        (16, 3, 16, 16, False, "RE", 1),
        (16, 3, 64, 24, False, "RE", 2),
        (24, 3, 72, 24, False, "RE", 1),
        (24, 5, 72, 40, True, "RE", 2),
        (40, 5, 120, 40, True, "RE", 1),
        (40, 5, 120, 40, True, "RE", 1),
        (40, 3, 240, 80, False, "HS", 2),
        (80, 3, 200, 80, False, "HS", 1),
        (80, 3, 184, 80, False, "HS", 1),
        (80, 3, 184, 80, False, "HS", 1),
        (80, 3, 480, 112, True, "HS", 1),
        (112, 3, 672, 112, True, "HS", 1),
    ], [
        (112, 5, 672, 160, True, "HS", 2),
        (160, 5, 960, 160, True, "HS", 1),
        (160, 5, 960, 160, True, "HS", 1),
    ]),
    "mobilenet_v3_small": (1024, [
        (16, 3, 16, 16, True, "RE", 2),
        (16, 3, 72, 24, False, "RE", 2),
        (24, 3, 88, 24, False, "RE", 1),
        (24, 5, 96, 40, True, "HS", 2),
        (40, 5, 240, 40, True, "HS", 1),
        (40, 5, 240, 40, True, "HS", 1),
        (40, 5, 120, 48, True, "HS", 1),
        (48, 5, 144, 48, True, "HS", 1),
    ], [
        (48, 5, 288, 96, True, "HS", 2),
        (96, 5, 576, 96, True, "HS", 1),
        (96, 5, 576, 96, True, "HS", 1),
    ]),
}  # fmt: skip


def _mobilenet_v3_conf(
    arch: str,
    width_mult: float = 1.0,
    reduced_tail: bool = False,
    dilated: bool = False,
    **kwargs: Any,
) -> tuple[list[InvertedResidualConfig], int]:
    """The settings of `arch` and its last width.

    reduced_tail: half the channels at the end. dilated: keep the size there, spread the kernels.
    """
    if arch not in _ROWS:
        raise ValueError(f"Unsupported model type {arch}")
    last, head, tail = _ROWS[arch]
    less, dilation = (2 if reduced_tail else 1), (2 if dilated else 1)
    setting = [InvertedResidualConfig(*row, 1, width_mult) for row in head]
    for i, (inside, kernel, wide, out, se, activation, stride) in enumerate(tail):
        if i > 0:  # the first row of the tail comes from the whole width
            inside, wide = inside // less, wide // less
        row = (inside, kernel, wide, out // less, se, activation, stride)
        setting.append(InvertedResidualConfig(*row, dilation, width_mult))
    return setting, InvertedResidualConfig.adjust_channels(last // less, width_mult)


def _mobilenet_v3(arch: str, **kwargs: Any) -> MobileNetV3:
    setting, last = _mobilenet_v3_conf(arch, **kwargs)
    return MobileNetV3(setting, last, **kwargs)


_family = Family(__name__, "arXiv:1905.02244", _mobilenet_v3)
MobileNet_V3_Large_Weights = _family.weights("MobileNet_V3_Large_Weights")
MobileNet_V3_Small_Weights = _family.weights("MobileNet_V3_Small_Weights")
mobilenet_v3_large = _family.builder(
    "mobilenet_v3_large", MobileNet_V3_Large_Weights, "MobileNetV3 large", "mobilenet_v3_large"
)
mobilenet_v3_small = _family.builder(
    "mobilenet_v3_small", MobileNet_V3_Small_Weights, "MobileNetV3 small", "mobilenet_v3_small"
)
