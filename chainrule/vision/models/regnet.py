"""RegNet (Radosavovic et al., Designing Network Design Spaces, arXiv:2003.13678)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from chainrule import nn
from chainrule.nn import init
from chainrule.tensor import Tensor
from chainrule.vision.models._family import Family
from chainrule.vision.models._initial import small
from chainrule.vision.models._utils import _make_divisible
from chainrule.vision.ops.misc import Conv2dNormActivation, SqueezeExcitation

__all__ = [
    "RegNet",
    "RegNet_Y_400MF_Weights", "RegNet_Y_800MF_Weights", "RegNet_Y_1_6GF_Weights",
    "RegNet_Y_3_2GF_Weights", "RegNet_Y_8GF_Weights", "RegNet_Y_16GF_Weights",
    "RegNet_Y_32GF_Weights", "RegNet_Y_128GF_Weights", "RegNet_X_400MF_Weights",
    "RegNet_X_800MF_Weights", "RegNet_X_1_6GF_Weights", "RegNet_X_3_2GF_Weights",
    "RegNet_X_8GF_Weights", "RegNet_X_16GF_Weights", "RegNet_X_32GF_Weights",
    "regnet_y_400mf", "regnet_y_800mf", "regnet_y_1_6gf", "regnet_y_3_2gf", "regnet_y_8gf",
    "regnet_y_16gf", "regnet_y_32gf", "regnet_y_128gf", "regnet_x_400mf", "regnet_x_800mf",
    "regnet_x_1_6gf", "regnet_x_3_2gf", "regnet_x_8gf", "regnet_x_16gf", "regnet_x_32gf",
]  # fmt: skip

Layer = Callable[..., nn.Module]


class SimpleStemIN(Conv2dNormActivation):
    """3×3 with stride 2, norm, activation."""

    def __init__(
        self, width_in: int, width_out: int, norm_layer: Layer, activation_layer: Layer
    ) -> None:
        super().__init__(
            width_in,
            width_out,
            kernel_size=3,
            stride=2,
            norm_layer=norm_layer,
            activation_layer=activation_layer,
        )


class BottleneckTransform(nn.Sequential):
    """1×1, 3×3 in groups, squeeze and excitation where asked for, 1×1."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        norm_layer: Layer,
        activation_layer: Layer,
        group_width: int,
        bottleneck_multiplier: float,
        se_ratio: float | None,
    ) -> None:
        conv = partial(
            Conv2dNormActivation, norm_layer=norm_layer, activation_layer=activation_layer
        )
        inner = round(width_out * bottleneck_multiplier)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["a"] = conv(width_in, inner, kernel_size=1, stride=1)
        layers["b"] = conv(inner, inner, kernel_size=3, stride=stride, groups=inner // group_width)
        if se_ratio:
            # its width follows that of the block's input
            squeezed = round(se_ratio * width_in)
            layers["se"] = SqueezeExcitation(inner, squeezed, activation=activation_layer)
        layers["c"] = conv(inner, width_out, kernel_size=1, stride=1, activation_layer=None)
        super().__init__(layers)


class ResBottleneckBlock(nn.Module):
    """activation(x + f(x)), x through a 1×1 where the shapes differ."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        norm_layer: Layer,
        activation_layer: Layer,
        group_width: int = 1,
        bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None,
    ) -> None:
        super().__init__()
        self.proj: nn.Module | None = None
        if width_in != width_out or stride != 1:
            self.proj = Conv2dNormActivation(
                width_in,
                width_out,
                kernel_size=1,
                stride=stride,
                norm_layer=norm_layer,
                activation_layer=None,
            )
        self.f = BottleneckTransform(
            width_in,
            width_out,
            stride,
            norm_layer,
            activation_layer,
            group_width,
            bottleneck_multiplier,
            se_ratio,
        )
        self.activation = activation_layer(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation((x if self.proj is None else self.proj(x)) + self.f(x))


class AnyStage(nn.Sequential):
    """`depth` blocks of one width, the first with the stride."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        depth: int,
        block_constructor: Layer,
        norm_layer: Layer,
        activation_layer: Layer,
        group_width: int,
        bottleneck_multiplier: float,
        se_ratio: float | None = None,
        stage_index: int = 0,
    ) -> None:
        super().__init__()
        rest = (norm_layer, activation_layer, group_width, bottleneck_multiplier, se_ratio)
        for i in range(depth):
            first = (width_in, width_out, stride) if i == 0 else (width_out, width_out, 1)
            self.add_module(f"block{stage_index}-{i}", block_constructor(*first, *rest))


