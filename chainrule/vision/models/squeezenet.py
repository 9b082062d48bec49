"""SqueezeNet (Iandola et al., arXiv:1602.07360)."""

from __future__ import annotations

from chainrule import nn
from chainrule.nn import init
from chainrule.tensor import Tensor
from chainrule.tensor.functions import cat
from chainrule.vision.models._family import Family
from chainrule.vision.models._initial import small, zero_bias

__all__ = [
    "SqueezeNet",
    "SqueezeNet1_0_Weights",
    "SqueezeNet1_1_Weights",
    "squeezenet1_0",
    "squeezenet1_1",
]


class Fire(nn.Module):
    """A few channels by 1×1, then many: some by 1×1, some by 3×3, side by side."""

    def __init__(
        self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int
    ) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        point = self.expand1x1_activation(self.expand1x1(x))
        return cat([point, self.expand3x3_activation(self.expand3x3(x))], 1)


#: version → (channels and kernel of the stem, then channels of each fire, or "M": a pooling).
_LAYOUTS: dict[str, tuple[int, int, list[str | tuple[int, int, int]]]] = {
    "1_0": (96, 7, [
        "M", (96, 16, 64), (128, 16, 64), (128, 32, 128), "M", (256, 32, 128), (256, 48, 192),
        (384, 48, 192), (384, 64, 256), "M", (512, 64, 256),
    ]),
    "1_1": (64, 3, [
        "M", (64, 16, 64), (128, 16, 64), "M", (128, 32, 128), (256, 32, 128), "M", (256, 48, 192),
        (384, 48, 192), (384, 64, 256), (512, 64, 256),
    ]),
}  # fmt: skip


class SqueezeNet(nn.Module):
    """Fires between poolings: (N, 3, H, W) → (N, num_classes), H, W ≥ 21. version "1_0", "1_1"."""

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.num_classes = num_classes
        if version not in _LAYOUTS:
            raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
        width, kernel, layout = _LAYOUTS[version]
        layers: list[nn.Module] = [nn.Conv2d(3, width, kernel, stride=2), nn.ReLU(inplace=True)]
        for item in layout:
            if isinstance(item, str):
                layers.append(nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
            else:
                inside, squeezed, each = item
                layers.append(Fire(inside, squeezed, each, each))
        self.features = nn.Sequential(*layers)
        last = nn.Conv2d(512, num_classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), last, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if module is last:
                    small(module)
                else:
                    init.kaiming_uniform_(module.weight)
                zero_bias(module)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x)).flatten(1)


_family = Family(__name__, "arXiv:1602.07360", SqueezeNet)
SqueezeNet1_0_Weights = _family.weights("SqueezeNet1_0_Weights")
SqueezeNet1_1_Weights = _family.weights("SqueezeNet1_1_Weights")
squeezenet1_0 = _family.builder("squeezenet1_0", SqueezeNet1_0_Weights, "SqueezeNet 1.0", "1_0")
squeezenet1_1 = _family.builder("squeezenet1_1", SqueezeNet1_1_Weights, "SqueezeNet 1.1", "1_1")
