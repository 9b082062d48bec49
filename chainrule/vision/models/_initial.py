"""Initial values that several families share, by kind of layer."""

from __future__ import annotations

from collections.abc import Callable

from chainrule import nn
from chainrule.nn import init


def initialise(
    model: nn.Module,
    conv: Callable[[nn.Conv2d], None] | None = None,
    linear: Callable[[nn.Linear], None] | None = None,
) -> None:
    """Norms to 1 and 0; weights of convolutions by `conv` (default: Kaiming's normal distribution
    by fan out), of linear layers by `linear` (default: left as they are); the biases of both to 0
    where their weights are set.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            (conv or kaiming)(module)
            zero_bias(module)
        elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Linear) and linear is not None:
            linear(module)
            zero_bias(module)


def zero_bias(layer: nn.Conv2d | nn.Linear) -> None:
    """The bias, where there is one, to 0."""
    if layer.bias is not None:
        init.zeros_(layer.bias)


def kaiming(conv: nn.Conv2d) -> None:
    """Normal, variance 2 / (fan out)."""
    init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")


def small(layer: nn.Conv2d | nn.Linear) -> None:
    """Normal, standard deviation 0.01."""
    init.normal_(layer.weight, 0, 0.01)
