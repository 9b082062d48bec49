"""MobileNetV2 (Sandler, Howard, Zhu, Zhmoginov, Chen 2018)."""

from __future__ import annotations

from typing import Any

from chainrule.keras import layers
from chainrule.keras.applications.base import (
    Frame,
    Trained,
    channels,
    dense_head,
    divisible,
    same_pad,
)
from chainrule.keras.applications.imagenet_utils import decode_predictions, preprocessing
from chainrule.keras.applications.mobilenet import side, trained_side
from chainrule.keras.settings import image_data_format
from chainrule.keras.symbolic import KerasTensor

#: Filters, expansion, repeats and stride of the stages.
_STAGES = (
    (16, 1, 1, 1), (24, 6, 2, 2), (32, 6, 3, 2), (64, 6, 4, 2), (96, 6, 3, 1), (160, 6, 3, 2),
    (320, 6, 1, 1),
)  # fmt: skip


def norm(x: Any, name: str) -> Any:
    """Batch normalisation, as MobileNets 2 and 3 have it."""
    return layers.BatchNormalization(axis=channels(), epsilon=1e-3, momentum=0.999, name=name)(x)


def _block(x: Any, filters: int, expansion: int, stride: int, number: int) -> Any:
    """Wider by 1 × 1, 3 × 3 depthwise, narrow again, plus x where the shapes agree."""
    before, width = x, x.shape[channels()]
    name = f"block_{number}_" if number else "expanded_conv_"
    if number:
        x = layers.Conv2D(
            expansion * width, 1, padding="same", use_bias=False, name=f"{name}expand"
        )(x)  # fmt: skip
        x = layers.ReLU(6.0, name=f"{name}expand_relu")(norm(x, f"{name}expand_BN"))
    if stride == 2:
        x = layers.ZeroPadding2D(same_pad(x, 3), name=f"{name}pad")(x)
    x = layers.DepthwiseConv2D(
        3, strides=stride, use_bias=False, padding="same" if stride == 1 else "valid",
        name=f"{name}depthwise",
    )(x)  # fmt: skip
    x = layers.ReLU(6.0, name=f"{name}depthwise_relu")(norm(x, f"{name}depthwise_BN"))
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(x)
    x = norm(x, f"{name}project_BN")
    if width == filters and stride == 1:
        return layers.Add(name=f"{name}add")([before, x])
    return x


def MobileNetV2(
    input_shape: Any = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Any:
    """MobileNetV2: pictures of 224 × 224. `alpha` scales the numbers of channels.

    The other arguments mean what `chainrule.keras.applications.base` says.
    """
    sides = (96, 128, 160, 192, 224)
    shape = input_shape
    if isinstance(input_tensor, KerasTensor):
        shape = check_tensor(input_shape, input_tensor)
    known = side(shape) if shape else None
    frame = Frame(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation,
        size=known if known in sides and known is not None else 224,
    )  # fmt: skip
    if weights == "imagenet" and alpha not in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4):
        raise ValueError(
            "If imagenet weights are being loaded, alpha must be one of `0.35`, `0.50`, `0.75`, "
            f"`1.0`, `1.3` or `1.4` only; Received `alpha={alpha}`"
        )
    rows = trained_side(frame.shape, sides, weights)
    x = layers.Conv2D(
        divisible(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1"
    )(frame.image)  # fmt: skip
    x = layers.ReLU(6.0, name="Conv1_relu")(norm(x, "bn_Conv1"))
    number = 0
    for filters, expansion, repeats, stride in _STAGES:
        for i in range(repeats):
            width = divisible(int(filters * alpha))
            x = _block(x, width, expansion, stride if i == 0 else 1, number)
            number += 1
    last = divisible(1280 * alpha) if alpha > 1 else 1280
    x = layers.Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
    x = layers.ReLU(6.0, name="out_relu")(norm(x, "Conv_1_bn"))
    file = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{rows}"
    trained = Trained(
        "tensorflow/keras-applications/mobilenet_v2",
        (f"{file}.h5", None), (f"{file}_no_top.h5", None),
    )  # fmt: skip
    name = name or f"mobilenetv2_{alpha:0.2f}_{rows}"
    return frame.finish(x, name, trained, head=dense_head(gap=None))


def check_tensor(shape: Any, tensor: Any) -> Any:
    """The shape of a picture: `shape`, which must fit the tensor, or the tensor's."""
    if shape is not None:
        given = tensor.shape[1 if image_data_format() == "channels_first" else 2]
        if given != shape[1]:
            raise ValueError(
                "input_shape must fit input_tensor; Received `input_tensor.shape="
                f"{tensor.shape}`, `input_shape={shape}`"
            )
    return tuple(tensor.shape[1:]) if shape is None else shape


preprocess_input = preprocessing("tf")

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]
