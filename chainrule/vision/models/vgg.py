"""VGG (Simonyan and Zisserman, Very Deep Convolutional Networks, arXiv:1409.1556)."""

from __future__ import annotations

from typing import Any

from chainrule import nn
from chainrule.tensor import Tensor
from chainrule.vision.models._family import Family
from chainrule.vision.models._initial import initialise, small

__all__ = [
    "VGG",
    "VGG11_Weights", "VGG11_BN_Weights", "VGG13_Weights", "VGG13_BN_Weights",
    "VGG16_Weights", "VGG16_BN_Weights", "VGG19_Weights", "VGG19_BN_Weights",
    "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
]  # fmt: skip


class VGG(nn.Module):
    """`features` and three linear layers: (N, 3, H, W) → (N, num_classes), H, W ≥ 32."""

    def __init__(
        self,
        features: nn.Module,
        num_classes: int = 1000,
        init_weights: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            initialise(self, linear=small)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def make_layers(cfg: list[str | int], batch_norm: bool = False) -> nn.Sequential:
    """Of each number a 3×3 convolution (with its norm) and ReLU, of each "M" a pooling.

    >>> len(make_layers([8, "M", 16], batch_norm=True))
    7
    """
    layers: list[nn.Module] = []
    channels = 3
    for item in cfg:
        if isinstance(item, str):
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(nn.Conv2d(channels, item, kernel_size=3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(item))
        layers.append(nn.ReLU(inplace=True))
        channels = item
    return nn.Sequential(*layers)


cfgs: dict[str, list[str | int]] = {
    "A": [64, "M", 128, "M", *[256] * 2, "M", *[512] * 2, "M", *[512] * 2, "M"],
    "B": [*[64] * 2, "M", *[128] * 2, "M", *[256] * 2, "M", *[512] * 2, "M", *[512] * 2, "M"],
    "D": [*[64] * 2, "M", *[128] * 2, "M", *[256] * 3, "M", *[512] * 3, "M", *[512] * 3, "M"],
    "E": [*[64] * 2, "M", *[128] * 2, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"],
}


def _vgg(cfg: str, batch_norm: bool, **kwargs: Any) -> VGG:
    return VGG(make_layers(cfgs[cfg], batch_norm), **kwargs)


_family = Family(__name__, "arXiv:1409.1556", _vgg)
VGG11_Weights = _family.weights("VGG11_Weights")
VGG11_BN_Weights = _family.weights("VGG11_BN_Weights")
VGG13_Weights = _family.weights("VGG13_Weights")
VGG13_BN_Weights = _family.weights("VGG13_BN_Weights")
VGG16_Weights = _family.weights("VGG16_Weights")
VGG16_BN_Weights = _family.weights("VGG16_BN_Weights")
VGG19_Weights = _family.weights("VGG19_Weights")
VGG19_BN_Weights = _family.weights("VGG19_BN_Weights")

vgg11 = _family.builder("vgg11", VGG11_Weights, "VGG-11 (A)", "A", False)
vgg11_bn = _family.builder("vgg11_bn", VGG11_BN_Weights, "VGG-11 with norms", "A", True)
vgg13 = _family.builder("vgg13", VGG13_Weights, "VGG-13 (B)", "B", False)
vgg13_bn = _family.builder("vgg13_bn", VGG13_BN_Weights, "VGG-13 with norms", "B", True)
vgg16 = _family.builder("vgg16", VGG16_Weights, "VGG-16 (D)", "D", False)
vgg16_bn = _family.builder("vgg16_bn", VGG16_BN_Weights, "VGG-16 with norms", "D", True)
vgg19 = _family.builder("vgg19", VGG19_Weights, "VGG-19 (E)", "E", False)
vgg19_bn = _family.builder("vgg19_bn", VGG19_BN_Weights, "VGG-19 with norms", "E", True)
