"""ShuffleNetV2 (Ma et al., arXiv:1807.11164)."""

from __future__ import annotations

from collections.abc import Callable

from chainrule import nn
from chainrule.tensor import Tensor
from chainrule.tensor.functions import cat
from chainrule.vision.models._family import Family

__all__ = [
    "ShuffleNetV2",
    "ShuffleNet_V2_X0_5_Weights", "ShuffleNet_V2_X1_0_Weights",
    "ShuffleNet_V2_X1_5_Weights", "ShuffleNet_V2_X2_0_Weights",
    "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0",
]  # fmt: skip


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """The channels of `groups` halves dealt out in turn: (N, C, H, W).

    >>> from chainrule import arange
    >>> channel_shuffle(arange(6).reshape(1, 6, 1, 1), 2).flatten()
    tensor([0, 3, 1, 4, 2, 5])
    """
    n, channels, height, width = x.size()
    x = x.reshape(n, groups, channels // groups, height, width).transpose(1, 2)
    return x.reshape(n, channels, height, width)


def _point(inside: int, out: int) -> list[nn.Module]:
    """1×1, norm, relu."""
    conv = nn.Conv2d(inside, out, kernel_size=1, stride=1, padding=0, bias=False)
    return [conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True)]


class InvertedResidual(nn.Module):
    """Half of the channels pass, half go through a branch; with a stride, all go through two."""

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        if not 1 <= stride <= 3:
            raise ValueError("illegal stride value")
        self.stride = stride
        half = oup // 2
        if stride == 1 and inp != half << 1:
            raise ValueError(
                f"Invalid combination of stride {stride}, inp {inp} and oup {oup} values. If "
                "stride == 1 then inp should be equal to oup // 2 << 1."
            )
        if stride > 1:
            down = self.depthwise_conv(inp, inp, kernel_size=3, stride=stride, padding=1)
            self.branch1 = nn.Sequential(down, nn.BatchNorm2d(inp), *_point(inp, half))
        else:
            self.branch1 = nn.Sequential()
        self.branch2 = nn.Sequential(
            *_point(inp if stride > 1 else half, half),
            self.depthwise_conv(half, half, kernel_size=3, stride=stride, padding=1),
            nn.BatchNorm2d(half),
            *_point(half, half),
        )

    @staticmethod
    def depthwise_conv(
        i: int, o: int, kernel_size: int, stride: int = 1, padding: int = 0, bias: bool = False
    ) -> nn.Conv2d:
        """A convolution of each channel by itself."""
        return nn.Conv2d(i, o, kernel_size, stride, padding, bias=bias, groups=i)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            passing, through = x.chunk(2, dim=1)
        else:
            passing, through = self.branch1(x), x
        return channel_shuffle(cat((passing, self.branch2(through)), dim=1), 2)


class ShuffleNetV2(nn.Module):
    """Three stages of shuffled branches: (N, 3, H, W) → (N, num_classes).

    stages_repeats: blocks of each; stages_out_channels: of the stem, the stages, the last layer.
    """

    def __init__(
        self,
        stages_repeats: list[int],
        stages_out_channels: list[int],
        num_classes: int = 1000,
        inverted_residual: Callable[..., nn.Module] = InvertedResidual,
    ) -> None:
        super().__init__()
        if len(stages_repeats) != 3:
            raise ValueError("expected stages_repeats as list of 3 positive ints")
        if len(stages_out_channels) != 5:
            raise ValueError("expected stages_out_channels as list of 5 positive ints")
        self._stage_out_channels = stages_out_channels
        width = stages_out_channels[0]
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        stages = zip((2, 3, 4), stages_repeats, stages_out_channels[1:], strict=False)
        for number, repeats, out in stages:
            first = inverted_residual(width, out, 2)
            rest = [inverted_residual(out, out, 1) for _ in range(repeats - 1)]
            setattr(self, f"stage{number}", nn.Sequential(first, *rest))
            width = out
        last = stages_out_channels[-1]
        self.conv5 = nn.Sequential(*_point(width, last))
        self.fc = nn.Linear(last, num_classes)

    def _forward_impl(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.conv1(x))
        x = self.conv5(self.stage4(self.stage3(self.stage2(x))))
        return self.fc(x.mean([2, 3]))

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


_family = Family(__name__, "arXiv:1807.11164", ShuffleNetV2)
ShuffleNet_V2_X0_5_Weights = _family.weights("ShuffleNet_V2_X0_5_Weights")
ShuffleNet_V2_X1_0_Weights = _family.weights("ShuffleNet_V2_X1_0_Weights")
ShuffleNet_V2_X1_5_Weights = _family.weights("ShuffleNet_V2_X1_5_Weights")
ShuffleNet_V2_X2_0_Weights = _family.weights("ShuffleNet_V2_X2_0_Weights")
shufflenet_v2_x0_5 = _family.builder(
    "shufflenet_v2_x0_5", ShuffleNet_V2_X0_5_Weights, "ShuffleNetV2 ×0.5",
    [4, 8, 4], [24, 48, 96, 192, 1024],
)  # fmt: skip
shufflenet_v2_x1_0 = _family.builder(
    "shufflenet_v2_x1_0", ShuffleNet_V2_X1_0_Weights, "ShuffleNetV2 ×1.0",
    [4, 8, 4], [24, 116, 232, 464, 1024],
)  # fmt: skip
shufflenet_v2_x1_5 = _family.builder(
    "shufflenet_v2_x1_5", ShuffleNet_V2_X1_5_Weights, "ShuffleNetV2 ×1.5",
    [4, 8, 4], [24, 176, 352, 704, 1024],
)  # fmt: skip
shufflenet_v2_x2_0 = _family.builder(
    "shufflenet_v2_x2_0", ShuffleNet_V2_X2_0_Weights, "ShuffleNetV2 ×2.0",
    [4, 8, 4], [24, 244, 488, 976, 2048],
)  # fmt: skip
