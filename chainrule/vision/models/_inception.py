"""What GoogLeNet and Inception v3 share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.tensor import Tensor
from chainrule.tensor.creation import tensor
from chainrule.vision.models._utils import _ovewrite_named_param

M = TypeVar("M", bound=nn.Module)


class BasicConv2d(nn.Module):
    """Convolution, norm, relu."""

    def __init__(self, in_channels: int, out_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


def normalised_by_half(x: Tensor) -> Tensor:
    """Images normalised by ImageNet's means and deviations, brought to [-1, 1]."""
    scale = tensor([0.229 / 0.5, 0.224 / 0.5, 0.225 / 0.5], dtype=x.dtype)
    shift = tensor([(0.485 - 0.5) / 0.5, (0.456 - 0.5) / 0.5, (0.406 - 0.5) / 0.5], dtype=x.dtype)
    return x * scale[:, None, None] + shift[:, None, None]


def initialise_truncated(model: nn.Module, std: float) -> None:
    """Weights: normal, standard deviation `std` or the layer's own `stddev`, within ±2."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            own = float(getattr(module, "stddev", std))
            init.trunc_normal_(module.weight, mean=0.0, std=own, a=-2, b=2)
        elif isinstance(module, nn.BatchNorm2d):
            init.constant_(module.weight, 1)
            init.constant_(module.bias, 0)


def pretrained(make: Callable[..., M], weights: Any, progress: bool, kwargs: dict[str, Any]) -> M:
    """The model with these weights, all heads included, or one with initial values."""
    if weights is None:
        return make(**kwargs)
    kwargs.setdefault("transform_input", True)
    fixed = {
        "aux_logits": True,
        "init_weights": False,
        "num_classes": len(weights.meta["categories"]),
    }
    for name, value in fixed.items():
        _ovewrite_named_param(kwargs, name, value)
    model = make(**kwargs)
    model.load_state_dict(weights.get_state_dict(progress=progress, check_hash=True))
    return model
