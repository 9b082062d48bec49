"""MNASNet (Tan et al., Platform-Aware Neural Architecture Search, arXiv:1807.11626)."""

from __future__ import annotations

import warnings
from typing import Any

from chainrule import nn
from chainrule.nn import init
from chainrule.tensor import Tensor
from chainrule.vision.models._family import Family
from chainrule.vision.models._initial import initialise

__all__ = [
    "MNASNet",
    "MNASNet0_5_Weights", "MNASNet0_75_Weights", "MNASNet1_0_Weights", "MNASNet1_3_Weights",
    "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3",
]  # fmt: skip

#: The paper gives TensorFlow's momentum.
_BN_MOMENTUM = 1 - 0.9997


def _norm(channels: int, momentum: float = _BN_MOMENTUM) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, momentum=momentum)


def _relu() -> nn.ReLU:
    return nn.ReLU(inplace=True)


class _InvertedResidual(nn.Module):
    """Wider by 1×1, depthwise, narrower by 1×1; added to x where the shapes agree."""

    def __init__(
        self,
        in_ch: int,
        out_ch: int,
        kernel_size: int,
        stride: int,
        expansion_factor: int,
        bn_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        if kernel_size not in (3, 5):
            raise ValueError(f"kernel_size should be 3 or 5 instead of {kernel_size}")
        mid = in_ch * expansion_factor
        self.apply_residual = in_ch == out_ch and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(in_ch, mid, 1, bias=False),
            _norm(mid, bn_momentum),
            _relu(),
            nn.Conv2d(
                mid, mid, kernel_size, stride, padding=kernel_size // 2, groups=mid, bias=False
            ),
            _norm(mid, bn_momentum),
            _relu(),
            nn.Conv2d(mid, out_ch, 1, bias=False),
            _norm(out_ch, bn_momentum),
        )

    def forward(self, input: Tensor) -> Tensor:
        return self.layers(input) + input if self.apply_residual else self.layers(input)


def _stack(
    in_ch: int,
    out_ch: int,
    kernel_size: int,
    stride: int,
    exp_factor: int,
    repeats: int,
    bn_momentum: float,
) -> nn.Sequential:
    """`repeats` blocks, the first with the stride and the change of channels."""
    if repeats < 1:
        raise ValueError(f"repeats should be >= 1, instead got {repeats}")
    rest = (out_ch, kernel_size, 1, exp_factor, bn_momentum)
    first = _InvertedResidual(in_ch, out_ch, kernel_size, stride, exp_factor, bn_momentum)
    return nn.Sequential(first, *(_InvertedResidual(out_ch, *rest) for _ in range(1, repeats)))


def _round_to_multiple_of(val: float, divisor: int, round_up_bias: float = 0.9) -> int:
    """The multiple of `divisor` nearest to `val`, not below `round_up_bias` times it."""
    if not 0.0 < round_up_bias < 1.0:
        raise ValueError(
            "round_up_bias should be greater than 0.0 and smaller than 1.0 instead of "
            f"{round_up_bias}"
        )
    rounded = max(divisor, int(val + divisor / 2) // divisor * divisor)
    return rounded if rounded >= round_up_bias * val else rounded + divisor


def _get_depths(alpha: float) -> list[int]:
    """The channels of the stages, times `alpha`, as multiples of 8."""
    return [_round_to_multiple_of(depth * alpha, 8) for depth in (32, 16, 24, 40, 80, 96, 192, 320)]


def _stem(wide: int, narrow: int) -> list[nn.Module]:
    return [
        nn.Conv2d(3, wide, 3, padding=1, stride=2, bias=False),
        _norm(wide),
        _relu(),
        nn.Conv2d(wide, wide, 3, padding=1, stride=1, groups=wide, bias=False),
        _norm(wide),
        _relu(),
        nn.Conv2d(wide, narrow, 1, padding=0, stride=1, bias=False),
        _norm(narrow),
    ]


class MNASNet(nn.Module):
    """Inverted residuals: (N, 3, H, W) → (N, num_classes). alpha multiplies all channels."""

    _version = 2  # of the state: in version 1 the stem was not multiplied

    def __init__(self, alpha: float, num_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        if alpha <= 0.0:
            raise ValueError(f"alpha should be greater than 0.0 instead of {alpha}")
        self.alpha = alpha
        self.num_classes = num_classes
        d = _get_depths(alpha)
        # kernel, stride, expansion, blocks
        stages = [
            (3, 2, 3, 3),
            (5, 2, 3, 3),
            (5, 2, 6, 3),
            (3, 1, 6, 2),
            (5, 2, 6, 4),
            (3, 1, 6, 1),
        ]
        self.layers = nn.Sequential(
            *_stem(d[0], d[1]),
            *(_stack(d[i + 1], d[i + 2], *row, _BN_MOMENTUM) for i, row in enumerate(stages)),
            nn.Conv2d(d[7], 1280, 1, padding=0, stride=1, bias=False),
            _norm(1280),
            _relu(),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(1280, num_classes)
        )
        initialise(self, linear=_sigmoid_uniform)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.layers(x).mean([2, 3]))

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict, *args: Any
    ) -> None:
        version = local_metadata.get("version")
        if version not in (1, 2):
            raise ValueError(f"version should be set to 1 or 2 instead of {version}")
        if version == 1 and self.alpha != 1.0:
            third = _stack(16, _get_depths(self.alpha)[2], 3, 2, 3, 3, _BN_MOMENTUM)
            for i, layer in enumerate([*_stem(32, 16), third]):
                self.layers[i] = layer
            self._version = 1
            warnings.warn(
                "These weights are of an older MNASNet, whose first layers were not multiplied by "
                "alpha; the model was changed to fit them",
                UserWarning,
                stacklevel=2,
            )
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


def _sigmoid_uniform(layer: nn.Linear) -> None:
    init.kaiming_uniform_(layer.weight, mode="fan_out", nonlinearity="sigmoid")


_family = Family(__name__, "arXiv:1807.11626", MNASNet)
MNASNet0_5_Weights = _family.weights("MNASNet0_5_Weights")
MNASNet0_75_Weights = _family.weights("MNASNet0_75_Weights")
MNASNet1_0_Weights = _family.weights("MNASNet1_0_Weights")
MNASNet1_3_Weights = _family.weights("MNASNet1_3_Weights")
mnasnet0_5 = _family.builder("mnasnet0_5", MNASNet0_5_Weights, "MNASNet 0.5", 0.5)
mnasnet0_75 = _family.builder("mnasnet0_75", MNASNet0_75_Weights, "MNASNet 0.75", 0.75)
mnasnet1_0 = _family.builder("mnasnet1_0", MNASNet1_0_Weights, "MNASNet 1.0", 1.0)
mnasnet1_3 = _family.builder("mnasnet1_3", MNASNet1_3_Weights, "MNASNet 1.3", 1.3)