class BlockParams:
    """Depth, width, group width, bottleneck and stride of each stage."""

    def __init__(
        self,
        depths: list[int],
        widths: list[int],
        group_widths: list[int],
        bottleneck_multipliers: list[float],
        strides: list[int],
        se_ratio: float | None = None,
    ) -> None:
        self.depths = depths
        self.widths = widths
        self.group_widths = group_widths
        self.bottleneck_multipliers = bottleneck_multipliers
        self.strides = strides
        self.se_ratio = se_ratio

    @classmethod
    def from_init_params(
        cls,
        depth: int,
        w_0: int,
        w_a: float,
        w_m: float,
        group_width: int,
        bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None,
        **kwargs: Any,
    ) -> BlockParams:
        """The stages that a line of widths gives (section 3.3 of the paper).

            u_j = w_0 + w_a j   →   w_j = w_0 w_m^round(log(u_j / w_0) / log w_m), in eighths

        Blocks of one w are a stage. Computed in float32, as the published models were.
        """
        if w_a < 0 or w_0 <= 0 or w_m <= 1 or w_0 % 8 != 0:
            raise ValueError("Invalid RegNet settings")
        line = np.arange(depth).astype(np.float32) * np.float32(w_a) + np.float32(w_0)
        power = np.round(np.log(line / np.float32(w_0)) / np.float32(math.log(w_m)))
        width = (np.round(w_0 * np.power(np.float32(w_m), power) / 8) * 8).astype(int).tolist()
        stages: dict[int, int] = {}  # width → blocks; the widths grow
        for w in width:
            stages[w] = stages.get(w, 0) + 1
        n = len(stages)
        bottlenecks = [bottleneck_multiplier] * n
        widths, groups = cls._adjust_widths_groups_compatibilty(
            list(stages), bottlenecks, [group_width] * n
        )
        return cls(list(stages.values()), widths, groups, bottlenecks, [2] * n, se_ratio)

    def _get_expanded_params(self) -> Iterator[tuple[int, int, int, int, float]]:
        return zip(
            self.widths,
            self.strides,
            self.depths,
            self.group_widths,
            self.bottleneck_multipliers,
            strict=True,
        )

    @staticmethod
    def _adjust_widths_groups_compatibilty(
        stage_widths: list[int], bottleneck_ratios: list[float], group_widths: list[int]
    ) -> tuple[list[int], list[int]]:
        """Widths that groups divide, and groups no wider than a stage."""
        inner = [int(w * b) for w, b in zip(stage_widths, bottleneck_ratios, strict=True)]
        groups = [min(g, w) for g, w in zip(group_widths, inner, strict=True)]
        fitted = [_make_divisible(w, g) for w, g in zip(inner, groups, strict=True)]
        return [int(w / b) for w, b in zip(fitted, bottleneck_ratios, strict=True)], groups


class RegNet(nn.Module):
    """A stem, stages, a mean and a linear layer: (N, 3, H, W) → (N, num_classes)."""

    def __init__(
        self,
        block_params: BlockParams,
        num_classes: int = 1000,
        stem_width: int = 32,
        stem_type: Layer | None = None,
        block_type: Layer | None = None,
        norm_layer: Layer | None = None,
        activation: Layer | None = None,
    ) -> None:
        super().__init__()
        norm, act = norm_layer or nn.BatchNorm2d, activation or nn.ReLU
        self.stem = (stem_type or SimpleStemIN)(3, stem_width, norm, act)
        current = stem_width
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        rows = enumerate(block_params._get_expanded_params(), start=1)
        for i, (width, stride, depth, group_width, bottleneck) in rows:
            stages[f"block{i}"] = AnyStage(
                current,
                width,
                stride,
                depth,
                block_type or ResBottleneckBlock,
                norm,
                act,
                group_width,
                bottleneck,
                block_params.se_ratio,
                stage_index=i,
            )
            current = width
        self.trunk_output = nn.Sequential(stages)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(in_features=current, out_features=num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                _by_fan_out(module)
            elif isinstance(module, nn.BatchNorm2d):
                init.ones_(module.weight)
                init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                small(module)
                init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.avgpool(self.trunk_output(self.stem(x))).flatten(start_dim=1))


def _by_fan_out(conv: nn.Conv2d) -> None:
    """Normal, variance 2 / (kernel's area · channels out), in groups as well."""
    fan_out = conv.kernel_size[0] * conv.kernel_size[1] * conv.out_channels
    init.normal_(conv.weight, mean=0.0, std=math.sqrt(2.0 / fan_out))


def _regnet(
    depth: int, w_0: int, w_a: float, w_m: float, group_width: int, se: float | None, **kwargs: Any
) -> RegNet:
    params = BlockParams.from_init_params(depth, w_0, w_a, w_m, group_width, se_ratio=se, **kwargs)
    norm = kwargs.pop("norm_layer", partial(nn.BatchNorm2d, eps=1e-05, momentum=0.1))
    return RegNet(params, norm_layer=norm, **kwargs)


