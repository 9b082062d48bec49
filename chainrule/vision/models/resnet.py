"""ResNet (He et al., arXiv:1512.03385), ResNeXt (arXiv:1611.05431), Wide ResNet (1605.07146)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule import nn
from chainrule.tensor import Tensor
from chainrule.vision.models._family import Family
from chainrule.vision.models._initial import kaiming

__all__ = [
    "ResNet",
    "ResNet18_Weights", "ResNet34_Weights", "ResNet50_Weights", "ResNet101_Weights",
    "ResNet152_Weights", "ResNeXt50_32X4D_Weights", "ResNeXt101_32X8D_Weights",
    "ResNeXt101_64X4D_Weights", "Wide_ResNet50_2_Weights", "Wide_ResNet101_2_Weights",
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d",
    "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2",
]  # fmt: skip


def conv3x3(
    in_planes: int, out_planes: int, stride: int = 1, groups: int = 1, dilation: int = 1
) -> nn.Conv2d:
    """A 3×3 convolution that keeps the size at stride 1, without bias."""
    return nn.Conv2d(
        in_planes,
        out_planes,
        kernel_size=3,
        stride=stride,
        padding=dilation,
        groups=groups,
        bias=False,
        dilation=dilation,
    )


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """A 1×1 convolution without bias."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """relu(x + norm(conv3x3(relu(norm(conv3x3(x)))))), x through `downsample` where it is given."""

    expansion: int = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        if groups != 1 or base_width != 64:
            raise ValueError("BasicBlock only supports groups=1 and base_width=64")
        if dilation > 1:
            raise NotImplementedError("Dilation > 1 not supported in BasicBlock")
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """As BasicBlock, with 1×1, 3×3 and 1×1 convolutions; the stride is that of the middle one."""

    expansion: int = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """A stem, four stages of blocks, a mean and a linear layer: (N, 3, H, W) → (N, num_classes).

    block: BasicBlock, Bottleneck, or a class like them. layers: blocks of each stage.
    zero_init_residual: begin with blocks that pass on their input. replace_stride_with_dilation:
    for stages 2 to 4, keep the size and spread the kernels instead.
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        layers: list[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: list[bool] | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        self._norm_layer = norm
        self.inplanes = 64
        self.dilation = 1
        dilate = replace_stride_with_dilation or [False, False, False]
        if len(dilate) != 3:
            raise ValueError(
                "replace_stride_with_dilation should be None or a 3-element tuple, got "
                f"{replace_stride_with_dilation}"
            )
        self.groups = groups
        self.base_width = width_per_group
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = norm(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], stride=2, dilate=dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], stride=2, dilate=dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], stride=2, dilate=dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        self._initialise(zero_init_residual)

    def _initialise(self, zero_init_residual: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                kaiming(module)
            elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(module.weight, 1)
                nn.init.constant_(module.bias, 0)
        if zero_init_residual:
            for module in self.modules():
                last = {Bottleneck: "bn3", BasicBlock: "bn2"}
                for kind, name in last.items():
                    if isinstance(module, kind) and getattr(module, name).weight is not None:
                        nn.init.constant_(getattr(module, name).weight, 0)

    def _make_layer(
        self,
        block: type[BasicBlock | Bottleneck],
        planes: int,
        blocks: int,
        stride: int = 1,
        dilate: bool = False,
    ) -> nn.Sequential:
        norm = self._norm_layer
        downsample = None
        first_dilation = self.dilation
        if dilate:
            self.dilation *= stride
            stride = 1
        width = planes * block.expansion
        if stride != 1 or self.inplanes != width:
            downsample = nn.Sequential(conv1x1(self.inplanes, width, stride), norm(width))
        fixed = (self.groups, self.base_width)
        layers = [block(self.inplanes, planes, stride, downsample, *fixed, first_dilation, norm)]
        self.inplanes = width
        layers += [
            block(width, planes, 1, None, *fixed, self.dilation, norm) for _ in range(1, blocks)
        ]
        return nn.Sequential(*layers)

    def _forward_impl(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


_family = Family(__name__, "arXiv:1512.03385", ResNet)
ResNet18_Weights = _family.weights("ResNet18_Weights")
ResNet34_Weights = _family.weights("ResNet34_Weights")
ResNet50_Weights = _family.weights("ResNet50_Weights")
ResNet101_Weights = _family.weights("ResNet101_Weights")
ResNet152_Weights = _family.weights("ResNet152_Weights")
ResNeXt50_32X4D_Weights = _family.weights("ResNeXt50_32X4D_Weights")
ResNeXt101_32X8D_Weights = _family.weights("ResNeXt101_32X8D_Weights")
ResNeXt101_64X4D_Weights = _family.weights("ResNeXt101_64X4D_Weights")
Wide_ResNet50_2_Weights = _family.weights("Wide_ResNet50_2_Weights")
Wide_ResNet101_2_Weights = _family.weights("Wide_ResNet101_2_Weights")


def _row(
    name: str, weights: Any, title: str, block: Any, layers: list[int], **fixed: int
) -> Callable[..., ResNet]:
    """`fixed` (groups, width) is what makes the model that one: nothing else may be given."""
    return _family.builder(name, weights, title, block, layers, fixed=fixed)


resnet18 = _row("resnet18", ResNet18_Weights, "ResNet-18", BasicBlock, [2, 2, 2, 2])
resnet34 = _row("resnet34", ResNet34_Weights, "ResNet-34", BasicBlock, [3, 4, 6, 3])
resnet50 = _row("resnet50", ResNet50_Weights, "ResNet-50", Bottleneck, [3, 4, 6, 3])
resnet101 = _row("resnet101", ResNet101_Weights, "ResNet-101", Bottleneck, [3, 4, 23, 3])
resnet152 = _row("resnet152", ResNet152_Weights, "ResNet-152", Bottleneck, [3, 8, 36, 3])
resnext50_32x4d = _row(
    "resnext50_32x4d", ResNeXt50_32X4D_Weights, "ResNeXt-50 32x4d", Bottleneck, [3, 4, 6, 3],
    groups=32, width_per_group=4,
)  # fmt: skip
resnext101_32x8d = _row(
    "resnext101_32x8d", ResNeXt101_32X8D_Weights, "ResNeXt-101 32x8d", Bottleneck, [3, 4, 23, 3],
    groups=32, width_per_group=8,
)  # fmt: skip
resnext101_64x4d = _row(
    "resnext101_64x4d", ResNeXt101_64X4D_Weights, "ResNeXt-101 64x4d", Bottleneck, [3, 4, 23, 3],
    groups=64, width_per_group=4,
)  # fmt: skip
wide_resnet50_2 = _row(
    "wide_resnet50_2", Wide_ResNet50_2_Weights, "Wide ResNet-50-2", Bottleneck, [3, 4, 6, 3],
    width_per_group=128,
)  # fmt: skip
wide_resnet101_2 = _row(
    "wide_resnet101_2", Wide_ResNet101_2_Weights, "Wide ResNet-101-2", Bottleneck, [3, 4, 23, 3],
    width_per_group=128,
)  # fmt: skip
