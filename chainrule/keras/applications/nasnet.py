"""NASNet, mobile and large (Zoph, Vasudevan, Shlens, Le 2017: Learning transferable
architectures).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.keras import layers
from chainrule.keras.applications.base import (
    Frame,
    Trained,
    channels,
    dense_head,
    only_channels_last,
    same_pad,
)
from chainrule.keras.applications.imagenet_utils import decode_predictions, preprocessing


def _norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(axis=channels(), momentum=0.9997, epsilon=1e-3, name=name)(x)


def _conv(x: Any, filters: int, name: str) -> Any:
    return layers.Conv2D(
        filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)  # fmt: skip


def _relu(x: Any, name: str | None = None) -> Any:
    return layers.Activation("relu", name=name)(x)


def _separable(x: Any, filters: int, kernel: int, name: str, stride: int = 1) -> Any:
    """Twice: ReLU, separable convolution, normalisation."""
    x = _relu(x)
    if stride == 2:
        x = layers.ZeroPadding2D(same_pad(x, kernel), name=f"separable_conv_1_pad_{name}")(x)
    x = layers.SeparableConv2D(
        filters, kernel, strides=stride, padding="same" if stride == 1 else "valid",
        use_bias=False, name=f"separable_conv_1_{name}",
    )(x)  # fmt: skip
    x = _relu(_norm(x, f"separable_conv_1_bn_{name}"))
    x = layers.SeparableConv2D(
        filters, kernel, padding="same", use_bias=False, name=f"separable_conv_2_{name}"
    )(x)
    return _norm(x, f"separable_conv_2_bn_{name}")


def _fitted(p: Any, x: Any, filters: int, name: str) -> Any:
    """The output of the cell before, p, as large and wide as x."""
    if p is None:
        return x
    if p.shape[-2] != x.shape[-2]:
        p = _relu(p, f"adjust_relu_1_{name}")
        shifted = layers.Cropping2D(((1, 0), (1, 0)))(layers.ZeroPadding2D(((0, 1), (0, 1)))(p))
        halves = []
        for i, part in enumerate((p, shifted), 1):
            pool = f"adjust_avg_pool_{i}_{name}"
            half = layers.AveragePooling2D(1, strides=2, padding="valid", name=pool)(part)
            halves.append(_conv(half, filters // 2, f"adjust_conv_{i}_{name}"))
        return _norm(layers.concatenate(halves, axis=channels()), f"adjust_bn_{name}")
    if p.shape[channels()] != filters:
        p = _conv(_relu(p), filters, f"adjust_conv_projection_{name}")
        return _norm(p, f"adjust_bn_{name}")
    return p


def _mean(x: Any, name: str) -> Any:
    return layers.AveragePooling2D(3, strides=1, padding="same", name=name)(x)


def _normal(x: Any, p: Any, filters: int, n: str) -> tuple[Any, Any]:
    """A cell that keeps the size."""
    p = _fitted(p, x, filters, n)
    h = _norm(_conv(_relu(x), filters, f"normal_conv_1_{n}"), f"normal_bn_1_{n}")
    parts = [p]
    for i, (left, kernel_left, right, kernel_right) in enumerate(((h, 5, p, 3), (p, 5, p, 3)), 1):
        pair = [
            _separable(left, filters, kernel_left, f"normal_left{i}_{n}"),
            _separable(right, filters, kernel_right, f"normal_right{i}_{n}"),
        ]
        parts.append(layers.add(pair, name=f"normal_add_{i}_{n}"))
    parts.append(layers.add([_mean(h, f"normal_left3_{n}"), p], name=f"normal_add_3_{n}"))
    pair = [_mean(p, f"normal_left4_{n}"), _mean(p, f"normal_right4_{n}")]
    parts.append(layers.add(pair, name=f"normal_add_4_{n}"))
    five = _separable(h, filters, 3, f"normal_left5_{n}")
    parts.append(layers.add([five, h], name=f"normal_add_5_{n}"))
    return layers.concatenate(parts, axis=channels(), name=f"normal_concat_{n}"), x


def _reduction(x: Any, p: Any, filters: int, n: str) -> tuple[Any, Any]:
    """A cell that halves the size."""
    p = _fitted(p, x, filters, n)
    h = _norm(_conv(_relu(x), filters, f"reduction_conv_1_{n}"), f"reduction_bn_1_{n}")
    padded = layers.ZeroPadding2D(same_pad(h, 3), name=f"reduction_pad_1_{n}")(h)

    def pool(kind: Any, name: str) -> Any:
        return kind(3, strides=2, padding="valid", name=f"reduction_{name}_{n}")(padded)

    left = _separable(h, filters, 5, f"reduction_left1_{n}", 2)
    right = _separable(p, filters, 7, f"reduction_right1_{n}", 2)
    one = layers.add([left, right], name=f"reduction_add_1_{n}")
    left = pool(layers.MaxPooling2D, "left2")
    right = _separable(p, filters, 7, f"reduction_right2_{n}", 2)
    two = layers.add([left, right], name=f"reduction_add_2_{n}")
    left = pool(layers.AveragePooling2D, "left3")
    right = _separable(p, filters, 5, f"reduction_right3_{n}", 2)
    three = layers.add([left, right], name=f"reduction_add3_{n}")
    four = layers.add([two, _mean(one, f"reduction_left4_{n}")])
    left = _separable(one, filters, 3, f"reduction_left4_{n}")
    five = layers.add([left, pool(layers.MaxPooling2D, "right5")], name=f"reduction_add4_{n}")
    joined = [two, three, four, five]
    return layers.concatenate(joined, axis=channels(), name=f"reduction_concat_{n}"), x


def _body(x: Any, filters: int, blocks: int, stem: int, skip: bool) -> Any:
    x = layers.Conv2D(
        stem, 3, strides=2, padding="valid", use_bias=False, kernel_initializer="he_normal",
        name="stem_conv1",
    )(x)  # fmt: skip
    x = _norm(x, "stem_bn1")
    x, p = _reduction(x, None, filters // 4, "stem_1")
    x, p = _reduction(x, p, filters // 2, "stem_2")
    for stage in range(3):
        width = filters * 2**stage
        if stage:
            x, before = _reduction(x, p, width, f"reduce_{stage * blocks}")
            p = p if skip else before
        for i in range(blocks):
            x, p = _normal(x, p, width, str(stage * blocks + i + (stage > 0)))
    return _relu(x)


def _nasnet(
    title: str, name: str, size: int, shape: tuple[int, int, int, bool], file: str,
    top: str, bare: str,
) -> Callable[..., Any]:  # fmt: skip
    penultimate, blocks, stem, skip = shape
    default = name

    def make(
        input_shape: Any = None,
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str = default,
    ) -> Any:
        only_channels_last(title)
        if weights == "imagenet" and isinstance(input_shape, tuple) and None in input_shape:
            raise ValueError(
                "When specifying the input shape of a NASNet and loading `ImageNet` weights, the "
                "input_shape argument must be static (no None entries). Got: "
                f"`input_shape={input_shape}`."
            )
        if title == "NASNetMobile" and not include_top and input_shape is None:
            input_shape = (224, 224, 3)
        frame = Frame(
            include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, size=size,
        )  # fmt: skip
        x = _body(frame.image, penultimate // 24, blocks, stem, skip)
        trained = Trained(
            "tensorflow/keras-applications/nasnet",
            (f"{file}.h5", top), (f"{file}-no-top.h5", bare),
        )  # fmt: skip
        return frame.finish(x, name, trained, head=dense_head(gap=None))

    make.__name__ = make.__qualname__ = title
    make.__doc__ = f"""{title}: pictures of {size} × {size}, 1000 classes of ImageNet.

    The arguments mean what `chainrule.keras.applications.base` says.
    """
    return make


NASNetMobile = _nasnet(
    "NASNetMobile", "nasnet_mobile", 224, (1056, 4, 32, False), "NASNet-mobile",
    "020fb642bf7360b370c678b08e0adf61", "1ed92395b5b598bdda52abe5c0dbfd63",
)  # fmt: skip
NASNetLarge = _nasnet(
    "NASNetLarge", "nasnet_large", 331, (4032, 6, 96, True), "NASNet-large",
    "11577c9a518f0070763c2b964a382f17", "d81d89dc07e6e56530c4e77faddd61b5",
)  # fmt: skip
preprocess_input = preprocessing("tf")

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]
