"""Xception (Chollet 2016: Deep learning with depthwise separable convolutions)."""

from __future__ import annotations

from typing import Any

from chainrule.keras import layers
from chainrule.keras.applications.base import channels, kernels, network
from chainrule.keras.applications.imagenet_utils import decode_predictions, preprocessing


def _norm(x: Any, name: str | None = None) -> Any:
    return layers.BatchNormalization(axis=channels(), name=name)(x)


def _relu(x: Any, name: str) -> Any:
    return layers.Activation("relu", name=name)(x)


def _separable(x: Any, filters: int, name: str) -> Any:
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return _norm(x, f"{name}_bn")


def _smaller(x: Any, block: int, widths: tuple[int, int], *, first: bool = False) -> Any:
    """Two separable convolutions and a maximum of stride 2, plus a projection of x."""
    name = f"block{block}_sepconv"
    residual = layers.Conv2D(widths[1], 1, strides=2, padding="same", use_bias=False)(x)
    residual = _norm(residual)
    x = _separable(x if first else _relu(x, f"{name}1_act"), widths[0], f"{name}1")
    x = _separable(_relu(x, f"{name}2_act"), widths[1], f"{name}2")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"block{block}_pool")(x)
    return layers.add([x, residual])


def _body(x: Any) -> Any:
    for i, filters in enumerate((32, 64), 1):
        name = f"block1_conv{i}"
        x = layers.Conv2D(filters, 3, strides=3 - i, use_bias=False, name=name)(x)
        x = _relu(_norm(x, f"{name}_bn"), f"{name}_act")
    x = _smaller(x, 2, (128, 128), first=True)
    x = _smaller(x, 3, (256, 256))
    x = _smaller(x, 4, (728, 728))
    for block in range(5, 13):
        residual = x
        for i in (1, 2, 3):
            name = f"block{block}_sepconv{i}"
            x = _separable(_relu(x, f"{name}_act"), 728, name)
        x = layers.add([x, residual])
    x = _smaller(x, 13, (728, 1024))
    for i, filters in enumerate((1536, 2048), 1):
        name = f"block14_sepconv{i}"
        x = _relu(_separable(x, filters, name), f"{name}_act")
    return x


Xception = network(
    "Xception", "xception", _body,
    kernels("xception", "xception", "0a58e3b7378bc2990ea3b43d5981f1f6",
            "b0042744bf5b25fce3cb969f33bebb97"),
    size=299, least=71,
)  # fmt: skip
preprocess_input = preprocessing("tf")

__all__ = ["Xception", "decode_predictions", "preprocess_input"]
