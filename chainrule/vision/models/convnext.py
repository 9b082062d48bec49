"""ConvNeXt (Liu et al., A ConvNet for the 2020s, arXiv:2201.03545)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.tensor import Parameter, Tensor
from chainrule.tensor.creation import full
from chainrule.vision.models._family import Family
from chainrule.vision.models._initial import zero_bias
from chainrule.vision.ops.misc import Conv2dNormActivation, Permute
from chainrule.vision.ops.stochastic_depth import StochasticDepth

__all__ = [
    "ConvNeXt",
    "ConvNeXt_Tiny_Weights", "ConvNeXt_Small_Weights", "ConvNeXt_Base_Weights",
    "ConvNeXt_Large_Weights",
    "convnext_tiny", "convnext_small", "convnext_base", "convnext_large",
]  # fmt: skip


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels of (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    """x + layer_scale · (depthwise 7×7, norm, linear, gelu, linear)."""

    def __init__(
        self,
        dim: int,
        layer_scale: float,
        stochastic_depth_prob: float,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.LayerNorm, eps=1e-6)
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim, bias=True),
            Permute([0, 2, 3, 1]),
            norm(dim),
            nn.Linear(in_features=dim, out_features=4 * dim, bias=True),
            nn.GELU(),
            nn.Linear(in_features=4 * dim, out_features=dim, bias=True),
            Permute([0, 3, 1, 2]),
        )
        self.layer_scale = Parameter(full((dim, 1, 1), layer_scale))
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Tensor:
        return self.stochastic_depth(self.layer_scale * self.block(input)) + input


class CNBlockConfig:
    """A stage: `num_layers` blocks, then a change to `out_channels` at half the size, if any."""

    def __init__(self, input_channels: int, out_channels: int | None, num_layers: int) -> None:
        self.input_channels = input_channels
        self.out_channels = out_channels
        self.num_layers = num_layers

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(input_channels={self.input_channels}, "
            f"out_channels={self.out_channels}, num_layers={self.num_layers})"
        )


class ConvNeXt(nn.Module):
    """Stages by a list of settings: (N, 3, H, W) → (N, num_classes), H, W ≥ 32.

    stochastic_depth_prob: of the last block; it grows linearly from the first.
    """

    def __init__(
        self,
        block_setting: list[CNBlockConfig],
        stochastic_depth_prob: float = 0.0,
        layer_scale: float = 1e-6,
        num_classes: int = 1000,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if not block_setting:
            raise ValueError("The block_setting should not be empty")
        if not isinstance(block_setting, Sequence) or not all(
            isinstance(s, CNBlockConfig) for s in block_setting
        ):
            raise TypeError("The block_setting should be List[CNBlockConfig]")
        make, norm = block or CNBlock, norm_layer or partial(LayerNorm2d, eps=1e-6)
        layers: list[nn.Module] = [
            Conv2dNormActivation(
                3,
                block_setting[0].input_channels,
                kernel_size=4,
                stride=4,
                padding=0,
                norm_layer=norm,
                activation_layer=None,
                bias=True,
            )
        ]
        blocks, done = sum(cnf.num_layers for cnf in block_setting), 0
        for cnf in block_setting:
            width, out = cnf.input_channels, cnf.out_channels
            chances = [
                stochastic_depth_prob * i / (blocks - 1.0)
                for i in range(done, done + cnf.num_layers)
            ]
            layers.append(nn.Sequential(*(make(width, layer_scale, p) for p in chances)))
            done += cnf.num_layers
            if out is not None:
                layers.append(
                    nn.Sequential(norm(width), nn.Conv2d(width, out, kernel_size=2, stride=2))
                )
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        last = block_setting[-1].out_channels
        wide = block_setting[-1].input_channels if last is None else last
        self.classifier = nn.Sequential(norm(wide), nn.Flatten(1), nn.Linear(wide, num_classes))
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                init.trunc_normal_(module.weight, std=0.02)
                zero_bias(module)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


def _convnext(widths: list[int], depths: list[int], **kwargs: Any) -> ConvNeXt:
    after = [*widths[1:], None]
    setting = [CNBlockConfig(*row) for row in zip(widths, after, depths, strict=True)]
    return ConvNeXt(setting, **kwargs)


_family = Family(__name__, "arXiv:2201.03545", _convnext)
ConvNeXt_Tiny_Weights = _family.weights("ConvNeXt_Tiny_Weights")
ConvNeXt_Small_Weights = _family.weights("ConvNeXt_Small_Weights")
ConvNeXt_Base_Weights = _family.weights("ConvNeXt_Base_Weights")
ConvNeXt_Large_Weights = _family.weights("ConvNeXt_Large_Weights")
convnext_tiny = _family.builder(
    "convnext_tiny", ConvNeXt_Tiny_Weights, "ConvNeXt tiny",
    [96, 192, 384, 768], [3, 3, 9, 3], stochastic_depth_prob=0.1,
)  # fmt: skip
convnext_small = _family.builder(
    "convnext_small", ConvNeXt_Small_Weights, "ConvNeXt small",
    [96, 192, 384, 768], [3, 3, 27, 3], stochastic_depth_prob=0.4,
)  # fmt: skip
convnext_base = _family.builder(
    "convnext_base", ConvNeXt_Base_Weights, "ConvNeXt base",
    [128, 256, 512, 1024], [3, 3, 27, 3], stochastic_depth_prob=0.5,
)  # fmt: skip
convnext_large = _family.builder(
    "convnext_large", ConvNeXt_Large_Weights, "ConvNeXt large",
    [192, 384, 768, 1536], [3, 3, 27, 3], stochastic_depth_prob=0.5,
)  # fmt: skip
