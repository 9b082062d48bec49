"""InceptionResNetV2 (Szegedy, Ioffe, Vanhoucke, Alemi 2016: Inception-v4)."""

from __future__ import annotations

from typing import Any

from chainrule.keras import layers
from chainrule.keras.applications.base import channels, kernels, network
from chainrule.keras.applications.imagenet_utils import decode_predictions, preprocessing
from chainrule.keras.layers import Layer

#: The branches of a residual block: (filters, kernel) of each convolution.
_BLOCKS: dict[str, list[list[tuple[int, Any]]]] = {
    "block35": [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]],
    "block17": [[(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]],
    "block8": [[(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]],
}


class CustomScaleLayer(Layer):
    """inputs[0] + scale · inputs[1]."""

    def __init__(self, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}

    def call(self, inputs: Any) -> Any:
        return inputs[0] + inputs[1] * self.scale


def _conv(x: Any, filters: int, kernel: Any, strides: int = 1, padding: str = "same",
          name: str | None = None) -> Any:  # fmt: skip
    x = layers.Conv2D(filters, kernel, strides=strides, padding=padding, use_bias=False, name=name)(
        x
    )
    x = layers.BatchNormalization(axis=channels(), scale=False, name=name and f"{name}_bn")(x)
    return layers.Activation("relu", name=name and f"{name}_ac")(x)


def _branch(x: Any, *steps: tuple[int, Any]) -> Any:
    for filters, kernel in steps:
        x = _conv(x, filters, kernel)
    return x


def _join(branches: list[Any], name: str) -> Any:
    return layers.Concatenate(axis=channels(), name=name)(branches)


def _residual(x: Any, kind: str, number: int, scale: float, activate: bool = True) -> Any:
    name = f"{kind}_{number}"
    mixed = _join([_branch(x, *steps) for steps in _BLOCKS[kind]], f"{name}_mixed")
    up = layers.Conv2D(x.shape[channels()], 1, padding="same", name=f"{name}_conv")(mixed)
    x = CustomScaleLayer(scale)([x, up])
    return layers.Activation("relu", name=f"{name}_ac")(x) if activate else x


def _body(x: Any) -> Any:
    x = _conv(x, 32, 3, 2, "valid")
    x = _conv(x, 32, 3, 1, "valid")
    x = layers.MaxPooling2D(3, strides=2)(_conv(x, 64, 3))
    x = _conv(x, 80, 1, 1, "valid")
    x = layers.MaxPooling2D(3, strides=2)(_conv(x, 192, 3, 1, "valid"))
    branches = [_branch(x, (96, 1)), _branch(x, (48, 1), (64, 5)),
                _branch(x, (64, 1), (96, 3), (96, 3))]  # fmt: skip
    mean = layers.AveragePooling2D(3, strides=1, padding="same")(x)
    x = _join([*branches, _conv(mean, 64, 1)], "mixed_5b")
    for i in range(1, 11):
        x = _residual(x, "block35", i, 0.17)
    wide = _conv(x, 384, 3, 2, "valid")
    double = _conv(_branch(x, (256, 1), (256, 3)), 384, 3, 2, "valid")
    x = _join([wide, double, layers.MaxPooling2D(3, strides=2)(x)], "mixed_6a")
    for i in range(1, 21):
        x = _residual(x, "block17", i, 0.1)
    branches = [
        _conv(_branch(x, (256, 1)), 384, 3, 2, "valid"),
        _conv(_branch(x, (256, 1)), 288, 3, 2, "valid"),
        _conv(_branch(x, (256, 1), (288, 3)), 320, 3, 2, "valid"),
    ]
    x = _join([*branches, layers.MaxPooling2D(3, strides=2)(x)], "mixed_7a")
    for i in range(1, 10):
        x = _residual(x, "block8", i, 0.2)
    x = _residual(x, "block8", 10, 1.0, activate=False)
    return _conv(x, 1536, 1, name="conv_7b")


InceptionResNetV2 = network(
    "InceptionResNetV2", "inception_resnet_v2", _body,
    kernels("inception_resnet_v2", "inception_resnet_v2", "e693bd0210a403b3192acc6073ad2e96",
            "d19885ff4a710c122648d3b5c3b684e4"),
    size=299, least=75,
)  # fmt: skip
preprocess_input = preprocessing("tf")

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]