_family = Family(__name__, "arXiv:2003.13678", _regnet)
RegNet_Y_400MF_Weights = _family.weights("RegNet_Y_400MF_Weights")
RegNet_Y_800MF_Weights = _family.weights("RegNet_Y_800MF_Weights")
RegNet_Y_1_6GF_Weights = _family.weights("RegNet_Y_1_6GF_Weights")
RegNet_Y_3_2GF_Weights = _family.weights("RegNet_Y_3_2GF_Weights")
RegNet_Y_8GF_Weights = _family.weights("RegNet_Y_8GF_Weights")
RegNet_Y_16GF_Weights = _family.weights("RegNet_Y_16GF_Weights")
RegNet_Y_32GF_Weights = _family.weights("RegNet_Y_32GF_Weights")
RegNet_Y_128GF_Weights = _family.weights("RegNet_Y_128GF_Weights")
RegNet_X_400MF_Weights = _family.weights("RegNet_X_400MF_Weights")
RegNet_X_800MF_Weights = _family.weights("RegNet_X_800MF_Weights")
RegNet_X_1_6GF_Weights = _family.weights("RegNet_X_1_6GF_Weights")
RegNet_X_3_2GF_Weights = _family.weights("RegNet_X_3_2GF_Weights")
RegNet_X_8GF_Weights = _family.weights("RegNet_X_8GF_Weights")
RegNet_X_16GF_Weights = _family.weights("RegNet_X_16GF_Weights")
RegNet_X_32GF_Weights = _family.weights("RegNet_X_32GF_Weights")


def _row(
    name: str, weights: Any, depth: int, w_0: int, w_a: float, w_m: float, group_width: int
) -> Callable[..., RegNet]:
    kind, size = name.removeprefix("regnet_").split("_", 1)
    ratio = 0.25 if kind == "y" else None
    title = f"RegNet{kind.upper()} {size.upper().replace('_', '.')}"
    legacy = "IMAGENET1K_V1" if "IMAGENET1K_V1" in weights.__members__ else None
    row = (depth, w_0, w_a, w_m, group_width, ratio)
    return _family.builder(name, weights, title, *row, legacy=legacy)


# depth, w_0, w_a, w_m, group width
regnet_y_400mf = _row("regnet_y_400mf", RegNet_Y_400MF_Weights, 16, 48, 27.89, 2.09, 8)
regnet_y_800mf = _row("regnet_y_800mf", RegNet_Y_800MF_Weights, 14, 56, 38.84, 2.4, 16)
regnet_y_1_6gf = _row("regnet_y_1_6gf", RegNet_Y_1_6GF_Weights, 27, 48, 20.71, 2.65, 24)
regnet_y_3_2gf = _row("regnet_y_3_2gf", RegNet_Y_3_2GF_Weights, 21, 80, 42.63, 2.66, 24)
regnet_y_8gf = _row("regnet_y_8gf", RegNet_Y_8GF_Weights, 17, 192, 76.82, 2.19, 56)
regnet_y_16gf = _row("regnet_y_16gf", RegNet_Y_16GF_Weights, 18, 200, 106.23, 2.48, 112)
regnet_y_32gf = _row("regnet_y_32gf", RegNet_Y_32GF_Weights, 20, 232, 115.89, 2.53, 232)
regnet_y_128gf = _row("regnet_y_128gf", RegNet_Y_128GF_Weights, 27, 456, 160.83, 2.52, 264)
regnet_x_400mf = _row("regnet_x_400mf", RegNet_X_400MF_Weights, 22, 24, 24.48, 2.54, 16)
regnet_x_800mf = _row("regnet_x_800mf", RegNet_X_800MF_Weights, 16, 56, 35.73, 2.28, 16)
regnet_x_1_6gf = _row("regnet_x_1_6gf", RegNet_X_1_6GF_Weights, 18, 80, 34.01, 2.25, 24)
regnet_x_3_2gf = _row("regnet_x_3_2gf", RegNet_X_3_2GF_Weights, 25, 88, 26.31, 2.25, 48)
regnet_x_8gf = _row("regnet_x_8gf", RegNet_X_8GF_Weights, 23, 80, 49.56, 2.88, 120)
regnet_x_16gf = _row("regnet_x_16gf", RegNet_X_16GF_Weights, 22, 216, 55.59, 2.1, 128)
regnet_x_32gf = _row("regnet_x_32gf", RegNet_X_32GF_Weights, 23, 320, 69.86, 2.0, 168)
