"""MobileNetV3, small and large (Howard et al. 2019: Searching for MobileNetV3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.keras import layers
from chainrule.keras.applications.base import Frame, Trained, channels, divisible, same_pad
from chainrule.keras.applications.imagenet_utils import decode_predictions
from chainrule.keras.applications.imagenet_utils import unchanged as preprocess_input
from chainrule.keras.applications.mobilenet import trained_side
from chainrule.keras.applications.mobilenet_v2 import check_tensor, norm
from chainrule.keras.symbolic import KerasTensor

#: Of each block: expansion, filters, kernel (0: the network's), stride, whether it excites, and
#: whether its activation is the network's (else ReLU).
_SMALL = (
    (1, 16, 3, 2, True, False), (72 / 16, 24, 3, 2, False, False),
    (88 / 24, 24, 3, 1, False, False),
    (4, 40, 0, 2, True, True), (6, 40, 0, 1, True, True), (6, 40, 0, 1, True, True),
    (3, 48, 0, 1, True, True), (3, 48, 0, 1, True, True), (6, 96, 0, 2, True, True),
    (6, 96, 0, 1, True, True), (6, 96, 0, 1, True, True),
)  # fmt: skip
_LARGE = (
    (1, 16, 3, 1, False, False), (4, 24, 3, 2, False, False), (3, 24, 3, 1, False, False),
    (3, 40, 0, 2, True, False), (3, 40, 0, 1, True, False), (3, 40, 0, 1, True, False),
    (6, 80, 3, 2, False, True), (2.5, 80, 3, 1, False, True), (2.3, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True), (6, 112, 3, 1, True, True), (6, 112, 3, 1, True, True),
    (6, 160, 0, 2, True, True), (6, 160, 0, 1, True, True), (6, 160, 0, 1, True, True),
)  # fmt: skip
_HASHES = {
    "large_224_0.75_float": (
        "765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"),
    "large_224_1.0_float": (
        "59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"),
    "large_minimalistic_224_1.0_float": (
        "675e7b876c45c57e9e63e6d90a36599c", "ec5221f64a2f6d1ef965a614bdae7973"),
    "small_224_0.75_float": (
        "cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"),
    "small_224_1.0_float": (
        "8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    "small_minimalistic_224_1.0_float": (
        "99cd97fb2fcdad2bf028eb838de69e37", "cde8136e733e811080d9fcd8a252f7e4"),
}  # fmt: skip


def _relu(x: Any) -> Any:
    return layers.ReLU()(x)


def _hard_swish(x: Any) -> Any:
    return layers.Activation("hard_swish")(x)


def _excite(x: Any, width: int, name: str) -> Any:
    """Channels weighed by what the whole picture says of them."""
    s = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}avg_pool")(x)
    s = layers.Conv2D(divisible(width * 0.25), 1, padding="same", name=f"{name}conv")(s)
    s = layers.ReLU(name=f"{name}relu")(s)
    s = layers.Conv2D(width, 1, padding="same", name=f"{name}conv_1")(s)
    s = layers.ReLU(6.0)(s + 3.0) * (1.0 / 6.0)
    return layers.Multiply(name=f"{name}mul")([x, s])


def _block(x: Any, expansion: float, filters: int, kernel: int, stride: int, excites: bool,
           activation: Callable[[Any], Any], number: int) -> Any:  # fmt: skip
    before, channels_in = x, x.shape[channels()]
    width = divisible(channels_in * expansion)
    name = f"expanded_conv_{number}_" if number else "expanded_conv_"
    if number:
        x = layers.Conv2D(width, 1, padding="same", use_bias=False, name=f"{name}expand")(x)
        x = activation(norm(x, f"{name}expand_bn"))
    if stride == 2:
        x = layers.ZeroPadding2D(same_pad(x, kernel), name=f"{name}depthwise_pad")(x)
    x = layers.DepthwiseConv2D(
        kernel, strides=stride, padding="same" if stride == 1 else "valid", use_bias=False,
        name=f"{name}depthwise",
    )(x)  # fmt: skip
    x = activation(norm(x, f"{name}depthwise_bn"))
    if excites:
        x = _excite(x, width, f"{name}squeeze_excite_")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(x)
    x = norm(x, f"{name}project_bn")
    if stride == 1 and channels_in == filters:
        return layers.Add(name=f"{name}add")([before, x])
    return x


def _mobilenet(title: str, kind: str, blocks: tuple[Any, ...], points: int) -> Callable[..., Any]:
    default = title

    def make(
        input_shape: Any = None,
        alpha: float = 1.0,
        minimalistic: bool = False,
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        classes: int = 1000,
        pooling: str | None = None,
        dropout_rate: float = 0.2,
        classifier_activation: Any = "softmax",
        include_preprocessing: bool = True,
        name: str = default,
    ) -> Any:
        if isinstance(input_tensor, KerasTensor):
            check_tensor(input_shape, input_tensor)
        frame = Frame(
            include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, size=224, fixed=False,
        )  # fmt: skip
        if weights == "imagenet" and alpha not in ((1.0,) if minimalistic else (0.75, 1.0)):
            raise ValueError(
                "If imagenet weights are being loaded, alpha can be one of `0.75`, `1.0` for non "
                f"minimalistic or `1.0` for minimalistic only. Received {alpha=}"
            )
        trained_side(frame.shape, (224,), weights)
        usual = 3 if minimalistic else 5
        activation = _relu if minimalistic else _hard_swish
        x = frame.image
        if include_preprocessing:
            x = layers.Rescaling(1.0 / 127.5, offset=-1.0)(x)
        x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
        x = activation(norm(x, "conv_bn"))
        for i, (expansion, filters, kernel, stride, excites, own) in enumerate(blocks):
            x = _block(
                x, expansion, divisible(filters * alpha), kernel or usual, stride,
                excites and not minimalistic, activation if own else _relu, i,
            )  # fmt: skip
        width = divisible(x.shape[channels()] * 6)
        x = layers.Conv2D(width, 1, padding="same", use_bias=False, name="conv_1")(x)
        x = activation(norm(x, "conv_1_bn"))

        def head(x: Any, classes: int, top: Any) -> Any:
            x = layers.GlobalAveragePooling2D(keepdims=True)(x)
            last = divisible(points * alpha) if alpha > 1 else points
            x = activation(layers.Conv2D(last, 1, padding="same", name="conv_2")(x))
            if dropout_rate > 0:
                x = layers.Dropout(dropout_rate)(x)
            x = layers.Conv2D(classes, 1, padding="same", name="logits")(x)
            return layers.Activation(top, name="predictions")(layers.Flatten()(x))

        which = f"{kind}{'_minimalistic' if minimalistic else ''}_224_{alpha}_float"
        top, bare = _HASHES.get(which, (None, None))
        trained = Trained(
            "tensorflow/keras-applications/mobilenet_v3",
            (f"weights_mobilenet_v3_{which}.h5", top),
            (f"weights_mobilenet_v3_{which}_no_top_v2.h5", bare),
        )
        return frame.finish(x, name, trained, head=head, names=("avg_pool", "max_pool"))

    make.__name__ = make.__qualname__ = title
    make.__doc__ = f"""{title}: pictures of 224 × 224, pixels from 0 to 255. `alpha` scales the
    numbers of channels; a `minimalistic` network has neither excitations nor hard swish.

    The other arguments mean what `chainrule.keras.applications.base` says.
    """
    return make


MobileNetV3Small = _mobilenet("MobileNetV3Small", "small", _SMALL, 1024)
MobileNetV3Large = _mobilenet("MobileNetV3Large", "large", _LARGE, 1280)

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]
