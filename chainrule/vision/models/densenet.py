"""DenseNet (Huang et al., arXiv:1608.06993)."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.tensor import Tensor
from chainrule.tensor.functions import cat
from chainrule.vision.models._family import Family

__all__ = [
    "DenseNet",
    "DenseNet121_Weights", "DenseNet161_Weights", "DenseNet169_Weights", "DenseNet201_Weights",
    "densenet121", "densenet161", "densenet169", "densenet201",
]  # fmt: skip


class _DenseLayer(nn.Module):
    """norm, relu, 1×1, norm, relu, 3×3: from all features so far to `growth_rate` more."""

    def __init__(
        self,
        num_input_features: int,
        growth_rate: int,
        bn_size: int,
        drop_rate: float,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        wide = bn_size * growth_rate
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(num_input_features, wide, kernel_size=1, stride=1, bias=False)
        self.norm2 = nn.BatchNorm2d(wide)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(wide, growth_rate, kernel_size=3, stride=1, padding=1, bias=False)
        self.drop_rate = float(drop_rate)
        self.memory_efficient = (
            memory_efficient  # kept: the compiler decides what is computed again
        )

    def bn_function(self, inputs: list[Tensor]) -> Tensor:
        """The first half, of the features together."""
        return self.conv1(self.relu1(self.norm1(cat(inputs, 1))))

    def forward(self, input: Tensor | list[Tensor]) -> Tensor:
        features = [input] if isinstance(input, Tensor) else input
        new = self.conv2(self.relu2(self.norm2(self.bn_function(features))))
        if self.drop_rate > 0:
            new = F.dropout(new, p=self.drop_rate, training=self.training)
        return new


class _DenseBlock(nn.ModuleDict):
    """Dense layers, each of which sees the outputs of all before it."""

    _version = 2

    def __init__(
        self,
        num_layers: int,
        num_input_features: int,
        bn_size: int,
        growth_rate: int,
        drop_rate: float,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        for i in range(num_layers):
            layer = _DenseLayer(
                num_input_features + i * growth_rate,
                growth_rate=growth_rate,
                bn_size=bn_size,
                drop_rate=drop_rate,
                memory_efficient=memory_efficient,
            )
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, init_features: Tensor) -> Tensor:
        features = [init_features]
        for layer in self.values():
            features.append(layer(features))
        return cat(features, 1)


class _Transition(nn.Sequential):
    """norm, relu, 1×1, and half the size."""

    def __init__(self, num_input_features: int, num_output_features: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_input_features)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(
            num_input_features, num_output_features, kernel_size=1, stride=1, bias=False
        )
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    """Dense blocks with transitions between them: (N, 3, H, W) → (N, num_classes), H, W ≥ 29.

    growth_rate: features that a layer adds. block_config: layers of each block. bn_size: width of
    a bottleneck, in growth rates. drop_rate: dropout after each layer. memory_efficient: accepted;
    what is kept for the gradient and what is computed again is chosen by the compiler.
    """

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: tuple[int, int, int, int] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        width = num_init_features
        stem = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
        self.features = nn.Sequential(
            OrderedDict(
                conv0=stem,
                norm0=nn.BatchNorm2d(width),
                relu0=nn.ReLU(inplace=True),
                pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            )
        )
        for i, layers in enumerate(block_config):
            block = _DenseBlock(layers, width, bn_size, growth_rate, drop_rate, memory_efficient)
            self.features.add_module(f"denseblock{i + 1}", block)
            width += layers * growth_rate
            if i != len(block_config) - 1:
                self.features.add_module(f"transition{i + 1}", _Transition(width, width // 2))
                width //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(width))
        self.classifier = nn.Linear(width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d):
                init.constant_(module.weight, 1)
                init.constant_(module.bias, 0)
            elif isinstance(module, nn.Linear):
                init.constant_(module.bias, 0)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """As every module's; the published names (`norm.1.weight`) become `norm1.weight`."""
        old = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")
        renamed = OrderedDict((old.sub(r"\1\2", key), value) for key, value in state_dict.items())
        if hasattr(state_dict, "_metadata"):
            renamed._metadata = state_dict._metadata  # type: ignore[attr-defined]  # as nn.Module does
        return super().load_state_dict(renamed, strict, assign)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.features(x), inplace=True)
        return self.classifier(F.adaptive_avg_pool2d(out, (1, 1)).flatten(1))


_family = Family(__name__, "arXiv:1608.06993", DenseNet)
DenseNet121_Weights = _family.weights("DenseNet121_Weights")
DenseNet161_Weights = _family.weights("DenseNet161_Weights")
DenseNet169_Weights = _family.weights("DenseNet169_Weights")
DenseNet201_Weights = _family.weights("DenseNet201_Weights")
densenet121 = _family.builder(
    "densenet121", DenseNet121_Weights, "DenseNet-121", 32, (6, 12, 24, 16), 64
)
densenet161 = _family.builder(
    "densenet161", DenseNet161_Weights, "DenseNet-161", 48, (6, 12, 36, 24), 96
)
densenet169 = _family.builder(
    "densenet169", DenseNet169_Weights, "DenseNet-169", 32, (6, 12, 32, 32), 64
)
densenet201 = _family.builder(
    "densenet201", DenseNet201_Weights, "DenseNet-201", 32, (6, 12, 48, 32), 64
)
