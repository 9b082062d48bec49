"""EfficientNetV2 B0 to B3, S, M and L (Tan, Le 2021: Smaller models and faster training)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from chainrule.keras import layers
from chainrule.keras.applications.base import Frame, Trained, channels, dense_head
from chainrule.keras.applications.efficientnet import (
    add_dropped,
    conv,
    dense_start,
    excite,
    fan_out,
)
from chainrule.keras.applications.imagenet_utils import DEVIATIONS, MEANS, decode_predictions
from chainrule.keras.applications.imagenet_utils import unchanged as preprocess_input

#: Repeats, filters in and out, expansion and stride of each stage; the first three are fused (one
#: 3 × 3 convolution), the others depthwise with excitations.
_B = ((1, 32, 16, 1, 1), (2, 16, 32, 4, 2), (2, 32, 48, 4, 2), (3, 48, 96, 4, 2),
      (5, 96, 112, 6, 1), (8, 112, 192, 6, 2))  # fmt: skip
_S = ((2, 24, 24, 1, 1), (4, 24, 48, 4, 2), (4, 48, 64, 4, 2), (6, 64, 128, 4, 2),
      (9, 128, 160, 6, 1), (15, 160, 256, 6, 2))  # fmt: skip
_M = ((3, 24, 24, 1, 1), (5, 24, 48, 4, 2), (5, 48, 80, 4, 2), (7, 80, 160, 4, 2),
      (14, 160, 176, 6, 1), (18, 176, 304, 6, 2), (5, 304, 512, 6, 1))  # fmt: skip
_L = ((4, 32, 32, 1, 1), (7, 32, 64, 4, 2), (7, 64, 96, 4, 2), (10, 96, 192, 4, 2),
      (19, 192, 224, 6, 1), (25, 224, 384, 6, 2), (7, 384, 640, 6, 1))  # fmt: skip
#: Stages, width, depth, side of the pictures, hash of the weights with and without top.
_SIZES: dict[str, tuple[tuple[tuple[int, ...], ...], float, float, int, str, str]] = {
    "B0": (_B, 1.0, 1.0, 224, "21ecbf6da12460d5c40bb2f29ceb2188",
           "893217f2bb855e2983157299931e43ff"),
    "B1": (_B, 1.0, 1.1, 240, "069f0534ff22adf035c89e2d9547a9dc",
           "0e80663031ca32d657f9caa404b6ec37"),
    "B2": (_B, 1.1, 1.2, 260, "424e49f28180edbde1e94797771950a7",
           "1dfe2e7a5d45b6632553a8961ea609eb"),
    "B3": (_B, 1.2, 1.4, 300, "1f1fc43bd98a6e4fd8fdfd551e02c7a0",
           "f6abf7b5849ac99a89b50dd3fd532856"),
    "S": (_S, 1.0, 1.0, 384, "e1d88a8495beba45748fedd0cecbe016",
          "af0682fb74e8c54910f2d4393339c070"),
    "M": (_M, 1.0, 1.0, 480, "a3bf6aa3276309f4fc6a34aa114c95cd",
          "1b8dc055df72dde80d614482840fe342"),
    "L": (_L, 1.0, 1.0, 480, "27e6d408b53c7ebc868fefa357689935",
          "b0b66b5c863aef5b46e8608fe1711615"),
}  # fmt: skip
_DROP = 0.2  # of the last block; the first drops nothing
_FUSED = 3  # stages


def _width(filters: int, factor: float) -> int:
    """A multiple of 8 near filters · factor."""
    return max(8, int(filters * factor + 4) // 8 * 8)


def _norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(axis=channels(), momentum=0.9, name=name)(x)


def _swish(x: Any, name: str) -> Any:
    return layers.Activation("swish", name=name)(x)


def _block(x: Any, narrow: int, filters: int, expansion: int, stride: int, fused: bool,
           rate: float, name: str) -> Any:  # fmt: skip
    before = x
    if expansion != 1:
        kernel = 3 if fused else 1
        strides = stride if fused else 1
        x = conv(x, narrow * expansion, kernel, f"{name}expand_conv", strides=strides)
        x = _swish(_norm(x, f"{name}expand_bn"), f"{name}expand_activation")
    if not fused:
        x = layers.DepthwiseConv2D(
            3, strides=stride, padding="same", use_bias=False, depthwise_initializer=fan_out(),
            name=f"{name}dwconv2",
        )(x)  # fmt: skip
        x = _swish(_norm(x, f"{name}bn"), f"{name}activation")
        x = excite(x, max(1, int(narrow * 0.25)), name)
    whole = fused and expansion == 1  # the only convolution of the block
    x = conv(x, filters, 3 if whole else 1, f"{name}project_conv", strides=stride if whole else 1)
    x = _norm(x, f"{name}project_bn")
    if whole:
        x = _swish(x, f"{name}project_activation")
    return add_dropped(x, before, rate, name) if stride == 1 and narrow == filters else x


def _preprocessed(x: Any, base: bool, depth: int | None) -> Any:
    if not (base and depth == 3):
        return layers.Rescaling(1.0 / 128.0, offset=-1)(x)
    x = layers.Rescaling(1.0 / 255)(x)
    return layers.Normalization(
        mean=list(MEANS), variance=[d**2 for d in DEVIATIONS], axis=channels()
    )(x)  # fmt: skip


def _body(x: Any, stages: tuple[tuple[int, ...], ...], width: float, depth: float) -> Any:
    x = conv(x, _width(stages[0][1], width), 3, "stem_conv", strides=2)
    x = _swish(_norm(x, "stem_bn"), "stem_activation")
    total = sum(stage[0] for stage in stages)  # as in the original: before the depth is scaled
    done = 0
    for i, (repeats, narrow, filters, expansion, stride) in enumerate(stages):
        wide = _width(filters, width)
        for j in range(math.ceil(depth * repeats)):
            x = _block(
                x, _width(narrow, width) if j == 0 else wide, wide, expansion,
                stride if j == 0 else 1, i < _FUSED, _DROP * done / total,
                f"block{i + 1}{chr(97 + j)}_",
            )  # fmt: skip
            done += 1
    x = conv(x, _width(1280, width), 1, "top_conv")
    return _swish(_norm(x, "top_bn"), "top_activation")


def _efficientnet(which: str) -> Callable[..., Any]:
    stages, width, depth, size, top, bare = _SIZES[which]
    title = f"EfficientNetV2{which}"
    default = f"efficientnetv2-{which.lower()}"

    def make(
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        include_preprocessing: bool = True,
        name: str = default,
    ) -> Any:
        frame = Frame(
            include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, size=size,
        )  # fmt: skip
        x = frame.image
        if include_preprocessing:
            x = _preprocessed(x, which.startswith("B"), frame.shape[channels() - 1])
        x = _body(x, stages, width, depth)
        trained = Trained(
            "tensorflow/keras-applications/efficientnet_v2",
            (f"{name}.h5", top), (f"{name}_notop.h5", bare),
        )  # fmt: skip
        head = dense_head(dropout=0.2, kernel_initializer=dense_start())
        return frame.finish(x, name, trained, head=head, names=("avg_pool", "max_pool"))

    make.__name__ = make.__qualname__ = title
    make.__doc__ = f"""{title}: pictures of {size} × {size}, pixels from 0 to 255.

    The arguments mean what `chainrule.keras.applications.base` says; without
    `include_preprocessing` the pixels must be scaled to [-1, 1] by the program.
    """
    return make


EfficientNetV2B0 = _efficientnet("B0")
EfficientNetV2B1 = _efficientnet("B1")
EfficientNetV2B2 = _efficientnet("B2")
EfficientNetV2B3 = _efficientnet("B3")
EfficientNetV2S = _efficientnet("S")
EfficientNetV2M = _efficientnet("M")
EfficientNetV2L = _efficientnet("L")

__all__ = [
    "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3",
    "EfficientNetV2L", "EfficientNetV2M", "EfficientNetV2S", "decode_predictions",
    "preprocess_input",
]  # fmt: skip
