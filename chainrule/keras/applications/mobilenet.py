"""MobileNet (Howard et al. 2017)."""

from __future__ import annotations

import warnings
from typing import Any

from chainrule.keras import layers
from chainrule.keras.applications.base import Frame, Trained, channels
from chainrule.keras.applications.imagenet_utils import decode_predictions, preprocessing
from chainrule.keras.settings import image_data_format

#: Filters and stride of the thirteen separable blocks.
_BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
    (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip


def side(shape: Any) -> int | None:
    """The side of a square picture, None if it is not square."""
    rows, columns = shape[:2] if image_data_format() == "channels_last" else shape[1:]
    return rows if rows == columns else None


def trained_side(shape: Any, sides: tuple[int, ...], weights: Any) -> int | None:
    """The side for which weights are loaded: the picture's, or 224 with a warning."""
    rows: int | None = shape[0 if image_data_format() == "channels_last" else 1]
    if weights == "imagenet" and side(shape) not in sides:
        warnings.warn(
            f"`input_shape` is undefined or non-square, or `rows` is not in {list(sides)}. Weights "
            "for input shape (224, 224) will be loaded as the default.",
            stacklevel=4,
        )
        return 224
    return rows


def _separable(x: Any, filters: int, depth: int, stride: int, number: int) -> Any:
    if stride > 1:
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
    x = layers.DepthwiseConv2D(
        3, strides=stride, padding="same" if stride == 1 else "valid", depth_multiplier=depth,
        use_bias=False, name=f"conv_dw_{number}",
    )(x)  # fmt: skip
    x = _norm_relu(x, f"conv_dw_{number}")
    name = f"conv_pw_{number}"
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=name)(x)
    return _norm_relu(x, name)


def _norm_relu(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(axis=channels(), name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def MobileNet(
    input_shape: Any = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 0.001,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Any:
    """MobileNet: pictures of 224 × 224. `alpha` scales the numbers of channels,
    `depth_multiplier` those of each depthwise convolution.

    The other arguments mean what `chainrule.keras.applications.base` says.
    """
    sides = (128, 160, 192, 224)
    known = side(input_shape) if input_shape else None
    frame = Frame(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation,
        size=known if known in sides and known is not None else 224,
    )  # fmt: skip
    if weights == "imagenet" and (depth_multiplier != 1 or alpha not in (0.25, 0.5, 0.75, 1.0)):
        raise ValueError(
            "If imagenet weights are being loaded, depth multiplier must be 1 and alpha one of "
            f"0.25, 0.5, 0.75, 1.0. Received {depth_multiplier=}, {alpha=}"
        )
    rows = trained_side(frame.shape, sides, weights)
    x = layers.Conv2D(
        int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="conv1"
    )(frame.image)  # fmt: skip
    x = _norm_relu(x, "conv1")
    for number, (filters, stride) in enumerate(_BLOCKS, 1):
        x = _separable(x, int(filters * alpha), depth_multiplier, stride, number)

    def head(x: Any, classes: int, activation: Any) -> Any:
        x = layers.GlobalAveragePooling2D(keepdims=True)(x)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Conv2D(classes, 1, padding="same", name="conv_preds")(x)
        x = layers.Reshape((classes,), name="reshape_2")(x)
        return layers.Activation(activation, name="predictions")(x)

    file = f"mobilenet_{'1_0' if alpha == 1 else f'{alpha * 10:.1f}'.replace('.', '_')}_{rows}_tf"
    trained = Trained(
        "tensorflow/keras-applications/mobilenet", (f"{file}.h5", None), (f"{file}_no_top.h5", None)
    )
    return frame.finish(x, name or f"mobilenet_{alpha:0.2f}_{rows}", trained, head=head)


preprocess_input = preprocessing("tf")

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]
