"""ResNet50, 101 and 152 (He, Zhang, Ren, Sun 2015: Deep residual learning)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.keras import layers
from chainrule.keras.applications.base import Body, channels, kernels, network
from chainrule.keras.applications.imagenet_utils import decode_predictions, preprocessing

#: Makes one stage: (x, filters, blocks, stride, name) → features.
Stage = Callable[[Any, int, int, int, str], Any]


def norm(x: Any, name: str) -> Any:
    """Batch normalisation, as these networks have it."""
    return layers.BatchNormalization(axis=channels(), epsilon=1.001e-5, name=name)(x)


def relu(x: Any, name: str) -> Any:
    """max(x, 0)."""
    return layers.Activation("relu", name=name)(x)


def resnet_body(blocks: tuple[int, ...], stage: Stage, strides: tuple[int, ...],
                preact: bool) -> Body:  # fmt: skip
    """A 7 × 7 convolution, a maximum, four stages. `preact`: normalised before, not after."""

    def body(x: Any) -> Any:
        x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
        x = layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x)
        if not preact:
            x = relu(norm(x, "conv1_bn"), "conv1_relu")
        x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
        x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
        for i, (count, stride) in enumerate(zip(blocks, strides, strict=True)):
            x = stage(x, 64 * 2**i, count, stride, f"conv{i + 2}")
        return relu(norm(x, "post_bn"), "post_relu") if preact else x

    return body


def _block(x: Any, filters: int, stride: int, widen: bool, name: str) -> Any:
    """1 × 1, 3 × 3, 1 × 1, plus x (or a projection of it)."""
    shortcut = x
    if widen:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x)
        shortcut = norm(shortcut, f"{name}_0_bn")
    x = layers.Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv")(x)
    x = relu(norm(x, f"{name}_1_bn"), f"{name}_1_relu")
    x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x)
    x = relu(norm(x, f"{name}_2_bn"), f"{name}_2_relu")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, norm(x, f"{name}_3_bn")])
    return relu(x, f"{name}_out")


def _stage(x: Any, filters: int, count: int, stride: int, name: str) -> Any:
    for i in range(1, count + 1):
        first = i == 1
        x = _block(x, filters, stride if first else 1, first, f"{name}_block{i}")
    return x


def _resnet(title: str, blocks: tuple[int, ...], top: str, bare: str) -> Callable[..., Any]:
    name = title.lower()
    return network(
        title, name, resnet_body(blocks, _stage, (1, 2, 2, 2), preact=False),
        kernels("resnet", name, top, bare), names=("avg_pool", "max_pool"),
    )  # fmt: skip


ResNet50 = _resnet(
    "ResNet50", (3, 4, 6, 3),
    "2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626",
)  # fmt: skip
ResNet101 = _resnet(
    "ResNet101", (3, 4, 23, 3),
    "f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21",
)  # fmt: skip
ResNet152 = _resnet(
    "ResNet152", (3, 8, 36, 3),
    "100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c",
)  # fmt: skip
preprocess_input = preprocessing("caffe")

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]
