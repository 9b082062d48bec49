"""EfficientNet B0 to B7 (Tan, Le 2019: Rethinking model scaling)."""

from __future__ import annotations

import math
from collections.abc import Callable
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
from chainrule.keras.applications.imagenet_utils import DEVIATIONS, decode_predictions
from chainrule.keras.applications.imagenet_utils import unchanged as preprocess_input
from chainrule.keras.initializers import VarianceScaling

#: Kernel, repeats, filters in and out, expansion and stride of the stages of B0.
_STAGES = (
    (3, 1, 32, 16, 1, 1), (3, 2, 16, 24, 6, 2), (5, 2, 24, 40, 6, 2), (3, 3, 40, 80, 6, 2),
    (5, 3, 80, 112, 6, 1), (5, 4, 112, 192, 6, 2), (3, 1, 192, 320, 6, 1),
)  # fmt: skip
#: Width, depth, side of the pictures, dropout, hash of the weights with and without top.
_SIZES: dict[str, tuple[float, float, int, float, str, str]] = {
    "B0": (1.0, 1.0, 224, 0.2, "902e53a9f72be733fc0bcb005b3ebbac",
           "50bc09e76180e00e4465e1a485ddc09d"),
    "B1": (1.0, 1.1, 240, 0.2, "1d254153d4ab51201f1646940f018540",
           "74c4e6b3e1f6a1eea24c589628592432"),
    "B2": (1.1, 1.2, 260, 0.3, "b15cce36ff4dcbd00b6dd88e7857a6ad",
           "111f8e2ac8aa800a7a99e3239f7bfb39"),
    "B3": (1.2, 1.4, 300, 0.3, "ffd1fdc53d0ce67064dc6a9c7960ede0",
           "af6d107764bb5b1abb91932881670226"),
    "B4": (1.4, 1.8, 380, 0.4, "18c95ad55216b8f92d7e70b3a046e2fc",
           "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    "B5": (1.6, 2.2, 456, 0.4, "ace28f2a6363774853a83a0b21b9421a",
           "38879255a25d3c92d5e44e04ae6cec6f"),
    "B6": (1.8, 2.6, 528, 0.5, "165f6e37dce68623721b423839de8be5",
           "9ecce42647a20130c1f39a5d4cb75743"),
    "B7": (2.0, 3.1, 600, 0.5, "8c03f828fec3ef71311cd463b6759d99",
           "cbcfe4450ddf6f3ad90b1b398090fe4a"),
}  # fmt: skip
_DROP = 0.2  # of the last block; the first drops nothing


def fan_out() -> VarianceScaling:
    """How these networks begin their convolutions."""
    return VarianceScaling(scale=2.0, mode="fan_out", distribution="truncated_normal")


def dense_start() -> VarianceScaling:
    """How these networks begin their classifier."""
    return VarianceScaling(scale=1.0 / 3.0, mode="fan_out", distribution="uniform")


def conv(x: Any, filters: int, kernel: int, name: str, **options: Any) -> Any:
    """A convolution without bias."""
    return layers.Conv2D(
        filters, kernel, use_bias=False, kernel_initializer=fan_out(), name=name,
        **{"padding": "same"} | options,
    )(x)  # fmt: skip


def excite(x: Any, squeezed: int, name: str) -> Any:
    """Channels weighed by what the whole picture says of them."""
    width = x.shape[channels()]
    s = layers.GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    shape = (1, 1, width) if channels() == 3 else (width, 1, 1)
    s = layers.Reshape(shape, name=f"{name}se_reshape")(s)
    for filters, activation, step in ((squeezed, "swish", "reduce"), (width, "sigmoid", "expand")):
        s = layers.Conv2D(
            filters, 1, padding="same", activation=activation, kernel_initializer=fan_out(),
            name=f"{name}se_{step}",
        )(s)  # fmt: skip
    return layers.multiply([x, s], name=f"{name}se_excite")


def add_dropped(x: Any, before: Any, rate: float, name: str) -> Any:
    """x plus what came before; while training, x is left out for some pictures."""
    if rate > 0:
        x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return layers.add([x, before], name=f"{name}add")


