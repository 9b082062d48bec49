"""ResNet50V2, 101V2 and 152V2 (He, Zhang, Ren, Sun 2016: Identity mappings)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.keras import layers
from chainrule.keras.applications.base import kernels, network
from chainrule.keras.applications.imagenet_utils import decode_predictions, preprocessing
from chainrule.keras.applications.resnet import norm, relu, resnet_body


def _block(x: Any, filters: int, stride: int, widen: bool, name: str) -> Any:
    """Normalised first, then 1 × 1, 3 × 3, 1 × 1, plus x (or a projection of it)."""
    ready = relu(norm(x, f"{name}_preact_bn"), f"{name}_preact_relu")
    if widen:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(ready)
    else:
        shortcut = layers.MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(ready)
    x = relu(norm(x, f"{name}_1_bn"), f"{name}_1_relu")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(x)
    x = relu(norm(x, f"{name}_2_bn"), f"{name}_2_relu")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    return layers.Add(name=f"{name}_out")([shortcut, x])


def _stage(x: Any, filters: int, count: int, stride: int, name: str) -> Any:
    for i in range(1, count + 1):
        x = _block(x, filters, stride if i == count else 1, i == 1, f"{name}_block{i}")
    return x


def _resnet(title: str, blocks: tuple[int, ...], top: str, bare: str) -> Callable[..., Any]:
    name = title.lower()
    return network(
        title, name, resnet_body(blocks, _stage, (2, 2, 2, 1), preact=True),
        kernels("resnet", name, top, bare), names=("avg_pool", "max_pool"),
    )  # fmt: skip


ResNet50V2 = _resnet(
    "ResNet50V2", (3, 4, 6, 3),
    "3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917",
)  # fmt: skip
ResNet101V2 = _resnet(
    "ResNet101V2", (3, 4, 23, 3),
    "6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5",
)  # fmt: skip
ResNet152V2 = _resnet(
    "ResNet152V2", (3, 8, 36, 3),
    "a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33",
)  # fmt: skip
preprocess_input = preprocessing("tf")

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]
