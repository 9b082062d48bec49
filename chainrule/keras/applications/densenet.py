"""DenseNet121, 169 and 201 (Huang, Liu, van der Maaten, Weinberger 2016)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.keras import layers
from chainrule.keras.applications.base import Body, channels, kernels, network, only_channels_last
from chainrule.keras.applications.imagenet_utils import decode_predictions, preprocessing
from chainrule.keras.applications.resnet import norm, relu

_GROWTH = 32  # channels that a layer adds


def _layer(x: Any, name: str) -> Any:
    """x with the channels that it was made into."""
    new = relu(norm(x, f"{name}_0_bn"), f"{name}_0_relu")
    new = layers.Conv2D(4 * _GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(new)
    new = relu(norm(new, f"{name}_1_bn"), f"{name}_1_relu")
    new = layers.Conv2D(_GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return layers.Concatenate(axis=channels(), name=f"{name}_concat")([x, new])


def _half(x: Any, name: str) -> Any:
    """Half as many channels, half as large."""
    x = relu(norm(x, f"{name}_bn"), f"{name}_relu")
    x = layers.Conv2D(x.shape[channels()] // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def _body(depths: tuple[int, ...]) -> Body:
    def body(x: Any) -> Any:
        x = layers.ZeroPadding2D(3)(x)
        x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
        x = layers.ZeroPadding2D(1)(relu(norm(x, "conv1_bn"), "conv1_relu"))
        x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
        for block, depth in enumerate(depths, 2):
            if block > 2:
                x = _half(x, f"pool{block - 1}")
            for i in range(1, depth + 1):
                x = _layer(x, f"conv{block}_block{i}")
        return relu(norm(x, "bn"), "relu")

    return body


def _densenet(title: str, depths: tuple[int, ...], top: str, bare: str) -> Callable[..., Any]:
    name = title.lower()
    return network(
        title, name, _body(depths), kernels("densenet", name, top, bare),
        names=("avg_pool", "max_pool"), check=only_channels_last,
    )  # fmt: skip


DenseNet121 = _densenet(
    "DenseNet121", (6, 12, 24, 16),
    "9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738",
)  # fmt: skip
DenseNet169 = _densenet(
    "DenseNet169", (6, 12, 32, 32),
    "d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b",
)  # fmt: skip
DenseNet201 = _densenet(
    "DenseNet201", (6, 12, 48, 32),
    "1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1",
)  # fmt: skip
preprocess_input = preprocessing("torch")

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]