def _norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(axis=channels(), name=name)(x)


def _swish(x: Any, name: str) -> Any:
    return layers.Activation("swish", name=name)(x)


def _block(x: Any, kernel: int, narrow: int, filters: int, expansion: int, stride: int,
           rate: float, name: str) -> Any:  # fmt: skip
    before = x
    if expansion != 1:
        x = conv(x, narrow * expansion, 1, f"{name}expand_conv")
        x = _swish(_norm(x, f"{name}expand_bn"), f"{name}expand_activation")
    if stride == 2:
        x = layers.ZeroPadding2D(same_pad(x, kernel), name=f"{name}dwconv_pad")(x)
    x = layers.DepthwiseConv2D(
        kernel, strides=stride, padding="valid" if stride == 2 else "same", use_bias=False,
        depthwise_initializer=fan_out(), name=f"{name}dwconv",
    )(x)  # fmt: skip
    x = _swish(_norm(x, f"{name}bn"), f"{name}activation")
    x = excite(x, max(1, int(narrow * 0.25)), name)
    x = _norm(conv(x, filters, 1, f"{name}project_conv"), f"{name}project_bn")
    return add_dropped(x, before, rate, name) if stride == 1 and narrow == filters else x


def _body(x: Any, width: float, depth: float, trained: bool) -> Any:
    x = layers.Rescaling(1.0 / 255.0)(x)
    x = layers.Normalization(axis=channels())(x)
    if trained:  # the weights were trained with a slip, which must be repeated
        x = layers.Rescaling([1.0 / math.sqrt(d) for d in DEVIATIONS])(x)
    x = layers.ZeroPadding2D(same_pad(x, 3), name="stem_conv_pad")(x)
    x = conv(x, divisible(32 * width), 3, "stem_conv", strides=2, padding="valid")
    x = _swish(_norm(x, "stem_bn"), "stem_activation")
    repeats = [math.ceil(depth * stage[1]) for stage in _STAGES]
    done = 0
    for i, (kernel, _, narrow, filters, expansion, stride) in enumerate(_STAGES):
        wide = divisible(filters * width)
        for j in range(repeats[i]):
            x = _block(
                x, kernel, divisible(narrow * width) if j == 0 else wide, wide, expansion,
                stride if j == 0 else 1, _DROP * done / sum(repeats), f"block{i + 1}{chr(97 + j)}_",
            )  # fmt: skip
            done += 1
    x = conv(x, divisible(1280 * width), 1, "top_conv")
    return _swish(_norm(x, "top_bn"), "top_activation")


def _efficientnet(which: str) -> Callable[..., Any]:
    width, depth, size, dropout, top, bare = _SIZES[which]
    title = f"EfficientNet{which}"
    default = title.lower()

    def make(
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str = default,
    ) -> Any:
        frame = Frame(
            include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, size=size,
        )  # fmt: skip
        trained = Trained("keras-applications", (f"{name}.h5", top), (f"{name}_notop.h5", bare))
        x = _body(frame.image, width, depth, weights == "imagenet")
        head = dense_head(dropout=dropout, kernel_initializer=dense_start())
        return frame.finish(x, name, trained, head=head, names=("avg_pool", "max_pool"))

    make.__name__ = make.__qualname__ = title
    make.__doc__ = f"""{title}: pictures of {size} × {size}, pixels from 0 to 255.

    The arguments mean what `chainrule.keras.applications.base` says.
    """
    return make


EfficientNetB0 = _efficientnet("B0")
EfficientNetB1 = _efficientnet("B1")
EfficientNetB2 = _efficientnet("B2")
EfficientNetB3 = _efficientnet("B3")
EfficientNetB4 = _efficientnet("B4")
EfficientNetB5 = _efficientnet("B5")
EfficientNetB6 = _efficientnet("B6")
EfficientNetB7 = _efficientnet("B7")

__all__ = [
    "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4",
    "EfficientNetB5", "EfficientNetB6", "EfficientNetB7", "decode_predictions", "preprocess_input",
]  # fmt: skip
