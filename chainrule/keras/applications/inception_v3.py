"""InceptionV3 (Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2015: Rethinking the Inception
architecture).
"""

from __future__ import annotations

from typing import Any

from chainrule.keras import layers
from chainrule.keras.applications.base import channels, kernels, network
from chainrule.keras.applications.imagenet_utils import decode_predictions, preprocessing

#: One convolution of a branch: filters, then height and width of its kernel.
Step = tuple[int, int, int]


def _conv(x: Any, step: Step, strides: int = 1, padding: str = "same") -> Any:
    filters, *size = step
    x = layers.Conv2D(filters, size, strides=strides, padding=padding, use_bias=False)(x)
    x = layers.BatchNormalization(axis=channels(), scale=False)(x)
    return layers.Activation("relu")(x)


def _branch(x: Any, *steps: Step) -> Any:
    for step in steps:
        x = _conv(x, step)
    return x


def _join(branches: list[Any], name: str | None = None) -> Any:
    return layers.concatenate(branches, axis=channels(), name=name)


def _mean(x: Any, filters: int) -> Any:
    x = layers.AveragePooling2D(3, strides=1, padding="same")(x)
    return _conv(x, (filters, 1, 1))


def _block_35(x: Any, pooled: int, name: str) -> Any:
    return _join([
        _branch(x, (64, 1, 1)),
        _branch(x, (48, 1, 1), (64, 5, 5)),
        _branch(x, (64, 1, 1), (96, 3, 3), (96, 3, 3)),
        _mean(x, pooled),
    ], name)  # fmt: skip


def _block_17(x: Any, n: int, name: str) -> Any:
    return _join([
        _branch(x, (192, 1, 1)),
        _branch(x, (n, 1, 1), (n, 1, 7), (192, 7, 1)),
        _branch(x, (n, 1, 1), (n, 7, 1), (n, 1, 7), (n, 7, 1), (192, 1, 7)),
        _mean(x, 192),
    ], name)  # fmt: skip


def _block_8(x: Any, number: int) -> Any:
    one = _branch(x, (320, 1, 1))
    three = _branch(x, (384, 1, 1))
    three = _join([_branch(three, (384, 1, 3)), _branch(three, (384, 3, 1))],
                  f"mixed9_{number}")  # fmt: skip
    double = _branch(x, (448, 1, 1), (384, 3, 3))
    double = _join([_branch(double, (384, 1, 3)), _branch(double, (384, 3, 1))])
    return _join([one, three, double, _mean(x, 192)], f"mixed{9 + number}")


def _body(x: Any) -> Any:
    x = _conv(x, (32, 3, 3), 2, "valid")
    x = _conv(x, (32, 3, 3), 1, "valid")
    x = layers.MaxPooling2D(3, strides=2)(_conv(x, (64, 3, 3)))
    x = _conv(x, (80, 1, 1), 1, "valid")
    x = layers.MaxPooling2D(3, strides=2)(_conv(x, (192, 3, 3), 1, "valid"))
    for i, pooled in enumerate((32, 64, 64)):  # 35 × 35
        x = _block_35(x, pooled, f"mixed{i}")
    wide = _conv(x, (384, 3, 3), 2, "valid")
    double = _conv(_branch(x, (64, 1, 1), (96, 3, 3)), (96, 3, 3), 2, "valid")
    x = _join([wide, double, layers.MaxPooling2D(3, strides=2)(x)], "mixed3")
    for i, filters in enumerate((128, 160, 160, 192), 4):  # 17 × 17
        x = _block_17(x, filters, f"mixed{i}")
    three = _conv(_branch(x, (192, 1, 1)), (320, 3, 3), 2, "valid")
    seven = _branch(x, (192, 1, 1), (192, 1, 7), (192, 7, 1))
    seven = _conv(seven, (192, 3, 3), 2, "valid")
    x = _join([three, seven, layers.MaxPooling2D(3, strides=2)(x)], "mixed8")
    for i in range(2):  # 8 × 8
        x = _block_8(x, i)
    return x


InceptionV3 = network(
    "InceptionV3", "inception_v3", _body,
    kernels("inception_v3", "inception_v3", "9a0d58056eeedaa3f26cb7ebd46da564",
            "bcbd6486424b2319ff4ef7d526e38f63"),
    size=299, least=75,
)  # fmt: skip
preprocess_input = preprocessing("tf")

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]
