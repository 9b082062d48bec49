"""VGG16 (Simonyan, Zisserman 2014: Very deep convolutional networks)."""

from __future__ import annotations

from typing import Any

from chainrule.keras import layers
from chainrule.keras.applications.base import Body, Head, kernels, network
from chainrule.keras.applications.imagenet_utils import decode_predictions, preprocessing


def vgg_body(depths: tuple[int, ...]) -> Body:
    """Five blocks of 3 × 3 convolutions, each followed by a maximum over 2 × 2."""

    def body(x: Any) -> Any:
        for block, (depth, filters) in enumerate(
            zip(depths, (64, 128, 256, 512, 512), strict=True), 1
        ):
            for i in range(1, depth + 1):
                x = layers.Conv2D(
                    filters, 3, activation="relu", padding="same", name=f"block{block}_conv{i}"
                )(x)
            x = layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
        return x

    return body


def vgg_head() -> Head:
    """Two dense layers of 4096, and the classifier."""

    def head(x: Any, classes: int, activation: Any) -> Any:
        x = layers.Flatten(name="flatten")(x)
        for name in ("fc1", "fc2"):
            x = layers.Dense(4096, activation="relu", name=name)(x)
        return layers.Dense(classes, activation=activation, name="predictions")(x)

    return head


VGG16 = network(
    "VGG16", "vgg16", vgg_body((2, 2, 3, 3, 3)),
    kernels("vgg16", "vgg16", "64373286793e3c8b2b4e3219cbf3544b",
            "6d6bbae143d832006294945121d1f1fc"),
    head=vgg_head(),
)  # fmt: skip
preprocess_input = preprocessing("caffe")

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
